import process from 'node:process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jwt } from '../../../src/codecs/jwt/index.ts'
import { algorithmNamed } from '../../../src/core/algorithms.ts'
import { DragomanError } from '../../../src/core/errors.ts'
import type { Token } from '../../../src/core/token.ts'
import type { TrustedIssuer } from '../../../src/core/trust.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { map, type Value, type ValueMap } from '../../../src/core/value.ts'
import { publicKeyFromJwk, verificationKey } from '../../../src/wire/jwk.ts'
import { CLAIMS, compact, draft, ISSUER, NOW, RULES, rendering, subject, testKey, trusted } from '../../support/jwt.ts'

const codec = jwt()
const key = testKey('ES256')
const rsa = testKey('RS256')
const issuer = trusted([key.verifier, rsa.verifier])

function read(raw: string, kind: string, by: TrustedIssuer = issuer): Token {
  const token = codec.parse(subject(raw, tokenTypes.txnToken))?.verify(by, { ...RULES, kind })
  if (token === undefined || token instanceof Promise) throw new TypeError('not verified at once')
  return token
}

const throws = (code: string, detail: object = {}) =>
  expect.objectContaining({ code, detail: expect.objectContaining(detail) })

describe('a transaction token', () => {
  const KIND = 'txntoken+jwt'
  const HEADER = { alg: 'ES256', typ: KIND }
  const claims = {
    ...CLAIMS,
    ...{ aud: 'larkspur.example', txn: 't-1', scope: 'order.pay', req_wl: 'spiffe://larkspur.example/gw' },
    ...{ tctx: { amount: '18.40' }, rctx: { req_ip: '192.0.2.44' } },
  }
  const refuses = (header: object, payload: object, code: string, detail?: object) =>
    expect(() => read(compact(header, payload, key), KIND)).toThrow(throws(code, detail))

  test('is read with all that it says (9.1, 9.2)', () => {
    const token = read(compact(HEADER, claims, key), KIND)
    expect(token).toMatchObject({
      claims: { sub: 'alice', txn: 't-1', req_wl: claims.req_wl, tctx: { amount: '18.40' } },
      validity: { audience: ['larkspur.example'], scope: ['order.pay'] },
      provenance: { kind: KIND, type: tokenTypes.txnToken, issuer: ISSUER },
    })
  })

  // A vector of another implementer, which has no iss.
  test('V1: is verified by the key of its domain where it does not say who signed it', () => {
    const algorithm = algorithmNamed('ES256')
    const publicKey = publicKeyFromJwk(
      map([
        ...([
          ['kty', 'EC'],
          ['crv', 'P-256'],
        ] as const),
        ['x', 'Lv8inUrnoe0T0YnCajE9T1O4gFCpB86Ip56-jzOLdpo'],
        ['y', 'VvVKcJhKICyn3ccCdUwHgXSCOWuxvTOCQhmkxTRCh-8'],
      ]),
    )
    const verifier = algorithm && verificationKey(publicKey, [algorithm], { kid: 'tts-11' })
    if (!verifier) throw new TypeError('the key is not for ES256')
    const vector =
      'eyJhbGciOiJFUzI1NiIsImtpZCI6InR0cy0xMSIsInR5cCI6InR4bnRva2VuK2p3dCJ9.eyJhdWQiOiJsYXJrc3B1ci5leGFtcGxlIiwiaWF0IjoxNzk1MzQxNjAwLCJleHAiOjE3OTUzNDE2NjAsInR4biI6IjZmMGMyYzBlLTVkM2YtNGYwZS05ZjZiLTBmN2MxZjFmMmExMCIsInN1YiI6InUtMjA0MTciLCJzY29wZSI6Im9yZGVyLnBheSIsInJlcV93bCI6InNwaWZmZTovL2xhcmtzcHVyLmV4YW1wbGUvbnMvZWRnZS9zYS9hcGktZ2F0ZXdheSIsInRjdHgiOnsib3JkZXJfaWQiOiJvLTc3MSIsImFtb3VudCI6IjE4LjQwIiwiY3VycmVuY3kiOiJFVVIifSwicmN0eCI6eyJyZXFfaXAiOiIxOTIuMC4yLjQ0In19.UPwo6QKK6gI2oepmKGjsJE22SPdKusyaJOZn9_4WEYDxn5RBmSAvyb3abibJqOhrAN_UzjFRDbTyjvTlzmue3Q'
    const token = read(vector, KIND, trusted([verifier]))
    expect(token.claims).toMatchObject({
      sub: 'u-20417',
      tctx: { order_id: 'o-771', amount: '18.40', currency: 'EUR' },
    })
    expect(token.validity).toMatchObject({ issuedAt: 1795341600, expiresAt: 1795341660, scope: ['order.pay'] })
    const altered = vector.replace('.UPwo', '.UPwp')
    expect(() => read(altered, KIND, trusted([verifier]))).toThrow(throws('ERR_TOKEN_SIGNATURE'))
  })

  test('is not believed when it says that another signed it', () =>
    refuses(HEADER, { ...claims, iss: 'https://other.example' }, 'ERR_TRUST_ISSUER'))

  test.each([undefined, 'JWT', 'at+jwt', 'txn_token', 'txntoken'])('TV-11: has not typ %s', (typ) =>
    refuses({ ...HEADER, typ }, claims, 'ERR_TOKEN_KIND'),
  )

  test.each([
    ['sub', 'ERR_TOKEN_SUBJECT'],
    ['exp', 'ERR_TOKEN_NO_EXPIRY'],
    ['aud', 'ERR_TOKEN_AUDIENCE'],
  ])('has %s, as any other', (name, code) => refuses(HEADER, { ...claims, [name]: undefined }, code))

  test.each(['iat', 'txn', 'scope', 'req_wl'])('has %s', (name) =>
    refuses(HEADER, { ...claims, [name]: undefined }, 'ERR_PROFILE_REQUIRED', { claim: name }),
  )

  test.each([
    ['req_wl', ['gw', 'wl3']],
    ['txn', ''],
    ['scope', ''],
    ['tctx', 'text'],
    ['rctx', ['a']],
  ])('has no %s %j', (name, value) =>
    refuses(HEADER, { ...claims, [name]: value }, 'ERR_PROFILE_REQUIRED', { claim: name }),
  )

  const written = (more: ValueMap, rest: Parameters<typeof draft>[1] = {}) =>
    codec
      .prepare(rendering({ kind: KIND }))
      .lay(
        draft(
          { sub: 'alice', txn: 't', req_wl: 'gw', ...more },
          { validity: { ...draft({}).validity, scope: ['a'] }, ...rest },
        ),
        { issuer: ISSUER, now: NOW, id: Buffer.alloc(16), signer: key.signer },
      )

  test('TT-30: is written under its type, for one domain, and says what it freezes', () => {
    const writer = codec.prepare(rendering({ kind: KIND }))
    expect(writer).toMatchObject({
      ...{ tokenType: tokenTypes.txnToken, usage: 'N_A', singleAudience: true },
      frozen: ['txn', 'sub', 'aud', 'tctx', 'rctx'],
    })
    const [header = ''] = Buffer.from(written({}).toBeSigned).toString().split('.')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ typ: KIND, kid: key.signer.kid })
  })

  test.each<[string, ValueMap]>([
    ['sub', { sub: '' }],
    ['txn', { txn: 5 }],
    ['req_wl', { req_wl: ['a'] }],
    ['tctx', { tctx: 'x' }],
  ])('is not written without %s', (claim, more) =>
    expect(() => written(more)).toThrow(throws('ERR_PROFILE_REQUIRED', { claim })),
  )

  test.each([
    ['scope', { scope: undefined }],
    ['scope', { scope: [] }],
    ['exp', { expiresAt: undefined }],
    ['aud', { audience: [] }],
  ])('is not written without %s (%j)', (claim, validity) =>
    expect(() =>
      written({}, { validity: { ...draft({}).validity, scope: ['a'], ...validity } as Token['validity'] }),
    ).toThrow(throws('ERR_PROFILE_REQUIRED', { claim })),
  )

  test('TT-35: has no other token type, nor another token this one, nor a JSON form', () => {
    const refused = (options: Parameters<typeof rendering>[0]) =>
      expect(() => codec.prepare(rendering(options))).toThrow(throws('ERR_PROFILE_RENDERING'))
    refused({ kind: KIND, tokenType: tokenTypes.accessToken })
    refused({ kind: KIND, tokenType: tokenTypes.jwt })
    refused({ kind: 'at+jwt', tokenType: tokenTypes.txnToken })
    refused({ tokenType: tokenTypes.txnToken })
    refused({ kind: KIND, options: map([['serialization', 'flattened']]) })
    refused({ kind: 'txn_token' })
  })
})

describe('a transaction token under the names of older drafts', () => {
  const KIND = 'txn_token'
  /** As tokenetes makes them (TKN-06): RS256, `sub` with a format, `purp`, `azd`; no `scope`, no `req_wl`. */
  const claims = {
    ...{ iss: ISSUER, iat: NOW, aud: 'https://larkspur.example', exp: NOW + 15, txn: '5e1c…' },
    ...{ sub: { format: 'email', email: 'mira@larkspur.example' }, purp: 'order-pay' },
    ...{ azd: { orderId: 'o-771', amount: '18.40' }, rctx: { req_ip: '192.0.2.44' } },
  }
  const token = (differs: object = {}, typ = KIND) => compact({ alg: 'RS256', typ }, { ...claims, ...differs }, rsa)

  test('says what it says under the names of today', () => {
    expect(read(token(), KIND)).toMatchObject({
      claims: {
        ...{ sub: 'mira@larkspur.example', txn: '5e1c…' },
        ...{ tctx: { orderId: 'o-771', amount: '18.40' }, rctx: { req_ip: '192.0.2.44' } },
      },
      validity: { scope: ['order-pay'], audience: ['https://larkspur.example'] },
      provenance: { kind: KIND },
    })
    expect(read(token(), KIND).claims).not.toHaveProperty('azd')
    expect(read(token({ purp: undefined, purpose: 'x', req_ctx: { a: 1 }, rctx: undefined }), KIND)).toMatchObject({
      validity: { scope: ['x'] },
      claims: { rctx: { a: 1 } },
    })
    expect(read(token({ scope: 'new' }), KIND).validity.scope).toEqual(['new'])
  })

  test.each<[string, Value]>([
    [
      'a format whose name is one issuer’s',
      map([
        ['format', 'opaque'],
        ['id', 'x'],
      ]),
    ],
    [
      'two names',
      map([
        ['format', 'email'],
        ['email', 'a@b'],
        ['uri', 'x:y'],
      ]),
    ],
    ['no name', map([['format', 'email']])],
    [
      'a name that is no text',
      map([
        ['format', 'email'],
        ['email', 5],
      ]),
    ],
    ['no format', map([['email', 'a@b']])],
  ])('is refused with a subject of %s', (_, sub) =>
    expect(() => read(token({ sub }), KIND)).toThrow(throws('ERR_TOKEN_CLAIM', { claim: 'sub' })),
  )

  test('is read by a profile that asks for it, and by no other', () => {
    expect(() => read(token(), 'txntoken+jwt')).toThrow(throws('ERR_TOKEN_KIND'))
    expect(() => read(token({}, 'txntoken+jwt'), KIND)).toThrow(throws('ERR_TOKEN_KIND'))
    expect(() => read(token({ txn: undefined }), KIND)).toThrow(throws('ERR_PROFILE_REQUIRED', { claim: 'txn' }))
    expect(() => read(token({ aud: undefined }), KIND)).toThrow(throws('ERR_TOKEN_AUDIENCE'))
  })
})

describe('claims without a signature', () => {
  const believed = trusted([], { has: { keys: false, certificates: false, unsigned: true } })
  const say = (raw: string, by: TrustedIssuer = believed): Token => {
    const token = codec.parse(subject(raw, tokenTypes.unsignedJson))?.verify(by, RULES)
    if (token === undefined || token instanceof Promise) throw new TypeError('not verified at once')
    return token
  }

  test('hold for five minutes from now, or less', () => {
    expect(say('{"sub":"job/x"}')).toMatchObject({
      claims: { sub: 'job/x' },
      validity: { issuedAt: NOW, expiresAt: NOW + 300, audience: [], scope: undefined },
      provenance: { issuer: ISSUER, algorithm: 'none', kind: undefined, id: undefined },
    })
    expect(say(`{"sub":"a","exp":${NOW + 5}}`).validity.expiresAt).toBe(NOW + 5)
    expect(say(`{"sub":"a","exp":${NOW + 9999}}`).validity.expiresAt).toBe(NOW + 300)
  })

  test('are those of an issuer that is believed without one, in its own name', () => {
    expect(() => say('{"sub":"a"}', issuer)).toThrow(throws('ERR_TRUST_ISSUER'))
    expect(() => say('{"sub":"a","iss":"https://other.example"}')).toThrow(throws('ERR_TRUST_ISSUER'))
    expect(say(`{"sub":"a","iss":"${ISSUER}"}`).claims['sub']).toBe('a')
  })

  test.each([
    ['{"sub":"a","cnf":{"jkt":"x"}}', 'ERR_TOKEN_CONFIRMATION'],
    ['{"sub":5}', 'ERR_TOKEN_CLAIM'],
    ['{"sub":"a","sub":"b"}', 'ERR_TOKEN_DUPLICATE'],
    ['{"sub":"a"} ', undefined],
    ['{"sub":"a"}x', 'ERR_TOKEN_MALFORMED'],
    ['[]', 'ERR_TOKEN_MALFORMED'],
    ['eyJhbGciOiJub25lIn0.e30.', 'ERR_TOKEN_MALFORMED'],
    [`{"sub":"${'a'.repeat(4096)}"}`, 'ERR_TOKEN_TOO_LARGE'],
    [`{"sub":"a","x":[[[[[1]]]]]}`, 'ERR_TOKEN_TOO_LARGE'],
  ])('are refused as %j: %s', (raw, code) => {
    if (code === undefined) expect(say(raw).claims['sub']).toBe('a')
    else expect(() => say(raw)).toThrow(throws(code))
  })

  test('are claims of ours or refused with a reason, whatever is sent', () => {
    const claim = fc.constantFrom('sub', 'iss', 'aud', 'exp', 'iat', 'nbf', 'jti', 'scope', 'act', 'cnf', 'other')
    const near = fc.dictionary(claim, fc.oneof(fc.constantFrom('a', NOW, ISSUER, null), fc.jsonValue({ maxDepth: 3 })))
    const sent = fc.oneof(
      fc.string(),
      fc.json(),
      near.map((claims) => JSON.stringify(claims)),
    )
    fc.assert(
      fc.property(sent, (raw) => {
        try {
          const { provenance, validity, confirmation } = say(raw)
          expect(provenance.issuer).toBe(ISSUER)
          expect(validity.expiresAt).toBeLessThanOrEqual(NOW + 300)
          expect(confirmation).toBeUndefined()
        } catch (error) {
          expect(error).toBeInstanceOf(DragomanError)
        }
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 500) },
    )
  })

  test.each(['actor', 'client', 'embedded'] as const)('are nothing in the role of %s', (role) =>
    expect(codec.parse({ raw: '{"sub":"a"}', type: tokenTypes.unsignedJson, role })).toBeUndefined(),
  )
})
