import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { algorithms, cryptoKey } from '../../src/core/algorithms.ts'
import { tags } from '../../src/wire/der.ts'
import { der, nullValue, oid, sequence, smallInteger, unsignedInteger } from '../../src/wire/der-write.ts'
import {
  algorithmIdentified,
  ecdsaFromDer,
  signatureIdentifier,
  toX509Signature,
  verifyX509Signature,
} from '../../src/wire/signature.ts'
import { algorithm, testKey } from '../support/x509.ts'

describe('an algorithm identifier', () => {
  test.each(algorithms.map((row) => [row.name, row] as const))('of %s names it and nothing else', (_, row) => {
    expect(algorithmIdentified(signatureIdentifier(row))).toBe(row)
  })

  test('of RSASSA-PSS is taken without the NULLs in it (RFC 4055)', () => {
    const hash = sequence(oid('2.16.840.1.101.3.4.2.1'))
    const pss = (salt: number, hashed = hash) =>
      sequence(
        oid('1.2.840.113549.1.1.10'),
        sequence(
          der(0xa0, hashed),
          der(0xa1, sequence(oid('1.2.840.113549.1.1.8'), hash)),
          der(0xa2, smallInteger(salt)),
        ),
      )
    expect(algorithmIdentified(pss(32))?.name).toBe('PS256')
    expect(algorithmIdentified(pss(20))).toBeUndefined()
    expect(algorithmIdentified(pss(32, sequence(oid('1.3.14.3.2.26'))))).toBeUndefined()
  })

  test.each([
    ['SHA-1 with RSA', sequence(oid('1.2.840.113549.1.1.5'), nullValue())],
    ['MD5 with RSA', sequence(oid('1.2.840.113549.1.1.4'), nullValue())],
    ['SHA-1 with ECDSA', sequence(oid('1.2.840.10045.4.1'))],
    ['RSA without NULL', sequence(oid('1.2.840.113549.1.1.11'))],
    ['ECDSA with NULL', sequence(oid('1.2.840.10045.4.3.2'), nullValue())],
    ['PX-01: ML-DSA with NULL', sequence(oid('2.16.840.1.101.3.4.3.18'), nullValue())],
    ['PX-05: pre-hash ML-DSA', sequence(oid('2.16.840.1.101.3.4.3.33'))],
    ['RSASSA-PSS with the defaults, which are SHA-1', sequence(oid('1.2.840.113549.1.1.10'), sequence())],
  ])('of %s is none', (_, identifier) => {
    expect(algorithmIdentified(identifier)).toBeUndefined()
  })
})

describe('an ECDSA signature', () => {
  test('comes back as it was', () => {
    const half = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((octets) => octets.some(Boolean))
    fc.assert(
      fc.property(half, half, (r, s) => {
        const jose = Buffer.concat([r, s])
        expect(ecdsaFromDer(toX509Signature(algorithm('ES256'), jose), 64)).toEqual(jose)
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 200) },
    )
  })

  const integer = (hex: string) => der(tags.integer, Buffer.from(hex, 'hex'))
  const one = smallInteger(1)
  test.each([
    ['r and s of raw octets', Buffer.alloc(64, 1)],
    ['three numbers', sequence(one, one, one)],
    ['one number', sequence(one)],
    ['r of nought', sequence(smallInteger(0), one)],
    ['a negative s', sequence(one, integer('ff'))],
    ['an octet too many', sequence(integer('0001'), one)],
    ['a number that is too large', sequence(unsignedInteger(Buffer.alloc(33, 1)), one)],
    ['bytes after it', Buffer.concat([sequence(one, one), Buffer.of(0)])],
    ['no octets', Buffer.alloc(0)],
  ])('with %s is none', (_, bytes) => {
    expect(ecdsaFromDer(bytes, 64)).toBeUndefined()
  })
})

test.each(algorithms.map(({ name }) => name))('a signature by %s verifies, and no other', (name) => {
  const key = testKey(name)
  const data = Buffer.from('data')
  const form = cryptoKey(key.algorithm, key.publicKey.key)
  const signature = toX509Signature(key.algorithm, key.sign(data))
  expect(verifyX509Signature(key.algorithm, form, data, signature)).toBe(true)
  expect(verifyX509Signature(key.algorithm, form, Buffer.from('date'), signature)).toBe(false)
  expect(verifyX509Signature(key.algorithm, form, data, signature.subarray(1))).toBe(false)
})
