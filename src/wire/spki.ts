import { createPublicKey, hash } from 'node:crypto'
import { DragomanError } from '../core/errors.ts'
import type { PublicKey } from '../core/keys.ts'
import { map, type ValueMap } from '../core/value.ts'
import { toBase64url } from './base64url.ts'
import { inside, readDer, readOctetBits, tags, wholeOf } from './der.ts'
import { der, nullValue, octetBits, oid, sequence, unsignedInteger } from './der-write.ts'
import { publicKey } from './jwk.ts'

/** `AlgorithmIdentifier` of each key that is accepted, by `kty` and curve or `alg` (RFC 5480, 8410, 3279, 9881). */
const identifiers: ReadonlyMap<string, Buffer> = new Map([
  ['EC P-256', sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'))],
  ['EC P-384', sequence(oid('1.2.840.10045.2.1'), oid('1.3.132.0.34'))],
  ['EC P-521', sequence(oid('1.2.840.10045.2.1'), oid('1.3.132.0.35'))],
  ['OKP Ed25519', sequence(oid('1.3.101.112'))],
  ['RSA', sequence(oid('1.2.840.113549.1.1.1'), nullValue())],
  ['AKP ML-DSA-44', sequence(oid('2.16.840.1.101.3.4.3.17'))],
  ['AKP ML-DSA-65', sequence(oid('2.16.840.1.101.3.4.3.18'))],
  ['AKP ML-DSA-87', sequence(oid('2.16.840.1.101.3.4.3.19'))],
])

const accepted = new Map([...identifiers].map(([kind, identifier]) => [identifier.toString('latin1'), kind]))

const unacceptable = (expected: string, cause?: unknown) =>
  new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { expected }, cause })

/**
 * The public key in a SubjectPublicKeyInfo.
 *
 * Checks: strict DER; the algorithm identifier byte for byte (named curves only, no parameters where there are none);
 * the key itself in the one encoding that it is written back in. Does NOT check RSA sizes: `fits` of the algorithm table
 * does.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, or `ERR_TOKEN_ALGORITHM` for a kind of key that is not accepted
 */
export function publicKeyFromSpki(spki: Uint8Array): PublicKey {
  const { algorithm, bits } = readSpki(spki)
  const kind = accepted.get(algorithm.toString('latin1'))
  if (kind === undefined) {
    throw unacceptable('a P-256, P-384, P-521, Ed25519, RSA or ML-DSA key with its exact parameters')
  }
  let key: PublicKey
  let again: Buffer
  try {
    const parsed = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    key = publicKey(parsed, jwkOf(kind, bits))
    again = spkiOf(key)
  } catch (cause) {
    throw unacceptable('a public key that is valid', cause)
  }
  if (!again.equals(spki)) throw unacceptable('a public key in its canonical encoding')
  return key
}

/**
 * The JWK of bits that have been read as a key. Of curves and lattices there is one encoding of each key, so that nobody has
 * to write it out again, which takes half as long as reading it; RSA has to be (`undefined`).
 */
function jwkOf(kind: string, bits: Buffer): ValueMap | undefined {
  const [kty = '', name = ''] = kind.split(' ')
  if (kty === 'RSA') return undefined
  if (kty === 'AKP') return map(Object.entries({ alg: name, kty, pub: toBase64url(bits) }))
  if (kty === 'OKP') return map(Object.entries({ crv: name, kty, x: toBase64url(bits) }))
  // A compressed point, or one in hybrid form, is not written like this again.
  const half = (bits.length - 1) / 2
  const [x, y] = [bits.subarray(1, 1 + half), bits.subarray(1 + half)].map(toBase64url)
  return map(Object.entries({ crv: name, kty, x: x ?? '', y: y ?? '' }))
}

/** The parts of a SubjectPublicKeyInfo: DER of its algorithm identifier, and the bits of the key. */
export function readSpki(spki: Uint8Array): { readonly algorithm: Buffer; readonly bits: Buffer } {
  const reader = inside(readDer(spki, tags.sequence, 'a SubjectPublicKeyInfo'))
  const algorithm = wholeOf(reader.take(tags.sequence, 'the algorithm of a public key'))
  const bits = readOctetBits(reader.take(tags.bitString, 'the bits of a public key'))
  reader.finish('a public key')
  return { algorithm, bits }
}

/**
 * SubjectPublicKeyInfo of a key, encoded anew from the key itself.
 *
 * From its JWK, which is made in any case: OpenSSL's own encoder takes five times as long.
 *
 * @throws TypeError for a key of a kind that is not accepted
 */
export function spkiOf({ jwk }: PublicKey): Buffer {
  const member = (name: string): Buffer => Buffer.from(String(jwk[name] ?? ''), 'base64url')
  const kty = String(jwk['kty'])
  const kind = kty === 'RSA' ? kty : `${kty} ${String(jwk[kty === 'AKP' ? 'alg' : 'crv'])}`
  const identifier = identifiers.get(kind)
  if (!identifier) throw new TypeError('a P-256, P-384, P-521, Ed25519, RSA or ML-DSA key')
  switch (kty) {
    case 'EC':
      return sequence(identifier, der(tags.bitString, UNCOMPRESSED, member('x'), member('y')))
    case 'RSA':
      return sequence(identifier, octetBits(sequence(unsignedInteger(member('n')), unsignedInteger(member('e')))))
    default:
      return sequence(identifier, octetBits(member(kty === 'AKP' ? 'pub' : 'x')))
  }
}

// No unused bits, then the form of the point (SEC 1 §2.3.3).
const UNCOMPRESSED = Uint8Array.of(0x00, 0x04)

/** Key identifier by RFC 7093 §2 method 1: the first 160 bits of SHA-256 over the bits of the key. */
export const keyIdentifier = (spki: Uint8Array): Buffer => hash('sha256', readSpki(spki).bits, 'buffer').subarray(0, 20)

/** The extension value of a subject key identifier. */
export const subjectKeyIdentifier = (id: Uint8Array): Buffer => der(tags.octetString, id)

/** The extension value of an authority key identifier that names a key and nothing else. */
export const authorityKeyIdentifier = (id: Uint8Array): Buffer => sequence(der(0x80, id))
