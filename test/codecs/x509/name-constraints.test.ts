import { describe, expect, test } from 'vitest'
import { newBudget } from '../../../src/codecs/x509/budget.ts'
import { isWithin, namesOf } from '../../../src/codecs/x509/name-constraints.ts'
import { findPath } from '../../../src/codecs/x509/path.ts'
import { algorithms } from '../../../src/core/algorithms.ts'
import { parseCertificate } from '../../../src/wire/certificate.ts'
import { context } from '../../../src/wire/der.ts'
import { der, oid, sequence, utf8String } from '../../../src/wire/der-write.ts'
import { extension, extensionOids } from '../../../src/wire/extensions.ts'
import { type GeneralName, generalName } from '../../../src/wire/general-name.ts'
import { EMAIL_ADDRESS, nameOf, parseName } from '../../../src/wire/name.ts'
import { altNames, authority, leaf, NOW, type TestAuthority, uri } from '../../support/x509.ts'

const text = (kind: 'dns' | 'email' | 'uri') => (value: string) => ({ kind, text: value }) as const
const [dns, email, link] = [text('dns'), text('email'), text('uri')]
const ip = (hex: string) => ({ kind: 'ip', octets: Buffer.from(hex, 'hex') }) as const
const directory = (...organizations: readonly string[]) =>
  ({ kind: 'directory', name: parseName(nameOf(organizations.map((value) => ['2.5.4.10', value] as const))) }) as const
const other = { kind: 'other', type: '1.2.3', value: utf8String('x') } as const

const permits = (name: GeneralName, ...permitted: readonly GeneralName[]) =>
  isWithin([name], { permitted, excluded: [] }, newBudget())
const excludes = (name: GeneralName, ...excluded: readonly GeneralName[]) =>
  !isWithin([name], { permitted: [], excluded }, newBudget())

describe('PV-11: a name inside a subtree', () => {
  test.each<[string, GeneralName, GeneralName]>([
    ['the host itself', dns('a.example'), dns('a.example')],
    ['a host below', dns('b.a.example'), dns('a.example')],
    ['a host in another case', dns('B.A.Example'), dns('a.exAMPLE')],
    ['any host, below the root', dns('b.example'), dns('')],
    ['a wildcard below', dns('*.a.example'), dns('a.example')],
    ['a mailbox', email('Zoe@a.example'), email('Zoe@A.example')],
    ['a mailbox at a host', email('z@a.example'), email('a.example')],
    ['a mailbox below a domain', email('z@b.a.example'), email('.a.example')],
    ['a URI at a host', link('https://u@A.example:1/b'), link('a.example')],
    ['a SPIFFE ID of a trust domain', link('spiffe://a.example/b'), link('a.example')],
    ['a URI below a domain', link('https://b.a.example'), link('.a.example')],
    ['an address', ip('0a010203'), ip('0a000000ff000000')],
    [
      'an address of version 6',
      ip(`20010db8${'00'.repeat(12)}`),
      ip(`20010db8${'00'.repeat(12)}ffffffff${'00'.repeat(12)}`),
    ],
    ['a name that begins like that', directory('Lark', 'x'), directory('LARK ')],
  ])('%s is permitted and can be excluded', (_, name, base) => {
    expect(permits(name, base)).toBe(true)
    expect(excludes(name, base)).toBe(true)
  })

  test.each<[string, GeneralName, GeneralName]>([
    ['another host', dns('b.example'), dns('a.example')],
    ['a host that ends alike', dns('xa.example'), dns('a.example')],
    ['the host above', dns('example'), dns('a.example')],
    ['a mailbox of another case before the @', email('zoe@a.example'), email('Zoe@a.example')],
    ['a mailbox that ends alike', email('xz@a.example'), email('z@a.example')],
    ['a mailbox below a host', email('z@b.a.example'), email('a.example')],
    ['a mailbox at the domain itself', email('z@a.example'), email('.a.example')],
    ['a URI below a host', link('https://b.a.example'), link('a.example')],
    ['a URI at the domain itself', link('https://a.example'), link('.a.example')],
    ['a URI with the host elsewhere', link('https://b.example/a.example'), link('a.example')],
    ['a URI with the host as user', link('https://a.example@b.example/'), link('a.example')],
    ['another address', ip('0b010203'), ip('0a000000ff000000')],
    ['an address of the other version', ip(`0a01${'00'.repeat(14)}`), ip('0a000000ff000000')],
    ['another name', directory('Wren'), directory('Lark')],
    ['the name above', directory('Lark'), directory('Lark', 'x')],
  ])('%s is not permitted, nor excluded', (_, name, base) => {
    expect(permits(name, base)).toBe(false)
    expect(excludes(name, base)).toBe(false)
  })

  test.each<[string, GeneralName, GeneralName]>([
    ['a wildcard that covers the excluded host', dns('*.example'), dns('a.example')],
    ['a URI without host', link('urn:a'), link('a.example')],
    ['a URI at an address', link('https://10.0.0.1/'), link('a.example')],
    ['a name of a kind that cannot be compared', other, other],
  ])('%s is neither permitted nor left alone', (_, name, base) => {
    expect(permits(name, base)).toBe(false)
    expect(excludes(name, base)).toBe(true)
  })

  test('one of several is enough, an exclusion goes first, other kinds are not touched', () => {
    expect(permits(dns('b.example'), dns('a.example'), dns('b.example'))).toBe(true)
    expect(permits(dns('b.example'), email('a.example'))).toBe(true)
    expect(permits(other, dns('a.example'))).toBe(true)
    const both = { permitted: [dns('example')], excluded: [dns('a.example')] }
    expect(isWithin([dns('b.example')], both, newBudget())).toBe(true)
    expect(isWithin([dns('b.example'), dns('a.example')], both, newBudget())).toBe(false)
  })
})

test('PV-11: the subject and an e-mail address in it are names too', () => {
  const subject = nameOf([
    ['2.5.4.10', 'Lark'],
    [EMAIL_ADDRESS, 'z@a.example'],
  ])
  const root = authority('Root')
  const certificate = parseCertificate(leaf(root, { subject, names: [uri('a:b')] }).certificate)
  expect(namesOf(certificate).map(({ kind }) => kind)).toEqual(['directory', 'email', 'uri'])
})

describe('PV-11: in a path', () => {
  const within = (...bases: readonly Uint8Array[]) =>
    extension(extensionOids.nameConstraints, true, sequence(der(context(0), ...bases.map((base) => sequence(base)))))
  const root = authority('Root', { more: [within(generalName('uri', 'cluster.example'))] })
  const refused = expect.objectContaining({ detail: expect.objectContaining({ check: 'name_constraints' }) })
  const validate = (bytes: Uint8Array, ...presented: readonly TestAuthority[]) =>
    findPath({
      leaf: parseCertificate(bytes),
      presented: presented.map(({ certificate }) => parseCertificate(certificate)),
      anchors: [parseCertificate(root.certificate)],
      intermediates: [],
      now: NOW,
      clockSkew: 0,
      algorithms,
      extendedKeyUsage: [],
      unrestricted: true,
      anchorRules: 'enforced',
      conforming: true,
      links: { has: () => false, add: () => undefined },
    })

  test('SX-10: every certificate below is held to them', () => {
    const fine = authority('Issuing', { issuer: root })
    const named = authority('Named', { issuer: root, more: [altNames(false, uri('spiffe://other.example'))] })
    expect(validate(leaf(fine).certificate, fine).certificates).toHaveLength(3)
    expect(() => validate(leaf(fine, { names: [uri('spiffe://other.example/a')] }).certificate, fine)).toThrow(refused)
    expect(() => validate(leaf(named).certificate, named)).toThrow(refused)
  })

  test('but not a self-issued one, unless it is the leaf', () => {
    const top = authority('Top', { issuer: root, more: [within(generalName('uri', 'cluster.example'))] })
    const rekeyed = authority('Top', { issuer: top, more: [altNames(false, uri('spiffe://other.example'))] })
    // Root's constraints hold for it as well, and it is passed over there too.
    expect(validate(leaf(rekeyed).certificate, top, rekeyed).certificates).toHaveLength(4)
    const own = leaf(top, { subject: top.name, names: [uri('spiffe://other.example/a')] })
    expect(() => validate(own.certificate, top)).toThrow(refused)
  })

  test('a constraint on names that nobody compares refuses such a name', () => {
    const typed = generalName('dns', 'a')
    const otherName = der(context(0), oid('1.2.3'), der(context(0), utf8String('x')))
    const strict = authority('Strict', { issuer: root, more: [within(typed, otherName)] })
    expect(validate(leaf(strict).certificate, strict).certificates).toHaveLength(3)
    const names = [uri('spiffe://cluster.example/a'), otherName]
    expect(() => validate(leaf(strict, { names }).certificate, strict)).toThrow(refused)
  })
})
