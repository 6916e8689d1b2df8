import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { algorithms } from '../../src/core/algorithms.ts'
import type { Value } from '../../src/core/value.ts'
import { keySet, keysOfJwks } from '../../src/trust/key-set.ts'
import { algorithm, testKey } from '../support/jwt.ts'

const config = expect.objectContaining({ code: 'ERR_TRUST_CONFIG' })
const jwk = (name: string, more: { readonly [member: string]: Value } = {}): Value => ({
  ...testKey(name).publicKey.jwk,
  ...more,
})
const named = (...keys: readonly Value[]) => keysOfJwks({ keys }, algorithms)
const names = (found: readonly { readonly kid: string | undefined }[]) => found.map(({ kid }) => kid)

describe('KY-06 a JWK Set', () => {
  it.each([
    ['no object', []],
    ['no keys', {}],
    ['keys that are no list', { keys: { 0: {} } }],
    ['nothing in it', { keys: [] }],
    ['keys of unknown kinds only', { keys: [{ kty: 'oct', k: 'AAAA' }, { kty: 'new' }, 'text', null] }],
    ['a JWK in place of the set', jwk('ES256')],
    ['nothing at all', undefined],
  ])('is refused when it has %s', (_, set) => {
    expect(() => keysOfJwks(set, algorithms)).toThrow(config)
  })

  it('is refused with more than 100 keys', () => {
    const one = jwk('ES256')
    expect(named(...Array.from({ length: 100 }, () => one))).toHaveLength(100)
    expect(() => named(...Array.from({ length: 101 }, () => one))).toThrow(config)
  })

  it('is counted before it is filtered: what is passed over is work too', () => {
    expect(() => named(jwk('ES256'), ...Array.from({ length: 100 }, () => ({ kty: 'new' })))).toThrow(config)
  })

  it('passes over keys for encryption, other operations, other algorithms and unknown kinds', () => {
    const set = named(
      jwk('ES256', { kid: 'enc', use: 'enc' }),
      jwk('ES256', { kid: 'ops', key_ops: ['deriveKey'] }),
      jwk('ES256', { kid: 'ops-text', key_ops: 'verify' }),
      jwk('ES256', { kid: 'alg', alg: 'ECDH-ES' }),
      jwk('ES256', { kid: 'alg-case', alg: 'es256' }),
      jwk('ES256', { kid: 'other-curve', alg: 'ES384' }),
      { kty: 'EC', crv: 'secp256k1', kid: 'curve' },
      { kty: 'OKP', crv: 'X25519', kid: 'okp' },
      { kty: 'oct', k: 'AAAA', kid: 'oct' },
      jwk('ES256', { kid: 'good', use: 'sig', key_ops: ['verify'], alg: 'ES256' }),
    )
    expect(names(set)).toEqual(['good'])
  })

  it('honours alg: an RSA key that says PS256 verifies nothing else', () => {
    const [key] = named(jwk('RS256', { alg: 'PS256' }))
    expect(key?.algorithms).toEqual([algorithm('PS256')])
  })

  it('has no key for an algorithm that the issuer may not use', () => {
    expect(() => keysOfJwks({ keys: [jwk('ES256')] }, [algorithm('ES384')])).toThrow(config)
    const [key] = keysOfJwks({ keys: [jwk('RS256')] }, [algorithm('RS256'), algorithm('PS512')])
    expect(key?.algorithms.map(({ name }) => name)).toEqual(['RS256', 'PS512'])
  })

  it('passes over an RSA key of 1024 bits', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const small = publicKey.export({ format: 'jwk' }) as Value
    expect(names(named(small, jwk('ES256', { kid: 'good' })))).toEqual(['good'])
    expect(() => named(small)).toThrow(config)
  })

  const broken: readonly (readonly [string, Value])[] = [
    ['a private key', { ...(testKey('ES256').privateKey.export({ format: 'jwk' }) as object), kid: 'broken' }],
    ['a missing coordinate', { kty: 'EC', crv: 'P-256', x: 'AAAA', kid: 'broken' }],
    ['a point off its curve', jwk('ES256', { x: Buffer.alloc(32, 1).toString('base64url'), kid: 'broken' })],
    ['a padded member', jwk('ES256', { x: `${Buffer.alloc(32, 1).toString('base64url')}=`, kid: 'broken' })],
  ]

  it.each(broken)('of our own is refused for %s', (_, key) => {
    expect(() => named(jwk('ES256', { kid: 'good' }), key)).toThrow(config)
  })

  it.each(broken)('of somebody else goes on without %s', (_, key) => {
    const keys = keysOfJwks({ keys: [key, jwk('ES256', { kid: 'good' })] }, algorithms, 'skipped')
    expect(names(keys)).toEqual(['good'])
    expect(() => keysOfJwks({ keys: [key] }, algorithms, 'skipped')).toThrow(config)
  })
})

describe('keys by hint', () => {
  const two = () => keySet(named(jwk('ES256', { kid: 'a' }), jwk('ES256', { kid: 'b' }), jwk('Ed25519', { kid: 'c' })))

  it('are those of the kid, compared exactly', () => {
    expect(names(two().find({ kid: 'b' }))).toEqual(['b'])
    for (const kid of ['B', 'b ', '', 'd', '__proto__', "' or 1=1 --", '../b']) expect(two().find({ kid })).toEqual([])
  })

  it('are those of the algorithm where there is no kid', () => {
    expect(names(two().find({ algorithm: algorithm('ES256') }))).toEqual(['a', 'b'])
    expect(names(two().find({ algorithm: algorithm('Ed25519') }))).toEqual(['c'])
    expect(two().find({ algorithm: algorithm('PS256') })).toEqual([])
    expect(names(two().find({}))).toEqual(['a', 'b', 'c'])
  })

  it('may be ones without a name when no name is like it', () => {
    const set = keySet(named(jwk('ES256', { kid: 'a' }), jwk('ES256')))
    expect(names(set.find({ kid: 'a' }))).toEqual(['a'])
    expect(names(set.find({ kid: 'x', algorithm: algorithm('ES256') }))).toEqual([undefined])
  })

  it('are at most eight where there is no kid: each is the price of a signature', () => {
    const set = keySet(named(...Array.from({ length: 20 }, (_, n) => jwk('ES256', { kid: `k${n}` }))))
    expect(set.find({ algorithm: algorithm('ES256') })).toHaveLength(8)
    const unnamed = keySet(named(...Array.from({ length: 20 }, () => jwk('ES256'))))
    expect(unnamed.find({ kid: 'x' })).toHaveLength(8)
  })
})

describe('a repeated kid', () => {
  it('is refused for two different keys', () => {
    expect(() => keySet(named(jwk('ES256', { kid: 'a' }), jwk('ES256', { kid: 'a' })))).toThrow(config)
  })

  it('passes for one key twice, with each of its algorithms', () => {
    const key = testKey('RS256').publicKey.jwk
    const set = keySet(named({ ...key, kid: 'a', alg: 'RS256' }, { ...key, kid: 'a', alg: 'PS256' }))
    expect(set.find({ kid: 'a' }).flatMap(({ algorithms: those }) => those.map(({ name }) => name))).toEqual([
      'RS256',
      'PS256',
    ])
  })

  it('passes for a key to sign and a key to encrypt: the latter is not here', () => {
    const set = keySet(named(jwk('ES256', { kid: 'a', use: 'sig' }), jwk('ES256', { kid: 'a', use: 'enc' })))
    expect(set.find({ kid: 'a' })).toHaveLength(1)
  })
})
