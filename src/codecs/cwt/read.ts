import { hash } from 'node:crypto'
import type { Algorithm } from '../../core/algorithms.ts'
import { verifySignature } from '../../core/algorithms.ts'
import { DragomanError } from '../../core/errors.ts'
import type { VerificationKey } from '../../core/keys.ts'
import { andThen } from '../../core/later.ts'
import type { Envelope, Token, TokenType, Unverified } from '../../core/token.ts'
import type { TrustedIssuer } from '../../core/trust.ts'
import { tokenTypes } from '../../core/types.ts'
import { fromBase64url, toBase64url } from '../../wire/base64url.ts'
import { type CborLabel, type CborMap, decodeCborMap, isCborMap } from '../../wire/cbor.ts'
import { type CoseMessage, coseLabel, keyId, parseCose, signatureAlgorithm, signedBytes } from '../../wire/cose.ts'
import { kidText } from '../../wire/cose-key.ts'
import { CLAIM_TAGS, type ClaimsSet, readClaims } from './claims.ts'
import { readConfirmation } from './confirmation.ts'
import { kindOf } from './kind.ts'

// Characters of a token: 16 KiB of claims, the largest signature and a certificate chain fit.
const MAX_TOKEN_LENGTH = 65_536
// The same as for a JWT, so that what comes in as one format can go out as the other.
const MAX_CLAIMS_BYTES = 16_384
// Without a `kid` every key of the issuer is tried, each at the price of a signature.
const MAX_KEYS_TRIED = 8

// Labels that we act on, so that `crit` may list them.
const UNDERSTOOD: ReadonlySet<CborLabel> = new Set([coseLabel.alg, coseLabel.kid, coseLabel.cwtClaims, coseLabel.typ])

/** Which message it is when no tag says so. */
const UNTAGGED: ReadonlyMap<TokenType, 'sign1' | 'sign'> = new Map([
  [tokenTypes.cwtSign1, 'sign1'],
  [tokenTypes.cwtSign, 'sign'],
])

const ABOUT_CONTENT = [coseLabel.cwtClaims, coseLabel.typ]

/**
 * Reads a CWT (RFC 8392) that is signed and encoded in base64url without padding: tagged as COSE, or, under the type for
 * it, an untagged COSE_Sign1 or COSE_Sign.
 *
 * Checks form: sizes, encoding, COSE structure and headers, types of claims, nothing named twice. See the parts:
 * `wire/cbor.ts`, `wire/cose.ts`, `claims.ts`. A nested, encrypted or MACed CWT, and a claims set alone, are refused.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_*`
 */
export function parse(envelope: Envelope): Unverified | undefined {
  const { type } = envelope
  const untagged = UNTAGGED.get(type)
  if (type !== tokenTypes.cwt && untagged === undefined) return undefined
  // RFC 8392 §7.2: what is not tagged must be told by its context, which is the declared type.
  const message = parseCose(bytesOf(envelope.raw), {
    understood: UNDERSTOOD,
    ...(untagged && { untagged }),
  })
  const [signature] = message.signatures
  const algorithm = signatureAlgorithm(signature)
  const kid = keyId(signature)
  const set = readClaims(claimsMap(message.payload), replica(message))
  const kind = kindOf(message.headers)
  const signed = signedBytes(message, signature)
  const check = (keys: readonly VerificationKey[], issuer: TrustedIssuer): Token => {
    const key = verifyingKey(keys, algorithm, signed, signature.signature)
    return tokenOf(set, { envelope, issuer, algorithm, key, kind, signed })
  }
  const hint = { kid: kid && kidText(kid), algorithm }
  return {
    issuer: set.issuer,
    hint,
    verify(issuer, { now }) {
      assertAllowed(algorithm, issuer)
      return andThen(issuer.anchor.keys(hint, now), (found) => check(found, issuer))
    },
  }
}

function bytesOf(raw: string): Buffer {
  if (raw.length > MAX_TOKEN_LENGTH) {
    throw new DragomanError('ERR_TOKEN_TOO_LARGE', { detail: { expected: `at most ${MAX_TOKEN_LENGTH} characters` } })
  }
  const bytes = fromBase64url(raw)
  if (!bytes) {
    throw new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected: 'base64url without padding, canonical' } })
  }
  return bytes
}

function claimsMap(payload: Uint8Array): CborMap {
  if (payload.length > MAX_CLAIMS_BYTES) {
    throw new DragomanError('ERR_TOKEN_TOO_LARGE', {
      detail: { expected: `at most ${MAX_CLAIMS_BYTES} bytes of claims` },
    })
  }
  return decodeCborMap(payload, { tags: CLAIM_TAGS })
}

/** RFC 9597 §2: claims in the protected header. Those in the unprotected one are nobody's word, and ignored. */
function replica(message: CoseMessage): CborMap | undefined {
  const [{ headers }] = message.signatures
  // What a COSE_Sign is and says stands in its body. Beside one signature it would hold for that signature only.
  if (message.kind === 'sign' && ABOUT_CONTENT.some((label) => headers.protected.has(label))) {
    throw new DragomanError('ERR_TOKEN_HEADER', { detail: { expected: 'CWT Claims and typ in the body' } })
  }
  const claims = message.headers.protected.get(coseLabel.cwtClaims)
  if (claims === undefined || isCborMap(claims)) return claims
  throw new DragomanError('ERR_TOKEN_HEADER', { detail: { member: 'CWT Claims', expected: 'a map' } })
}

/** What an issuer may sign with is a list of ours, never the token's choice. */
function assertAllowed(algorithm: Algorithm, { algorithms }: TrustedIssuer): void {
  if (algorithms.includes(algorithm)) return
  throw new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { actual: algorithm.name } })
}

function verifyingKey(
  keys: readonly VerificationKey[],
  algorithm: Algorithm,
  signed: Uint8Array,
  signature: Uint8Array,
): VerificationKey {
  if (keys.length === 0) throw new DragomanError('ERR_TRUST_KEY')
  // The key decides: ES256 is for keys on P-256, whatever RFC 9053 §2.1 lets it be used with.
  const fitting = keys.filter((key) => key.algorithms.includes(algorithm))
  if (fitting.length === 0) throw new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { actual: algorithm.name } })
  const found = fitting
    .slice(0, MAX_KEYS_TRIED)
    .find((key) => verifySignature(algorithm, key.cryptoKey(algorithm), signed, signature))
  if (!found) throw new DragomanError('ERR_TOKEN_SIGNATURE', { detail: { algorithm: algorithm.name } })
  return found
}

interface Origin {
  readonly envelope: Envelope
  readonly issuer: TrustedIssuer
  readonly algorithm: Algorithm
  readonly key: VerificationKey
  readonly kind: string | undefined
  readonly signed: Uint8Array
}

function tokenOf(set: ClaimsSet, { envelope, issuer, algorithm, key, kind, signed }: Origin): Token {
  // Whoever chose the issuer to check against must have chosen the one that the token names.
  if (set.issuer !== issuer.issuer) throw new DragomanError('ERR_TRUST_ISSUER')
  const id = set.cti && idText(set.cti)
  const digest = hash('sha256', signed)
  return {
    claims: set.claims,
    validity: set.validity,
    confirmation: set.cnf === undefined ? undefined : readConfirmation(set.cnf),
    provenance: {
      format: 'cwt',
      type: envelope.type,
      issuer: issuer.issuer,
      trustDomain: issuer.trustDomain,
      algorithm: algorithm.name,
      keyThumbprint: key.publicKey.jkt,
      kind,
      id,
      replayKey: id === undefined ? digest : hash('sha256', `${issuer.issuer}\0cwt\0${id}`),
      digest,
    },
  }
}

/** The text form of a `cti`. Always this one, also for bytes that would be text, so that two never become one. */
export const idText = (cti: Uint8Array): string => `b64:${toBase64url(cti)}`
