import 'reflect-metadata'
import { execFileSync } from 'node:child_process'
import { X509Certificate as NodeCertificate, webcrypto } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import * as peculiar from '@peculiar/x509'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { x509Codec } from '../../../src/codecs/x509/index.ts'
import { cryptoKey } from '../../../src/core/algorithms.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { map } from '../../../src/core/value.ts'
import { parseCertificate, serialText } from '../../../src/wire/certificate.ts'
import { buildCsr, parseCsr } from '../../../src/wire/csr.ts'
import { commonName, nameText } from '../../../src/wire/name.ts'
import { parsePem, pem } from '../../../src/wire/pem.ts'
import { verifyX509Signature } from '../../../src/wire/signature.ts'
import { readSpki } from '../../../src/wire/spki.ts'
import {
  algorithm,
  authority,
  NOW,
  SPIFFE_ID,
  signerOf,
  type TestKey,
  testKey,
  trustedIssuer,
} from '../../support/x509.ts'

const codec = x509Codec()

async function issue(by: TestKey, holder: TestKey, notAfter = NOW + 600) {
  const root = authority('Root', { key: by })
  const issuing = authority('Issuing', {
    issuer: root,
    key: by.algorithm.keyType === 'rsa' ? testKey(by.algorithm.name, 1) : testKey(by.algorithm.name),
  })
  const writer = codec.prepare({
    format: 'x509',
    kind: 'x509-svid',
    options: map(),
    key: 'ca',
    algorithm: undefined,
    header: map(),
    kid: true,
    tokenType: undefined,
  })
  const draft = {
    claims: map([
      ['sub', SPIFFE_ID],
      ['client_id', 'orders'],
    ]),
    validity: {
      issuedAt: NOW,
      notBefore: undefined,
      expiresAt: notAfter,
      audience: ['https://a.example'],
      scope: ['a'],
    },
    confirmation: { publicKey: holder.publicKey },
    embedded: [],
    notes: [],
  }
  const signer = signerOf(issuing, root)
  const layout = writer.lay(draft, { issuer: 'https://gw.example', now: NOW, id: Buffer.alloc(16, 7), signer })
  const issued = layout.finish(await signer.sign(layout.toBeSigned))
  const [leaf] = parsePem(issued.raw)
  return { root, issuing, pem: issued.raw, leaf: leaf?.der ?? Buffer.alloc(0) }
}

const CLASSICAL = ['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256', 'PS256']
const QUANTUM = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']

describe('what is issued', () => {
  test.each([...CLASSICAL, ...QUANTUM])('by %s is what Node reads and verifies', async (name) => {
    const holder = testKey(name, 2)
    const { leaf, issuing } = await issue(testKey(name), holder)
    const node = new NodeCertificate(leaf)
    expect(node.verify(issuing.key.publicKey.key)).toBe(true)
    expect(node.checkIssued(new NodeCertificate(Buffer.from(issuing.certificate)))).toBe(true)
    expect(node.publicKey.equals(holder.publicKey.key)).toBe(true)
    expect(node.subjectAltName).toBe(`URI:${SPIFFE_ID}`)
    expect(node.ca).toBe(false)
    expect(node.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    expect(node.serialNumber).toBe(`47${'07'.repeat(15)}`)
    expect(Date.parse(node.validTo) / 1000).toBe(NOW + 600)
  })

  test.each([...CLASSICAL.filter((name) => name !== 'PS256'), ...QUANTUM])(
    'by %s is what @peculiar/x509 reads',
    async (name) => {
      const { leaf, issuing } = await issue(testKey(name), testKey(name, 2))
      const read = new peculiar.X509Certificate(leaf)
      const ours = parseCertificate(leaf)
      expect(read.serialNumber).toBe(serialText(ours))
      expect(read.issuer).toBe(nameText(ours.issuer))
      expect(read.notAfter.getTime() / 1000).toBe(ours.notAfter)
      expect(read.getExtension(peculiar.SubjectAlternativeNameExtension)?.names.items).toMatchObject([
        { type: 'url', value: SPIFFE_ID },
      ])
      // Its ASN.1 library cuts an arc of 128 bits off, so ours goes by its parent there.
      const types = [...ours.extensions.all.keys()].map((type) => (type.startsWith('2.25.') ? '2.25' : type))
      expect(read.extensions.map(({ type }) => type)).toEqual(types)
      const publicKey = new peculiar.X509Certificate(Buffer.from(issuing.certificate)).publicKey
      expect(await read.verify({ publicKey, signatureOnly: true })).toBe(true)
    },
  )

  test.each([
    ['ML-DSA-44', ml_dsa44],
    ['ML-DSA-65', ml_dsa65],
    ['ML-DSA-87', ml_dsa87],
  ] as const)('by %s is what @noble/post-quantum verifies', async (name, noble) => {
    const { leaf, issuing } = await issue(testKey(name), testKey('ES256'))
    const { toBeSigned, signature } = parseCertificate(leaf)
    const { bits } = readSpki(parseCertificate(issuing.certificate).spki)
    expect(noble.verify(signature, toBeSigned, bits)).toBe(true)
    expect(noble.verify(signature, leaf, bits)).toBe(false)
  })
})

describe('the certificates of RFC 9881', () => {
  const file = (name: string) => readFileSync(new URL(`../../vectors/mldsa-x509/${name}.pem`, import.meta.url), 'utf8')
  const der = (name: string) => parsePem(file(name)).at(-1)?.der ?? Buffer.alloc(0)

  test.each([
    ['ML-DSA-44', ml_dsa44],
    ['ML-DSA-65', ml_dsa65],
  ] as const)('PX-01, PX-02: of %s are read and verify, here and elsewhere', (name, noble) => {
    const certificate = parseCertificate(der(`${name}.crt`))
    const { algorithm: row, publicKey, toBeSigned, signature, spki } = certificate
    if (!row) return expect.unreachable()
    expect(row.name).toBe(name)
    expect(spki).toEqual(der(`${name}.pub`))
    expect(verifyX509Signature(row, cryptoKey(row, publicKey.key), toBeSigned, signature)).toBe(true)
    expect(noble.verify(signature, toBeSigned, readSpki(spki).bits)).toBe(true)
    const altered = Buffer.from(toBeSigned)
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1
    expect(verifyX509Signature(row, cryptoKey(row, publicKey.key), altered, signature)).toBe(false)
  })
})

describe('a certification request of @peculiar/x509', () => {
  peculiar.cryptoProvider.set(webcrypto as unknown as Crypto)

  test.each([
    ['ES256', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }],
    ['ES384', { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' }],
    ['Ed25519', { name: 'Ed25519' }],
    [
      'RS256',
      { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
    ],
    ['ML-DSA-65', { name: 'ML-DSA-65' }],
  ])('CR-08: signed by %s is read', async (name, parameters) => {
    const keys = (await webcrypto.subtle.generateKey(parameters, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
    const request = await peculiar.Pkcs10CertificateRequestGenerator.create({
      name: [{ CN: ['web'] }],
      keys,
      signingAlgorithm: parameters,
      extensions: [
        new peculiar.SubjectAlternativeNameExtension([{ type: 'url', value: SPIFFE_ID }]),
        new peculiar.BasicConstraintsExtension(true, 0, true),
      ],
      attributes: [new peculiar.ChallengePasswordAttribute('secret')],
    })
    const parsed = parseCsr(new Uint8Array(request.rawData))
    expect(parsed.algorithm.name).toBe(name)
    expect(nameText(parsed.subject)).toBe('CN=web')
    expect(parsed.requestsCa).toBe(true)
    expect(parsed.requestedExtensions).toHaveLength(2)
  })

  test.each(['ES256', 'Ed25519', 'RS256', 'ML-DSA-65'])('and ours, signed by %s, is read there', async (name) => {
    const { privateKey } = testKey(name)
    const request = new peculiar.Pkcs10CertificateRequest(buildCsr({ privateKey, subject: commonName('web') }))
    expect(request.subject).toBe('CN=web')
    expect(await request.verify()).toBe(true)
  })
})

const present = hasOpenssl()
if (!present) console.warn('skipped: no openssl command')

function hasOpenssl(): boolean {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8' }).startsWith('OpenSSL 3')
  } catch {
    return false
  }
}

describe.skipIf(!present && process.env['CI'] !== 'true')('openssl', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'x509-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const put = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe', cwd: folder })
  const certificatePem = (bytes: Uint8Array) => pem('CERTIFICATE', bytes)

  test.each(CLASSICAL)('verifies what is issued by %s, strictly', async (name) => {
    const { root, issuing, leaf } = await issue(testKey(name), testKey('ES256'))
    const anchors = put('root.pem', certificatePem(root.certificate))
    const untrusted = put('issuing.pem', certificatePem(issuing.certificate))
    const path = put('leaf.pem', certificatePem(leaf))
    const args = ['verify', '-x509_strict', '-attime', String(NOW), '-CAfile', anchors, '-untrusted', untrusted]
    for (const purpose of ['sslclient', 'sslserver']) {
      expect(openssl(...args, '-purpose', purpose, path)).toContain('OK')
    }
  })

  test('prints what is issued', async () => {
    const { leaf } = await issue(testKey('ES256'), testKey('ES256'), Date.UTC(2050, 0, 1) / 1000)
    const text = openssl('x509', '-in', put('leaf.pem', certificatePem(leaf)), '-noout', '-text')
    for (const line of [
      'Version: 3 (0x2)',
      'Signature Algorithm: ecdsa-with-SHA256',
      'Issuer: CN = Issuing',
      'X509v3 Key Usage: critical',
      'Digital Signature',
      'TLS Web Server Authentication, TLS Web Client Authentication',
      'X509v3 Basic Constraints: critical',
      'CA:FALSE',
      'X509v3 Subject Alternative Name: critical',
      `URI:${SPIFFE_ID}`,
      'Not After : ',
    ]) {
      expect(text).toContain(line)
    }
    expect(text).toMatch(/Subject: *\n/)
  })

  test.each([
    ['ES256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['ES384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384']],
    ['Ed25519', ['-newkey', 'ed25519']],
    ['RS256', ['-newkey', 'rsa:2048']],
    ['PS256', ['-newkey', 'rsa:2048', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest']],
  ])('makes a request signed by %s that is read', (name, args) => {
    openssl(
      'req',
      '-new',
      ...args,
      '-noenc',
      '-keyout',
      'key.pem',
      '-subj',
      '/O=Lark/CN=web',
      '-addext',
      'basicConstraints=CA:TRUE',
      '-out',
      'req.pem',
    )
    const [block] = parsePem(readFileSync(join(folder, 'req.pem'), 'utf8'))
    const parsed = parseCsr(block?.der ?? Buffer.alloc(0))
    expect(parsed.algorithm.name).toBe(name)
    expect(nameText(parsed.subject)).toBe('CN=web,O=Lark')
    expect(parsed.requestsCa).toBe(true)
  })

  test.each(CLASSICAL)('verifies a request of ours signed by %s', (name) => {
    const { privateKey } = testKey(name)
    const request = buildCsr({ privateKey, algorithm: algorithm(name), subject: commonName('web') })
    const args = ['req', '-in', put('ours.pem', pem('CERTIFICATE REQUEST', request)), '-noout', '-verify', '-subject']
    expect(openssl(...args)).toContain('CN = web')
  })

  test('makes an authority and a client certificate that are taken', async () => {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-noenc',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      '-subj',
      '/CN=Lab CA',
      '-addext',
      'keyUsage=critical,keyCertSign',
    )
    openssl(
      'req',
      '-new',
      '-newkey',
      'rsa:2048',
      '-noenc',
      '-keyout',
      'client.key',
      '-out',
      'client.csr',
      '-subj',
      '/O=Lark/CN=web',
    )
    const extensions = put(
      'client.ext',
      'subjectAltName=URI:https://a.example/web,DNS:web.example,IP:::1\nextendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n',
    )
    openssl(
      'x509',
      '-req',
      '-in',
      'client.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '1',
      '-extfile',
      extensions,
      '-out',
      'client.pem',
    )
    const [anchor] = parsePem(readFileSync(join(folder, 'ca.pem'), 'utf8'))
    const raw = readFileSync(join(folder, 'client.pem'), 'utf8')
    const unverified = codec.parse({ raw, type: tokenTypes.x509, role: 'subject' }) ?? expect.unreachable()
    const now = Date.now() / 1000
    const token = await unverified.verify(trustedIssuer(anchor ? [anchor.der] : []), { now, clockSkew: 5 })
    expect(token.claims).toMatchObject({
      sub: 'https://a.example/web',
      x509: { subject: 'CN=web,O=Lark', issuer: 'CN=Lab CA', dns: ['web.example'], ips: ['::1'] },
    })
    expect(token.confirmation?.x5tS256).toBe(
      Buffer.from(
        openssl('x509', '-in', 'client.pem', '-noout', '-fingerprint', '-sha256')
          .split('=')[1]
          ?.replaceAll(':', '')
          .trim() ?? '',
        'hex',
      ).toString('base64url'),
    )
  })
})
