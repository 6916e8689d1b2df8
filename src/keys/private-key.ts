import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Algorithm, fits } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'

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
 * Checks that it fits the algorithm, that the public half in a JWK is its own (not every Node does), and that an ML-DSA
 * key has its seed: one kept only in expanded form signs, but cannot be published as JWK or COSE_Key.
 *
 * @throws {@link DragomanError} `ERR_KEY_CONFIG`; nothing of the key is in it
 */
export function readPrivateKey(text: string, algorithm: Algorithm, name: string): KeyObject {
  const refuse = (expected: string) => new DragomanError('ERR_KEY_CONFIG', { detail: { key: name, expected } })
  const key = text.trimStart().startsWith('{') ? fromJwk(text, refuse) : fromPem(text, refuse)
  if (!fits(algorithm, key)) throw refuse(`a key for ${algorithm.name}`)
  if (algorithm.postQuantum && !hasSeed(key)) {
    throw refuse('an ML-DSA key with its 32-byte seed; this file has the expanded key only (RFC 9881 section 6)')
  }
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

function fromJwk(text: string, refuse: Refuse): KeyObject {
  let jwk: { [member: string]: unknown }
  let key: KeyObject
  try {
    jwk = JSON.parse(text)
    key = createPrivateKey({ key: jwk, format: 'jwk' })
  } catch {
    throw refuse('a private JWK whose members belong together')
  }
  const own = createPublicKey(key).export({ format: 'jwk' }) as { [member: string]: unknown }
  if (['x', 'y', 'n', 'e', 'pub'].some((member) => own[member] !== undefined && own[member] !== jwk[member])) {
    throw refuse('a private JWK whose public half is its own')
  }
  return key
}

function hasSeed(key: KeyObject): boolean {
  try {
    return key.export({ format: 'jwk' }) !== undefined
  } catch {
    return false
  }
}
