import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import { algorithms } from '../../src/core/algorithms.ts'
import type { Value, ValueMap } from '../../src/core/value.ts'
import {
  jwkThumbprint,
  publicKey,
  publicKeyFromJwk,
  sameKey,
  verificationKey,
  verificationKeyFromJwk,
} from '../../src/wire/jwk.ts'
import { algorithm, testKey } from '../support/jwt.ts'

const jwkOf = (name: string): ValueMap => ({ ...testKey(name).publicKey.jwk })
const refuses = (jwk: Value | undefined) =>
  expect(() => publicKeyFromJwk(jwk)).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
const modulus = (...first: number[]) => Buffer.from([...first, ...Array(255).fill(0xff)]).toString('base64url')
const vector = (file: string) => JSON.parse(readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8'))

describe('a thumbprint', () => {
  // The examples of RFC 7638 §3.1 and RFC 8037 appendix A.3.
  test.each([
    [
      'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
      {
        kty: 'RSA',
        n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
        e: 'AQAB',
        alg: 'RS256',
        kid: '2011-04-29',
      },
    ],
    [
      'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
      { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
    ],
  ])('is %s', (thumbprint, jwk) => expect(jwkThumbprint(jwk)).toBe(thumbprint))

  test.each(['ML_DSA_44', 'ML_DSA_65'])('PQ-02: of %s is over alg, kty and pub', (name) => {
    const { kid, kty, alg, pub } = vector(`mldsa-jose-cose/${name}.jose.json`).jwk
    expect(jwkThumbprint({ kty, alg, pub })).toBe(kid)
  })

  test.each(['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'])(
    'of a key for %s is the one that others compute, whatever else is in the JWK',
    async (name) => {
      const jwk = jwkOf(name)
      const theirs = await calculateJwkThumbprint(jwk)
      expect(jwkThumbprint({ use: 'sig', kid: 'x', ...jwk })).toBe(theirs)
    },
  )

  test('does not depend on the order of members', () => {
    const { crv, kty, x, y } = jwkOf('ES256')
    expect(jwkThumbprint({ y: y ?? '', x: x ?? '', kty: kty ?? '', crv: crv ?? '' })).toBe(
      jwkThumbprint({ crv: crv ?? '', kty: kty ?? '', x: x ?? '', y: y ?? '' }),
    )
  })

  test('of a key object is that of its JWK, and the JWK has the members of RFC 7638 only', () => {
    const { publicKey: key, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const ours = publicKey(key)
    expect(Object.keys(ours.jwk)).toEqual(['crv', 'kty', 'x', 'y'])
    expect(sameKey(ours, publicKey(createPublicKey(privateKey)))).toBe(true)
    expect(sameKey(ours, testKey('ES256').publicKey)).toBe(false)
  })
})

describe('a public JWK', () => {
  test.each([
    ['T-08, CN-09: padding', (x: string) => `${x}=`],
    ['T-08: white space', (x: string) => ` ${x}`],
    ['T-08: a character that is no base64', (x: string) => `${x.slice(0, 5)}.${x.slice(5)}`],
    ['T-08: the standard alphabet', (x: string) => x.replaceAll(/[A-Z]/g, '+')],
    ['T-08: trailing bits', (x: string) => x.slice(0, -1) + (x.at(-1) === 'B' ? 'C' : 'B')],
    ['a coordinate that is too short', (x: string) => x.slice(0, -4)],
    ['a leading zero octet too many', (x: string) => `AAAA${x}`],
    ['a coordinate that is empty', () => ''],
  ])('P-07: is refused for %s, so that one key has one thumbprint', (_, change) => {
    const jwk = jwkOf('ES256')
    refuses({ ...jwk, x: change(String(jwk['x'])) })
  })

  test.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'])(
    'CN-07: is refused with the private member %s',
    (name) => refuses({ ...jwkOf('ES256'), [name]: 'AA' }),
  )

  test('T-09: is refused when it is private, whether or not its halves belong together', () => {
    const jwk = (pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })) =>
      ({ ...pair.privateKey.export({ format: 'jwk' }) }) as ValueMap
    const [one, other] = [jwk(), jwk()]
    refuses(one)
    refuses({ ...one, d: other['d'] ?? '' })
  })

  test('is refused when the point is not on the curve', () => {
    refuses({ ...jwkOf('ES256'), y: jwkOf('ES256')['y'] ?? '' })
    refuses({ ...jwkOf('ES384'), x: Buffer.alloc(48, 0xff).toString('base64url') })
  })

  test.each([
    ['nothing', undefined],
    ['text', 'jwk'],
    ['a list', []],
    ['no kty', { crv: 'P-256' }],
    ['a symmetric key', { kty: 'oct', x: 'AA' }],
    ['an unknown kty', { kty: 'constructor' }],
    ['a kty that is no text', { kty: ['EC'] }],
    ['a curve that we do not know', { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' }],
    ['a curve called like a method', { kty: 'EC', crv: 'constructor', x: 'AA', y: 'AA' }],
    ['X25519', { kty: 'OKP', crv: 'X25519', x: Buffer.alloc(32, 9).toString('base64url') }],
    ['a coordinate that is no text', { kty: 'EC', crv: 'P-256', x: 1, y: 2 }],
    ['no y', { kty: 'EC', crv: 'P-256', x: Buffer.alloc(32).toString('base64url') }],
    ['n with a leading zero octet', { kty: 'RSA', n: modulus(0x00, 0xff), e: 'AQAB' }],
    ['n that is not canonical', { kty: 'RSA', n: `${modulus(0xff)}=`, e: 'AQAB' }],
    ['e that is not canonical', { kty: 'RSA', n: modulus(0xff), e: 'AQAB=' }],
  ])('refuses %s', (_, jwk) => refuses(jwk))

  test('the modulus in those is good by itself', () =>
    expect(() => publicKeyFromJwk({ kty: 'RSA', n: modulus(0xff), e: 'AQAB' })).not.toThrow())

  test('KY-02: AKP without alg, or with the alg of another length, is refused', () => {
    const { pub } = jwkOf('ML-DSA-44')
    refuses({ kty: 'AKP', pub: pub ?? '' })
    refuses({ kty: 'AKP', alg: 'ML-DSA-65', pub: pub ?? '' })
    refuses({ kty: 'AKP', alg: 'constructor', pub: pub ?? '' })
  })
})

describe('a key of a JWK Set', () => {
  const names = (jwk: ValueMap, allowed = algorithms) =>
    verificationKeyFromJwk(jwk, allowed)?.algorithms.map(({ name }) => name)

  test('may verify with what its kind and curve allow', () => {
    expect(names(jwkOf('ES256'))).toEqual(['ES256'])
    expect(names(jwkOf('ES512'))).toEqual(['ES512'])
    expect(names(jwkOf('Ed25519'))).toEqual(['Ed25519'])
    expect(names(jwkOf('ML-DSA-65'))).toEqual(['ML-DSA-65'])
    expect(names(jwkOf('RS256'))).toEqual(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])
  })

  test('JB-02: with alg it is for that algorithm only, by either name', () => {
    expect(names({ ...jwkOf('RS256'), alg: 'PS384' })).toEqual(['PS384'])
    expect(names({ ...jwkOf('Ed25519'), alg: 'EdDSA' })).toEqual(['Ed25519'])
    expect(names({ ...jwkOf('Ed25519'), alg: 'Ed25519' })).toEqual(['Ed25519'])
  })

  test.each([
    ['an alg of another kind of key', { alg: 'ES384' }],
    ['an alg that we do not know', { alg: 'ES256K' }],
    ['an alg that is symmetric', { alg: 'HS256' }],
    ['an alg that is no text', { alg: 256 }],
    ['use enc', { use: 'enc' }],
    ['a use that we do not know', { use: 'x509-svid' }],
    ['a use that is no text', { use: ['sig'] }],
    ['key_ops without verify', { key_ops: ['sign'] }],
    ['key_ops that is empty', { key_ops: [] }],
    ['key_ops that is no list', { key_ops: 'verify' }],
  ])('is passed over for %s', (_, more) => expect(names({ ...jwkOf('ES256'), ...more })).toBeUndefined())

  test('SJ-09: is taken for signatures, and for signatures of JWT-SVIDs', () => {
    expect(names({ ...jwkOf('ES256'), use: 'sig', key_ops: ['verify'] })).toEqual(['ES256'])
    expect(names({ ...jwkOf('ES256'), use: 'jwt-svid' })).toEqual(['ES256'])
  })

  test.each([
    ['a symmetric key', { kty: 'oct', k: 'AA' }],
    ['no kty', {}],
    ['secp256k1', { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' }],
    ['X25519', { kty: 'OKP', crv: 'X25519', x: 'AA' }],
    ['Ed448', { kty: 'OKP', crv: 'Ed448', x: 'AA' }],
    ['SLH-DSA', { kty: 'AKP', alg: 'SLH-DSA-SHA2-128s', pub: 'AA' }],
  ])('is passed over when it is of a kind that we do not use: %s', (_, jwk) => expect(names(jwk)).toBeUndefined())

  test('is passed over when it is RSA of 1024 bits', () => {
    const { publicKey: key } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    expect(names({ ...key.export({ format: 'jwk' }) } as ValueMap)).toBeUndefined()
  })

  test('is refused, not passed over, when it is malformed or private', () => {
    const refusal = expect.objectContaining({ code: 'ERR_TRUST_CONFIG' })
    expect(() => names({ ...jwkOf('ES256'), x: 'AA' })).toThrow(refusal)
    expect(() => names({ ...jwkOf('ES256'), d: 'AA' })).toThrow(refusal)
  })

  test('JB-01: is passed over when the issuer may not use its algorithm', () => {
    expect(names(jwkOf('ES256'), [algorithm('Ed25519')])).toBeUndefined()
    expect(names(jwkOf('RS256'), [algorithm('PS256')])).toEqual(['PS256'])
  })

  test('has a form for its own algorithms only', () => {
    const key = verificationKey(testKey('ES256').publicKey, algorithms, { kid: 'a' })
    expect(key?.kid).toBe('a')
    expect(key?.cryptoKey(algorithm('ES256'))).toMatchObject({ dsaEncoding: 'ieee-p1363' })
    expect(() => key?.cryptoKey(algorithm('ES384'))).toThrow(TypeError)
  })
})
