import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { FORM_LIMITS, parseForm } from '../../src/gateway/form.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200)
const parse = (text: string, limits = FORM_LIMITS) => parseForm(Buffer.from(text), limits)
const values = (text: string) => Object.fromEntries(parse(text).values)
const code = (name: string) => expect.objectContaining({ code: name })

describe('parseForm', () => {
  it('TE-02: takes audience and resource as often as they are sent, mixed, in order', () => {
    const { audience, resource } = parse('audience=a&resource=https://r&audience=b&resource=https://s&audience=a')
    expect(audience).toEqual(['a', 'b', 'a'])
    expect(resource).toEqual(['https://r', 'https://s'])
  })

  it.each([
    'scope=a&scope=b',
    'subject_token=a&subject_token=a',
    'scope=&scope=a',
    'scope&scope=a',
    'unknown=1&unknown=2',
    'sco%70e=a&scope=b',
    '=a&=b',
  ])('TE-02, P-06: refuses a repeated parameter, however it is written: %s', (text) => {
    expect(() => parse(text)).toThrow(code('ERR_REQUEST_REPEATED'))
  })

  it('names a repeated parameter in the detail, and only if it looks like one', () => {
    const detailOf = (text: string) => {
      try {
        return parse(text)
      } catch (error) {
        return error instanceof DragomanError ? error.detail : error
      }
    }
    expect(detailOf('scope=a&scope=b')).toEqual({ parameter: 'scope' })
    expect(detailOf('<b>=a&<b>=b')).toEqual({ parameter: 'unknown' })
  })

  it('TE-03: takes a parameter without a value for absent', () => {
    const form = parse('scope=&subject_token&audience=&resource&client_id=c')
    expect(Object.fromEntries(form.values)).toEqual({ client_id: 'c' })
    expect(form.audience).toEqual([])
    expect(form.resource).toEqual([])
  })

  it('TE-04: keeps parameters that it does not know, for others to ignore', () => {
    expect(values('foo=1&scope=a')).toEqual({ foo: '1', scope: 'a' })
  })

  it('TR-13: decodes plus and percent as form encoding, and UTF-8', () => {
    expect(values('scope=a+b%20c%2B&client_id=%C3%A4%2b&x=ä')).toEqual({ scope: 'a b c+', client_id: 'ä+', x: 'ä' })
  })

  it('keeps every equals sign of a value after the first', () => {
    expect(values('client_secret=a=b==')).toEqual({ client_secret: 'a=b==' })
  })

  it('passes over what is between two separators with nothing between them', () => {
    expect(values('&&scope=a&')).toEqual({ scope: 'a' })
    expect(values('')).toEqual({})
  })

  it.each(['scope=%', 'scope=%4', 'scope=%zz', 'scope=%ff', 'scope=%C3', 'scope=%ED%A0%80', '%=a', 'scope=%c0%80'])(
    'TR-13: refuses malformed percent-encoding and what is not UTF-8 in it: %s',
    (text) => {
      expect(() => parse(text)).toThrow(code('ERR_REQUEST_FORM'))
    },
  )

  it('TR-13: refuses bytes that are not UTF-8', () => {
    expect(() => parseForm(Buffer.from([0x61, 0x3d, 0xff]))).toThrow(code('ERR_REQUEST_FORM'))
  })

  it('TR-14: refuses more bytes, more parameters and longer parameters than the limits', () => {
    const limits = { bytes: 40, parameters: 3, parameterBytes: 10 }
    expect(parse('a=1&b=2&c=3', limits).values.size).toBe(3)
    expect(() => parse('a=1&b=2&c=3&d=4', limits)).toThrow(code('ERR_REQUEST_FORM'))
    expect(parse('a=12345678', limits).values.size).toBe(1)
    expect(() => parse('a=123456789', limits)).toThrow(code('ERR_REQUEST_FORM'))
    expect(() => parse('a=1&'.repeat(11), limits)).toThrow(code('ERR_REQUEST_TOO_LARGE'))
  })

  it('counts the repeatable ones against the limit too', () => {
    expect(() => parse('audience=a&'.repeat(65))).toThrow(code('ERR_REQUEST_FORM'))
  })

  it('takes names of prototypes for parameters like others', () => {
    expect([...parse('__proto__=a&constructor=b').values]).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
  })

  it('reads what URLSearchParams writes', () => {
    const entry = fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ minLength: 1, unit: 'grapheme' }))
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: ([name]) => name, maxLength: 20 }), (entries) => {
        const wellFormed = entries.filter(([name, value]) => name.isWellFormed() && value.isWellFormed())
        const repeatable = wellFormed.filter(([name]) => name !== 'audience' && name !== 'resource')
        const form = parse(new URLSearchParams(repeatable).toString())
        expect([...form.values]).toEqual(repeatable)
      }),
      { numRuns: RUNS },
    )
  })

  it('gives a form or a refusal with a code for any bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .array(fc.constantFrom('&', '=', '%', '%4', '%41', '+', 'a', 'audience', 'é', '\0'), { maxLength: 60 })
        .map((parts) => Buffer.from(parts.join(''))),
    )
    fc.assert(
      fc.property(bytes, (body) => {
        try {
          parseForm(body)
        } catch (error) {
          expect(error).toBeInstanceOf(DragomanError)
        }
      }),
      { numRuns: RUNS },
    )
  })
})
