import { isUtf8 } from 'node:buffer'
import { createPublicKey } from 'node:crypto'
import { coseAlgorithm } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { PublicKey } from '../core/keys.ts'
import { map } from '../core/value.ts'
import { fromBase64url, toBase64url } from './base64url.ts'
import { type CborMap, type CborValue, isCborMap } from './cbor.ts'
import { CURVES, coseKeyLabel, coseKeyType, ED25519 } from './cose-key-write.ts'
import { publicKey, publicKeyFromJwk } from './jwk.ts'

const { kty: KTY, alg: ALG } = coseKeyLabel

/** For each key type the labels that hold private parts. */
const PRIVATE: ReadonlyMap<CborValue, readonly number[]> = new Map([
  [coseKeyType.okp, [-4]],
  [coseKeyType.ec2, [-4]],
  [coseKeyType.rsa, [-3, -4, -5, -6, -7, -8, -9, -10, -11, -12]],
  [coseKeyType.akp, [-2]],
])

const wrong = (expected: string): DragomanError => new DragomanError('ERR_TRUST_CONFIG', { detail: { expected } })

/**
 * The public key in a COSE_Key.
 *
 * Checks: type, curve and algorithm known; every part of its exact length; no private part; the point on its curve. A
 * compressed point (`y` as a boolean) is decompressed. Does NOT look at `kid`, at `key_ops`, nor at `alg` except for
 * AKP, where it is part of the key.
 *
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG`, `detail.expected` saying what a usable COSE_Key has
 */
export function publicKeyFromCoseKey(value: CborValue | undefined): PublicKey {
  if (!isCborMap(value)) throw wrong('a COSE_Key map')
  if (hasPrivatePart(value)) throw wrong('a public COSE_Key, without private parts')
  switch (value.get(KTY)) {
    case coseKeyType.ec2:
      return ellipticKey(value)
    case coseKeyType.okp:
      if (value.get(-1) !== ED25519) throw wrong('curve Ed25519 (6)')
      return publicKeyFromJwk(map(Object.entries({ kty: 'OKP', crv: 'Ed25519', x: part(value, -2) })))
    case coseKeyType.rsa:
      return publicKeyFromJwk(map(Object.entries({ kty: 'RSA', n: part(value, -1), e: part(value, -2) })))
    case coseKeyType.akp: {
      const id = value.get(ALG)
      const alg = typeof id === 'number' ? coseAlgorithm(id)?.name : undefined
      if (alg === undefined) throw wrong('alg in a key of type AKP')
      return publicKeyFromJwk(map(Object.entries({ kty: 'AKP', alg, pub: part(value, -1) })))
    }
    default:
      throw wrong('kty OKP (1), EC2 (2), RSA (3) or AKP (7)')
  }
}

function ellipticKey(value: CborMap): PublicKey {
  const crv = CURVES.find(([id]) => id === value.get(-1))?.[1]
  if (crv === undefined) throw wrong('curve P-256 (1), P-384 (2) or P-521 (3)')
  const x = part(value, -2)
  const y = value.get(-3)
  if (typeof y !== 'boolean') return publicKeyFromJwk(map(Object.entries({ kty: 'EC', crv, x, y: part(value, -3) })))
  // RFC 9053 §7.1.1: a boolean is the sign bit, as in the first byte of a compressed point (SEC 1 §2.3.3).
  const key = Buffer.concat([Buffer.of(y ? 0x03 : 0x02), Buffer.from(x, 'base64url')])
  try {
    return publicKey(createPublicKey({ key, format: 'raw-public', asymmetricKeyType: 'ec', namedCurve: crv }))
  } catch (cause) {
    throw new DragomanError('ERR_TRUST_CONFIG', { cause, detail: { expected: 'a compressed point on its curve' } })
  }
}

function part(key: CborMap, label: number): string {
  const bytes = key.get(label)
  if (!(bytes instanceof Uint8Array)) throw wrong(`bytes under label ${label}`)
  return toBase64url(bytes)
}

/** Whether a COSE_Key of a known type holds a part that must never have been sent. */
export function hasPrivatePart(key: CborMap): boolean {
  return PRIVATE.get(key.get(KTY) ?? null)?.some((label) => key.has(label)) ?? false
}

const NOT_TEXT = 'b64:'

/**
 * A COSE `kid`, which is bytes, as the text by which keys are found: the text that the bytes are in UTF-8, else `b64:`
 * and their base64url. Two identifiers never become one.
 */
export function kidText(kid: Uint8Array): string {
  const text = isUtf8(kid) ? Buffer.from(kid.buffer, kid.byteOffset, kid.byteLength).toString() : NOT_TEXT
  return text.startsWith(NOT_TEXT) ? NOT_TEXT + toBase64url(kid) : text
}

/** The bytes of a `kid`, from the text that {@link kidText} makes of them, or from any other text as UTF-8. */
export function kidBytes(kid: string): Uint8Array {
  const bytes = kid.startsWith(NOT_TEXT) ? fromBase64url(kid.slice(NOT_TEXT.length)) : undefined
  return bytes ?? Buffer.from(kid)
}
