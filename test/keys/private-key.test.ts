import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { algorithmNames } from '../../src/core/algorithms.ts'
import { generatePrivateKey, readPrivateKey } from '../../src/keys/private-key.ts'
import { der, sequence, smallInteger } from '../../src/wire/der-write.ts'
import { algorithm, testKey } from '../support/x509.ts'

const octetString = (octets: Uint8Array) => der(0x04, octets)

type Jwk = Record<string, unknown>

const vector = (name: string) => readFileSync(new URL(`../vectors/mldsa-x509/${name}`, import.meta.url), 'utf8')
const pemOf = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const jwkOf = (key: KeyObject): Jwk => ({ ...key.export({ format: 'jwk' }) })
const read = (text: string, name = 'ES256') => readPrivateKey(text, algorithm(name), 'edge')
const same = (left: KeyObject, right: KeyObject) => createPublicKey(left).equals(createPublicKey(right))

const refused = (expected: string | RegExp) =>
  expect.objectContaining({
    code: 'ERR_KEY_CONFIG',
    detail: { key: 'edge', expected: typeof expected === 'string' ? expected : expect.stringMatching(expected) },
  })

const BELONG = 'a private JWK whose members belong together'

describe('a key that is made', () => {
  it.each(algorithmNames.filter((name) => !/^[RP]S(?:384|512)$/.test(name)))('for %s is one for it', (name) => {
    const key = generatePrivateKey(algorithm(name))
    expect(key.type).toBe('private')
    expect(same(read(pemOf(key), name), key)).toBe(true)
    expect(key.equals(generatePrivateKey(algorithm(name)))).toBe(false)
  })

  it('KY-05 for RSA has 3072 bits and the exponent 65537', () => {
    const { modulusLength, publicExponent } = generatePrivateKey(algorithm('PS256')).asymmetricKeyDetails ?? {}
    expect(modulusLength).toBe(3072)
    expect(publicExponent).toBe(65_537n)
  })
})

describe('a key file', () => {
  it.each(algorithmNames)('for %s is PKCS#8 in PEM, or a private JWK', (name) => {
    const { privateKey } = testKey(name)
    expect(same(read(pemOf(privateKey), name), privateKey)).toBe(true)
    expect(same(read(JSON.stringify(jwkOf(privateKey)), name), privateKey)).toBe(true)
  })

  it('may be SEC 1 or PKCS#1, as older tools write them', () => {
    const ec = testKey('ES256').privateKey
    expect(same(read(ec.export({ type: 'sec1', format: 'pem' }).toString()), ec)).toBe(true)
    const rsa = testKey('RS256').privateKey
    expect(same(read(rsa.export({ type: 'pkcs1', format: 'pem' }).toString(), 'RS256'), rsa)).toBe(true)
  })

  it('may have comments, Windows line ends and white space around it', () => {
    const { privateKey } = testKey('ES256')
    expect(same(read(`# the edge key\n${pemOf(privateKey)}\n`), privateKey)).toBe(true)
    expect(same(read(pemOf(privateKey).replaceAll('\n', '\r\n')), privateKey)).toBe(true)
    expect(same(read(`\n  ${JSON.stringify(jwkOf(privateKey), null, 2)}\n`), privateKey)).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['text', 'key'],
    ['a public key', createPublicKey(testKey('ES256').privateKey).export({ type: 'spki', format: 'pem' }).toString()],
    ['half of one', pemOf(testKey('ES256').privateKey).slice(0, 100)],
    ['a broken one', pemOf(testKey('ES256').privateKey).replace('MIG', 'MIH')],
  ])('with %s is refused', (_, text) => {
    expect(() => read(text)).toThrow(refused('a private key in PEM, or a private JWK'))
  })

  it.each(['pkcs8', 'sec1'] as const)('that is encrypted (%s) is refused, with the way out', (type) => {
    const text = testKey('ES256').privateKey.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    expect(() => read(text.toString())).toThrow(refused(/not encrypted.*openssl pkcs8/))
  })

  it.each([
    ['another curve', testKey('ES384').privateKey, 'ES256'],
    ['another kind', testKey('Ed25519').privateKey, 'ES256'],
    ['another kind', testKey('ES256').privateKey, 'RS256'],
    ['another level', testKey('ML-DSA-44').privateKey, 'ML-DSA-65'],
    ['another curve of the same family', generateKeyPairSync('ed448').privateKey, 'Ed25519'],
    ['a curve for key agreement', generateKeyPairSync('x25519').privateKey, 'Ed25519'],
    ['another curve of 256 bits', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey, 'ES256'],
    ['RSA of 1024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey, 'RS256'],
    ['RSA for PSS alone', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey, 'PS256'],
  ])('of %s is refused', (_, key, name) => {
    expect(() => read(pemOf(key), name)).toThrow(refused(`a key for ${name}`))
  })

  it('JB-02 in JWK says what it is for, and is for nothing else', () => {
    const jwk = jwkOf(testKey('PS256').privateKey)
    const text = (more: Jwk) => JSON.stringify({ ...jwk, ...more })
    for (const more of [{ alg: 'PS256' }, { use: 'sig' }, { key_ops: ['verify', 'sign'] }, { kid: 'any' }]) {
      expect(read(text(more), 'PS256').type).toBe('private')
    }
    expect(read(JSON.stringify({ ...jwkOf(testKey('Ed25519').privateKey), alg: 'EdDSA' }), 'Ed25519')).toBeDefined()
    for (const alg of ['RS256', 'ps256', 'none', 7, null]) {
      expect(() => read(text({ alg }), 'PS256')).toThrow(refused(/alg PS256/))
    }
    expect(() => read(text({ use: 'enc' }), 'PS256')).toThrow(refused(/use sig/))
    for (const operations of [['verify'], [], 'sign']) {
      expect(() => read(text({ key_ops: operations }), 'PS256')).toThrow(refused(/key_ops/))
    }
  })

  it.each([
    ['no JSON', '{'],
    ['repeated members', JSON.stringify(jwkOf(testKey('ES256').privateKey)).replace('{', '{"d":"AAAA",')],
    ['a public key', JSON.stringify(createPublicKey(testKey('ES256').privateKey).export({ format: 'jwk' }))],
    ['a secret', '{"kty":"oct","k":"AAAA"}'],
    ['a set', JSON.stringify({ keys: [jwkOf(testKey('ES256').privateKey)] })],
    ['something after it', `${JSON.stringify(jwkOf(testKey('ES256').privateKey))} {}`],
  ])('in JWK with %s is refused', (_, text) => {
    expect(() => read(text)).toThrow(refused(BELONG))
  })
})

describe('T-09, KY-03 a private key with the public half of another', () => {
  const HALVES = expect.objectContaining({
    code: 'ERR_KEY_CONFIG',
    detail: { key: 'edge', expected: expect.stringMatching(/belong together|public half is its own/) },
  })

  it.each([
    ['ES256', ['x', 'y']],
    ['ES384', ['x', 'y']],
    ['ES512', ['x', 'y']],
    ['Ed25519', ['x']],
    ['ML-DSA-44', ['pub']],
    ['ML-DSA-65', ['pub']],
    ['ML-DSA-87', ['pub']],
    ['RS256', ['n']],
    ['RS256', ['e']],
    ['RS256', ['p']],
    ['RS256', ['n', 'p']],
    ['PS256', ['n', 'q', 'qi']],
  ] as const)('is refused as a JWK for %s: %s', (name, members) => {
    const mine = jwkOf(testKey(name, 0).privateKey)
    const other = jwkOf(testKey(name, 1).privateKey)
    const mixed = { ...mine, ...Object.fromEntries(members.map((member) => [member, other[member]])) }
    if (mixed['e'] === mine['e'] && members[0] === 'e') mixed['e'] = 'Aw'
    expect(mixed).not.toEqual(mine)
    expect(() => read(JSON.stringify(mixed), name)).toThrow(HALVES)
  })

  it('is refused in PEM', () => {
    const mine = createPrivateKey(pemOf(testKey('ES256').privateKey)).export({ type: 'sec1', format: 'der' })
    const other = testKey('ES256').privateKey.export({ type: 'sec1', format: 'der' })
    // ECPrivateKey (RFC 5915) ends with the 65 octets of the public point.
    const mixed = Buffer.concat([mine.subarray(0, -65), other.subarray(-65)])
    const text = `-----BEGIN EC PRIVATE KEY-----\n${mixed.toString('base64')}\n-----END EC PRIVATE KEY-----\n`
    expect(() => read(text)).toThrow(refused(/private key/))
  })

  it('is refused in another writing of its own half: one key has one text', () => {
    const jwk = jwkOf(testKey('ES256').privateKey)
    expect(() => read(JSON.stringify({ ...jwk, x: `${jwk['x']}=` }))).toThrow(HALVES)
  })
})

describe('T-19, KY-04 ML-DSA keys of others', () => {
  it.each(['44', '65'])('ML-DSA-%s is read from its seed, alone or beside the expanded key', (level) => {
    const name = `ML-DSA-${level}`
    const published = createPublicKey(vector(`${name}.pub.pem`))
    for (const form of ['seed', 'both']) {
      const key = read(vector(`${name}-${form}.priv.pem`), name)
      expect(createPublicKey(key).equals(published)).toBe(true)
      expect(key.export({ format: 'jwk' })).toMatchObject({ kty: 'AKP', alg: name })
    }
  })

  it.each(['44', '65'])('ML-DSA-%s in expanded form alone is refused, and the seed is named', (level) => {
    const name = `ML-DSA-${level}`
    expect(() => read(vector(`${name}-expanded.priv.pem`), name)).toThrow(refused(/seed.*RFC 9881/))
  })

  it('a seed beside the expanded key of another is refused', () => {
    const octets = (form: string) =>
      Buffer.from(vector(`ML-DSA-44-${form}.priv.pem`).replace(/-----[^-]+-----|\s/g, ''), 'base64')
    const expanded = octets('expanded').subarray(-2560)
    const seed = Buffer.alloc(32, 7)
    const both = sequence(octetString(seed), octetString(expanded))
    const oid = der(0x06, Buffer.from('608648016503040311', 'hex'))
    const pkcs8 = sequence(smallInteger(0), sequence(oid), octetString(both))
    const text = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64')}\n-----END PRIVATE KEY-----\n`
    expect(() => read(text, 'ML-DSA-44')).toThrow(expect.objectContaining({ code: 'ERR_KEY_CONFIG' }))
  })
})

describe('an error', () => {
  it('holds nothing of the key, whatever was wrong', () => {
    const jwk = jwkOf(testKey('ES256').privateKey)
    const d = String(jwk['d'])
    const pem = pemOf(testKey('ES256').privateKey)
    const secret = pem.split('\n')[1] ?? ''
    const texts = [
      JSON.stringify({ ...jwk, x: 1 }),
      `${JSON.stringify(jwk)}}`,
      JSON.stringify({ ...jwk, [d]: d, alg: d }),
      JSON.stringify({ kty: 'EC', crv: d, d }),
      pem.replace('PRIVATE KEY', 'PRIVATE'),
      pem.slice(0, -30),
      secret,
    ]
    for (const text of texts) {
      for (const name of ['ES256', 'RS256']) {
        let caught: unknown
        try {
          read(text, name)
        } catch (error) {
          caught = error
        }
        expect(caught).toEqual(expect.objectContaining({ code: 'ERR_KEY_CONFIG' }))
        const shown = inspect(caught, { depth: 10, showHidden: true })
        expect(shown).not.toContain(d)
        expect(shown).not.toContain(secret)
      }
    }
  })
})
