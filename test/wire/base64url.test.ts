import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromBase64, fromBase64url, toBase64, toBase64url } from '../../src/wire/base64url.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)

describe('base64url without padding', () => {
  test.each([
    ['', []],
    ['AA', [0]],
    ['AAA', [0, 0]],
    ['AAAA', [0, 0, 0]],
    ['-_-_', [0xfb, 0xff, 0xbf]],
  ])('%s is read', (text, bytes) => {
    expect(fromBase64url(text)).toEqual(Buffer.from(bytes))
  })

  test.each([
    ['P-01 padding', 'AA=='],
    ['P-01 padding in the middle', 'AA=A'],
    ['P-01 the other alphabet', '+/+/'],
    ['P-01 white space inside', 'AA AA'],
    ['P-01 white space before', ' AAAA'],
    ['P-01 a line break after', 'AAAA\n'],
    ['P-01 trailing bits after one byte', 'AB'],
    ['P-01 trailing bits after two bytes', 'AAB'],
    ['a length that no bytes have', 'AAAAA'],
    ['a single character', 'A'],
    ['a dot', 'AA.A'],
    ['a NUL', 'AA\0A'],
    ['a character whose low byte is one of the alphabet', 'AAA\u0141'],
  ])('%s is refused', (_, text) => {
    expect(fromBase64url(text)).toBeUndefined()
  })

  test('what was written is read, and is the only text that is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.string({ unit: 'binary', maxLength: 2 }), (bytes, more) => {
        const text = toBase64url(bytes)
        expect(fromBase64url(text)).toEqual(Buffer.from(bytes))
        const other = fromBase64url(text + more)
        if (other) expect(toBase64url(other)).toBe(text + more)
      }),
      { numRuns },
    )
  })

  test('a view of a larger buffer is written alone', () => {
    expect(toBase64url(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toBe('AgM')
  })
})

describe('base64 with padding', () => {
  test.each(['', 'AA==', 'AAA=', 'AAAA', '+/+/'])('%s is read and written', (text) => {
    const bytes = fromBase64(text)
    expect(bytes && toBase64(bytes)).toBe(text)
  })

  test.each(['AA', 'AA=', 'AB==', 'AAB=', 'AA==AA==', '-_-_', 'AA AA', 'AAAA\n', '===='])('%j is refused', (text) => {
    expect(fromBase64(text)).toBeUndefined()
  })
})
