import type { KeyObject } from 'node:crypto'
import { algorithmNamed } from '../../core/algorithms.ts'
import type { Signer } from '../../core/keys.ts'
import { generatePrivateKey, signerOf, signingPool } from '../../keys/index.ts'
import { selfSignedAuthority } from '../../wire/certificate.ts'

/** Seconds: long enough for a person to play, short enough to be forgotten. */
export const LIFETIME = 3600
/** Seconds: a clock that is a little behind must not refuse what was made this second. */
export const BACKDATED = 60

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

/** A certification authority with a key made now, and a certificate by itself that is valid for a day. */
export async function newAuthority(name: string, commonName: string, now: number): Promise<NewKey> {
  const { key, signer } = newKey(name)
  const validity = { notBefore: now - BACKDATED * 2, notAfter: now + LIFETIME * 24 }
  const certificate = await selfSignedAuthority({ signer, commonName, ...validity })
  return { key, signer: signerOf(key, signer.algorithm, { chain: [certificate], pool: signingPool() }) }
}

/** The public half of a signer, as a JWK set. */
export const jwks = ({ publicKey: { jwk }, kid, algorithm }: Signer): string =>
  JSON.stringify({ keys: [{ ...jwk, kid, alg: algorithm.jose[0], use: 'sig' }] }, null, 2)

export const privatePem = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }))
