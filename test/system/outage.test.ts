import { readFileSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { algorithmNamed } from '../../src/core/algorithms.ts'
import type { Signer } from '../../src/core/keys.ts'
import { map } from '../../src/core/value.ts'
import { generatePrivateKey, signerOf, signingPool } from '../../src/keys/index.ts'
import { rewrite } from '../support/live.ts'
import { httpsServer, webAuthority } from '../support/servers.ts'
import { ISSUER, NOW, newWorld, type Reply, type World } from '../support/world.ts'

const TARGET = 'https://api.beta.example'
// What an answer holds must be in nothing that is written.
const MARK = 'canary-of-the-issuer'
const JSON_TYPE = { 'content-type': 'application/json', 'cache-control': 'max-age=60' }

/** How the issuer answers; each but `sends its keys` is one in which it gives none. */
const answers: { readonly [how: string]: (response: ServerResponse, keys: string) => void } = {
  'sends its keys': (response, keys) => response.writeHead(200, JSON_TYPE).end(keys),
  'goes away': (response) => response.destroy(),
  'answers 500': (response) => response.writeHead(500, JSON_TYPE).end(`{"error":"${MARK}"}`),
  'answers 404': (response) => response.writeHead(404).end(MARK),
  'sends HTML': (response) => response.writeHead(200, JSON_TYPE).end(`<html>${MARK}</html>`),
  'sends half of it': (response, keys) => {
    response.writeHead(200, { ...JSON_TYPE, 'content-length': String(keys.length) })
    response.write(keys.slice(0, keys.length / 2), () => response.destroy())
  },
  'sends no keys': (response) => response.writeHead(200, JSON_TYPE).end('{"keys":[]}'),
  'sends something else': (response) => response.writeHead(200, JSON_TYPE).end(`{"keys":{"${MARK}":1}}`),
  'sends a member twice': (response, keys) => {
    response.writeHead(200, JSON_TYPE).end(`{"keys":[],${keys.trim().slice(1)}`)
  },
  'sends too much': (response) => {
    response.writeHead(200, JSON_TYPE).end(`{"keys":[],"${MARK}":"${'a'.repeat(70_000)}"}`)
  },
  'sends elsewhere': (response) => response.writeHead(302, { location: `https://${MARK}.example/keys` }).end(),
  'takes its time': () => {},
}
const broken = Object.keys(answers).filter((how) => how !== 'sends its keys')

interface Outage {
  readonly world: World
  readonly issuer: string
  /** What was asked for, in order. */
  readonly asked: readonly string[]
  how: string
  /** Whose keys it serves. */
  signers: readonly Signer[]
  /** Documents that it serves beside its keys, by path. */
  documents: { [path: string]: unknown }
  exchange(signer?: Signer): Promise<Reply>
}

/** A gateway, and an issuer that serves its keys over HTTPS with a certificate of an authority of its own. */
async function start({
  discovery = false,
  trusted = true,
  client = false,
}: {
  discovery?: boolean
  trusted?: boolean
  client?: boolean
} = {}): Promise<Outage> {
  const authority = webAuthority()
  const asked: string[] = []
  const documents: Outage['documents'] = {}
  const first = newSigner()
  const state = { how: 'sends its keys', signers: [first] as readonly Signer[] }
  const server = await httpsServer(
    ({ url = '' }, response) => {
      asked.push(url)
      const up = state.how === 'sends its keys'
      if (up && documents[url] !== undefined) response.writeHead(200, JSON_TYPE).end(JSON.stringify(documents[url]))
      else if (up && url !== '/keys') response.writeHead(404).end()
      else answers[state.how]?.(response, jwks(state.signers))
    },
    { issuer: authority },
  )
  const issuer = server.origin
  const world = await newWorld({
    edit(folder) {
      writeFileSync(join(folder, 'web-ca.pem'), (trusted ? authority : webAuthority()).pem)
      const fetch =
        '{ allow_private_addresses: true, timeout: 0.3, stale_limit: 600, certificate_authority_file: web-ca.pem }'
      const source = discovery ? 'discovery: true' : `jwks_uri: ${issuer}/keys`
      const entry = `issuers:\n  - { issuer: '${issuer}', ${source}, subjects: ['*'], fetch: ${fetch} }\n`
      const app = `  - { client_id: app, token_endpoint_auth_method: private_key_jwt, jwks_uri: '${issuer}/keys', fetch: ${fetch} }\n`
      rewrite(folder, 'dragoman.yaml', 'issuers:\n', client ? app + entry : entry)
      rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [api.yaml]')
      writeFileSync(
        join(folder, 'api.yaml'),
        `name: api
accept:
  clients: [demo${client ? ', app' : ''}]
  subject: { format: jwt, issuers: ['${issuer}', https://id.alpha.example] }
  targets: { allow: [${TARGET}] }
stages:
  - format: { to: jwt }
  - crypto: { key: signing }
`,
      )
      // Each token is verified by the keys of now.
      writeFileSync(
        join(folder, 'dragoman.yaml'),
        `${readFileSync(join(folder, 'dragoman.yaml'), 'utf8')}verification_cache: { capacity: 0 }\n`,
      )
    },
  })
  onTestFinished(() => world.close())
  return Object.assign(state, {
    world,
    issuer,
    asked,
    documents,
    exchange: async (signer = first) =>
      world.post({ subject_token: await world.token('jwt', { issuer, signer }), audience: TARGET }),
  })
}

function newSigner(): Signer {
  const es256 = algorithmNamed('ES256')
  if (!es256) throw new Error('ES256')
  return signerOf(generatePrivateKey(es256), es256, { chain: [], pool: signingPool() })
}

const jwks = (signers: readonly Signer[]): string =>
  JSON.stringify({ keys: signers.map(({ publicKey, kid }) => ({ ...publicKey.jwk, kid, alg: 'ES256', use: 'sig' })) })

const unavailable = { status: 503, body: { error: 'temporarily_unavailable' } }

describe('an issuer whose keys nobody knows yet', () => {
  it.each(broken)('%s: a temporary error that says so and when to come again, never an invalid token', async (how) => {
    const outage = await start()
    outage.how = how
    const reply = await outage.exchange()
    expect(reply).toMatchObject(unavailable)
    expect(reply.headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expect(reply.headers['cache-control']).toBe('no-store')
    expect(outage.world.last()).toMatchObject({ code: 'ERR_TRUST_UNAVAILABLE' })
    expect(outage.world.last().trace.at(-1)).toMatchObject({ detail: { issuer: outage.issuer } })
    expect(JSON.stringify([reply.body, reply.headers, outage.world.last()])).not.toMatch(/canary|<html>/)
  })

  it('shows a certificate of another authority: the same, and the record says that it was TLS', async () => {
    const { exchange, world, asked } = await start({ trusted: false })
    expect(await exchange()).toMatchObject(unavailable)
    expect(world.last().trace.at(-1)).toMatchObject({ detail: { reason: 'TLS' } })
    expect(asked).toEqual([])
  })

  it('leaves the others alone: a token of another issuer is exchanged while this one hangs', async () => {
    const outage = await start()
    const { world } = outage
    outage.how = 'takes its time'
    const waiting = outage.exchange()
    await expect.poll(() => outage.asked.length, { interval: 1 }).toBe(1)
    const other = await world.post({ subject_token: await world.token('jwt'), audience: TARGET })
    expect(other.status).toBe(200)
    expect(await waiting).toMatchObject(unavailable)
    expect(world.records.map(({ result }) => result)).toEqual(['issued', 'refused'])
  })

  it('is asked again after a while that grows, and then all is well', async () => {
    const outage = await start()
    outage.how = 'goes away'
    const waits: number[] = []
    for (let round = 0; round < 8; round += 1) {
      const { status, headers } = await outage.exchange()
      expect(status).toBe(503)
      const wait = Number(headers['retry-after'])
      waits.push(wait)
      // Before that nobody asks it, and everybody hears what is left of it.
      const before = outage.asked.length
      outage.world.now += wait - 1
      expect(await outage.exchange()).toMatchObject({ ...unavailable, headers: { 'retry-after': '1' } })
      expect(outage.asked.length).toBe(before)
      outage.world.now += 1
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    outage.how = 'sends its keys'
    expect((await outage.exchange()).status).toBe(200)
  })

  it('is asked once by many who wait', async () => {
    const { exchange, asked } = await start()
    const replies = await Promise.all(Array.from({ length: 30 }, () => exchange()))
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
    expect(asked).toEqual(['/keys'])
  })

  it('is not what a client is at fault for: private_key_jwt hears 503, never invalid_client', async () => {
    const outage = await start({ client: true })
    const [signer] = outage.signers
    const { world } = outage
    const assertion = async () =>
      world.token('jwt', {
        issuer: 'app',
        ...(signer && { signer }),
        claims: map([['sub', 'app']]),
        validity: {
          issuedAt: world.now,
          notBefore: undefined,
          expiresAt: world.now + 60,
          audience: [ISSUER],
          scope: undefined,
        },
      })
    const ask = async () =>
      world.post(
        {
          subject_token: await world.token('jwt'),
          audience: TARGET,
          client_assertion: await assertion(),
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        },
        { authorization: '' },
      )
    outage.how = 'answers 500'
    expect(await ask()).toMatchObject(unavailable)
    outage.how = 'sends its keys'
    world.now += 1
    expect((await ask()).status).toBe(200)
    expect(world.last()).toMatchObject({ client: 'app', client_method: 'private_key_jwt' })
  })
})

describe('an issuer whose keys are known', () => {
  it.each(broken)('%s: they go on working, until the limit', async (how) => {
    const outage = await start()
    expect((await outage.exchange()).status).toBe(200)
    outage.how = how
    for (const [seconds, status] of [
      [59, 200],
      [61, 200],
      [600, 200],
      [659, 200],
      [661, 503],
    ] as const) {
      outage.world.now = NOW + seconds
      expect([seconds, (await outage.exchange()).status]).toEqual([seconds, status])
    }
    outage.how = 'sends its keys'
    outage.world.now = NOW + 800
    expect((await outage.exchange()).status).toBe(200)
  })

  it('has a new one: it is fetched for the first token that is signed by it', async () => {
    const outage = await start()
    expect((await outage.exchange()).status).toBe(200)
    const next = newSigner()
    outage.signers = [...outage.signers, next]
    outage.world.now = NOW + 5
    expect((await outage.exchange(next)).status).toBe(200)
    expect(outage.asked).toEqual(['/keys', '/keys'])
    expect((await outage.exchange()).status).toBe(200)
  })

  it('has taken one back: it is good for as long as was said, and not a second longer', async () => {
    const outage = await start()
    const [first] = outage.signers
    expect((await outage.exchange(first)).status).toBe(200)
    outage.signers = [newSigner()]
    outage.world.now = NOW + 50
    expect((await outage.exchange(first)).status).toBe(200)
    outage.world.now = NOW + 60
    const refused = await outage.exchange(first)
    expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    expect(outage.world.last()).toMatchObject({ code: 'ERR_TRUST_KEY' })
  })

  it('is asked no more than once in 30 seconds for keys that it does not have, whoever makes them up', async () => {
    const outage = await start()
    expect((await outage.exchange()).status).toBe(200)
    outage.world.now = NOW + 1
    for (let round = 0; round < 10; round += 1) {
      expect((await outage.exchange(newSigner())).status).toBe(400)
      expect(outage.world.last()).toMatchObject({ code: 'ERR_TRUST_KEY' })
    }
    expect(outage.asked.length).toBe(2)
    outage.world.now = NOW + 32
    expect((await outage.exchange(newSigner())).status).toBe(400)
    expect(outage.asked.length).toBe(3)
  })

  it('may have a new one while it is away: a token by an unknown key is not called invalid then', async () => {
    const outage = await start()
    expect((await outage.exchange()).status).toBe(200)
    outage.how = 'answers 500'
    const next = newSigner()
    outage.signers = [...outage.signers, next]
    outage.world.now = NOW + 5
    expect(await outage.exchange(next)).toMatchObject(unavailable)
    // Those that are known are good meanwhile.
    expect((await outage.exchange()).status).toBe(200)
    outage.how = 'sends its keys'
    outage.world.now = NOW + 40
    expect((await outage.exchange(next)).status).toBe(200)
  })

  it('is asked ahead of time, behind an answer, so that nobody waits', async () => {
    const outage = await start()
    await outage.exchange()
    outage.world.now = NOW + 55
    outage.how = 'takes its time'
    expect((await outage.exchange()).status).toBe(200)
    await expect.poll(() => outage.asked.length, { interval: 5 }).toBe(2)
  })
})

describe('an issuer that is found by its metadata', () => {
  const OAUTH = '/.well-known/oauth-authorization-server'
  const OPENID = '/.well-known/openid-configuration'

  it.each([
    [OAUTH, [OAUTH, '/keys']],
    [OPENID, [OAUTH, OPENID, '/keys']],
  ] as const)('MD-11: at %s', async (path, order) => {
    const { exchange, documents, asked, issuer } = await start({ discovery: true })
    documents[path] = { issuer, jwks_uri: `${issuer}/keys` }
    expect((await exchange()).status).toBe(200)
    expect(asked).toEqual(order)
  })

  it('MD-10: names another issuer, or no place for keys: unavailable, and nothing is fetched from there', async () => {
    const { exchange, documents, asked, issuer, world } = await start({ discovery: true })
    for (const document of [{ issuer: `${issuer}/`, jwks_uri: `${issuer}/keys` }, { issuer }, [issuer], 'x']) {
      documents[OAUTH] = document
      documents[OPENID] = document
      expect(await exchange()).toMatchObject(unavailable)
      world.now += 60
    }
    expect(asked).not.toContain('/keys')
    documents[OAUTH] = { issuer, jwks_uri: `${issuer}/keys` }
    expect((await exchange()).status).toBe(200)
  })

  it('is away, and comes back elsewhere: its metadata is asked again', async () => {
    const outage = await start({ discovery: true })
    outage.how = 'answers 500'
    expect(await outage.exchange()).toMatchObject(unavailable)
    outage.how = 'sends its keys'
    outage.documents[OAUTH] = { issuer: outage.issuer, jwks_uri: `${outage.issuer}/moved` }
    outage.documents['/moved'] = JSON.parse(jwks(outage.signers))
    outage.world.now += 1
    expect((await outage.exchange()).status).toBe(200)
    expect(outage.asked.slice(-2)).toEqual([OAUTH, '/moved'])
  })
})
