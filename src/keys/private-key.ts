import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithmNamed, cryptoKey, fits, signSync, verifySignature } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import { isList, type ValueMap } from '../core/value.ts'
import { parseJsonObject } from '../wire/json.ts'

// Longer moduli make every signature slower and none of ours safer; certificates outlive 2048 bits (NIST SP 800-57).
const GENERATED_RSA_BITS = 3072

/** A new private key for `algorithm`. */
export function generatePrivateKey(algorithm: Algorithm): KeyObject {
  switch (algorithm.keyType) {
    case 'ec':
      return generateKeyPairSync('ec', { namedCurve: algorithm.curve ?? '' }).privateKey
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: GENERATED_RSA_BITS }).privateKey
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey
    default:
      return generateKeyPairSync(algorithm.keyType).privateKey
  }
}

/**
 * Reads a private key: PKCS#8 (or SEC 1, PKCS#1) in PEM, or a JWK.
 *
 * Checks that it fits the algorithm, and that a JWK is meant for it and for signing (`alg`, `use`, `key_ops`); that the
 * public half in the file belongs to the private one (not every Node does, and none does for RSA); that an ML-DSA key has
 * its seed: one kept only in expanded form signs, but cannot be published as JWK or COSE_Key.
 *
 * @throws {@link DragomanError} `ERR_KEY_CONFIG`; nothing of the key is in it
 */
export function readPrivateKey(text: string, algorithm: Algorithm, name: string): KeyObject {
  const refuse = (expected: string) => new DragomanError('ERR_KEY_CONFIG', { detail: { key: name, expected } })
  const key = text.trimStart().startsWith('{') ? fromJwk(text, algorithm, refuse) : fromPem(text, refuse)
  if (!fits(algorithm, key)) throw refuse(`a key for ${algorithm.name}`)
  if (algorithm.postQuantum && !hasSeed(key)) {
    throw refuse('an ML-DSA key with its 32-byte seed; this file has the expanded key only (RFC 9881 section 6)')
  }
  if (!isPair(key, algorithm)) throw refuse(OWN_HALF)
  return key
}

type Refuse = (expected: string) => DragomanError

function fromPem(text: string, refuse: Refuse): KeyObject {
  if (text.includes('ENCRYPTED')) throw refuse('a private key that is not encrypted; decrypt it with `openssl pkcs8`')
  try {
    return createPrivateKey(text)
  } catch {
    // The library's error may quote the input.
    throw refuse('a private key in PEM, or a private JWK')
  }
}

// RSA-8192 with all its primes has 7 KiB.
const JWK_LIMITS = { bytes: 32_768, depth: 4, items: 64, text: 8192 }

const OWN_HALF = 'a private key whose public half is its own'

function fromJwk(text: string, algorithm: Algorithm, refuse: Refuse): KeyObject {
  let jwk: ValueMap
  let key: KeyObject
  try {
    jwk = parseJsonObject(text, JWK_LIMITS)
    key = createPrivateKey({ key: { ...jwk }, format: 'jwk' })
  } catch {
    throw refuse('a private JWK whose members belong together')
  }
  const { alg, use, key_ops: operations } = jwk
  // RFC 8725 §3.1: one key, one algorithm, and it says which.
  if (alg !== undefined && (typeof alg !== 'string' || algorithmNamed(alg) !== algorithm)) {
    throw refuse(`a JWK with alg ${algorithm.jose.join(' or ')}, or none`)
  }
  if (use !== undefined && use !== 'sig') throw refuse('a JWK with use sig, or none')
  if (operations !== undefined && !(isList(operations) && operations.includes('sign'))) {
    throw refuse('a JWK with sign among its key_ops, or none')
  }
  if (!isProduct(jwk)) throw refuse('a private JWK whose members belong together')
  const own = createPublicKey(key).export({ format: 'jwk' }) as { [member: string]: unknown }
  if (['x', 'y', 'n', 'e', 'pub'].some((member) => own[member] !== undefined && own[member] !== jwk[member])) {
    throw refuse(OWN_HALF)
  }
  return key
}

/** Whether the primes of an RSA key are those of its modulus. Node asks since 26; signatures come out right either way. */
function isProduct({ n, p, q }: ValueMap): boolean {
  if (typeof n !== 'string' || typeof p !== 'string' || typeof q !== 'string') return true
  return numberOf(p) * numberOf(q) === numberOf(n)
}

const numberOf = (text: string): bigint => BigInt(`0x0${Buffer.from(text, 'base64url').toString('hex')}`)

/** Whether what the private half signs verifies with the public one: what a file says of both is not compared when read. */
function isPair(key: KeyObject, algorithm: Algorithm): boolean {
  const data = Buffer.from('dragoman')
  try {
    const signature = signSync(algorithm, cryptoKey(algorithm, key), data)
    return verifySignature(algorithm, cryptoKey(algorithm, createPublicKey(key)), data, signature)
  } catch {
    return false
  }
}

function hasSeed(key: KeyObject): boolean {
  try {
    return key.export({ format: 'jwk' }) !== undefined
  } catch {
    return false
  }
}
