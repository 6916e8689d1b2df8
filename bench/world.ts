import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { issue } from '../src/cli/dev/alpha.ts'
import { newKey, privatePem } from '../src/cli/dev/keys.ts'
import { codecs } from '../src/codecs/index.ts'
import { map } from '../src/core/value.ts'
import { buildCsr } from '../src/wire/csr.ts'
import { pem } from '../src/wire/pem.ts'
import { dns } from '../test/support/servers.ts'
import { authority, leaf, uri, usages } from '../test/support/x509.ts'
import type { Shown } from './load.ts'

const ISSUER = 'https://id.alpha.example'
const EDGE = 'https://edge.alpha.example'
const CA = 'https://ca.alpha.example'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const BASIC = `Basic ${Buffer.from('demo:demo-secret').toString('base64')}`

export const target = (name: string) => `https://${name}.beta.example`
const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const now = () => Math.floor(Date.now() / 1000)
const newEc = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const idOf = () => randomBytes(12).toString('base64url')

function jwt(header: object, claims: object, key: KeyObject): string {
  const input = `${b64(header)}.${b64(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

/** Everything around the gateways of one run: keys, certificates, configurations, and requests that are ready to be sent. */
export async function newBenchWorld(folder: string, port: number) {
  const self = `http://127.0.0.1:${port}`
  const [idp, client, holder] = [newEc(), newEc(), newEc()]
  const edge = newKey('ES256').signer
  const window = { notBefore: now() - 3600, notAfter: now() + 86_400 }
  const root = authority('Alpha Root', window)
  const middle = authority('Alpha Issuing', { ...window, issuer: root, pathLength: 0 })
  const listener = leaf(root, {
    ...window,
    names: [dns('localhost')],
    replace: { extendedKeyUsage: usages('1.3.6.1.5.5.7.3.1') },
  })
  const secret = (kid: string, { publicKey }: { publicKey: KeyObject }) =>
    JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] })
  const jwkOf = ({ publicKey }: { publicKey: KeyObject }) => {
    const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
    return { kty, crv, x, y }
  }
  const { crv, kty, x, y } = jwkOf(holder)
  const jkt = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')

  const file = (name: string, content: string) => writeFileSync(join(folder, name), content)
  mkdirSync(join(folder, 'profiles'), { recursive: true })
  file('alpha.json', secret('bench', idp))
  file('client.json', secret('client', client))
  file('edge.json', JSON.stringify({ keys: [{ ...edge.publicKey.jwk, kid: edge.kid, alg: 'ES256', use: 'sig' }] }))
  file('root.pem', pem('CERTIFICATE', root.certificate))
  file('tls.pem', pem('CERTIFICATE', listener.certificate))
  file('tls.key', privatePem(listener.key.privateKey))
  for (const [name, text] of profiles()) file(`profiles/${name}.yaml`, text)
  const csr = pem('CERTIFICATE REQUEST', buildCsr({ privateKey: holder.privateKey }))

  const shown: readonly Shown[] = Array.from({ length: 16 }, (_, index) => {
    const made = leaf(middle, {
      ...window,
      names: [uri(`spiffe://alpha.example/ns/shop/sa/m${index}`)],
      replace: { extendedKeyUsage: usages('1.3.6.1.5.5.7.3.2') },
    })
    return {
      ca: pem('CERTIFICATE', root.certificate),
      cert: pem('CERTIFICATE', made.certificate) + pem('CERTIFICATE', middle.certificate),
      key: privatePem(made.key.privateKey),
    }
  })

  let serial = 0
  const claims = () => {
    serial += 1
    const time = now()
    return {
      iss: ISSUER,
      sub: `spiffe://alpha.example/ns/shop/sa/w${serial}`,
      aud: [self, target('a')],
      iat: time,
      nbf: time - 5,
      exp: time + 3600,
      jti: idOf(),
      scope: 'orders.read orders.write stock.read',
      email: `w${serial}@alpha.example`,
      groups: ['shop', 'night-shift', 'europe', 'callers'],
      given_name: 'Ada',
      family_name: 'Example',
      locale: 'en-GB',
      tenant: 'shop-eu-1',
    }
  }
  const subject = (more: object = {}) =>
    jwt({ alg: 'ES256', kid: 'bench', typ: 'JWT' }, { ...claims(), ...more }, idp.privateKey)
  const dpop = () =>
    jwt(
      { typ: 'dpop+jwt', alg: 'ES256', jwk: jwkOf(holder) },
      { jti: idOf(), htm: 'POST', htu: `${self}/token`, iat: now() },
      holder.privateKey,
    )
  const assertion = () => {
    const time = now()
    return jwt(
      { alg: 'ES256', kid: 'client', typ: 'client-authentication+jwt' },
      { iss: 'billing', sub: 'billing', aud: self, iat: time, exp: time + 120, jti: idOf() },
      client.privateKey,
    )
  }
  const post = (
    parameters: { readonly [name: string]: string },
    headers: readonly string[] = [`Authorization: ${BASIC}`],
  ) => {
    const form = new URLSearchParams({ grant_type: EXCHANGE, ...parameters }).toString()
    return Buffer.from(
      `POST /token HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers.map((line) => `${line}\r\n`).join('')}` +
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
    )
  }
  const plain = (to: string, more: { readonly [name: string]: string } = {}) =>
    post({ subject_token: subject(), subject_token_type: JWT, audience: target(to), scope: 'orders.read', ...more })
  const cwt = async () => {
    const { iss: _, scope: __, aud: ___, iat, nbf, exp, jti: ____, ...said } = claims()
    return issue(codecs(), {
      format: 'cwt',
      issuer: EDGE,
      signer: edge,
      claims: map(Object.entries(said)),
      now: iat,
      validity: { issuedAt: iat, notBefore: nbf, expiresAt: exp, audience: [self], scope: ['orders.read'] },
    })
  }
  const bound = () => ({
    subject_token: subject({ cnf: { jkt } }),
    subject_token_type: JWT,
    scope: 'orders.read',
  })
  const dpopHeaders = () => [`Authorization: ${BASIC}`, `DPoP: ${dpop()}`]

  return {
    self,
    folder,
    shown,
    subject,
    basic: BASIC,
    /** Writes a configuration that listens at `port` and one above it for TLS, and returns its path. */
    configuration: (name: string, at: number, more = '', folderOfProfiles = 'profiles', issuers = '') => {
      file(`${name}.yaml`, configurationText(self, at, name, more, folderOfProfiles, issuers))
      return join(folder, `${name}.yaml`)
    },
    requests: {
      distinct: () => plain('a'),
      assertion: () =>
        post(
          {
            subject_token: subject(),
            subject_token_type: JWT,
            audience: target('a'),
            scope: 'orders.read',
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: assertion(),
          },
          [],
        ),
      mtls: () =>
        post(
          {
            subject_token: subject(),
            subject_token_type: JWT,
            audience: target('a'),
            scope: 'orders.read',
            client_id: 'mail',
          },
          [],
        ),
      repeated: () => plain('again'),
      toCwt: () => plain('cwt'),
      fromCwt: async () =>
        post({
          subject_token: await cwt(),
          subject_token_type: 'urn:dragoman:token-type:cwt',
          audience: target('from-cwt'),
        }),
      toX509: () => plain('x509', { csr }),
      toX509Key: () => post({ ...bound(), audience: target('x509-key') }, dpopHeaders()),
      fromX509: () =>
        post({
          subject_token: 'mtls_client_certificate',
          subject_token_type: 'urn:ietf:params:oauth:token-type:mtls',
          audience: target('from-x509'),
        }),
      dpop: () => post({ ...bound(), audience: target('dpop') }, dpopHeaders()),
      mldsa: () => plain('pq'),
      bare: () => plain('a'),
    },
  }
}

export type BenchWorld = Awaited<ReturnType<typeof newBenchWorld>>

const configurationText = (
  self: string,
  port: number,
  name: string,
  more: string,
  folder: string,
  issuers: string,
) => `issuer: ${self}
listeners:
  - { host: 127.0.0.1, port: ${port} }
  - { host: 127.0.0.1, port: ${port + 1}, tls: { certificate: tls.pem, key: tls.key } }
keys:
  - { name: signing, algorithm: ES256, generate: true }
  - { name: pq, algorithm: ML-DSA-65, generate: true }
  - { name: ca, algorithm: ES256, generate: true, self_signed: { common_name: Beta CA } }
clients:
  - { client_id: demo, token_endpoint_auth_method: client_secret_basic, client_secret: demo-secret }
  - { client_id: billing, token_endpoint_auth_method: private_key_jwt, jwks_file: client.json }
  - client_id: mail
    token_endpoint_auth_method: tls_client_auth
    certificate_authorities: root.pem
    tls_client_auth_san_uri: spiffe://alpha.example/ns/shop/sa/m0
issuers:
  - { issuer: ${ISSUER}, jwks_file: alpha.json, algorithms: [ES256], subjects: ['spiffe://alpha.example/*'] }
  - { issuer: ${EDGE}, jwks_file: edge.json, algorithms: [ES256], subjects: ['spiffe://alpha.example/*'] }
  - { issuer: ${CA}, certificates_file: root.pem, algorithms: [ES256], subjects: ['spiffe://alpha.example/*'] }
${issuers}profiles: ${folder}
audit: { file: ${name}.jsonl }
${more}`

/** One profile for each case, each with an expression that must be true. */
function profiles(): ReadonlyMap<string, string> {
  const profile = (
    name: string,
    accept: string,
    { context = '', more = [], out }: { context?: string; more?: readonly string[]; out: string },
  ) => `name: ${name}
accept:
  clients: [demo, billing, mail]
  subject: { ${accept} }
  targets: { allow: [${target(name)}] }
stages:
  - context: { conditions: ['subject.sub.startsWith("spiffe://alpha.example/") && client.id != ""']${context} }
  - validity: { lifetime: 300 }
${more.map((line) => `  - ${line}\n`).join('')}  - format: ${out}
`
  const once = `format: jwt, issuers: [${ISSUER}], single_use: true`
  const claims = ', keep: [email, groups, given_name, family_name, locale, tenant]'
  const at = '{ to: jwt, kind: at+jwt }\n  - crypto: { key: signing }'
  const certificate = '{ to: x509, kind: client }\n  - crypto: { key: ca }'
  return new Map([
    ['a', profile('a', once, { context: claims, out: at })],
    ['again', profile('again', `format: jwt, issuers: [${ISSUER}]`, { context: claims, out: at })],
    ['cwt', profile('cwt', once, { context: claims, out: '{ to: cwt }\n  - crypto: { key: signing }' })],
    [
      'from-cwt',
      profile('from-cwt', `format: cwt, issuers: [${EDGE}], single_use: true`, { context: claims, out: at }),
    ],
    [
      'x509',
      profile('x509', once, {
        more: ['sender_constraint: { mode: bind, method: [pkcs10], require: true }'],
        out: certificate,
      }),
    ],
    ['x509-key', profile('x509-key', once, { more: ['sender_constraint: { require: true }'], out: certificate })],
    [
      'from-x509',
      profile('from-x509', `format: x509, issuers: [${CA}], subject_from: san_uri, extended_key_usage: [client_auth]`, {
        more: ['sender_constraint: { require: true }'],
        out: at,
      }),
    ],
    ['dpop', profile('dpop', once, { context: claims, more: ['sender_constraint: { require: true }'], out: at })],
    ['pq', profile('pq', once, { context: claims, out: '{ to: jwt }\n  - crypto: { key: pq }' })],
  ])
}

/** So many profiles beside those of the cases, and so many issuers in `more` of a configuration. */
export function writeMany(folder: string, { profiles: count, issuers }: { profiles: number; issuers: number }): string {
  const many = join(folder, 'many')
  cpSync(join(folder, 'profiles'), many, { recursive: true })
  for (let n = 0; n < count; n += 1) {
    const text = `name: p${n}
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://i${n % issuers}.example] }
  targets: { allow: [https://p${n}.example] }
stages:
  - format: { to: jwt }
  - crypto: { key: signing }
`
    writeFileSync(join(many, `p${n}.yaml`), text)
  }
  return Array.from(
    { length: issuers },
    (_, n) => `  - { issuer: 'https://i${n}.example', jwks_file: alpha.json, subjects: ['*'] }\n`,
  ).join('')
}

/** The package as it is published, so that what runs is what was built. */
export function packageIn(folder: string): string {
  const root = join(import.meta.dirname, '..')
  const built = join(folder, 'package')
  mkdirSync(built)
  for (const part of ['dist', 'bin', 'profiles', 'package.json'])
    cpSync(join(root, part), join(built, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(built, 'node_modules'))
  return join(built, 'bin', 'dragoman.mjs')
}
