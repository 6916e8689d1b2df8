import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { subjectSpace } from '../../src/core/subjects.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)

describe('S-02, S-07 the subjects that an issuer may speak of', () => {
  it.each([
    ['spiffe://d/a/1', 'spiffe://d/a/1', true],
    ['spiffe://d/a/1', 'spiffe://d/a/10', false],
    ['spiffe://d/a/1', 'spiffe://d/a/1/', false],
    ['spiffe://d/a/1', 'SPIFFE://d/a/1', false],
    ['spiffe://d/a/*', 'spiffe://d/a/1', true],
    ['spiffe://d/a/*', 'spiffe://d/a/1/2', true],
    ['spiffe://d/a/*', 'spiffe://d/a/', false],
    ['spiffe://d/a/*', 'spiffe://d/a', false],
    ['spiffe://d/a/*', 'spiffe://d/a1', false],
    ['spiffe://d/a/*', 'spiffe://d/ab/1', false],
    ['spiffe://d/a/*', 'spiffe://d/a//1', false],
    ['spiffe://d/a/*', 'spiffe://D/a/1', false],
    ['spiffe://d/*', 'spiffe://d.evil/a', false],
    ['spiffe://d/*', 'spiffe://d@evil/a', false],
    ['spiffe://d/*', 'xspiffe://d/a', false],
    ['users/*', 'users/alice', true],
    ['users/*', 'admins/users/alice', false],
    ['*', 'anything at all', true],
    ['*', '../..', true],
  ])('%s has %s: %s', (pattern, subject, expected) => {
    expect(subjectSpace([pattern])(subject)).toBe(expected)
  })

  it.each([
    ['a dot segment', 'https://d/a/../b'],
    ['a dot segment at the end', 'https://d/a/b/..'],
    ['a single dot', 'https://d/a/./b'],
    ['a dot segment in percent-encoding', 'https://d/a/%2e%2E/b'],
    ['a dot segment half in percent-encoding', 'https://d/a/.%2e/b'],
    ['a backslash, which many URL parsers read as a slash', 'https://d/a/x\\..\\..\\b'],
    ['a tab, which many URL parsers leave out', 'https://d/a/.\t./b'],
    ['a line feed', 'https://d/a/x\n'],
    ['a NUL', 'https://d/a/x\0'],
  ])('takes no prefix for %s: what it names is not what it looks like', (_, subject) => {
    expect(subjectSpace(['https://d/a/*'])(subject)).toBe(false)
    expect(subjectSpace([subject])(subject)).toBe(true)
  })

  it('reads a pattern as text: no character but the star at the end means anything', () => {
    expect(subjectSpace(['a.c'])('abc')).toBe(false)
    expect(subjectSpace(['a|b/*'])('a')).toBe(false)
    expect(subjectSpace(['^a$'])('a')).toBe(false)
    expect(subjectSpace(['__proto__', 'x'])('constructor')).toBe(false)
  })

  it('has nobody in it when it has no patterns', () => {
    expect(subjectSpace([])('')).toBe(false)
  })

  it.each(['a*', '*a', '**', 'a/**', '*/a', 'a/*/b', 'spiffe://*/a', 'a/*/*', '*/*'])(
    'refuses the pattern %s',
    (pattern) => {
      expect(() => subjectSpace([pattern])).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
    },
  )

  it.each(['spiffe://*', 'https://*', '//*'])('refuses %s, which would leave the host name open', (pattern) => {
    expect(() => subjectSpace([pattern])).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
  })
})

const segment = fc.stringMatching(/^[A-Za-z0-9_-]{1,4}$/)
const path = fc.array(segment, { minLength: 1, maxLength: 4 })

describe('S-07 properties', () => {
  it('a prefix has a subject exactly when each of its segments is equal and something follows', () => {
    fc.assert(
      fc.property(path, path, (pattern, subject) => {
        const expected = subject.length > pattern.length && pattern.every((part, at) => part === subject[at])
        expect(subjectSpace([`${pattern.join('/')}/*`])(subject.join('/'))).toBe(expected)
      }),
      { numRuns },
    )
  })

  it('everything below a prefix is in it, whatever is put beside the prefix is not', () => {
    fc.assert(
      fc.property(path, path, segment, (prefix, rest, more) => {
        const space = subjectSpace([`spiffe://d/${prefix.join('/')}/*`])
        expect(space(`spiffe://d/${[...prefix, ...rest].join('/')}`)).toBe(true)
        expect(space(`spiffe://d/${prefix.join('/')}${more}/${rest.join('/')}`)).toBe(false)
        expect(space(`spiffe://d${more}/${[...prefix, ...rest].join('/')}`)).toBe(false)
      }),
      { numRuns },
    )
  })

  it('a URL parser finds every subject of a prefix below that prefix', () => {
    const pieces = ['.', '..', '%2e', '%2E', '/', '\\', 'a', '?', '#', ' ', '\t', '\n', '\0', ';', '@', ':', '%', 'é']
    const hostile = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join(''))
    const space = subjectSpace(['https://d.example/a/*'])
    fc.assert(
      fc.property(hostile, (rest) => {
        const subject = `https://d.example/a/${rest}`
        if (!space(subject)) return
        const url = new URL(subject)
        expect(url.host).toBe('d.example')
        expect(url.pathname.startsWith('/a/')).toBe(true)
      }),
      { numRuns: numRuns * 5 },
    )
  })

  it('is the union of its patterns', () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 3 }), path, (patterns, subject) => {
        const texts = patterns.map((pattern) => `${pattern.join('/')}/*`)
        const text = subject.join('/')
        expect(subjectSpace(texts)(text)).toBe(texts.some((pattern) => subjectSpace([pattern])(text)))
      }),
      { numRuns },
    )
  })
})
