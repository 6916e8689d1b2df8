import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { actDepth, assertMayAct, keepsHistory, MAX_ACT_BYTES, MAX_ACT_DEPTH, prependActor } from '../../src/core/act.ts'
import type { Token, Verified } from '../../src/core/token.ts'
import { map, sameValue, type Value, type ValueMap } from '../../src/core/value.ts'

const refusal = (code: string) => expect.objectContaining({ code })
const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)

const chain = (depth: number): ValueMap => (depth === 1 ? { sub: 'a1' } : { sub: `a${depth}`, act: chain(depth - 1) })

describe('actDepth', () => {
  it('counts the actors', () => {
    expect(actDepth(undefined)).toBe(0)
    expect(actDepth(chain(1))).toBe(1)
    expect(actDepth(chain(MAX_ACT_DEPTH))).toBe(MAX_ACT_DEPTH)
  })

  it('refuses one actor too many: cutting the chain would forge history (AC-12)', () => {
    expect(() => actDepth(chain(MAX_ACT_DEPTH + 1))).toThrow(refusal('ERR_TOKEN_ACT'))
  })

  it.each<[string, Value]>([
    ['text', 'a1'],
    ['null', null],
    ['a list', [{ sub: 'a1' }]],
    ['bytes', Uint8Array.of(1)],
    ['text inside', { sub: 'a2', act: 'a1' }],
    ['null inside', { sub: 'a2', act: null }],
  ])('refuses %s', (_, act) => {
    expect(() => actDepth(act)).toThrow(refusal('ERR_TOKEN_ACT'))
  })

  it('refuses one that is too big, to the byte', () => {
    const filled = (bytes: number): ValueMap => ({ sub: 'x'.repeat(bytes - '{"sub":""}'.length) })
    expect(actDepth(filled(MAX_ACT_BYTES))).toBe(1)
    expect(() => actDepth(filled(MAX_ACT_BYTES + 1))).toThrow(refusal('ERR_TOKEN_ACT'))
    expect(() => actDepth({ sub: 'ü'.repeat(MAX_ACT_BYTES / 2) })).toThrow(refusal('ERR_TOKEN_ACT'))
  })
})

describe('prependActor', () => {
  it('puts the newest outermost, and everything earlier unchanged inside it (AC-03, AC-05)', () => {
    expect(prependActor({ sub: 'billing', iss: 'x' }, chain(2))).toEqual({ sub: 'billing', iss: 'x', act: chain(2) })
    expect(prependActor({ sub: 'billing' }, undefined)).toEqual({ sub: 'billing' })
  })

  it('takes what says who the actor is, and nothing that says when or for whom (AC-02)', () => {
    const actor = {
      ...{ sub: 'billing', iss: 'x', client_id: 'c' },
      ...{ exp: 1, nbf: 1, iat: 1, aud: 'x', jti: 'x', cnf: {}, scope: 'x', act: { sub: 'its own' }, may_act: {} },
    }
    expect(prependActor(actor, { sub: 'front' })).toEqual({
      sub: 'billing',
      iss: 'x',
      client_id: 'c',
      act: { sub: 'front' },
    })
  })

  it('refuses an actor of whom nothing says who it is', () => {
    expect(() => prependActor({}, chain(1))).toThrow(refusal('ERR_TOKEN_ACT'))
    expect(() => prependActor({ exp: 1, act: { sub: 'x' } }, undefined)).toThrow(refusal('ERR_TOKEN_ACT'))
  })

  it('refuses where the chain becomes too deep', () => {
    expect(() => prependActor({ sub: 'x' }, chain(MAX_ACT_DEPTH))).toThrow(refusal('ERR_TOKEN_ACT'))
    expect(actDepth(prependActor({ sub: 'x' }, chain(MAX_ACT_DEPTH - 1)))).toBe(MAX_ACT_DEPTH)
  })

  it('keeps the history, always', () => {
    const actors = fc.array(fc.record({ sub: fc.string(), iss: fc.string() }), {
      minLength: 1,
      maxLength: MAX_ACT_DEPTH,
    })
    fc.assert(
      fc.property(actors, (added) => {
        let act: ValueMap | undefined
        for (const actor of added) {
          const next = prependActor(actor, act)
          expect(keepsHistory(next, act)).toBe(true)
          act = next
        }
        expect(actDepth(act)).toBe(added.length)
      }),
      { numRuns },
    )
  })
})

describe('keepsHistory', () => {
  it.each<[boolean, Value | undefined, Value | undefined]>([
    [true, undefined, undefined],
    [true, chain(1), undefined],
    [true, chain(3), chain(3)],
    [true, chain(3), chain(1)],
    [true, { act: { sub: 'a1' }, sub: 'a2' }, { sub: 'a2', act: { sub: 'a1' } }],
    [false, undefined, chain(1)],
    [false, chain(1), chain(2)],
    [false, { sub: 'a2' }, chain(2)],
    [false, { sub: 'a2', act: { sub: 'a1', more: 1 } }, chain(2)],
    [false, 'a1', chain(1)],
    [false, [chain(1)], chain(1)],
  ])('is %s of %j over %j', (kept, act, earlier) => {
    expect(keepsHistory(act, earlier)).toBe(kept)
  })
})

describe('assertMayAct', () => {
  const subject = (may_act?: Value) =>
    ({
      claims: map(may_act === undefined ? [] : [['may_act', may_act]]),
      provenance: { issuer: 'https://id.example' },
    }) as unknown as Verified<Token>
  const party = map([
    ['sub', 'billing'],
    ['iss', 'https://id.example'],
    ['roles', ['a', 'b']],
  ])

  it('has nothing to say without may_act', () => {
    expect(() => assertMayAct(subject(), party)).not.toThrow()
  })

  it.each<Value[]>([
    [{ sub: 'billing' }],
    [{ iss: 'https://id.example', sub: 'billing' }],
    [{ sub: 'billing', roles: ['a', 'b'] }],
  ])('lets the party act that it names: %j', (mayAct) => {
    expect(() => assertMayAct(subject(mayAct), party)).not.toThrow()
  })

  it.each<Value[]>([
    [{ sub: 'shipping' }],
    [{ sub: 'billing', iss: 'https://other.example' }],
    [{ sub: 'billing', client_id: 'x' }],
    [{ sub: 'billing', roles: ['a'] }],
    [{ sub: 'BILLING' }],
    [{ sub: ['billing'] }],
    [{ constructor: 'x' }],
    [{}],
    [[]],
    [[{ sub: 'billing' }]],
    ['billing'],
    [null],
    [true],
  ])('refuses every other, and what names nobody: %j', (mayAct) => {
    expect(() => assertMayAct(subject(mayAct), party)).toThrow(refusal('ERR_TOKEN_MAY_ACT'))
  })

  it('means one of the same issuer, where it names none', () => {
    const stranger = map([
      ['sub', 'billing'],
      ['iss', 'https://other.example'],
    ])
    const refused = expect.objectContaining({
      code: 'ERR_TOKEN_MAY_ACT',
      detail: expect.objectContaining({ member: 'iss' }),
    })
    expect(() => assertMayAct(subject({ sub: 'billing' }), stranger)).toThrow(refused)
    expect(() => assertMayAct(subject({ sub: 'billing', iss: 'https://other.example' }), stranger)).not.toThrow()
    // A client is ours, and has no issuer.
    expect(() => assertMayAct(subject({ sub: 'billing' }), map([['sub', 'billing']]))).not.toThrow()
  })

  it('names the member that differs, and no value', () => {
    const detail = { detail: { member: 'iss' } }
    expect(() => assertMayAct(subject({ sub: 'billing', iss: 'x' }), party)).toThrow(expect.objectContaining(detail))
  })

  it('lets any party act that has all that is asked, however it is written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.string(), (members, name) => {
        const asked = map(Object.entries(members as ValueMap))
        const same = map(Object.entries(asked).reverse())
        expect(() => assertMayAct(subject(asked), same)).not.toThrow()
        const more = map([...Object.entries(asked), [`${name}!`, 'x']])
        if (!sameValue(more, asked))
          expect(() => assertMayAct(subject(more), same)).toThrow(refusal('ERR_TOKEN_MAY_ACT'))
      }),
      { numRuns },
    )
  })
})
