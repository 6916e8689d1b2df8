import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CLAIMS_EXTENSION, readClaims } from '../../../src/codecs/x509/claims.ts'
import { x509Codec } from '../../../src/codecs/x509/index.ts'
import { DragomanError } from '../../../src/core/errors.ts'
import type { TokenType } from '../../../src/core/token.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { map } from '../../../src/core/value.ts'
import { toBase64, toBase64url } from '../../../src/wire/base64url.ts'
import { encodeCbor } from '../../../src/wire/cbor-encode.ts'
import { parseCertificate } from '../../../src/wire/certificate.ts'
import { buildCsr, parseCsr } from '../../../src/wire/csr.ts'
import { context, tags } from '../../../src/wire/der.ts'
import { der, octetString, oid, sequence, smallInteger } from '../../../src/wire/der-write.ts'
import { extension, extensionOids } from '../../../src/wire/extensions.ts'
import { generalName } from '../../../src/wire/general-name.ts'
import { nameOf, parseName, parseNameText } from '../../../src/wire/name.ts'
import { parsePem, pem } from '../../../src/wire/pem.ts'
import { publicKeyFromSpki } from '../../../src/wire/spki.ts'
import { authority, leaf, NOW, testKey, trustedIssuer, uri } from '../../support/x509.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)
// Each takes some microseconds; a hang is far beyond, a pause of a busy machine is not.
const MAX_MILLISECONDS = 2000

/** Runs it; anything but a value or a refusal of ours fails the test. */
function survives(attempt: () => unknown): void {
  const start = performance.now()
  try {
    attempt()
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    expect(error.code).toMatch(/^ERR_(?:TOKEN|TRUST|REQUEST_CSR)/)
  }
  expect(performance.now() - start).toBeLessThan(MAX_MILLISECONDS)
}

/** A few octets changed, cut out, doubled or put in. */
function mutated(original: Uint8Array): fc.Arbitrary<Buffer> {
  const bytes = Buffer.from(original)
  const change = fc.record({
    at: fc.nat({ max: bytes.length - 1 }),
    length: fc.nat({ max: 8 }),
    octets: fc.uint8Array({ maxLength: 8 }),
    kind: fc.constantFrom('flip', 'cut', 'double', 'insert', 'end'),
  })
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) =>
    changes.reduce((current, { at, length, octets, kind }) => {
      const [before, part, after] = [
        current.subarray(0, at),
        current.subarray(at, at + length),
        current.subarray(at + length),
      ]
      switch (kind) {
        case 'flip':
          return Buffer.concat([before, part.map((octet, index) => octet ^ (octets[index] ?? 1)), after])
        case 'cut':
          return Buffer.concat([before, after])
        case 'double':
          return Buffer.concat([before, part, part, after])
        case 'insert':
          return Buffer.concat([before, octets, part, after])
        default:
          return Buffer.from(before)
      }
    }, bytes),
  )
}

const constraints = extension(
  extensionOids.nameConstraints,
  true,
  sequence(der(context(0), sequence(generalName('uri', 'cluster.example')), sequence(generalName('dns', 'example')))),
)
const root = authority('Root', { more: [constraints] })
const issuing = authority('Issuing', { issuer: root, pathLength: 0 })
const claims = sequence(
  smallInteger(1),
  der(tags.enumerated, Buffer.of(0)),
  octetString(encodeCbor({ aud: 'https://a.example', act: { sub: 'x' }, n: 1.5 })),
)
const names = [
  uri('spiffe://cluster.example/a'),
  generalName('dns', '*.a.example'),
  generalName('ip', Buffer.alloc(16, 1)),
  generalName('email', 'a@b.example'),
  der(context(4), nameOf([['2.5.4.3', 'a']])),
]
const policies = extension(extensionOids.certificatePolicies, false, sequence(sequence(oid('1.2.3'))))
const good = leaf(issuing, {
  names,
  more: [policies, extension(CLAIMS_EXTENSION, false, claims)],
  subject: nameOf([['2.5.4.10', 'Lark']]),
})
const rules = { now: NOW, clockSkew: 0 }
const codec = x509Codec({ conforming: false })

function whole(raw: string, type: TokenType): void {
  const unverified = codec.parse({ raw, type, role: 'subject' })
  unverified?.verify(trustedIssuer([root.certificate], { intermediates: [issuing.certificate] }), rules)
}

describe('no input does anything but be refused', () => {
  test('certificates, from reading to path', () => {
    fc.assert(
      fc.property(mutated(good.certificate), (bytes) => {
        survives(() => parseCertificate(bytes).publicKey.jkt)
        survives(() => {
          whole(toBase64url(bytes), tokenTypes.x509Der)
          // What passes says what was signed, whatever was done to the bytes around it.
          expect(parseCertificate(bytes).toBeSigned).toEqual(parseCertificate(good.certificate).toBeSigned)
        })
      }),
      { numRuns },
    )
  })

  test('authorities, as intermediates and as anchors', () => {
    fc.assert(
      fc.property(mutated(issuing.certificate), mutated(root.certificate), (intermediate, anchor) => {
        survives(() => whole(JSON.stringify([good.certificate, intermediate].map(toBase64)), tokenTypes.mtls))
        const unverified = codec.parse({
          raw: JSON.stringify([good.certificate, issuing.certificate].map(toBase64)),
          type: tokenTypes.mtls,
          role: 'subject',
        })
        survives(() => unverified?.verify(trustedIssuer([anchor]), rules))
      }),
      { numRuns },
    )
  })

  test('text of every token type', () => {
    const json = Buffer.from(JSON.stringify([good.certificate, issuing.certificate].map(toBase64)))
    const text = Buffer.from(pem('CERTIFICATE', good.certificate) + pem('CERTIFICATE', issuing.certificate))
    fc.assert(
      fc.property(mutated(json), mutated(text), fc.string(), (array, blocks, any) => {
        survives(() => whole(array.toString('latin1'), tokenTypes.mtls))
        survives(() => whole(blocks.toString('latin1'), tokenTypes.x509))
        survives(() => parsePem(blocks.toString('latin1')))
        for (const type of [tokenTypes.mtls, tokenTypes.x509, tokenTypes.x509Der]) survives(() => whole(any, type))
      }),
      { numRuns },
    )
  })

  test.each(['ES256', 'RS256', 'ML-DSA-44'])('requests and keys of %s', (name) => {
    const key = testKey(name)
    const extensions = [extension(extensionOids.basicConstraints, true, sequence())]
    const request = buildCsr({ privateKey: key.privateKey, algorithm: key.algorithm, extensions })
    const spki = key.publicKey.key.export({ type: 'spki', format: 'der' })
    fc.assert(
      fc.property(mutated(request), mutated(spki), (bytes, keyBytes) => {
        survives(() => parseCsr(bytes))
        survives(() => publicKeyFromSpki(keyBytes).jkt)
      }),
      { numRuns: Math.ceil(numRuns / 3) },
    )
  })

  test('names, claims and octets at random', () => {
    const dn = nameOf([
      ['2.5.4.10', 'Lark, Ltd'],
      ['2.5.4.3', 'Zoë'],
    ])
    fc.assert(
      fc.property(
        mutated(dn),
        mutated(claims),
        fc.uint8Array({ maxLength: 200 }),
        fc.string(),
        (name, extensionValue, any, text) => {
          survives(() => parseName(name))
          survives(() => readClaims({ value: extensionValue }, map()))
          survives(() => parseCertificate(any))
          survives(() => parseCsr(any))
          survives(() => parseNameText(`CN=${text},O=${text}`))
        },
      ),
      { numRuns },
    )
  })

  test('deep and long texts', () => {
    const nested = Buffer.alloc(16_000, Buffer.from([0x30, 0x82]))
    survives(() => parseCertificate(nested))
    survives(() => parseCsr(Buffer.alloc(16_000, 0x30)))
    survives(() => whole('['.repeat(100_000), tokenTypes.mtls))
    survives(() => parseNameText('\\'.repeat(100_000)))
    survives(() => parseNameText(`CN=${' '.repeat(100_000)}x`))
    survives(() => parsePem(`-----BEGIN ${'A '.repeat(100_000)}-----`))
  })
})
