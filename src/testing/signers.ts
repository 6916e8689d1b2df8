import { createPublicKey, type KeyObject } from 'node:crypto'
import { algorithmNamed } from '../core/algorithms.ts'
import type { Signer } from '../core/keys.ts'
import { generatePrivateKey, signerOf, signingPool } from '../keys/index.ts'
import { selfSignedAuthority } from '../wire/certificate.ts'
import { publicKey } from '../wire/jwk.ts'

/** A private key, and what signs with it. */
export interface NewKey {
  readonly key: KeyObject
  readonly signer: Signer
}

/** A key made now. @throws TypeError for an algorithm that there is not */
export function newKey(name: string): NewKey {
  const algorithm = algorithmNamed(name)
  if (!algorithm) throw new TypeError(`no algorithm ${name}`)
  const key = generatePrivateKey(algorithm)
  return { key, signer: signerOf(key, algorithm, { chain: [], pool: signingPool() }) }
}

/** A certification authority with a key made now, and a certificate by itself. Times in seconds since the epoch. */
export async function newAuthority(
  name: string,
  commonName: string,
  validity: { readonly notBefore: number; readonly notAfter: number },
): Promise<NewKey> {
  const { key, signer } = newKey(name)
  const certificate = await selfSignedAuthority({ signer, commonName, ...validity })
  return { key, signer: signerOf(key, signer.algorithm, { chain: [certificate], pool: signingPool() }) }
}

/** The public keys of signers as a JWK Set. */
export const jwksOf = (signers: readonly Signer[]) => ({
  keys: signers.map(({ publicKey: { jwk }, kid, algorithm }) => ({ ...jwk, kid, alg: algorithm.jose[0], use: 'sig' })),
})

/** The public half of a private key. */
export const publicHalf = (key: KeyObject) => publicKey(createPublicKey(key))
