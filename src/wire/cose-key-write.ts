import { createHash } from 'node:crypto'
import { algorithmNamed } from '../core/algorithms.ts'
import type { PublicKey } from '../core/keys.ts'
import type { ValueMap } from '../core/value.ts'
import { type Encodable, encodeCbor } from './cbor-encode.ts'

/** Labels and values of a COSE_Key (RFC 9052 §7.1, 9053 §7, 8230 §4, 9964 §3). */
export const coseKeyLabel = { kty: 1, kid: 2, alg: 3, keyOps: 4 } as const
export const coseKeyType = { okp: 1, ec2: 2, rsa: 3, akp: 7 } as const

const { kty: KTY, alg: ALG } = coseKeyLabel
/** COSE curves (RFC 9053 §7.1): Ed25519 of OKP, and those of EC2 with their JOSE names. */
export const ED25519 = 6
export const CURVES: readonly (readonly [number, string])[] = [
  [1, 'P-256'],
  [2, 'P-384'],
  [3, 'P-521'],
]

/** A public key as a COSE_Key; points are never compressed, and only AKP carries `alg`, as part of the key. */
export function coseKeyOf({ jwk }: Pick<PublicKey, 'jwk'>): Map<number, Encodable> {
  const parts = new Map<number, Encodable>()
  switch (jwk['kty']) {
    case 'EC': {
      const [curve] = CURVES.find(([, crv]) => crv === jwk['crv']) ?? [0]
      return parts.set(KTY, coseKeyType.ec2).set(-1, curve).set(-2, bytes(jwk, 'x')).set(-3, bytes(jwk, 'y'))
    }
    case 'OKP':
      return parts.set(KTY, coseKeyType.okp).set(-1, ED25519).set(-2, bytes(jwk, 'x'))
    case 'RSA':
      return parts.set(KTY, coseKeyType.rsa).set(-1, bytes(jwk, 'n')).set(-2, bytes(jwk, 'e'))
    default: {
      const [alg] = algorithmNamed(String(jwk['alg']))?.cose ?? [0]
      return parts.set(KTY, coseKeyType.akp).set(ALG, alg).set(-1, bytes(jwk, 'pub'))
    }
  }
}

const bytes = (jwk: ValueMap, name: string): Uint8Array => Buffer.from(String(jwk[name]), 'base64url')

/** SHA-256 thumbprint of the key as a COSE_Key (RFC 9679 §4), base64url. It is not the RFC 7638 thumbprint. */
export const coseThumbprint = (key: Pick<PublicKey, 'jwk'>): string =>
  createHash('sha256')
    .update(encodeCbor(coseKeyOf(key)))
    .digest('base64url')
