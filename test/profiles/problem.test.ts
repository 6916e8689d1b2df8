import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import {
  describeProblem,
  mergedError,
  pathSteps,
  pathText,
  problemError,
  problemsOf,
  wordsOf,
} from '../../src/profiles/problem.ts'

const placed = (file: string, message: string) =>
  ({ file, line: 12, column: 7, path: 'a.b', message, code: 'ERR_PROFILE_OPTION', excerpt: '  line\n  ^' }) as const

describe('a path', () => {
  it.each([
    [[], ''],
    [['stages', 2, 'validity', 'lifetime'], 'stages[2].validity.lifetime'],
    [['set', 'kubernetes.io', 'a'], 'set["kubernetes.io"].a'],
    [['set', 'x5t#S256'], 'set["x5t#S256"]'],
    [['0'], '["0"]'],
  ])('%j is written %s', (path, text) => {
    expect(pathText(path)).toBe(text)
    expect(pathSteps(text)).toEqual(path)
  })

  it('is the same after it was written and read', () => {
    const step = fc.oneof(fc.nat(99), fc.string({ minLength: 1, maxLength: 8 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), (path) => {
        expect(pathSteps(pathText(path))).toEqual(path)
      }),
    )
  })
})

describe('problems', () => {
  it('are told with place, path, line and caret', () => {
    expect(describeProblem(placed('x.yaml', 'wrong'))).toBe('x.yaml:12:7: a.b: wrong\n  line\n  ^')
  })

  it('make one error, which goes by the first and tells all of them', () => {
    const error = problemError([placed('x.yaml', 'one'), placed('x.yaml', 'two')])
    expect(error).toMatchObject({
      code: 'ERR_PROFILE_OPTION',
      detail: { file: 'x.yaml', line: 12, column: 7, at: 'a.b' },
    })
    expect(problemsOf(error)?.map((text) => text.split('\n')[0])).toEqual([
      'x.yaml:12:7: a.b: one',
      'x.yaml:12:7: a.b: two',
    ])
    expect(error.message).toBe(problemsOf(error)?.join('\n'))
  })

  it('of several files make one error', () => {
    const plain = new DragomanError('ERR_KEY_CONFIG', { detail: { expected: 'a key' } })
    const one = problemError([placed('x.yaml', 'one')])
    expect(mergedError([one])).toBe(one)
    const all = mergedError([one, plain, problemError([placed('y.yaml', 'two')])])
    expect(problemsOf(all)?.map((text) => text.split('\n')[0])).toEqual([
      'x.yaml:12:7: a.b: one',
      plain.message,
      'y.yaml:12:7: a.b: two',
    ])
    expect(all.detail).toMatchObject({ file: 'x.yaml', line: 12 })
  })
})

describe('what an error has to say', () => {
  const words = (detail: { readonly [name: string]: unknown }) =>
    wordsOf(new DragomanError('ERR_PROFILE_OPTION', { detail }))

  it.each<[{ readonly [name: string]: unknown }, string]>([
    [{ path: 'a', expected: 'text' }, 'expected text'],
    [{ expected: 'no such option: it is for certificates' }, 'no such option: it is for certificates'],
    [{ expected: 'a file', file: 'x.pem', bytes: 5 }, 'x.pem: expected a file; bytes: 5'],
    [{ key: 'k', client: 'c', issuer: 'i', option: 'o', code: 'x', reason: 'y', expected: 'more' }, 'expected more'],
    [{ expected: 'a', list: ['b'], map: {} }, 'expected a'],
    [{}, 'An option has the right shape and cannot work.'],
  ])('of %j', (detail, expected) => {
    expect(words(detail)).toBe(expected)
  })
})
