import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Carry, newCarry } from '../../src/core/carry.ts'
import type { TrustedIssuer } from '../../src/core/trust.ts'
import { createFetcher, createTrust, type Fetch, type FetchEntry, type IssuerEntry } from '../../src/trust/index.ts'
import { NOW, type TestKey, testKey } from '../support/jwt.ts'
import {
  changingServer,
  type Handler,
  httpServer,
  httpsServer,
  json,
  status,
  webAuthority,
} from '../support/servers.ts'

const setOf = (...keys: readonly (readonly [kid: string, key: TestKey])[]) => ({
  keys: keys.map(([kid, { publicKey }]) => ({ ...publicKey.jwk, kid })),
})

const A = testKey('ES256')
const B = testKey('ES256')

const unavailable = (retryAfter: number, reason?: string) =>
  expect.objectContaining({
    code: 'ERR_TRUST_UNAVAILABLE',
    retryAfter,
    ...(reason !== undefined && { detail: expect.objectContaining({ reason }) }),
  })

/** An issuer behind a URL, with a clock that the test sets. */
function issuerAt(
  entry: Omit<IssuerEntry, 'subjects' | 'issuer'> & { issuer?: string },
  { files = '', fetch = createFetcher() }: { files?: string; fetch?: Fetch } = {},
) {
  const clock = { now: NOW }
  const fetched: string[] = []
  const trust = createTrust(
    [
      {
        issuer: 'https://issuer.example',
        subjects: ['*'],
        ...entry,
        fetch: { allow_private_addresses: true, ...entry.fetch },
      },
    ],
    {
      clock: () => clock.now,
      readFile: () => Buffer.from(files),
      fetch(url, options) {
        fetched.push(url)
        return fetch(url, options)
      },
    },
  )
  const [issuer] = trust.all()
  if (!issuer) throw new TypeError('no issuer')
  return {
    clock,
    issuer,
    fetched,
    status: () => trust.status()[0],
    kids: (kid?: string): Promise<readonly (string | undefined)[]> => kidsOf(issuer, clock.now, kid),
  }
}

async function kidsOf({ anchor }: TrustedIssuer, now: number, kid?: string) {
  return (await anchor.keys({ kid }, now)).map((key) => key.kid)
}

async function remote(handler: Handler, fetch: FetchEntry = {}) {
  const server = await changingServer(handler)
  const issuer = issuerAt({ jwks_uri: `${server.origin}/keys`, fetch })
  return { server, ...issuer }
}

/** What was started in the background has ended. */
async function settled(until: () => boolean): Promise<void> {
  while (!until()) await new Promise((resolve) => setImmediate(resolve))
}

describe('keys behind a URL', () => {
  it('are fetched when first asked for, and not again while they are fresh', async () => {
    const { server, clock, kids, issuer, status: state } = await remote(json(setOf(['a', A])))
    expect(server.requests).toHaveLength(0)
    expect(state()).toMatchObject({ ready: false, keys: 0, fetchedAt: undefined, lastError: undefined })
    expect(await kids('a')).toEqual(['a'])
    clock.now += 269
    expect(issuer.anchor.keys({ kid: 'a' }, clock.now)).not.toBeInstanceOf(Promise)
    expect(server.requests).toHaveLength(1)
    expect(state()).toMatchObject({ ready: true, keys: 1, fetchedAt: NOW, nextRefresh: NOW + 270 })
  })

  it('are fetched once for fifty that wait', async () => {
    const { server, kids } = await remote(json(setOf(['a', A])))
    const release = server.hold()
    const all = Array.from({ length: 50 }, () => kids('a'))
    await server.arrived(1)
    release()
    expect(new Set((await Promise.all(all)).flat())).toEqual(new Set(['a']))
    expect(server.requests).toHaveLength(1)
  })

  it('are fetched again in the background near their end: nobody waits', async () => {
    const { server, clock, issuer, status: state } = await remote(json(setOf(['a', A])))
    await issuer.anchor.keys({}, clock.now)
    server.answer(json(setOf(['b', B])))
    clock.now += 270
    const release = server.hold()
    const answered = issuer.anchor.keys({ kid: 'a' }, clock.now)
    expect(answered).toHaveLength(1)
    expect(issuer.anchor.keys({ kid: 'a' }, clock.now)).toHaveLength(1)
    await server.arrived(2)
    release()
    await settled(() => state()?.fetchedAt === clock.now)
    expect(server.requests).toHaveLength(2)
    expect(await kidsOf(issuer, clock.now, 'b')).toEqual(['b'])
  })

  it('S-13 are gone as soon as the issuer no longer has them', async () => {
    const { server, clock, kids, status: state } = await remote(json(setOf(['a', A], ['b', B])))
    expect(await kids('a')).toEqual(['a'])
    server.answer(json(setOf(['b', B])))
    clock.now += 300
    expect(await kids('b')).toEqual(['b'])
    await settled(() => state()?.fetchedAt === clock.now)
    expect(await kids('a')).toEqual([])
  })

  it('S-13 are not used after their time without asking the issuer, which may have taken them back', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])))
    expect(await kids('a')).toEqual(['a'])
    server.answer(json(setOf(['b', B])))
    clock.now += 20_000
    expect(await kids('a')).toEqual([])
    expect(server.requests).toHaveLength(2)
  })

  it('are asked for once when they are past their time and fifty wait', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])))
    await kids('a')
    clock.now += 1000
    const release = server.hold()
    const all = Array.from({ length: 50 }, () => kids('a'))
    await server.arrived(2)
    release()
    await Promise.all(all)
    expect(server.requests).toHaveLength(2)
  })

  it.each([
    ['no Cache-Control', {}, 300],
    ['max-age', { 'cache-control': 'max-age=900' }, 900],
    ['a max-age below a minute', { 'cache-control': 'max-age=1' }, 60],
    ['no-store', { 'cache-control': 'no-store' }, 60],
    ['a max-age of a year', { 'cache-control': 'max-age=31536000' }, 86_400],
  ])('stay fresh as long as the answer says, within a minute and a day: %s', async (_, headers, seconds) => {
    const { kids, status: state } = await remote(json(setOf(['a', A]), headers))
    await kids('a')
    expect(state()?.nextRefresh).toBe(NOW + seconds * 0.9)
  })

  it('stay fresh as long as the configuration says where the answer does not', async () => {
    const { kids, status: state } = await remote(json(setOf(['a', A])), { refresh: 600 })
    await kids('a')
    expect(state()?.nextRefresh).toBe(NOW + 540)
  })

  it('stay fresh no longer than the configuration says, whatever the answer says', async () => {
    const headers = { 'cache-control': 'max-age=86400' }
    const { kids, status: state } = await remote(json(setOf(['a', A]), headers), { max_refresh: 600 })
    await kids('a')
    expect(state()?.nextRefresh).toBe(NOW + 540)
  })
})

describe('keys over a reload', () => {
  const entry = { issuer: 'https://issuer.example', subjects: ['*'], jwks_uri: 'https://issuer.example/keys' }

  /** One reading of the configuration after another; each has what was carried over from the one before. */
  function reading(differs: Partial<IssuerEntry>, fetch: Fetch, before?: Carry) {
    const carry = newCarry(before)
    const tools = { fetch, carry, clock: () => NOW, readFile: () => Buffer.alloc(0) }
    const [issuer] = createTrust([{ ...entry, ...differs }], tools).all()
    if (!issuer) throw new TypeError('no issuer')
    return { carry, issuer }
  }

  const fetch: Fetch = async () => ({
    status: 200,
    body: Buffer.from(JSON.stringify(setOf(['a', A]))),
    etag: undefined,
    maxAge: undefined,
  })
  const down: Fetch = () => Promise.reject(new Error('down'))

  it('go on working while their issuer cannot be reached', async () => {
    const first = reading({}, fetch)
    await kidsOf(first.issuer, NOW, 'a')
    const second = reading({ subjects: ['b'], history: true }, down, first.carry)
    expect(await kidsOf(second.issuer, NOW, 'a')).toEqual(['a'])
    expect(second.issuer.asserts('a')).toBe(false)
  })

  it.each<readonly [string, Partial<IssuerEntry>]>([
    ['another address', { jwks_uri: 'https://issuer.example/other' }],
    ['another issuer', { issuer: 'https://other.example' }],
    ['other algorithms', { algorithms: ['ES384'] }],
    ['another way to fetch', { fetch: { refresh: 600 } }],
  ])('S-13 are not those of before with %s', async (_, differs) => {
    const first = reading({}, fetch)
    await kidsOf(first.issuer, NOW, 'a')
    const second = reading(differs, down, first.carry)
    await expect(kidsOf(second.issuer, NOW, 'a')).rejects.toThrow(unavailable(1, 'failed'))
  })
})

describe('a set with a broken key', () => {
  it('serves the others: RFC 7517 §5 has it passed over', async () => {
    const broken = { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA', kid: 'broken' }
    const { kids } = await remote(json({ keys: [broken, ...setOf(['a', A]).keys] }))
    expect(await kids('a')).toEqual(['a'])
    expect(await kids('broken')).toEqual([])
  })
})

describe('ETag and epoch', () => {
  const tagged =
    (tag: string, set: unknown): Handler =>
    (request, response) =>
      request.headers['if-none-match'] === tag
        ? status(304, '', { etag: tag })(request, response)
        : json(set, { etag: tag })(request, response)

  it('304 makes known keys fresh again, and changes nothing', async () => {
    const { server, clock, kids, issuer, status: state } = await remote(tagged('"1"', setOf(['a', A])))
    await kids('a')
    const { epoch } = issuer.anchor
    clock.now += 400
    expect(await kids('a')).toEqual(['a'])
    expect(server.requests[1]?.headers['if-none-match']).toBe('"1"')
    expect(state()).toMatchObject({ fetchedAt: NOW + 400, lastError: undefined })
    expect(issuer.anchor.epoch).toBe(epoch)
    clock.now += 400
    await kids('a')
    expect(server.requests[2]?.headers['if-none-match']).toBe('"1"')
  })

  it('the epoch changes with the keys, and only with them', async () => {
    const { server, clock, kids, issuer } = await remote(json(setOf(['a', A])))
    const before = issuer.anchor.epoch
    await kids('a')
    const first = issuer.anchor.epoch
    expect(first).not.toBe(before)
    clock.now += 400
    await kids('a')
    expect(issuer.anchor.epoch).toBe(first)
    server.answer(json(setOf(['a', A], ['b', B])))
    clock.now += 400
    await kids('b')
    expect(issuer.anchor.epoch).not.toBe(first)
    const second = issuer.anchor.epoch
    server.answer(status(500))
    clock.now += 400
    await kids('a')
    expect(issuer.anchor.epoch).toBe(second)
  })

  it('a 304 to who knows nothing is no key set', async () => {
    const { clock, kids } = await remote(status(304))
    await expect(kids('a')).rejects.toThrow(unavailable(1, 'status 304'))
    clock.now += 1
    await expect(kids('a')).rejects.toThrow(unavailable(2, 'status 304'))
  })

  it('a 304 from a fetch of somebody else’s making is none either', async () => {
    const fetch: Fetch = async () => ({ status: 304, body: Buffer.alloc(0), etag: undefined, maxAge: undefined })
    const { kids } = issuerAt({ jwks_uri: 'https://issuer.example/keys' }, { fetch })
    await expect(kids('a')).rejects.toThrow(unavailable(1, 'status 304'))
  })

  it('a fetch that fails in a way of its own is a failure like any other, and says nothing', async () => {
    const fetch: Fetch = () => Promise.reject(new Error('secret'))
    const { kids } = issuerAt({ jwks_uri: 'https://issuer.example/keys' }, { fetch })
    await expect(kids('a')).rejects.toThrow(unavailable(1, 'failed'))
  })
})

describe('T-15 an outage', () => {
  it('leaves known keys working until stale_limit, and not a second longer', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])), { stale_limit: 1000 })
    await kids('a')
    server.answer(status(503))
    for (const elapsed of [270, 300, 700, 1299]) {
      clock.now = NOW + elapsed
      expect(await kids('a')).toEqual(['a'])
    }
    clock.now = NOW + 1300
    await expect(kids('a')).rejects.toThrow(expect.objectContaining({ code: 'ERR_TRUST_UNAVAILABLE' }))
    server.answer(json(setOf(['a', A])))
    clock.now += 120
    expect(await kids('a')).toEqual(['a'])
  })

  it('with stale_limit 0 leaves them working until their time only', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])), { stale_limit: 0 })
    await kids('a')
    server.answer(status(503))
    clock.now += 299
    expect(await kids('a')).toEqual(['a'])
    clock.now += 61
    await expect(kids('a')).rejects.toThrow(expect.objectContaining({ code: 'ERR_TRUST_UNAVAILABLE' }))
  })

  it('is waited for once: then stale keys are answered at once, with one try for each cooldown', async () => {
    const { server, clock, kids, issuer, fetched, status: state } = await remote(json(setOf(['a', A])))
    await kids('a')
    server.answer(status(503))
    clock.now += 301
    const first = issuer.anchor.keys({ kid: 'a' }, clock.now)
    expect(first).toBeInstanceOf(Promise)
    expect(await first).toHaveLength(1)
    expect(fetched).toHaveLength(2)
    for (const seconds of [0, 1]) {
      clock.now += seconds
      for (let n = 0; n < 20; n += 1) expect(issuer.anchor.keys({ kid: 'a' }, clock.now)).not.toBeInstanceOf(Promise)
      expect(fetched).toHaveLength(2 + seconds)
    }
    await server.arrived(3)
    await settled(() => state()?.lastError === 'status 503')
  })

  it('doubles the cooldown up to a minute, and starts from a second again after a success', async () => {
    const { server, clock, kids } = await remote(status(503))
    for (const wait of [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
      await expect(kids('a')).rejects.toThrow(unavailable(wait))
      const asked = server.requests.length
      clock.now += wait - 0.5
      await expect(kids('a')).rejects.toThrow(unavailable(1))
      expect(server.requests).toHaveLength(asked)
      clock.now += 0.5
    }
    server.answer(json(setOf(['a', A])))
    expect(await kids('a')).toEqual(['a'])
    server.answer(status(503))
    clock.now += 1000
    const asked = server.requests.length
    await kids('a')
    expect(server.requests).toHaveLength(asked + 1)
    clock.now += 1
    await kids('a')
    await server.arrived(asked + 2)
  })

  it('at the first use of all is ERR_TRUST_UNAVAILABLE for everybody who waits, with one fetch', async () => {
    const { server, kids } = await remote(status(500, 'secret upstream page'))
    const release = server.hold()
    const all = Array.from({ length: 50 }, () => kids('a').catch((error: unknown) => error))
    await server.arrived(1)
    release()
    for (const error of await Promise.all(all)) expect(error).toEqual(unavailable(1, 'status 500'))
    expect(server.requests).toHaveLength(1)
  })

  it('that was noticed hours ago does not let old keys pass today without asking', async () => {
    const { server, clock, kids, status: state } = await remote(json(setOf(['a', A])))
    await kids('a')
    server.answer(status(503))
    clock.now += 280
    await kids('a')
    await settled(() => state()?.lastError !== undefined)
    server.answer(json(setOf(['b', B])))
    clock.now += 20_000
    expect(await kids('a')).toEqual([])
  })

  it.each([
    ['an empty set', json({ keys: [] }), /^expected at least one key/],
    ['no set', json({}), /^expected a JWK Set/],
    ['a set with keys of other kinds only', json({ keys: [{ kty: 'oct', k: 'AAAA' }] }), /^expected at least one key/],
    ['two keys of one name', json(setOf(['a', A], ['a', B])), /^expected each kid once/],
    ['a hundred and one keys', json({ keys: Array(101).fill(A.publicKey.jwk) }), /^expected at most 100 keys/],
    ['no JSON', status(200, '<html>'), /^not JSON$/],
    ['repeated members', status(200, '{"keys":[],"keys":[]}'), /^not JSON$/],
    ['an empty body', status(200), /^not JSON$/],
    ['too much', status(200, 'x'.repeat(70_000)), /^too large$/],
    ['a redirect to elsewhere', status(302, '', { location: 'https://other.example/' }), /^redirect$/],
  ])('S-13 %s never replaces good keys', async (_, answer, reason) => {
    const { server, clock, kids, issuer, status: state } = await remote(json(setOf(['a', A])))
    await kids('a')
    const { epoch } = issuer.anchor
    server.answer(answer)
    clock.now += 400
    expect(await kids('a')).toEqual(['a'])
    expect(state()?.lastError).toMatch(reason)
    expect(state()).toMatchObject({ ready: true, keys: 1, fetchedAt: NOW })
    expect(issuer.anchor.epoch).toBe(epoch)
    server.answer(json(setOf(['b', B])))
    clock.now += 400
    expect(await kids('b')).toEqual(['b'])
    expect(state()?.lastError).toBeUndefined()
  })
})

describe('an unknown kid', () => {
  it('fetches again: the issuer may have a new key', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])))
    await kids('a')
    server.answer(json(setOf(['a', A], ['b', B])))
    clock.now += 1
    expect(await kids('b')).toEqual(['b'])
    expect(server.requests).toHaveLength(2)
  })

  it('finds the new key for everybody who asks while it is fetched, not for the first alone', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])))
    await kids('a')
    server.answer(json(setOf(['b', B])))
    clock.now += 1
    const release = server.hold()
    const all = Array.from({ length: 50 }, () => kids('b'))
    await server.arrived(2)
    release()
    expect((await Promise.all(all)).every(([kid]) => kid === 'b')).toBe(true)
    expect(server.requests).toHaveLength(2)
  })

  it('fetches at most every thirty seconds: anybody can send one', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])))
    await kids('a')
    clock.now += 1
    for (let n = 0; n < 200; n += 1) expect(await kids(`x${n}`)).toEqual([])
    expect(server.requests).toHaveLength(2)
    clock.now += 29
    expect(await kids('y')).toEqual([])
    expect(server.requests).toHaveLength(2)
    clock.now += 1
    expect(await kids('z')).toEqual([])
    expect(server.requests).toHaveLength(3)
  })

  it('right after a fetch fetches nothing', async () => {
    const { server, kids } = await remote(json(setOf(['a', A])))
    expect(await kids('x')).toEqual([])
    expect(await kids('y')).toEqual([])
    expect(server.requests).toHaveLength(1)
  })

  it('keeps known keys answering at once meanwhile', async () => {
    const { server, clock, kids, issuer } = await remote(json(setOf(['a', A])))
    await kids('a')
    clock.now += 1
    const release = server.hold()
    const waiting = kids('x')
    expect(issuer.anchor.keys({ kid: 'a' }, clock.now)).toHaveLength(1)
    release()
    expect(await waiting).toEqual([])
  })

  it('during an outage is not refused for good: nothing is known about it', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])))
    await kids('a')
    server.answer(status(503))
    clock.now += 1
    await expect(kids('b')).rejects.toThrow(unavailable(1, 'status 503'))
    await expect(kids('b')).rejects.toThrow(unavailable(1, 'status 503'))
    expect(await kids('a')).toEqual(['a'])
    expect(server.requests).toHaveLength(2)
    server.answer(json(setOf(['b', B])))
    clock.now += 31
    expect(await kids('b')).toEqual(['b'])
  })

  it('that cannot be asked for yet during an outage spends nothing', async () => {
    let current: unknown = setOf(['a', A])
    const fetch: Fetch = async () => {
      if (current === undefined) throw new Error('down')
      return { status: 200, body: Buffer.from(JSON.stringify(current)), etag: undefined, maxAge: undefined }
    }
    const { clock, kids, fetched } = issuerAt({ jwks_uri: 'https://issuer.example/keys' }, { fetch })
    await kids('a')
    current = undefined
    clock.now += 1000
    for (const wait of [1, 2, 4, 8, 16, 32, 59]) {
      await kids('a')
      await new Promise((resolve) => setImmediate(resolve))
      clock.now += wait
    }
    expect(fetched).toHaveLength(8)
    await expect(kids('b')).rejects.toThrow(unavailable(1))
    expect(fetched).toHaveLength(8)
    current = setOf(['b', B])
    clock.now += 1
    expect(await kids('b')).toEqual(['b'])
  })

  it('stays within its budget during an outage', async () => {
    const { server, clock, kids } = await remote(json(setOf(['a', A])))
    await kids('a')
    server.answer(status(503))
    for (let second = 0; second < 60; second += 1) {
      clock.now += 1
      await kids(`x${second}`).catch(() => {})
    }
    expect(server.requests.length).toBeLessThanOrEqual(3)
  })
})

describe('MD-10, MD-11 discovery', () => {
  const RFC8414 = '/.well-known/oauth-authorization-server'
  const OIDC = '/.well-known/openid-configuration'

  /** An issuer whose documents are at these paths. */
  async function discovered(path: string, documents: (origin: string) => { readonly [path: string]: Handler }) {
    const server = await changingServer((request, response) => {
      const document = documents(server.origin)[request.url ?? '']
      if (document) document(request, response)
      else status(404, 'secret upstream page')(request, response)
    })
    const issuer = issuerAt({ issuer: `${server.origin}${path}`, discovery: true })
    return { server, ...issuer, paths: () => server.requests.map(({ url }) => url) }
  }

  it.each([
    ['', RFC8414],
    ['/', RFC8414],
    ['/eu', `${RFC8414}/eu`],
    ['/eu/', `${RFC8414}/eu`],
    ['/a/b', `${RFC8414}/a/b`],
  ])('of an issuer with path "%s" asks at %s, and no further', async (path, place) => {
    const { kids, paths } = await discovered(path, (origin) => ({
      [place]: json({ issuer: `${origin}${path}`, jwks_uri: `${origin}/keys` }),
      '/keys': json(setOf(['a', A])),
    }))
    expect(await kids('a')).toEqual(['a'])
    expect(paths()).toEqual([place, '/keys'])
  })

  it.each([
    ['', OIDC],
    ['/eu', `/eu${OIDC}`],
    ['/eu/', `/eu${OIDC}`],
  ])('of an issuer with path "%s" asks then at %s', async (path, place) => {
    const { kids, paths } = await discovered(path, (origin) => ({
      [place]: json({ issuer: `${origin}${path}`, jwks_uri: `${origin}/keys` }),
      '/keys': json(setOf(['a', A])),
    }))
    expect(await kids('a')).toEqual(['a'])
    expect(paths()).toEqual([`${RFC8414}${path.replace(/\/$/, '')}`, place, '/keys'])
  })

  it.each([
    ['another issuer', (origin: string) => `${origin}/other`],
    ['a slash more', (origin: string) => `${origin}/`],
    ['another case', (origin: string) => origin.toUpperCase()],
    ['no issuer', () => undefined],
    ['a list', (origin: string) => [origin]],
  ])('discards metadata that names %s', async (_, named) => {
    const { kids, paths } = await discovered('', (origin) => ({
      [RFC8414]: json({ issuer: named(origin), jwks_uri: `${origin}/keys` }),
      [OIDC]: json({ issuer: named(origin), jwks_uri: `${origin}/keys` }),
      '/keys': json(setOf(['a', A])),
    }))
    await expect(kids('a')).rejects.toThrow(unavailable(1, 'expected metadata of this issuer, with jwks_uri'))
    expect(paths()).toEqual([RFC8414, OIDC])
  })

  it('goes on to the second place when the first has metadata of another issuer', async () => {
    const { kids } = await discovered('', (origin) => ({
      [RFC8414]: json({ issuer: 'https://other.example', jwks_uri: `${origin}/stolen` }),
      [OIDC]: json({ issuer: origin, jwks_uri: `${origin}/keys` }),
      '/keys': json(setOf(['a', A])),
      '/stolen': json(setOf(['stolen', B])),
    }))
    expect(await kids('a')).toEqual(['a'])
    expect(await kids('stolen')).toEqual([])
  })

  it.each([undefined, '', 'keys', 7, null, ['https://x.example/']])('refuses a jwks_uri that is %s', async (uri) => {
    const { kids } = await discovered('', (origin) => ({ [RFC8414]: json({ issuer: origin, jwks_uri: uri }) }))
    await expect(kids('a')).rejects.toThrow(unavailable(1, 'expected metadata of this issuer, with jwks_uri'))
  })

  it.each(['http://169.254.169.254/keys', 'http://10.0.0.1/', 'file:///etc/passwd'])(
    'JB-12 holds a jwks_uri to the same rules: %s',
    async (uri) => {
      const { kids } = await discovered('', (origin) => ({ [RFC8414]: json({ issuer: origin, jwks_uri: uri }) }))
      await expect(kids('a')).rejects.toThrow(unavailable(1, 'not https'))
    },
  )

  it('takes a jwks_uri on another host', async () => {
    const other = await httpServer(json(setOf(['a', A])))
    const { kids } = await discovered('', (origin) => ({
      [RFC8414]: json({ issuer: origin, jwks_uri: `${other.origin}/keys` }),
    }))
    expect(await kids('a')).toEqual(['a'])
  })

  it('follows keys that moved, and takes no ETag along', async () => {
    let place = '/old'
    const sameTag =
      (set: unknown): Handler =>
      (request, response) =>
        request.headers['if-none-match'] === '"1"'
          ? status(304)(request, response)
          : json(set, { etag: '"1"' })(request, response)
    const { server, clock, kids } = await discovered('', (origin) => ({
      [RFC8414]: json({ issuer: origin, jwks_uri: `${origin}${place}` }),
      '/old': sameTag(setOf(['a', A])),
      '/new': sameTag(setOf(['b', B])),
    }))
    expect(await kids('a')).toEqual(['a'])
    place = '/new'
    clock.now += 400
    expect(await kids('b')).toEqual(['b'])
    expect(await kids('a')).toEqual([])
    expect(server.requests.at(-1)?.headers['if-none-match']).toBeUndefined()
  })

  it('refuses metadata that is too large, is no JSON or repeats a member', async () => {
    for (const body of ['x'.repeat(70_000), '<html>', '{"issuer":"a","issuer":"b"}', '[]']) {
      const { kids } = await discovered('', () => ({ [RFC8414]: status(200, body), [OIDC]: status(200, body) }))
      await expect(kids('a')).rejects.toThrow(expect.objectContaining({ code: 'ERR_TRUST_UNAVAILABLE' }))
    }
  })
})

describe('TLS', () => {
  it('of a key endpoint is checked against the configured authority alone', async () => {
    const issuer = webAuthority()
    const server = await httpsServer(json(setOf(['a', A])), { issuer })
    const entry = { jwks_uri: `${server.origin}/keys`, fetch: { certificate_authority_file: 'ca.pem' } }
    expect(await issuerAt(entry, { files: issuer.pem }).kids('a')).toEqual(['a'])
    await expect(issuerAt(entry, { files: webAuthority('Other').pem }).kids('a')).rejects.toThrow(unavailable(1, 'TLS'))
    await expect(issuerAt({ jwks_uri: entry.jwks_uri }).kids('a')).rejects.toThrow(unavailable(1, 'TLS'))
  })
})

describe('S-12 what an upstream answered', () => {
  it.each([
    ['an error page', status(500, 'SECRET')],
    ['what is no JSON', status(200, 'SECRET')],
    ['JSON with a repeated member', status(200, '{"SECRET":1,"SECRET":2}')],
    ['a broken key', json({ keys: [{ kty: 'EC', crv: 'P-256', x: 'SECRET', y: 'SECRET' }] })],
    ['a kid twice', json(setOf(['SECRET', A], ['SECRET', B]))],
    ['a redirect', status(302, '', { location: 'https://SECRET.example' })],
  ])('is in no error and no status: %s', async (_, answer) => {
    const { kids, status: state } = await remote(answer)
    const error: unknown = await kids('a').catch((caught) => caught)
    expect(error).toEqual(expect.objectContaining({ code: 'ERR_TRUST_UNAVAILABLE' }))
    expect(inspect([error, state()], { depth: 10, showHidden: true })).not.toMatch(/SECRET/i)
  })
})
