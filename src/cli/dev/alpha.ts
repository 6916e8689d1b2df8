import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { Codec } from '../../core/codec.ts'
import type { Signer } from '../../core/keys.ts'
import { type Claims, map } from '../../core/value.ts'
import { issue, type Wanted } from '../../testing/issue.ts'
import { buildCsr } from '../../wire/csr.ts'
import { publicKey } from '../../wire/jwk.ts'
import { pem } from '../../wire/pem.ts'
import { BACKDATED, jwks, LIFETIME, newAuthority, newKey, privatePem } from './keys.ts'

export { issue, type Wanted }

/** What domain alpha hands out: sample tokens, and what beta must know to believe them. */
export interface Alpha {
  /** File name to content. */
  readonly files: ReadonlyMap<string, string>
  /** Its three signers: of JWTs, of CWTs, of certificates. */
  readonly signers: { readonly jwt: Signer; readonly cwt: Signer; readonly x509: Signer }
}

const WORKLOAD = 'spiffe://alpha.example/ns/shop/sa/orders'
const SERVICE = 'spiffe://alpha.example/ns/shop/sa/billing'

/**
 * Domain alpha: an issuer of JWTs, a certification authority and an edge that issues CWTs, with keys made now. Its
 * tokens are for `audience`, the gateway of domain beta.
 */
export async function alphaDomain(codecs: readonly Codec[], audience: string, now: number): Promise<Alpha> {
  const signing = newKey('ES256').signer
  const edge = newKey('ES256').signer
  const authority = (await newAuthority('ES256', 'Alpha Issuing CA', now)).signer
  const tls = (await newAuthority('ES256', 'Dragoman dev TLS', now)).signer
  const client = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  const requested = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey

  const said = map([
    ['sub', WORKLOAD],
    ['email', 'orders@alpha.example'],
    ['groups', ['shop', 'night-shift']],
  ])
  const validity = {
    issuedAt: now,
    notBefore: now - BACKDATED,
    expiresAt: now + LIFETIME,
    audience: [audience, 'https://orders.beta.example', 'https://stock.beta.example'],
    scope: ['orders.read', 'orders.write', 'stock.read'],
  }
  const token = (format: string, issuer: string, signer: Signer, claims: Claims, more: Partial<Wanted> = {}) =>
    issue(codecs, { format, issuer, signer, claims, validity, now, ...more })

  const bound = { ...validity, audience: [], scope: undefined }
  const certificate = await token('x509', 'alpha', authority, map([['sub', WORKLOAD]]), {
    kind: 'client',
    validity: bound,
    confirmation: { publicKey: publicKey(createPublicKey(client)) },
    options: map([['claims_extension', false]]),
  })
  const tlsKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  const listener = await token('x509', 'alpha', tls, map([['sub', 'localhost']]), {
    kind: 'server',
    validity: bound,
    confirmation: { publicKey: publicKey(createPublicKey(tlsKey)) },
    options: map([
      ['claims_extension', false],
      ['subject_as', 'san_dns'],
    ]),
  })
  const actor = map([
    ['sub', SERVICE],
    ['email', 'billing@alpha.example'],
  ])
  return {
    signers: { jwt: signing, cwt: edge, x509: authority },
    files: new Map([
      ['subject.jwt', await token('jwt', 'https://id.alpha.example', signing, said)],
      ['actor.jwt', await token('jwt', 'https://id.alpha.example', signing, actor)],
      ['subject.cwt', await token('cwt', 'https://edge.alpha.example', edge, said)],
      ['client.pem', certificate],
      ['client.key', privatePem(client)],
      ['client.csr', pem('CERTIFICATE REQUEST', buildCsr({ privateKey: requested }))],
      ['csr.key', privatePem(requested)],
      ['alpha-jwks.json', jwks(signing)],
      ['alpha-edge-jwks.json', jwks(edge)],
      ['alpha-ca.pem', pem('CERTIFICATE', authority.chain[0] ?? new Uint8Array())],
      ['tls-ca.pem', pem('CERTIFICATE', tls.chain[0] ?? new Uint8Array())],
      ['tls.pem', listener],
      ['tls.key', privatePem(tlsKey)],
    ]),
  }
}
