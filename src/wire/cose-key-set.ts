import { type Algorithm, coseAlgorithm } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { Signer, VerificationKey } from '../core/keys.ts'
import { type CborMap, type CborValue, decodeCbor, isCborArray, isCborMap } from './cbor.ts'
import { encodeCbor } from './cbor-encode.ts'
import { hasPrivatePart, kidBytes, kidText, publicKeyFromCoseKey } from './cose-key.ts'
import { coseKeyLabel, coseKeyOf } from './cose-key-write.ts'
import { sameKey, verificationKey } from './jwk.ts'

// A set is read whole, from whoever an issuer's configuration names: that many keys serve any rotation.
const MAX_KEYS = 100
const MAX_BYTES = 65_536

/** RFC 9052 §7.1 table 5. */
const VERIFY = 2

const wrong = (expected: string, cause?: unknown): DragomanError =>
  new DragomanError('ERR_TRUST_CONFIG', { cause, detail: { expected } })

/**
 * The keys of a COSE_KeySet (RFC 9052 §7) that may verify with one of `allowed`.
 *
 * Honours `alg` and `key_ops`. An entry that is malformed, of an unknown type or curve, or not for verifying is passed
 * over, as RFC 9052 §7 asks. The whole set is refused when it is too large, has a private part in it, or names two
 * different keys alike.
 *
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG`
 */
export function verificationKeysFromCoseKeySet(bytes: Uint8Array, allowed: readonly Algorithm[]): VerificationKey[] {
  if (bytes.length > MAX_BYTES) throw wrong(`a COSE_KeySet of at most ${MAX_BYTES} bytes`)
  const set = decoded(bytes)
  if (!isCborArray(set) || set.length > MAX_KEYS) throw wrong(`a COSE_KeySet: an array of at most ${MAX_KEYS} keys`)
  const keys = set.flatMap((entry) => (isCborMap(entry) ? (entryKey(entry, allowed) ?? []) : []))
  const named = new Map<string, VerificationKey>()
  for (const key of keys) {
    if (key.kid === undefined) continue
    const other = named.get(key.kid)
    if (other && !sameKey(other.publicKey, key.publicKey)) throw wrong('a kid for each key of its own')
    named.set(key.kid, key)
  }
  return keys
}

function decoded(bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes)
  } catch (cause) {
    throw wrong('a COSE_KeySet in CBOR', cause)
  }
}

function entryKey(entry: CborMap, allowed: readonly Algorithm[]): VerificationKey | undefined {
  if (hasPrivatePart(entry)) throw wrong('public keys, without private parts')
  const operations = entry.get(coseKeyLabel.keyOps)
  if (operations !== undefined && !(isCborArray(operations) && operations.includes(VERIFY))) return undefined
  const id = entry.get(coseKeyLabel.alg)
  const alg = typeof id === 'number' ? coseAlgorithm(id)?.name : undefined
  if (id !== undefined && alg === undefined) return undefined
  const kid = entry.get(coseKeyLabel.kid)
  if (kid !== undefined && !(kid instanceof Uint8Array)) return undefined
  try {
    return verificationKey(publicKeyFromCoseKey(entry), allowed, { kid: kid && kidText(kid), alg })
  } catch (error) {
    if (error instanceof DragomanError) return undefined
    throw error
  }
}

/** A COSE_KeySet of public keys, each with its `kid`, `alg` and the one operation it is for. */
export function encodeCoseKeySet(signers: readonly Signer[]): Uint8Array {
  return encodeCbor(
    signers.map(({ kid, algorithm, publicKey }) =>
      coseKeyOf(publicKey)
        .set(coseKeyLabel.kid, kidBytes(kid))
        .set(coseKeyLabel.alg, algorithm.cose[0])
        .set(coseKeyLabel.keyOps, [VERIFY]),
    ),
  )
}
