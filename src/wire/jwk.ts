import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithmNamed, algorithmsFor, type CryptoKey, cryptoKey } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { PublicKey, VerificationKey } from '../core/keys.ts'
import type { Value, ValueMap } from '../core/value.ts'
import { isList, isMap, map } from '../core/value.ts'
import { fromBase64url } from './base64url.ts'
import { coseThumbprint } from './cose-key-write.ts'

/** RFC 7638 §3.2 and RFC 9964 §6: the members that make the key, in the order in which they are hashed. */
const MEMBERS: { readonly [kty: string]: readonly string[] } = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
  AKP: ['alg', 'kty', 'pub'],
}

const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

// RFC 7518 §6.2.1.2: coordinates are as wide as the field, leading zeros kept.
const EC_BYTES: ReadonlyMap<unknown, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
])
// FIPS 204 table 2
const AKP_BYTES: ReadonlyMap<unknown, number> = new Map([
  ['ML-DSA-44', 1312],
  ['ML-DSA-65', 1952],
  ['ML-DSA-87', 2592],
])

const wrong = (expected: string): DragomanError => new DragomanError('ERR_TRUST_CONFIG', { detail: { expected } })

/**
 * The public key in a JWK (RFC 7517, 7518, 8037, 9964).
 *
 * Checks: kty, curve and algorithm known; every member canonical base64url of its exact width; no private member
 * (Node takes the public half of a private JWK without a word); the point on its curve.
 * Does NOT look at the size of an RSA key, which {@link verificationKey} does, nor at `use`, `key_ops`, `alg` of
 * non-AKP keys and `kid`, which {@link verificationKeyFromJwk} does, nor at `x5c`.
 *
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG`, `detail.expected` saying what a usable JWK has
 */
export function publicKeyFromJwk(jwk: Value | undefined): PublicKey {
  if (!isMap(jwk)) throw wrong('a JWK object')
  const kty = jwk['kty']
  const members = typeof kty === 'string' && Object.hasOwn(MEMBERS, kty) ? MEMBERS[kty] : undefined
  if (!members) throw wrong('kty EC, OKP, RSA or AKP')
  if (PRIVATE.some((name) => jwk[name] !== undefined)) throw wrong('a public JWK, without private members')
  const plain: Record<string, string> = {}
  for (const name of members) {
    const member = jwk[name]
    if (typeof member !== 'string') throw wrong(`JWK member ${name} as text`)
    plain[name] = member
  }
  checkWidths(plain)
  let key: KeyObject
  try {
    key = createPublicKey({ key: plain, format: 'jwk' })
  } catch (cause) {
    throw new DragomanError('ERR_TRUST_CONFIG', { cause, detail: { expected: 'a valid public key' } })
  }
  return publicKey(key)
}

function checkWidths(jwk: { readonly [name: string]: string }): void {
  const width = (name: string): number => {
    const bytes = fromBase64url(jwk[name] ?? '')
    if (!bytes) throw wrong(`JWK member ${name} as canonical base64url`)
    return bytes.length
  }
  switch (jwk['kty']) {
    case 'EC': {
      const bytes = EC_BYTES.get(jwk['crv'])
      if (bytes === undefined) throw wrong('crv P-256, P-384 or P-521')
      if (width('x') !== bytes || width('y') !== bytes) throw wrong(`coordinates of ${bytes} bytes`)
      return
    }
    case 'OKP':
      if (jwk['crv'] !== 'Ed25519' || width('x') !== 32) throw wrong('crv Ed25519 and x of 32 bytes')
      return
    case 'AKP':
      if (width('pub') !== AKP_BYTES.get(jwk['alg'])) throw wrong('alg ML-DSA-44, -65 or -87 and pub of its length')
      return
    default: {
      width('e')
      const bytes = fromBase64url(jwk['n'] ?? '')
      // RFC 7518 §6.3.1.1: no leading zero octet, so that one modulus has one text.
      if (!bytes || bytes[0] === 0) throw wrong('n as canonical base64url without leading zero octet')
    }
  }
}

/**
 * A public key with its canonical JWK and thumbprint, both from the parsed key, never from text received.
 *
 * @param jwk its canonical JWK, where that is known from the octets that the key was read from
 */
export const publicKey = (key: KeyObject, jwk?: ValueMap): PublicKey => new ParsedKey(key, jwk)

// A class: a getter of an object's own costs the engine a hidden class for each object (see `core/variables.ts`).
class ParsedKey implements PublicKey {
  readonly key: KeyObject
  #jwk: ValueMap | undefined
  #jkt: string | undefined
  #ckt: string | undefined

  constructor(key: KeyObject, jwk: ValueMap | undefined) {
    this.key = key
    this.#jwk = jwk
  }

  get jwk(): ValueMap {
    // Nobody's to change: whoever remembers the key gives it to many.
    this.#jwk = Object.freeze(this.#jwk ?? exportJwk(this.key))
    return this.#jwk
  }

  get jkt(): string {
    this.#jkt ??= hash('sha256', JSON.stringify(this.jwk), 'base64url')
    return this.#jkt
  }

  get ckt(): string {
    this.#ckt ??= coseThumbprint({ jwk: this.jwk })
    return this.#ckt
  }
}

function exportJwk(key: KeyObject): ValueMap {
  const jwk = key.export({ format: 'jwk' }) as ValueMap
  const members = MEMBERS[String(jwk['kty'])]
  if (!members) throw wrong('a key of type EC, Ed25519, RSA or ML-DSA')
  return map(members.map((name) => [name, jwk[name] ?? '']))
}

/** RFC 7638 thumbprint of a public JWK, over the key as parsed. */
export const jwkThumbprint = (jwk: Value | undefined): string => publicKeyFromJwk(jwk).jkt

/**
 * A key that may verify with those of `allowed` that fit it; `undefined` when none does.
 * `alg` narrows them to one: one key, one algorithm (RFC 8725 §3.1).
 */
export function verificationKey(
  key: PublicKey,
  allowed: readonly Algorithm[],
  { kid, alg }: { kid?: string | undefined; alg?: string | undefined } = {},
): VerificationKey | undefined {
  const declared = alg === undefined ? undefined : algorithmNamed(alg)
  if (alg !== undefined && declared === undefined) return undefined
  const usable = algorithmsFor(key.key).filter((a) => allowed.includes(a) && (!declared || declared === a))
  if (usable.length === 0) return undefined
  const forms = new Map<Algorithm, CryptoKey>(usable.map((a) => [a, cryptoKey(a, key.key)]))
  return {
    kid,
    algorithms: usable,
    publicKey: key,
    cryptoKey: (algorithm) => {
      const form = forms.get(algorithm)
      if (!form) throw new TypeError(`the key is not for ${algorithm.name}`)
      return form
    },
  }
}

/**
 * The verification key in one entry of a JWK Set; `undefined` for keys that are not for verifying or of an unknown kind,
 * which a set may well hold beside others (RFC 7517 §5). Honours `use`, `key_ops` and `alg`.
 *
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG` for a key of a known kind that is malformed, or private
 */
export function verificationKeyFromJwk(jwk: Value, allowed: readonly Algorithm[]): VerificationKey | undefined {
  if (!isMap(jwk) || !isKnownKind(jwk)) return undefined
  const { use, key_ops: operations, alg, kid } = jwk
  // `jwt-svid` is what SPIFFE bundles write for a signature key (SPIFFE JWT-SVID §6.2).
  if (use !== undefined && use !== 'sig' && use !== 'jwt-svid') return undefined
  if (operations !== undefined && !(isList(operations) && operations.includes('verify'))) return undefined
  if (alg !== undefined && typeof alg !== 'string') return undefined
  return verificationKey(publicKeyFromJwk(jwk), allowed, { kid: typeof kid === 'string' ? kid : undefined, alg })
}

function isKnownKind({ kty, crv, alg }: ValueMap): boolean {
  switch (kty) {
    case 'EC':
      return EC_BYTES.has(crv)
    case 'OKP':
      return crv === 'Ed25519'
    case 'AKP':
      return AKP_BYTES.has(alg)
    default:
      return kty === 'RSA'
  }
}

/** Whether two keys are the same key. */
export const sameKey = (left: PublicKey, right: PublicKey): boolean => left.jkt === right.jkt
