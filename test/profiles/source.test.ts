import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { MAX_DEPTH, MAX_ENTRIES } from '../../src/profiles/faults.ts'
import { MAX_FILE_BYTES, MAX_PROBLEMS, readSource } from '../../src/profiles/source.ts'
import { headlines, refusalOf } from '../support/profiles.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200)
const read = (text: string, secrets: readonly string[] = []) => readSource({ file: 'x.yaml', text }, { secrets })
const refused = (text: string) => refusalOf(() => read(text))

describe('a YAML document', () => {
  it('is read by the core schema of YAML 1.2', () => {
    const text = 'text: yes\nnumber: 0o17\nlist: [true, null, ~]\ndate: 2026-11-25\nblock: |\n  two\n  lines\n'
    expect(read(text).value).toEqual({
      text: 'yes',
      number: 15,
      list: [true, null, null],
      date: '2026-11-25',
      block: 'two\nlines\n',
    })
  })

  it.each([
    [
      'an alias',
      'a: &x [1]\nb: *x\n',
      ['1:7: anchors are not taken: write the value out', '2:4: aliases are not taken: write the value out'],
    ],
    ['a merge key', 'a: 1\n<<: { b: 2 }\n', ['2:1: merge keys are not taken: write the members out']],
    [
      'a merge key under %YAML 1.1',
      '%YAML 1.1\n---\n<<: { b: 2 }\n',
      ['3:1: merge keys are not taken: write the members out'],
    ],
    ['a tag that nobody knows', 'a: !secret b\n', ['1:12: tags are not taken: write text in quotes']],
    ['a tag of the core schema', 'a: !!str 5\n', ['1:10: tags are not taken: write text in quotes']],
    ['a tag of another schema', 'a: !!binary aGk=\n', ['1:13: tags are not taken: write text in quotes']],
    ['a set', 'a: !!set { b }\n', ['1:10: tags are not taken: write text in quotes']],
    ['a repeated name', 'a: 1\nb: 2\na: 3\n', ['3:1: Map keys must be unique']],
    ['a number as a name', '1: a\n', ['1:1: expected a name; put it in quotes']],
    ['a list as a name', '? [a]\n: b\n', ['1:3: expected a name; put it in quotes']],
    ['no name', ': b\n', ['1:1: expected a name; put it in quotes']],
    ['a second document', 'a: 1\n---\nb: 2\n', ['2:1: expected one document']],
    ['a tab as indentation', 'a:\n\tb: 1\n', ['2:1: Tabs are not allowed as indentation']],
    ['half of a surrogate pair', 'a: "\\ud800"\n', ['1:4: expected Unicode text, without half of a surrogate pair']],
  ])('with %s is refused, with its place', (_, text, expected) => {
    const error = refused(text)
    expect(error.code).toBe('ERR_PROFILE_SYNTAX')
    expect(headlines(error)).toEqual(expected.map((line) => `x.yaml:${line}`))
  })

  it('says of a quote that is not closed where it was opened, not where the file ends', () => {
    expect(headlines(refused('a: "one\nb: 2\nc: 3\n'))[0]).toBe('x.yaml:1:4: this quote is not closed')
  })

  it('is at most 256 KiB, in bytes', () => {
    const most = `a: "${'ä'.repeat((MAX_FILE_BYTES - 5) / 2)}"`
    expect(Buffer.byteLength(most)).toBeLessThanOrEqual(MAX_FILE_BYTES)
    expect(read(most).value).toBeTypeOf('object')
    expect(headlines(refused(`${most}  `))).toEqual(['x.yaml:1:1: expected at most 262144 bytes'])
  })

  it('is at most 32 levels deep', () => {
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
    expect(read(nested(MAX_DEPTH)).value).toBeTypeOf('object')
    expect(headlines(refused(nested(MAX_DEPTH + 1)))).toEqual(['x.yaml:1:33: expected at most 32 levels'])
  })

  it('has at most 10 000 entries in a list', () => {
    const list = (length: number) => `a: [${Array.from({ length }, (_, index) => index).join(', ')}]`
    expect(read(list(MAX_ENTRIES)).value).toBeTypeOf('object')
    expect(headlines(refused(list(MAX_ENTRIES + 1)))).toEqual(['x.yaml:1:4: expected at most 10000 in the list'])
  })

  it('tells each name that is repeated, among tens of thousands', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `n${index}: 1\n`).join('')
    expect(headlines(refused(`${names}n7: 2\nn9: 2\n`))).toEqual([
      'x.yaml:20001:1: Map keys must be unique',
      'x.yaml:20002:1: Map keys must be unique',
    ])
  })

  it.each(['['.repeat(100_000), '{a: '.repeat(40_000), '- '.repeat(100_000), '? '.repeat(100_000)])(
    'refuses what would exhaust a stack: %.8s…',
    (text) => {
      expect(refused(text).code).toBe('ERR_PROFILE_SYNTAX')
    },
  )

  it('has no way to Object.prototype', () => {
    const { value } = read('__proto__: { polluted: true }\n')
    expect(Object.keys(value as object)).toEqual(['__proto__'])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

describe('a problem', () => {
  const text = 'name: one\nstages:\n\t# a tab\n  - validity: { lifetime: 5m, scope: }\n'
  const source = read(text.replace('\t', '  '))
  const told = (path: readonly (string | number)[], atName = false) =>
    source.refuse([{ path, message: 'wrong', atName }]).message

  it('is shown with its line and a caret under its value', () => {
    expect(told(['stages', 0, 'validity', 'lifetime'])).toBe(
      'x.yaml:4:27: stages[0].validity.lifetime: wrong\n' +
        '    - validity: { lifetime: 5m, scope: }\n' +
        '                            ^',
    )
  })

  it('is shown under the name when that is what is wrong, or when there is no value', () => {
    expect(told(['stages', 0, 'validity', 'lifetime'], true)).toMatch(/^x\.yaml:4:17: /)
    expect(told(['stages', 0, 'validity', 'scope'])).toMatch(/^x\.yaml:4:31: /)
  })

  it('of something missing is shown at the nearest thing above it', () => {
    expect(told(['stages', 0, 'validity', 'nowhere', 3])).toMatch(
      /^x\.yaml:4:15: stages\[0\]\.validity\.nowhere\[3\]: /,
    )
    expect(told(['stages', 7])).toMatch(/^x\.yaml:4:3: /)
    expect(told([])).toMatch(/^x\.yaml:1:1: wrong\n/)
  })

  it('names a member with other characters in quotes', () => {
    const error = read('set: { kubernetes.io: 1 }\n').refuse([{ path: ['set', 'kubernetes.io'], message: 'wrong' }])
    expect(error.message).toMatch(/^x\.yaml:1:23: set\["kubernetes\.io"\]: wrong\n/)
  })

  it('stands among the others in the order of the file, whatever the order in which they were found', () => {
    const error = source.refuse([
      { path: ['stages', 0], message: 'second', code: 'ERR_PROFILE_ORDER' },
      { path: ['name'], message: 'first', code: 'ERR_PROFILE_OPTION' },
    ])
    expect(headlines(error)).toEqual(['x.yaml:1:7: name: first', 'x.yaml:4:5: stages[0]: second'])
    expect(error).toMatchObject({
      code: 'ERR_PROFILE_OPTION',
      detail: { file: 'x.yaml', line: 1, column: 7, at: 'name' },
    })
    expect(error.message).toBe((error.detail['problems'] as string[]).join('\n'))
  })

  it('is one of twenty at most', () => {
    const error = source.refuse(Array.from({ length: 30 }, (_, index) => ({ path: ['name'], message: `${index}` })))
    expect(error.detail['problems']).toHaveLength(MAX_PROBLEMS)
  })

  it('keeps the tabs of the line above the caret', () => {
    const { message } = read('a: {\tb: 1,\t\tc: 2 }').refuse([{ path: ['a', 'c'], message: 'wrong' }])
    expect(message.split('\n').slice(1)).toEqual(['  a: {\tb: 1,\t\tc: 2 }', '      \t     \t\t   ^'])
  })

  it('shows a window of a long line, and nothing that a terminal would obey', () => {
    const long = read(`a: [${'x, '.repeat(200)}"\u009b31m"]`).refuse([{ path: ['a', 200], message: 'wrong' }])
    const [, line = '', caret = ''] = long.message.split('\n')
    expect(line.length).toBeLessThan(170)
    expect(line).toMatch(/^ {2}….*\ufffd31m"\]$/)
    expect(line.at(caret.length - 1)).toBe('"')
  })

  it('ends its line where the line ends, with either line break', () => {
    expect(read('a: 1\r\nb: 2\r\n').refuse([{ path: ['a'], message: 'x' }]).message).toBe(
      'x.yaml:1:4: a: x\n  a: 1\n     ^',
    )
  })
})

describe('a secret in a file', () => {
  const SECRETS = ['client_secret', 'value', 'd']
  const shown = (text: string, path: readonly (string | number)[], atName = false) =>
    read(text, SECRETS).refuse([{ path, message: 'wrong', atName }]).message

  it.each([
    ['its member is beside what is wrong', 'a: { client_secret: canary-1, b: 2 }', ['a', 'b']],
    ['its member is what is wrong', 'a: { client_secret: [canary-1] }', ['a', 'client_secret']],
    ['its member is quoted', 'a: { "client_secret": "canary-1", b: 2 }', ['a']],
    ['its member is misspelt', 'a: { client_secrte: canary-1, b: 2 }', ['a', 'b']],
    ['it is a map', 'a: { value: { canary-1: canary-2 }, b: 2 }', ['a']],
    ['it is a member of a private JWK', 'a: { kty: OKP, d: canary-1 }', ['a']],
    [
      'it goes over several lines',
      'a:\n  client_secret: "canary-1\n    canary-2\n    canary-3"\n',
      ['a', 'client_secret'],
    ],
    ['it is in a URL', 'a: https://user:canary-1@canary-2@host.example/', ['a']],
    ['its colon is missing', 'a: { client_secret canary-1, b: 2 }', ['a', 'client_secret canary-1']],
    ['its space is missing', 'a: { client_secret:canary-1, b: 2 }', ['a', 'client_secret:canary-1']],
    ['it is in a comment on the line', 'a: { b: 2 } # canary-1', ['a', 'b']],
  ])('is not shown when %s', (_, text, path) => {
    expect(shown(text, path)).not.toContain('canary')
    expect(shown(text, path, true)).not.toContain('canary')
    expect(shown(text, path)).toContain('***')
  })

  it('is not shown when its member has a name that nobody knows', () => {
    expect(shown('a: { scrt: canary-1 }', ['a', 'scrt'], true)).toBe(
      'x.yaml:1:6: a.scrt: wrong\n  a: { scrt: *** }\n       ^',
    )
  })

  it.each([
    ['a quote is not closed', 'a:\n  client_secret: "canary-1\nb: 2\n'],
    ['a colon is missing', 'a:\n  client_secret canary-1\n  b: 2\n'],
    ['a brace is missing', 'a: { client_secret: canary-1\nb: 2\n'],
    ['something follows it', 'a:\n  client_secret: "canary-1" canary-2\n'],
    ['it is indented wrong', 'a:\n  client_secret:\n canary-1: x\n'],
    ['it has a colon in it', 'client_secret:\n  canary-1: canary-2: canary-3\n'],
    ['it has a bad escape', 'client_secret: "canary-1\\qcanary-2"\n'],
    ['it is a block with a bad header', 'client_secret: |canary-1\n  x\n'],
    ['a JWK is cut off', 'jwk: { kty: OKP, d: canary-1\n'],
    ['its second line is where the file goes wrong', 'client_secret: |\n  x\n canary-1 canary-2\n'],
    ['a line that was put out of use has it', 'a: "\n# client_secret canary-1\n'],
  ])('is not shown when the file cannot be read because %s', (_, text) => {
    expect(refusalOf(() => read(text, SECRETS)).message).not.toContain('canary')
  })

  it('has the caret before it when something is wrong inside', () => {
    const { message } = refusalOf(() => read('client_secret: "canary-1\\qcanary-2"\n', SECRETS))
    expect(message).toBe('x.yaml:1:25: Invalid escape sequence\n  client_secret***\n               ^')
  })

  it('moves the caret along, so that it stays where it belongs', () => {
    const [, line = '', caret = ''] = shown('a: { client_secret: canary-long-secret, b: [2] }', ['a', 'b']).split('\n')
    expect(line.slice(caret.length - 1)).toBe('[2] }')
  })

  it('is no reason to hide what only resembles it', () => {
    expect(shown('a: { client_secret_file: secrets/a, key: b, x: 1 }', ['a'])).toContain(
      'client_secret_file: secrets/a, key: b, x: 1',
    )
  })
})

describe('the place in a text', () => {
  const at = (text: string, path: readonly string[], character: number) =>
    read(text)
      .refuse([{ path, message: 'wrong', character }])
      .message.split('\n')
      .at(-1)
      ?.indexOf('^')

  it('is its character where the text stands as it is', () => {
    expect(at('when: a == b', ['when'], 2)).toBe(2 + 'when: '.length + 2)
    expect(at('when: "a == b"', ['when'], 2)).toBe(2 + 'when: "'.length + 2)
    expect(at('set: { cel: "a == b" }', ['set'], 2)).toBe(2 + 'set: { cel: "'.length + 2)
  })

  it('is its start where escapes move it', () => {
    expect(at('when: "a\\u0020== b"', ['when'], 5)).toBe(2 + 'when: '.length)
  })
})

describe('whatever is in a file', () => {
  it('is a value or a DragomanError, and a problem in it has a line of its own', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), yamlish()), (text) => {
        try {
          const source = read(text, ['a'])
          const error = source.refuse([{ path: ['a', 0, 'b'], message: 'wrong' }])
          const line = Number(error.detail['line'])
          expect(line).toBeGreaterThan(0)
          expect(line).toBeLessThanOrEqual(text.split('\n').length)
        } catch (error) {
          if (!(error instanceof DragomanError)) throw error
          expect(error.code).toBe('ERR_PROFILE_SYNTAX')
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('keeps the value of a secret member to itself', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{4,12}$/).map((text) => `canary${text}`)
    fc.assert(
      fc.property(secret, fc.constantFrom('', '"', "'"), yamlish(), yamlish(), (value, quote, before, after) => {
        const text = `${before}\nclient_secret: ${quote}${value}${quote}\n${after}`
        const told = (work: () => DragomanError) => {
          try {
            return work().message
          } catch (error) {
            if (error instanceof DragomanError) return error.message
            throw error
          }
        }
        const message = told(() =>
          read(text, ['client_secret']).refuse([{ path: ['client_secret'], message: 'wrong' }]),
        )
        expect(message).not.toContain(value)
      }),
      { numRuns: RUNS },
    )
  })
})

/** Text of the characters and pieces that YAML has a meaning for. */
const yamlish = () =>
  fc
    .array(
      fc.constantFrom(
        'a',
        'b',
        ': ',
        '- ',
        '\n',
        '  ',
        '[',
        ']',
        '{',
        '}',
        ', ',
        '"',
        "'",
        '|',
        '>',
        '#',
        '&x',
        '*x',
        '!t ',
        '? ',
        '\t',
        '---\n',
        '%',
        '<<',
      ),
      { maxLength: 25 },
    )
    .map((pieces) => pieces.join(''))
