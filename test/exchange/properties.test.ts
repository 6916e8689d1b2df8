import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { type Danger, dangers } from '../../src/core/profile.ts'
import type { Confirmation, Draft, Note } from '../../src/core/token.ts'
import { isMap, map, sameValue, type Value } from '../../src/core/value.ts'
import {
  actorToken,
  certificate,
  GATEWAY,
  ISSUER,
  key,
  NOW,
  PLAIN,
  plainToken,
  profile,
  said,
  stage,
  subjectToken,
  TARGET,
  targets,
  trusted,
  trustOf,
  world,
} from '../support/fakes.ts'

const runs = { numRuns: Number(process.env['FUZZ_RUNS'] ?? 400) }

const ALL = Object.keys(dangers) as Danger[]
const TARGETS = [TARGET, 'https://rates.example', 'ledger']
const SCOPES = ['read', 'write', 'admin']
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

const actor = fc.record(
  { sub: fc.constantFrom('front', 'back', 'billing'), iss: fc.constant(ISSUER) },
  { requiredKeys: ['sub'] },
)
const act = fc
  .array(actor, { minLength: 1, maxLength: 4 })
  .map((chain) =>
    chain.reduceRight<object | undefined>((inner, link) => (inner ? { ...link, act: inner } : link), undefined),
  )

const cnf = fc.record(
  { jwk: fc.constantFrom('k1', 'k2'), jkt: fc.constantFrom('k1', 'k2'), x5t: fc.constantFrom('c1', 'c2') },
  { requiredKeys: [] },
)

/** Now and then, so that most of what is presented is good. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 4 }, { arbitrary, weight })

const presented = fc
  .record({
    exp: fc.oneof(
      { arbitrary: fc.integer({ min: NOW + 1, max: NOW + 5000 }), weight: 9 },
      fc.integer({ min: NOW - 20, max: NOW }),
    ),
    nbf: seldom(fc.integer({ min: NOW - 50, max: NOW + 31 }), 3),
    scope: maybe(fc.subarray(SCOPES)),
    act: seldom(act, 3),
    cnf: seldom(cnf.filter((members) => Object.keys(members).length > 0)),
    email: fc.constant('ada@example.com'),
  })
  .map(
    (claims) => Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined)) as typeof claims,
  )

const asked = fc.record({
  audience: fc.subarray(TARGETS, { minLength: 1 }),
  scope: maybe(fc.subarray(SCOPES)),
  dpop: fc.constantFrom<string[]>([], ['k1'], ['k2']),
  certificates: fc.constantFrom(undefined, certificate('k1', 'c1'), certificate('k2', 'c2')),
  csr: fc.constantFrom(undefined, 'k1', 'k3'),
})

const odd = fc.constantFrom<unknown>(
  undefined,
  null,
  Number.NaN,
  Infinity,
  -Infinity,
  'x',
  -1,
  0.5,
  NOW + 0.5,
  [],
  {},
  2 ** 60,
)
const time = fc.oneof(
  { arbitrary: fc.integer({ min: NOW - 100, max: NOW + 900 }), weight: 4 },
  fc.integer({ min: NOW, max: NOW + 9000 }),
  odd,
)
const confirmation: fc.Arbitrary<Confirmation | undefined> = maybe(
  fc.record(
    {
      publicKey: fc.constantFrom('k1', 'k2', 'evil').map(key),
      jkt: fc.constantFrom('k1', 'k2', 'evil'),
      x5tS256: fc.constantFrom('c1', 'c2', 'evil'),
      ckt: fc.constantFrom('ckt-k1', 'ckt-k2', 'evil'),
    },
    { requiredKeys: [] },
  ),
)

const note: fc.Arbitrary<Note> = fc.record({
  claim: fc.constantFrom('scope', 'email', 'sub', 'act'),
  became: fc.constantFrom('renamed', 'mapped', 'hashed', 'embedded', 'converted', 'narrowed'),
  to: maybe(fc.constantFrom(...SCOPES, 'email', 'mail')),
  from: maybe(fc.constantFrom(...SCOPES)),
})

const claims = fc.dictionary(
  fc.constantFrom('sub', 'act', 'email', 'exp', 'aud', 'cnf', 'scope', 'iss', 'jti', 'acr', '__proto__', 'constructor'),
  fc.oneof(act as fc.Arbitrary<Value>, fc.constantFrom<Value>('x', NOW + 9000, ['x'], null, { sub: 'other' })),
  { maxKeys: 3 },
)

/** One thing that a careless or hostile stage does. */
type Deed = (draft: Draft) => unknown
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { arbitrary: fc.constant<Deed>((draft) => draft), weight: 3 },
  fc.record({ issuedAt: time, notBefore: time, expiresAt: time }, { requiredKeys: [] }).map(
    (times): Deed =>
      (draft) => ({ ...draft, validity: { ...draft.validity, ...times } }),
  ),
  fc
    .record(
      { audience: fc.subarray([...TARGETS, 'https://evil.example']), scope: maybe(fc.subarray([...SCOPES, 'root'])) },
      { requiredKeys: [] },
    )
    .map(
      (reach): Deed =>
        (draft) => ({ ...draft, validity: { ...draft.validity, ...reach } }),
    ),
  confirmation.map(
    (other): Deed =>
      (draft) => ({ ...draft, confirmation: other }),
  ),
  claims.map(
    (others): Deed =>
      (draft) => ({ ...draft, claims: map(Object.entries(others)) }),
  ),
  claims.map(
    (others): Deed =>
      (draft) => ({ ...draft, claims: { ...draft.claims, ...others } }),
  ),
  act.map(
    (earlier): Deed =>
      (draft) => ({ ...draft, claims: { ...draft.claims, act: { sub: 'orders', act: earlier } as Value } }),
  ),
  fc.constant<Deed>((draft) => ({
    ...draft,
    claims: {
      ...draft.claims,
      act: { sub: 'orders', ...(draft.claims['act'] !== undefined && { act: draft.claims['act'] }) },
    },
  })),
  fc.array(note, { maxLength: 3 }).map(
    (notes): Deed =>
      (draft) => ({ ...draft, notes: [...draft.notes, ...notes] }),
  ),
  fc
    .record({
      name: fc.constantFrom('original', 'exp', 'cnf', 'act'),
      place: fc.constantFrom('claim' as const, 'header' as const),
      value: fc.constant('x'),
    })
    .map(
      (embedded): Deed =>
        (draft) => ({ ...draft, embedded: [...draft.embedded, embedded] }),
    ),
  // In place, behind the back of whoever compares.
  fc.constant<Deed>((draft) => {
    ;(draft.validity.audience as string[]).push('https://evil.example')
    return draft
  }),
  fc.constant<Deed>((draft) => {
    const history = draft.claims['act']
    if (isMap(history)) (history as { sub: string }).sub = 'nobody'
    return draft
  }),
  odd.map(
    (other): Deed =>
      () =>
        other,
  ),
  fc.constant<Deed>(() => {
    throw new TypeError('a defect')
  }),
)

const setup = fc.record({
  subject: presented,
  actor: seldom(presented),
  asked,
  deeds: fc.array(deed, { maxLength: 3 }),
  dangers: fc.oneof(fc.constant<Danger[]>([]), fc.subarray(ALL)),
  maxLifetime: fc.constantFrom(60, 3600),
  ceiling: fc.constantFrom(undefined, NOW + 30, NOW + 4000),
})

type Setup = typeof setup extends fc.Arbitrary<infer T> ? T : never

function run({ subject, actor: acting, asked: request, deeds, dangers: allowed, maxLifetime, ceiling }: Setup) {
  const all = profile({
    subject: { clockSkew: 30 },
    ...(acting && { actor: { clockSkew: 30 } }),
    targets: targets(...TARGETS),
    steps: deeds.map((does) => stage((draft) => does(draft) as Draft)),
    ...{ dangers: allowed, maxLifetime },
    ...(ceiling !== undefined && { ceiling }),
  })
  const here = world(all, { trust: trustOf(trusted(ISSUER, { history: true })) })
  const given = {
    ...request,
    subject_token: subjectToken(subject),
    ...(acting && { actor_token: actorToken(acting), actor_token_type: PLAIN }),
  }
  return { ...here, given, answer: here.exchange(given) }
}

function chainOf(history: Value | undefined): readonly Value[] {
  return isMap(history) ? [history, ...chainOf(history['act'])] : []
}

/** What must hold of whatever was issued, written down once more and in another way. */
function assertNarrow(
  token: { readonly [claim: string]: Value },
  { subject, actor: acting, asked: request, dangers: allowed, ...setup }: Setup,
) {
  const may = (danger: Danger) => allowed.includes(danger)
  const {
    exp,
    nbf,
    iat,
    aud,
    scope,
    act: history,
    cnf: bound,
    iss,
  } = token as { [claim: string]: Value } & {
    exp: number
    nbf?: number
    iat?: number
    aud: string[]
    scope?: string[]
    cnf?: { [name: string]: string }
  }
  expect(iss).toBe(GATEWAY)
  expect(Number.isSafeInteger(exp)).toBe(true)
  expect(exp).toBeGreaterThan(NOW)
  expect(exp).toBeLessThanOrEqual(Math.min(NOW + setup.maxLifetime, setup.ceiling ?? Infinity))
  if (!may('danger_outlive_subject')) expect(exp).toBeLessThanOrEqual(Math.min(subject.exp, acting?.exp ?? Infinity))
  expect(iat ?? NOW).toBeLessThanOrEqual(NOW)
  if (nbf !== undefined) expect(Number.isSafeInteger(nbf)).toBe(true)
  const start = Math.max(subject.nbf ?? 0, acting?.nbf ?? 0, NOW)
  if (!may('danger_start_earlier')) expect(Math.max(nbf ?? 0, NOW)).toBeGreaterThanOrEqual(start)

  expect(aud.length).toBeGreaterThan(0)
  expect(request.audience).toEqual(expect.arrayContaining(aud))
  const held = (name: string) => subject.scope === undefined || subject.scope.includes(name)
  const wanted = (name: string) => request.scope === undefined || request.scope.includes(name)
  for (const name of scope ?? []) {
    // Whatever a stage notes of it.
    expect((held(name) && wanted(name)) || may('danger_widen_scope')).toBe(true)
  }

  if (!may('danger_drop_act')) {
    if (subject.act !== undefined)
      expect(chainOf(history).some((link) => sameValue(link, subject.act as Value))).toBe(true)
    if (acting !== undefined) expect(sameValue(history, subject.act as Value)).toBe(false)
  }

  if (!may('danger_drop_confirmation') && (subject.cnf !== undefined || request.dpop.length > 0))
    expect(bound).toBeDefined()
  const [handshake, thumbprint] = String(request.certificates?.[0] ?? '').split(' ')
  const shown = [...request.dpop, request.csr, handshake].filter((name) => name !== undefined && name !== '')
  const proved = [
    ...shown,
    ...shown.map((name) => `ckt-${name}`),
    thumbprint,
    ...Object.values(subject.cnf ?? {}),
    ...Object.values(acting?.cnf ?? {}),
  ]
  if (bound !== undefined) {
    expect(Object.values(bound).length).toBeGreaterThan(0)
    expect(proved).toEqual(expect.arrayContaining(Object.values(bound)))
  }
}

describe('whatever was presented and whatever the stages do', () => {
  it('what is issued is not wider, or nothing is', async () => {
    let issued = 0
    await fc.assert(
      fc.asyncProperty(setup, async (given) => {
        const drafts: Draft[] = []
        const watch: Deed = (draft) => {
          drafts.push(draft)
          return draft
        }
        const watched = { ...given, deeds: [...given.deeds, watch] }
        const { answer, records } = run(watched)
        const result = await answer.catch((error: unknown) => error)
        expect(records).toHaveLength(1)
        if (result instanceof Error) {
          expect(result).toBeInstanceOf(DragomanError)
          expect(records[0]).toMatchObject({ result: 'refused', code: (result as DragomanError).code })
          return
        }
        issued += 1
        const { access_token, expires_in } = await answer
        const token = said(access_token)
        assertNarrow(token, given)
        expect(expires_in).toBe(Number(token['exp']) - NOW)
        expect(records[0]).toMatchObject({ result: 'issued', expires_at: token['exp'], audience: token['aud'] })
      }),
      runs,
    )
    // Else the property would hold of nothing.
    expect(issued).toBeGreaterThan(runs.numRuns / 20)
  })

  it('what is presented and good comes through where the stages do nothing, as narrow as that', async () => {
    const good = setup.map((given) => ({ ...given, deeds: [], dangers: [], actor: undefined }))
    let issued = 0
    await fc.assert(
      fc.asyncProperty(good, async (given) => {
        const { answer } = run(given)
        const result = await answer.catch((error: unknown) => error)
        if (result instanceof DragomanError) {
          expect([
            'ERR_TOKEN_EXPIRED',
            'ERR_TOKEN_NOT_YET_VALID',
            'ERR_TOKEN_UNPROVED',
            'ERR_PROOF_MISMATCH',
          ]).toContain(result.code)
          return
        }
        issued += 1
        const token = said((await answer).access_token)
        assertNarrow(token, given)
        expect(token['exp']).toBe(Math.min(given.subject.exp, NOW + given.maxLifetime, given.ceiling ?? Infinity))
        expect(token['act']).toEqual(given.subject.act)
        expect(token).not.toHaveProperty('email')
      }),
      runs,
    )
    expect(issued).toBeGreaterThan(runs.numRuns / 10)
  })

  it('the record holds neither token nor claim value, and names each claim once', async () => {
    await fc.assert(
      fc.asyncProperty(setup, async (given) => {
        const { answer, records, given: request } = run(given)
        const result = await answer.catch(() => undefined)
        const text = JSON.stringify(records)
        for (const token of [request.subject_token, request.actor_token, result?.access_token]) {
          if (token !== undefined) expect(text).not.toContain(token)
        }
        for (const value of ['ada@example.com', 'user-7', 'a defect']) expect(text).not.toContain(value)
        const names = records[0]?.ledger?.map(({ claim }) => claim) ?? []
        expect(new Set(names).size).toBe(names.length)
      }),
      runs,
    )
  })

  it('a token of any shape is refused with a reason, or taken', async () => {
    const { exchange } = world(profile({ subject: { clockSkew: 30 } }))
    const shape = fc.dictionary(
      fc.constantFrom('iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'scope', 'act', 'may_act', 'typ', 'alg', 'jti'),
      fc.oneof(fc.constantFrom<unknown>(ISSUER, [GATEWAY], NOW + 60, 'user-7', '1e400', null, {}, []), fc.jsonValue()),
    )
    await fc.assert(
      fc.asyncProperty(shape, async (claimed) => {
        const result = await exchange({ subject_token: plainToken(claimed, ISSUER) }).catch((error: unknown) => error)
        if (result instanceof Error) expect(result).toBeInstanceOf(DragomanError)
      }),
      runs,
    )
  })
})
