import { describe, expect, it } from 'vitest'
import { goesOn, MAX_PATH, pathIn } from '../../src/core/path.ts'
import type { Value } from '../../src/core/value.ts'

describe('the path of a token', () => {
  it('is a list of issuers, or none', () => {
    expect(pathIn(undefined)).toEqual([])
    expect(pathIn([])).toEqual([])
    expect(pathIn(['https://a.example', 'https://b.example'])).toEqual(['https://a.example', 'https://b.example'])
  })

  it.each<[string, Value]>([
    ['null', null],
    ['text', 'https://a.example'],
    ['a map', { 0: 'https://a.example' }],
    ['bytes', Uint8Array.of(1)],
    ['an empty name', ['']],
    ['a number', [1]],
    ['a list', [['https://a.example']]],
    ['a name that is too long', ['a'.repeat(513)]],
    ['too many', Array.from({ length: MAX_PATH + 1 }, (_, index) => `https://${index}.example`)],
  ])('is not %s', (_, value) =>
    expect(() => pathIn(value)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_PATH' })),
  )

  it('goes on where the earlier one stands at its beginning', () => {
    expect(goesOn(['a', 'b'], [])).toBe(true)
    expect(goesOn(['a', 'b'], ['a'])).toBe(true)
    expect(goesOn(['a', 'b'], ['a', 'b'])).toBe(true)
    expect(goesOn(['a', 'b'], ['b'])).toBe(false)
    expect(goesOn(['a'], ['a', 'b'])).toBe(false)
    expect(goesOn([], ['a'])).toBe(false)
  })
})
