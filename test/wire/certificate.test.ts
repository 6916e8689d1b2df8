import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  isSelfIssued,
  NO_EXPIRY,
  parseCertificate,
  selfSignedAuthority,
  serialText,
} from '../../src/wire/certificate.ts'
import { positive } from '../../src/wire/certificate-build.ts'
import { context, inside, readDer, tags, wholeOf } from '../../src/wire/der.ts'
import {
  boolean,
  der,
  namedBits,
  nullValue,
  octetBits,
  octetString,
  oid,
  sequence,
  smallInteger,
  time,
  utf8String,
} from '../../src/wire/der-write.ts'
import { extension, extensionOids, keyUsages, purposes } from '../../src/wire/extensions.ts'
import { generalName } from '../../src/wire/general-name.ts'
import { commonName, nameText } from '../../src/wire/name.ts'
import { parsePem } from '../../src/wire/pem.ts'
import { authorityKeyIdentifier, spkiOf } from '../../src/wire/spki.ts'
import { altNames, authority, certificate, leaf, NOW, SPIFFE_ID, testKey, uri, usages } from '../support/x509.ts'

const refused = (code: string) => expect.objectContaining({ code })
const malformed = refused('ERR_TOKEN_MALFORMED')
const root = authority('Root')
const good = leaf(root)

/** The fields of a certificate, by place, to be put together again with some of them changed. */
function rebuilt(change: {
  version?: Buffer | null
  serial?: Buffer
  inner?: Buffer
  outer?: Buffer
  validity?: Buffer
  spki?: Buffer
  after?: Buffer
  extensions?: Buffer | null
  signature?: Buffer
}): Buffer {
  const outer = inside(readDer(good.certificate, tags.sequence, 'a certificate'))
  const fields = inside(outer.next())
  const [version, serial, algorithm, issuer, validity, subject, spki, extensions] = Array.from({ length: 8 }, () =>
    wholeOf(fields.next()),
  )
  const parts = [
    change.version === null ? undefined : (change.version ?? version),
    change.serial ?? serial,
    change.inner ?? algorithm,
    issuer,
    change.validity ?? validity,
    subject,
    change.spki ?? spki,
    change.after,
    change.extensions === null ? undefined : (change.extensions ?? extensions),
  ]
  return sequence(
    sequence(...parts.filter((part) => part !== undefined)),
    change.outer ?? algorithm ?? sequence(),
    change.signature ?? octetBits(Buffer.alloc(70)),
  )
}

const withExtensions = (...extensions: readonly Uint8Array[]) =>
  rebuilt({ extensions: der(context(3), sequence(...extensions)) })

describe('a certificate', () => {
  test('is read whole', () => {
    const parsed = parseCertificate(good.certificate)
    expect(parsed).toMatchObject({ version: 3, notBefore: NOW - 1800, notAfter: NOW + 1800 })
    expect(parsed.algorithm?.name).toBe('ES256')
    expect(nameText(parsed.issuer)).toBe('CN=Root')
    expect(parsed.subject.parts).toEqual([])
    expect(isSelfIssued(parsed)).toBe(false)
    expect(parsed.spki).toEqual(spkiOf(good.key.publicKey))
    expect(parsed.publicKey.jkt).toBe(good.key.publicKey.jkt)
    expect(parsed.extensions).toMatchObject({
      basicConstraints: { ca: false, pathLength: undefined },
      keyUsage: keyUsages.digitalSignature,
      extendedKeyUsage: [purposes.serverAuth, purposes.clientAuth],
      subjectAltNames: [{ kind: 'uri', text: SPIFFE_ID }],
    })
    expect(parsed.extensions.authorityKeyId?.keyId).toEqual(root.keyId)
  })

  test('says of itself what Node says of it', () => {
    const parsed = parseCertificate(good.certificate)
    const node = new X509Certificate(good.certificate)
    expect(serialText(parsed)).toBe(node.serialNumber.toLowerCase())
    expect(Buffer.from(parsed.thumbprint, 'base64url').toString('hex')).toBe(
      node.fingerprint256.replaceAll(':', '').toLowerCase(),
    )
    expect(node.verify(root.key.publicKey.key)).toBe(true)
    expect(node.subjectAltName).toBe(`URI:${SPIFFE_ID}`)
  })

  test('is the one of RFC 8705 appendix A by its thumbprint', () => {
    const text = readFileSync(new URL('../vectors/rfc8705/appendix-a.pem', import.meta.url), 'utf8')
    const [block] = parsePem(text)
    const parsed = parseCertificate(block?.der ?? Buffer.alloc(0))
    expect(parsed.thumbprint).toBe('A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0')
    expect(parsed).toMatchObject({ version: 1, extensions: { subjectAltNames: [] } })
  })

  test('that does not end is read for what it says', () => {
    const endless = certificate({ issuer: root, notAfter: NO_EXPIRY, extensions: [altNames(true, uri('a:b'))] })
    expect(parseCertificate(endless).notAfter).toBe(NO_EXPIRY)
  })
})

describe('T-11: a certificate is refused', () => {
  test('PV-01: with bytes after its end', () => {
    expect(() => parseCertificate(Buffer.concat([good.certificate, Buffer.of(0)]))).toThrow(malformed)
  })

  test('PV-18: above 16 KiB', () => {
    const large = certificate({ issuer: root, extensions: [extension('1.2.3', false, Buffer.alloc(17_000))] })
    expect(() => parseCertificate(large)).toThrow(refused('ERR_TOKEN_TOO_LARGE'))
  })

  test('PV-03: when the algorithm inside is not the one outside', () => {
    const other = sequence(oid('1.2.840.10045.4.3.3'))
    expect(() => parseCertificate(rebuilt({ inner: other }))).toThrow(malformed)
    expect(() => parseCertificate(rebuilt({ outer: other }))).toThrow(malformed)
  })

  test('PV-04: with an extension twice', () => {
    const twice = certificate({ issuer: root, extensions: [altNames(true, uri('a:b')), altNames(true, uri('c:d'))] })
    expect(() => parseCertificate(twice)).toThrow(refused('ERR_TOKEN_DUPLICATE'))
  })

  test('PV-02: with extensions below version 3', () => {
    expect(() => parseCertificate(rebuilt({ version: der(context(0), smallInteger(1)) }))).toThrow(malformed)
    expect(() => parseCertificate(rebuilt({ version: null }))).toThrow(malformed)
    expect(parseCertificate(rebuilt({ version: null, extensions: null })).version).toBe(1)
    expect(parseCertificate(rebuilt({ version: der(context(0), smallInteger(1)), extensions: null })).version).toBe(2)
  })

  test.each([
    ['a version that there is not', { version: der(context(0), smallInteger(3)) }],
    ['version 1 written out', { version: der(context(0), smallInteger(0)), extensions: null }],
    ['two versions', { version: der(context(0), smallInteger(2), smallInteger(2)) }],
    ['a serial number with an octet too many', { serial: der(tags.integer, Buffer.of(0, 1)) }],
    ['a serial number without octets', { serial: der(tags.integer) }],
    ['a time too many', { validity: sequence(time(NOW), time(NOW), time(NOW)) }],
    ['a time too few', { validity: sequence(time(NOW)) }],
    ['a unique identifier', { after: der(context(1, false), Buffer.of(0, 1)) }],
    ['an empty list of extensions', { extensions: der(context(3), sequence()) }],
    ['two lists of extensions', { extensions: der(context(3), sequence(altNames(true, uri('a:b'))), sequence()) }],
    ['a signature with unused bits', { signature: der(tags.bitString, Buffer.of(1, 2)) }],
  ])('with %s', (_, change) => {
    expect(() => parseCertificate(rebuilt(change))).toThrow(malformed)
  })

  test('with more extensions than anybody has', () => {
    const many = Array.from({ length: 65 }, (_, at) => extension(`1.2.3.${at}`, false, nullValue()))
    expect(() => parseCertificate(withExtensions(...many))).toThrow(malformed)
  })

  const ext = (type: string, value: Uint8Array) => extension(type, false, value)
  const { basicConstraints, keyUsage, extendedKeyUsage, subjectAltName, certificatePolicies } = extensionOids
  const { nameConstraints, subjectKeyIdentifier, noRevocationAvailable } = extensionOids
  const aki = extensionOids.authorityKeyIdentifier
  const policy = (type: string) => sequence(oid(type))
  const constraints = (place: number, ...subtrees: readonly Uint8Array[]) =>
    ext(nameConstraints, sequence(der(context(place), ...subtrees)))

  test.each([
    ['critical FALSE', sequence(oid('1.2.3'), boolean(false), octetString(nullValue()))],
    ['an extension that goes on', sequence(oid('1.2.3'), octetString(nullValue()), nullValue())],
    ['an extension that is no sequence', nullValue()],
    ['cA FALSE written out', ext(basicConstraints, sequence(boolean(false)))],
    ['a negative path length', ext(basicConstraints, sequence(boolean(true), der(tags.integer, Buffer.of(0xff))))],
    ['a key usage for nothing', ext(keyUsage, namedBits(0))],
    ['an extended key usage for nothing', ext(extendedKeyUsage, sequence())],
    ['an extended key usage of something else', ext(extendedKeyUsage, sequence(utf8String('a')))],
    ['no alternative name', ext(subjectAltName, sequence())],
    ['alternative names that are none', ext(subjectAltName, octetString(Buffer.from('a')))],
    ['a host that is none', ext(subjectAltName, sequence(generalName('dns', 'a..b')))],
    ['a relative URI', ext(subjectAltName, sequence(generalName('uri', '/a')))],
    ['a mailbox that is none', ext(subjectAltName, sequence(generalName('email', 'a.example')))],
    ['an address of five octets', ext(subjectAltName, sequence(generalName('ip', Buffer.alloc(5))))],
    ['a name with a NUL', ext(subjectAltName, sequence(generalName('dns', 'a.example\0.b')))],
    ['no policy', ext(certificatePolicies, sequence())],
    ['a policy that is none', ext(certificatePolicies, sequence(oid('1.2.3')))],
    ['a policy with empty qualifiers', ext(certificatePolicies, sequence(sequence(oid('1.2.3'), sequence())))],
    ['an empty key identifier', ext(subjectKeyIdentifier, octetString(Buffer.alloc(0)))],
    ['half an issuer and serial', ext(aki, sequence(der(context(2, false), Buffer.of(1))))],
    ['an authority key identifier that goes on', ext(aki, sequence(authorityKeyIdentifier(root.keyId)))],
    ['noRevAvail with a value', ext(noRevocationAvailable, der(tags.null, Buffer.of(1)))],
    ['constraints of nothing', ext(nameConstraints, sequence())],
    ['constraints without subtrees', constraints(0)],
    [
      'a subtree with a minimum',
      constraints(0, sequence(generalName('dns', 'a'), der(context(0, false), Buffer.of(1)))),
    ],
    [
      'a subtree with a maximum',
      constraints(1, sequence(generalName('dns', 'a'), der(context(1, false), Buffer.of(1)))),
    ],
    ['a constraint with a wildcard', constraints(0, sequence(generalName('dns', '*.a')))],
    ['a constraint on hosts with a dot', constraints(0, sequence(generalName('dns', '.a')))],
    ['a constraint on URIs that is a URI', constraints(0, sequence(generalName('uri', 'https://a')))],
    ['a constraint on mailboxes that is none', constraints(0, sequence(generalName('email', '@a')))],
    ['a constraint on addresses without mask', constraints(0, sequence(generalName('ip', Buffer.alloc(4))))],
    ['a mask with holes', constraints(0, sequence(generalName('ip', Buffer.of(10, 0, 0, 0, 255, 0, 255, 0))))],
    ['a subtree that is none', constraints(0, generalName('dns', 'a'))],
  ])('with %s', (_, bytes) => {
    expect(() => parseCertificate(withExtensions(bytes))).toThrow(malformed)
  })

  test('with a policy twice', () => {
    const bytes = withExtensions(ext(certificatePolicies, sequence(policy('1.2.3'), policy('1.2.3'))))
    expect(() => parseCertificate(bytes)).toThrow(refused('ERR_TOKEN_DUPLICATE'))
  })

  test('and the same one passes without the change', () => {
    expect(parseCertificate(rebuilt({})).version).toBe(3)
    const fine = withExtensions(
      ext(certificatePolicies, sequence(policy('1.2.3'), sequence(oid('1.2.4'), sequence(nullValue())))),
      constraints(
        1,
        sequence(generalName('dns', '')),
        sequence(generalName('ip', Buffer.of(10, 0, 0, 0, 255, 254, 0, 0))),
      ),
      usages(purposes.any),
    )
    expect(parseCertificate(fine).extensions).toMatchObject({
      policies: ['1.2.3', '1.2.4'],
      nameConstraints: { permitted: [], excluded: [{ kind: 'dns' }, { kind: 'ip' }] },
    })
  })
})

describe('the key of a certificate', () => {
  const withKey = (spki: Buffer) => parseCertificate(rebuilt({ spki }))
  const ecKey = (parameters: Uint8Array, bits: Uint8Array) =>
    sequence(sequence(oid('1.2.840.10045.2.1'), parameters), octetBits(bits))
  const algorithm = refused('ERR_TOKEN_ALGORITHM')
  const p256 = oid('1.2.840.10045.3.1.7')

  test('is looked at only when it is asked for', () => {
    const parsed = withKey(ecKey(oid('1.3.132.0.10'), Buffer.alloc(65, 4)))
    expect(() => parsed.publicKey).toThrow(algorithm)
  })

  const point = spkiOf(testKey().publicKey).subarray(-65)
  test.each([
    ['on a curve that is not in use', ecKey(oid('1.3.132.0.10'), point)],
    ['on a curve given by its parameters', ecKey(sequence(smallInteger(1)), point)],
    ['without curve', ecKey(Buffer.alloc(0), point)],
    ['off its curve', ecKey(p256, Buffer.concat([point.subarray(0, 64), Buffer.of((point[64] ?? 0) ^ 1)]))],
    [
      'as a compressed point',
      ecKey(p256, Buffer.concat([Buffer.of(2 + ((point[64] ?? 0) & 1)), point.subarray(1, 33)])),
    ],
    ['that is empty', ecKey(p256, Buffer.alloc(0))],
    ['of X25519', sequence(sequence(oid('1.3.101.110')), octetBits(Buffer.alloc(32, 9)))],
    ['of Ed25519 with parameters', sequence(sequence(oid('1.3.101.112'), nullValue()), octetBits(Buffer.alloc(32, 9)))],
    ['of RSA without NULL', sequence(sequence(oid('1.2.840.113549.1.1.1')), octetBits(Buffer.alloc(32, 9)))],
    ['of RSA that is none', sequence(sequence(oid('1.2.840.113549.1.1.1'), nullValue()), octetBits(Buffer.alloc(32)))],
    [
      'PX-01: of ML-DSA with NULL',
      sequence(sequence(oid('2.16.840.1.101.3.4.3.17'), nullValue()), octetBits(Buffer.alloc(1312))),
    ],
    [
      'PX-02: of ML-DSA inside an OCTET STRING',
      sequence(sequence(oid('2.16.840.1.101.3.4.3.17')), octetBits(octetString(Buffer.alloc(1312)))),
    ],
    ['PX-05: of pre-hash ML-DSA', sequence(sequence(oid('2.16.840.1.101.3.4.3.32')), octetBits(Buffer.alloc(1312)))],
    ['PX-07: of ML-KEM', sequence(sequence(oid('2.16.840.1.101.3.4.4.2')), octetBits(Buffer.alloc(1184)))],
  ])('%s is refused', (_, spki) => {
    expect(() => withKey(spki).publicKey).toThrow(algorithm)
  })

  test.each(['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'])(
    'of %s is encoded as OpenSSL does',
    (name) => {
      const { publicKey } = testKey(name)
      expect(spkiOf(publicKey)).toEqual(publicKey.key.export({ type: 'spki', format: 'der' }))
      expect(withKey(spkiOf(publicKey)).publicKey.jkt).toBe(publicKey.jkt)
    },
  )
})

describe('an authority of its own', () => {
  test('is signed by itself and names its key', async () => {
    const key = testKey('Ed25519')
    const bytes = await selfSignedAuthority({ signer: key, commonName: 'Dev CA', notBefore: NOW, notAfter: NOW + 60 })
    const parsed = parseCertificate(bytes)
    expect(new X509Certificate(bytes).verify(key.publicKey.key)).toBe(true)
    expect(isSelfIssued(parsed)).toBe(true)
    expect(parsed.extensions).toMatchObject({
      basicConstraints: { ca: true, pathLength: 0 },
      keyUsage: keyUsages.keyCertSign | keyUsages.cRLSign,
    })
    expect(parsed.extensions.authorityKeyId?.keyId).toEqual(parsed.extensions.subjectKeyId)
    expect(parsed.serialNumber.length).toBe(16)
  })

  test('waits for a signer that is elsewhere', async () => {
    const key = testKey()
    const signer = { ...key, sign: (data: Uint8Array) => Promise.resolve(key.sign(data)) }
    const bytes = await selfSignedAuthority({ signer, commonName: 'CA', notBefore: NOW, notAfter: NOW, pathLength: 2 })
    expect(parseCertificate(bytes).extensions.basicConstraints?.pathLength).toBe(2)
  })

  test.each(['', 'x'.repeat(65)])('has a name of 1 to 64 characters, not "%s"', (name) => {
    expect(() => selfSignedAuthority({ signer: testKey(), commonName: name, notBefore: NOW, notAfter: NOW })).toThrow(
      TypeError,
    )
  })

  test('XI-11: a name is text, never parsed', async () => {
    const name = 'x, O=admin'
    const bytes = await selfSignedAuthority({ signer: testKey(), commonName: name, notBefore: NOW, notAfter: NOW })
    expect(parseCertificate(bytes).subject.der).toEqual(commonName(name))
    expect(parseCertificate(bytes).subject.parts).toHaveLength(1)
  })
})

test('XI-01: a serial number is positive and of full length', () => {
  expect([...positive(Buffer.alloc(16, 0xff))]).toEqual([0x7f, ...Array(15).fill(0xff)])
  expect([...positive(Buffer.alloc(16))]).toEqual([0x40, ...Array(15).fill(0)])
})
