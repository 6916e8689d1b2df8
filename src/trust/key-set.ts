import type { Algorithm } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { KeyHint, VerificationKey } from '../core/keys.ts'
import { isList, isMap, type Value } from '../core/value.ts'
import { sameKey, verificationKeyFromJwk } from '../wire/jwk.ts'

/** Keys in one set. A rotation publishes two or three; the rest is work for every token without `kid`. */
export const MAX_KEYS = 100

// A token without `kid` is tried with each key that fits its algorithm, at the price of a signature each.
const MAX_TRIED = 8

/** The verification keys of one issuer, found by `kid`, or by algorithm where a token has none. */
export interface KeySet {
  readonly size: number
  /** All of them, in the order in which they were given. */
  readonly keys: readonly VerificationKey[]
  find(hint: KeyHint): readonly VerificationKey[]
}

/**
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG` for a `kid` that stands for two different keys: which of them is
 * meant is what an attacker would choose
 */
export function keySet(keys: readonly VerificationKey[]): KeySet {
  const byKid = new Map<string, [VerificationKey, ...VerificationKey[]]>()
  for (const key of keys) {
    if (key.kid === undefined) continue
    const alike = byKid.get(key.kid)
    if (alike && !sameKey(alike[0].publicKey, key.publicKey)) {
      throw wrong('each kid once')
    }
    // The same key again is the same key for another algorithm.
    if (alike) alike.push(key)
    else byKid.set(key.kid, [key])
  }
  const unnamed = keys.filter(({ kid }) => kid === undefined)
  const fitting = (candidates: readonly VerificationKey[], { algorithm }: KeyHint) =>
    candidates.filter((key) => algorithm === undefined || key.algorithms.includes(algorithm)).slice(0, MAX_TRIED)
  return {
    size: keys.length,
    keys,
    find(hint) {
      if (hint.kid === undefined) return fitting(keys, hint)
      // A key that was configured without a name may be the one that the token names.
      return byKid.get(hint.kid) ?? fitting(unnamed, hint)
    },
  }
}

/**
 * The keys in a JWK Set (RFC 7517 §5) that may verify. Keys of other kinds and uses are passed over, as §5 asks; so are
 * `broken` ones, of which a set that somebody else publishes may have one, unless it is our own configuration.
 *
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG` when it is no JWK Set, has more than 100 keys, a broken key, or none
 * that can be used
 */
export function keysOfJwks(
  jwks: Value | undefined,
  allowed: readonly Algorithm[],
  broken: 'refused' | 'skipped' = 'refused',
): readonly VerificationKey[] {
  const keys = isMap(jwks) ? jwks['keys'] : undefined
  if (!isList(keys)) throw wrong('a JWK Set: an object with `keys`')
  if (keys.length > MAX_KEYS) throw wrong(`at most ${MAX_KEYS} keys`)
  const usable = keys.flatMap((jwk) => (broken === 'refused' ? verificationKeyFromJwk : wholeKey)(jwk, allowed) ?? [])
  if (usable.length === 0) throw wrong('at least one key that verifies with an algorithm of this issuer')
  return usable
}

const wrong = (expected: string): DragomanError => new DragomanError('ERR_TRUST_CONFIG', { detail: { expected } })

function wholeKey(jwk: Value, allowed: readonly Algorithm[]): VerificationKey | undefined {
  try {
    return verificationKeyFromJwk(jwk, allowed)
  } catch (error) {
    if (error instanceof DragomanError) return undefined
    throw error
  }
}
