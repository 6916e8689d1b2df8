import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { Decoder } from 'cbor-x'
import * as cborg from 'cborg'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { type CborValue, decodeCbor, decodeCborMap, Float, sameCbor, Tagged } from '../../src/wire/cbor.ts'
import { CborWriter, type Encodable, Encoded, encodeCbor } from '../../src/wire/cbor-encode.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 300)
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const refuses = (bytes: Uint8Array, code: string, tags: number[] = []) =>
  expect(() => decodeCbor(bytes, { tags })).toThrow(expect.objectContaining({ code }))

interface Vector {
  readonly hex: string
  readonly decoded?: unknown
  readonly diagnostic?: string
  readonly roundtrip?: boolean
  readonly why?: string
}
const vectors = (name: string): Vector[] =>
  JSON.parse(readFileSync(new URL(`../vectors/cbor/${name}.json`, import.meta.url), 'utf8'))

/** Well-formed CBOR that no token of ours may hold, by its bytes. */
const REFUSED: { readonly [hex: string]: string } = {
  '1bffffffffffffffff': 'above 2^53-1',
  '3bffffffffffffffff': 'below -(2^53-1)',
  c249010000000000000000: 'tag 2, bignum',
  c349010000000000000000: 'tag 3, bignum',
  f97c00: 'infinity',
  f97e00: 'NaN',
  f9fc00: 'infinity',
  fa7f800000: 'infinity',
  fa7fc00000: 'NaN',
  faff800000: 'infinity',
  fb7ff0000000000000: 'infinity',
  fb7ff8000000000000: 'NaN',
  fbfff0000000000000: 'infinity',
  f7: 'undefined',
  f0: 'unassigned simple value',
  f818: 'malformed since RFC 8949 (RFC 7049 had it as simple value 24)',
  f8ff: 'unassigned simple value',
  c074323031332d30332d32315432303a30343a30305a: 'tag 0, date',
  c11a514b67b0: 'tag 1, epoch time',
  c1fb41d452d9ec200000: 'tag 1, epoch time',
  d74401020304: 'tag 23',
  d818456449455446: 'tag 24, embedded CBOR',
  d82076687474703a2f2f7777772e6578616d706c652e636f6d: 'tag 32, unless it is asked for',
  '5f42010243030405ff': 'indefinite length',
  '7f657374726561646d696e67ff': 'indefinite length',
  '9fff': 'indefinite length',
  '9f018202039f0405ffff': 'indefinite length',
  '9f01820203820405ff': 'indefinite length',
  '83018202039f0405ff': 'indefinite length',
  '83019f0203ff820405': 'indefinite length',
  '9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff': 'indefinite length',
  bf61610161629f0203ffff: 'indefinite length',
  '826161bf61626163ff': 'indefinite length',
  bf6346756ef563416d7421ff: 'indefinite length',
  '1bfffffffffffff800': 'above 2^53-1',
  '3b7ffffffffffffbff': 'below -(2^53-1)',
}

/** What deterministic CBOR by the draft forbids and a token may hold. */
const ACCEPTED: { readonly [hex: string]: string } = {
  f94a00: 'a float without fraction: kept apart as a Float',
  fa41400000: 'a float without fraction: kept apart as a Float',
  fb4028000000000000: 'a float without fraction: kept apart as a Float',
  fa3fc00000: 'floats in another width than the shortest: encoders of the field write 8 bytes',
  fb3ff8000000000000: 'floats in another width than the shortest: encoders of the field write 8 bytes',
  f98000: '-0 becomes 0',
  fa80000000: '-0 becomes 0',
  fb8000000000000000: '-0 becomes 0',
  a2616200616101: 'map order says nothing: what is signed is the bytes as received',
  '6345cc88': 'text is not normalised, and compared by code points',
}

/** Neutral form of what the JSON files say and of what we decode. */
function plain(value: CborValue): unknown {
  if (value instanceof Float) return value.value
  if (value instanceof Uint8Array) return `h'${Buffer.from(value).toString('hex')}'`
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)]))
  return value
}

describe('RFC 8949 appendix A', () => {
  test.each(vectors('appendix_a'))('$hex', ({ hex: text, decoded, diagnostic, roundtrip }) => {
    const bytes = hex(text)
    if (text in REFUSED) return refuses(bytes, 'ERR_TOKEN_MALFORMED')
    const value = decodeCbor(bytes)
    const expected = diagnostic?.startsWith('{') ? { '1': 2, '3': 4 } : (decoded ?? diagnostic ?? null)
    expect(plain(value)).toEqual(Object.is(expected, -0) ? 0 : expected)
    if (roundtrip && text !== 'f98000') expect(Buffer.from(encodeCbor(value)).toString('hex')).toBe(text)
  })
})

describe('deterministic CBOR', () => {
  test.each(vectors('dcbor-valid'))('reads and writes $hex', ({ hex: text }) => {
    if (text in REFUSED) return refuses(hex(text), 'ERR_TOKEN_MALFORMED')
    const value = decodeCbor(hex(text))
    expect(Buffer.from(encodeCbor(value)).toString('hex')).toBe(text)
  })

  test.each(vectors('dcbor-invalid'))('refuses, or accepts with a reason, $hex', ({ hex: text }) => {
    if (text in ACCEPTED) expect(() => decodeCbor(hex(text))).not.toThrow()
    else expect(() => decodeCbor(hex(text))).toThrow(DragomanError)
  })
})

describe('RFC 8949 appendix F', () => {
  test.each(vectors('rfc8949-appendix-f-malformed'))('refuses $hex: $why', ({ hex: text }) => {
    expect(() => decodeCbor(hex(text), { tags: [0, 1, 2, 3, 24] })).toThrow(DragomanError)
  })
})

describe('decodeCbor', () => {
  test('P-06 refuses a repeated map key, of integers and of text', () => {
    refuses(hex('a201010102'), 'ERR_TOKEN_DUPLICATE')
    refuses(hex('a2616101616102'), 'ERR_TOKEN_DUPLICATE')
    refuses(hex('a1 01 a2 20 00 20 00'), 'ERR_TOKEN_DUPLICATE')
  })

  test('NV-02 refuses map keys that are floats, bytes, arrays or simple values', () => {
    for (const key of ['f93c00', 'f93e00', 'fb3ff0000000000000', '4101', '80', 'f5', 'f6']) {
      refuses(hex(`a1${key}00`), 'ERR_TOKEN_MALFORMED')
    }
  })

  test('refuses every head that is longer than need be, for each major type', () => {
    for (const major of [0x00, 0x20, 0x40, 0x60, 0x80, 0xa0]) {
      for (const [info, argument] of [
        [24, '17'],
        [25, '00ff'],
        [26, '0000ffff'],
        [27, '00000000ffffffff'],
      ] as const) {
        const head = Buffer.concat([Buffer.of(major | info), hex(argument)])
        // Enough bytes for any length that could be meant, so that only the head can be the reason.
        refuses(Buffer.concat([head, Buffer.alloc(70_000)]), 'ERR_TOKEN_MALFORMED')
      }
    }
    refuses(hex('d81200'), 'ERR_TOKEN_MALFORMED', [18])
  })

  test('reads integers up to ±(2^53-1) and refuses those beyond', () => {
    expect(decodeCbor(hex('1b001fffffffffffff'))).toBe(Number.MAX_SAFE_INTEGER)
    expect(decodeCbor(hex('3b001ffffffffffffe'))).toBe(Number.MIN_SAFE_INTEGER)
    refuses(hex('1b0020000000000000'), 'ERR_TOKEN_MALFORMED')
    refuses(hex('3b001fffffffffffff'), 'ERR_TOKEN_MALFORMED')
  })

  test('NV-07 keeps a float without fraction apart from the integer, and turns -0 into 0', () => {
    expect(decodeCbor(hex('f94200'))).toEqual(new Float(3))
    expect(decodeCbor(hex('f98000'))).toEqual(new Float(0))
    expect(Object.is((decodeCbor(hex('f98000')) as Float).value, 0)).toBe(true)
    expect(decodeCbor(hex('f93e00'))).toBe(1.5)
  })

  test('refuses text that is not UTF-8, short and long: overlong, surrogates, beyond U+10FFFF, cut short', () => {
    for (const bad of ['c080', 'eda080', 'f4908080', 'e282', 'ff', 'c3']) {
      const body = hex(bad)
      refuses(Buffer.concat([Buffer.of(0x60 | body.length), body]), 'ERR_TOKEN_MALFORMED')
      const long = Buffer.concat([Buffer.from('a'.repeat(30)), body])
      refuses(Buffer.concat([Buffer.of(0x78, long.length), long]), 'ERR_TOKEN_MALFORMED')
    }
  })

  test('accepts U+FFFD that was really sent', () => {
    expect(decodeCbor(encodeCbor('a\ufffd'))).toBe('a\ufffd')
  })

  test('keeps a byte order mark, so that it cannot make one key out of two', () => {
    expect(decodeCbor(encodeCbor('\ufeffiss'))).toBe('\ufeffiss')
    expect(decodeCborMap(encodeCbor(new Map().set('iss', 1).set('\ufeffiss', 2))).size).toBe(2)
  })

  test('refuses bytes after the item, and no bytes at all', () => {
    refuses(hex('0000'), 'ERR_TOKEN_MALFORMED')
    refuses(hex(''), 'ERR_TOKEN_MALFORMED')
  })

  test('T-05 refuses tags that are not asked for: 27, 28, 29, 0, 1, 2, 24', () => {
    for (const tag of ['d81b', 'd81c', 'd81d', 'c0', 'c1', 'c2', 'd818'])
      refuses(hex(`${tag}00`), 'ERR_TOKEN_MALFORMED')
  })

  test('hands over a tag that is asked for, at any level', () => {
    expect(decodeCbor(hex('d81b81d81b00'), { tags: [27] })).toEqual(new Tagged(27, [new Tagged(27, 0)]))
  })

  test('NV-05 takes 16 levels and refuses 17, of arrays, maps and tags', () => {
    const nested = (open: string, levels: number) => hex(open.repeat(levels) + '00')
    for (const open of ['81', 'a100']) {
      expect(() => decodeCbor(nested(open, 16))).not.toThrow()
      refuses(nested(open, 17), 'ERR_TOKEN_TOO_LARGE')
      refuses(nested(open, 100_000), 'ERR_TOKEN_TOO_LARGE')
    }
    refuses(nested('c6', 17), 'ERR_TOKEN_TOO_LARGE', [6])
  })

  test('NV-05 takes 4096 items and refuses one more', () => {
    const array = (items: number) => new CborWriter().value(Array(items).fill(0)).done()
    expect(decodeCbor(array(4095))).toHaveLength(4095)
    refuses(array(4096), 'ERR_TOKEN_TOO_LARGE')
  })

  test('NV-05 takes text of 8 KiB and refuses one byte more', () => {
    expect(decodeCbor(encodeCbor('a'.repeat(8192)))).toHaveLength(8192)
    refuses(encodeCbor('a'.repeat(8193)), 'ERR_TOKEN_TOO_LARGE')
  })

  test('makes nothing for a length that the input cannot hold', () => {
    for (const head of ['9b00000000ffffffff', 'bb00000000ffffffff', '5b00000000ffffffff', '7b00000000ffffffff']) {
      refuses(hex(head + '00'), 'ERR_TOKEN_MALFORMED')
    }
    refuses(hex('bb000fffffffffffff00'), 'ERR_TOKEN_MALFORMED')
  })

  test('keys that name members of Object.prototype are keys like any other', () => {
    expect(decodeCborMap(encodeCbor(new Map([['__proto__', 1]]))).get('__proto__')).toBe(1)
  })

  test('reads from a view in the middle of its memory', () => {
    const memory = Buffer.concat([Buffer.alloc(3, 0xff), hex('83 01 63 616263 42 0102'), Buffer.alloc(3, 0xff)])
    const view = new Uint8Array(memory.buffer, memory.byteOffset + 3, memory.length - 6)
    expect(decodeCbor(view)).toEqual([1, 'abc', Buffer.of(1, 2)])
  })

  test('decodeCborMap refuses what is no map', () => {
    expect(() => decodeCborMap(hex('80'))).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }))
  })

  test('random bytes are read or refused, and never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          const value = decodeCbor(bytes, { tags: [18, 32, 61, 98] })
          expect(sameCbor(decodeCbor(encodeCbor(value), { tags: [18, 32, 61, 98] }), value)).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(DragomanError)
        }
      }),
      { numRuns: runs * 10 },
    )
  })

  test('refuses text if and only if it is not UTF-8', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const read = () => decodeCbor(textOf(bytes))
        if (isUtf8(bytes)) expect(read()).toBe(Buffer.from(bytes).toString())
        else expect(read).toThrow(DragomanError)
      }),
      { numRuns: runs },
    )
  })
})

const textOf = (bytes: Uint8Array): Buffer =>
  Buffer.concat([bytes.length < 24 ? Buffer.of(0x60 | bytes.length) : Buffer.of(0x78, bytes.length), bytes])

describe('encodeCbor', () => {
  const written = (value: Encodable) => Buffer.from(encodeCbor(value)).toString('hex')

  test('sorts map keys by their encodings: 0 1 24 -1 -25 then text, shorter first', () => {
    const keys = ['bb', 'a', -25, 24, 'z', 0, -1, 1, 'é', 'aaa', 1000, -1000]
    const bytes = encodeCbor(new Map(keys.map((key) => [key, null])))
    expect([...decodeCborMap(bytes).keys()]).toEqual([0, 1, 24, 1000, -1, -25, -1000, 'a', 'z', 'bb', 'é', 'aaa'])
  })

  test('sorts text keys by bytes, not by UTF-16 code units', () => {
    const bytes = encodeCbor(new Map().set('\u{1f600}', 1).set('\uff5e~', 2))
    expect([...decodeCborMap(bytes).keys()]).toEqual(['\uff5e~', '\u{1f600}'])
  })

  test('writes the shortest float that holds the number, and integers for numbers without fraction', () => {
    expect(written(1.5)).toBe('f93e00')
    expect(written(2 ** -24)).toBe('f90001')
    expect(written(1023 * 2 ** -24)).toBe('f903ff')
    expect(written(2 ** -25)).toBe('fa33000000')
    expect(written(1.1)).toBe('fb3ff199999999999a')
    expect(written(2345678.25)).toBe('fa4a0f2b39')
    expect(written(3)).toBe('03')
    expect(written(-0)).toBe('00')
    expect(written(2 ** 53 - 1)).toBe('1b001fffffffffffff')
  })

  test('CW-05 T-14 writes integers above 2^32 as integers', () => {
    expect(written(2 ** 32)).toBe('1b0000000100000000')
    expect(written(-(2 ** 32) - 1)).toBe('3b0000000100000000')
  })

  test('refuses numbers that have no place, and text with a lone surrogate', () => {
    for (const value of [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      -(2 ** 60),
      'a\ud800',
      `${'a'.repeat(50)}\udc00`,
    ]) {
      expect(() => encodeCbor(value)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_CLAIM' }))
    }
  })

  test('takes pieces that are encoded already, records, and bytes', () => {
    expect(written([new Encoded(hex('a0')), { b: Buffer.of(7), a: [] }])).toBe('82a0a261618061624107')
  })

  test('grows for large values', () => {
    const value = ['x'.repeat(5000), Buffer.alloc(5000, 1), 'ä'.repeat(3000)]
    expect(decodeCbor(encodeCbor(value))).toEqual(value)
  })
})

const label = fc.oneof(fc.maxSafeInteger(), fc.string({ unit: 'grapheme', maxLength: 12 }))
const leaf = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n)),
  fc.float({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n)),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.boolean(),
  fc.constant(null),
)
const item: fc.Arbitrary<Encodable> = fc.letrec<{ item: Encodable }>((tie) => ({
  item: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('item'), { maxLength: 6 }),
    fc.uniqueArray(fc.tuple(label, tie('item')), { selector: ([key]) => key, maxLength: 6 }).map((all) => new Map(all)),
  ),
})).item

describe('what we write', () => {
  test('our own reader reads back, the same', () => {
    fc.assert(
      fc.property(item, (value) => {
        expect(sameCbor(decodeCbor(encodeCbor(value)), value as CborValue)).toBe(true)
      }),
      { numRuns: runs },
    )
  })

  test('cborg, strict, reads and writes again as the same bytes', () => {
    fc.assert(
      fc.property(item, (value) => {
        const bytes = encodeCbor(value)
        const read = cborg.decode(bytes, {
          strict: true,
          useMaps: true,
          allowIndefinite: false,
          rejectDuplicateMapKeys: true,
        })
        expect(Buffer.from(cborg.encode(read, cborg.rfc8949EncodeOptions))).toEqual(Buffer.from(bytes))
      }),
      { numRuns: runs },
    )
  })

  test('cbor-x reads the same', () => {
    const decoder = new Decoder({ mapsAsObjects: false, useRecords: false })
    fc.assert(
      fc.property(item, (value) => {
        const same = (left: unknown, right: unknown) => sameCbor(left as CborValue, right as CborValue)
        expect(same(withNumbers(decoder.decode(Buffer.from(encodeCbor(value)))), value)).toBe(true)
      }),
      { numRuns: runs },
    )
  })
})

/** cbor-x gives integers of 8 bytes as bigint. */
function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(withNumbers)
  if (value instanceof Map) return new Map([...value].map(([key, entry]) => [withNumbers(key), withNumbers(entry)]))
  return value
}
