import type { KeyObject } from 'node:crypto'
import type { Signer } from '../../core/keys.ts'
import { newAuthority as authorityFor, jwksOf, type NewKey } from '../../testing/signers.ts'

export { type NewKey, newKey } from '../../testing/signers.ts'

/** Seconds: long enough for a person to play, short enough to be forgotten. */
export const LIFETIME = 3600
/** Seconds: a clock that is a little behind must not refuse what was made this second. */
export const BACKDATED = 60

/** A certification authority with a key made now, and a certificate by itself that is valid for a day. */
export const newAuthority = (name: string, commonName: string, now: number): Promise<NewKey> =>
  authorityFor(name, commonName, { notBefore: now - BACKDATED * 2, notAfter: now + LIFETIME * 24 })

/** The public half of a signer, as a JWK set. */
export const jwks = (signer: Signer): string => JSON.stringify(jwksOf([signer]), null, 2)

export const privatePem = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }))
