import { describe, expect, test } from 'vitest'
import { CLAIMS_EXTENSION } from '../../../src/codecs/x509/claims.ts'
import { type X509Options, x509Codec } from '../../../src/codecs/x509/index.ts'
import type { ErrorCode } from '../../../src/core/errors.ts'
import type { Envelope, FormatRules, Token } from '../../../src/core/token.ts'
import type { TrustedIssuer } from '../../../src/core/trust.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { map } from '../../../src/core/value.ts'
import { toBase64, toBase64url } from '../../../src/wire/base64url.ts'
import { encodeCbor } from '../../../src/wire/cbor-encode.ts'
import { NO_EXPIRY, parseCertificate } from '../../../src/wire/certificate.ts'
import { tags } from '../../../src/wire/der.ts'
import { der, octetString, sequence, smallInteger } from '../../../src/wire/der-write.ts'
import { extension, purposes } from '../../../src/wire/extensions.ts'
import { generalName } from '../../../src/wire/general-name.ts'
import { nameOf } from '../../../src/wire/name.ts'
import { pem } from '../../../src/wire/pem.ts'
import {
  algorithm,
  authority,
  certificate,
  leaf,
  NOW,
  SPIFFE_ID,
  trustedIssuer,
  uri,
  usages,
} from '../../support/x509.ts'

const refused = (code: ErrorCode) => expect.objectContaining({ code })
const root = authority('Root')
const issuing = authority('Issuing', { issuer: root, pathLength: 0 })
const good = leaf(issuing)
const issuer = trustedIssuer([root.certificate])
const codec = x509Codec()

const asArray = (...chain: readonly Uint8Array[]) => JSON.stringify(chain.map(toBase64))
const asPem = (...chain: readonly Uint8Array[]) => chain.map((bytes) => pem('CERTIFICATE', bytes)).join('')
const envelope = (raw: string, type: string = tokenTypes.mtls, role: Envelope['role'] = 'subject') => ({
  raw,
  type,
  role,
})
const parse = (raw: string, type?: string) => codec.parse(envelope(raw, type))

async function verify(
  chain: readonly Uint8Array[],
  rules: Partial<FormatRules> = {},
  options: { issuer?: TrustedIssuer; codec?: X509Options; role?: Envelope['role'] } = {},
): Promise<Token> {
  const unverified = x509Codec(options.codec).parse(envelope(asArray(...chain), tokenTypes.mtls, options.role))
  if (!unverified) return expect.unreachable()
  return await unverified.verify(options.issuer ?? issuer, { now: NOW, clockSkew: 0, ...rules })
}

const chain = [good.certificate, issuing.certificate]

describe('a token type', () => {
  test('C-03: of mTLS is a JSON array of base64, leaf first', () => {
    expect(parse(asArray(...chain))?.issuer).toBeUndefined()
  })

  test('of X.509 is PEM, one certificate or a chain', () => {
    expect(parse(asPem(...chain), tokenTypes.x509)).toBeDefined()
    expect(parse(asPem(good.certificate), tokenTypes.x509)).toBeDefined()
  })

  test('of one certificate is base64url of its DER', () => {
    expect(parse(toBase64url(good.certificate), tokenTypes.x509Der)).toBeDefined()
  })

  test.each([tokenTypes.jwt, tokenTypes.cwt, 'constructor', ''])('"%s" is not ours', (type) => {
    expect(parse(asArray(...chain), type)).toBeUndefined()
  })

  test('finds its key by what stands in the last certificate', () => {
    const { hint } = parse(asArray(...chain)) ?? expect.unreachable()
    expect(hint).toEqual({ issuerName: root.name, authorityKeyId: root.keyId })
  })
})

describe('a path that passed before', () => {
  const lasting = authority('Lasting', { issuer: root, pathLength: 0, notAfter: NOW + 60 })
  const raw = asArray(leaf(lasting, { notAfter: NOW + 600 }).certificate, lasting.certificate)
  const again = async (by: TrustedIssuer, rules: Partial<FormatRules> = {}) =>
    parse(raw)?.verify(by, { now: NOW, clockSkew: 0, ...rules })

  test.each<[string, ErrorCode, TrustedIssuer, Partial<FormatRules>]>([
    ['an authority in it has expired', 'ERR_TRUST_PATH', issuer, { now: NOW + 61 }],
    ['its anchor is another', 'ERR_TRUST_PATH', trustedIssuer([authority('Root').certificate]), {}],
    ['there is no anchor any more', 'ERR_TRUST_PATH', trustedIssuer([]), {}],
    [
      'its algorithm is accepted no more',
      'ERR_TOKEN_ALGORITHM',
      trustedIssuer([root.certificate], { algorithms: [] }),
      {},
    ],
    ['it is for another purpose', 'ERR_TOKEN_KIND', issuer, { extendedKeyUsage: ['1.2.3'] }],
  ])('is refused when %s', async (_, code, by, rules) => {
    for (let n = 0; n < 2; n += 1) expect(await again(issuer)).toBeDefined()
    await expect(again(by, rules)).rejects.toThrow(refused(code))
  })
})

describe('a token is refused when it is read', () => {
  const { mtls, x509, x509Der } = tokenTypes
  const trailing = Buffer.concat([good.certificate, Buffer.of(0)])
  test.each<[string, string, string]>([
    ['the word that stands for the connection', 'mtls_client_certificate', mtls],
    ['an empty array', '[]', mtls],
    ['an array of something else', '[1]', mtls],
    ['no array', '{}', mtls],
    ['an array of nothing', '[null]', mtls],
    ['base64url where base64 is due', JSON.stringify([toBase64url(trailing)]), mtls],
    ['an empty certificate', '[""]', mtls],
    ['bytes after a certificate', asArray(trailing), mtls],
    ['an intermediate that is none', asArray(good.certificate, Buffer.from('x')), mtls],
    ['text around PEM', `leaf:\n${asPem(...chain)}`, x509],
    ['a key beside the certificate', asPem(good.certificate) + pem('PRIVATE KEY', Buffer.of(1)), x509],
    ['a certificate under another label', pem('TRUSTED CERTIFICATE', good.certificate), x509],
    ['DER where PEM is due', toBase64url(good.certificate), x509],
    ['nothing', '', x509],
    ['nothing', '', x509Der],
    ['padding', `${toBase64url(good.certificate)}=`, x509Der],
    ['PEM where DER is due', asPem(good.certificate), x509Der],
  ])('as it is %s', (_, raw, type) => {
    expect(() => parse(raw, type)).toThrow(refused('ERR_TOKEN_MALFORMED'))
  })

  test('PV-20: with a certificate twice', () => {
    expect(() => parse(asArray(...chain, good.certificate))).toThrow(refused('ERR_TOKEN_DUPLICATE'))
  })

  test('PV-18: with more than eight certificates, or too many characters', () => {
    const many = Array.from({ length: 9 }, (_, at) => authority(`CA ${at}`).certificate)
    expect(() => parse(asArray(...many))).toThrow(refused('ERR_TOKEN_TOO_LARGE'))
    expect(() => parse(asPem(...many), tokenTypes.x509)).toThrow(refused('ERR_TOKEN_TOO_LARGE'))
    expect(parse(asArray(...many.slice(1)))).toBeDefined()
    expect(() => parse('x'.repeat(200_000), tokenTypes.x509Der)).toThrow(refused('ERR_TOKEN_TOO_LARGE'))
  })
})

describe('a verified certificate', () => {
  test('says what it says', async () => {
    const subject = nameOf([
      ['2.5.4.10', 'Lark'],
      ['2.5.4.3', 'web'],
    ])
    const names = [
      uri(SPIFFE_ID),
      generalName('dns', 'web.example'),
      generalName('email', 'a@b.example'),
      generalName('ip', Buffer.of(10, 0, 0, 1)),
    ]
    const bytes = leaf(issuing, { subject, names, serial: Buffer.from('00c0ffee', 'hex'), key: good.key }).certificate
    const token = await verify([bytes, issuing.certificate])
    expect(token.claims).toEqual(
      map([
        ['sub', SPIFFE_ID],
        [
          'x509',
          map([
            ['subject', 'CN=web,O=Lark'],
            ['issuer', 'CN=Issuing'],
            ['serial', '00c0ffee'],
            ['dns', ['web.example']],
            ['uris', [SPIFFE_ID]],
            ['emails', ['a@b.example']],
            ['ips', ['10.0.0.1']],
            ['extended_key_usage', [purposes.serverAuth, purposes.clientAuth]],
            ['policies', []],
          ]),
        ],
      ]),
    )
    expect(token.validity).toEqual({
      issuedAt: undefined,
      notBefore: NOW - 1800,
      expiresAt: NOW + 1800,
      audience: [],
      scope: undefined,
    })
    const read = parseCertificate(bytes)
    // CN-04, CN-05: the key in it is its confirmation; whether anybody proved it is asked elsewhere.
    expect(token.confirmation).toMatchObject({ jkt: good.key.publicKey.jkt, x5tS256: read.thumbprint })
    expect(token.confirmation?.publicKey?.jkt).toBe(good.key.publicKey.jkt)
    expect(token.provenance).toMatchObject({
      format: 'x509',
      type: tokenTypes.mtls,
      issuer: 'https://cluster.example',
      trustDomain: 'cluster.example',
      algorithm: 'ES256',
      keyThumbprint: issuing.key.publicKey.jkt,
      id: 'sn:00c0ffee',
    })
    expect(token.provenance.certificate).toEqual(Buffer.from(bytes))
  })

  test('ID-02: is one statement, whatever the bytes of its signature', async () => {
    const tbs = leaf(issuing, { key: good.key, serial: Buffer.of(7) })
    const again = leaf(issuing, { key: good.key, serial: Buffer.of(7) })
    expect(Buffer.compare(tbs.certificate, again.certificate)).not.toBe(0)
    const [one, two] = [
      await verify([tbs.certificate, issuing.certificate]),
      await verify([again.certificate, issuing.certificate]),
    ]
    expect(one.provenance.replayKey).toBe(two.provenance.replayKey)
    expect(one.provenance.digest).toBe(two.provenance.digest)
    expect(one.provenance.replayKey).not.toBe((await verify(chain)).provenance.replayKey)
  })

  test('waits for authorities that have to be fetched', async () => {
    const authorities = { anchors: [root.certificate], intermediates: [issuing.certificate] }
    const anchor = { ...issuer.anchor, authorities: () => Promise.resolve(authorities) }
    expect((await verify([good.certificate], {}, { issuer: { ...issuer, anchor } })).claims['sub']).toBe(SPIFFE_ID)
  })

  test('comes with a configured intermediate', async () => {
    const configured = trustedIssuer([root.certificate], { intermediates: [issuing.certificate] })
    expect((await verify([good.certificate], {}, { issuer: configured })).claims['sub']).toBe(SPIFFE_ID)
  })

  test('is judged by the clock and the issuer of now, also when its authority is remembered', async () => {
    const one = x509Codec()
    const unverified = () => one.parse(envelope(asArray(...chain))) ?? expect.unreachable()
    await unverified().verify(issuer, { now: NOW, clockSkew: 0 })
    await unverified().verify(issuer, { now: NOW, clockSkew: 0 })
    await expect(async () => unverified().verify(issuer, { now: NOW + 1801, clockSkew: 0 })).rejects.toThrow(
      refused('ERR_TOKEN_EXPIRED'),
    )
    const other = trustedIssuer([authority('Root').certificate])
    await expect(async () => unverified().verify(other, { now: NOW, clockSkew: 0 })).rejects.toThrow(
      refused('ERR_TRUST_PATH'),
    )
  })
})

describe('a certificate is refused when it is verified', () => {
  const rejects = (promise: Promise<Token>, code: ErrorCode) => expect(promise).rejects.toThrow(refused(code))

  test('by an issuer whose anchors do not lead to it', async () => {
    await rejects(verify(chain, {}, { issuer: trustedIssuer([authority('Other').certificate]) }), 'ERR_TRUST_PATH')
    await rejects(verify(chain, {}, { issuer: trustedIssuer([]) }), 'ERR_TRUST_PATH')
  })

  test('by an issuer that may not use its algorithm', async () => {
    const rsaOnly = trustedIssuer([root.certificate], { algorithms: [algorithm('RS256')] })
    await rejects(verify(chain, {}, { issuer: rsaOnly }), 'ERR_TOKEN_ALGORITHM')
  })

  test('when an anchor cannot be read', async () => {
    await rejects(verify(chain, {}, { issuer: trustedIssuer([Buffer.from('x')]) }), 'ERR_TRUST_CONFIG')
  })

  test('when it never ends', async () => {
    const endless = leaf(issuing, { notAfter: NO_EXPIRY }).certificate
    await rejects(verify([endless, issuing.certificate]), 'ERR_TOKEN_NO_EXPIRY')
  })

  test('PV-14: when it is for servers only and serves as a client, and the other way round', async () => {
    const forServers = leaf(issuing, { replace: { extendedKeyUsage: usages(purposes.serverAuth) } }).certificate
    await rejects(verify([forServers, issuing.certificate]), 'ERR_TOKEN_KIND')
    await rejects(verify([forServers, issuing.certificate], { kind: 'client' }), 'ERR_TOKEN_KIND')
    expect((await verify([forServers, issuing.certificate], { kind: 'server' })).provenance.kind).toBe('server')
    const open = leaf(issuing, { replace: { extendedKeyUsage: undefined } }).certificate
    expect((await verify([open, issuing.certificate])).claims['sub']).toBe(SPIFFE_ID)
    await rejects(verify([open, issuing.certificate], { extendedKeyUsage: [purposes.clientAuth] }), 'ERR_TOKEN_KIND')
  })

  test('when there is no such kind', async () => {
    await rejects(verify(chain, { kind: 'at+jwt' }), 'ERR_TOKEN_KIND')
    await rejects(verify(chain, { kind: 'constructor' }), 'ERR_TOKEN_KIND')
  })

  test('T-12, PV-16: when its leaf is an authority', async () => {
    await rejects(verify([issuing.certificate]), 'ERR_TOKEN_KIND')
  })
})

describe('XP-02: the subject', () => {
  const subject = nameOf([
    ['2.5.4.10', 'Lark'],
    ['2.5.4.3', 'web'],
  ])
  const names = [
    uri(SPIFFE_ID),
    generalName('dns', 'web.example'),
    generalName('email', 'a@b.example'),
    generalName('ip', Buffer.of(10, 0, 0, 1)),
  ]
  const full = leaf(issuing, { subject, names }).certificate

  test.each([
    [undefined, SPIFFE_ID],
    ['san_uri', SPIFFE_ID],
    ['san_dns', 'web.example'],
    ['san_email', 'a@b.example'],
    ['san_ip', '10.0.0.1'],
    ['subject_cn', 'web'],
    ['subject_dn', 'CN=web,O=Lark'],
  ])('is taken from %s', async (subjectFrom, expected) => {
    expect((await verify([full, issuing.certificate], { subjectFrom })).claims['sub']).toBe(expected)
  })

  const rejects = (bytes: Uint8Array, subjectFrom: string) =>
    expect(verify([bytes, issuing.certificate], { subjectFrom })).rejects.toThrow(refused('ERR_TOKEN_SUBJECT'))

  test('is not the first of several', async () => {
    await rejects(
      leaf(issuing, { names: [uri('spiffe://a.example/b'), uri('spiffe://a.example/c')] }).certificate,
      'san_uri',
    )
    await rejects(leaf(issuing, { names: [generalName('dns', 'a'), generalName('dns', 'b')] }).certificate, 'san_dns')
    const twice = nameOf([
      ['2.5.4.3', 'a'],
      ['2.5.4.3', 'b'],
    ])
    await rejects(leaf(issuing, { subject: twice }).certificate, 'subject_cn')
  })

  test('XP-09: is there, and not blank', async () => {
    for (const from of ['san_dns', 'san_email', 'san_ip', 'subject_cn', 'subject_dn', 'nonsense', 'toString']) {
      await rejects(good.certificate, from)
    }
    await rejects(leaf(issuing, { subject: nameOf([['2.5.4.3', ' ']]) }).certificate, 'subject_cn')
  })

  test('is not asked of a client, whose certificate is compared with what is registered', async () => {
    const nameless = leaf(issuing, { subject, names: [generalName('dns', 'a'), generalName('dns', 'b')] }).certificate
    const token = await verify([nameless, issuing.certificate], {}, { role: 'client' })
    expect(token.claims['sub']).toBeUndefined()
    await expect(
      verify([nameless, issuing.certificate], { subjectFrom: 'san_dns' }, { role: 'client' }),
    ).rejects.toThrow(refused('ERR_TOKEN_SUBJECT'))
  })
})

describe('the claims extension', () => {
  const FORMAT = { cbor: 0, json: 1 }
  const value = (format: number, data: Uint8Array, version = 1) =>
    sequence(smallInteger(version), der(tags.enumerated, Buffer.of(format)), octetString(data))
  const json = (text: string) => value(FORMAT.json, Buffer.from(text, 'utf8'))
  const cbor = (claims: Parameters<typeof encodeCbor>[0]) => value(FORMAT.cbor, encodeCbor(claims))
  const claiming = (bytes: Uint8Array, critical = false, oid = CLAIMS_EXTENSION) =>
    leaf(issuing, { more: [extension(oid, critical, bytes)] }).certificate
  const claims = async (bytes: Uint8Array, options?: Parameters<typeof verify>[2]) =>
    verify([bytes, issuing.certificate], {}, options)

  const said = { client_id: 'orders', act: { sub: 'gateway' }, level: 1.5, none: null }
  test.each([
    ['CBOR', cbor(said)],
    ['JSON', json(JSON.stringify(said))],
  ])('in %s is read', async (_, bytes) => {
    const token = await claims(claiming(bytes, true))
    expect(token.claims).toMatchObject({ sub: SPIFFE_ID, client_id: 'orders', level: 1.5, none: null })
    expect(token.claims['act']).toEqual(map([['sub', 'gateway']]))
    expect(Object.getPrototypeOf(token.claims['act'])).toBeNull()
  })

  test('gives audience and scope their place', async () => {
    const one = await claims(claiming(cbor({ aud: 'https://a.example', scope: 'a b' })))
    expect(one.validity).toMatchObject({ audience: ['https://a.example'], scope: ['a', 'b'] })
    expect(one.claims['aud']).toBeUndefined()
    const two = await claims(claiming(json('{"aud":["x","y"],"scope":""}')))
    expect(two.validity).toMatchObject({ audience: ['x', 'y'], scope: [] })
  })

  test('keeps bytes as bytes', async () => {
    expect((await claims(claiming(cbor({ ueid: Buffer.of(1, 2) })))).claims['ueid']).toEqual(Buffer.of(1, 2))
  })

  test('is read under the configured OID only', async () => {
    const bytes = claiming(cbor(said), false, '1.3.6.1.4.1.32473.9')
    expect((await claims(bytes)).claims['client_id']).toBeUndefined()
    const codec = { claimsExtension: '1.3.6.1.4.1.32473.9' }
    expect((await claims(bytes, { codec })).claims['client_id']).toBe('orders')
    const ours = claiming(cbor(said))
    expect((await claims(ours, { codec: { claimsExtension: false } })).claims['client_id']).toBeUndefined()
    await expect(claims(claiming(cbor(said), true), { codec: { claimsExtension: false } })).rejects.toThrow(
      refused('ERR_TOKEN_CRITICAL'),
    )
  })

  test('may repeat what the certificate says, not contradict it', async () => {
    const same = { sub: SPIFFE_ID, iss: 'https://cluster.example', exp: NOW + 1800, nbf: NOW - 1800 }
    const token = await claims(claiming(cbor(same)))
    expect(Object.keys(token.claims)).toEqual(['sub', 'x509'])
    for (const lie of [
      { sub: 'spiffe://cluster.example/admin' },
      { iss: 'https://other.example' },
      { exp: NOW + 3600 },
      { nbf: 0 },
      { iat: NOW },
      { jti: 'x' },
      { cnf: {} },
      { x509: { subject: 'CN=admin' } },
    ]) {
      await expect(claims(claiming(cbor(lie)))).rejects.toThrow(refused('ERR_TOKEN_DUPLICATE'))
    }
  })

  test.each<[string, ErrorCode, Uint8Array]>([
    ['another version', 'ERR_TOKEN_MALFORMED', value(0, encodeCbor({}), 2)],
    ['a format that there is not', 'ERR_TOKEN_MALFORMED', value(2, encodeCbor({}))],
    [
      'a format of two octets',
      'ERR_TOKEN_MALFORMED',
      sequence(smallInteger(1), der(tags.enumerated, Buffer.of(0, 0)), octetString(encodeCbor({}))),
    ],
    ['a list', 'ERR_TOKEN_MALFORMED', value(0, encodeCbor([]))],
    ['claims under numbers', 'ERR_TOKEN_MALFORMED', value(0, encodeCbor(new Map([[3, 'x']])))],
    ['a dangerous name', 'ERR_TOKEN_MALFORMED', value(0, encodeCbor(new Map([['__proto__', 'x']])))],
    ['a tag', 'ERR_TOKEN_MALFORMED', value(0, Buffer.from('a16161c100', 'hex'))],
    ['a claim twice in CBOR', 'ERR_TOKEN_DUPLICATE', value(0, Buffer.from('a2616101616102', 'hex'))],
    ['a claim twice in JSON', 'ERR_TOKEN_DUPLICATE', value(1, Buffer.from('{"a":1,"a":2}'))],
    ['JSON that is none', 'ERR_TOKEN_MALFORMED', value(1, Buffer.from('{'))],
    ['bytes after it', 'ERR_TOKEN_MALFORMED', Buffer.concat([value(0, encodeCbor({})), Buffer.of(0)])],
    ['an audience of numbers', 'ERR_TOKEN_CLAIM', value(1, Buffer.from('{"aud":[1]}'))],
    ['a scope that is a list', 'ERR_TOKEN_CLAIM', value(1, Buffer.from('{"scope":["a"]}'))],
    ['an actor that is none', 'ERR_TOKEN_ACT', value(1, Buffer.from('{"act":"gateway"}'))],
    ['more than 4 KiB', 'ERR_TOKEN_TOO_LARGE', value(1, Buffer.from(JSON.stringify({ a: 'x'.repeat(4096) })))],
  ])('with %s is refused', async (_, code, bytes) => {
    await expect(claims(claiming(bytes))).rejects.toThrow(refused(code))
  })
})

test('a certificate without extensions has nothing to say', async () => {
  const bare = certificate({ issuer: root, subject: nameOf([['2.5.4.3', 'web']]), extensions: [] })
  await expect(verify([bare], { subjectFrom: 'subject_cn' })).rejects.toThrow(refused('ERR_TRUST_PATH'))
  const token = await verify([bare], { subjectFrom: 'subject_cn' }, { codec: { conforming: false } })
  expect(token.claims['sub']).toBe('web')
})
