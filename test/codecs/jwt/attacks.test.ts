import { createHmac, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { jwt } from '../../../src/codecs/jwt/index.ts'
import type { Token } from '../../../src/core/token.ts'
import type { TrustedIssuer } from '../../../src/core/trust.ts'
import { publicKey, verificationKey } from '../../../src/wire/jwk.ts'
import { algorithm, base64url, CLAIMS, compact, NOW, RULES, subject, testKey, trusted } from '../../support/jwt.ts'

const codec = jwt()
const key = testKey('ES256')
const issuer = trusted([key.verifier])

function verify(raw: string, by: TrustedIssuer = issuer): Token {
  const token = codec.parse(subject(raw))?.verify(by, RULES)
  if (token === undefined || token instanceof Promise) throw new TypeError('not verified at once')
  return token
}

const refuses = (raw: string, code: string, by?: TrustedIssuer) =>
  expect(() => verify(raw, by)).toThrow(expect.objectContaining({ code }))

const unsigned = (header: object, signature = '') =>
  `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(CLAIMS))}.${signature}`

describe('the algorithm', () => {
  test.each(['none', 'None', 'NONE', 'nOnE', ''])('JB-03: %j is refused, signed or not', (alg) => {
    refuses(unsigned({ alg }), 'ERR_TOKEN_ALGORITHM')
    refuses(unsigned({ alg }, 'AAAA'), 'ERR_TOKEN_ALGORITHM')
    refuses(compact({ alg }, CLAIMS, key), 'ERR_TOKEN_ALGORITHM')
  })

  test.each(['HS256', 'HS384', 'HS512'])('JB-01: %s with the public key as the secret is refused', (alg) => {
    const rsa = testKey('RS256')
    const by = trusted([rsa.verifier])
    const input = unsigned({ alg, kid: 'key-RS256' }).slice(0, -1)
    for (const format of ['pem', 'der'] as const) {
      const secret = Buffer.from(rsa.publicKey.key.export({ format, type: 'spki' }))
      const mac = createHmac(`sha${alg.slice(2)}`, secret)
        .update(input)
        .digest('base64url')
      refuses(`${input}.${mac}`, 'ERR_TOKEN_ALGORITHM', by)
    }
  })

  test.each(['es256', 'ES256 ', 'ES256K', 'RSA1_5', 'ECDH-ES', 'A128GCM', 'Ed448', 'constructor', '__proto__'])(
    'JB-01: %s is refused, since names are compared as they are',
    (alg) => refuses(compact({ alg }, CLAIMS, key), 'ERR_TOKEN_ALGORITHM'),
  )

  test('JB-01: one that the issuer may not use is refused, before its keys are asked for', () => {
    const by = trusted([key.verifier], { algorithms: [algorithm('Ed25519')] })
    refuses(compact({ alg: 'ES256' }, CLAIMS, key), 'ERR_TOKEN_ALGORITHM', by)
    expect(by.asked).toEqual([])
  })

  test('JB-02: one that the key is not for is refused', () => {
    refuses(compact({ alg: 'ES384', kid: 'key-ES256' }, CLAIMS, testKey('ES384')), 'ERR_TOKEN_ALGORITHM')
    const { publicKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const only = verificationKey(publicKey(rsa), [algorithm('PS256')])
    refuses(compact({ alg: 'RS256' }, CLAIMS, testKey('RS256')), 'ERR_TOKEN_ALGORITHM', trusted(only ? [only] : []))
  })

  test('JB-02: a signature by another algorithm of the same key is refused', () => {
    const rsa = testKey('RS256', 'k')
    const both = verificationKey(rsa.publicKey, [algorithm('RS256'), algorithm('PS256')])
    const by = trusted(both ? [both] : [])
    expect(verify(compact({ alg: 'RS256' }, CLAIMS, rsa), by)).toBeDefined()
    refuses(compact({ alg: 'PS256' }, CLAIMS, rsa), 'ERR_TOKEN_SIGNATURE', by)
  })

  test('both names of Ed25519 are read', () => {
    const ed = testKey('Ed25519')
    for (const alg of ['EdDSA', 'Ed25519']) {
      expect(verify(compact({ alg }, CLAIMS, ed), trusted([ed.verifier])).provenance.algorithm).toBe('Ed25519')
    }
  })
})

describe('the header', () => {
  const mallory = testKey('ES256')

  test('JB-12: a key in the header is not used', () => {
    const { jwk } = mallory.publicKey
    refuses(compact({ alg: 'ES256', jwk }, CLAIMS, mallory), 'ERR_TOKEN_SIGNATURE')
    refuses(compact({ alg: 'ES256', jwk, kid: mallory.publicKey.jkt }, CLAIMS, mallory), 'ERR_TRUST_KEY')
    // Nor does it harm: what verifies with the issuer's key verifies.
    expect(verify(compact({ alg: 'ES256', jwk }, CLAIMS, key)).provenance.keyThumbprint).toBe(key.publicKey.jkt)
  })

  test.each([
    ['jku', 'https://mallory.example/keys'],
    ['x5u', 'https://mallory.example/chain'],
    ['x5c', ['AAAA']],
  ])('JB-12: %s is not followed', (name, value) => {
    refuses(compact({ alg: 'ES256', [name]: value }, CLAIMS, mallory), 'ERR_TOKEN_SIGNATURE')
  })

  test.each(["' OR 1=1 --", '../../../etc/passwd', '*)(uid=*', '\u0000', '__proto__', 'x'.repeat(5000)])(
    'JB-12: kid %.20j is only a text that no key has',
    (kid) => refuses(compact({ alg: 'ES256', kid }, CLAIMS, key), 'ERR_TRUST_KEY'),
  )

  test('RFC 7515 §4.1.11: an unknown critical member is refused, also under a good signature', () =>
    refuses(compact({ alg: 'ES256', crit: ['exp'], exp: NOW }, CLAIMS, key), 'ERR_TOKEN_HEADER'))

  test('RFC 7797 §7: a payload that is not encoded is refused', () =>
    refuses(compact({ alg: 'ES256', b64: false, crit: ['b64'] }, CLAIMS, key), 'ERR_TOKEN_HEADER'))

  test('T-03: a repeated member is refused, also under a good signature', () => {
    refuses(compact('{"alg":"none","alg":"ES256"}', CLAIMS, key), 'ERR_TOKEN_DUPLICATE')
    refuses(compact('{"alg":"ES256","kid":"a","k\\u0069d":"key-ES256"}', CLAIMS, key), 'ERR_TOKEN_DUPLICATE')
  })
})

describe('the payload', () => {
  const payload = (text: string) => compact({ alg: 'ES256' }, text, key)

  test('NV-01: a repeated claim is refused, also under a good signature', () => {
    refuses(payload('{"iss":"https://cluster.example.com","sub":"a","sub":"b"}'), 'ERR_TOKEN_DUPLICATE')
    refuses(payload('{"iss":"x","\\u0069ss":"https://cluster.example.com"}'), 'ERR_TOKEN_DUPLICATE')
    refuses(payload('{"iss":"x","cnf":{"jkt":"a","jkt":"b"}}'), 'ERR_TOKEN_DUPLICATE')
  })

  test.each(['1e400', '-1e400', '1E+999'])('T-01, P-02: exp %s is refused, or it would never expire', (exp) =>
    refuses(payload(`{"iss":"https://cluster.example.com","exp":${exp}}`), 'ERR_TOKEN_MALFORMED'),
  )

  test('P-02: exp as text is refused', () =>
    refuses(payload(`{"iss":"https://cluster.example.com","exp":"${NOW + 300}"}`), 'ERR_TOKEN_CLAIM'))

  test.each(['__proto__', 'constructor', 'prototype'])('NV-04: a claim called %s is refused', (name) =>
    refuses(payload(`{"iss":"https://cluster.example.com","${name}":{"sub":"admin"}}`), 'ERR_TOKEN_MALFORMED'),
  )

  test('NV-05: depth, count and size are bounded before anything is verified', () => {
    for (const text of [
      `{"a":${'['.repeat(7000)}${']'.repeat(7000)}}`,
      `{"a":[${Array(5000).fill(0).join()}]}`,
      `{"a":"${'x'.repeat(9000)}"}`,
      `{"a":"${'x'.repeat(17_000)}"}`,
    ]) {
      expect(() => codec.parse(subject(payload(text)))).toThrow(
        expect.objectContaining({ code: 'ERR_TOKEN_TOO_LARGE' }),
      )
    }
  })

  test('JB-09: UTF-8 that is not is refused', () => {
    const bytes = Buffer.from('{"iss":"https://cluster.example.com","sub":"\u00e9"}', 'latin1')
    refuses(compact({ alg: 'ES256' }, bytes, key), 'ERR_TOKEN_MALFORMED')
  })
})

describe('the text', () => {
  const raw = compact({ alg: 'ES256' }, CLAIMS, key)
  const [header = '', payload = '', signature = ''] = raw.split('.')
  // A signature of 64 bytes leaves four bits of its last character unused.
  const twin = signature.slice(0, -1) + { A: 'B', Q: 'R', g: 'h', w: 'x' }[signature.slice(-1)]

  test.each([
    ['padding after the signature', `${raw}==`],
    ['padding after the header', `${header}=.${payload}.${signature}`],
    ['a line break after the token', `${raw}\n`],
    ['white space before the token', ` ${raw}`],
    ['white space inside the signature', `${header}.${payload}. ${signature}`],
    ['other trailing bits', `${header}.${payload}.${twin}`],
    ['a fourth part', `${raw}.`],
    ['the standard alphabet', `${header}.${payload}.${signature.slice(0, -4)}+/+/`],
  ])('T-02, P-01: %s is refused', (_, text) => {
    expect(verify(raw)).toBeDefined()
    refuses(text, 'ERR_TOKEN_MALFORMED')
  })

  test('T-04, P-04: the twin of a signature, (r, n-s), is of the same token for replay control', () => {
    const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const bytes = Buffer.from(signature, 'base64url')
    const s = n - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
    const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
    const again = `${header}.${payload}.${other.toString('base64url')}`
    expect(again).not.toBe(raw)
    expect(verify(again).provenance).toEqual(verify(raw).provenance)
  })

  test('T-04: so it is without a jti', () => {
    const [one, two] = [1, 2].map(() => verify(compact({ alg: 'ES256' }, { ...CLAIMS, jti: undefined }, key)))
    expect(one?.provenance.replayKey).toBe(two?.provenance.replayKey)
  })
})
