import { describe, expect, test } from 'vitest'
import { readConfirmation, writeConfirmation } from '../../../src/codecs/jwt/confirmation.ts'
import { jwt } from '../../../src/codecs/jwt/index.ts'
import type { Value } from '../../../src/core/value.ts'
import { CLAIMS, compact, RULES, subject, testKey, trusted } from '../../support/jwt.ts'

const holder = testKey('ES256').publicKey
const other = testKey('ES256').publicKey
const X5T = Buffer.alloc(32, 7).toString('base64url')
const refuses = (cnf: Value) =>
  expect(() => readConfirmation(cnf)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_CONFIRMATION' }))

describe('cnf, read', () => {
  test('CF-01: jwk is the key, and its thumbprint', () => {
    const { publicKey, jkt, x5tS256 } = readConfirmation({ jwk: holder.jwk })
    expect(publicKey?.jkt).toBe(holder.jkt)
    expect(jkt).toBe(holder.jkt)
    expect(x5tS256).toBeUndefined()
  })

  test.each(['ES384', 'Ed25519', 'RS256', 'ML-DSA-44'])('a key for %s is taken', (name) => {
    const { jwk, jkt } = testKey(name).publicKey
    expect(readConfirmation({ jwk })).toMatchObject({ jkt })
  })

  test('CF-07: jkt and x5t#S256 are thumbprints, alone or together', () => {
    expect(readConfirmation({ jkt: holder.jkt })).toEqual({ jkt: holder.jkt })
    expect(readConfirmation({ 'x5t#S256': X5T })).toEqual({ x5tS256: X5T })
    expect(readConfirmation({ jkt: holder.jkt, 'x5t#S256': X5T })).toEqual({ jkt: holder.jkt, x5tS256: X5T })
  })

  test('CN-06: jkt must be the thumbprint of jwk', () => {
    expect(readConfirmation({ jwk: holder.jwk, jkt: holder.jkt }).jkt).toBe(holder.jkt)
    refuses({ jwk: holder.jwk, jkt: other.jkt })
  })

  test('kid may stand beside a key, and is not enough by itself', () => {
    expect(readConfirmation({ jkt: holder.jkt, kid: 'a' })).toEqual({ jkt: holder.jkt })
    refuses({ kid: 'a' })
  })

  test('CF-02: what is no confirmation method that is known is ignored beside one that is, and named', () => {
    expect(readConfirmation({ jkt: holder.jkt, 'kc-jkt-type': 'DPoP' })).toEqual({
      ...{ jkt: holder.jkt, ignored: ['kc-jkt-type'] },
    })
    expect(readConfirmation({ jkt: holder.jkt, kid: 'a' })).not.toHaveProperty('ignored')
  })

  test.each([
    ['CF-02 nothing', {}],
    ['CF-02 only what nobody knows', { x: 'y' }],
    ['CN-08 an encrypted key beside a thumbprint', { jkt: holder.jkt, jwe: 'a.b.c.d.e' }],
    ['an OSCORE context beside a key', { jwk: holder.jwk, osc: {} }],
    ['CN-08 an encrypted key', { jwe: 'a.b.c.d.e' }],
    ['CF-05 the URL of a key', { jku: 'https://a.example/keys', kid: 'a' }],
    ['CF-01 the URL of another key', { jwk: holder.jwk, jku: 'https://a.example/keys' }],
    ['CN-01 a COSE thumbprint', { ckt: holder.jkt }],
    ['text', 'cnf'],
    ['a list', [{ jkt: holder.jkt }]],
    ['null', null],
  ])('is refused when it is %s', (_, cnf) => refuses(cnf))

  test.each([
    ['CF-04 a symmetric key', { kty: 'oct', k: 'AAAA' }],
    ['CN-07 a private key', { ...holder.jwk, d: 'AAAA' }],
    ['CN-09 a member that is not canonical', { ...holder.jwk, x: `${holder.jwk['x']}=` }],
    ['a key that is not on its curve', { ...holder.jwk, y: holder.jwk['x'] ?? '' }],
    ['text', 'jwk'],
    ['null', null],
    ['a list of keys', [holder.jwk]],
  ])('is refused when jwk is %s', (_, jwk) => refuses({ jwk }))

  test.each([
    ['a number', 5],
    ['padded', `${holder.jkt}=`],
    ['of another length', 'AAAA'],
    ['in hex', Buffer.from(holder.jkt, 'base64url').toString('hex')],
    ['null', null],
  ])('is refused when a thumbprint is %s', (_, thumbprint) => {
    refuses({ jkt: thumbprint })
    refuses({ 'x5t#S256': thumbprint })
    refuses({ jkt: holder.jkt, 'x5t#S256': thumbprint })
  })

  test('is part of what a token says', () => {
    const key = testKey('ES256')
    const raw = (cnf: object) => compact({ alg: 'ES256' }, { ...CLAIMS, cnf }, key)
    const verify = (cnf: object) =>
      jwt()
        .parse(subject(raw(cnf)))
        ?.verify(trusted([key.verifier]), RULES)
    expect(verify({ jkt: holder.jkt })).toMatchObject({ confirmation: { jkt: holder.jkt } })
    expect(verify({ jkt: holder.jkt })).not.toHaveProperty('claims.cnf')
    expect(() => verify({ jkt: 'short' })).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_CONFIRMATION' }))
  })
})

describe('cnf, written', () => {
  test('a key goes as its thumbprint, and a certificate as its own alone, which asks for no DPoP proof', () => {
    expect(writeConfirmation({ publicKey: holder })).toEqual({ jkt: holder.jkt })
    expect(writeConfirmation({ jkt: holder.jkt, ckt: 'c' })).toEqual({ jkt: holder.jkt })
    expect(writeConfirmation({ x5tS256: X5T })).toEqual({ 'x5t#S256': X5T })
    expect(writeConfirmation({ publicKey: holder, x5tS256: X5T })).toEqual({ 'x5t#S256': X5T })
    const both = { jkt: holder.jkt, 'x5t#S256': X5T }
    expect(writeConfirmation({ publicKey: holder, jkt: holder.jkt, x5tS256: X5T })).toEqual(both)
    expect(writeConfirmation({ publicKey: holder, ckt: 'c' })).toEqual({ jkt: holder.jkt })
  })

  test.each([{ ckt: 'c' }, { ckt: 'c', x5tS256: X5T }, {}])(
    'CF-08, CN-01: %j is refused, never dropped',
    (confirmation) => {
      expect(() => writeConfirmation(confirmation)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_CONFIRMATION' }))
    },
  )
})
