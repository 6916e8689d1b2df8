import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type Algorithm,
  algorithmNamed,
  algorithmNames,
  algorithms,
  algorithmsFor,
  coseAlgorithm,
  cryptoKey,
  fits,
  signAsync,
  signSync,
  verifySignature,
} from '../../src/core/algorithms.ts'
import { algorithm, testKey } from '../support/jwt.ts'

const DATA = Buffer.from('what was signed')

describe('the algorithm table', () => {
  test('JB-01: a name is compared case-sensitively, and only names of the table are found', () => {
    expect(algorithmNamed('ES256')?.name).toBe('ES256')
    for (const name of ['es256', 'none', 'None', 'HS256', 'ES256K', 'RSA1_5', 'Ed448', '', 'toString', '__proto__']) {
      expect(algorithmNamed(name)).toBeUndefined()
    }
  })

  test('JB-03: the name that RFC 9864 deprecates and the one it gives are one algorithm', () => {
    expect(algorithmNamed('EdDSA')).toBe(algorithmNamed('Ed25519'))
    expect(coseAlgorithm(-8)).toBe(coseAlgorithm(-19))
    expect(coseAlgorithm(-7)).toBe(coseAlgorithm(-9))
  })

  test('no identifier stands for two algorithms', () => {
    const all = [
      ...algorithms.flatMap(({ jose }) => jose),
      ...algorithms.flatMap(({ cose }) => cose),
      ...algorithms.map(({ x509 }) => x509.oid + Buffer.from(x509.parameters ?? []).toString('hex')),
    ]
    expect(new Set(all).size).toBe(all.length)
    expect(new Set(algorithmNames).size).toBe(algorithms.length)
  })
})

describe.each(algorithmNames)('%s', (name) => {
  const key = testKey(name)
  const row = key.algorithm
  const privateForm = cryptoKey(row, key.privateKey)
  const publicForm = cryptoKey(row, key.publicKey.key)

  test('what is signed verifies, on the thread and in the pool', async () => {
    for (const signature of [signSync(row, privateForm, DATA), await signAsync(row, privateForm, DATA)]) {
      expect(verifySignature(row, publicForm, DATA, signature)).toBe(true)
      if (row.signatureBytes !== undefined) expect(signature).toHaveLength(row.signatureBytes)
    }
  })

  test('does not verify over other data, or changed, cut, longer or empty', () => {
    const signature = Buffer.from(signSync(row, privateForm, DATA))
    const changed = Buffer.from(signature)
    changed.writeUInt8(changed.readUInt8(10) ^ 1, 10)
    expect(verifySignature(row, publicForm, Buffer.from('something else'), signature)).toBe(false)
    for (const wrong of [changed, signature.subarray(1), Buffer.concat([signature, Buffer.of(0)]), Buffer.alloc(0)]) {
      expect(verifySignature(row, publicForm, DATA, wrong)).toBe(false)
    }
  })

  test('fits its own key and no other kind of key', () => {
    expect(fits(row, key.publicKey.key)).toBe(true)
    expect(algorithmsFor(key.publicKey.key)).toContain(row)
    for (const other of ['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']) {
      const { keyType, curve } = algorithm(other)
      if (keyType !== row.keyType || curve !== row.curve) expect(fits(row, testKey(other).publicKey.key)).toBe(false)
    }
  })
})

describe('RSA keys', () => {
  const rsa = (modulusLength: number, publicExponent = 65537) =>
    generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey
  const written = (n: Buffer, e: Buffer) =>
    createPublicKey({ key: { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') }, format: 'jwk' })
  const modulus = (bits: number) => Buffer.alloc(bits / 8, 0xff)

  test('KY-05: below 2048 and above 8192 bits do not fit', () => {
    expect(fits(algorithm('RS256'), rsa(1024))).toBe(false)
    expect(fits(algorithm('RS256'), rsa(2048))).toBe(true)
    expect(fits(algorithm('RS256'), written(modulus(8192), Buffer.of(1, 0, 1)))).toBe(true)
    expect(fits(algorithm('RS256'), written(modulus(8200), Buffer.of(1, 0, 1)))).toBe(false)
  })

  test.each([
    ['1', Buffer.of(1), false],
    ['2', Buffer.of(2), false],
    ['3', Buffer.of(3), true],
    ['65536', Buffer.of(1, 0, 0), false],
    ['2^256 - 1', Buffer.alloc(32, 0xff), true],
    ['2^256 + 1', Buffer.concat([Buffer.of(1), Buffer.alloc(31), Buffer.of(1)]), false],
  ])('KY-05: exponent %s', (_, e, fit) => expect(fits(algorithm('PS256'), written(modulus(2048), e))).toBe(fit))

  test('T-10: a PSS signature with a salt of another length than the digest is refused', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const row = algorithm('PS256')
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const salted = (saltLength: number) => sign('sha256', DATA, { key: privateKey, padding, saltLength })
    expect(verifySignature(row, cryptoKey(row, publicKey), DATA, salted(32))).toBe(true)
    for (const length of [0, 20, 31, 33]) {
      expect(verifySignature(row, cryptoKey(row, publicKey), DATA, salted(length))).toBe(false)
    }
  })
})

test('an ECDSA signature in DER is refused', () => {
  const { privateKey, algorithm: row, publicKey } = testKey('ES256')
  const der = sign('sha256', DATA, privateKey)
  expect(verifySignature(row, cryptoKey(row, publicKey.key), DATA, der)).toBe(false)
})

interface SignatureFile {
  readonly testGroups: readonly {
    readonly publicKeyPem?: string
    readonly publicKeyDer?: string
    readonly publicKey: unknown
    readonly tests: readonly SignatureCase[]
  }[]
}

interface SignatureCase {
  readonly tcId: number
  readonly comment: string
  readonly msg: string
  readonly sig: string
  readonly ctx?: string
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly flags: readonly string[]
}

describe('Wycheproof', () => {
  const files: readonly (readonly [name: string, file: string])[] = [
    ['ES256', 'ecdsa_secp256r1_sha256_p1363'],
    ['ES384', 'ecdsa_secp384r1_sha384_p1363'],
    ['ES512', 'ecdsa_secp521r1_sha512_p1363'],
    ['Ed25519', 'ed25519'],
    ['RS256', 'rsa_signature_2048_sha256'],
    ['RS384', 'rsa_signature_2048_sha384'],
    ['RS512', 'rsa_signature_2048_sha512'],
    ['RS256', 'rsa_signature_3072_sha256'],
    ['PS256', 'rsa_pss_2048_sha256_mgf1_32'],
    ['PS384', 'rsa_pss_2048_sha384_mgf1_48'],
    ['PS512', 'rsa_pss_4096_sha512_mgf1_64'],
    ['ML-DSA-44', 'mldsa_44_verify'],
    ['ML-DSA-65', 'mldsa_65_verify'],
    ['ML-DSA-87', 'mldsa_87_verify'],
  ]

  test.each(files)('%s: %s', (name, file) => {
    const url = new URL(`../vectors/wycheproof/${file}_test.json`, import.meta.url)
    const { testGroups }: SignatureFile = JSON.parse(readFileSync(url, 'utf8'))
    const row = algorithm(name)
    const wrong: string[] = []
    let run = 0
    for (const group of testGroups) {
      const key = importKey(row, group)
      for (const entry of group.tests) {
        run += 1
        const accepted = key !== undefined && verdict(row, key, entry)
        // JOSE, COSE and X.509 sign with an empty context (RFC 9964 §5): what was signed with another is not valid here.
        const valid = entry.result === 'valid' && !entry.ctx
        if (entry.result !== 'acceptable' && accepted !== valid) {
          wrong.push(`${entry.tcId} ${entry.result} ${entry.flags.join()} ${entry.comment}`)
        }
      }
    }
    expect(wrong).toEqual([])
    expect(run).toBeGreaterThan(50)
  })

  function importKey(row: Algorithm, { publicKeyPem, publicKeyDer, publicKey }: SignatureFile['testGroups'][number]) {
    try {
      const key = publicKeyPem
        ? createPublicKey(publicKeyPem)
        : publicKeyDer
          ? createPublicKey({ key: Buffer.from(publicKeyDer, 'hex'), format: 'der', type: 'spki' })
          : createPublicKey({
              key: Buffer.from(String(publicKey), 'hex'),
              format: 'raw-public',
              asymmetricKeyType: row.keyType,
            })
      return fits(row, key) ? key : undefined
    } catch {
      return undefined
    }
  }

  function verdict(row: Algorithm, key: KeyObject, { msg, sig }: SignatureCase): boolean {
    return verifySignature(row, cryptoKey(row, key), Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex'))
  }
})
