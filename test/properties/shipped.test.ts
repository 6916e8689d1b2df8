import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { decode } from 'cborg'
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { keepsHistory } from '../../src/core/act.ts'
import type { Token, Validity } from '../../src/core/token.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { isMap, map, sameValue, type Value } from '../../src/core/value.ts'
import { buildCsr } from '../../src/wire/csr.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { parsePem, pem } from '../../src/wire/pem.ts'
import { dpopBy, rewrite } from '../support/live.ts'
import {
  ISSUER,
  NOW,
  newWorld,
  type Parameters,
  type Reply,
  TOKEN_EXCHANGE,
  WORKLOAD,
  type World,
} from '../support/world.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 25)
const SCOPES = ['orders.read', 'orders.write', 'stock.read', 'admin']
const BILLING = 'spiffe://alpha.example/ns/shop/sa/billing'
const folder = join(import.meta.dirname, '../../profiles')

/** What a property needs to know of a profile, from its file. */
interface Shipped {
  readonly name: string
  readonly from: 'jwt' | 'cwt' | 'x509'
  readonly target: string
  readonly lifetime: number
  readonly mustKeep: readonly string[]
  readonly acts: boolean
  /** Scopes that it grants to a token without any. */
  readonly scopes: readonly string[]
  /** Leaves the subject as it is. */
  readonly plain: boolean
}

interface File {
  readonly name: string
  readonly accept: { subject: { format: 'jwt' }; actor?: object; targets: { allow: string[] } }
  readonly stages: readonly { readonly [stage: string]: { lifetime?: number; scope?: { allow?: string[] } } }[]
  readonly must_keep?: string[]
}

const shipped: readonly Shipped[] = readdirSync(folder)
  .filter((file) => /^[^.]+\.yaml$/.test(file))
  .map((file) => {
    const { name, accept, stages, must_keep: mustKeep = [] } = parse(readFileSync(join(folder, file), 'utf8')) as File
    const validity = stages.flatMap((stage) => stage['validity'] ?? [])
    return {
      name,
      from: accept.subject.format,
      target: accept.targets.allow[0] ?? '',
      lifetime: validity[0]?.lifetime ?? 3600,
      mustKeep,
      acts: accept.actor !== undefined,
      scopes: validity[0]?.scope?.allow ?? [],
      plain: !stages.some((stage) => 'subject' in stage),
    }
  })

let world: World
const holder = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const wanted = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const csr = pem('CERTIFICATE REQUEST', buildCsr({ privateKey: wanted }))
const keyOf = (privateKey: KeyObject) => publicKey(createPublicKey(privateKey))

beforeAll(async () => {
  world = await newWorld({
    edit(at) {
      // So that there is history to lose.
      for (let round = 0; round < 3; round += 1) {
        rewrite(at, 'dragoman.yaml', /subjects: \[spiffe:\/\/alpha\.example\/\*\]\n(?! {4}history)/, HISTORY)
      }
    },
  })
})
afterAll(() => world.close())
const HISTORY = 'subjects: [spiffe://alpha.example/*]\n    history: true\n'

interface Input {
  readonly end: number
  readonly start: number | undefined
  readonly scope: readonly string[] | undefined
  readonly audience: readonly string[]
  readonly asked: readonly string[] | undefined
  readonly email: string | undefined
  readonly act: Value | undefined
  readonly bound: 'holder' | 'other' | undefined
  readonly proof: 'holder' | 'other' | undefined
  readonly extra: { readonly [name: string]: Value }
}

const RESERVED = new Set([
  'sub',
  'aud',
  'iss',
  'exp',
  'nbf',
  'iat',
  'jti',
  'cnf',
  'act',
  'scope',
  'exi',
  'cti',
  'email',
])
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const seldom = <T>(usual: T, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 4 }, { arbitrary, weight: 1 })
const actor = fc.record({ sub: fc.constantFrom('svc-a', 'svc-b'), iss: fc.constant('https://id.alpha.example') })
const chain = fc
  .array(actor, { minLength: 1, maxLength: 3 })
  .map(
    (links): Value =>
      links.reduce<Value | undefined>(
        (inner, { sub, iss }) => map([['sub', sub], ['iss', iss], ...(inner ? [['act', inner] as const] : [])]),
        undefined,
      ) ?? map(),
  )

const input: fc.Arbitrary<Input> = fc.record({
  end: fc.oneof({ arbitrary: fc.integer({ min: 1, max: 7200 }), weight: 8 }, fc.integer({ min: -100, max: 0 })),
  start: some(fc.integer({ min: -3600, max: 60 })),
  scope: some(fc.subarray(SCOPES)),
  audience: seldom([ISSUER, 'https://orders.beta.example'], fc.subarray([ISSUER, 'https://else.example'])),
  asked: some(fc.subarray(SCOPES, { minLength: 1 })),
  email: some(fc.string({ minLength: 1, maxLength: 20 })),
  act: seldom<Value | undefined>(undefined, chain),
  bound: seldom<Input['bound']>(undefined, fc.constantFrom('holder', 'other')),
  proof: some(fc.constantFrom('holder', 'holder', 'other')),
  extra: fc.dictionary(
    fc.stringMatching(/^[a-z]{3,8}$/).filter((name) => !RESERVED.has(name)),
    fc.oneof(fc.string(), fc.integer(), fc.boolean()),
    { maxKeys: 3 },
  ),
})

const plain: Input = {
  end: 600,
  start: -5,
  scope: ['orders.read'],
  audience: [ISSUER, 'https://orders.beta.example'],
  asked: undefined,
  email: 'a@b.example',
  act: undefined,
  bound: undefined,
  proof: undefined,
  extra: {},
}

const keys = { holder, other }

async function mint({ from }: Pick<Shipped, 'from'>, said: Input): Promise<string> {
  const claims = map([
    ['sub', WORKLOAD],
    ...(said.email === undefined ? [] : [['email', said.email] as const]),
    ...(said.act === undefined ? [] : [['act', said.act] as const]),
    ...Object.entries(said.extra),
  ])
  const validity: Validity = {
    issuedAt: from === 'x509' ? undefined : NOW + Math.min(0, said.start ?? 0),
    notBefore: said.start === undefined ? (from === 'x509' ? NOW - 5 : undefined) : NOW + said.start,
    expiresAt: NOW + Math.max(said.end, (said.start ?? -5) + 1),
    // A certificate is for nobody in particular.
    audience: from === 'x509' ? [] : said.audience,
    scope: said.scope,
  }
  if (from === 'x509') {
    const confirmation = { publicKey: keyOf(keys[said.bound ?? 'holder']) }
    return world.token('x509', { kind: 'client', claims, validity, confirmation })
  }
  const key = said.bound && keyOf(keys[said.bound])
  return world.token(from, {
    claims,
    validity,
    ...(key && { confirmation: from === 'jwt' ? { jkt: key.jkt } : { publicKey: key } }),
  })
}

const TYPES = { jwt: tokenTypes.jwt, cwt: tokenTypes.cwt, x509: tokenTypes.x509 } as const

async function ask(profile: Shipped, said: Input, more: Parameters = {}): Promise<Reply & { readonly token: string }> {
  const token = await mint(profile, said)
  const acting = profile.acts ? await world.token('jwt', { claims: map([['sub', BILLING]]) }) : undefined
  const parameters = {
    subject_token: token,
    subject_token_type: TYPES[profile.from],
    audience: profile.target,
    scope: said.asked?.join(' '),
    csr: profile.name.endsWith('to-x509') ? csr : undefined,
    actor_token: acting,
    actor_token_type: acting && tokenTypes.jwt,
    ...more,
  }
  return { ...(await world.post(parameters, proofFor(profile, said))), token }
}

/** Certificates are nothing without a proof; of others what the input says. */
function proofFor({ from }: Pick<Shipped, 'from'>, { proof, bound }: Input): { [name: string]: string } {
  const by = proof ?? (from === 'x509' ? (bound ?? 'holder') : undefined)
  return by ? { dpop: dpopBy(keys[by], { issuer: ISSUER }, { iat: NOW }) } : {}
}

async function readBack({ access_token: raw, issued_token_type: type }: Reply['body']): Promise<Token> {
  const services = world.gateway.tenants[0]?.services
  const own = services?.trust.find(ISSUER)
  const codec = services?.codecs.find(({ tokenTypes: types }) => types.includes(String(type)))
  const unverified = codec?.parse({ raw: String(raw), type: String(type), role: 'subject' })
  if (!unverified || !own) throw new Error('not read')
  const kind = type === tokenTypes.accessToken ? 'at+jwt' : undefined
  const token = await unverified.verify(own, { now: NOW, clockSkew: 200, kind, subjectFrom: 'san_uri' })
  expect(endOf(String(raw), String(type))).toBe(token.validity.expiresAt)
  return token
}

/** When a token ends, as software says that is not ours. */
function endOf(raw: string, type: string): number {
  if (type === tokenTypes.x509) return new X509Certificate(raw).validToDate.getTime() / 1000
  if (type !== tokenTypes.cwt) return decodeJwt(raw).exp ?? 0
  const tags = { 18: untagged, 61: untagged }
  const bytes = Buffer.from(raw, 'base64url')
  const message = decode(bytes, { useMaps: true, tags: Object.assign([], tags) }) as [unknown, unknown, Uint8Array]
  return Number((decode(message[2], { useMaps: true }) as Map<unknown, unknown>).get(4))
}
const untagged = (decoded: unknown) => (typeof decoded === 'function' ? (decoded as () => unknown)() : decoded)

/** RFC 6749 §5.2: nothing that a quote or a line break could end. */
function assertRefusal({ status, body }: Reply): void {
  expect(status).toBe(400)
  expect(body).not.toHaveProperty('access_token')
  for (const text of [body['error'], body['error_description']]) {
    expect(String(text)).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
  }
  expect(world.last()).toMatchObject({ result: 'refused', code: expect.stringMatching(/^ERR_(?!INTERNAL)/) })
}

/** Nothing in what came out reaches further than what went in. */
async function assertNarrower(profile: Shipped, said: Input, reply: Reply): Promise<void> {
  const { validity, claims, confirmation } = await readBack(reply.body)
  const { expiresAt = Infinity, notBefore = -Infinity, audience, scope } = validity
  expect(profile.from === 'x509' || said.audience.includes(ISSUER)).toBe(true)
  expect(expiresAt).toBeGreaterThan(NOW)
  expect(expiresAt).toBeLessThanOrEqual(NOW + Math.min(Math.max(said.end, (said.start ?? -5) + 1), profile.lifetime))
  if ((said.start ?? 0) > 0) expect(notBefore).toBeGreaterThanOrEqual(NOW + (said.start ?? 0))
  expect(audience).toEqual([profile.target])
  for (const one of scope ?? []) {
    expect(said.scope ?? profile.scopes).toContain(one)
    if (said.asked) expect(said.asked).toContain(one)
  }
  // History: as it was, below whoever acts now.
  expect(keepsHistory(claims['act'], said.act)).toBe(true)
  if (profile.acts) {
    const { act } = claims
    expect(isMap(act) && act['sub'] === BILLING && sameValue(act['act'], said.act)).toBe(true)
  } else expect(sameValue(claims['act'], said.act)).toBe(true)
  assertBound(profile, said, confirmation)
  for (const name of profile.mustKeep) {
    if (name === 'email' && said.email !== undefined) expect(claims['email']).toBe(said.email)
  }
  if (profile.plain) expect(claims['sub']).toBe(WORKLOAD)
  assertTold(reply, validity)
}

function assertBound(profile: Shipped, { bound, proof }: Input, confirmation: Token['confirmation']): void {
  const jkt = confirmation?.jkt ?? confirmation?.publicKey?.jkt
  const held = profile.from === 'x509' ? (bound ?? 'holder') : bound
  // Bound to what it was bound to, and then only with that proof; else to the proof that came.
  if (held) expect([jkt, proof ?? held]).toEqual([keyOf(keys[held]).jkt, held])
  else if (proof && !profile.name.endsWith('to-x509')) expect(jkt).toBe(keyOf(keys[proof]).jkt)
  else if (profile.name.endsWith('to-x509')) expect([keyOf(wanted).jkt, proof && keyOf(keys[proof]).jkt]).toContain(jkt)
  else expect(jkt).toBeUndefined()
}

/** What the client and the record are told is what the token says. */
function assertTold({ body }: Reply, { expiresAt, audience, scope }: Validity): void {
  expect(body['expires_in']).toBe((expiresAt ?? 0) - NOW)
  if (body['scope'] !== undefined) expect(body['scope']).toBe((scope ?? []).join(' '))
  const record = world.last()
  expect(record).toMatchObject({ result: 'issued', expires_at: expiresAt, audience })
  expect(record.output_sha256).toBe(createHash('sha256').update(String(body['access_token'])).digest('hex'))
}

describe.each(shipped.map((profile) => [profile.name, profile] as const))('%s', (_name, profile) => {
  it('issues what was asked for, to a plain token', async () => {
    expect((await ask(profile, plain)).status).toBe(200)
  })

  it('never issues what is wider than it was given, and records each exchange once', async () => {
    await fc.assert(
      fc.asyncProperty(input, async (said) => {
        const before = world.records.length
        const reply = await ask(profile, said)
        expect(world.records.length).toBe(before + 1)
        if (reply.status === 200) await assertNarrower(profile, said, reply)
        else assertRefusal(reply)
      }),
      { numRuns: RUNS },
    )
  })

  it('refuses a token that was altered in any one place', async () => {
    const { token } = await ask(profile, plain)
    const bytes = profile.from === 'jwt' ? Buffer.from(token, 'latin1') : bytesOf(profile.from, token)
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const altered = Buffer.from(bytes)
        altered[at] = (altered[at] ?? 0) ^ change
        const reply = await ask(profile, plain, { subject_token: textOf(profile.from, altered) })
        assertRefusal(reply)
      }),
      { numRuns: RUNS * 2 },
    )
  })

  it('says the same whatever the order of parameters, and whatever else there is', async () => {
    const outcome = async (more: Parameters) => {
      const { status, body } = await ask(profile, { ...plain, asked: ['orders.read'] }, more)
      return [status, body['issued_token_type'], body['token_type'], body['scope'], world.last().profile]
    }
    const usual = await outcome({})
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.stringMatching(/^x_[a-z]{1,8}$/), fc.string({ maxLength: 20 }), { maxKeys: 4 }),
        fc.subarray(['resource', 'requested_token_type', 'client_secret', 'client_assertion', 'act']),
        async (unknown, empty) => {
          const nothing = Object.fromEntries(empty.map((name) => [name, '']))
          expect(await outcome({ ...unknown, ...nothing })).toEqual(usual)
        },
      ),
      { numRuns: Math.min(RUNS, 10) },
    )
  })

  it('refuses what is repeated, except audience and resource', async () => {
    const token = await mint(profile, plain)
    const once = {
      grant_type: TOKEN_EXCHANGE,
      subject_token: token,
      subject_token_type: TYPES[profile.from],
      scope: 'orders.read',
      requested_token_type: 'x',
      csr,
      actor_token: token,
      actor_token_type: tokenTypes.jwt,
      client_id: 'demo',
      unknown: 'x',
    }
    for (const [name, value] of Object.entries(once)) {
      for (const twice of [
        [value, value],
        [value, `${value}x`],
        ['', value],
        ['', ''],
      ]) {
        assertRefusal(await ask(profile, plain, { [name]: twice }))
        expect([name, world.last().code]).toEqual([name, 'ERR_REQUEST_REPEATED'])
      }
    }
    for (const name of ['audience', 'resource']) {
      expect((await ask(profile, plain, { [name]: [profile.target, profile.target] })).status).toBe(200)
    }
  })
})

const bytesOf = (from: 'cwt' | 'x509', token: string): Buffer =>
  from === 'cwt' ? Buffer.from(token, 'base64url') : Buffer.from(parsePem(token)[0]?.der ?? [])
const textOf = (from: Shipped['from'], bytes: Buffer): string => {
  if (from === 'jwt') return bytes.toString('latin1')
  return from === 'cwt' ? bytes.toString('base64url') : pem('CERTIFICATE', bytes)
}

describe('the type of a token', () => {
  it('is what is said, and nothing else is tried: off the diagonal everything is refused', async () => {
    const certificate = await mint({ from: 'x509' }, plain)
    const der = bytesOf('x509', certificate)
    const cwt = await mint({ from: 'cwt' }, plain)
    // Without tag 61 and tag 18: an array that only its type says what it is.
    const untagged = Buffer.from(cwt, 'base64url').subarray(3).toString('base64url')
    const { cwtSign1, cwtSign } = tokenTypes
    const forms: readonly (readonly [from: Shipped['from'], types: readonly string[], token: string])[] = [
      // An ID token is a JWT of the plain kind.
      ['jwt', [tokenTypes.jwt, tokenTypes.idToken], await mint({ from: 'jwt' }, plain)],
      // A tag that is there says no more than that type does.
      ['cwt', [tokenTypes.cwt, cwtSign1, cwtSign], cwt],
      ['cwt', [cwtSign1], untagged],
      ['x509', [tokenTypes.x509], certificate],
      ['x509', [tokenTypes.x509Der], der.toString('base64url')],
      ['x509', [tokenTypes.mtls], JSON.stringify([der.toString('base64')])],
    ]
    for (const profile of shipped) {
      for (const [from, own, token] of forms) {
        for (const type of Object.values(tokenTypes)) {
          const { status } = await ask({ ...profile, from }, plain, { subject_token: token, subject_token_type: type })
          const fits = own.includes(type) && from === profile.from
          expect([profile.name, own, type, status]).toEqual([profile.name, own, type, fits ? 200 : 400])
        }
      }
    }
  })
})

describe('a JWT whose claims are anything', () => {
  const anything = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('', 0, -1, 1e300, NOW + 0.5, NOW + 60, [], {}, null, [ISSUER], WORKLOAD, { sub: 'x' }, [['a']]),
  )
  const names = [
    'iss',
    'sub',
    'aud',
    'exp',
    'nbf',
    'iat',
    'jti',
    'scope',
    'act',
    'may_act',
    'cnf',
    'email',
    'amr',
    'acr',
  ]
  const good = { iss: 'https://id.alpha.example', sub: WORKLOAD, aud: ISSUER, exp: NOW + 600, iat: NOW, jti: 'a' }
  const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

  it('is refused, or what is issued for it is narrower', async () => {
    const { jwt } = world.alpha.signers
    const statuses = new Set<number>()
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...names), anything, { minKeys: 1, maxKeys: 2 }),
        fc.constantFrom(...shipped.filter(({ from, acts }) => from === 'jwt' && !acts)),
        async (hostile, profile) => {
          const claims: { readonly [name: string]: unknown } = { ...good, ...hostile }
          const signed = `${b64({ alg: 'ES256', kid: jwt.kid })}.${b64(claims)}`
          const signature = Buffer.from(await jwt.sign(Buffer.from(signed))).toString('base64url')
          const reply = await ask(profile, plain, { subject_token: `${signed}.${signature}` })
          statuses.add(reply.status)
          if (reply.status !== 200) return assertRefusal(reply)
          const { validity, claims: out } = await readBack(reply.body)
          expect([claims['aud']].flat()).toContain(ISSUER)
          expect(validity.expiresAt).toBeLessThanOrEqual(Math.floor(Number(claims['exp'])))
          if (typeof claims['nbf'] === 'number' && claims['nbf'] > NOW) {
            expect(validity.notBefore).toBeGreaterThanOrEqual(claims['nbf'])
          }
          const held = typeof claims['scope'] === 'string' ? claims['scope'].split(' ') : profile.scopes
          for (const scope of validity.scope ?? []) expect(held).toContain(scope)
          // As JSON has it: members in whatever order.
          const said = claims['act'] === undefined ? undefined : JSON.parse(JSON.stringify(claims['act']))
          expect(out['act']).toEqual(said)
          expect(claims['cnf'] === undefined && claims['may_act'] === undefined).toBe(true)
        },
      ),
      { numRuns: RUNS * 4 },
    )
    expect(statuses).toEqual(new Set([200, 400]))
  })
})
