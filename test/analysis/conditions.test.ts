import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Asked, contradiction } from '../../src/analysis/conditions.ts'
import { silencingsIn } from '../../src/analysis/silence.ts'
import { map } from '../../src/core/value.ts'
import { compileExpression } from '../../src/expressions/cel.ts'
import { expressionFacts } from '../../src/expressions/facts.ts'

/** Expressions on one claim, of the kinds that are understood and of others. */
const expression = fc.oneof(
  fc.constantFrom(
    ...['subject.n == 1', 'subject.n != 1', 'subject.n > 1', 'subject.n >= 2', 'subject.n < 2', '1 >= subject.n'],
    ...[
      'subject.n in [1, 2]',
      'subject.n in [3]',
      '0 < subject.n',
      'subject.n <= 0 || subject.n > 5',
      'subject.n == -1',
    ],
    ...['subject.n in [2, 3] && subject.n != 2', '!(subject.n == 2)', 'subject.n > 0 ? subject.n < 3 : true'],
  ),
)

const holds = (text: string, n: number): boolean =>
  compileExpression(text).evaluate({
    ...{ claims: map(), actor: map(), client: map(), request: map(), proof: map(), now: 0 },
    subject: map([['n', n]]),
  }) === true

const asked = (texts: readonly string[]): readonly Asked[] =>
  texts.flatMap((text) => expressionFacts(text).atoms.map((atom) => ({ ...atom, by: text })))

describe('a contradiction', () => {
  it('is told only where no value makes all of them true', () => {
    fc.assert(
      fc.property(fc.array(expression, { minLength: 1, maxLength: 4 }), fc.integer({ min: -2, max: 7 }), (texts, n) => {
        if (contradiction(asked(texts)) !== undefined) expect(texts.every((text) => holds(text, n))).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    [['subject.n == 1', 'subject.n == 2']],
    [['subject.n in [1, 2]', 'subject.n > 2']],
    [['subject.n > 1', 'subject.n <= 1']],
    [['subject.n in [1, 2]', 'subject.n != 1', 'subject.n != 2']],
    [["subject.s.startsWith('a/')", "subject.s.startsWith('b/')"]],
    [["subject.s == 'a/b'", "subject.s.endsWith('c')"]],
    [["'x' == subject.s", "subject['s'] in ['y']"]],
  ])('is told of %j', (texts) => {
    expect(contradiction(asked(texts))).toBeDefined()
  })

  it.each([
    [['subject.n == 1', 'subject.m == 2']],
    [["subject.s.startsWith('a/')", "subject.s.startsWith('a/b')"]],
    [['subject.n >= 1', 'subject.n <= 1']],
    [["'a' in subject.list", "'b' in subject.list"]],
    [['subject.n == 1 || subject.n == 3', 'subject.n == 2']],
  ])('is not told of %j', (texts) => {
    expect(contradiction(asked(texts))).toBeUndefined()
  })
})

describe('a silencing', () => {
  it.each<[string, readonly [string, string, number][]]>([
    ['a: 1 # dragoman-lint-ignore replay: why', [['replay', 'why', 1]]],
    ['# dragoman-lint-ignore replay: why\n\n# more\na: 1', [['replay', 'why', 4]]],
    ['#dragoman-lint-ignore replay:why: because\na: 1', [['replay', 'why: because', 2]]],
    ['# dragoman-lint-ignore replay\na: 1', [['replay', '', 2]]],
    ['# dragoman-lint-ignore\na: 1', [['', '', 2]]],
    ['# dragoman-lint-ignored replay: why\na: 1', []],
    ["a: '# dragoman-lint-ignore replay: why'", []],
    ['a: |\n  # dragoman-lint-ignore replay: why\n  b', []],
    ['a: x#dragoman-lint-ignore replay: why', []],
    ['a: >-\n  text\n# dragoman-lint-ignore replay: why\nb: 1', [['replay', 'why', 4]]],
    [
      'a: [1, # dragoman-lint-ignore replay: one\n  2] # dragoman-lint-ignore replay: two',
      [
        ['replay', 'one', 1],
        ['replay', 'two', 2],
      ],
    ],
    ['\ufeffa: ü # dragoman-lint-ignore replay: why\r\nb: 1', [['replay', 'why', 1]]],
  ])('in %j', (text, expected) => {
    expect(silencingsIn(text).map(({ rule, reason, on }) => [rule, reason, on])).toEqual(expected)
  })

  it('of any text stands where it says', () => {
    const piece = fc.constantFrom(
      'a: 1',
      ' # x',
      '#',
      '\n',
      ' ',
      '|',
      '- b',
      '"',
      "'",
      '{',
      '}',
      '\t',
      '# dragoman-lint-ignore r: y',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('')
        const lines = text.split('\n')
        for (const { line, column } of silencingsIn(text)) expect(lines[line - 1]?.slice(column - 1)).toMatch(/^#/)
      }),
      { numRuns: 500 },
    )
  })
})
