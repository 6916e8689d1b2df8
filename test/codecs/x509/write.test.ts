import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CLAIMS_EXTENSION } from '../../../src/codecs/x509/claims.ts'
import { x509Codec } from '../../../src/codecs/x509/index.ts'
import type { ErrorCode } from '../../../src/core/errors.ts'
import type { Signer } from '../../../src/core/keys.ts'
import type { Draft, Rendering, Validity } from '../../../src/core/token.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { map, sameValue, type Value, type ValueMap } from '../../../src/core/value.ts'
import { parseCertificate, serialText } from '../../../src/wire/certificate.ts'
import { authorityExtensions } from '../../../src/wire/certificate-build.ts'
import { context } from '../../../src/wire/der.ts'
import { der, sequence } from '../../../src/wire/der-write.ts'
import { extension, extensionOids, keyUsages, purposes } from '../../../src/wire/extensions.ts'
import { generalName } from '../../../src/wire/general-name.ts'
import { publicKey } from '../../../src/wire/jwk.ts'
import { parsePem } from '../../../src/wire/pem.ts'
import { keyIdentifier, spkiOf } from '../../../src/wire/spki.ts'
import { authority, leaf, NOW, SPIFFE_ID, signerOf, testKey, trustedIssuer, usages } from '../../support/x509.ts'

const refused = (code: ErrorCode, expected?: unknown) =>
  expect.objectContaining({
    code,
    ...(expected === undefined ? {} : { detail: expect.objectContaining({ expected }) }),
  })

const root = authority('Root')
const issuing = authority('Issuing', { issuer: root, pathLength: 0 })
const signer = signerOf(issuing, root)
const holder = testKey()
const codec = x509Codec()
const ID = Buffer.from('ffeeddccbbaa99887766554433221100', 'hex')

const rendering = (
  kind: string | undefined,
  options: Record<string, Value> = {},
  more: Partial<Rendering> = {},
): Rendering => ({
  format: 'x509',
  kind,
  options: map(Object.entries(options)),
  key: 'ca',
  algorithm: undefined,
  header: map(),
  kid: true,
  tokenType: undefined,
  ...more,
})

type Changes = Partial<Omit<Draft, 'validity'>> & { validity?: Partial<Validity> }

const draft = (claims: Record<string, Value> = {}, { validity, ...rest }: Changes = {}): Draft => ({
  claims: map(Object.entries({ sub: SPIFFE_ID, ...claims })),
  validity: { issuedAt: NOW, notBefore: undefined, expiresAt: NOW + 300, audience: [], scope: undefined, ...validity },
  confirmation: { publicKey: holder.publicKey },
  embedded: [],
  notes: [],
  ...rest,
})

interface Options {
  kind?: string
  options?: Record<string, Value>
  signer?: Signer
  now?: number
}

async function issue(what: Draft, { kind, options = {}, signer: by = signer, now = NOW }: Options = {}) {
  const writer = codec.prepare(rendering(kind, options))
  const layout = writer.lay(what, { issuer: 'https://gw.example', now, id: ID, signer: by })
  const issued = layout.finish(await by.sign(layout.toBeSigned))
  return { issued, losses: layout.losses, writer }
}

async function certificateOf(what: Draft, options: Options = {}) {
  const { issued } = await issue(what, options)
  const [block] = parsePem(issued.raw)
  return parseCertificate(block?.der ?? Buffer.alloc(0))
}

async function readBack(raw: string, type: string, kind?: string) {
  const unverified = codec.parse({ raw, type, role: 'subject' }) ?? expect.unreachable()
  return await unverified.verify(trustedIssuer([root.certificate], { intermediates: [issuing.certificate] }), {
    now: NOW,
    clockSkew: 0,
    kind,
  })
}

describe('a certificate that is issued', () => {
  test('XI-01 to XI-10: is what the issuing profile says', async () => {
    const certificate = await certificateOf(draft())
    expect(certificate).toMatchObject({ version: 3, notBefore: NOW - 60, notAfter: NOW + 300 })
    // XI-01: the first octet from 40 to 7f.
    expect(serialText(certificate)).toBe('7feeddccbbaa99887766554433221100')
    expect(certificate.issuer.der).toEqual(issuing.name)
    // XI-09: no subject, so the names are critical.
    expect(certificate.subject.parts).toEqual([])
    const { all, ...extensions } = certificate.extensions
    expect(extensions).toMatchObject({
      basicConstraints: { ca: false },
      keyUsage: keyUsages.digitalSignature,
      extendedKeyUsage: [purposes.clientAuth],
      subjectAltNames: [{ kind: 'uri', text: SPIFFE_ID }],
      authorityKeyId: { keyId: issuing.keyId },
    })
    // XI-08: RFC 7093 method 1. XI-10: the key encoded anew.
    expect(extensions.subjectKeyId).toEqual(keyIdentifier(spkiOf(holder.publicKey)))
    expect(certificate.spki).toEqual(spkiOf(holder.publicKey))
    expect([...all.values()].filter(({ critical }) => critical).map(({ oid }) => oid)).toEqual([
      extensionOids.keyUsage,
      extensionOids.basicConstraints,
      extensionOids.subjectAltName,
    ])
    // XI-05: an empty sequence. RFC 9608: no revocation available.
    expect(all.get(extensionOids.basicConstraints)?.value).toEqual(sequence())
    expect(all.has(extensionOids.noRevocationAvailable)).toBe(true)
    expect(all.has(CLAIMS_EXTENSION)).toBe(false)
  })

  test('XI-07: has the purposes of its kind, or of the profile', async () => {
    const usagesOf = async (options: Options) => (await certificateOf(draft(), options)).extensions.extendedKeyUsage
    expect(await usagesOf({ kind: 'server' })).toEqual([purposes.serverAuth])
    expect(await usagesOf({ kind: 'x509-svid' })).toEqual([purposes.serverAuth, purposes.clientAuth])
    expect(await usagesOf({ options: { extended_key_usage: ['client_auth', '1.3.6.1.5.5.7.3.38'] } })).toEqual([
      purposes.clientAuth,
      '1.3.6.1.5.5.7.3.38',
    ])
  })

  test('XI-03: does not begin before the draft does, nor end after it', async () => {
    const times = async (validity: Partial<Validity>, now = NOW) => {
      const { notBefore, notAfter } = await certificateOf(draft({}, { validity }), { now })
      return [notBefore - NOW, notAfter - NOW]
    }
    expect(await times({ expiresAt: NOW + 10.9 }, NOW + 0.7)).toEqual([-60, 10])
    expect(await times({ notBefore: NOW - 5 })).toEqual([-5, 300])
    expect(await times({ notBefore: NOW - 4.5 })).toEqual([-4, 300])
    expect(await times({ notBefore: NOW + 5 })).toEqual([5, 300])
    await expect(times({ notBefore: NOW + 5, expiresAt: NOW + 4 })).rejects.toThrow(refused('ERR_TOKEN_EXPIRED'))
    await expect(times({ expiresAt: undefined })).rejects.toThrow(refused('ERR_TOKEN_NO_EXPIRY'))
  })

  test('stays within its authority, whose end is the ceiling', async () => {
    const short = authority('Short', { issuer: root, notBefore: NOW - 20, notAfter: NOW + 20 })
    const by = signerOf(short, root)
    const { writer } = await issue(draft(), { signer: by })
    expect(writer.ceiling(by)).toBe(NOW + 20)
    expect(writer.ceiling(signer)).toBe(NOW + 1800)
    expect(await certificateOf(draft(), { signer: by })).toMatchObject({ notBefore: NOW - 20, notAfter: NOW + 20 })
  })

  test.each(['ES384', 'ES512', 'Ed25519', 'RS256', 'PS384', 'ML-DSA-44', 'ML-DSA-87'])(
    'PX-08: is signed by an authority of %s, for a key of it',
    async (name) => {
      const strong = authority('CA', { key: testKey(name) })
      const { publicKey } = testKey(name, 1)
      const { issued } = await issue(draft({}, { confirmation: { publicKey } }), { signer: signerOf(strong) })
      const unverified =
        codec.parse({ raw: issued.raw, type: tokenTypes.x509, role: 'subject' }) ?? expect.unreachable()
      const token = await unverified.verify(trustedIssuer([strong.certificate]), { now: NOW, clockSkew: 0 })
      expect(token.provenance.algorithm).toBe(name)
      expect(token.confirmation?.jkt).toBe(publicKey.jkt)
    },
  )
})

describe('the form', () => {
  test('pem has the intermediates and no root', async () => {
    const { issued, writer } = await issue(draft())
    expect(
      parsePem(issued.raw, { comments: false })
        .map(({ der }) => der)
        .slice(1),
    ).toEqual([issuing.certificate])
    expect(issued).toMatchObject({
      tokenType: tokenTypes.x509,
      usage: 'N_A',
      id: 'sn:7feeddccbbaa99887766554433221100',
    })
    expect(writer).toMatchObject({ tokenType: tokenTypes.x509, usage: 'N_A', singleAudience: true, needsKey: true })
  })

  test('der is the leaf alone', async () => {
    const { issued } = await issue(draft(), { options: { form: 'der' } })
    expect(issued.tokenType).toBe(tokenTypes.x509Der)
    expect((await readBack(issued.raw, tokenTypes.x509Der)).claims['sub']).toBe(SPIFFE_ID)
  })

  test('json is what mTLS clients send', async () => {
    const { issued } = await issue(draft(), { options: { form: 'json' } })
    expect(issued.tokenType).toBe(tokenTypes.mtls)
    expect(JSON.parse(issued.raw)).toHaveLength(2)
    expect((await readBack(issued.raw, tokenTypes.mtls)).claims['sub']).toBe(SPIFFE_ID)
  })

  test('may go by another token type', () => {
    expect(codec.prepare(rendering('client', {}, { tokenType: 'urn:x' })).tokenType).toBe('urn:x')
  })
})

describe('the key', () => {
  const required = refused('ERR_PROOF_REQUIRED')

  test('XI-13: is one that was proved', async () => {
    await expect(issue(draft({}, { confirmation: undefined }))).rejects.toThrow(required)
    await expect(issue(draft({}, { confirmation: { jkt: holder.publicKey.jkt } }))).rejects.toThrow(required)
  })

  test('XI-12: is not that of an authority', async () => {
    await expect(issue(draft({}, { confirmation: { publicKey: issuing.key.publicKey } }))).rejects.toThrow(required)
    await expect(issue(draft({}, { confirmation: { publicKey: root.key.publicKey } }))).rejects.toThrow(required)
  })

  test('XI-12: is of a kind and size that is in use', async () => {
    const x25519 = publicKey(generateKeyPairSync('x25519').publicKey)
    const small = publicKey(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)
    for (const key of [x25519, small]) {
      await expect(issue(draft({}, { confirmation: { publicKey: key } }))).rejects.toThrow(required)
    }
  })
})

describe('XI-14: the subject', () => {
  const named = async (sub: Value, options: Record<string, Value> = {}, kind = 'client') => {
    const { extensions } = await certificateOf(draft({ sub }), { kind, options })
    return extensions.subjectAltNames
  }
  const refusedSubject = refused('ERR_PROFILE_SUBJECT')

  test.each([
    'https://a.example/b',
    'spiffe://a.example/b',
    'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
    'wimse://a.example/b',
  ])('%s is a URI already', async (sub) => {
    expect(await named(sub)).toEqual([{ kind: 'uri', text: sub }])
  })

  test.each([
    'alice',
    'system:serviceaccount:ns:web',
    'repo:org/name',
    'https://a.example/b c',
    'https://a.example/é',
    'javascript:x',
    '',
    `https://a.example/${'x'.repeat(2040)}`,
  ])('"%s" is none, and a template makes one of it', async (sub) => {
    await expect(named(sub)).rejects.toThrow(refusedSubject)
  })

  test('goes into a template percent-encoded, also when it is a URI itself', async () => {
    const options = { san_template: 'https://a.example/sub/{sub}#x' }
    expect(await named('système/a b?', options)).toEqual([
      { kind: 'uri', text: 'https://a.example/sub/syst%C3%A8me%2Fa%20b%3F#x' },
    ])
    expect(await named("a'(b)*!$&", options)).toEqual([
      { kind: 'uri', text: 'https://a.example/sub/a%27%28b%29%2A%21%24%26#x' },
    ])
    expect(await named('https://a.example/sub/alice', options)).not.toEqual(await named('alice', options))
  })

  test('is a host or a mailbox where the profile says so', async () => {
    expect(await named('web.example', { subject_as: 'san_dns' }, 'server')).toEqual([
      { kind: 'dns', text: 'web.example' },
    ])
    expect(await named('a@b.example', { subject_as: 'san_email' })).toEqual([{ kind: 'email', text: 'a@b.example' }])
    await expect(named('*.example', { subject_as: 'san_dns' }, 'server')).rejects.toThrow(refusedSubject)
    await expect(named('a b', { subject_as: 'san_dns' }, 'server')).rejects.toThrow(refusedSubject)
    await expect(named('a', { subject_as: 'san_email' })).rejects.toThrow(refusedSubject)
  })

  test('SX-02: of an X.509-SVID is a SPIFFE ID with a path', async () => {
    expect(await named(SPIFFE_ID, {}, 'x509-svid')).toHaveLength(1)
    await expect(named('https://a.example/b', {}, 'x509-svid')).rejects.toThrow(refusedSubject)
    await expect(named('spiffe://a.example', {}, 'x509-svid')).rejects.toThrow(refusedSubject)
    const options = { san_template: 'spiffe://a.example/u/{sub}' }
    expect(await named('alice', options, 'x509-svid')).toEqual([{ kind: 'uri', text: 'spiffe://a.example/u/alice' }])
    await expect(named('a/../b', options, 'x509-svid')).rejects.toThrow(refusedSubject)
  })

  test('is text, and in well-formed Unicode', async () => {
    await expect(named(1)).rejects.toThrow(refusedSubject)
    await expect(named('\ud800', { san_template: 'https://a.example/{sub}' })).rejects.toThrow(refusedSubject)
  })

  test('lies within the name constraints of the authority', async () => {
    const constraints = extension(
      extensionOids.nameConstraints,
      true,
      sequence(der(context(0), sequence(generalName('uri', 'cluster.example')))),
    )
    const by = signerOf(authority('Constrained', { more: [constraints] }))
    expect((await certificateOf(draft(), { signer: by })).extensions.subjectAltNames).toHaveLength(1)
    await expect(certificateOf(draft({ sub: 'https://other.example/' }), { signer: by })).rejects.toThrow(
      refusedSubject,
    )
  })
})

describe('what has no field', () => {
  const full = draft(
    { act: map([['sub', 'gateway']]), client_id: 'orders', acr: '2', ueid: Buffer.of(1, 2) },
    { validity: { audience: ['https://a.example'], scope: ['a', 'b'] } },
  )

  test('goes into the claims extension and comes back', async () => {
    const { issued, losses } = await issue(full)
    expect(losses).toEqual([])
    const token = await readBack(issued.raw, tokenTypes.x509)
    expect(token.claims).toMatchObject({ sub: SPIFFE_ID, client_id: 'orders', acr: '2', ueid: Buffer.of(1, 2) })
    expect(token.validity).toMatchObject({ audience: ['https://a.example'], scope: ['a', 'b'] })
  })

  test('in JSON loses its bytes to text', async () => {
    const nested = { ...full, claims: map([...Object.entries(full.claims), ['deep', [map([['b', Buffer.of(255)]])]]]) }
    const { issued, losses } = await issue(nested, { options: { claims_extension: map([['format', 'json']]) } })
    expect(losses.map(({ claim, became }) => [claim, became])).toEqual([
      ['ueid', 'converted'],
      ['deep', 'converted'],
    ])
    const token = await readBack(issued.raw, tokenTypes.x509)
    expect(token.claims).toMatchObject({ ueid: 'AQI', deep: [{ b: '_w' }] })
  })

  test('is lost, name by name, where there is no such extension', async () => {
    const { issued, losses } = await issue(full, { options: { claims_extension: false } })
    expect(losses.map(({ claim, became }) => [claim, became])).toEqual(
      ['act', 'client_id', 'acr', 'ueid', 'aud', 'scope'].map((claim) => [claim, 'lost']),
    )
    expect(losses.every(({ reason }) => reason.length > 0)).toBe(true)
    const token = await readBack(issued.raw, tokenTypes.x509)
    expect(Object.keys(token.claims)).toEqual(['sub', 'x509'])
  })

  test('is marked critical, and under the OID, that the profile says', async () => {
    const oid = '1.3.6.1.4.1.32473.9'
    const options = {
      claims_extension: map([
        ['oid', oid],
        ['critical', true],
      ]),
    }
    const { extensions } = await certificateOf(full, { options })
    expect(extensions.all.get(oid)?.critical).toBe(true)
    expect((await certificateOf(full)).extensions.all.get(CLAIMS_EXTENSION)?.critical).toBe(false)
  })

  test('of the certificate itself is not repeated', async () => {
    const { losses } = await issue(draft({ x509: map([['subject', 'CN=old']]), jti: 'x', iss: 'y' }))
    expect(losses.map(({ claim, became }) => [claim, became])).toEqual([
      ['x509', 'lost'],
      ['jti', 'lost'],
      ['iss', 'lost'],
    ])
  })

  test('may be embedded among the claims, not in a header', async () => {
    const embedded = [
      { name: 'src', place: 'claim', value: 'token' },
      { name: 'top', place: 'header', value: 'token' },
    ] as const
    const { issued, losses } = await issue(draft({}, { embedded }))
    expect(losses.map(({ claim }) => claim)).toEqual(['top'])
    expect((await readBack(issued.raw, tokenTypes.x509)).claims['src']).toBe('token')
    for (const name of ['sub', 'act']) {
      const clash = draft({ act: map([['sub', 'gateway']]) }, { embedded: [{ name, place: 'claim', value: 'token' }] })
      await expect(issue(clash)).rejects.toThrow(refused('ERR_PROFILE_RENDERING'))
    }
  })

  test('has 4 KiB, and the certificate 16', async () => {
    await expect(issue(draft({ a: 'x'.repeat(4096) }))).rejects.toThrow(refused('ERR_TOKEN_TOO_LARGE'))
    expect((await issue(draft({ a: 'x'.repeat(4000) }))).losses).toEqual([])
    const long = Array.from({ length: 700 }, (_, at) => `1.3.6.1.4.1.32473.1.${at}.${2 ** 40}.${2 ** 40}`)
    await expect(issue(draft(), { options: { extended_key_usage: long } })).rejects.toThrow(
      refused('ERR_TOKEN_TOO_LARGE'),
    )
  })
})

describe('a profile does not load', () => {
  test.each<[string, Rendering]>([
    ['another kind', rendering('at+jwt')],
    ['a member for a header', rendering('client', {}, { header: map([['typ', 'x']]) })],
    ['an option that there is not', rendering('client', { tag: true })],
    ['another form', rendering('client', { form: 'p12' })],
    ['a claims extension that is none', rendering('client', { claims_extension: true })],
    ['an OID that is none', rendering('client', { claims_extension: map([['oid', '3.1']]) })],
    ['another format of claims', rendering('client', { claims_extension: map([['format', 'xml']]) })],
    ['a criticality that is none', rendering('client', { claims_extension: map([['critical', 'yes']]) })],
    ['another name for the subject', rendering('client', { subject_as: 'subject_cn' })],
    ['a host as the subject of an SVID', rendering('x509-svid', { subject_as: 'san_dns' })],
    ['a template for hosts', rendering('server', { subject_as: 'san_dns', san_template: 'https://{sub}' })],
    ['a template that is no text', rendering('client', { san_template: 1 })],
    ['a template without place for the subject', rendering('client', { san_template: 'https://a.example/' })],
    ['a template with two places', rendering('client', { san_template: 'https://{sub}/{sub}' })],
    ['a template that makes no URI', rendering('client', { san_template: '/{sub}' })],
    ['a template that makes no SPIFFE ID', rendering('x509-svid', { san_template: 'https://a.example/{sub}' })],
    ['no purpose', rendering('client', { extended_key_usage: [] })],
    ['any purpose', rendering('client', { extended_key_usage: ['2.5.29.37.0'] })],
    ['a purpose that there is not', rendering('client', { extended_key_usage: ['clientAuth'] })],
    ['an SVID for clients only', rendering('x509-svid', { extended_key_usage: ['client_auth'] })],
  ])('with %s', (_, what) => {
    expect(() => codec.prepare(what)).toThrow(refused('ERR_PROFILE_RENDERING'))
  })

  test('and the plain kind is for clients', async () => {
    expect((await certificateOf(draft(), {})).extensions.extendedKeyUsage).toEqual([purposes.clientAuth])
  })
})

describe('a signer', () => {
  const config = refused('ERR_KEY_CONFIG')
  const check = (by: Signer) => codec.prepare(rendering('client')).ceiling(by)
  const other = authority('Other')

  test.each<[string, Signer]>([
    ['has no certificate', { ...signer, chain: [] }],
    ['has a certificate that cannot be read', { ...signer, chain: [Buffer.from('x')] }],
    [
      'has the certificate of another key',
      { ...signer, chain: other.certificate.length > 0 ? [other.certificate] : [] },
    ],
    [
      'has a certificate for an end entity',
      (() => {
        const { key, certificate } = leaf(root)
        return { ...signer, publicKey: key.publicKey, chain: [certificate] }
      })(),
    ],
    ['has certificates out of order', { ...signer, chain: [issuing.certificate, issuing.certificate] }],
    ['has a root of another key', signerOf(issuing, authority('Root'))],
    [
      'has a root that did not sign it',
      signerOf(issuing, authority('Root', { extensions: authorityExtensions(root.keyId, root.keyId, undefined) })),
    ],
    ['has a root of another name', signerOf(issuing, other)],
    [
      'is too far down',
      (() => {
        const top = authority('Top', { pathLength: 0 })
        return signerOf(authority('Low', { issuer: top }), top)
      })(),
    ],
    ['may not issue for the purpose', signerOf(authority('Servers', { more: [usages(purposes.serverAuth)] }))],
    [
      'has no key identifier',
      signerOf(
        authority('Bare', {
          extensions: [extension(extensionOids.basicConstraints, true, Buffer.from('30030101ff', 'hex'))],
        }),
      ),
    ],
  ])('that %s cannot issue', (_, by) => {
    expect(() => check(by)).toThrow(config)
    expect(() => check(by)).toThrow(config)
  })

  test('with its whole chain can', () => {
    expect(check(signer)).toBe(NOW + 1800)
    expect(check(signerOf(issuing))).toBe(NOW + 1800)
    expect(check(signerOf(authority('Any', { more: [usages(purposes.any)] })))).toBe(NOW + 1800)
  })
})

describe('what is issued says what the draft said', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => value.isWellFormed())
  const name = text.filter(
    (value) =>
      value !== '' &&
      !['sub', 'iss', 'exp', 'nbf', 'iat', 'jti', 'cnf', 'x509', 'aud', 'scope', 'act'].includes(value) &&
      !['__proto__', 'constructor', 'prototype'].includes(value),
  )
  const leafValue = fc.oneof(text, fc.maxSafeInteger(), fc.boolean(), fc.constant(null))
  const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      leafValue as fc.Arbitrary<Value>,
      fc.array(tie('value'), { maxLength: 3 }),
      fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }).map((entries): ValueMap => map(new Map(entries))),
    ),
  })).value

  test.each(['cbor', 'json'])('with claims in %s', async (format) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(name, value), { maxLength: 5 }),
        fc.array(fc.constantFrom('read', 'write', 'admin'), { maxLength: 3 }),
        fc.option(fc.webUrl(), { nil: undefined }),
        fc.integer({ min: NOW + 1, max: NOW + 1800 }),
        async (entries, scope, audience, expiresAt) => {
          const claims = Object.fromEntries(new Map(entries))
          const validity = { scope, audience: audience === undefined ? [] : [audience], expiresAt, notBefore: NOW - 5 }
          const { issued, losses } = await issue(draft(claims, { validity }), {
            options: { claims_extension: map([['format', format]]) },
          })
          const token = await readBack(issued.raw, tokenTypes.x509)
          expect(losses).toEqual([])
          expect(token.validity).toEqual({ ...validity, issuedAt: undefined })
          for (const [claim, said] of new Map(entries)) expect(sameValue(token.claims[claim], said)).toBe(true)
          expect(Object.keys(token.claims)).toHaveLength(new Map(entries).size + 2)
          expect(token.confirmation?.publicKey?.jkt).toBe(holder.publicKey.jkt)
          expect(token.provenance.id).toBe(issued.id)
        },
      ),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 60) },
    )
  })
})
