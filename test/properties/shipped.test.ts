import { generateKeyPairSync } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { map, type Value } from '../../src/core/value.ts'
import { buildCsr } from '../../src/wire/csr.ts'
import { pem } from '../../src/wire/pem.ts'
import { ISSUER, NOW, newWorld, type Reply, WORKLOAD, type World } from '../support/world.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 15)
const SCOPES = ['orders.read', 'orders.write', 'stock.read', 'admin']

let world: World
beforeAll(async () => {
  world = await newWorld()
})
afterAll(() => world.close())

const profiles = readdirSync(join(import.meta.dirname, '../../profiles'))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace('.yaml', ''))

const csr = pem(
  'CERTIFICATE REQUEST',
  buildCsr({ privateKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey }),
)
const BILLING = 'spiffe://alpha.example/ns/shop/sa/billing'

interface Input {
  readonly lifetime: number
  readonly started: number
  readonly scope: readonly string[] | undefined
  readonly audience: readonly string[]
  readonly asked: readonly string[] | undefined
  readonly email: string | undefined
  readonly extra: { readonly [name: string]: unknown }
}

const input: fc.Arbitrary<Input> = fc.record({
  lifetime: fc.integer({ min: -100, max: 7200 }),
  started: fc.integer({ min: -3600, max: 100 }),
  scope: fc.option(fc.subarray(SCOPES), { nil: undefined }),
  audience: fc.subarray([ISSUER, 'https://orders.beta.example', 'https://else.example']),
  asked: fc.option(fc.subarray(SCOPES, { minLength: 1 }), { nil: undefined }),
  email: fc.option(fc.string({ maxLength: 20 }), { nil: undefined }),
  extra: fc.dictionary(fc.stringMatching(/^[a-z]{3,8}$/), fc.oneof(fc.string(), fc.integer(), fc.boolean()), {
    maxKeys: 3,
  }),
})

async function run(profile: string, said: Input): Promise<{ reply: Reply; token: string }> {
  const from = profile.startsWith('cwt') ? 'cwt' : 'jwt'
  const reserved = new Set(['sub', 'aud', 'iss', 'exp', 'nbf', 'iat', 'jti', 'cnf', 'act', 'scope', 'exi', 'cti'])
  const extra = Object.entries(said.extra).filter(([name]) => !reserved.has(name)) as [string, Value][]
  const claims = map([
    ['sub', WORKLOAD],
    ...(said.email === undefined ? [] : [['email', said.email] as const]),
    ...extra,
  ])
  const validity = {
    issuedAt: NOW + said.started,
    notBefore: NOW + said.started,
    expiresAt: NOW + said.lifetime,
    audience: said.audience,
    scope: said.scope,
  }
  const token = await world.token(from, { claims, validity })
  const host = { 'jwt-downscope': 'orders', 'pairwise-subject': 'pairwise-a' }[profile] ?? profile
  const actor = profile === 'jwt-delegate' ? await world.token('jwt', { claims: map([['sub', BILLING]]) }) : undefined
  const reply = await world.post({
    subject_token: token,
    subject_token_type: from === 'cwt' ? tokenTypes.cwt : tokenTypes.jwt,
    audience: `https://${host}.beta.example`,
    scope: said.asked?.join(' '),
    csr: profile.endsWith('x509') ? csr : undefined,
    actor_token: actor,
    actor_token_type: actor && tokenTypes.jwt,
  })
  return { reply, token }
}

async function readBack({ access_token: raw, issued_token_type: type }: Reply['body']) {
  const services = world.gateway.tenants[0]?.services
  const own = services?.trust.find(ISSUER)
  const codec = services?.codecs.find(({ tokenTypes: types }) => types.includes(String(type)))
  const unverified = codec?.parse({ raw: String(raw), type: String(type), role: 'subject' })
  if (!unverified || !own) throw new Error('not read')
  const kind = type === tokenTypes.accessToken ? 'at+jwt' : undefined
  return unverified.verify(own, { now: NOW, clockSkew: 200, kind, subjectFrom: 'san_uri' })
}

describe.each(profiles.filter((name) => !name.startsWith('x509')))('%s', (profile) => {
  it('never issues what is wider than it was given, and records each exchange once', async () => {
    let issued = 0
    await fc.assert(
      fc.asyncProperty(input, async (said) => {
        const before = world.records.length
        const { reply } = await run(profile, said)
        expect(world.records.length).toBe(before + 1)
        if (reply.status !== 200) {
          expect(reply.status).toBe(400)
          // RFC 6749 §5.2: nothing that a quote or a line break could end.
          for (const text of [reply.body['error'], reply.body['error_description']]) {
            expect(String(text)).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/)
          }
          return
        }
        issued += 1
        const { validity, claims } = await readBack(reply.body)
        expect(said.audience).toContain(ISSUER)
        expect(validity.expiresAt).toBeLessThanOrEqual(NOW + said.lifetime)
        expect(validity.expiresAt).toBeGreaterThan(NOW)
        if (said.started > 0) expect(validity.notBefore).toBeGreaterThanOrEqual(NOW + said.started)
        for (const scope of validity.scope ?? []) {
          // A subject token without scope gets what the profile lists, and `admin` is in no profile.
          expect(said.scope ?? SCOPES.slice(0, 3)).toContain(scope)
          if (said.asked) expect(said.asked).toContain(scope)
        }
        expect(validity.audience.every((value) => /^https:\/\/[a-z0-9-]+\.beta\.example$/.test(value))).toBe(true)
        expect(validity.audience).toHaveLength(1)
        // must_keep: an address that came in is there.
        const keeps = ['jwt-to-cwt', 'cwt-to-x509'].includes(profile)
        if (keeps && said.email !== undefined) expect(claims['email']).toBe(said.email)
      }),
      { numRuns: RUNS },
    )
    // Some must come through, or nothing has been shown.
    const plain = {
      lifetime: 600,
      started: -5,
      scope: ['orders.read'],
      audience: [ISSUER, 'https://orders.beta.example'],
      asked: undefined,
      email: 'a@b',
      extra: {},
    }
    expect((await run(profile, plain)).reply.status, `${issued} issued`).toBe(200)
  })

  it('refuses a token that was altered in any one place', async () => {
    const plain = {
      lifetime: 600,
      started: -5,
      scope: ['orders.read'],
      audience: [ISSUER, 'https://orders.beta.example'],
      asked: undefined,
      email: 'a@b',
      extra: {},
    }
    const { token } = await run(profile, plain)
    const type = profile.startsWith('cwt') ? tokenTypes.cwt : tokenTypes.jwt
    const host = { 'jwt-downscope': 'orders', 'pairwise-subject': 'pairwise-a' }[profile] ?? profile
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom('A', 'B', '_', 'z', '0'), async (at, other) => {
        fc.pre(token[at] !== other)
        const altered = token.slice(0, at) + other + token.slice(at + 1)
        const reply = await world.post({
          subject_token: altered,
          subject_token_type: type,
          audience: `https://${host}.beta.example`,
          csr,
        })
        expect(reply.status).toBe(400)
      }),
      { numRuns: RUNS * 4 },
    )
  })
})

describe('the form of a request', () => {
  const ask = async (parameters: { [name: string]: string | string[] | undefined }) => {
    const reply = await world.post(parameters)
    return [reply.status, world.last().code]
  }

  it('does not matter: order, unknown and empty parameters; but any repeated one refuses', async () => {
    const subject_token = await world.token('jwt')
    const good = { subject_token, audience: 'https://orders.beta.example', scope: 'orders.read' }
    expect(await ask(good)).toEqual([200, undefined])
    expect(await ask(Object.fromEntries(Object.entries(good).reverse()))).toEqual([200, undefined])
    expect(await ask({ ...good, unknown: 'x', actor_token: '', resource: '' })).toEqual([200, undefined])
    for (const name of ['scope', 'subject_token', 'subject_token_type', 'grant_type', 'unknown']) {
      const value =
        { ...good, subject_token_type: tokenTypes.jwt, grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange' }[
          name
        ] ?? 'x'
      expect(await ask({ ...good, [name]: [value, value] })).toEqual([400, 'ERR_REQUEST_REPEATED'])
    }
  })

  it('of a token is what its type says, and nothing else is tried', async () => {
    const tokens = { [tokenTypes.jwt]: await world.token('jwt'), [tokenTypes.cwt]: await world.token('cwt') }
    const targets = {
      [tokenTypes.jwt]: 'https://jwt-to-cwt.beta.example',
      [tokenTypes.cwt]: 'https://cwt-to-jwt.beta.example',
    }
    for (const [type, audience] of Object.entries(targets)) {
      for (const [own, subject_token] of Object.entries(tokens)) {
        const [status] = await ask({ subject_token, subject_token_type: type, audience })
        expect(status).toBe(own === type ? 200 : 400)
      }
    }
  })
})
