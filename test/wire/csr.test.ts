import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { buildCsr, MAX_CSR_BYTES, parseCsr } from '../../src/wire/csr.ts'
import { context, inside, readDer, tags, wholeOf } from '../../src/wire/der.ts'
import {
  boolean,
  der,
  nullValue,
  octetBits,
  octetString,
  oid,
  sequence,
  setOf,
  smallInteger,
  utf8String,
} from '../../src/wire/der-write.ts'
import { extension, extensionOids } from '../../src/wire/extensions.ts'
import { commonName, nameText } from '../../src/wire/name.ts'
import { signatureIdentifier, toX509Signature } from '../../src/wire/signature.ts'
import { spkiOf } from '../../src/wire/spki.ts'
import { algorithm, altNames, type TestKey, testKey, uri } from '../support/x509.ts'

const refused = expect.objectContaining({ code: 'ERR_REQUEST_CSR' })
const key = testKey()
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const CHALLENGE_PASSWORD = '1.2.840.113549.1.9.7'

interface Fields {
  version?: Uint8Array
  spki?: Uint8Array
  attributes?: Uint8Array
  after?: Uint8Array
  identifier?: Uint8Array
}

/** A request of these fields, well signed by `signer` whatever they say. */
function request(fields: Fields = {}, signer: TestKey = key): Buffer {
  const info = sequence(
    fields.version ?? smallInteger(0),
    commonName('a'),
    fields.spki ?? spkiOf(signer.publicKey),
    fields.attributes ?? der(context(0)),
    fields.after ?? Buffer.alloc(0),
  )
  const signature = octetBits(toX509Signature(signer.algorithm, signer.sign(info)))
  return sequence(info, fields.identifier ?? signatureIdentifier(signer.algorithm), signature)
}

const attributes = (...list: readonly Uint8Array[]) => ({ attributes: der(context(0), ...list) })
const attribute = (type: string, ...values: readonly Uint8Array[]) => sequence(oid(type), setOf(...values))
const asksForCa = extension(extensionOids.basicConstraints, true, sequence(boolean(true)))

describe('a certification request', () => {
  test.each(['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256', 'PS256', 'PS512', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'])(
    'CR-01, CR-08: by a key of %s gives its key',
    (name) => {
      const { privateKey, publicKey } = testKey(name)
      const parsed = parseCsr(buildCsr({ privateKey, algorithm: algorithm(name), subject: commonName('web') }))
      expect(parsed.publicKey.jkt).toBe(publicKey.jkt)
      expect(parsed.algorithm.name).toBe(name)
      expect(nameText(parsed.subject)).toBe('CN=web')
      expect(parsed.requestsCa).toBe(false)
    },
  )

  test('CR-02, CR-03: says what it asks for, and whether that is to be an authority', () => {
    const extensions = [altNames(false, uri('spiffe://a.example/admin')), asksForCa]
    const parsed = parseCsr(buildCsr({ privateKey: key.privateKey, extensions }))
    expect(parsed.requestsCa).toBe(true)
    expect(parsed.requestedExtensions).toEqual([extensionOids.subjectAltName, extensionOids.basicConstraints])
    const modest = extension(extensionOids.basicConstraints, true, sequence())
    expect(parseCsr(buildCsr({ privateKey: key.privateKey, extensions: [modest] })).requestsCa).toBe(false)
  })

  test('CR-02: a challenge password is not looked at', () => {
    const parsed = parseCsr(request(attributes(attribute(CHALLENGE_PASSWORD, utf8String('secret')))))
    expect(parsed.requestedExtensions).toEqual([])
  })
})

describe('is refused', () => {
  test('CR-01: when another key signed it', () => {
    expect(() => parseCsr(request({ spki: spkiOf(testKey().publicKey) }))).toThrow(refused)
  })

  test('when one bit of it was changed', () => {
    const bytes = request()
    const inner = bytes.indexOf(commonName('a')) + commonName('a').length - 1
    bytes[inner] = (bytes[inner] ?? 0) ^ 1
    expect(() => parseCsr(bytes)).toThrow(refused)
  })

  test('CR-04: with bytes after its end, or above 16 KiB', () => {
    expect(() => parseCsr(Buffer.concat([request(), Buffer.of(0)]))).toThrow(refused)
    const large = attributes(attribute('1.2.3', octetString(Buffer.alloc(MAX_CSR_BYTES))))
    expect(() => parseCsr(request(large))).toThrow(refused)
    const fits = attributes(attribute('1.2.3', octetString(Buffer.alloc(MAX_CSR_BYTES - 400))))
    expect(parseCsr(request(fits)).publicKey.jkt).toBe(key.publicKey.jkt)
  })

  test.each<[string, Fields]>([
    ['another version', { version: smallInteger(1) }],
    ['no attributes at all', { attributes: Buffer.alloc(0) }],
    ['something after the attributes', { after: nullValue() }],
    ['an attribute twice', attributes(attribute('1.2.3', nullValue()), attribute('1.2.3', nullValue()))],
    ['an attribute that goes on', attributes(sequence(oid('1.2.3'), setOf(nullValue()), nullValue()))],
    [
      'two lists of extensions',
      attributes(attribute(EXTENSION_REQUEST, sequence(asksForCa), sequence(altNames(true, uri('a:b'))))),
    ],
    ['extensions that are none', attributes(attribute(EXTENSION_REQUEST, nullValue()))],
    ['no extensions where some are announced', attributes(attribute(EXTENSION_REQUEST, sequence()))],
    ['an extension twice', attributes(attribute(EXTENSION_REQUEST, sequence(asksForCa, asksForCa)))],
    ['CR-04: an algorithm that does not fit the key', { identifier: signatureIdentifier(algorithm('ES384')) }],
    ['CR-04: an algorithm that is not in use', { identifier: sequence(oid('1.2.840.10045.4.1')) }],
    [
      'CR-06: a key that cannot sign',
      { spki: sequence(sequence(oid('2.16.840.1.101.3.4.4.2')), octetBits(Buffer.alloc(1184))) },
    ],
  ])('with %s', (_, fields) => {
    expect(() => parseCsr(request(fields))).toThrow(refused)
  })

  test('with an RSA key below 2048 bits', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    expect(() => parseCsr(buildCsr({ privateKey, algorithm: algorithm('RS256') }))).toThrow(refused)
  })

  test('with a signature in another form', () => {
    const [info, identifier] = parts(request())
    const raw = octetBits(key.sign(info))
    expect(() => parseCsr(sequence(info, identifier, raw))).toThrow(refused)
  })
})

test('a key that no algorithm fits makes no request', () => {
  const { privateKey } = generateKeyPairSync('x25519')
  expect(() => buildCsr({ privateKey })).toThrow(TypeError)
})

function parts(bytes: Buffer): readonly [Buffer, Buffer, Buffer] {
  const reader = inside(readDer(bytes, tags.sequence, 'a request'))
  return [wholeOf(reader.next()), wholeOf(reader.next()), wholeOf(reader.next())]
}
