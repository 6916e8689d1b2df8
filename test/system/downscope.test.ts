import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keepsHistory } from '../../src/core/act.ts'
import type { Token } from '../../src/core/token.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { isMap, sameValue, type Value } from '../../src/core/value.ts'
import { buildCsr } from '../../src/wire/csr.ts'
import { parsePem, pem } from '../../src/wire/pem.ts'
import { basicOf, dpopBy, type Live, newLive, type PostOptions, rewrite } from '../support/live.ts'
import { type Parameters, WORKLOAD } from '../support/world.ts'

const api = (name: string) => `https://${name}.example`

interface Hop {
  readonly client: string
  readonly from: 'jwt' | 'cwt' | 'x509'
  readonly to: 'jwt' | 'cwt' | 'x509'
  readonly targets: readonly string[]
  readonly scope: readonly string[]
  readonly lifetime: number
}

/**
 * Who calls, with what of ours, for whom. B asks for more life than it was given. A certificate is for one audience only,
 * so that C can do no more with it than turn it into a token for itself, as a service does that knows JWTs alone.
 */
const hops: readonly Hop[] = [
  { client: 'a', from: 'jwt', to: 'cwt', targets: ['b', 'c'], scope: ['orders.read', 'orders.write'], lifetime: 120 },
  { client: 'b', from: 'cwt', to: 'x509', targets: ['c'], scope: ['orders.read'], lifetime: 3600 },
  { client: 'c', from: 'x509', to: 'jwt', targets: ['c'], scope: ['orders.read', 'stock.read'], lifetime: 60 },
]

const subjectOf = ({ from, client }: Hop): string => {
  const kind = { jwt: 'kind: at+jwt, ', cwt: '', x509: 'subject_from: san_uri, ' }[from]
  return `{ format: ${from}, ${kind}issuers: [self], audience: [${api(client)}] }`
}
const writing = {
  jwt: '  - format: { to: jwt, kind: at+jwt }\n  - crypto: { key: signing }\n',
  cwt: '  - format: { to: cwt }\n  - crypto: { key: signing }\n',
  x509: `  - sender_constraint: { mode: bind, method: [pkcs10], require: true }
  - format: { to: x509, kind: client }
  - crypto: { key: ca }
`,
}
const profileOf = (hop: Hop): string => `name: ${hop.client}-hop
accept:
  clients: [${hop.client}]
  subject: ${subjectOf(hop)}
  targets: { allow: [${hop.targets.map(api).join(', ')}] }
stages:
  - embedding: { act: { from: client } }
  - validity: { lifetime: ${hop.lifetime}, audience: { from: subject }, scope: { allow: [${hop.scope.join(', ')}], default: subject } }
${writing[hop.to]}`

const first = `name: first
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [${['a', 'b', 'c'].map(api).join(', ')}] }
stages:
  - validity: { lifetime: 300, scope: { allow: [orders.read, orders.write, stock.read], default: subject } }
  - format: { to: jwt, kind: at+jwt }
  - crypto: { key: signing }
`

let live: Live
beforeAll(async () => {
  live = await newLive({
    edit(folder) {
      mkdirSync(join(folder, 'hops'))
      writeFileSync(join(folder, 'hops', 'first.yaml'), first)
      for (const hop of hops) writeFileSync(join(folder, 'hops', `${hop.client}.yaml`), profileOf(hop))
      const clients = ['a', 'b', 'c', 'd'].map(
        (id) =>
          `  - { client_id: ${id}, token_endpoint_auth_method: client_secret_basic, client_secret: tester-secret }\n`,
      )
      rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: hops')
      rewrite(folder, 'dragoman.yaml', 'issuers:\n', `${clients.join('')}issuers:\n`)
    },
  })
  await walk()
})
afterAll(() => live.close())

const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const csr = pem('CERTIFICATE REQUEST', buildCsr({ privateKey: key }))
const as = (client: string) => basicOf(client, client === 'demo' ? 'demo-secret' : 'tester-secret')

/** What each got, in order: raw, and read with the gateway's own keys. */
const chain: { readonly raw: string; readonly type: string; readonly format: string; readonly token: Token }[] = []

/** How a token is presented: a certificate with a proof by its key. */
function presented(at: number): [Parameters, PostOptions] {
  const { raw = '', type = '', format = '' } = chain[at] ?? {}
  const headers = format === 'x509' ? { dpop: dpopBy(key, live) } : {}
  return [{ subject_token: raw, subject_token_type: type, ...(format === 'cwt' && { csr }) }, { headers }]
}

async function ask(client: string, at: number, more: Parameters) {
  const [parameters, options] = presented(at)
  const { status, body } = await live.post({ ...parameters, ...more }, { ...options, authorization: as(client) })
  return { status, body, code: live.last().code }
}

async function read(format: string, raw: string, type: string): Promise<Token> {
  const services = live.gateway.tenants[0]?.services
  const own = services?.trust.find(live.issuer)
  const unverified = services?.codecs.find((one) => one.format === format)?.parse({ raw, type, role: 'subject' })
  if (!unverified || !own) throw new Error('not read')
  const kind = format === 'jwt' ? 'at+jwt' : undefined
  return unverified.verify(own, { now: Math.floor(Date.now() / 1000), clockSkew: 0, kind, subjectFrom: 'san_uri' })
}

async function keep(format: string, body: { readonly [name: string]: unknown }): Promise<void> {
  const raw = String(body['access_token'])
  const type = String(body['issued_token_type'])
  chain.push({ raw, type, format, token: await read(format, raw, type) })
}

async function walk(): Promise<void> {
  const { body } = await live.post({ subject_token: await live.token('jwt'), audience: ['a', 'b', 'c'].map(api) })
  await keep('jwt', body)
  for (const [at, { client, targets, to }] of hops.entries()) {
    const { status, body: next } = await ask(client, at, { audience: targets.map(api) })
    expect([client, status, next['error_description']]).toEqual([client, 200, undefined])
    await keep(to, next)
  }
}

const actors = (act: Value | undefined): readonly Value[] =>
  isMap(act) ? [act['sub'] ?? '', ...actors(act['act'])] : []

describe('client → A → B → C, in JWT, CWT, X.509 and JWT again', () => {
  it('gets to C as what it was when it started', () => {
    expect(chain.map(({ format }) => format)).toEqual(['jwt', 'cwt', 'x509', 'jwt'])
    expect(new Set(chain.map(({ token }) => token.claims['sub']))).toEqual(new Set([WORKLOAD]))
  })

  it('is for fewer at each hop, until there is one', () => {
    expect(chain.map(({ token }) => token.validity.audience)).toEqual([
      ['a', 'b', 'c'].map(api),
      ['b', 'c'].map(api),
      [api('c')],
      [api('c')],
    ])
  })

  it('reaches less far at each hop, whatever the profile of the next would allow', () => {
    expect(chain.map(({ token }) => token.validity.scope)).toEqual([
      ['orders.read', 'orders.write', 'stock.read'],
      ['orders.read', 'orders.write'],
      ['orders.read'],
      ['orders.read'],
    ])
  })

  it('lives no longer at any hop, even where a profile would give more', () => {
    const ends = chain.map(({ token }) => token.validity.expiresAt ?? Infinity)
    for (const [at, end] of ends.entries()) expect(end).toBeLessThanOrEqual(ends[at - 1] ?? Infinity)
    // B asked for an hour.
    expect(ends[2]).toBe(ends[1])
    expect(ends[3]).toBeLessThan(ends[2] ?? 0)
  })

  it('tells who acted, newest first, and what was told before is in it unchanged, in every format', () => {
    expect(chain.map(({ token }) => actors(token.claims['act']))).toEqual([[], ['a'], ['b', 'a'], ['c', 'b', 'a']])
    for (const [at, { token }] of chain.entries()) {
      const before = chain[at - 1]?.token.claims['act']
      expect(keepsHistory(token.claims['act'], before)).toBe(true)
      const { act } = token.claims
      if (before !== undefined) expect(isMap(act) && sameValue(act['act'], before)).toBe(true)
    }
  })

  it('stays bound, once it is: the last token is for the key of the certificate', () => {
    const [, , certificate, last] = chain
    expect(certificate?.token.confirmation?.publicKey?.jkt).toBeDefined()
    expect(last?.token.confirmation?.jkt).toBe(certificate?.token.confirmation?.publicKey?.jkt)
    expect(parsePem(certificate?.raw ?? '').length).toBe(1)
  })
})

describe('along the chain', () => {
  it('nobody calls backwards, nor further than he may', async () => {
    const backwards = { a: ['a', 'd'], b: ['a', 'b', 'd'], c: ['a', 'b', 'd'] }
    for (const [at, { client }] of hops.entries()) {
      for (const target of backwards[client as 'a']) {
        const { status, code } = await ask(client, at, { audience: api(target) })
        expect([client, target, status, code]).toEqual([client, target, 400, 'ERR_PROFILE_TARGET'])
      }
    }
  })

  it('nobody asks for one that its token is not for, though its profile serves it', async () => {
    // The client asked for A and B alone; with that A asks for B and C.
    const narrow = await live.post({ subject_token: await live.token('jwt'), audience: ['a', 'b'].map(api) })
    const token = {
      subject_token: String(narrow.body['access_token']),
      subject_token_type: String(narrow.body['issued_token_type']),
    }
    const asA = { authorization: as('a') }
    expect((await live.post({ ...token, audience: ['b', 'c'].map(api) }, asA)).status).toBe(400)
    expect(live.last().result).toBe('refused')
    expect((await live.post({ ...token, audience: api('c') }, asA)).status).toBe(400)
    const good = await live.post({ ...token, audience: api('b') }, asA)
    expect(good.status).toBe(200)
    // And B, whose token is for B alone, cannot go on to C.
    const next = { subject_token: String(good.body['access_token']), subject_token_type: tokenTypes.cwt, csr }
    expect((await live.post({ ...next, audience: api('c') }, { authorization: as('b') })).status).toBe(400)
  })

  it('nobody uses what was issued to another hop', async () => {
    for (const [at, { client, targets }] of hops.entries()) {
      for (const [other, hop] of hops.entries()) {
        if (other === at) continue
        const { status } = await ask(client, other, { audience: api(targets[0] ?? '') })
        expect([client, hop.from, status]).toEqual([client, hop.from, 400])
      }
      expect((await ask('d', at, { audience: api('c') })).code).toBe('ERR_PROFILE_NONE')
    }
  })

  it('nobody uses what it has got itself, nor does the last one again', async () => {
    for (const [at, { client, targets }] of hops.entries()) {
      const { status } = await ask(client, at + 1, { audience: api(targets.at(-1) ?? '') })
      expect([client, status]).toEqual([client, 400])
    }
  })

  it('more scope than there is, is not given; where none is left, it is refused', async () => {
    const { body } = await ask('b', 1, { audience: api('c'), scope: 'orders.read orders.write stock.read' })
    expect(body['scope']).toBe('orders.read')
    expect(await ask('b', 1, { audience: api('c'), scope: 'stock.read' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_scope' },
    })
  })

  it('the certificate is nothing without its key', async () => {
    const { raw = '', type = '' } = chain[2] ?? {}
    const bare = { subject_token: raw, subject_token_type: type, audience: api('c') }
    expect((await live.post(bare, { authorization: as('c') })).status).toBe(400)
    expect(live.last().code).toBe('ERR_TOKEN_UNPROVED')
    const stranger = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
    const headers = { dpop: dpopBy(stranger, live) }
    expect((await live.post(bare, { authorization: as('c'), headers })).status).toBe(400)
    expect(live.last().code).toBe('ERR_PROOF_MISMATCH')
  })
})
