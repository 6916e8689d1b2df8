import { hash } from 'node:crypto'
import { actDepth } from '../core/act.ts'
import type { Client } from '../core/client.ts'
import type { Codec } from '../core/codec.ts'
import { DragomanError } from '../core/errors.ts'
import type { Services, VerifiedBefore } from '../core/exchange.ts'
import { andThen } from '../core/later.ts'
import { PATH_CLAIM, pathIn } from '../core/path.ts'
import type { TokenAcceptance } from '../core/profile.ts'
import type { Proof } from '../core/proof.ts'
import {
  type Confirmation,
  claimOf,
  type Envelope,
  type FormatRules,
  type Token,
  type Unverified,
  type Verified,
} from '../core/token.ts'
import type { TrustedIssuer } from '../core/trust.ts'
import { OF_THE_CLIENT, tokenTypes } from '../core/types.ts'
import { assertKind } from './kind.ts'
import { asVerified, freezeToken } from './verified.ts'

/** What a token is judged against beside its profile. */
export interface Circumstances {
  readonly now: number
  /** Who authenticated; `undefined`: nobody did, and the subject token is to stand for it. */
  readonly caller: Verified<Client> | undefined
  readonly proofs: readonly Verified<Proof>[]
  /** Told of a token whose signature is good, before anything else is asked of it: it is not verified yet. */
  readonly signed?: (token: Token) => void
  /** SHA-256 of what was presented, in hex, where it has been worked out: known tokens are found by it. */
  readonly sha256?: string | undefined
}

/** What verifying works with. */
export type VerifyServices = Pick<Services, 'issuer' | 'codecs' | 'trust' | 'verified'>

/**
 * Verifies a presented token and returns what it says.
 *
 * Checks, for every format alike: the declared type and that the issuer is one the profile accepts, both exactly; the
 * signature and the format's own rules against that issuer's anchor; `exp`, `nbf`, `iat`, age and lifetime; audience; kind; the
 * client it was made for; required claims; that the issuer may speak of this subject, and of its history; where the token is
 * bound to a key, a proof by that key in this request; and how its user authenticated. Does NOT check that it is presented
 * for the first time: {@link assertFirstUse} does, last.
 *
 * @throws {@link DragomanError} with an `ERR_TOKEN_`, `ERR_TRUST_` or `ERR_PROOF_` code
 * @see [RFC 8693 §2.1](https://www.rfc-editor.org/rfc/rfc8693.html#section-2.1)
 */
export async function verifyToken(
  envelope: Envelope,
  acceptance: TokenAcceptance,
  circumstances: Circumstances,
  services: VerifyServices,
): Promise<Verified<Token>> {
  const { token, issuer } = await signedToken(envelope, acceptance, circumstances, services)
  circumstances.signed?.(token)
  const { issuer: signedBy } = token.provenance
  if (envelope.type === tokenTypes.accessToken && signedBy !== services.issuer && !acceptance.foreignAccessTokens) {
    // RFC 8693 §3: this type means an access token of our own; a foreign one comes as `jwt`, or by name.
    throw new DragomanError('ERR_REQUEST_TOKEN_TYPE', { detail: { expected: 'jwt for a token of another issuer' } })
  }
  assertAlgorithm(token, acceptance)
  assertTime(token, acceptance, circumstances.now)
  assertAudience(token, acceptance)
  assertKind(token, acceptance)
  assertClient(token, acceptance, circumstances)
  assertClaims(token, acceptance)
  assertSubject(token, issuer)
  assertConfirmed(token, acceptance, circumstances)
  // Last: who hears that a user has to authenticate again need not look for anything else that is wrong.
  assertAuthenticated(token, acceptance, circumstances.now)
  return asVerified(token)
}

/** What the token says and who signed it; of a timeless format, if that was found a moment ago, without finding it anew. */
async function signedToken(
  envelope: Envelope,
  acceptance: TokenAcceptance,
  { now, caller, sha256 }: Circumstances,
  services: VerifyServices,
): Promise<{ readonly token: Token; readonly issuer: TrustedIssuer }> {
  const codec = codecOf(envelope, acceptance, services)
  // What may be used once does not come again, and what a client says by itself depends on who it is.
  const kept = codec.timeless === true && !acceptance.singleUse && !OF_THE_CLIENT.has(envelope.type)
  const store = kept ? services.verified : undefined
  const key = store && cacheKey(envelope, acceptance, sha256)
  const known = key === undefined ? undefined : store?.find(key, now)
  if (known !== undefined && stillHolds(known, acceptance, services)) return known
  const unverified = codec.parse(envelope)
  if (unverified === undefined) throw notOfType(envelope, acceptance)
  const candidates = issuersOf({ unverified, envelope, caller }, acceptance, services)
  // Read before: keys that change meanwhile are not the ones by which it was verified.
  const epochs = key === undefined ? undefined : new Map(candidates.map((issuer) => [issuer, issuer.anchor.epoch]))
  const found = await verifyWithAny(unverified, candidates, rulesOf(acceptance, now))
  freezeToken(found.token)
  const epoch = epochs?.get(found.issuer)
  if (key !== undefined && epoch !== undefined) store?.keep(key, { ...found, epoch }, now)
  return found
}

/** The whole token, as what it is presented, and every rule on which the codec's answer depends. */
const cacheKey = (
  { type, role, raw }: Envelope,
  { format, kind, subjectFrom, extendedKeyUsage }: TokenAcceptance,
  sha256 = hash('sha256', raw),
): string => [sha256, type, role, format, kind, subjectFrom, extendedKeyUsage?.join(' ')].join('\n')

/** Verified by an issuer that this profile takes as well, with keys that are still its own. */
const stillHolds = (
  { issuer, epoch }: VerifiedBefore,
  { issuers }: TokenAcceptance,
  { trust }: VerifyServices,
): boolean => issuers.includes(issuer.issuer) && trust.find(issuer.issuer) === issuer && issuer.anchor.epoch === epoch

function codecOf(envelope: Envelope, acceptance: TokenAcceptance, { codecs }: VerifyServices): Codec {
  const codec = codecs.find(({ format }) => format === acceptance.format)
  if (codec === undefined || !acceptance.types.includes(envelope.type)) throw notOfType(envelope, acceptance)
  return codec
}

const notOfType = ({ role }: Envelope, { types }: TokenAcceptance): DragomanError =>
  new DragomanError('ERR_REQUEST_TOKEN_TYPE', { detail: { role, supported: types } })

/** A token that has been read, and who presents it as what. */
interface Presented {
  readonly unverified: Unverified
  readonly envelope: Envelope
  readonly caller: Verified<Client> | undefined
}

function issuersOf(
  presented: Presented,
  acceptance: TokenAcceptance,
  services: VerifyServices,
): readonly [TrustedIssuer, ...TrustedIssuer[]] {
  const candidates: TrustedIssuer[] = []
  for (const name of acceptance.issuers) {
    const candidate = services.trust.find(name)
    if (candidate !== undefined && mayBe(candidate, presented, acceptance)) candidates.push(candidate)
  }
  const [first, ...rest] = candidates
  if (first === undefined) {
    throw new DragomanError('ERR_TRUST_ISSUER', {
      detail: { expected: acceptance.issuers, actual: claimedIssuer(presented.unverified, services) },
    })
  }
  return [first, ...rest]
}

/**
 * Whose the token says it is, for the operator: by name only if it is one that we know. Nothing has been verified, and what
 * stands there may be anything.
 */
function claimedIssuer({ issuer, trustDomain }: Unverified, { trust }: VerifyServices): string {
  const known = trust.all().find((one) => one.issuer === issuer || (trustDomain && one.trustDomain === trustDomain))
  if (known !== undefined) return `${known.issuer}, which the profile does not take`
  return issuer === undefined ? 'no issuer' : 'an issuer that is not trusted here'
}

function mayBe(candidate: TrustedIssuer, presented: Presented, acceptance: TokenAcceptance): boolean {
  const { unverified, envelope, caller } = presented
  if (OF_THE_CLIENT.has(envelope.type)) {
    // Nobody presents what another client has said by itself; and without a signature nobody says it but the caller.
    const unsigned = envelope.type === tokenTypes.unsignedJson
    return (
      candidate.issuer === caller?.id &&
      (unverified.issuer === caller.id || (unsigned && unverified.issuer === undefined)) &&
      (unsigned ? candidate.has.unsigned === true : candidate.has.keys)
    )
  }
  // A JWT-SVID is its trust domain's, whatever its `iss` says (SPIFFE JWT-SVID §3; RFC 8693 has no say in it).
  if (acceptance.kind === 'jwt-svid') {
    return unverified.trustDomain !== undefined && candidate.trustDomain === unverified.trustDomain
  }
  if (unverified.issuer !== undefined) return candidate.issuer === unverified.issuer
  // A transaction token need not say who signed it: each accepted one is asked.
  if (envelope.type === tokenTypes.txnToken) return candidate.has.keys
  return candidate.has.certificates && acceptance.format === 'x509'
}

interface Found {
  readonly token: Token
  readonly issuer: TrustedIssuer
}

/** Certificates do not name their anchor's issuer as we call it: each accepted one with certificates is asked. */
const verifyWithAny = (
  unverified: Unverified,
  candidates: readonly [TrustedIssuer, ...TrustedIssuer[]],
  rules: FormatRules,
): Found | Promise<Found> =>
  candidates.length === 1 ? verifyWith(candidates[0], unverified, rules) : verifyWithEach(unverified, candidates, rules)

async function verifyWithEach(
  unverified: Unverified,
  candidates: readonly TrustedIssuer[],
  rules: FormatRules,
): Promise<Found> {
  let refusal: unknown
  for (const candidate of candidates) {
    try {
      return await verifyWith(candidate, unverified, rules)
    } catch (error) {
      // "Its path leads elsewhere" gives way to any other refusal, which knows the path and what it lacks.
      if (refusal === undefined || isPathError(refusal)) refusal = error
    }
  }
  throw refusal
}

function verifyWith(issuer: TrustedIssuer, unverified: Unverified, rules: FormatRules): Found | Promise<Found> {
  const found = (token: Token): Found => {
    // One issuer's keys never speak in another's name, even where a token has a name of its own for its issuer.
    if (token.provenance.issuer !== issuer.issuer) throw new DragomanError('ERR_TRUST_ISSUER')
    return { token, issuer }
  }
  return andThen(unverified.verify(issuer, rules), found)
}

const isPathError = (error: unknown): boolean => error instanceof DragomanError && error.code === 'ERR_TRUST_PATH'

function rulesOf(acceptance: TokenAcceptance, now: number): FormatRules {
  return {
    now,
    clockSkew: acceptance.clockSkew,
    kind: acceptance.kind,
    subjectFrom: acceptance.subjectFrom,
    extendedKeyUsage: acceptance.extendedKeyUsage,
  }
}

function assertAlgorithm({ provenance }: Token, { algorithms }: TokenAcceptance): void {
  if (algorithms === undefined || algorithms.includes(provenance.algorithm)) return
  throw new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { expected: algorithms, actual: provenance.algorithm } })
}

// RFC 7519 §4.1.4: on or after exp is too late. A time that is no number is no time: it never passes.
function assertTime({ validity }: Token, { clockSkew, maxAge, maxLifetime }: TokenAcceptance, now: number): void {
  const { expiresAt, notBefore, issuedAt } = validity
  if (expiresAt === undefined || expiresAt === Infinity) throw new DragomanError('ERR_TOKEN_NO_EXPIRY')
  if (!(now < expiresAt + clockSkew)) {
    throw new DragomanError('ERR_TOKEN_EXPIRED', {
      detail: { claim: 'exp', expected: `after ${now}`, actual: expiresAt },
    })
  }
  const start = Math.max(notBefore ?? -Infinity, issuedAt ?? -Infinity)
  if (!(start <= now + clockSkew)) {
    throw new DragomanError('ERR_TOKEN_NOT_YET_VALID', {
      detail: { expected: `at most ${now + clockSkew}`, actual: start },
    })
  }
  const latest = now + (maxLifetime ?? Infinity) + clockSkew
  if (expiresAt > latest) {
    throw new DragomanError('ERR_TOKEN_LIFETIME', { detail: { expected: `at most ${latest}`, actual: expiresAt } })
  }
  if (maxAge === undefined) return
  const born = issuedAt ?? notBefore
  if (born === undefined) throw new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim: 'iat', rule: 'max_age' } })
  if (!(now - born <= maxAge + clockSkew)) {
    throw new DragomanError('ERR_TOKEN_TOO_OLD', {
      detail: { expected: `at most ${maxAge} seconds`, actual: now - born },
    })
  }
}

function assertAudience({ validity }: Token, { audience }: TokenAcceptance): void {
  if (audience.length === 0 || validity.audience.some((value) => audience.includes(value))) return
  throw new DragomanError('ERR_TOKEN_AUDIENCE', { detail: { expected: audience } })
}

/** One that was made for a client is presented by that client, which has authenticated: a name alone is nobody. */
function assertClient(token: Token, { forClient }: TokenAcceptance, { caller }: Circumstances): void {
  if (forClient === undefined) return
  const named = forClient === 'aud' ? token.validity.audience : [token.claims[forClient]]
  if (caller !== undefined && named.includes(caller.id)) return
  throw new DragomanError('ERR_TOKEN_CLIENT', { detail: { claim: forClient, expected: 'the client that asks' } })
}

function assertClaims(token: Token, { require }: TokenAcceptance): void {
  for (const name of require) {
    const value = name === 'cnf' ? token.confirmation : claimOf(token, name)
    if (value === undefined || value === null) {
      throw new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim: name } })
    }
  }
}

/** RFC 9470 §6: `acr` is one of those that are asked for, and `auth_time` not too long ago. What it does not say, it is not. */
function assertAuthenticated({ claims }: Token, { authentication, clockSkew }: TokenAcceptance, now: number): void {
  if (authentication === undefined) return
  const { acrValues, maxAge } = authentication
  const { acr, auth_time: at } = claims
  const weak = acrValues !== undefined && !(typeof acr === 'string' && acrValues.includes(acr))
  const age = typeof at === 'number' ? now - at : Number.NaN
  const old = maxAge !== undefined && !(age <= maxAge + clockSkew && age >= -clockSkew)
  if (!weak && !old) return
  throw new DragomanError('ERR_TOKEN_AUTHENTICATION', {
    detail: {
      claim: weak ? 'acr' : 'auth_time',
      ...(acrValues && { acr_values: acrValues }),
      ...(maxAge !== undefined && { max_age: maxAge }),
    },
  })
}

function assertSubject({ claims, provenance }: Token, issuer: TrustedIssuer): void {
  const subject = claims['sub']
  if (typeof subject !== 'string' || subject === '') {
    throw new DragomanError('ERR_TOKEN_SUBJECT', { detail: { expected: 'a sub claim' } })
  }
  if (!issuer.asserts(subject)) {
    throw new DragomanError('ERR_TOKEN_SUBJECT_SPACE', {
      detail: { issuer: provenance.issuer, rule: 'issuers[].subjects' },
    })
  }
  if (pathIn(claims[PATH_CLAIM]).length > 0 && !issuer.history) {
    throw new DragomanError('ERR_TOKEN_PATH', {
      detail: { expected: 'an issuer with `history: true`', issuer: issuer.issuer },
    })
  }
  if (actDepth(claims['act']) > 0 && !issuer.history) {
    throw new DragomanError('ERR_TOKEN_ACT', {
      detail: { expected: 'an issuer with `history: true`', issuer: issuer.issuer },
    })
  }
}

/** A certification request can be sent again by whoever has seen it: it shows a key to bind to, not who presents. */
const NOT_FRESH = new Set(['pkcs10'])

/**
 * A bound token without its proof cannot become `Verified`. Two methods in one `cnf` want both proofs; a certificate is
 * one method: whoever holds its key holds it.
 *
 * The one exception is a resource server that presents what it was sent. It has to be one: authenticated, in a profile
 * that asks for its audience in the token; else this would be the way in for whoever stole it.
 */
function assertConfirmed(token: Token, acceptance: TokenAcceptance, { caller, proofs }: Circumstances): void {
  const { confirmation } = token
  if (confirmation === undefined) return
  if (acceptance.presentedBy === 'audience' && caller !== undefined && acceptance.audience.length > 0) return
  const fresh = proofs.filter(({ method }) => !NOT_FRESH.has(method))
  const missing = unproved(confirmation, acceptance.format === 'x509', fresh)
  if (missing === undefined) return
  throw new DragomanError(fresh.length === 0 ? 'ERR_TOKEN_UNPROVED' : 'ERR_PROOF_MISMATCH', {
    detail: { expected: missing, proofs: proofs.map(({ method }) => method) },
  })
}

function unproved(
  { publicKey, jkt, x5tS256, ckt }: Confirmation,
  certificate: boolean,
  proofs: readonly Proof[],
): string | undefined {
  const proved = (thumbprint: string) => proofs.some((proof) => proof.publicKey.jkt === thumbprint)
  if ((publicKey !== undefined && !proved(publicKey.jkt)) || (jkt !== undefined && !proved(jkt))) {
    return certificate ? 'the certificate in the TLS handshake, or a proof by its key' : 'a proof by the key in cnf'
  }
  if (x5tS256 !== undefined && !certificate && !proofs.some((proof) => proof.x5tS256 === x5tS256)) {
    return 'the certificate in cnf, in the TLS handshake'
  }
  const byCkt = ckt === undefined || proofs.some((proof) => proof.publicKey.ckt === ckt)
  return byCkt ? undefined : 'a proof by the key in cnf'
}
