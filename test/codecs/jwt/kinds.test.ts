import { describe, expect, test } from 'vitest'
import { jwt } from '../../../src/codecs/jwt/index.ts'
import { algorithmNames } from '../../../src/core/algorithms.ts'
import type { FormatRules, Token } from '../../../src/core/token.ts'
import type { TrustedIssuer } from '../../../src/core/trust.ts'
import { CLAIMS, compact, NOW, RULES, subject, testKey, trusted } from '../../support/jwt.ts'

const codec = jwt()
const key = testKey('ES256')

function verify(raw: string, issuer: TrustedIssuer, rules: FormatRules): Token {
  const token = codec.parse(subject(raw))?.verify(issuer, rules)
  if (token === undefined || token instanceof Promise) throw new TypeError('not verified at once')
  return token
}

describe('an access token of RFC 9068', () => {
  const issuer = trusted([key.verifier])
  const rules = { ...RULES, kind: 'at+jwt' }
  const HEADER = { alg: 'ES256', typ: 'at+jwt' }
  const claims = { ...CLAIMS, client_id: 'orders' }
  const refuses = (header: object, payload: object, code: string) =>
    expect(() => verify(compact(header, payload, key), issuer, rules)).toThrow(expect.objectContaining({ code }))

  test.each(['at+jwt', 'application/at+jwt', 'AT+JWT'])('AT-01: has typ %s', (typ) => {
    expect(verify(compact({ ...HEADER, typ }, claims, key), issuer, rules).provenance.kind).toBe('at+jwt')
  })

  test.each([undefined, 'JWT', 'dpop+jwt', 'at+jwt2', 'x/at+jwt'])('AT-01: has not typ %s', (typ) =>
    refuses({ ...HEADER, typ }, claims, 'ERR_TOKEN_KIND'),
  )

  test.each(['sub', 'client_id', 'aud', 'iat', 'exp', 'jti'])('AT-03: has %s', (name) =>
    refuses(HEADER, { ...claims, [name]: undefined }, 'ERR_PROFILE_REQUIRED'),
  )

  test('a plain token is read without any of that', () => {
    expect(verify(compact({ alg: 'ES256' }, { iss: CLAIMS.iss }, key), issuer, RULES).claims).toEqual({})
    expect(verify(compact({ alg: 'ES256' }, { iss: CLAIMS.iss }, key), issuer, { ...RULES, kind: 'jwt' })).toBeDefined()
  })
})

describe.each([
  ['authorization-grant+jwt', ['sub', 'iat', 'exp', 'jti']],
  ['oauth-id-jag+jwt', ['sub', 'client_id', 'iat', 'exp', 'jti']],
])('a grant of type %s', (typ, needed) => {
  const issuer = trusted([key.verifier])
  const rules = { ...RULES, kind: typ }
  const HEADER = { alg: 'ES256', typ }
  const claims = { ...CLAIMS, client_id: 'orders', aud: 'https://gw.example' }
  const refuses = (header: object, payload: object, code: string) =>
    expect(() => verify(compact(header, payload, key), issuer, rules)).toThrow(expect.objectContaining({ code }))

  test('IJ-10, IJ-30: is known by its typ', () => {
    expect(verify(compact(HEADER, claims, key), issuer, rules).provenance.kind).toBe(typ)
    for (const other of [undefined, 'JWT', 'at+jwt', 'token-introspection+jwt']) {
      refuses({ ...HEADER, typ: other }, claims, 'ERR_TOKEN_KIND')
    }
  })

  test.each(needed)('IJ-11: has %s', (name) =>
    refuses(HEADER, { ...claims, [name]: undefined }, 'ERR_PROFILE_REQUIRED'),
  )

  test('IC-03, IJ-31: is for one server alone, as text or a list of one', () => {
    expect(verify(compact(HEADER, { ...claims, aud: ['https://gw.example'] }, key), issuer, rules)).toBeDefined()
    refuses(HEADER, { ...claims, aud: ['https://gw.example', 'https://c.example'] }, 'ERR_TOKEN_AUDIENCE')
    refuses(HEADER, { ...claims, aud: undefined }, 'ERR_TOKEN_AUDIENCE')
  })
})

test('AG-01: an assertion is one compact JWT', () => {
  const signed = compact({ alg: 'ES256', typ: 'JWT' }, CLAIMS, key)
  const [header = '', payload = '', signature = ''] = signed.split('.')
  const json = JSON.stringify({ payload, protected: header, signature })
  const presented = (raw: string) => codec.parse({ ...subject(raw), role: 'grant' })
  expect(presented(signed)).toBeDefined()
  expect(codec.parse(subject(json))).toBeDefined()
  expect(() => presented(json)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }))
})

describe('a JWT-SVID', () => {
  const ID = 'spiffe://larkspur.example/ns/pay/sa/payments'
  const claims = { sub: ID, aud: ['https://gw.example'], exp: NOW + 300 }
  const HEADER = { alg: 'ES256', kid: 'key-ES256', typ: 'JWT' }
  const rules = { ...RULES, kind: 'jwt-svid' }
  const issuer = trusted([key.verifier], { trustDomain: 'larkspur.example' })
  const refuses = (header: object, payload: object, code: string) =>
    expect(() => verify(compact(header, payload, key), issuer, rules)).toThrow(expect.objectContaining({ code }))

  test('SJ-11, 3.10-9: needs no iss, jti, nbf, iat', () => {
    const token = verify(compact(HEADER, claims, key), issuer, rules)
    expect(token.claims).toEqual({ sub: ID })
    expect(token.provenance).toMatchObject({ issuer: issuer.issuer, trustDomain: 'larkspur.example' })
  })

  test('SJ-11: is believed for its trust domain, whatever iss says', () => {
    const token = verify(compact(HEADER, { ...claims, iss: 'https://other.example' }, key), issuer, rules)
    expect(token.provenance.issuer).toBe(issuer.issuer)
  })

  test.each(['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])(
    'SJ-02: may be signed with %s',
    (name) => {
      const other = testKey(name, 'k')
      const by = trusted([other.verifier], { trustDomain: 'larkspur.example' })
      expect(verify(compact({ alg: name, kid: 'k' }, claims, other), by, rules).claims['sub']).toBe(ID)
    },
  )

  test.each(['EdDSA', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'])('SJ-02: may not be signed with %s', (alg) => {
    const other = testKey(alg, 'k')
    const by = trusted([other.verifier], { trustDomain: 'larkspur.example' })
    const raw = compact({ alg, kid: 'k' }, claims, other)
    expect(() => verify(raw, by, rules)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_ALGORITHM' }))
    // The same token is a good plain one.
    expect(verify(compact({ alg, kid: 'k' }, { ...CLAIMS, ...claims }, other), by, RULES)).toBeDefined()
  })

  test('SJ-02: the two lists are the whole table', () => expect(algorithmNames).toHaveLength(13))

  test.each([undefined, 'JWT', 'JOSE'])('SJ-04: typ may be %s', (typ) =>
    expect(verify(compact({ ...HEADER, typ }, claims, key), issuer, rules)).toBeDefined(),
  )

  test.each(['at+jwt', 'wit+jwt', 'txntoken+jwt', 'jwt', ''])('SJ-04, 3.10-5: typ may not be %j', (typ) =>
    refuses({ ...HEADER, typ }, claims, 'ERR_TOKEN_KIND'),
  )

  test.each([
    ['cty', 'JWT'],
    ['x5t', 'AA'],
    ['x5c', ['AAAA']],
    ['jku', 'https://a.example'],
    ['jwk', { kty: 'EC' }],
    ['foo', 1],
  ])('SJ-05: the header may not have %s', (name, value) =>
    refuses({ ...HEADER, [name]: value }, claims, 'ERR_TOKEN_HEADER'),
  )

  test('SJ-03: kid may be missing', () => {
    const { kid, ...header } = HEADER
    expect(verify(compact(header, claims, key), issuer, rules)).toBeDefined()
  })

  test.each([
    'alice',
    'https://larkspur.example/x',
    'spiffe://larkspur.example',
    'spiffe://larkspur.example/',
    'spiffe://Larkspur.example/x',
    'spiffe://larkspur.example/a/../b',
  ])('SJ-06: sub may not be %s', (sub) => refuses(HEADER, { ...claims, sub }, 'ERR_TOKEN_SUBJECT'))

  test('SJ-06: sub may not be missing', () => refuses(HEADER, { ...claims, sub: undefined }, 'ERR_TOKEN_SUBJECT'))

  test.each(['spiffe://other.example/x', 'spiffe://sub.larkspur.example/x', 'spiffe://larkspur.example.org/x'])(
    'SJ-09: an ID of another trust domain, %s, is refused',
    (sub) => refuses(HEADER, { ...claims, sub }, 'ERR_TOKEN_SUBJECT_SPACE'),
  )

  test('an issuer without a trust domain vouches for no SPIFFE ID', () =>
    expect(() => verify(compact(HEADER, claims, key), trusted([key.verifier]), rules)).toThrow(
      expect.objectContaining({ code: 'ERR_TOKEN_SUBJECT_SPACE' }),
    ))

  test('SJ-07: aud must be there', () => refuses(HEADER, { ...claims, aud: undefined }, 'ERR_PROFILE_REQUIRED'))

  test('SJ-08: exp must be there', () => refuses(HEADER, { ...claims, exp: undefined }, 'ERR_TOKEN_NO_EXPIRY'))
})
