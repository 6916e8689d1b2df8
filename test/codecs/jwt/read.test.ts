import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { jwt } from '../../../src/codecs/jwt/index.ts'
import type { FormatRules, Token } from '../../../src/core/token.ts'
import type { TrustedIssuer } from '../../../src/core/trust.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import {
  algorithm,
  base64url,
  CLAIMS,
  compact,
  ISSUER,
  NOW,
  RULES,
  subject,
  testKey,
  trusted,
} from '../../support/jwt.ts'

const codec = jwt()
const key = testKey('ES256')
const issuer = trusted([key.verifier])
const HEADER = { alg: 'ES256', kid: 'key-ES256', typ: 'JWT' }

function verify(raw: string, by: TrustedIssuer = issuer, rules: FormatRules = RULES): Token {
  const token = codec.parse(subject(raw))?.verify(by, rules)
  if (token === undefined || token instanceof Promise) throw new TypeError('not verified at once')
  return token
}

const claims = (more: object) => compact(HEADER, { ...CLAIMS, ...more }, key)
const refuses = (raw: string, code: string, by?: TrustedIssuer, rules?: FormatRules) =>
  expect(() => verify(raw, by, rules)).toThrow(expect.objectContaining({ code }))

describe('parse', () => {
  test.each([tokenTypes.jwt, tokenTypes.accessToken, tokenTypes.idToken])('takes the type %s', (type) => {
    expect(codec.tokenTypes).toContain(type)
    expect(codec.parse(subject(claims({}), type))?.issuer).toBe(ISSUER)
  })

  test.each([tokenTypes.cwt, tokenTypes.x509, 'urn:ietf:params:oauth:token-type:saml2', ''])(
    'leaves the type %s to others, whatever the token looks like',
    (type) => expect(codec.parse(subject(claims({}), type))).toBeUndefined(),
  )

  test('shows what finds the key, and nothing else', () => {
    const unverified = codec.parse(subject(claims({ email: 'someone' })))
    expect(unverified).toMatchObject({ issuer: ISSUER, hint: { kid: 'key-ES256', algorithm: algorithm('ES256') } })
    expect(Object.keys(unverified ?? {}).sort()).toEqual(['hint', 'issuer', 'trustDomain', 'verify'])
  })

  test('shows the trust domain of a SPIFFE ID', () => {
    expect(codec.parse(subject(claims({ sub: 'spiffe://a.example/x', iss: undefined })))).toMatchObject({
      issuer: undefined,
      trustDomain: 'a.example',
    })
    expect(codec.parse(subject(claims({ sub: 'alice' })))?.trustDomain).toBeUndefined()
    expect(codec.parse(subject(claims({ sub: 5 })))?.trustDomain).toBeUndefined()
  })

  test.each([5, null, ['a'], { a: 1 }])('refuses an iss that is %j', (iss) =>
    refuses(claims({ iss }), 'ERR_TOKEN_CLAIM'),
  )

  test.each(['[]', '"a"', 'null', '', 'foo', '{"iss":"a"', '\ufeff{}'])('refuses the payload %j', (payload) =>
    refuses(compact(HEADER, payload, key), 'ERR_TOKEN_MALFORMED'),
  )

  test('JB-05: refuses an encrypted token', () =>
    refuses(`${base64url('{"alg":"dir","enc":"A128GCM"}')}..AAAA.AAAA.AAAA`, 'ERR_TOKEN_MALFORMED'))
})

describe('a header that was read before', () => {
  const known = (raw: string) => {
    for (const _ of [1, 2]) expect(verify(raw).claims['sub']).toBe('alice')
    return raw
  }

  test('vouches for nothing: key, algorithm, kind and signature are asked for with each token', () => {
    const raw = known(claims({}))
    refuses(raw, 'ERR_TRUST_KEY', trusted([]))
    refuses(raw, 'ERR_TOKEN_ALGORITHM', trusted([key.verifier], { algorithms: [algorithm('Ed25519')] }))
    refuses(raw, 'ERR_TOKEN_KIND', issuer, { ...RULES, kind: 'at+jwt' })
    const [header, , signature] = raw.split('.')
    const [, payload] = claims({ sub: 'admin' }).split('.')
    refuses(`${header}.${payload}.${signature}`, 'ERR_TOKEN_SIGNATURE')
  })

  test('is checked anew against the key that its issuer has by then under the same name', () => {
    const { verifier } = testKey('ES256')
    refuses(known(claims({})), 'ERR_TOKEN_SIGNATURE', trusted([verifier]))
  })
})

describe('verify', () => {
  test('says what the token says, each thing in its place', () => {
    const token = verify(
      claims({
        nbf: NOW - 1,
        scope: 'a b',
        client_id: 'c',
        act: { sub: 'bob' },
        groups: ['x'],
        deep: { a: [1, null] },
      }),
    )
    expect(token.claims).toEqual({
      sub: 'alice',
      client_id: 'c',
      act: { sub: 'bob' },
      groups: ['x'],
      deep: { a: [1, null] },
    })
    expect(token.validity).toEqual({
      issuedAt: NOW,
      notBefore: NOW - 1,
      expiresAt: NOW + 300,
      audience: ['https://gw.example'],
      scope: ['a', 'b'],
    })
    expect(token.confirmation).toBeUndefined()
    expect(Object.getPrototypeOf(token.claims)).toBeNull()
  })

  test('says how we know', () => {
    const raw = claims({})
    const signed = raw.slice(0, raw.lastIndexOf('.'))
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
    expect(verify(raw, { ...issuer, trustDomain: 'cluster.example.com' }).provenance).toEqual({
      format: 'jwt',
      type: tokenTypes.jwt,
      issuer: ISSUER,
      trustDomain: 'cluster.example.com',
      algorithm: 'ES256',
      keyThumbprint: key.publicKey.jkt,
      kind: 'jwt',
      id: 'one',
      replayKey: sha256(`${ISSUER}\0jwt\0one`),
      digest: sha256(signed),
    })
  })

  test('a token without jti is known by what was signed', () => {
    const { provenance } = verify(claims({ jti: undefined }))
    expect(provenance.id).toBeUndefined()
    expect(provenance.replayKey).toBe(provenance.digest)
  })

  test.each([
    [undefined, undefined],
    ['JWT', 'jwt'],
    ['jwt', 'jwt'],
    ['at+jwt', 'at+jwt'],
    ['application/at+jwt', 'at+jwt'],
    ['APPLICATION/AT+JWT', 'at+jwt'],
    ['secevent+jwt', 'secevent+jwt'],
    ['JOSE', 'jose'],
  ])('JB-13: typ %s is the kind %s', (typ, kind) => {
    expect(verify(compact({ ...HEADER, typ }, CLAIMS, key)).provenance.kind).toBe(kind)
  })

  test('what is absent is absent', () => {
    const { validity } = verify(compact(HEADER, { iss: ISSUER }, key))
    expect(validity).toEqual({
      issuedAt: undefined,
      notBefore: undefined,
      expiresAt: undefined,
      audience: [],
      scope: undefined,
    })
  })

  test('waits for keys that come later, and refuses later too', async () => {
    const late = trusted([key.verifier], { late: true })
    await expect(codec.parse(subject(claims({})))?.verify(late, RULES)).resolves.toMatchObject({
      claims: { sub: 'alice' },
    })
    const none = trusted([], { late: true })
    await expect(codec.parse(subject(claims({})))?.verify(none, RULES)).rejects.toMatchObject({ code: 'ERR_TRUST_KEY' })
  })

  test('does not keep others waiting when the keys are there', () => {
    expect(codec.parse(subject(claims({})))?.verify(issuer, RULES)).not.toBeInstanceOf(Promise)
  })

  test('asks for keys with kid and algorithm', () => {
    const asked = trusted([key.verifier])
    verify(claims({}), asked)
    expect(asked.asked).toEqual([{ kid: 'key-ES256', algorithm: algorithm('ES256') }])
  })

  test('refuses when the issuer has no such key', () => {
    refuses(claims({}), 'ERR_TRUST_KEY', trusted([]))
    refuses(compact({ ...HEADER, kid: 'other' }, CLAIMS, key), 'ERR_TRUST_KEY')
  })

  test('refuses a signature by another key under the same kid', () =>
    refuses(claims({}), 'ERR_TOKEN_SIGNATURE', trusted([testKey('ES256').verifier])))

  test('refuses a payload, a header or a signature that was changed', () => {
    const [header = '', payload = '', signature = ''] = claims({}).split('.')
    refuses(`${header}.${base64url(JSON.stringify({ ...CLAIMS, sub: 'mallory' }))}.${signature}`, 'ERR_TOKEN_SIGNATURE')
    refuses(`${base64url(JSON.stringify({ ...HEADER, a: 1 }))}.${payload}.${signature}`, 'ERR_TOKEN_SIGNATURE')
    refuses(`${header}.${payload}.${base64url(Buffer.alloc(64, 1))}`, 'ERR_TOKEN_SIGNATURE')
    refuses(`${header}.${payload}.`, 'ERR_TOKEN_SIGNATURE')
    refuses(`${header}.${payload}.${signature}AAAA`, 'ERR_TOKEN_SIGNATURE')
  })

  test('without kid each key of the issuer is tried, eight at most', () => {
    const raw = compact({ alg: 'ES256' }, CLAIMS, key)
    const others = Array.from({ length: 8 }, () => testKey('ES256').verifier)
    expect(verify(raw, trusted([...others.slice(0, 7), key.verifier])).provenance.keyThumbprint).toBe(key.publicKey.jkt)
    refuses(raw, 'ERR_TOKEN_SIGNATURE', trusted([...others, key.verifier]))
    expect(verify(raw, trusted([testKey('Ed25519').verifier, ...others.slice(0, 7), key.verifier]))).toBeDefined()
  })

  test('JB-10: refuses a token that names another issuer than the one whose keys it is checked against', () => {
    refuses(claims({ iss: 'https://other.example' }), 'ERR_TRUST_ISSUER')
    refuses(claims({ iss: `${ISSUER}/` }), 'ERR_TRUST_ISSUER')
    refuses(claims({ iss: undefined }), 'ERR_TRUST_ISSUER')
  })

  test('a signature that fails is told before a claim that is wrong', () => {
    const raw = claims({ exp: 'tomorrow' })
    refuses(raw, 'ERR_TOKEN_SIGNATURE', trusted([testKey('ES256').verifier]))
    refuses(raw, 'ERR_TOKEN_CLAIM')
  })
})

describe('registered claims', () => {
  test.each([
    ['sub', 5],
    ['sub', null],
    ['sub', ['alice']],
    ['sub', { a: 1 }],
    ['client_id', 5],
    ['jti', 5],
    ['jti', ''],
    ['jti', null],
    ['aud', 5],
    ['aud', null],
    ['aud', []],
    ['aud', ['a', 5]],
    ['aud', ['a', ['b']]],
    ['aud', ''],
    ['aud', ['a', '']],
    ['aud', { a: 1 }],
    ['aud', Array(33).fill('a')],
    ['exp', String(NOW + 300)],
    ['exp', null],
    ['exp', true],
    ['exp', [NOW]],
    ['nbf', String(NOW)],
    ['iat', 'now'],
    ['iat', {}],
    ['scope', ['a', 'b']],
    ['scope', 5],
    ['scope', ' a'],
    ['scope', 'a  b'],
    ['scope', 'a '],
    ['scope', 'a"b'],
    ['scope', 'a\\b'],
    ['scope', 'a\tb'],
    ['scope', 'é'],
  ])('%s that is %j is refused', (name, value) => refuses(claims({ [name]: value }), 'ERR_TOKEN_CLAIM'))

  test.each(['sub', 'iss', 'aud', 'client_id'])('%s with a colon is no URI when it has white space', (name) => {
    refuses(claims({ [name]: 'urn:a b' }), 'ERR_TOKEN_CLAIM')
    refuses(claims({ [name]: 'urn:a\u0000b' }), 'ERR_TOKEN_CLAIM')
  })

  test.each([
    'alice smith',
    'system:serviceaccount:a:b',
    'repo:o/r:ref:refs/heads/main',
    'auth0|5',
    'a:b',
    '12:34',
    '',
  ])('the sub %j of the field is taken', (sub) => expect(verify(claims({ sub })).claims['sub']).toBe(sub))

  test('one audience or 32, text or list', () => {
    expect(verify(claims({ aud: 'a' })).validity.audience).toEqual(['a'])
    expect(verify(claims({ aud: Array(32).fill('a') })).validity.audience).toHaveLength(32)
  })

  test('P-02: times may be fractional, negative, or beyond 2^32', () => {
    const { validity } = verify(claims({ exp: NOW + 0.5, nbf: -1, iat: 2 ** 33 }))
    expect(validity).toMatchObject({ expiresAt: NOW + 0.5, notBefore: -1, issuedAt: 2 ** 33 })
  })

  test('an empty scope is no scope at all, which is not none', () => {
    expect(verify(claims({ scope: '' })).validity.scope).toEqual([])
    expect(verify(claims({})).validity.scope).toBeUndefined()
  })

  test.each([
    ['text', 'bob'],
    ['a list', ['bob']],
    ['null', null],
    ['nine deep', JSON.parse('{"sub":"b","act":'.repeat(8) + '{"sub":"b"}' + '}'.repeat(8))],
    ['too big', { sub: 'b'.repeat(5000) }],
  ])('act that is %s is refused', (_, act) => refuses(claims({ act }), 'ERR_TOKEN_ACT'))

  test('an act eight deep is taken as it is', () => {
    const act = JSON.parse('{"sub":"b","act":'.repeat(7) + '{"sub":"b"}' + '}'.repeat(7))
    expect(verify(claims({ act })).claims['act']).toEqual(act)
  })
})

describe('the JSON serialization', () => {
  const raw = claims({})
  const [header, payload, signature] = raw.split('.')
  const flattened = JSON.stringify({ payload, protected: header, signature })
  const general = JSON.stringify({ payload, signatures: [{ protected: header, signature }] })

  test.each([flattened, general])('says the same as the compact one', (json) => {
    expect(verify(json)).toEqual(verify(raw))
  })

  test.each(['at+jwt', 'AT+JWT', 'jwt-svid'])('SJ-01, JB-16: is refused where %s is asked for', (kind) => {
    refuses(flattened, 'ERR_TOKEN_MALFORMED', issuer, { ...RULES, kind })
    refuses(general, 'ERR_TOKEN_MALFORMED', issuer, { ...RULES, kind })
  })

  test('JB-16: is refused from a client', () =>
    expect(() => codec.parse({ raw: flattened, type: tokenTypes.jwt, role: 'client' })).toThrow(
      expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }),
    ))

  test('a kid that is not signed selects a key, and a typ that is not is refused', () => {
    const [bare, , bareSignature] = compact({ alg: 'ES256' }, CLAIMS, key).split('.')
    const unsigned = (more: object) =>
      JSON.stringify({ payload, protected: bare, header: more, signature: bareSignature })
    expect(verify(unsigned({ kid: 'key-ES256' })).claims['sub']).toBe('alice')
    refuses(unsigned({ kid: 'other' }), 'ERR_TRUST_KEY')
    refuses(unsigned({ typ: 'at+jwt' }), 'ERR_TOKEN_HEADER')
  })
})
