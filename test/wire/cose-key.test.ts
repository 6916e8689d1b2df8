import { createHash, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { algorithms } from '../../src/core/algorithms.ts'
import { type CborLabel, type CborMap, decodeCbor, decodeCborMap } from '../../src/wire/cbor.ts'
import { type Encodable, encodeCbor } from '../../src/wire/cbor-encode.ts'
import { kidBytes, kidText, publicKeyFromCoseKey } from '../../src/wire/cose-key.ts'
import { encodeCoseKeySet, verificationKeysFromCoseKeySet } from '../../src/wire/cose-key-set.ts'
import { coseKeyOf, coseThumbprint } from '../../src/wire/cose-key-write.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { makeSigner, type TestSigner } from '../support/cose.ts'

const names = ['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']
const signers = new Map<string, TestSigner>(names.map((name) => [name, makeSigner(name)]))
const signerOf = (name: string): TestSigner => signers.get(name) ?? makeSigner(name)
const keyMap = (name: string): Map<CborLabel, Encodable> => new Map(coseKeyOf(signerOf(name).publicKey))
const read = (key: ReadonlyMap<CborLabel, Encodable>) => publicKeyFromCoseKey(decodeCborMap(encodeCbor(key)))
const refuses = (key: ReadonlyMap<CborLabel, Encodable>) =>
  expect(() => read(key)).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
const withPart = (name: string, label: number, value: Encodable | undefined) => {
  const key = keyMap(name)
  if (value === undefined) key.delete(label)
  else key.set(label, value)
  return key
}
const bytesAt = (name: string, label: number): Buffer => Buffer.from(keyMap(name).get(label) as Uint8Array)

describe('a COSE_Key', () => {
  test.each(names)('of %s is read back as the same key', (name) => {
    const { publicKey: key } = signerOf(name)
    expect(read(coseKeyOf(key)).jkt).toBe(key.jkt)
    expect(read(coseKeyOf(key)).jwk).toEqual(key.jwk)
  })

  test.each(['ES256', 'ES384', 'ES512'])(
    'of %s with a compressed point, y as a boolean, is the whole point',
    (name) => {
      for (let made = 0; made < 4; made += 1) {
        const { publicKey: key } = makeSigner(name)
        const parts = coseKeyOf(key)
        const y = parts.get(-3) as Uint8Array
        parts.set(-3, ((y.at(-1) ?? 0) & 1) === 1)
        expect(read(parts).jkt).toBe(key.jkt)
        parts.set(-3, ((y.at(-1) ?? 0) & 1) === 0)
        expect(read(parts).jkt).not.toBe(key.jkt)
      }
    },
  )

  test('refuses a compressed point whose x is on no curve, or of another width', () => {
    // No y fits x = 1 on P-256: 1 - 3 + b is not a square there.
    const x = Buffer.alloc(32)
    x[31] = 1
    const points = [x, Buffer.alloc(32, 0xff), bytesAt('ES256', -2).subarray(1), Buffer.alloc(33), Buffer.alloc(0)]
    for (const point of points) refuses(withPart('ES256', -2, point).set(-3, true))
  })

  test.each([
    ['ES256', [-4]],
    ['Ed25519', [-4]],
    ['RS256', [-3, -4, -5, -6, -7, -8, -9, -10, -11, -12]],
    ['ML-DSA-44', [-2]],
  ] as const)('CN-07 of %s with a private part is refused whole', (name, labels) => {
    for (const label of labels) refuses(withPart(name, label, Buffer.alloc(32, 1)))
    for (const label of labels) refuses(withPart(name, label, null))
  })

  test.each([
    ['ES256', -2],
    ['ES256', -3],
    ['ES384', -2],
    ['ES512', -3],
    ['Ed25519', -2],
    ['ML-DSA-44', -1],
    ['ML-DSA-65', -1],
    ['ML-DSA-87', -1],
  ] as const)('KY-01 of %s with part %i a byte short, a byte long, text or absent is refused', (name, label) => {
    const bytes = bytesAt(name, label)
    refuses(withPart(name, label, bytes.subarray(1)))
    refuses(withPart(name, label, Buffer.concat([Buffer.of(0), bytes])))
    refuses(withPart(name, label, bytes.toString('base64url')))
    refuses(withPart(name, label, undefined))
  })

  test('KY-05 of RSA with a leading zero octet is refused, since one modulus has one form', () => {
    refuses(withPart('RS256', -1, Buffer.concat([Buffer.of(0), bytesAt('RS256', -1)])))
  })

  test('refuses a point that is not on its curve', () => {
    const y = bytesAt('ES256', -3)
    y[31] = (y[31] ?? 0) ^ 1
    refuses(withPart('ES256', -3, y))
  })

  test('refuses an unknown type and curve, text for a number, and what is no map', () => {
    for (const kty of [0, 4, 5, 99, 'EC', 2.5, null]) refuses(withPart('ES256', 1, kty))
    refuses(withPart('ES256', 1, undefined))
    for (const curve of [0, 4, 6, 8, 'P-256', null]) refuses(withPart('ES256', -1, curve))
    for (const curve of [1, 4, 5, 7]) refuses(withPart('Ed25519', -1, curve))
    for (const value of [null, 1, 'x', [], undefined]) {
      expect(() => publicKeyFromCoseKey(value)).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
    }
  })

  test('KY-02 of AKP needs its alg, and a pub of the length of that alg', () => {
    refuses(withPart('ML-DSA-44', 3, undefined))
    refuses(withPart('ML-DSA-44', 3, -49))
    refuses(withPart('ML-DSA-44', 3, -7))
    refuses(withPart('ML-DSA-44', 3, 'ML-DSA-44'))
  })

  test('takes no notice of parameters beside the key: kid, key_ops, Base IV, text labels', () => {
    const key = keyMap('ES256').set(2, Buffer.of(1)).set(4, [1]).set(5, Buffer.of(1)).set('x', 1)
    expect(read(key).jkt).toBe(signerOf('ES256').publicKey.jkt)
  })
})

describe('coseThumbprint', () => {
  test('RFC 9679 §6: the example', () => {
    const key: CborMap = new Map<CborLabel, number | Uint8Array>([
      [1, 2],
      [-1, 1],
      [-2, Buffer.from('65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d', 'hex')],
      [-3, Buffer.from('1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c', 'hex')],
      [2, Buffer.from('kid')],
    ])
    expect(Buffer.from(coseThumbprint(publicKeyFromCoseKey(key)), 'base64url').toString('hex')).toBe(
      '496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec',
    )
  })

  test.each(names)('of %s hashes the required parameters alone, and is another value than jkt', (name) => {
    const { publicKey: key } = signerOf(name)
    const required = encodeCbor(coseKeyOf(key))
    expect(coseThumbprint(key)).toBe(createHash('sha256').update(required).digest('base64url'))
    expect(coseThumbprint(key)).not.toBe(key.jkt)
    expect(coseThumbprint(read(keyMap(name).set(2, Buffer.of(1))))).toBe(coseThumbprint(key))
  })

  test('is the same for a point that came compressed', () => {
    const { publicKey: key } = signerOf('ES256')
    const parts = coseKeyOf(key)
    parts.set(-3, (((parts.get(-3) as Uint8Array).at(-1) ?? 0) & 1) === 1)
    expect(coseThumbprint(read(parts))).toBe(coseThumbprint(key))
  })
})

describe('kid', () => {
  test('is text where the bytes are UTF-8, and base64url of them where they are not; two never become one', () => {
    expect(kidText(Buffer.from('edge-1'))).toBe('edge-1')
    expect(kidText(Buffer.from('schlüssel'))).toBe('schlüssel')
    expect(kidText(Buffer.of(0xff, 0x00))).toBe('b64:_wA')
    expect(kidText(Buffer.from('b64:_wA'))).not.toBe('b64:_wA')
    for (const bytes of [
      Buffer.from('edge-1'),
      Buffer.of(0xff),
      Buffer.from('b64:_wA'),
      Buffer.alloc(0),
      Buffer.from('\ufffd'),
    ]) {
      expect(Buffer.from(kidBytes(kidText(bytes)))).toEqual(bytes)
    }
    expect(Buffer.from(kidBytes('b64:not base64url')).toString()).toBe('b64:not base64url')
  })
})

describe('a COSE_KeySet', () => {
  const setOf = (...keys: Encodable[]) => encodeCbor(keys)
  const entry = (name: string, kid: string) => keyMap(name).set(2, Buffer.from(kid))
  const kids = (bytes: Uint8Array, allowed = algorithms) =>
    verificationKeysFromCoseKeySet(bytes, allowed).map(({ kid }) => kid)
  const refusesSet = (bytes: Uint8Array) =>
    expect(() => verificationKeysFromCoseKeySet(bytes, algorithms)).toThrow(
      expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }),
    )

  test('that we publish is read back: same keys, kid and the one algorithm of each', () => {
    const all = [...signers.values()]
    const bytes = encodeCoseKeySet(all)
    const keys = verificationKeysFromCoseKeySet(bytes, algorithms)
    expect(keys.map(({ kid }) => kid)).toEqual(all.map(({ kid }) => kid))
    expect(keys.map(({ publicKey: key }) => key.jkt)).toEqual(all.map(({ publicKey: key }) => key.jkt))
    expect(keys.map((key) => key.algorithms.map(({ name }) => name))).toEqual(
      all.map(({ algorithm: { name } }) => [name]),
    )
    // Nothing private gets out.
    for (const key of decodeCbor(bytes) as readonly CborMap[]) expect(key.get(4)).toEqual([2])
    for (const { privateKey } of all) {
      const jwk: { readonly [member: string]: unknown } = { ...privateKey.export({ format: 'jwk' }) }
      const secret = String(jwk['d'] ?? jwk['priv'])
      expect(secret.length).toBeGreaterThan(40)
      expect(Buffer.from(bytes).includes(Buffer.from(secret, 'base64url'))).toBe(false)
    }
  })

  test('a key that does not say its alg may be used with all that fit it', () => {
    const [key] = verificationKeysFromCoseKeySet(setOf(keyMap('RS256')), algorithms)
    expect(key?.kid).toBeUndefined()
    expect(key?.algorithms.map(({ name }) => name)).toEqual(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])
  })

  test('passes over keys that are not for verifying, of another algorithm than allowed, or malformed', () => {
    const good = entry('ES256', 'good')
    expect(kids(setOf(entry('ES384', 'a').set(4, [1]), good))).toEqual(['good'])
    expect(kids(setOf(entry('ES384', 'a').set(4, 2), good))).toEqual(['good'])
    expect(kids(setOf(entry('ES384', 'a').set(3, -999), good))).toEqual(['good'])
    expect(kids(setOf(entry('ES384', 'a').set(3, -7), good))).toEqual(['good'])
    expect(kids(setOf(entry('ES384', 'a').set(3, 'ES384'), good))).toEqual(['good'])
    expect(kids(setOf(entry('ES384', 'a').set(2, 'text'), good))).toEqual(['good'])
    expect(kids(setOf(entry('ES384', 'a').set(-2, Buffer.of(1)), good))).toEqual(['good'])
    expect(kids(setOf(entry('ES384', 'a').set(-1, 8), good))).toEqual(['good'])
    expect(kids(setOf(entry('Ed25519', 'a').set(-1, 4), good))).toEqual(['good'])
    expect(kids(setOf(new Map([[1, 99]]), 'text', good))).toEqual(['good'])
    expect(
      kids(
        setOf(entry('ES384', 'a'), good),
        algorithms.filter(({ name }) => name === 'ES256'),
      ),
    ).toEqual(['good'])
  })

  test('passes over an RSA key that is too small', () => {
    const { publicKey: small } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const key = coseKeyOf(publicKey(small))
    expect(kids(setOf(key.set(2, Buffer.from('small'))))).toEqual([])
  })

  test('CN-07 with a private part in it is refused whole', () => {
    refusesSet(setOf(entry('ES256', 'a'), entry('ES384', 'b').set(-4, Buffer.alloc(48))))
  })

  test('KY-06 with one kid for two keys is refused; the same key twice is not', () => {
    refusesSet(setOf(entry('ES256', 'a'), entry('ES384', 'a')))
    expect(kids(setOf(entry('ES256', 'a'), entry('ES256', 'a')))).toEqual(['a', 'a'])
  })

  test('KY-06 of more than 100 keys, or 64 KiB, is refused', () => {
    const keys = (count: number) => setOf(...Array(count).fill(entry('Ed25519', 'a')))
    expect(kids(keys(100))).toHaveLength(100)
    refusesSet(keys(101))
    refusesSet(setOf(entry('ES256', 'a').set('padding', Buffer.alloc(65_536))))
  })

  test('that is not CBOR, no array, or names a parameter twice is refused', () => {
    refusesSet(Buffer.from('{"keys":[]}'))
    refusesSet(encodeCbor(entry('ES256', 'a')))
    refusesSet(Buffer.from('81a201020102', 'hex'))
  })
})
