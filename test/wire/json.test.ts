import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { JSON_LIMITS, parseJson, parseJsonObject } from '../../src/wire/json.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)
const refuses = (input: string | Uint8Array, code: string) =>
  expect(() => parseJson(input)).toThrow(expect.objectContaining({ code }))

describe('parseJson', () => {
  test('reads what JSON.parse reads', () => {
    const text = ' {"a" : [1, -2.5e3, 0, true, false, null, "x\\u0041\\n\\"é"], "b":{}, "c" :[ ] , "" : "" } '
    expect(parseJson(text)).toEqual(JSON.parse(text))
    expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text))
  })

  test('gives objects without a prototype', () => {
    const value = parseJsonObject('{"a":{"toString":1}}')
    expect(Object.getPrototypeOf(value)).toBeNull()
    expect(Object.getPrototypeOf(value['a'])).toBeNull()
  })

  test.each(['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"x":{"a":1,"b":2,"a":3}}]', '{"":1,"":2}'])(
    'NV-01, P-06: refuses the repeated member in %s',
    (text) => refuses(text, 'ERR_TOKEN_DUPLICATE'),
  )

  test('the same name in two objects is not repeated', () => {
    expect(parseJson('[{"a":1},{"a":{"a":2}}]')).toEqual([{ a: 1 }, { a: { a: 2 } }])
  })

  test.each(['__proto__', 'constructor', 'prototype', '\\u005f_proto__'])('NV-04: refuses a member called %s', (name) =>
    refuses(`{"a":{"${name}":1}}`, 'ERR_TOKEN_MALFORMED'),
  )

  test.each(['1e400', '-1e400', '{"exp":1e309}'])('T-01, P-02: refuses %s, which is infinite to a double', (text) =>
    refuses(text, 'ERR_TOKEN_MALFORMED'),
  )

  test.each(['9007199254740992', '-9007199254740992', '9007199254740993', '1e16', '1e300', '18446744073709551615'])(
    'NV-08: refuses %s, beyond ±(2^53-1)',
    (text) => refuses(text, 'ERR_TOKEN_MALFORMED'),
  )

  test.each([
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['-9007199254740991', Number.MIN_SAFE_INTEGER],
    ['0.1', 0.1],
    ['1.5e-7', 1.5e-7],
    ['4294967296', 4294967296],
  ])('reads the number %s', (text, value) => expect(parseJson(text)).toBe(value))

  test.each(['-0', '-0.0', '-0e5'])('NV-07: %s becomes 0', (text) => expect(parseJson(text)).toBe(0))

  test.each(['"\\ud800"', '"\\udc00x"', '"\\ud800\\u0041"', '{"\\ud800":1}'])(
    'refuses the lone surrogate in %s',
    (text) => refuses(text, 'ERR_TOKEN_MALFORMED'),
  )

  test('refuses a lone surrogate that stands in the text itself', () => refuses('"\ud800"', 'ERR_TOKEN_MALFORMED'))

  test('reads a pair of surrogates', () => expect(parseJson('"\\ud83d\\ude00"')).toBe('😀'))

  test.each([
    ['a byte of another encoding', [0x22, 0xe9, 0x22]],
    ['an overlong form', [0x22, 0xc0, 0xaf, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a character cut short', [0x22, 0xe2, 0x82, 0x22]],
    ['UTF-16', [0x5b, 0x00, 0x5d, 0x00]],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x5b, 0x5d]],
  ])('JB-09: refuses %s', (_, bytes) => refuses(Uint8Array.from(bytes), 'ERR_TOKEN_MALFORMED'))

  test.each([
    '',
    ' ',
    '1 1',
    '{}{}',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    "{'a':1}",
    '[1 2]',
    '{"a" 1}',
    '{"a":}',
    '{,}',
    '[,1]',
  ])('refuses %j', (text) => refuses(text, 'ERR_TOKEN_MALFORMED'))

  test.each(['01', '-', '+1', '.5', '1.', '1e', '1e+', '0x10', '-01', 'NaN', 'Infinity', '1_0', '1a'])(
    'refuses the number %s',
    (text) => refuses(text, 'ERR_TOKEN_MALFORMED'),
  )

  test.each(['tru', 'True', 'nul', 'truex', 'undefined'])('refuses the word %s', (text) =>
    refuses(text, 'ERR_TOKEN_MALFORMED'),
  )

  test.each(['"a', '"a\\"', '"\n"', '"\t"', '"\\x"', '"\\u12"', '"\\', '"\u0000"'])('refuses the text %j', (text) =>
    refuses(text, 'ERR_TOKEN_MALFORMED'),
  )

  test('an error says nothing of what was read', () => {
    expect(() => parseJson('"secret\\x"')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret'), cause: undefined }),
    )
  })

  describe('NV-05 limits', () => {
    const { depth, items, text, bytes } = JSON_LIMITS
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
    // Padded, so that what is too deep or too many is not already too long.
    const roomy = { ...JSON_LIMITS, bytes: 1_000_000 }

    test('as many levels as allowed are read, one more is refused', () => {
      expect(() => parseJson(nested(depth))).not.toThrow()
      refuses(nested(depth + 1), 'ERR_TOKEN_TOO_LARGE')
      refuses('{"a":'.repeat(depth + 1), 'ERR_TOKEN_TOO_LARGE')
    })

    test('levels beside each other are not counted together', () => {
      expect(
        parseJson(
          `[${Array(depth * 2)
            .fill('[],{}')
            .join()}]`,
        ),
      ).toHaveLength(depth * 4)
    })

    test('as many values as allowed are read, one more is refused', () => {
      const list = (count: number) => `[${Array(count).fill('1').join()}]`
      expect(parseJson(list(items - 1), roomy)).toHaveLength(items - 1)
      expect(() => parseJson(list(items), roomy)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_TOO_LARGE' }))
    })

    test('a text as long as allowed is read, one byte more is refused, in names as well', () => {
      expect(parseJson(`"${'x'.repeat(text)}"`)).toHaveLength(text)
      refuses(`"${'x'.repeat(text + 1)}"`, 'ERR_TOKEN_TOO_LARGE')
      refuses(`"${'é'.repeat(text / 2 + 1)}"`, 'ERR_TOKEN_TOO_LARGE')
      refuses(`{"${'x'.repeat(text + 1)}":1}`, 'ERR_TOKEN_TOO_LARGE')
    })

    test('input as long as allowed is read, one byte more is refused, as text and as bytes', () => {
      const padded = (length: number) => `[]${' '.repeat(length - 2)}`
      expect(parseJson(padded(bytes))).toEqual([])
      refuses(padded(bytes + 1), 'ERR_TOKEN_TOO_LARGE')
      refuses(Buffer.from(padded(bytes + 1)), 'ERR_TOKEN_TOO_LARGE')
      const wide = `"${'é'.repeat(bytes / 2)}"`
      expect(() => parseJson(wide, { ...JSON_LIMITS, text: bytes })).toThrow(
        expect.objectContaining({ code: 'ERR_TOKEN_TOO_LARGE' }),
      )
    })

    test.each(['[', '[{"":', '{"a":['])('a hundred thousand of %s do not exhaust the stack', (opening) => {
      const endless = opening.repeat(100_000)
      const limits = { ...JSON_LIMITS, bytes: 1_000_000, items: 1_000_000 }
      expect(() => parseJson(endless, limits)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_TOO_LARGE' }))
    })
  })

  test('what JSON.stringify writes is read, and says the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value)
        const ours = attempt(text)
        if (ours.refused === undefined) expect(ours.value).toEqual(JSON.parse(text))
        else expect(ours.refused).toMatch(/^ERR_TOKEN_/)
      }),
      { numRuns },
    )
  })

  test('whatever the bytes, the answer is a value or a refusal with a code, and never one that JSON.parse refuses', () => {
    const fragments = fc.constantFrom(...'{}[]:,"\\ \n-+.eE019tfn', '"a"', 'true', '\\u', '1e', 'null')
    fc.assert(
      fc.property(fc.array(fragments, { maxLength: 12 }), (parts) => {
        const text = parts.join('')
        if (attempt(text).refused === undefined) expect(() => JSON.parse(text)).not.toThrow()
      }),
      { numRuns: numRuns * 10 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(attempt(bytes).refused ?? 'ERR_TOKEN_').toMatch(/^ERR_TOKEN_/)
      }),
      { numRuns },
    )
  })
})

test('parseJsonObject refuses everything but an object', () => {
  for (const text of ['[]', '"a"', '1', 'null', 'true']) {
    expect(() => parseJsonObject(text)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }))
  }
})

/** Legal JSON that a token may not hold: refused on purpose, each for the reason beside it. */
const STRICTER: { readonly [name: string]: string } = {
  y_object_duplicated_key: 'repeated member',
  y_object_duplicated_key_and_value: 'repeated member',
  y_number: 'beyond ±(2^53-1): an integer to a double, however it is written',
  y_number_real_capital_e: 'beyond ±(2^53-1)',
  y_number_real_exponent: 'beyond ±(2^53-1)',
  y_number_real_fraction_exponent: 'beyond ±(2^53-1)',
  y_object_extreme_numbers: 'beyond ±(2^53-1)',
}

interface Case {
  readonly name: string
  readonly expect: 'accept' | 'reject' | 'either'
  readonly b64: string
}

describe('JSONTestSuite', () => {
  const cases: Case[] = JSON.parse(readFileSync(new URL('../vectors/json-parsing/cases.json', import.meta.url), 'utf8'))

  test.each(cases)('$name: $expect', ({ name, expect: expected, b64 }) => {
    const { refused } = attempt(Buffer.from(b64, 'base64'))
    if (expected === 'accept' && STRICTER[name] === undefined) expect(refused).toBeUndefined()
    if (expected === 'reject' || STRICTER[name] !== undefined) expect(refused).toMatch(/^ERR_TOKEN_/)
  })

  test('every exception is a case', () => {
    for (const name in STRICTER) expect(cases.map((entry) => entry.name)).toContain(name)
  })
})

function attempt(input: string | Uint8Array): { value?: unknown; refused?: string } {
  try {
    return { value: parseJson(input) }
  } catch (error) {
    if (error instanceof DragomanError) return { refused: error.code }
    throw error
  }
}
