import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { protobuf } from '../../docs/examples/protobuf.ts'
import { residency } from '../../docs/examples/residency.ts'
import { auditToMemory } from '../../src/audit/index.ts'
import { issue } from '../../src/cli/dev/alpha.ts'
import { codecs } from '../../src/codecs/index.ts'
import { createGateway, type Gateway } from '../../src/compose.ts'
import { algorithmNamed } from '../../src/core/algorithms.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import type { Codec } from '../../src/core/codec.ts'
import type { ExchangeResult, TokenRequest } from '../../src/core/exchange.ts'
import type { Signer } from '../../src/core/keys.ts'
import type { Token, Validity } from '../../src/core/token.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { type Claims, map } from '../../src/core/value.ts'
import { generatePrivateKey, signerOf, signingPool } from '../../src/keys/index.ts'
import { selfSignedAuthority } from '../../src/wire/certificate.ts'
import { buildCsr } from '../../src/wire/csr.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { parsePem, pem } from '../../src/wire/pem.ts'
import { NOW, WORKLOAD, watched } from './world.ts'

/** Every format of the catalogue, and one from outside: a new codec joins by being listed. */
export const formats: readonly Codec[] = [...codecs(), protobuf]
export const names = formats.map(({ format }) => format)
export const pairs = names.flatMap((from) => names.map((to) => [from, to] as const))

const GATEWAY = 'https://matrix.example'
const SOURCE = 'https://source.example'

export interface Matrix {
  readonly gateway: Gateway
  readonly records: readonly AuditRecord[]
  /** The gateway's CA, PEM. */
  readonly authority: string
  /** A token of the source domain in this format. */
  mint(format: string, claims: Claims, over?: Partial<Validity>): Promise<string>
  exchange(from: string, to: string, token: string, over?: Partial<TokenRequest>): Promise<ExchangeResult>
  /** Seconds since the epoch by which the gateway judges. */
  now: number
  /** Reads what was issued, verified against the gateway's own keys. */
  read(format: string, result: ExchangeResult): Promise<Token>
  close(): Promise<void>
}

/** One gateway with a profile for every format into every other, everything kept. */
export async function newMatrix(algorithm = 'ES256', extra = ''): Promise<Matrix> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-matrix-'))
  const pool = signingPool()
  const row = algorithmNamed(algorithm)
  if (!row) throw new Error(algorithm)
  const source: Signer = signerOf(generatePrivateKey(row), row, { chain: [], pool })
  const caKey = generatePrivateKey(row)
  const bare = signerOf(caKey, row, { chain: [], pool })
  const certificate = await selfSignedAuthority({
    signer: bare,
    commonName: 'Source CA',
    notBefore: NOW - 600,
    notAfter: NOW + 86_400,
  })
  const ca = signerOf(caKey, row, { chain: [certificate], pool })
  const holder = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  const wanted = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey

  const jwk = { ...source.publicKey.jwk, kid: source.kid, alg: row.jose[0], use: 'sig' }
  writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }))
  writeFileSync(join(folder, 'ca.pem'), pem('CERTIFICATE', certificate))
  writeFileSync(
    join(folder, 'dragoman.yaml'),
    `issuer: ${GATEWAY}
keys:
  - { name: signing, algorithm: ${algorithm}, generate: true }
  - { name: ca, algorithm: ${algorithm}, generate: true, self_signed: { common_name: Matrix CA } }
clients: [{ client_id: tester, token_endpoint_auth_method: client_secret_basic, client_secret: tester-secret }]
issuers:
  - issuer: ${SOURCE}
    jwks_file: jwks.json
    certificates_file: ca.pem
    subjects: ['*']
    history: true
profiles: profiles
`,
  )
  mkdirSync(join(folder, 'profiles'))
  for (const [from, to] of pairs) {
    writeFileSync(
      join(folder, 'profiles', `${from}-${to}.yaml`),
      `name: ${from}-${to}
accept:
  clients: [tester]
  subject: { format: ${from}, issuers: [${SOURCE}], audience: any${from === 'x509' ? ', subject_from: san_uri' : ''} }
  targets: { allow: [https://${from}-${to}.example] }
audit: { subject: plain }
stages:
  - context: { keep: "*" }
  - validity: { lifetime: 600, scope: { default: subject } }
${extra}${to === 'x509' && from !== 'x509' ? '  - sender_constraint: { mode: bind, method: [pkcs10], require: true }\n' : ''}  - format: { to: ${to}${to === 'x509' ? ', kind: client' : ''} }
  - crypto: { key: ${to === 'x509' ? 'ca' : 'signing'} }
`,
    )
  }
  let clock = NOW
  const sink = watched(auditToMemory())
  const gateway = await createGateway(join(folder, 'dragoman.yaml'), {
    clock: () => clock,
    audit: () => sink,
    codecs: [protobuf],
    stages: [residency],
  })
  const services = gateway.tenants[0]?.services
  if (!services) throw new Error('no tenant')

  return {
    get now() {
      return clock
    },
    set now(seconds) {
      clock = seconds
    },
    gateway,
    records: sink.records,
    authority: pem('CERTIFICATE', services.keys.signer('ca')?.chain[0] ?? new Uint8Array()),
    async mint(format, claims, over = {}) {
      const validity = {
        issuedAt: NOW,
        notBefore: NOW - 10,
        expiresAt: NOW + 3600,
        audience: [],
        scope: undefined,
        ...over,
      }
      const bound = format === 'x509'
      return issue(formats, {
        format,
        issuer: SOURCE,
        signer: bound ? ca : source,
        claims: map([['sub', WORKLOAD], ...Object.entries(claims)]),
        validity,
        now: NOW,
        ...(bound && { kind: 'client', confirmation: { publicKey: publicKey(createPublicKey(holder)) } }),
      })
    },
    exchange(from, to, token, over = {}) {
      const codec = formats.find(({ format }) => format === from)
      const shown = from === 'x509' ? parsePem(token).map(({ der }) => der) : undefined
      return gateway.exchange({
        id: randomBytes(8).toString('hex'),
        grant_type: TOKEN_EXCHANGE,
        subject_token: token,
        subject_token_type: from === 'x509' ? tokenTypes.x509 : (codec?.tokenTypes[0] ?? ''),
        actor_token: undefined,
        actor_token_type: undefined,
        requested_token_type: undefined,
        audience: [`https://${from}-${to}.example`],
        resource: [],
        scope: undefined,
        csr:
          to === 'x509' && from !== 'x509' ? pem('CERTIFICATE REQUEST', buildCsr({ privateKey: wanted })) : undefined,
        client_id: undefined,
        client_secret: undefined,
        client_assertion: undefined,
        client_assertion_type: undefined,
        authorization: `Basic ${Buffer.from('tester:tester-secret').toString('base64')}`,
        dpop: [],
        certificates: shown,
        ...over,
      })
    },
    async read(format, { access_token: raw, issued_token_type: type }) {
      const codec = formats.find((candidate) => candidate.format === format)
      const own = services.trust.find(GATEWAY)
      const unverified = codec?.parse({ raw, type, role: 'subject' })
      if (!unverified || !own) throw new Error('not read')
      return unverified.verify(own, { now: NOW, clockSkew: 0, ...(format === 'x509' && { subjectFrom: 'san_uri' }) })
    },
    async close() {
      await gateway.http.close()
      rmSync(folder, { recursive: true })
    },
  }
}
