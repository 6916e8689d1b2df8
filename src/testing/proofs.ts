import { randomBytes } from 'node:crypto'
import { algorithmsFor, cryptoKey, signSync } from '../core/algorithms.ts'
import { buildCsr } from '../wire/csr.ts'
import { pem } from '../wire/pem.ts'
import type { Holder } from './parties.ts'

/** A DPoP proof for the token endpoint (RFC 9449 §4.2). Seconds since the epoch. */
export function dpopProof(
  { privateKey, publicKey }: Holder,
  { url, now }: { readonly url: string; readonly now: number },
): string {
  const [algorithm] = algorithmsFor(privateKey)
  if (algorithm === undefined) throw new TypeError('a key that an algorithm of the table fits')
  const header = { typ: 'dpop+jwt', alg: algorithm.jose[0], jwk: publicKey.jwk }
  const claims = { jti: randomBytes(16).toString('base64url'), htm: 'POST', htu: url, iat: now }
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = signSync(algorithm, cryptoKey(algorithm, privateKey), Buffer.from(signed, 'latin1'))
  return `${signed}.${Buffer.from(signature).toString('base64url')}`
}

/** A PKCS#10 request for the holder's key, in PEM. */
export const csrFor = ({ privateKey }: Holder): string => pem('CERTIFICATE REQUEST', buildCsr({ privateKey }))
