import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closest, hint } from '../../src/profiles/nearest.ts'

describe('the closest name', () => {
  it.each<[string, readonly string[], string | undefined]>([
    ['lifetme', ['lifetime', 'scope'], 'lifetime'],
    ['lifetiem', ['lifetime'], 'lifetime'],
    ['Lifetime', ['lifetime'], 'lifetime'],
    ['k', ['x'], 'x'],
    ['ab', ['xy'], undefined],
    ['zebra', ['lifetime', 'scope'], undefined],
    ['scope', ['scopes', 'scope'], 'scope'],
    ['a', [], undefined],
    ['', ['abc'], undefined],
  ])('to %j of %j is %j', (name, known, expected) => {
    expect(closest(name, known)).toBe(expected)
  })

  it('is the name itself when it is known, and one of those that are known in any case', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 6 }),
        fc.string({ maxLength: 12 }),
        (known, name) => {
          const found = closest(name, known)
          if (found !== undefined) expect(known).toContain(found)
          if (known.includes(name)) expect(found?.toLowerCase()).toBe(name.toLowerCase())
        },
      ),
    )
  })
})

describe('a hint', () => {
  it('is the closest name, or else what there is', () => {
    expect(hint('lifetme', ['lifetime'])).toBe('did you mean `lifetime`?')
    expect(hint('zebra', ['a', 'b'])).toBe('known here: a, b')
    expect(hint('zebra', [], 'there are')).toBe('there are: none')
  })
})
