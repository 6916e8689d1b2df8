import { describe, expect, test } from 'vitest'
import { jwt } from '../../../src/codecs/jwt/index.ts'
import type { Issuance } from '../../../src/core/codec.ts'
import type { Draft, Rendering } from '../../../src/core/token.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { map, type Value, type ValueMap } from '../../../src/core/value.ts'
import { draft, ISSUER, NOW, rendering, type TestKey, testKey } from '../../support/jwt.ts'

const codec = jwt()
const key = testKey('ES256')
const ID = Buffer.alloc(16, 1)
const issuance = ({ signer }: TestKey = key): Issuance => ({ issuer: ISSUER, now: NOW, id: ID, signer })

function issue(from: Draft, options: Partial<Rendering> = {}, by: TestKey = key) {
  const layout = codec.prepare(rendering(options)).lay(from, issuance(by))
  const signature = by.signer.sign(layout.toBeSigned)
  if (signature instanceof Promise) throw new TypeError('test signers are synchronous')
  const issued = layout.finish(signature)
  return { ...issued, losses: layout.losses }
}

const part = (raw: string, at: number): string => Buffer.from(raw.split('.')[at] ?? '', 'base64url').toString()
const payloadOf = (from: Draft, options?: Partial<Rendering>) => JSON.parse(part(issue(from, options).raw, 1))
const headerOf = (options?: Partial<Rendering>, by?: TestKey, from = draft({ sub: 'alice' })) =>
  JSON.parse(part(issue(from, options, by).raw, 0))
const refusesRendering = (options: Partial<Rendering>) =>
  expect(() => codec.prepare(rendering(options))).toThrow(expect.objectContaining({ code: 'ERR_PROFILE_RENDERING' }))
const refuses = (from: Draft, code: string, options?: Partial<Rendering>) =>
  expect(() => issue(from, options)).toThrow(expect.objectContaining({ code }))
const validity = (more: Partial<Draft['validity']>): Draft['validity'] => ({ ...draft({}).validity, ...more })

describe('claims', () => {
  test('are written in an order that people read', () => {
    const from = draft(
      { email: 'a@b', act: { sub: 'bob' }, client_id: 'orders', sub: 'alice' },
      {
        validity: validity({ notBefore: NOW - 5, audience: ['x', 'y'], scope: ['a', 'b'] }),
        confirmation: { jkt: key.publicKey.jkt },
      },
    )
    expect(part(issue(from).raw, 1)).toBe(
      `{"iss":"${ISSUER}","sub":"alice","aud":["x","y"],"client_id":"orders","iat":${NOW},"nbf":${NOW - 5},` +
        `"exp":${NOW + 300},"jti":"AQEBAQEBAQEBAQEBAQEBAQ","scope":"a b","cnf":{"jkt":"${key.publicKey.jkt}"},` +
        '"email":"a@b","act":{"sub":"bob"}}',
    )
  })

  test('one audience is text, several are a list, none is absent', () => {
    const aud = (audience: string[]) => payloadOf(draft({}, { validity: validity({ audience }) })).aud
    expect(aud(['x'])).toBe('x')
    expect(aud(['x', 'y'])).toEqual(['x', 'y'])
    expect(aud([])).toBeUndefined()
  })

  test('a list of one stays a list', () => expect(payloadOf(draft({ groups: ['x'] })).groups).toEqual(['x']))

  test('times are whole seconds, and the token is never valid for longer than the draft', () => {
    const from = draft({}, { validity: validity({ issuedAt: NOW + 0.9, notBefore: NOW + 0.1, expiresAt: NOW + 9.9 }) })
    expect(payloadOf(from)).toMatchObject({ iat: NOW, nbf: NOW + 1, exp: NOW + 9 })
  })

  test('iat is now where the draft says nothing', () =>
    expect(payloadOf(draft({}, { validity: validity({ issuedAt: undefined }) })).iat).toBe(NOW))

  test('an empty scope is written, none is not', () => {
    expect(payloadOf(draft({}, { validity: validity({ scope: [] }) })).scope).toBe('')
    expect(payloadOf(draft({}))).not.toHaveProperty('scope')
  })

  test('jti is the identifier that was given, which the answer tells too', () => {
    const { raw, id } = issue(draft({}))
    expect(id).toBe(ID.toString('base64url'))
    expect(JSON.parse(part(raw, 1)).jti).toBe(id)
  })

  test('bytes become base64url text at any depth, and the ledger hears of each claim once', () => {
    const bytes = Uint8Array.of(1, 2, 3)
    const from = draft({ photo: bytes, deep: { list: [bytes, { a: bytes }], text: 'x' }, plain: [1, 'a', null] })
    const { losses } = issue(from)
    expect(payloadOf(from)).toMatchObject({ photo: 'AQID', deep: { list: ['AQID', { a: 'AQID' }], text: 'x' } })
    expect(losses).toEqual([
      { claim: 'photo', became: 'converted', reason: expect.any(String) },
      { claim: 'deep', became: 'converted', reason: expect.any(String) },
    ])
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53, -(2 ** 60)])(
    'the number %s is refused, at any depth',
    (number) => {
      refuses(draft({ a: number }), 'ERR_TOKEN_CLAIM')
      refuses(draft({ a: [{ b: number }] }), 'ERR_TOKEN_CLAIM')
      refuses(draft({}, { validity: validity({ expiresAt: number }) }), 'ERR_TOKEN_CLAIM')
      refuses(draft({}, { validity: validity({ notBefore: number }) }), 'ERR_TOKEN_CLAIM')
    },
  )

  test('numbers with a fraction are written as they are', () =>
    expect(payloadOf(draft({ a: 0.1, b: [1e-7] }))).toMatchObject({ a: 0.1, b: [1e-7] }))

  test.each(['iss', 'exp', 'nbf', 'iat', 'aud', 'jti', 'scope', 'cnf'])(
    'a claim called %s does not get past the codec, and is told as lost',
    (claim) => {
      const { raw, losses } = issue(draft({ [claim]: 'mine' }))
      expect(JSON.parse(part(raw, 1))[claim]).not.toBe('mine')
      expect(losses).toEqual([{ claim, became: 'lost', reason: expect.any(String) }])
    },
  )

  test('no claim name reaches the prototype of anything', () => {
    const claims: ValueMap = map([['__proto__', { admin: true }]])
    expect(part(issue(draft(claims)).raw, 1)).toContain('"__proto__":{"admin":true}')
  })

  test('a subject that is not text is refused', () => {
    refuses(draft({ sub: 5 }), 'ERR_PROFILE_SUBJECT')
    refuses(draft({ sub: Uint8Array.of(1) }), 'ERR_PROFILE_SUBJECT')
  })

  test('CF-08: a key known by its COSE thumbprint only is refused', () =>
    refuses(draft({ sub: 'a' }, { confirmation: { ckt: 'AA' } }), 'ERR_TOKEN_CONFIRMATION'))
})

describe('embedded tokens', () => {
  const embedded = (name: string, place: 'claim' | 'header', value: Value = 'a.b.c') =>
    draft({ sub: 'alice', email: 'a@b' }, { embedded: [{ name, place, value }] })

  test('go into a claim, or into the protected header', () => {
    expect(payloadOf(embedded('subject_token', 'claim')).subject_token).toBe('a.b.c')
    expect(headerOf({}, key, embedded('subject_token', 'header')).subject_token).toBe('a.b.c')
    expect(payloadOf(embedded('subject_token', 'header'))).not.toHaveProperty('subject_token')
  })

  test('bytes of one become text, which is told', () => {
    for (const place of ['claim', 'header'] as const) {
      const from = embedded('digest', place, Uint8Array.of(1))
      expect(issue(from).losses).toEqual([{ claim: 'digest', became: 'converted', reason: expect.any(String) }])
    }
    expect(headerOf({}, key, embedded('digest', 'header', Uint8Array.of(1))).digest).toBe('AQ')
  })

  test('do not take the place of a claim', () => {
    refuses(embedded('email', 'claim'), 'ERR_PROFILE_RENDERING')
    refuses(embedded('sub', 'claim'), 'ERR_PROFILE_RENDERING')
    refuses(embedded('nbf', 'claim'), 'ERR_PROFILE_RENDERING')
  })

  test.each(['alg', 'kid', 'typ', 'crit', 'jwk', 'x5c'])('do not take the place of the header member %s', (name) =>
    refuses(embedded(name, 'header'), 'ERR_PROFILE_RENDERING'),
  )

  test('do not take the place of each other, nor of what the profile adds', () => {
    for (const place of ['claim', 'header'] as const) {
      const { embedded: one } = embedded('a', place)
      refuses({ ...draft({}), embedded: [...one, ...one] }, 'ERR_PROFILE_RENDERING')
    }
    refuses(embedded('env', 'header'), 'ERR_PROFILE_RENDERING', { header: map([['env', 'prod']]) })
  })

  test('do not stay in the header of the next token', () => {
    const writer = codec.prepare(rendering())
    writer.lay(draft({}), issuance())
    const header = (from: Draft) => part(writer.lay(from, issuance()).toBeSigned.toString(), 0)
    expect(header(embedded('subject_token', 'header'))).toContain('subject_token')
    expect(header(draft({}))).not.toContain('subject_token')
  })
})

describe('the header', () => {
  test('says algorithm, key and type', () => expect(headerOf()).toEqual({ alg: 'ES256', kid: 'key-ES256', typ: 'JWT' }))

  test('leaves kid out where the profile says so', () =>
    expect(headerOf({ kid: false })).toEqual({ alg: 'ES256', typ: 'JWT' }))

  test('has what the profile adds', () =>
    expect(headerOf({ header: map([['env', 'prod']]) })).toEqual({
      alg: 'ES256',
      kid: 'key-ES256',
      typ: 'JWT',
      env: 'prod',
    }))

  test.each(['alg', 'kid', 'typ', 'crit', 'jku', 'x5u', 'jwk', 'x5c', 'b64'])(
    'is refused when a profile adds %s',
    (name) => refusesRendering({ header: map([[name, 'x']]) }),
  )

  test('JB-03: calls Ed25519 EdDSA unless the profile asks for the name of RFC 9864', () => {
    const ed = testKey('Ed25519')
    expect(headerOf({}, ed).alg).toBe('EdDSA')
    expect(headerOf({ options: map([['alg_names', 'classic']]) }, ed).alg).toBe('EdDSA')
    expect(headerOf({ options: map([['alg_names', 'fully-specified']]) }, ed).alg).toBe('Ed25519')
    expect(headerOf({ options: map([['alg_names', 'fully-specified']]) }).alg).toBe('ES256')
  })

  test('is that of the signer, also after the key was changed', () => {
    const writer = codec.prepare(rendering())
    const kid = (by: TestKey) => JSON.parse(part(writer.lay(draft({}), issuance(by)).toBeSigned.toString(), 0)).kid
    const next = testKey('ES256', 'next')
    expect([kid(key), kid(key), kid(next), kid(key)]).toEqual(['key-ES256', 'key-ES256', 'next', 'key-ES256'])
  })
})

describe('the kind', () => {
  const full = draft({ sub: 'alice', client_id: 'orders' })

  test.each([
    [undefined, 'JWT', tokenTypes.jwt, 'N_A'],
    ['jwt', 'JWT', tokenTypes.jwt, 'N_A'],
    ['at+jwt', 'at+jwt', tokenTypes.accessToken, 'access_token'],
    ['example+jwt', 'example+jwt', tokenTypes.jwt, 'N_A'],
    ['example/a+jwt', 'example/a+jwt', tokenTypes.jwt, 'N_A'],
  ])('%s has typ %s and token type %s, and is used as %s', (kind, typ, tokenType, usage) => {
    expect(headerOf({ kind }, key, full).typ).toBe(typ)
    expect(issue(full, { kind })).toMatchObject({ tokenType, usage })
    expect(codec.prepare(rendering({ kind }))).toMatchObject({
      tokenType,
      usage,
      singleAudience: false,
      needsKey: false,
    })
  })

  test('a profile may answer another token type', () => {
    expect(issue(full, { tokenType: 'urn:x:y' })).toMatchObject({ tokenType: 'urn:x:y', usage: 'N_A' })
    expect(issue(full, { tokenType: tokenTypes.accessToken })).toMatchObject({
      tokenType: tokenTypes.accessToken,
      usage: 'access_token',
    })
    expect(issue(full, { kind: 'at+jwt', tokenType: tokenTypes.jwt })).toMatchObject({
      tokenType: tokenTypes.jwt,
      usage: 'access_token',
    })
  })

  test.each(['application/txntoken+jwt', 'x509-svid', 'cwt', 'client', '', 'a b+jwt', '+jwt', 'a+', 'é+jwt'])(
    '%j is none',
    (kind) => refusesRendering({ kind }),
  )

  test.each([
    ['sub', draft({ client_id: 'orders' })],
    ['sub', draft({ sub: '', client_id: 'orders' })],
    ['client_id', draft({ sub: 'alice' })],
    ['client_id', draft({ sub: 'alice', client_id: 5 })],
    ['aud', draft({ sub: 'alice', client_id: 'orders' }, { validity: validity({ audience: [] }) })],
    ['exp', draft({ sub: 'alice', client_id: 'orders' }, { validity: validity({ expiresAt: undefined }) })],
  ])('AT-03: an access token without %s is not made', (claim, from) => {
    expect(() => issue(from, { kind: 'at+jwt' })).toThrow(
      expect.objectContaining({ code: 'ERR_PROFILE_REQUIRED', detail: expect.objectContaining({ claim }) }),
    )
    expect(() => issue(from)).not.toThrow()
  })
})

describe('a JWT-SVID', () => {
  const svid = draft({ sub: 'spiffe://a.example/x' })
  const options = { kind: 'jwt-svid' }

  test('3.10-4: has alg, kid and typ in its header, and nothing else', () => {
    expect(headerOf(options, key, svid)).toEqual({ alg: 'ES256', kid: 'key-ES256', typ: 'JWT' })
    refusesRendering({ ...options, header: map([['cty', 'x']]) })
    refuses({ ...svid, embedded: [{ name: 'a', place: 'header', value: 'x' }] }, 'ERR_PROFILE_RENDERING', options)
  })

  test('SJ-07: is for one audience', () => {
    expect(codec.prepare(rendering(options)).singleAudience).toBe(true)
    refuses({ ...svid, validity: validity({ audience: ['a', 'b'] }) }, 'ERR_PROFILE_TARGET_COUNT', options)
    refuses({ ...svid, validity: validity({ audience: [] }) }, 'ERR_PROFILE_REQUIRED', options)
  })

  test('SJ-08: expires', () =>
    refuses({ ...svid, validity: validity({ expiresAt: undefined }) }, 'ERR_PROFILE_REQUIRED', options))

  test.each(['alice', 'spiffe://a.example', 'spiffe://A.example/x'])('SJ-06: is not made for %s', (sub) =>
    refuses(draft({ sub }), 'ERR_PROFILE_SUBJECT', options),
  )

  test('SJ-06: is not made for nobody', () => refuses(draft({}), 'ERR_PROFILE_SUBJECT', options))

  test.each(['Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'])('SJ-02: is not signed with %s', (name) => {
    refusesRendering({ ...options, algorithm: name })
    expect(() => issue(svid, options, testKey(name))).toThrow(
      expect.objectContaining({ code: 'ERR_PROFILE_RENDERING' }),
    )
  })

  test('SJ-02: is signed with what the list has', () =>
    expect(headerOf({ ...options, algorithm: 'PS256' }, testKey('PS256'), svid).alg).toBe('PS256'))
})

describe('the serialization', () => {
  const of = (serialization: string) => ({ options: map([['serialization', serialization]]) })

  test('is compact unless the profile says otherwise', () => {
    expect(issue(draft({})).raw.split('.')).toHaveLength(3)
    expect(issue(draft({}), of('compact')).raw.split('.')).toHaveLength(3)
  })

  test('may be either form of JSON', () => {
    const parts = { protected: expect.any(String), signature: expect.any(String) }
    expect(JSON.parse(issue(draft({}), of('flattened')).raw)).toEqual({ payload: expect.any(String), ...parts })
    expect(JSON.parse(issue(draft({}), of('general')).raw)).toEqual({
      payload: expect.any(String),
      signatures: [parts],
    })
  })

  test.each(['flattened', 'general'])('%s is refused for what goes into an HTTP header, and for a JWT-SVID', (form) => {
    refusesRendering({ ...of(form), kind: 'at+jwt' })
    refusesRendering({ ...of(form), kind: 'jwt-svid' })
    refusesRendering({ ...of(form), tokenType: tokenTypes.accessToken })
  })
})

test.each([
  ['serialization', 'json'],
  ['serialization', true],
  ['alg_names', 'new'],
  ['tag', 'cwt'],
  ['constructor', 'x'],
])('the option %s: %j is refused when the profile is loaded', (option, value) => {
  refusesRendering({ options: map([[option, value]]) })
})

test('every option has a schema with a default and a description', () => {
  for (const schema of Object.values(codec.encodings)) {
    expect(schema).toMatchObject({ type: 'string', default: expect.any(String), description: expect.any(String) })
  }
})

test('a signer has no end of its own', () => expect(codec.prepare(rendering()).ceiling(key.signer)).toBeUndefined())
