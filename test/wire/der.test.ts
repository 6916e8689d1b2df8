import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  contentOf,
  inside,
  listOf,
  readBoolean,
  readDer,
  readInteger,
  readNamedBits,
  readNull,
  readOctetBits,
  readOid,
  readSmallInteger,
  readTime,
  tags,
} from '../../src/wire/der.ts'
import {
  boolean,
  der,
  namedBits,
  nullValue,
  octetBits,
  octetString,
  oid,
  sequence,
  setOf,
  smallInteger,
  time,
  unsignedInteger,
} from '../../src/wire/der-write.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const malformed = expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' })
const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)

describe('an element', () => {
  test.each([
    ['is cut before its length', '30'],
    ['is cut inside its length', '30 82 01'],
    ['is cut inside its value', '30 03 02 01'],
    ['has an indefinite length', '30 80 00 00'],
    ['has a length of one octet in the long form', '30 81 03 02 01 00'],
    ['has a length of two octets where one would do', `30 82 00 80 ${'00'.repeat(128)}`],
    ['has a length of three octets where two would do', `30 83 00 01 00 ${'00'.repeat(256)}`],
    ['has a length of four octets', '30 84 00 00 00 00'],
    ['is followed by something', '30 00 00'],
    ['has another identifier', '31 00'],
    ['has a tag number in the long form', '3f 81 00 00'],
  ])('is refused when it %s', (_, text) => {
    expect(() => inside(readDer(hex(text), tags.sequence, 'a sequence')).next()).toThrow(malformed)
  })

  test('is refused when it reaches beyond the one around it', () => {
    const outer = inside(readDer(hex('30 03 04 05 00'), tags.sequence, 'a sequence'))
    expect(() => outer.next()).toThrow(malformed)
  })

  test.each([0, 1, 127, 128, 255, 256, 65535, 65536])('of %i octets is read as it was written', (length) => {
    const element = readDer(der(tags.octetString, Buffer.alloc(length, 7)), tags.octetString, 'octets')
    expect(contentOf(element)).toEqual(Buffer.alloc(length, 7))
  })

  test('with something left over is refused where nothing more is expected', () => {
    const reader = inside(readDer(sequence(nullValue(), nullValue()), tags.sequence, 'a sequence'))
    reader.take(tags.null, 'a NULL')
    expect(() => reader.finish('a NULL')).toThrow(malformed)
    expect(() => reader.take(tags.integer, 'a number')).toThrow(malformed)
    expect(reader.optional(tags.integer)).toBeUndefined()
    reader.take(tags.null, 'a NULL')
    expect(() => reader.take(tags.null, 'a NULL')).toThrow(malformed)
  })

  test('that must hold something is refused when it is empty', () => {
    expect(() => listOf(readDer(sequence(), tags.sequence, 'a list'), 'a list')).toThrow(malformed)
  })
})

describe('values', () => {
  const bool = (text: string) => readBoolean(readDer(hex(text), tags.boolean, 'a BOOLEAN'))
  const integer = (text: string) => readInteger(readDer(hex(text), tags.integer, 'an INTEGER'))

  test('a BOOLEAN is 00 or FF', () => {
    expect(bool('01 01 ff')).toBe(true)
    expect(bool('01 01 00')).toBe(false)
    for (const text of ['01 01 01', '01 00', '01 02 ff ff']) expect(() => bool(text)).toThrow(malformed)
  })

  test('an INTEGER has no octet too many', () => {
    expect(integer('02 02 00 80')).toEqual(hex('0080'))
    expect(integer('02 01 ff')).toEqual(hex('ff'))
    for (const text of ['02 00', '02 02 00 7f', '02 02 ff 80']) expect(() => integer(text)).toThrow(malformed)
  })

  test('a small INTEGER is neither negative nor large', () => {
    const small = (bytes: Uint8Array) => readSmallInteger(readDer(bytes, tags.integer, 'an INTEGER'))
    expect(small(smallInteger(0))).toBe(0)
    expect(small(smallInteger(2 ** 31 - 1))).toBe(2 ** 31 - 1)
    expect(() => small(hex('02 01 80'))).toThrow(malformed)
    expect(() => small(hex('02 05 00 80 00 00 00'))).toThrow(malformed)
  })

  test('an unsigned INTEGER is written as short as can be', () => {
    expect(unsignedInteger(hex('00 00 7f'))).toEqual(hex('02 01 7f'))
    expect(unsignedInteger(hex('00 80'))).toEqual(hex('02 02 00 80'))
    expect(unsignedInteger(hex('00'))).toEqual(hex('02 01 00'))
    expect(unsignedInteger(hex(''))).toEqual(hex('02 01 00'))
  })

  test('a BIT STRING of octets has no unused bits', () => {
    const bits = (text: string) => readOctetBits(readDer(hex(text), tags.bitString, 'bits'))
    expect(bits('03 02 00 aa')).toEqual(hex('aa'))
    for (const text of ['03 00', '03 02 01 aa']) expect(() => bits(text)).toThrow(malformed)
  })

  test('a BIT STRING of named bits ends with a bit that is set', () => {
    const named = (text: string) => readNamedBits(readDer(hex(text), tags.bitString, 'bits'))
    expect(named('03 02 07 80')).toBe(1)
    expect(named('03 02 01 06')).toBe(0b1100000)
    expect(named('03 03 07 00 80')).toBe(1 << 8)
    expect(named('03 01 00')).toBe(0)
    for (const text of ['03 00', '03 01 01', '03 02 00 80', '03 02 07 81', '03 02 08 80', '03 03 00 80 00']) {
      expect(() => named(text)).toThrow(malformed)
    }
    expect(() => named('03 04 00 01 01 01')).toThrow(malformed)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) => {
        expect(readNamedBits(readDer(namedBits(bits), tags.bitString, 'bits'))).toBe(bits)
      }),
      { numRuns },
    )
  })

  test('a NULL has no value', () => {
    expect(() => readNull(readDer(hex('05 01 00'), tags.null, 'a NULL'))).toThrow(malformed)
  })

  test('the elements of a SET OF are written in order', () => {
    expect(setOf(smallInteger(3), boolean(true), smallInteger(1))).toEqual(hex('31 09 01 01 ff 02 01 01 02 01 03'))
  })

  test('octets stand inside a BIT STRING after the count of unused bits', () => {
    expect(octetBits(hex('aa'))).toEqual(hex('03 02 00 aa'))
    expect(octetString(hex('aa'))).toEqual(hex('04 01 aa'))
  })
})

describe('an OBJECT IDENTIFIER', () => {
  const read = (bytes: Uint8Array) => readOid(readDer(bytes, tags.oid, 'an OID'))

  test.each([
    ['2.5.29.17', '06 03 55 1d 11'],
    ['1.2.840.113549.1.1.11', '06 09 2a 86 48 86 f7 0d 01 01 0b'],
    ['0.9.2342.19200300.100.1.25', '06 0a 09 92 26 89 93 f2 2c 64 01 19'],
    ['2.999.3', '06 03 88 37 03'],
    ['2.25.329800735698586629295641978511506172918', '06 14 69 83 f8 8d ed d8 f3 ce ab b9 85 ab d4 e5 9b a8 87 ef 76'],
  ])('%s is read and written', (dotted, text) => {
    // The last one is long: arcs below 2.25 hold 128 bits.
    const bytes = dotted.startsWith('2.25') ? oid(dotted) : hex(text)
    expect(read(bytes)).toBe(dotted)
    expect(oid(dotted)).toEqual(bytes)
  })

  test('of any arcs comes back as it was', () => {
    const arcs = fc.tuple(
      fc.constantFrom(0n, 1n, 2n),
      fc.bigInt({ min: 0n, max: 39n }),
      fc.array(fc.bigInt({ min: 0n, max: 2n ** 130n }), { maxLength: 3 }),
    )
    fc.assert(
      fc.property(arcs, ([first, second, rest]) => {
        const dotted = [first, second, ...rest].join('.')
        expect(read(oid(dotted))).toBe(dotted)
      }),
      { numRuns },
    )
  })

  test.each([
    ['is empty', '06 00'],
    ['ends inside an arc', '06 02 55 9d'],
    ['has an arc with a leading zero', '06 03 55 80 01'],
    ['is absurdly long', `06 41 55 ${'01'.repeat(64)}`],
  ])('is refused when it %s', (_, text) => {
    expect(() => read(hex(text))).toThrow(malformed)
  })

  test.each(['', '2', '3.1', '1.40', '2.5.', '2.05', 'a.b', '2.5 '])('is not written from "%s"', (text) => {
    expect(() => oid(text)).toThrow(TypeError)
  })
})

describe('a time', () => {
  const read = (tag: number, text: string) => {
    const bytes = der(tag, Buffer.from(text, 'latin1'))
    return readTime(readDer(bytes, tag, 'a time'))
  }
  const utc = (text: string) => read(tags.utcTime, text)
  const generalized = (text: string) => read(tags.generalizedTime, text)

  test.each([
    ['491231235959Z', Date.UTC(2049, 11, 31, 23, 59, 59)],
    ['500101000000Z', Date.UTC(1950, 0, 1)],
    ['700101000000Z', 0],
    ['000229120000Z', Date.UTC(2000, 1, 29, 12)],
  ])('UTCTime %s is what it says', (text, milliseconds) => {
    expect(utc(text)).toBe(milliseconds / 1000)
  })

  test.each([
    ['20500101000000Z', Date.UTC(2050, 0, 1) / 1000],
    ['99991231235959Z', 253402300799],
    ['19491231235959Z', Date.UTC(1949, 11, 31, 23, 59, 59) / 1000],
  ])('GeneralizedTime %s is what it says', (text, seconds) => {
    expect(generalized(text)).toBe(seconds)
  })

  test.each([
    '7001010000Z',
    '700101000000',
    '700101000000+0000',
    '700101000000+',
    '701301000000Z',
    '700001000000Z',
    '700100000000Z',
    '700132000000Z',
    '700431000000Z',
    '700229000000Z',
    '700101240000Z',
    '700101006000Z',
    '700101000060Z',
    '7001010000 0Z',
    '70010100000aZ',
  ])('UTCTime %s is refused', (text) => {
    expect(() => utc(text)).toThrow(malformed)
  })

  test.each([
    '20491231235959Z',
    '19700101000000Z',
    '20500101000000.0Z',
    '2050010100Z',
    '20500101000000z',
    '21000229000000Z',
  ])('GeneralizedTime %s is refused', (text) => {
    expect(() => generalized(text)).toThrow(malformed)
  })

  test('is of no other type', () => {
    expect(() => read(tags.octetString, '700101000000Z')).toThrow(malformed)
  })

  test('comes back as it was written, UTCTime through 2049', () => {
    const range = fc.integer({ min: Date.UTC(1950, 0) / 1000, max: 253402300799 })
    fc.assert(
      fc.property(range, (seconds) => {
        const bytes = time(seconds)
        expect(bytes[0]).toBe(seconds < Date.UTC(2050, 0) / 1000 ? tags.utcTime : tags.generalizedTime)
        expect(readTime(readDer(bytes, bytes[0] ?? 0, 'a time'))).toBe(seconds)
      }),
      { numRuns },
    )
  })

  test.each([0.5, Number.NaN, Date.UTC(1949, 0) / 1000, 253402300800])('is not written from %d', (seconds) => {
    expect(() => time(seconds)).toThrow(TypeError)
  })
})
