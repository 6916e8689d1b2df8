import { describe, expect, test } from 'vitest'
import { tags } from '../../src/wire/der.ts'
import { der, oid, sequence, setOf, smallInteger, utf8String } from '../../src/wire/der-write.ts'
import {
  COMMON_NAME,
  commonName,
  nameOf,
  nameText,
  parseName,
  parseNameText,
  sameName,
  startsWithName,
  valuesOf,
} from '../../src/wire/name.ts'

const ORGANIZATION = '2.5.4.10'
const malformed = expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' })
const attribute = (type: string, value: Uint8Array) => sequence(oid(type), value)
const text = (tag: number, octets: string | Uint8Array) =>
  der(tag, typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets)
const one = (value: Uint8Array) => sequence(setOf(attribute(COMMON_NAME, value)))
const parts = (dn: string) => parseNameText(dn) ?? expect.unreachable(dn)

describe('a name in DER', () => {
  test('is read part by part, most general first', () => {
    const name = parseName(
      nameOf([
        [ORGANIZATION, 'Lark'],
        [COMMON_NAME, 'web'],
      ]),
    )
    expect(name.parts.map((part) => part.map(({ type, text }) => [type, text]))).toEqual([
      [[ORGANIZATION, 'Lark']],
      [[COMMON_NAME, 'web']],
    ])
    expect(valuesOf(name, COMMON_NAME)).toEqual(['web'])
    expect(nameText(name)).toBe('CN=web,O=Lark')
  })

  test('may be empty', () => {
    expect(parseName(sequence()).parts).toEqual([])
    expect(nameText(parseName(sequence()))).toBe('')
  })

  test.each([
    ['UTF8String', text(tags.utf8String, Buffer.from('Zoë', 'utf8')), 'Zoë'],
    ['PrintableString', text(tags.printableString, 'Zoe'), 'Zoe'],
    ['IA5String', text(tags.ia5String, 'z@x'), 'z@x'],
    ['TeletexString', text(tags.teletexString, 'Zo\xeb'), 'Zoë'],
    ['BMPString', text(tags.bmpString, Buffer.from('005a006f00eb', 'hex')), 'Zoë'],
  ])('holds text as %s', (_, value, expected) => {
    expect(valuesOf(parseName(one(value)), COMMON_NAME)).toEqual([expected])
  })

  test('keeps a value that is no text, and writes it as hexadecimal', () => {
    const name = parseName(one(smallInteger(5)))
    expect(valuesOf(name, COMMON_NAME)).toEqual([])
    expect(nameText(name)).toBe('CN=#020105')
  })

  test.each([
    ['UTF-8 that is none', one(text(tags.utf8String, Buffer.of(0xc3)))],
    ['an embedded NUL', one(text(tags.utf8String, 'admin\0.example'))],
    ['a NUL in two octets', one(text(tags.bmpString, Buffer.from('00610000', 'hex')))],
    ['a line feed', one(text(tags.printableString, 'a\nb'))],
    ['a control character beyond ASCII', one(text(tags.teletexString, 'a\x85b'))],
    ['more than ASCII in a PrintableString', one(text(tags.printableString, 'Zo\xeb'))],
    ['half a character', one(text(tags.bmpString, 'abc'))],
    ['a lone surrogate', one(text(tags.bmpString, Buffer.from('d800', 'hex')))],
    ['an empty part', sequence(der(tags.set))],
    ['a part that is no SET', sequence(sequence())],
    ['an attribute that is no SEQUENCE', sequence(der(tags.set, smallInteger(1)))],
    ['an attribute with three members', sequence(setOf(sequence(oid(COMMON_NAME), utf8String('a'), utf8String('b'))))],
    [
      'attributes out of order',
      sequence(der(tags.set, attribute(ORGANIZATION, utf8String('a')), attribute(COMMON_NAME, utf8String('a')))),
    ],
    [
      'an attribute twice',
      sequence(der(tags.set, attribute(COMMON_NAME, utf8String('a')), attribute(COMMON_NAME, utf8String('a')))),
    ],
    ['too many parts', sequence(...Array.from({ length: 33 }, () => setOf(attribute(COMMON_NAME, utf8String('a')))))],
    ['something after it', Buffer.concat([commonName('a'), Buffer.of(0)])],
  ])('is refused with %s', (_, bytes) => {
    expect(() => parseName(bytes)).toThrow(malformed)
  })
})

describe('a name as text', () => {
  test('escapes what has a meaning, so that text cannot add a part', () => {
    const hostile = nameText(parseName(nameOf([[COMMON_NAME, 'x, O=admin+OU="y";<z>\\']])))
    expect(hostile).toBe('CN=x\\, O=admin\\+OU=\\"y\\"\\;\\<z\\>\\\\')
    expect(parts(hostile)).toHaveLength(1)
    expect(nameText(parseName(commonName(' #a ')))).toBe('CN=\\ #a\\ ')
    expect(nameText(parseName(commonName('#a')))).toBe('CN=\\#a')
  })

  test('gives a type without short name as OID and DER', () => {
    expect(nameText(parseName(nameOf([['2.5.4.5', 'ab']])))).toBe('2.5.4.5=#0c026162')
  })

  test('joins the attributes of one part by plus', () => {
    const bytes = sequence(
      setOf(attribute(COMMON_NAME, utf8String('a')), attribute(ORGANIZATION, utf8String('b'))),
      setOf(attribute('2.5.4.6', text(tags.printableString, 'DE'))),
    )
    expect(nameText(parseName(bytes))).toBe('C=DE,CN=a+O=b')
  })

  test.each([
    'CN=web,O=Lark',
    'CN=x\\, O=admin,DC=example',
    'CN=\\ a\\ ',
    'CN=a+OU=b,C=DE',
    '2.5.4.5=#0c026162',
    'CN=Zoë',
    'CN=',
  ])('%s comes back as it was', (dn) => {
    const bytes = sequence(
      ...parts(dn).map((part) =>
        setOf(...part.map(({ type, text, value }) => attribute(type, value ?? utf8String(text ?? '')))),
      ),
    )
    expect(nameText(parseName(bytes))).toBe(dn)
  })

  test('is read with white space around separators, types in any case and escapes by octet', () => {
    const [general, specific] = parts('cn = a\\C3\\AB \\2c b , O= x y')
    expect(general?.[0]).toMatchObject({ type: ORGANIZATION, text: 'x y' })
    expect(specific?.[0]).toMatchObject({ type: COMMON_NAME, text: 'aë , b' })
  })

  test.each(['CN', 'CN=a,', 'XX=a', 'CN=a;O=b', 'CN=a"b', 'CN=a\\', '=a', 'CN=a,,O=b', 'CN=#0', 'CN=\\ff', 'CN=a\\z'])(
    '%s is none',
    (dn) => {
      expect(parseNameText(dn)).toBeUndefined()
    },
  )

  test('an empty text is the empty name', () => {
    expect(parseNameText(' ')).toEqual([])
  })
})

describe('two names', () => {
  const same = (left: string, right: string) => sameName(parts(left), parts(right))

  test.each([
    ['CN=Web  Shop,O=Lark', 'cn= web shop ,o=LARK'],
    ['CN=a+OU=b', 'OU=b+CN=a'],
    ['CN=#0c0161', 'CN=A'],
    ['CN=\\C3\\85', 'CN=A\\CC\\8A'],
    ['2.5.4.5=#020105', '2.5.4.5=#020105'],
  ])('%s and %s are the same', (left, right) => {
    expect(same(left, right)).toBe(true)
  })

  test.each([
    ['CN=a,O=b', 'O=b,CN=a'],
    ['CN=a,O=b', 'CN=a'],
    ['CN=a', 'CN=a,O=b'],
    ['CN=a', 'OU=a'],
    ['CN=a+OU=b', 'CN=a'],
    ['CN=a b', 'CN=ab'],
    ['CN=a\\,O=b', 'CN=a,O=b'],
    ['2.5.4.5=#020105', '2.5.4.5=#020106'],
    ['2.5.4.5=#020105', '2.5.4.5=#ff'],
    ['2.5.4.5=#020105', '2.5.4.5=\\05'],
  ])('%s and %s are not', (left, right) => {
    expect(same(left, right)).toBe(false)
  })

  test('one lies below another when it begins with its parts', () => {
    expect(startsWithName(parts('CN=x,O=Lark,C=DE'), parts('O=lark,C=DE'))).toBe(true)
    expect(startsWithName(parts('CN=x,O=Lark,C=DE'), parts('CN=x'))).toBe(false)
    expect(startsWithName(parts('C=DE'), parts('O=Lark,C=DE'))).toBe(false)
    expect(startsWithName(parts('C=DE'), [])).toBe(true)
  })
})
