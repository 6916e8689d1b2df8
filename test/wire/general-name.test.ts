import { describe, expect, test } from 'vitest'
import { context, readDer, tags } from '../../src/wire/der.ts'
import { der, oid, sequence, utf8String } from '../../src/wire/der-write.ts'
import {
  generalName,
  ipText,
  isAbsoluteUri,
  isDnsName,
  mailboxHost,
  readGeneralName,
  readGeneralNames,
  uriHost,
} from '../../src/wire/general-name.ts'
import { commonName, nameText } from '../../src/wire/name.ts'

const malformed = expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' })
const read = (bytes: Uint8Array) => readGeneralName(readDer(bytes, bytes[0] ?? 0, 'a name'))

test('each kind is read as what it is', () => {
  expect(read(generalName('uri', 'spiffe://a/b'))).toEqual({ kind: 'uri', text: 'spiffe://a/b' })
  expect(read(generalName('dns', 'a.example'))).toEqual({ kind: 'dns', text: 'a.example' })
  expect(read(generalName('email', 'a@b.example'))).toEqual({ kind: 'email', text: 'a@b.example' })
  expect(read(generalName('ip', Buffer.of(10, 0, 0, 1)))).toEqual({ kind: 'ip', octets: Buffer.of(10, 0, 0, 1) })
  const directory = read(der(context(4), commonName('a')))
  expect(directory.kind === 'directory' && nameText(directory.name)).toBe('CN=a')
  const other = read(der(context(0), oid('1.2.3'), der(context(0), utf8String('x'))))
  expect(other).toEqual({ kind: 'other', type: '1.2.3', value: utf8String('x') })
  expect(read(der(context(8, false), Buffer.of(0x2a))).kind).toBe('registered')
  expect(read(der(context(3))).kind).toBe('x400')
  expect(read(der(context(5))).kind).toBe('edi')
})

test.each([
  ['a kind that there is not', der(context(9, false))],
  ['a URI with a NUL', generalName('uri', 'https://a.example\0.evil.example')],
  ['a host with a space', generalName('dns', 'a b')],
  ['an address beyond ASCII', generalName('email', 'zo\xeb@a.example')],
  ['two names in one', der(context(4), commonName('a'), commonName('b'))],
  ['an otherName that goes on', der(context(0), oid('1.2.3'), der(context(0)), der(context(0)))],
  ['an otherName without value', der(context(0), oid('1.2.3'))],
  ['a constructed host', der(context(2), Buffer.from('a'))],
])('%s is refused', (_, bytes) => {
  expect(() => read(bytes)).toThrow(malformed)
})

test('a list of names has at least one', () => {
  expect(() => readGeneralNames(readDer(sequence(), tags.sequence, 'names'))).toThrow(malformed)
})

describe('syntax', () => {
  test.each(['a', 'a.example', '*.a.example', 'a_b.c-d.example', 'xn--bcher-kva.example', '1.2.3.4'])(
    '%s is a DNS name',
    (text) => {
      expect(isDnsName(text)).toBe(true)
    },
  )

  test.each([
    '',
    '*',
    '.a',
    'a.',
    'a..b',
    '-a',
    'a-',
    'a*.b',
    '*.*.b',
    'a.*',
    'a/b',
    'a:1',
    `${'a'.repeat(64)}.b`,
    'a.'.repeat(127),
    `${'a.'.repeat(126)}aa`,
  ])('"%s" is none', (text) => {
    expect(isDnsName(text)).toBe(false)
  })

  test.each([
    ['a@b.example', 'b.example'],
    ['a.b+c@B.example', 'B.example'],
    ['"a b"@c.example', 'c.example'],
    ['*@c.example', 'c.example'],
  ])('%s is a mailbox at %s', (text, host) => {
    expect(mailboxHost(text)).toBe(host)
  })

  test.each(['a', '@b', 'a@', 'a@b@c', 'a b@c', 'Zoe <z@c>', 'a@*.c', 'a@.c', `${'a'.repeat(65)}@c`])(
    '"%s" is none',
    (text) => {
      expect(mailboxHost(text)).toBeUndefined()
    },
  )

  test.each(['https://a/b?c#d', 'urn:uuid:f81d4fae', 'spiffe://a.example/b', 'a:b', 'https://a/%C3%AB'])(
    '%s is a URI',
    (text) => {
      expect(isAbsoluteUri(text)).toBe(true)
    },
  )

  test.each(['a', '/a', '//a/b', 'a:', '1a:b', 'https://a/ b', 'https://a/%zz', 'https://a/"', 'https://zoë'])(
    '"%s" is none',
    (text) => {
      expect(isAbsoluteUri(text)).toBe(false)
    },
  )

  test.each([
    ['https://u:p@A.example:8443/x@y', 'A.example'],
    ['https://a.example?b.example/', 'a.example'],
    ['https://a.example#b', 'a.example'],
    ['spiffe://a', 'a'],
    ['urn:a:b', undefined],
    ['https://10.0.0.1/', undefined],
    ['https://[::1]/', undefined],
    ['https:///a', undefined],
  ])('the host of %s is %s', (text, host) => {
    expect(uriHost(text)).toBe(host)
  })

  test.each([
    ['0a000001', '10.0.0.1'],
    ['00000000000000000000000000000001', '::1'],
    ['00000000000000000000000000000000', '::'],
    ['20010db8000000000000000000000000', '2001:db8::'],
    ['20010db8000000010001000000000001', '2001:db8:0:1:1::1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000100010001000000010001', '2001:db8:1:1:1:0:1:1'],
  ])('the address %s is written %s', (octets, text) => {
    expect(ipText(Buffer.from(octets, 'hex'))).toBe(text)
  })
})
