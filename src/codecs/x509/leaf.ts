import { type Algorithm, algorithmsFor } from '../../core/algorithms.ts'
import { DragomanError, type ErrorCode } from '../../core/errors.ts'
import type { Certificate } from '../../wire/certificate.ts'
import { keyUsages } from '../../wire/extensions.ts'
import { nonconformity, unknownCritical } from './rules.ts'

export interface LeafRules {
  /** Seconds since the epoch. */
  readonly now: number
  /** Seconds. */
  readonly clockSkew: number
  /** The algorithms that the certificate may be signed with. */
  readonly algorithms: readonly Algorithm[]
  /** Purposes of which it must have all, as OIDs; none: any will do. */
  readonly extendedKeyUsage: readonly string[]
  /** Without extended key usage it is good for all of them (RFC 5280 §4.2.1.12). */
  readonly unrestricted: boolean
  /** OID of an extension that may be critical beside those of RFC 5280. */
  readonly claims?: string | undefined
  /** Also what RFC 5280 §4 asks of authorities when they issue. */
  readonly conforming: boolean
}

const refuse = (code: ErrorCode, check: string, expected: string) =>
  new DragomanError(code, { detail: { check, expected } })

/**
 * Refuses a certificate that cannot be a token, whoever issued it.
 *
 * Checks: end entity, validity, critical extensions, that its key may sign and is of an accepted kind and size,
 * purposes, the algorithm it is signed with. Does NOT check the signature, nor names.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CRITICAL`, `ERR_TOKEN_KIND`, `ERR_TOKEN_EXPIRED`, `ERR_TOKEN_NOT_YET_VALID`,
 * `ERR_TOKEN_ALGORITHM`, `ERR_TRUST_PATH`
 */
export function checkLeaf(leaf: Certificate, rules: LeafRules): void {
  const { extensions, algorithm } = leaf
  // A certification authority speaks for others; as a subject it could vouch for itself.
  if (extensions.basicConstraints?.ca)
    throw refuse('ERR_TOKEN_KIND', 'end_entity', 'a certificate that is no authority')
  const unknown = unknownCritical(leaf, rules.claims)
  if (unknown !== undefined) throw refuse('ERR_TOKEN_CRITICAL', 'critical_extension', `no critical ${unknown}`)
  if (Math.floor(rules.now) > leaf.notAfter + rules.clockSkew) {
    throw new DragomanError('ERR_TOKEN_EXPIRED', { detail: { claim: 'notAfter', actual: leaf.notAfter } })
  }
  if (rules.now < leaf.notBefore - rules.clockSkew) {
    throw new DragomanError('ERR_TOKEN_NOT_YET_VALID', { detail: { claim: 'notBefore', actual: leaf.notBefore } })
  }
  if (extensions.keyUsage !== undefined && !(extensions.keyUsage & keyUsages.digitalSignature)) {
    throw refuse('ERR_TOKEN_KIND', 'key_usage', 'digitalSignature')
  }
  const wrong = rules.conforming ? nonconformity(leaf, 'leaf') : undefined
  if (wrong) throw refuse('ERR_TRUST_PATH', wrong.check, wrong.expected)
  checkPurposes(extensions.extendedKeyUsage, rules)
  if (!algorithm || !rules.algorithms.includes(algorithm)) {
    throw refuse('ERR_TOKEN_ALGORITHM', 'algorithm', 'a signature algorithm that is allowed for this issuer')
  }
  if (algorithmsFor(leaf.publicKey.key).length === 0) {
    throw refuse('ERR_TOKEN_ALGORITHM', 'key', 'a key of accepted kind and size')
  }
}

// anyExtendedKeyUsage is no statement of any purpose, so it does not stand for one that is asked for.
function checkPurposes(own: readonly string[] | undefined, { extendedKeyUsage, unrestricted }: LeafRules): void {
  if (own === undefined && unrestricted) return
  const missing = extendedKeyUsage.find((purpose) => !own?.includes(purpose))
  if (missing !== undefined) throw refuse('ERR_TOKEN_KIND', 'extended_key_usage', missing)
}
