import { type Algorithm, verifySignature } from '../../core/algorithms.ts'
import { DragomanError } from '../../core/errors.ts'
import type { VerificationKey } from '../../core/keys.ts'
import type { Jws } from '../../wire/jws.ts'

// Without a `kid` every key of the issuer is tried, each at the price of a signature.
const MAX_KEYS_TRIED = 8

/**
 * The key of `keys` that made the signature. The key says what it may be used with; the token only says which of that
 * it was (RFC 8725 §3.1).
 *
 * Tries at most eight keys. Does NOT ask whether the issuer may use the algorithm.
 *
 * @throws {@link DragomanError} `ERR_TRUST_KEY` for no keys, `ERR_TOKEN_ALGORITHM` when none is for this algorithm,
 * `ERR_TOKEN_SIGNATURE`
 */
export function verifyingKey(keys: readonly VerificationKey[], algorithm: Algorithm, jws: Jws): VerificationKey {
  if (keys.length === 0) throw new DragomanError('ERR_TRUST_KEY')
  const fitting = keys.filter((key) => key.algorithms.includes(algorithm))
  if (fitting.length === 0) throw new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { actual: algorithm.name } })
  const found = fitting
    .slice(0, MAX_KEYS_TRIED)
    .find((key) => verifySignature(algorithm, key.cryptoKey(algorithm), jws.signingInput, jws.signature))
  if (found) return found
  throw new DragomanError('ERR_TOKEN_SIGNATURE', { detail: { algorithm: algorithm.name } })
}
