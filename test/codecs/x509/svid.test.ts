import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { x509Codec } from '../../../src/codecs/x509/index.ts'
import { svidSubject } from '../../../src/codecs/x509/svid.ts'
import { cryptoKey, signSync } from '../../../src/core/algorithms.ts'
import type { ErrorCode } from '../../../src/core/errors.ts'
import type { TrustedIssuer } from '../../../src/core/trust.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { toBase64 } from '../../../src/wire/base64url.ts'
import { parseCertificate } from '../../../src/wire/certificate.ts'
import { namedBits } from '../../../src/wire/der-write.ts'
import { extension, extensionOids, keyUsages, purposes } from '../../../src/wire/extensions.ts'
import { generalName } from '../../../src/wire/general-name.ts'
import { publicKey } from '../../../src/wire/jwk.ts'
import { nameOf } from '../../../src/wire/name.ts'
import { parsePem } from '../../../src/wire/pem.ts'
import {
  algorithm,
  altNames,
  authority,
  leaf,
  NOW,
  SPIFFE_ID,
  type TestAuthority,
  trustedIssuer,
  uri,
  usages,
} from '../../support/x509.ts'

const root = authority('Root')
const issuer = trustedIssuer([root.certificate])
const refused = (code: ErrorCode, expected?: string) =>
  expect.objectContaining({ code, ...(expected ? { detail: expect.objectContaining({ expected }) } : {}) })

async function verify(chain: readonly Uint8Array[], trusted: TrustedIssuer = issuer, now = NOW) {
  const raw = JSON.stringify(chain.map(toBase64))
  const unverified = x509Codec().parse({ raw, type: tokenTypes.mtls, role: 'subject' }) ?? expect.unreachable()
  return await unverified.verify(trusted, { now, clockSkew: 0, kind: 'x509-svid' })
}

const rejects = (chain: readonly Uint8Array[], code: ErrorCode, expected?: string) =>
  expect(verify(chain)).rejects.toThrow(refused(code, expected))

const usage = (critical: boolean, bits: number) => ({
  keyUsage: extension(extensionOids.keyUsage, critical, namedBits(bits)),
})

describe('an X.509-SVID', () => {
  test('SX-01: is its SPIFFE ID', async () => {
    const token = await verify([leaf(root).certificate])
    expect(token.claims['sub']).toBe(SPIFFE_ID)
    expect(token.provenance).toMatchObject({ kind: 'x509-svid', trustDomain: 'cluster.example' })
  })

  test('SX-10: may have names of other kinds, which are not its identity', async () => {
    const names = [generalName('dns', 'a.example'), uri(SPIFFE_ID), generalName('email', 'a@b.example')]
    expect((await verify([leaf(root, { names }).certificate])).claims['sub']).toBe(SPIFFE_ID)
  })

  test('SX-02: has one URI, also when the other is no SPIFFE ID', async () => {
    await rejects(
      [leaf(root, { names: [uri(SPIFFE_ID), uri('spiffe://cluster.example/b')] }).certificate],
      'ERR_TOKEN_SUBJECT',
    )
    await rejects([leaf(root, { names: [uri(SPIFFE_ID), uri('https://a.example')] }).certificate], 'ERR_TOKEN_SUBJECT')
    await rejects([leaf(root, { names: [generalName('dns', 'a.example')] }).certificate], 'ERR_TOKEN_SUBJECT')
  })

  test.each([
    'spiffe://cluster.example',
    'spiffe://cluster.example/',
    'spiffe://Cluster.example/x',
    'SPIFFE://cluster.example/x',
    'spiffe://cluster.example/a/../b',
    'spiffe://cluster.example/%61',
    'spiffe://cluster.example:8443/x',
    'spiffe://u@cluster.example/x',
    'spiffe://cluster.example/x?y',
    'https://cluster.example/x',
  ])('SX-03: is not %s', async (text) => {
    await rejects([leaf(root, { names: [uri(text)] }).certificate], 'ERR_TOKEN_SUBJECT')
  })

  test('SX-01: is of the trust domain whose anchors vouch for it', async () => {
    const foreign = leaf(root, { names: [uri('spiffe://other.example/x')] }).certificate
    await rejects([foreign], 'ERR_TOKEN_SUBJECT_SPACE')
    await expect(verify([leaf(root).certificate], { ...issuer, trustDomain: undefined })).rejects.toThrow(
      refused('ERR_TOKEN_SUBJECT_SPACE'),
    )
  })

  test('SX-03, SX-09: is no authority, and may do nothing that one does', async () => {
    const ca = authority('CA', { issuer: root, more: [altNames(false, uri(SPIFFE_ID))] })
    await rejects([ca.certificate], 'ERR_TOKEN_KIND')
    const { digitalSignature, cRLSign, keyCertSign } = keyUsages
    await rejects(
      [leaf(root, { replace: usage(true, digitalSignature | cRLSign) }).certificate],
      'ERR_TOKEN_KIND',
      'no keyCertSign and no cRLSign',
    )
    await rejects([leaf(root, { replace: usage(true, digitalSignature | keyCertSign) }).certificate], 'ERR_TRUST_PATH')
  })

  test('SX-04: has a critical key usage for signatures', async () => {
    const { digitalSignature, keyEncipherment, keyAgreement } = keyUsages
    await rejects(
      [leaf(root, { replace: { keyUsage: undefined } }).certificate],
      'ERR_TOKEN_KIND',
      'a critical key usage',
    )
    await rejects(
      [leaf(root, { replace: usage(false, digitalSignature) }).certificate],
      'ERR_TOKEN_KIND',
      'a critical key usage',
    )
    await rejects(
      [leaf(root, { replace: usage(true, keyEncipherment) }).certificate],
      'ERR_TOKEN_KIND',
      'digitalSignature',
    )
    const sx05 = leaf(root, { replace: usage(true, digitalSignature | keyEncipherment | keyAgreement) }).certificate
    expect((await verify([sx05])).claims['sub']).toBe(SPIFFE_ID)
  })

  test('SX-06: has both purposes of TLS, or none', async () => {
    const only = (...oids: readonly string[]) =>
      leaf(root, { replace: { extendedKeyUsage: usages(...oids) } }).certificate
    await rejects([only(purposes.clientAuth)], 'ERR_TOKEN_KIND', purposes.serverAuth)
    await rejects([only(purposes.serverAuth)], 'ERR_TOKEN_KIND', purposes.clientAuth)
    const none = leaf(root, { replace: { extendedKeyUsage: undefined } }).certificate
    expect((await verify([none])).claims['sub']).toBe(SPIFFE_ID)
  })

  test('SX-07: has critical names where the subject is empty', async () => {
    const names = { altNames: altNames(false, uri(SPIFFE_ID)) }
    await rejects([leaf(root, { replace: names }).certificate], 'ERR_TRUST_PATH')
    const named = leaf(root, { replace: names, subject: nameOf([['2.5.4.3', 'web']]) }).certificate
    expect((await verify([named])).claims['sub']).toBe(SPIFFE_ID)
  })

  test('SX-08: comes from an authority without the identity of a workload', async () => {
    const under = (...names: readonly Uint8Array[]) =>
      authority('CA', { issuer: root, more: [altNames(false, ...names)] })
    const chain = (ca: TestAuthority) => [leaf(ca).certificate, ca.certificate]
    await rejects(chain(under(uri('spiffe://cluster.example/spire'))), 'ERR_TRUST_PATH')
    // The second one is in a text of SPIFFE: no ID, and no reason to refuse.
    for (const text of ['spiffe://cluster.example', 'spiffe://cluster.example/']) {
      expect((await verify(chain(under(uri(text))))).claims['sub']).toBe(SPIFFE_ID)
    }
  })
})

describe('the SVIDs of go-spiffe', () => {
  const file = (name: string) => readFileSync(new URL(`../../vectors/spiffe/${name}.pem`, import.meta.url), 'utf8')
  const chainOf = (name: string) =>
    parsePem(file(name)).flatMap(({ label, der }) => (label === 'CERTIFICATE' ? [der] : []))
  const [first] = chainOf('good-leaf-only')
  const sample = parseCertificate(first ?? Buffer.alloc(0))
  const then = sample.notBefore + 86_400

  // They are signed by their own key under the name of their issuer; this stands for the authority that is not there.
  const privateKey = createPrivateKey(file('key-pkcs8-rsa'))
  const key = {
    algorithm: algorithm('RS256'),
    privateKey,
    publicKey: publicKey(createPublicKey(privateKey)),
    sign: (data: Uint8Array) => signSync(algorithm('RS256'), cryptoKey(algorithm('RS256'), privateKey), data),
  }
  const anchor = authority('', { subject: sample.issuer.der, key, notBefore: 0, notAfter: NOW })
  const trusted = (...anchors: readonly Uint8Array[]) => trustedIssuer(anchors, { trustDomain: 'example.org' })

  test('good-leaf-only is accepted', async () => {
    const token = await verify(chainOf('good-leaf-only'), trusted(anchor.certificate), then)
    expect(token.claims['sub']).toBe('spiffe://example.org/workload-1')
  })

  test('good-leaf-and-intermediate is accepted, the intermediate as anchor', async () => {
    const [bytes, intermediate] = chainOf('good-leaf-and-intermediate')
    if (!bytes || !intermediate) return expect.unreachable()
    const token = await verify([bytes], trusted(intermediate), parseCertificate(bytes).notBefore + 60)
    expect(token.claims['sub']).toBe('spiffe://example.org/workload-1')
  })

  // Their authority is not among the files: what they say themselves is good.
  test.each(['good-cert-and-key', 'good-key-and-cert'])('the leaf of %s is accepted', (name) => {
    const [bytes] = chainOf(name)
    if (!bytes) return expect.unreachable()
    expect(svidSubject(parseCertificate(bytes), 'example.org')).toBe('spiffe://example.org/workload-1')
  })

  test.each<[string, ErrorCode]>([
    ['wrong-leaf-ca-true', 'ERR_TOKEN_KIND'],
    ['wrong-leaf-cert-sign', 'ERR_TRUST_PATH'],
    ['wrong-leaf-crl-sign', 'ERR_TOKEN_KIND'],
    ['wrong-leaf-empty-id', 'ERR_TOKEN_SUBJECT'],
    ['wrong-leaf-no-digital-signature', 'ERR_TOKEN_KIND'],
  ])('%s is refused for that', async (name, code) => {
    await expect(verify(chainOf(name), trusted(anchor.certificate), then)).rejects.toThrow(refused(code))
  })

  test.each([
    ['wrong-intermediate-no-ca', 'cA TRUE in each issuing certificate'],
    ['wrong-intermediate-no-key-cert-sign', 'keyCertSign in each issuing certificate'],
  ])('%s is refused for that', async (name, expected) => {
    const [bytes, intermediate] = chainOf(name)
    if (!bytes || !intermediate) return expect.unreachable()
    await expect(verify([bytes], trusted(intermediate), then)).rejects.toThrow(refused('ERR_TRUST_PATH', expected))
  })

  test('corrupt-cert is refused', () => {
    const parse = () => x509Codec().parse({ raw: file('corrupt-cert'), type: tokenTypes.x509, role: 'subject' })
    expect(parse).toThrow(refused('ERR_TOKEN_MALFORMED'))
  })
})
