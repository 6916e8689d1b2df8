import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const ISSUER = 'https://id.alpha.example'
export const EDGE = 'https://edge.alpha.example'
export const CA = 'https://ca.alpha.example'

/** The target that the profile of a case has for itself. */
export const target = (name: string) => `https://${name}.beta.example`

/** A gateway with every profile of the cases, at `port` and one above it for TLS. */
export const configurationText = (
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
export function profiles(): ReadonlyMap<string, string> {
  const profile = (
    name: string,
    accept: string,
    {
      context = '',
      more = [],
      out,
      rows = '',
    }: { context?: string; more?: readonly string[]; out: string; rows?: string },
  ) => `name: ${name}
accept:
${rows === '' ? '  clients: [demo, billing, mail]\n' : ''}  subject: { ${accept} }
  targets: { allow: [${target(name)}] }
${rows}stages:
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
      'x509-tls',
      profile('x509-tls', once, {
        more: ['sender_constraint: { mode: bind, method: [mtls], require: true }'],
        out: certificate,
      }),
    ],
    [
      'txn',
      profile('txn', once, { rows: TRANSACTION, out: '{ to: jwt, kind: txntoken+jwt }\n  - crypto: { key: signing }' }),
    ],
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

const TRANSACTION = `transactions:
  - name: order
    clients: [demo]
    subjects: ['spiffe://alpha.example/*']
    scope: [orders.read]
    lifetime: 60
    details: { order_id: string, amount: string, currency: { type: string, value: EUR } }
    context: { req_ip: { type: string, required: false } }
`

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
