import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { DragomanError } from '../../../src/core/errors.ts'
import type { Token } from '../../../src/core/token.ts'
import { isBytes, isList, isMap, map, sameValue, type Value } from '../../../src/core/value.ts'
import { toBase64url } from '../../../src/wire/base64url.ts'
import { CborWriter, Encoded, encodeCbor } from '../../../src/wire/cbor-encode.ts'
import { makeSigner, type TestSigner } from '../../support/cose.ts'
import { claimsSet, draft, forge, issue, NOW, parse, rendering, trusting, verify } from '../../support/cwt.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 200)

let signer: TestSigner
beforeAll(() => {
  signer = makeSigner('ES256', 'edge')
})

const PROTOTYPES = ['__proto__', 'constructor', 'prototype']
const name = fc.string({ unit: 'grapheme', maxLength: 10 }).filter((text) => !PROTOTYPES.includes(text))
const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }),
  fc.boolean(),
  fc.constant(null),
)
const treeOf = (leaves: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
  fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaves,
      fc.array(tie('value'), { maxLength: 5 }),
      fc.uniqueArray(fc.tuple(name, tie('value')), { selector: ([key]) => key, maxLength: 5 }).map((all) => map(all)),
    ),
  })).value
const json = treeOf(leaf)
const withBytes = treeOf(fc.oneof(leaf, fc.uint8Array({ maxLength: 40 })))

/** Names of private claims: none that the codec reads or writes in a way of its own. */
const claimName = name.filter(
  (text) =>
    !/^cwt:/.test(text) &&
    !['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'cti', 'cnf', 'scope', 'exi', 'act', 'status'].includes(text),
)
const claims = (value: fc.Arbitrary<Value>) =>
  fc.uniqueArray(fc.tuple(claimName, value), { selector: ([key]) => key, maxLength: 8 })

describe('reading what was written', () => {
  test('says what the draft said, for every JSON value and for bytes, in each encoding', () => {
    const encodings = fc.record({
      tag: fc.constantFrom('cwt', 'cose'),
      cose: fc.constantFrom('sign1', 'sign'),
      cose_ids: fc.constantFrom('classic', 'fully-specified'),
      kid_in: fc.constantFrom('protected', 'unprotected'),
    })
    const times = fc.integer({ min: 0, max: 2 ** 40 })
    fc.assert(
      fc.property(
        claims(fc.oneof(json, withBytes)),
        fc.uniqueArray(fc.webUrl(), { maxLength: 4 }),
        fc.option(fc.uniqueArray(fc.stringMatching(/^[a-z:.]{1,8}$/), { maxLength: 4 }), { nil: undefined }),
        fc.tuple(times, times, times),
        encodings,
        (entries, audience, scope, [issuedAt, notBefore, expiresAt], options) => {
          const validity = { issuedAt, notBefore, expiresAt, audience, scope }
          const what = draft(Object.fromEntries(entries), { validity })
          const token = verify(
            issue(signer, what, rendering({ options: map(Object.entries(options)) })),
            trusting([signer]),
          )
          expect(token.validity).toEqual(validity)
          expect(sameValue(token.claims, what.claims)).toBe(true)
          expect(hasPrototype(token.claims)).toBe(false)
        },
      ),
      { numRuns: runs },
    )
  })
})

function hasPrototype(value: Value): boolean {
  if (isList(value)) return value.some(hasPrototype)
  if (isBytes(value) || !isMap(value)) return false
  return Object.getPrototypeOf(value) !== null || Object.values(value).some(hasPrototype)
}

/** A token that is read and verified, or the refusal; anything else is a defect. */
function attempt(raw: string): Token | undefined {
  try {
    return verify(raw, trusting([signer]))
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    return undefined
  }
}

describe('hostile bytes', () => {
  test('a changed token is refused, or says the same by the same signature', () => {
    const options = map([['kid_in', 'unprotected']])
    const good = Buffer.from(issue(signer, draft({ a: 1, b: [true, 'x'] }), rendering({ options })), 'base64url')
    const original = verify(toBase64url(good), trusting([signer]))
    const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(edits, fc.nat(4), fc.nat(good.length), (changes, cut, at) => {
        const bad = Buffer.from(good)
        for (const [where, byte] of changes) bad[where] = byte
        for (const bytes of [bad, Buffer.concat([bad.subarray(0, at), bad.subarray(at + cut)])]) {
          const token = attempt(toBase64url(bytes))
          if (token) expect(token.provenance.digest).toBe(original.provenance.digest)
        }
      }),
      { numRuns: runs * 5 },
    )
  })

  test('any claims, well signed, are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (payload) => {
        attempt(forge(signer, new Encoded(payload)))
        attempt(forge(signer, claimsSet(['a', new Encoded(payload)])))
      }),
      { numRuns: runs },
    )
  })

  test('any header, well signed, is read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (protectedBytes, unprotected) => {
        attempt(forge(signer, claimsSet(), { protectedBytes }))
        attempt(forge(signer, claimsSet(), { unprotected }))
      }),
      { numRuns: runs },
    )
  })

  test('any text and any bytes are read or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 300 }).map(toBase64url)),
        (raw) => {
          attempt(raw)
        },
      ),
      { numRuns: runs * 5 },
    )
  })

  // Each is about the largest that is let in, and made to cost as much as it can; the suite's time limit is the check.
  test.each([
    ['arrays in arrays', Buffer.alloc(49_000, 0x81)],
    ['maps in maps', Buffer.from('a100'.repeat(24_000), 'hex')],
    ['tags on tags', Buffer.alloc(49_000, 0xd2)],
    ['many small items', new CborWriter().array(49_000).raw(Buffer.alloc(49_000)).done()],
    ['long text', encodeCbor('ä'.repeat(24_000))],
  ] as const)('%s end soon, outside and as claims', (_what, bytes) => {
    expect(attempt(toBase64url(bytes))).toBeUndefined()
    expect(attempt(forge(signer, new Encoded(bytes.subarray(0, 16_000))))).toBeUndefined()
  })

  test('4000 audiences, keys that collide and 100 keys to try end soon', () => {
    const many = new Map<string, number>([...Array(1900).keys()].map((n) => [`k${n}`, n]))
    expect(attempt(forge(signer, claimsSet(['a', many])))?.claims['a']).toBeDefined()
    expect(attempt(forge(signer, claimsSet([3, Array(4000).fill('a')])))).toBeUndefined()
    const others = Array.from({ length: 100 }, () => makeSigner('ES256', 'other'))
    const raw = forge(signer, claimsSet(), { unprotected: new Map() })
    // Eight are tried, so that no one makes us try all.
    expect(() => verify(raw, trusting([...others, signer]))).toThrow(
      expect.objectContaining({ code: 'ERR_TOKEN_SIGNATURE' }),
    )
    expect(() => verify(raw, trusting([...others.slice(0, 7), signer]))).not.toThrow()
  })

  test('an error tells no claim, no kid and no signature', () => {
    const secret = 'do-not-tell'
    const raws = [
      forge(signer, claimsSet([1, secret])),
      forge(signer, claimsSet([2, Buffer.from(secret)])),
      forge(signer, claimsSet([3, [secret, 1]])),
      forge(signer, claimsSet([8, new Map([['jkt', secret]])])),
      forge(signer, claimsSet([9, `${secret}  x`])),
      forge(signer, claimsSet(), { unprotected: new Map([[4, Buffer.from(secret)]]) }),
      forge(makeSigner('ES256', 'edge'), claimsSet([2, secret], [4, NOW])),
    ]
    for (const raw of raws) {
      try {
        verify(raw, trusting([signer]))
        expect.unreachable()
      } catch (error) {
        expect(error).toBeInstanceOf(DragomanError)
        const { message, detail } = error as DragomanError
        expect(`${message} ${JSON.stringify(detail)}`).not.toContain(secret)
      }
    }
  })

  test('parse shows nothing of the claims but the issuer', () => {
    expect(JSON.stringify(parse(forge(signer, claimsSet([2, 'subject']))))).not.toContain('subject')
  })
})
