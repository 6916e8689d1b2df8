import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePattern } from '../../src/expressions/pattern.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)

const refused = (pattern: string) => expect(() => compilePattern(pattern), pattern)

describe('pattern', () => {
  it.each([
    ['abc', 'xxabcxx', true],
    ['^abc$', 'xxabcxx', false],
    ['^abc$', 'abc', true],
    ['', 'anything', true],
    ['^$', '', true],
    ['^$', 'a', false],
    ['a.c', 'a\nc', false],
    ['a.c', 'a😀c', true],
    ['^(?:push|workflow_dispatch)$', 'push', true],
    ['^(?:push|workflow_dispatch)$', 'push2', false],
    ['^refs/tags/v[0-9]+\\.[0-9]+$', 'refs/tags/v1.20', true],
    ['^refs/tags/v[0-9]+\\.[0-9]+$', 'refs/tags/v1x20', false],
    ['^[^@]+@[a-z.-]+$', 'a@b-c.d', true],
    ['^[^@]+@[a-z.-]+$', 'a@b@c', false],
    ['^a{2,3}$', 'a', false],
    ['^a{2,3}$', 'aaa', true],
    ['^a{2,3}$', 'aaaa', false],
    ['^a{2}$', 'aa', true],
    ['^a{2,}$', 'aaaaa', true],
    ['^a{2,}$', 'a', false],
    ['^a{0}$', '', true],
    ['^(ab?)*?c+?$', 'abaabccc', true],
    ['\\bsvc\\b', 'a svc b', true],
    ['\\bsvc\\b', 'asvcb', false],
    ['\\Bvc', 'svc', true],
    ['\\Aa\\z', 'a', true],
    ['^\\x41\\x{1F600}$', 'A😀', true],
    ['^[\\d\\-x]+$', '12-x', true],
    ['^[]a]+$', ']a', true],
    ['^[a-]+$', 'a-', true],
    ['^\\D\\W\\S$', 'a b', true],
    ['^\\D\\W\\S$', '1 b', false],
    ['^\\w+\\s\\w+$', 'a\tb', true],
    ['^(a|)+$', 'aaa', true],
    ['(a*)*b', 'aaab', true],
    ['\\(\\)\\[\\]\\{\\}\\.\\*', '()[]{}.*', true],
    ['^(((?:){1000}){1000}){1000}$', '', true],
  ])('%s on %j is %s', (pattern, text, expected) => {
    expect(compilePattern(pattern)(text)).toBe(expected)
  })

  it.each([
    ['(a)\\1', 'back-reference'],
    ['(?=a)', 'look-ahead'],
    ['(?i)a', 'a flag'],
    ['(?P<x>a)', 'a name'],
    ['\\p{L}', 'a Unicode class'],
    ['[[:alpha:]]', 'a POSIX class'],
    ['a**', 'a repetition of a repetition'],
    ['a+{2}', 'a count of a repetition'],
    ['^*', 'a repeated anchor'],
    ['*a', 'nothing to repeat'],
    ['{2}', 'nothing to count'],
    ['a{3,2}', 'counts from high to low'],
    ['a{1001}', 'a count that is too high'],
    ['a{,2}', 'a count without a low end'],
    ['(a', 'an open group'],
    ['a)', 'a group that was not opened'],
    ['[a', 'an open class'],
    ['[b-a]', 'a range from high to low'],
    ['[\\d-z]', 'a range from a class'],
    ['a\\', 'half an escape'],
    ['\\x4', 'half a code'],
    ['\\x{110000}', 'a code beyond Unicode'],
    ['((a{30}){30}){30}', 'too many states'],
    ['a'.repeat(257), 'too many characters'],
  ])('refuses %s: %s', (pattern) => {
    refused(pattern).toThrow(expect.objectContaining({ name: 'Error', position: expect.any(Number) }))
  })

  it.each(['^a|b$', 'a|b$', '^a|b', '^(?:a)|c', '^a$|b'])(
    'S-07: refuses %s, anchored in one branch only',
    (pattern) => {
      refused(pattern).toThrow('a group around the alternatives')
    },
  )

  it.each(['a|b', '^a$|^b$', '^(?:a|b)$', '^a|^b'])('takes %s, anchored alike', (pattern) => {
    expect(compilePattern(pattern)('a')).toBe(true)
  })

  it('T-20: takes time linear in the text, whatever the pattern', () => {
    const hostile = `${'a'.repeat(4000)}!`
    for (const pattern of ['^(a+)+$', '^(a|aa)+$', '^(.*.*.*.*)*b$', '^(a?){100}a{100}$b']) {
      expect(compilePattern(pattern)(hostile), pattern).toBe(false)
    }
  })

  it('agrees with RegExp on patterns that both know', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '(?:a|b)', '(?:ab)', '(?:a|)', '\\b')
    const repeated = fc
      .tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{1,2}', '*?'))
      .map(([item, count]) => (item === '\\b' ? item : item + count))
    const pattern = fc
      .tuple(fc.boolean(), fc.array(repeated, { maxLength: 5 }), fc.boolean())
      .map(([start, items, end]) => `${start ? '^' : ''}${items.join('')}${end ? '$' : ''}`)
    const text = fc
      .array(fc.constantFrom('a', 'b', '1', ' ', '\n', '😀'), { maxLength: 8 })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        // From the start on: for a pattern that ends in `$` V8 looks at the last code unit alone, and then finds no `[^a]$`
        // in a text that ends in a pair of surrogates.
        const oracle = new RegExp(`^[^]*?(?:${source})`, 'u')
        expect(compilePattern(source)(subject)).toBe(oracle.test(subject))
      }),
      { numRuns },
    )
  })

  it('never fails in another way than by refusing', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.string({ maxLength: 40 }), (source, text) => {
        try {
          expect(typeof compilePattern(source)(text)).toBe('boolean')
        } catch (error) {
          expect(error).toHaveProperty('expected')
        }
      }),
      { numRuns },
    )
  })
})
