import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { map, type Value } from '../../../src/core/value.ts'
import { publicKey } from '../../../src/wire/jwk.ts'
import type { Office } from '../../support/explaining.ts'
import { ISSUER, NOW, type Parameters, said } from '../../support/world.ts'
import type { Attempt } from './case.ts'

export const CWT = 'https://jwt-to-cwt.beta.example'
export const DOWN = 'https://orders.beta.example'

/** What cases of the two domains of `dragoman dev` are put together with. */
export function deskOf(office: Office) {
  const jwt = async (parameters: Parameters, over: Parameters_<'token'> = {}): Promise<Attempt> => ({
    parameters: { subject_token: await office.token('jwt', over), audience: CWT, ...parameters },
  })
  type Parameters_<Name extends 'token'> = NonNullable<globalThis.Parameters<Office[Name]>[1]>

  const validity = (over: object) => ({
    validity: {
      issuedAt: NOW,
      notBefore: NOW - 10,
      expiresAt: NOW + 3600,
      audience: [ISSUER, DOWN],
      scope: ['orders.read', 'orders.write', 'stock.read'],
      ...over,
    },
  })
  const claims = (over: { readonly [name: string]: Value }) => ({
    claims: map([...Object.entries(said), ...Object.entries(over)]),
  })

  const holder = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const held = publicKey(holder.publicKey)

  /** An option of the subject in the profile, on the line after `issuers`. */
  const take = (option: string): void =>
    office.edit(
      'profiles/jwt-to-cwt.yaml',
      'issuers: [https://id.alpha.example]\n',
      `issuers: [https://id.alpha.example]\n    ${option}\n`,
    )

  function trustGamma(): void {
    const entry = `  - issuer: https://id.gamma.example
    jwks_file: alpha-jwks.json
    subjects: [spiffe://alpha.example/*]
`
    office.edit('dragoman.yaml', 'issuers:\n', `issuers:\n${entry}`)
  }

  const bound = () => ({ confirmation: { publicKey: held, jkt: held.jkt } })

  function proof(more: { readonly [claim: string]: unknown }): string {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: held.jwk })}.${encode({ jti: 'one', htm: 'POST', htu: `${ISSUER}/token`, iat: NOW, ...more })}`
    const signature = sign('sha256', Buffer.from(input), { key: holder.privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }

  function addClient(id: string): void {
    const digest = createHash('sha256').update('another-secret').digest('hex')
    const entry = `  - { client_id: ${id}, token_endpoint_auth_method: client_secret_basic, client_secret_sha256: ${digest} }\n`
    office.edit('dragoman.yaml', 'issuers:\n', `${entry}issuers:\n`)
  }

  return { jwt, validity, claims, held, other, take, trustGamma, bound, proof, addClient }
}
