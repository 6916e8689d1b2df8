import { createHash, generateKeyPairSync } from 'node:crypto'
import { algorithmNamed } from '../../src/core/algorithms.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import type { ClientMethod, RegisteredClient } from '../../src/core/client.ts'
import type { Codec, Loss, Writer } from '../../src/core/codec.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { ExchangeResult, Services, TokenRequest } from '../../src/core/exchange.ts'
import type { PublicKey, Signer } from '../../src/core/keys.ts'
import type { Danger, Profile, Step, Targets, TokenAcceptance } from '../../src/core/profile.ts'
import type { ProofMethod } from '../../src/core/proof.ts'
import { atOnce } from '../../src/core/slices.ts'
import type { Transform } from '../../src/core/stage.ts'
import type { ReplayStore } from '../../src/core/stores.ts'
import type { Confirmation, Draft, Token } from '../../src/core/token.ts'
import type { TrustedIssuer } from '../../src/core/trust.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { map, type Value } from '../../src/core/value.ts'
import { exchangeToken } from '../../src/exchange/exchange.ts'
import { grants } from '../../src/grants/index.ts'
import { settingOf } from '../../src/profiles/set.ts'

export const NOW = 1_800_000_000
export const GATEWAY = 'https://gw.example'
export const ISSUER = 'https://id.example'
export const TARGET = 'https://orders.example'
export const PLAIN = 'urn:example:token-type:plain'

const [row] = [algorithmNamed('Ed25519')]
if (row === undefined) throw new TypeError('no Ed25519')
const keyObject = generateKeyPairSync('ed25519').publicKey

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')

/** A key that is nothing but its name. */
export const key = (name: string): PublicKey => ({
  key: keyObject,
  jwk: map([['kty', name]]),
  jkt: name,
  ckt: `ckt-${name}`,
})

/** What a plain token says; `key` and `certificate` in `cnf` are names of keys. */
export interface Said {
  readonly [claim: string]: unknown
}

/** A token of the toy format: JSON, and a hash that only knowing the issuer's name makes. */
export const plainToken = (said: Said, signedBy = String(said['iss'])): string => {
  const body = JSON.stringify(said)
  return `${Buffer.from(body).toString('base64url')}.${sha256(`${signedBy}|${body}`)}`
}

/** What a plain token says, whoever signed it. */
export const said = (raw: string): { readonly [claim: string]: Value } =>
  JSON.parse(Buffer.from(raw.split('.')[0] ?? '', 'base64url').toString())

/** A subject token that passes everything, and how it differs from that. */
export const subjectToken = (differs: Said = {}): string =>
  plainToken({
    iss: ISSUER,
    sub: 'user-7',
    aud: [GATEWAY],
    iat: NOW - 10,
    exp: NOW + 600,
    jti: 'subject-1',
    ...differs,
  })

export const actorToken = (differs: Said = {}): string => subjectToken({ sub: 'billing', jti: 'actor-1', ...differs })

const HELD_APART = ['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope', 'cnf', 'typ', 'alg', 'provenance']

/**
 * The toy format as a codec. `format: 'x509'` makes one that does not name its issuer, as certificates do not.
 * Reads times and audience as they come, so that a test can hand over what a careless codec would.
 */
export function plainCodec(format = 'plain', types: readonly string[] = [PLAIN, tokenTypes.accessToken]): Codec {
  return {
    format,
    tokenTypes: types,
    kinds: [],
    encodings: {},
    parse({ raw, type }) {
      if (!types.includes(type)) return undefined
      const [body = '', signature] = raw.split('.')
      if (signature === undefined) throw new DragomanError('ERR_TOKEN_MALFORMED')
      const text = Buffer.from(body, 'base64url').toString()
      const token = JSON.parse(text, (_, value) => (value === '1e400' ? Infinity : value))
      const named = format === 'x509' ? undefined : token.iss
      return {
        issuer: named,
        hint: {},
        trustDomain: token.domain,
        verify({ issuer, trustDomain }) {
          if (signature !== sha256(`${issuer}|${text}`)) {
            throw new DragomanError(format === 'x509' ? 'ERR_TRUST_PATH' : 'ERR_TOKEN_SIGNATURE')
          }
          const digest = sha256(text)
          return {
            claims: map(Object.entries<Value>(token).filter(([name]) => !HELD_APART.includes(name))),
            validity: {
              issuedAt: token.iat,
              notBefore: token.nbf,
              expiresAt: token.exp,
              audience: token.aud ?? [],
              scope: token.scope,
            },
            confirmation: token.cnf && confirmation(token.cnf),
            provenance: {
              ...{ format, type, issuer, trustDomain, digest, keyThumbprint: 'k', kind: token.typ, id: token.jti },
              algorithm: token.alg ?? 'ES256',
              replayKey: token.jti === undefined ? digest : `${issuer} ${token.jti}`,
              ...token.provenance,
            },
          } satisfies Token
        },
      }
    },
    prepare: () => plainWriter(),
  }
}

const confirmation = ({ jwk, jkt, x5t, ckt }: { readonly [method: string]: string }): Confirmation => ({
  ...(jwk !== undefined && { publicKey: key(jwk) }),
  ...{ jkt, x5tS256: x5t, ckt },
})

export interface WriterOptions {
  readonly tokenType?: string
  readonly usage?: Writer['usage']
  readonly singleAudience?: boolean
  readonly needsKey?: boolean
  readonly ceiling?: number
  readonly losses?: readonly Loss[]
  readonly finish?: () => never
  readonly frozen?: readonly string[]
}

/** Writes a draft as a plain token. */
export const plainWriter = (options: WriterOptions = {}): Writer => ({
  tokenType: options.tokenType ?? PLAIN,
  usage: options.usage ?? 'access_token',
  singleAudience: options.singleAudience ?? false,
  needsKey: options.needsKey ?? false,
  frozen: options.frozen,
  ceiling: () => options.ceiling,
  lay({ claims, validity, confirmation, embedded }, { issuer, id }) {
    const { issuedAt: iat, notBefore: nbf, expiresAt: exp, audience: aud, scope } = validity
    const more = Object.fromEntries(embedded.map(({ name, value }) => [name, value]))
    const jti = Buffer.from(id).toString('hex')
    const cnf = confirmation && { ...confirmation, publicKey: confirmation.publicKey?.jkt }
    const body = JSON.stringify({ ...more, ...claims, iss: issuer, iat, nbf, exp, aud, scope, cnf, jti })
    return {
      losses: options.losses ?? [],
      toBeSigned: Buffer.from(body),
      finish(signature) {
        options.finish?.()
        const raw = `${Buffer.from(body).toString('base64url')}.${Buffer.from(signature).toString()}`
        return { raw, tokenType: options.tokenType ?? PLAIN, usage: options.usage ?? 'access_token', id: jti }
      },
    }
  },
})

export const plainSigner = (differs: Partial<Signer> = {}): Signer => ({
  kid: 'k1',
  algorithm: row,
  publicKey: key('signing key'),
  chain: [],
  sign: (data) => Buffer.from(sha256(`${GATEWAY}|${Buffer.from(data)}`)),
  ...differs,
})

/** An issuer that is trusted, with everything that a test does not say. */
export const trusted = (issuer = ISSUER, differs: Partial<TrustedIssuer> = {}): TrustedIssuer => ({
  issuer,
  trustDomain: undefined,
  anchor: { keys: () => [], authorities: () => ({ anchors: [], intermediates: [] }), epoch: 0 },
  algorithms: [],
  asserts: () => true,
  history: false,
  has: { keys: true, certificates: true },
  ...differs,
})

export const acceptance = (differs: Partial<TokenAcceptance> = {}): TokenAcceptance => ({
  format: 'plain',
  types: [PLAIN],
  kind: undefined,
  issuers: [ISSUER],
  audience: [GATEWAY],
  clockSkew: 0,
  maxAge: undefined,
  maxLifetime: undefined,
  forClient: undefined,
  limitedBy: undefined,
  require: [],
  singleUse: false,
  presentedBy: 'holder',
  subjectFrom: undefined,
  extendedKeyUsage: undefined,
  algorithms: undefined,
  ...differs,
})

export const targets = (...allowed: readonly string[]): Targets => ({
  allowed: new Map(allowed.map((target) => [target, target])),
  fallback: [],
  open: false,
})

/** A stage that does this to each draft. */
export const stage = (transform: Transform, differs: Partial<Step> = {}): Step => ({
  stage: 'fake',
  path: 'stages[0].fake',
  transform,
  when: undefined,
  ...differs,
})

/** A stage that sets members of the draft. */
export const setting = (members: Partial<Draft>): Step => stage((draft) => ({ ...draft, ...members }))

export interface ProfileOptions extends WriterOptions {
  readonly name?: string
  readonly grant?: string
  readonly clients?: readonly string[]
  readonly unauthenticated?: boolean
  readonly subject?: Partial<TokenAcceptance>
  readonly actor?: Partial<TokenAcceptance>
  readonly targets?: Targets
  readonly steps?: readonly Step[]
  readonly dangers?: readonly Danger[]
  readonly mustKeep?: readonly string[]
  readonly maxLifetime?: number
  readonly auditSubject?: Profile['auditSubject']
  readonly format?: string
  readonly transactions?: Profile['transactions']
}

export const profile = (options: ProfileOptions = {}): Profile => ({
  name: options.name ?? 'plain-to-plain',
  description: undefined,
  digest: 'd1',
  accepts: {
    grant: options.grant ?? TOKEN_EXCHANGE,
    clients: options.clients ?? ['orders'],
    subjectTokenAuthenticates: options.unauthenticated ?? false,
    subject: acceptance(options.subject),
    actor: options.actor && acceptance(options.actor),
    targets: options.targets ?? targets(TARGET),
  },
  steps: options.steps ?? [],
  rendering: {
    ...{ format: options.format ?? 'plain', kind: undefined, options: map(), header: map(), kid: true },
    ...{ key: 'edge', algorithm: undefined, tokenType: undefined },
  },
  writer: plainWriter(options),
  key: 'edge',
  dangers: new Map((options.dangers ?? []).map((danger) => [danger, 'here'])),
  mustKeep: options.mustKeep ?? [],
  maxLifetime: options.maxLifetime ?? 3600,
  transactions: options.transactions,
  auditSubject: options.auditSubject ?? 'hashed',
})

export const registered = (id: string, differs: Partial<RegisteredClient> = {}): RegisteredClient => ({
  ...{ id, method: 'fake_secret', secretDigests: [], issuer: undefined, certificate: undefined, dpopBound: false },
  assertion: { audience: 'issuer', maxLifetime: 60, requireJti: true },
  ...differs,
})

/** `client_id` and a secret that is the id backwards. */
export const fakeSecret: ClientMethod = {
  name: 'fake_secret',
  claim: ({ client_id: clientId, client_secret: secret }) =>
    secret === undefined ? undefined : { method: 'fake_secret', clientId: clientId ?? '', secret },
  verify({ secret }, { id }) {
    if (secret !== [...id].reverse().join('')) throw new DragomanError('ERR_CLIENT_SECRET')
  },
}

/** An assertion that is the client's id, whatever `client_id` says. */
export const fakeAssertion: ClientMethod = {
  name: 'fake_assertion',
  claim: ({ client_assertion: assertion }) =>
    assertion === undefined ? undefined : { method: 'fake_assertion', clientId: assertion, assertion },
  verify: () => {},
}

/** Proofs that are believed: `DPoP: <key>`, a certificate `<key> <thumbprint>`, `csr=<key>`. */
export const fakeProofs: readonly ProofMethod[] = [
  {
    name: 'dpop',
    prove: ({ dpop: [name] }) => (name === undefined ? undefined : { method: 'dpop', publicKey: key(name) }),
  },
  {
    name: 'mtls',
    prove({ certificates }) {
      const [name, x5tS256] = Buffer.from(certificates?.[0] ?? '')
        .toString()
        .split(' ')
      return name && x5tS256 ? { method: 'mtls', publicKey: key(name), x5tS256 } : undefined
    },
  },
  { name: 'pkcs10', prove: ({ csr }) => (csr === undefined ? undefined : { method: 'pkcs10', publicKey: key(csr) }) },
]

export const certificate = (name: string, thumbprint: string) => [Buffer.from(`${name} ${thumbprint}`)]

export const fakeReplay = (): ReplayStore & { readonly spent: Map<string, number> } => {
  const spent = new Map<string, number>()
  return {
    spent,
    claim(name, until, now) {
      if ((spent.get(name) ?? now) > now) return false
      spent.set(name, until)
      return true
    },
    release: (name) => void spent.delete(name),
  }
}

/** A request that passes everything, and how it differs from that. */
export const request = (differs: Partial<TokenRequest> = {}): TokenRequest => ({
  id: 'request-1',
  grant_type: TOKEN_EXCHANGE,
  subject_token: subjectToken(),
  subject_token_type: PLAIN,
  actor_token: undefined,
  actor_token_type: undefined,
  requested_token_type: undefined,
  audience: [TARGET],
  resource: [],
  scope: undefined,
  csr: undefined,
  client_id: 'orders',
  client_secret: 'sredro',
  client_assertion: undefined,
  client_assertion_type: undefined,
  authorization: undefined,
  dpop: [],
  certificates: undefined,
  ...differs,
})

/** A request without client credentials. */
export const anonymous = { client_id: undefined, client_secret: undefined } as const

export interface World {
  readonly services: Services
  readonly records: readonly AuditRecord[]
  readonly spent: ReadonlyMap<string, number>
  exchange(differs?: Partial<TokenRequest>): Promise<ExchangeResult>
}

/** One tenant with these profiles, and services that work unless the test says otherwise. */
export function world(profiles: Profile | readonly Profile[] = profile(), differs: Partial<Services> = {}): World {
  const all: readonly Profile[] = 'accepts' in profiles ? [profiles] : profiles
  const records: AuditRecord[] = []
  const replay = fakeReplay()
  const clients = new Map(['orders', 'other'].map((id) => [id, registered(id)]))
  const services: Services = {
    ...{ tenant: 't1', issuer: GATEWAY, tokenEndpoint: `${GATEWAY}/token`, clockSkew: 30 },
    clock: () => NOW,
    random: (bytes) => new Uint8Array(bytes),
    codecs: [plainCodec()],
    clientMethods: [fakeSecret, fakeAssertion],
    grants,
    proofMethods: fakeProofs,
    proofAlgorithms: ['ES256'],
    clients: { find: (id) => clients.get(id) },
    profiles: atOnce(settingOf(all)),
    trust: trustOf(trusted()),
    keys: { name: 'fake', signer: (name) => (name === 'edge' ? plainSigner() : undefined), all: () => [] },
    replay,
    audit: { write: (record) => records.push(record) },
    ...differs,
  }
  return {
    services,
    records,
    spent: replay.spent,
    exchange: (changes) => exchangeToken(request(changes), services),
  }
}

export const trustOf = (...issuers: readonly TrustedIssuer[]): Services['trust'] => ({
  find: (name) => issuers.find(({ issuer }) => issuer === name),
  all: () => issuers,
})
