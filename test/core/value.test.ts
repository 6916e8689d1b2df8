import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  freeze,
  isBytes,
  isList,
  isMap,
  map,
  sameValue,
  type Value,
  withMember,
  without,
} from '../../src/core/value.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)
const value = fc.oneof(fc.jsonValue() as fc.Arbitrary<Value>, fc.uint8Array({ maxLength: 4 }))

describe('the kinds of a value', () => {
  it.each<[Value | undefined, 'map' | 'list' | 'bytes' | 'none']>([
    [{}, 'map'],
    [map(), 'map'],
    [[], 'list'],
    [Uint8Array.of(), 'bytes'],
    [Buffer.from('x'), 'bytes'],
    [null, 'none'],
    [undefined, 'none'],
    ['', 'none'],
    [0, 'none'],
    [false, 'none'],
  ])('%j is one of %s', (given, kind) => {
    expect({ map: isMap(given), list: isList(given), bytes: isBytes(given) }).toEqual({
      ...{ map: false, list: false, bytes: false },
      ...(kind !== 'none' && { [kind]: true }),
    })
  })
})

describe('a record', () => {
  const hostile = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']

  it.each(hostile)('has %s only when somebody put it there', (name) => {
    expect(map([['sub', 'x']])[name]).toBeUndefined()
    const put = map([[name, 'x']])
    expect(Object.keys(put)).toEqual([name])
    expect(put[name]).toBe('x')
    expect(Object.getPrototypeOf(put)).toBeNull()
  })

  it.each(hostile)('is copied with a member %s, and not changed', (name) => {
    const before = map([['sub', 'x']])
    const after = withMember(before, name, { act: 'x' })
    expect(Object.keys(before)).toEqual(['sub'])
    expect(Object.keys(after)).toEqual(['sub', name])
    expect(Object.getPrototypeOf(after)).toBeNull()
    expect(after['act']).toBeUndefined()
  })

  it('is copied without members, by list or set', () => {
    const before = map(Object.entries({ a: 1, b: 2, c: 3 }))
    expect({ ...without(before, ['a', 'x']) }).toEqual({ b: 2, c: 3 })
    expect({ ...without(before, new Set(['b'])) }).toEqual({ a: 1, c: 3 })
    expect(Object.getPrototypeOf(without(before, []))).toBeNull()
    expect(Object.keys(before)).toHaveLength(3)
  })

  it('takes the last of two members of one name', () => {
    expect({
      ...map([
        ['a', 1],
        ['a', 2],
      ]),
    }).toEqual({ a: 2 })
  })
})

describe('sameValue', () => {
  it.each<[Value | undefined, Value | undefined]>([
    [undefined, undefined],
    [null, null],
    [1, 1],
    [
      { a: 1, b: [2] },
      map([
        ['b', [2]],
        ['a', 1],
      ]),
    ],
    [Uint8Array.of(1, 2), Buffer.from([1, 2])],
    [[], []],
  ])('%j is %j', (left, right) => {
    expect([sameValue(left, right), sameValue(right, left)]).toEqual([true, true])
  })

  it.each<[Value | undefined, Value | undefined]>([
    [1, '1'],
    [0, false],
    [null, undefined],
    [null, {}],
    [{}, []],
    [[], Uint8Array.of()],
    [{}, Uint8Array.of()],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, 2]],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [{ a: { b: 1 } }, { a: { b: 2 } }],
    [Uint8Array.of(1), Uint8Array.of(2)],
    [Uint8Array.of(1), Uint8Array.of(1, 0)],
    ['\u00e9', 'e\u0301'],
    [{ constructor: 1 }, {}],
  ])('%j is not %j', (left, right) => {
    expect([sameValue(left, right), sameValue(right, left)]).toEqual([false, false])
  })

  it('says of every value that it is itself, copied and turned round', () => {
    const turned = (given: Value): Value => {
      if (isBytes(given)) return Uint8Array.from(given)
      if (isList(given)) return given.map(turned)
      return isMap(given)
        ? map(
            Object.entries(given)
              .reverse()
              .map(([name, item]) => [name, turned(item)] as const),
          )
        : given
    }
    fc.assert(
      fc.property(value, (given) => {
        expect(sameValue(given, turned(given))).toBe(true)
        expect(sameValue(given, [given])).toBe(false)
      }),
      { numRuns },
    )
  })

  it('is symmetric', () => {
    fc.assert(
      fc.property(value, value, (left, right) => {
        expect(sameValue(left, right)).toBe(sameValue(right, left))
      }),
      { numRuns },
    )
  })
})

describe('freeze', () => {
  it('goes all the way down, past bytes', () => {
    const given = { list: [{ deep: map([['a', [1]]]) }], bytes: Uint8Array.of(1), text: 'x', nothing: null }
    const frozen = freeze(given)
    expect(frozen).toBe(given)
    const [first] = given.list
    for (const part of [given, given.list, first, first?.deep, first?.deep['a']])
      expect(Object.isFrozen(part)).toBe(true)
    expect(() => given.list.push({ deep: map() })).toThrow(TypeError)
  })

  it.each([null, 'x', 7, true])('leaves %j as it is', (given) => {
    expect(freeze(given)).toBe(given)
  })
})
