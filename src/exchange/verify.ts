import { DragomanError } from '../core/errors.ts'
import type { Services } from '../core/exchange.ts'
import type { TokenAcceptance } from '../core/profile.ts'
import type { Proof } from '../core/proof.ts'
import type { Confirmation, Envelope, FormatRules, Token, Unverified, Verified } from '../core/token.ts'
import type { TrustedIssuer } from '../core/trust.ts'
import { tokenTypes } from '../core/types.ts'
import { assertKind } from './kind.ts'
import { asVerified } from './verified.ts'

/** What a token is judged against beside its profile. */
export interface Circumstances {
  readonly now: number
  readonly proofs: readonly Verified<Proof>[]
}

/**
 * Verifies a presented token and returns what it says.
 *
 * Checks, for every format alike: the declared type and that the issuer is one the profile accepts, both exactly; the
 * signature and the format's own rules against that issuer's anchor; `exp`, `nbf`, `iat` and age; audience; kind;
 * required claims; that the issuer may speak of this subject, and of its history; and, where the token is bound to a
 * key, a proof by that key in this request. Does NOT check that it is presented for the first time:
 * {@link assertFirstUse} does, last.
 *
 * @throws {@link DragomanError} with an `ERR_TOKEN_`, `ERR_TRUST_` or `ERR_PROOF_` code
 * @see [RFC 8693 §2.1](https://www.rfc-editor.org/rfc/rfc8693.html#section-2.1)
 */
export async function verifyToken(
  envelope: Envelope,
  acceptance: TokenAcceptance,
  circumstances: Circumstances,
  services: Services,
): Promise<Verified<Token>> {
  const unverified = parse(envelope, acceptance, services)
  const candidates = issuersOf(unverified, acceptance, services)
  const token = await verifyWithAny(unverified, candidates, rulesOf(acceptance, circumstances.now))
  const issuer = services.trust.find(token.provenance.issuer)
  if (envelope.type === tokenTypes.accessToken && token.provenance.issuer !== services.issuer) {
    // RFC 8693 §3: this type means an access token of our own; a foreign one comes as `jwt`.
    throw new DragomanError('ERR_REQUEST_TOKEN_TYPE', { detail: { expected: 'jwt for a token of another issuer' } })
  }
  assertAlgorithm(token, acceptance)
  assertTime(token, acceptance, circumstances.now)
  assertAudience(token, acceptance)
  assertKind(token, acceptance)
  assertClaims(token, acceptance)
  assertSubject(token, issuer)
  assertConfirmed(token, acceptance, circumstances.proofs)
  return asVerified(token)
}

function parse(envelope: Envelope, acceptance: TokenAcceptance, { codecs }: Services): Unverified {
  const codec = codecs.find(({ format }) => format === acceptance.format)
  const unverified = acceptance.types.includes(envelope.type) ? codec?.parse(envelope) : undefined
  if (unverified === undefined) {
    throw new DragomanError('ERR_REQUEST_TOKEN_TYPE', { detail: { role: envelope.role, supported: acceptance.types } })
  }
  return unverified
}

function issuersOf(
  unverified: Unverified,
  acceptance: TokenAcceptance,
  { trust }: Services,
): readonly [TrustedIssuer, ...TrustedIssuer[]] {
  const accepted = acceptance.issuers.flatMap((name) => trust.find(name) ?? [])
  const [first, ...rest] = accepted.filter((candidate) => mayBe(candidate, unverified, acceptance))
  if (first === undefined) throw new DragomanError('ERR_TRUST_ISSUER', { detail: { expected: acceptance.issuers } })
  return [first, ...rest]
}

function mayBe(candidate: TrustedIssuer, unverified: Unverified, acceptance: TokenAcceptance): boolean {
  // A JWT-SVID is its trust domain's, whatever its `iss` says (SPIFFE JWT-SVID §3; RFC 8693 has no say in it).
  if (acceptance.kind === 'jwt-svid') {
    return unverified.trustDomain !== undefined && candidate.trustDomain === unverified.trustDomain
  }
  if (unverified.issuer !== undefined) return candidate.issuer === unverified.issuer
  return candidate.has.certificates && acceptance.format === 'x509'
}

/** Certificates do not name their anchor's issuer as we call it: each accepted one with certificates is asked. */
async function verifyWithAny(
  unverified: Unverified,
  candidates: readonly [TrustedIssuer, ...TrustedIssuer[]],
  rules: FormatRules,
): Promise<Token> {
  const [only, another] = candidates
  if (another === undefined) return unverified.verify(only, rules)
  let refusal: unknown
  for (const candidate of candidates) {
    try {
      return await unverified.verify(candidate, rules)
    } catch (error) {
      // "Its path leads elsewhere" gives way to any other refusal, which knows the path and what it lacks.
      if (refusal === undefined || isPathError(refusal)) refusal = error
    }
  }
  throw refusal
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

// RFC 7519 §4.1.4: on or after exp is too late.
function assertTime({ validity }: Token, { clockSkew, maxAge }: TokenAcceptance, now: number): void {
  const { expiresAt, notBefore, issuedAt } = validity
  if (expiresAt === undefined) throw new DragomanError('ERR_TOKEN_NO_EXPIRY')
  if (now >= expiresAt + clockSkew) {
    throw new DragomanError('ERR_TOKEN_EXPIRED', {
      detail: { claim: 'exp', expected: `after ${now}`, actual: expiresAt },
    })
  }
  const start = Math.max(notBefore ?? -Infinity, issuedAt ?? -Infinity)
  if (start > now + clockSkew) {
    throw new DragomanError('ERR_TOKEN_NOT_YET_VALID', {
      detail: { expected: `at most ${now + clockSkew}`, actual: start },
    })
  }
  if (maxAge === undefined) return
  const born = issuedAt ?? notBefore
  if (born === undefined) throw new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim: 'iat', rule: 'max_age' } })
  if (now - born > maxAge + clockSkew) {
    throw new DragomanError('ERR_TOKEN_TOO_OLD', {
      detail: { expected: `at most ${maxAge} seconds`, actual: now - born },
    })
  }
}

function assertAudience({ validity }: Token, { audience }: TokenAcceptance): void {
  if (audience.length === 0 || validity.audience.some((value) => audience.includes(value))) return
  throw new DragomanError('ERR_TOKEN_AUDIENCE', { detail: { expected: audience } })
}

function assertClaims({ claims, validity, provenance }: Token, { require }: TokenAcceptance): void {
  for (const name of require) {
    const present =
      name === 'iat'
        ? validity.issuedAt !== undefined
        : name === 'nbf'
          ? validity.notBefore !== undefined
          : name === 'jti'
            ? provenance.id !== undefined
            : name === 'scope'
              ? validity.scope !== undefined
              : claims[name] !== undefined
    if (!present) throw new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim: name } })
  }
}

function assertSubject({ claims, provenance }: Token, issuer: TrustedIssuer | undefined): void {
  const subject = claims['sub']
  if (typeof subject !== 'string' || subject === '') {
    throw new DragomanError('ERR_TOKEN_SUBJECT', { detail: { expected: 'a sub claim' } })
  }
  if (issuer?.asserts(subject) !== true) {
    throw new DragomanError('ERR_TOKEN_SUBJECT_SPACE', {
      detail: { issuer: provenance.issuer, rule: 'issuers[].subjects' },
    })
  }
  if (claims['act'] !== undefined && !issuer.history) {
    throw new DragomanError('ERR_TOKEN_ACT', {
      detail: { expected: 'an issuer with `history: true`', issuer: issuer.issuer },
    })
  }
}

/**
 * A bound token without its proof cannot become `Verified`. Two methods in one `cnf` want both proofs; a certificate is
 * one method: whoever holds its key holds it.
 */
function assertConfirmed(token: Token, acceptance: TokenAcceptance, proofs: readonly Verified<Proof>[]): void {
  const { confirmation } = token
  if (confirmation === undefined || acceptance.presentedBy === 'audience') return
  const missing = unproved(confirmation, token.provenance.format === 'x509', proofs)
  if (missing === undefined) return
  throw new DragomanError(proofs.length === 0 ? 'ERR_TOKEN_UNPROVED' : 'ERR_PROOF_MISMATCH', {
    detail: { expected: missing, proofs: proofs.map(({ method }) => method) },
  })
}

function unproved(
  { publicKey, jkt, x5tS256, ckt }: Confirmation,
  certificate: boolean,
  proofs: readonly Proof[],
): string | undefined {
  const thumbprint = publicKey?.jkt ?? jkt
  if (thumbprint !== undefined && !proofs.some((proof) => proof.publicKey.jkt === thumbprint)) {
    return certificate ? 'the certificate in the TLS handshake, or a proof by its key' : 'a proof by the key in cnf'
  }
  if (x5tS256 !== undefined && !certificate && !proofs.some((proof) => proof.x5tS256 === x5tS256)) {
    return 'the certificate in cnf, in the TLS handshake'
  }
  // A COSE thumbprint alone cannot be compared with a proof's key here; the codec gives the key where the token has it.
  return thumbprint === undefined && x5tS256 === undefined && ckt !== undefined
    ? 'a cnf with the key itself'
    : undefined
}
