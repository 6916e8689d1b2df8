import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import type { CborLabel } from '../../src/wire/cbor.ts'
import { CborWriter, type Encodable, Encoded, encodeCbor } from '../../src/wire/cbor-encode.ts'
import {
  byteHead,
  type CoseRules,
  keyId,
  parseCose,
  signatureAlgorithm,
  signaturePrefix,
  signedBytes,
} from '../../src/wire/cose.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 300)
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const map = (...entries: [CborLabel, Encodable][]): Map<CborLabel, Encodable> => new Map(entries)

const ALG = map([1, -7])
const PAYLOAD = encodeCbor(map([1, 'issuer']))
const SIGNATURE = Buffer.alloc(64, 7)

/** A message by its parts, each of which a test can replace. */
function message({
  tags = [18],
  protectedMap = ALG,
  unprotected = map(),
  payload = PAYLOAD,
  last = SIGNATURE,
  more = [],
}: {
  tags?: readonly number[]
  protectedMap?: Encodable
  unprotected?: Encodable
  payload?: Encodable
  last?: Encodable
  more?: readonly Encodable[]
} = {}): Buffer {
  const writer = new CborWriter()
  for (const tag of tags) writer.tag(tag)
  const bucket = protectedMap instanceof Map ? encodeCbor(protectedMap) : protectedMap
  return writer.value([bucket, unprotected, payload, last, ...more]).done()
}

const signer = (protectedMap: Encodable = encodeCbor(ALG), unprotected: Encodable = map()): Encodable => [
  protectedMap,
  unprotected,
  SIGNATURE,
]

const refuses = (bytes: Uint8Array, code: string, rules: CoseRules = {}) =>
  expect(() => parseCose(bytes, rules)).toThrow(expect.objectContaining({ code }))

describe('parseCose', () => {
  test('reads COSE_Sign1 and COSE_Sign, with and without the CWT tag before them', () => {
    for (const tags of [[18], [61, 18]]) expect(parseCose(message({ tags })).kind).toBe('sign1')
    for (const tags of [[98], [61, 98]]) expect(parseCose(message({ tags, last: [signer()] })).kind).toBe('sign')
  })

  test('CT-02 refuses the CWT tag over an array without a COSE tag, and twice', () => {
    refuses(message({ tags: [61] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ tags: [61] }), 'ERR_TOKEN_MALFORMED', { untagged: 'sign1' })
    refuses(message({ tags: [61, 61, 18] }), 'ERR_TOKEN_MALFORMED')
  })

  test('CT-03 refuses an array without a tag, unless told what it is', () => {
    refuses(message({ tags: [] }), 'ERR_TOKEN_MALFORMED')
    expect(parseCose(message({ tags: [] }), { untagged: 'sign1' }).kind).toBe('sign1')
  })

  test('refuses other COSE messages and other tags: 16, 17, 96, 97, 998, and 18 twice', () => {
    for (const tag of [16, 17, 96, 97, 998]) refuses(message({ tags: [tag] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ tags: [18, 18] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ tags: [61, 17] }), 'ERR_TOKEN_MALFORMED')
  })

  test('CT-07 refuses a claims set without COSE, and a tag over something else than an array', () => {
    refuses(encodeCbor(map([1, 'issuer'])), 'ERR_TOKEN_MALFORMED')
    refuses(new CborWriter().tag(18).value(map()).done(), 'ERR_TOKEN_MALFORMED')
    refuses(new CborWriter().tag(32).value('https://x.example').done(), 'ERR_TOKEN_MALFORMED')
  })

  test('refuses arrays of 3 and 5, and parts of another type', () => {
    refuses(
      new CborWriter()
        .tag(18)
        .value([encodeCbor(ALG), map(), PAYLOAD])
        .done(),
      'ERR_TOKEN_MALFORMED',
    )
    refuses(message({ more: [SIGNATURE] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ protectedMap: ['x'] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ protectedMap: encodeCbor([]) }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ unprotected: [] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ payload: 'text' }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ last: 'text' }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ last: [signer()] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ tags: [98] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ tags: [98], last: [] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ tags: [98], last: [[encodeCbor(ALG), map()]] }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ tags: [98], last: [[encodeCbor(ALG), map(), 'text']] }), 'ERR_TOKEN_MALFORMED')
  })

  test('CO-08 refuses a payload that is elsewhere', () => {
    refuses(message({ payload: null }), 'ERR_TOKEN_MALFORMED')
  })

  test('CT-08 refuses bytes after the message, indefinite lengths and heads that are too long', () => {
    refuses(Buffer.concat([message(), Buffer.of(0)]), 'ERR_TOKEN_MALFORMED')
    const body = message({ tags: [] }).subarray(1)
    refuses(Buffer.concat([hex('d2 9f'), body, hex('ff')]), 'ERR_TOKEN_MALFORMED')
    refuses(Buffer.concat([hex('d2 98 04'), body]), 'ERR_TOKEN_MALFORMED')
    refuses(Buffer.concat([hex('d8 12 84'), body]), 'ERR_TOKEN_MALFORMED')
    refuses(message({ protectedMap: hex('bf0126ff') }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ protectedMap: hex('a10126 00') }), 'ERR_TOKEN_MALFORMED')
  })

  test('T-06 CO-03 refuses a label in both buckets', () => {
    refuses(message({ unprotected: map([1, -7]) }), 'ERR_TOKEN_DUPLICATE')
    refuses(message({ protectedMap: map([1, -7], ['x', 1]), unprotected: map(['x', 1]) }), 'ERR_TOKEN_DUPLICATE')
    refuses(message({ tags: [98], last: [signer(encodeCbor(ALG), ALG)] }), 'ERR_TOKEN_DUPLICATE')
  })

  test('CO-03 refuses a label twice in one bucket', () => {
    refuses(message({ protectedMap: hex('a2 01 26 01 26') }), 'ERR_TOKEN_DUPLICATE')
    refuses(message({ unprotected: new Encoded(hex('a2 04 41 00 04 41 00')) }), 'ERR_TOKEN_DUPLICATE')
  })

  test('CO-04 refuses labels that are neither integer nor text', () => {
    refuses(message({ protectedMap: hex('a1 41 01 26') }), 'ERR_TOKEN_MALFORMED')
    refuses(message({ unprotected: new Encoded(hex('a1 f9 3c 00 26')) }), 'ERR_TOKEN_MALFORMED')
  })

  test('T-06 CO-05 crit: unknown, absent, unprotected, empty or malformed refuses; understood passes', () => {
    refuses(message({ protectedMap: map([1, -7], [2, ['x']], ['x', 1]) }), 'ERR_TOKEN_HEADER')
    refuses(message({ protectedMap: map([1, -7], [2, [4]]), unprotected: map([4, Buffer.of(1)]) }), 'ERR_TOKEN_HEADER')
    refuses(message({ protectedMap: map([1, -7], [2, [16]]) }), 'ERR_TOKEN_HEADER')
    refuses(message({ protectedMap: map([1, -7], [2, [16]], [16, 'a/b']) }), 'ERR_TOKEN_HEADER')
    refuses(message({ unprotected: map([2, [1]]) }), 'ERR_TOKEN_HEADER')
    refuses(message({ protectedMap: map([1, -7], [2, []]) }), 'ERR_TOKEN_HEADER')
    refuses(message({ protectedMap: map([1, -7], [2, 1]) }), 'ERR_TOKEN_HEADER')
    refuses(message({ protectedMap: map([1, -7], [2, [[1]]]) }), 'ERR_TOKEN_HEADER')
    refuses(message({ tags: [98], last: [signer(encodeCbor(map([1, -7], [2, ['x']], ['x', 1])))] }), 'ERR_TOKEN_HEADER')
    expect(() => parseCose(message({ protectedMap: map([1, -7], [2, [1]]) }))).not.toThrow()
    const understood = new Set<CborLabel>([16])
    const typed = message({ protectedMap: map([1, -7], [2, [16]], [16, 'a/b']) })
    expect(() => parseCose(typed, { understood })).not.toThrow()
  })

  test('CO-12 refuses several signatures, unless they are asked for, and then more than four', () => {
    const signed = (count: number) => message({ tags: [98], last: Array(count).fill(signer()) })
    refuses(signed(2), 'ERR_TOKEN_MALFORMED')
    expect(parseCose(signed(2), { several: true }).signatures).toHaveLength(2)
    refuses(signed(5), 'ERR_TOKEN_MALFORMED', { several: true })
  })

  test('any bytes, and any one byte changed, are read or refused, and never anything else', () => {
    const good = message({ tags: [61, 98], unprotected: map([4, Buffer.of(1)], ['x', [1, 2]]), last: [signer()] })
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(good.length), (at, byte, cut) => {
        const bad = Buffer.from(good)
        bad[at] = byte
        for (const bytes of [bad, good.subarray(0, cut)]) {
          try {
            parseCose(bytes, { untagged: 'sign1', several: true })
          } catch (error) {
            expect(error).toBeInstanceOf(DragomanError)
          }
        }
      }),
      { numRuns: runs * 3 },
    )
  })
})

describe('signatureAlgorithm', () => {
  const of = (protectedMap: Encodable, unprotected: Encodable = map()) =>
    signatureAlgorithm(parseCose(message({ protectedMap, unprotected })).signatures[0])

  test('knows the identifiers of RFC 9053 and of RFC 9864', () => {
    expect(of(map([1, -7])).name).toBe('ES256')
    expect(of(map([1, -9])).name).toBe('ES256')
    expect(of(map([1, -19])).name).toBe('Ed25519')
    expect(of(map([1, -50])).name).toBe('ML-DSA-87')
  })

  test('T-06 CO-06 refuses it in the unprotected bucket', () => {
    expect(() => of(map(), map([1, -7]))).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_HEADER' }))
  })

  test('refuses none, text, a float, a MAC and an unknown number', () => {
    const half = new Encoded(hex('f9c700')) // -7.0
    for (const alg of [undefined, 'ES256', half, 5, -999, null]) {
      const headers = alg === undefined ? map() : map([1, alg])
      expect(() => of(headers)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_ALGORITHM' }))
    }
  })
})

describe('keyId', () => {
  const of = (protectedMap: Encodable, unprotected: Encodable) =>
    keyId(parseCose(message({ protectedMap, unprotected })).signatures[0])

  test('takes it from either bucket, as bytes and nothing else', () => {
    expect(of(map([1, -7], [4, Buffer.of(9)]), map())).toEqual(Buffer.of(9))
    expect(of(ALG, map([4, Buffer.of(9)]))).toEqual(Buffer.of(9))
    expect(of(ALG, map())).toBeUndefined()
    expect(() => of(ALG, map([4, 'text']))).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_HEADER' }))
  })
})

describe('signedBytes', () => {
  test('is the Sig_structure of RFC 9052, in core deterministic CBOR, for payloads of any length', () => {
    for (const length of [0, 23, 24, 255, 256, 65_535, 65_536]) {
      const payload = Buffer.alloc(length, 1)
      const parsed = parseCose(message({ payload }))
      const aad = Buffer.alloc(30, 2)
      expect(signedBytes(parsed, parsed.signatures[0], aad)).toEqual(
        Buffer.from(encodeCbor(['Signature1', encodeCbor(ALG), aad, payload])),
      )
      const body = encodeCbor(map([3, 0]))
      const several = parseCose(message({ tags: [98], protectedMap: body, payload, last: [signer()] }))
      expect(signedBytes(several, several.signatures[0])).toEqual(
        Buffer.from(encodeCbor(['Signature', body, encodeCbor(ALG), Buffer.alloc(0), payload])),
      )
    }
  })

  test('CO-02 covers the protected bucket as received, not as we would write it', () => {
    const unsorted = hex('a2 04 41 00 01 26')
    const parsed = parseCose(message({ protectedMap: unsorted }))
    expect(signedBytes(parsed, parsed.signatures[0]).includes(unsorted)).toBe(true)
  })

  test('P-03 takes an empty protected bucket, however sent, for the zero-length string', () => {
    const forms = [hex('a0'), Buffer.alloc(0)].map((protectedMap) => parseCose(message({ protectedMap })))
    for (const form of forms) {
      expect(signedBytes(form, form.signatures[0])).toEqual(
        Buffer.from(encodeCbor(['Signature1', Buffer.alloc(0), Buffer.alloc(0), PAYLOAD])),
      )
    }
  })

  test('is what a writer puts together from its prefix', () => {
    const parsed = parseCose(message())
    const prefix = signaturePrefix([encodeCbor(ALG)])
    expect(Buffer.concat([prefix, byteHead(PAYLOAD.length), PAYLOAD])).toEqual(
      signedBytes(parsed, parsed.signatures[0]),
    )
  })
})
