import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import type { Step } from '../../src/core/profile.ts'
import type { Expression } from '../../src/core/stage.ts'
import type { Draft } from '../../src/core/token.ts'
import { map, type Value, withMember } from '../../src/core/value.ts'
import { changes } from '../../src/exchange/run.ts'
import { NOW, profile, said, setting, stage, subjectToken, TARGET, world } from '../support/fakes.ts'

/** An expression that is always this. */
const always = (value: Value): Expression => ({ source: 'fake', evaluate: () => value })

const claim = (name: string, value: Value, differs: Partial<Step> = {}): Step =>
  stage((draft) => ({ ...draft, claims: withMember(draft.claims, name, value) }), differs)

/** The trace of the stages only. */
const traceOf = async (...steps: readonly Step[]) => {
  const { exchange, records } = world(profile({ steps }))
  await exchange().catch(() => undefined)
  return records[0]?.trace.filter(({ path }) => path !== undefined)
}

describe('the stages of a profile', () => {
  it('run in the order of the profile, each on what the one before made', async () => {
    const steps = [
      claim('level', 1),
      stage(async (draft) => ({
        ...draft,
        claims: withMember(draft.claims, 'level', Number(draft.claims['level']) + 1),
      })),
      stage((draft) => ({ ...draft, claims: withMember(draft.claims, 'seen', draft.claims['level'] ?? 0) })),
    ]
    const { access_token } = await world(profile({ steps })).exchange()
    expect(said(access_token)).toMatchObject({ level: 2, seen: 2 })
  })

  it('see the exchange: client, subject, clock, proofs', async () => {
    const look = stage((draft, { client, subject, now, proofs, actor }) => {
      const seen = [client.id, subject.claims['sub'] ?? '', now, proofs.length, actor === undefined]
      return { ...draft, claims: withMember(draft.claims, 'seen', seen) }
    })
    const { access_token } = await world(profile({ steps: [look] })).exchange()
    expect(said(access_token)['seen']).toEqual(['orders', 'user-7', NOW, 0, true])
  })

  it('refuse the exchange by what they throw', async () => {
    const refuse = stage(() => {
      throw new DragomanError('ERR_PROFILE_CONDITION')
    })
    await expect(world(profile({ steps: [refuse] })).exchange()).rejects.toMatchObject({
      code: 'ERR_PROFILE_CONDITION',
    })
    const later = stage(() => Promise.reject(new DragomanError('ERR_PROFILE_LOOKUP')))
    await expect(world(profile({ steps: [later] })).exchange()).rejects.toMatchObject({ code: 'ERR_PROFILE_LOOKUP' })
  })

  it('may answer with what can be awaited, and is no promise of this realm', async () => {
    const elsewhere = stage((draft) => {
      const Foreign = runInNewContext('Promise') as PromiseConstructor
      return Foreign.resolve({ ...draft, claims: withMember(draft.claims, 'level', 1) })
    })
    const { exchange, records } = world(profile({ steps: [elsewhere, claim('seen', true)] }))
    expect(said((await exchange()).access_token)).toMatchObject({ level: 1, seen: true })
    expect(records[0]?.trace).toContainEqual(expect.objectContaining({ outcome: 'changed', changed: ['level'] }))
  })

  it('are passed over when their condition is false, and only then', async () => {
    const steps = [claim('a', 1, { when: always(true) }), claim('b', 1, { when: always(false) })]
    const { access_token } = await world(profile({ steps })).exchange()
    expect(said(access_token)).toHaveProperty('a')
    expect(said(access_token)).not.toHaveProperty('b')
  })

  it.each([null, 0, 1, '', 'true', [], map()])(
    'refuse when their condition is %j, neither true nor false',
    async (value) => {
      const asking = world(profile({ steps: [claim('a', 1, { when: always(value), path: 'stages[3].a' })] })).exchange()
      await expect(asking).rejects.toMatchObject({ code: 'ERR_PROFILE_EXPRESSION', detail: { path: 'stages[3].a' } })
    },
  )

  it('have conditions that see the draft as it is by then', async () => {
    const when: Expression = {
      source: 'claims.a == 1',
      evaluate: ({ claims, subject }) => claims['a'] === 1 && subject['sub'] === 'user-7',
    }
    const { access_token } = await world(profile({ steps: [claim('a', 1), claim('b', 2, { when })] })).exchange()
    expect(said(access_token)).toMatchObject({ a: 1, b: 2 })
  })

  it('cannot replace the checks: they run whatever a condition says (S-09)', async () => {
    const narrow = stage((draft) => draft, { when: always(false) })
    const asking = world(profile({ steps: [narrow] })).exchange({ subject_token: subjectToken({ exp: NOW }) })
    await expect(asking).rejects.toMatchObject({ code: 'ERR_TOKEN_EXPIRED' })
  })
})

describe('the trace of the stages', () => {
  it('tells each by name and path, and what it changed', async () => {
    const trace = await traceOf(
      claim('a', 1, { stage: 'context', path: 'stages[0].context' }),
      stage((draft) => draft, { stage: 'subject', path: 'stages[1].subject' }),
      claim('b', 1, { stage: 'context', path: 'stages[2].context', when: always(false) }),
      { stage: 'crypto', path: 'stages[3].crypto', transform: undefined, when: undefined },
    )
    expect(trace).toEqual([
      { step: 'context', path: 'stages[0].context', outcome: 'changed', changed: ['a'] },
      { step: 'subject', path: 'stages[1].subject', outcome: 'unchanged', changed: [] },
      { step: 'context', path: 'stages[2].context', outcome: 'skipped' },
      { step: 'crypto', path: 'stages[3].crypto', outcome: 'passed' },
    ])
  })

  it('ends with the one that refused, and why', async () => {
    const refuse = stage(
      () => {
        throw new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim: 'email' } })
      },
      { stage: 'context', path: 'stages[1].context' },
    )
    const trace = await traceOf(claim('a', 1), refuse, claim('b', 1))
    expect(trace?.at(-1)).toEqual({
      step: 'context',
      path: 'stages[1].context',
      outcome: 'refused',
      detail: { code: 'ERR_PROFILE_REQUIRED', claim: 'email' },
    })
    expect(trace).toHaveLength(2)
  })
})

describe('what a stage changed', () => {
  const before: Draft = {
    claims: map([
      ['sub', 'user-7'],
      ['email', 'x'],
    ]),
    validity: { issuedAt: NOW, notBefore: undefined, expiresAt: NOW + 600, audience: [TARGET], scope: ['read'] },
    confirmation: { jkt: 'k1' },
    embedded: [],
    notes: [],
  }
  const claims = before.claims
  const { validity } = before

  it.each<[string, Partial<Draft>, readonly string[]]>([
    ['nothing', {}, []],
    [
      'nothing, in new clothes',
      { claims: map(Object.entries(claims)), validity: { ...validity, audience: [TARGET], scope: ['read'] } },
      [],
    ],
    ['a claim that it set', { claims: withMember(claims, 'email', 'y') }, ['email']],
    ['a claim that it added', { claims: withMember(claims, 'name', 'y') }, ['name']],
    ['a claim that it left out', { claims: map([['sub', 'user-7']]) }, ['email']],
    ['when it ends', { validity: { ...validity, expiresAt: NOW } }, ['exp']],
    ['when it begins', { validity: { ...validity, notBefore: NOW } }, ['nbf']],
    ['when it was issued', { validity: { ...validity, issuedAt: undefined } }, ['iat']],
    ['the audience', { validity: { ...validity, audience: [] } }, ['aud']],
    ['the scope', { validity: { ...validity, scope: ['write'] } }, ['scope']],
    ['a part of the scope', { validity: { ...validity, scope: ['read', 'write'] } }, ['scope']],
    ['that there is a scope', { validity: { ...validity, scope: undefined } }, ['scope']],
    ['the confirmation', { confirmation: undefined }, ['cnf']],
    ['an embedded token', { embedded: [{ name: 'original', place: 'claim', value: 'x' }] }, ['original']],
  ])('is %s', (_, after, expected) => {
    expect(changes(before, { ...before, ...after })).toEqual(expected)
  })

  it('is a list as soon as one of several differs', () => {
    const two = { ...before, validity: { ...validity, scope: ['read', 'write'] } }
    expect(changes(two, { ...two, validity: { ...validity, scope: ['read', 'admin'] } })).toEqual(['scope'])
  })

  it('is told by name, never by value', async () => {
    const trace = await traceOf(setting({ claims: map([['sub', 'somebody else']]) }))
    expect(JSON.stringify(trace)).not.toContain('somebody')
  })
})
