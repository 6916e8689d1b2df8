import { beforeAll, describe, expect, test } from 'vitest'
import { tokenTypes } from '../../../src/core/types.ts'
import { isBytes, type Value } from '../../../src/core/value.ts'
import type { CborLabel } from '../../../src/wire/cbor.ts'
import { Float, Tagged } from '../../../src/wire/cbor.ts'
import { type Encodable, Encoded } from '../../../src/wire/cbor-encode.ts'
import { makeSigner, type TestSigner } from '../../support/cose.ts'
import { claimsSet, forge, ISSUER, NOW, trusting, verify } from '../../support/cwt.ts'

const code = (name: string) => expect.objectContaining({ code: name })
const map = (...all: [CborLabel, Encodable][]): Map<CborLabel, Encodable> => new Map(all)

let signer: TestSigner
beforeAll(() => {
  signer = makeSigner('ES256', 'edge')
})

const read = (...entries: [CborLabel, Encodable][]) => verify(forge(signer, claimsSet(...entries)), trusting([signer]))
const refuses = (name: string, ...entries: [CborLabel, Encodable][]) =>
  expect(() => read(...entries)).toThrow(code(name))
/** Claims that are put together as they stand, so that a key can be there twice. */
const refusesRaw = (name: string, hex: string) =>
  expect(() => verify(forge(signer, new Encoded(Buffer.from(hex, 'hex'))), trusting([signer]))).toThrow(code(name))

describe('registered claims', () => {
  test('iss is text, and has to be there', () => {
    for (const iss of [1, Buffer.from(ISSUER), null, [ISSUER], new Float(1)]) refuses('ERR_TOKEN_CLAIM', [1, iss])
    const raw = forge(signer, map([2, 'subject'], [4, NOW]))
    expect(() => verify(raw, trusting([signer]))).toThrow(code('ERR_TOKEN_CLAIM'))
  })

  test('sub is text', () => {
    expect(read([2, 'me']).claims['sub']).toBe('me')
    for (const sub of [1, Buffer.from('me'), null, ['me']]) refuses('ERR_TOKEN_CLAIM', [2, sub])
    expect(verify(forge(signer, map([1, ISSUER])), trusting([signer])).claims['sub']).toBeUndefined()
  })

  test('aud is text or an array of text, of at most 32', () => {
    expect(read([3, 'a']).validity.audience).toEqual(['a'])
    expect(read([3, ['a', 'b']]).validity.audience).toEqual(['a', 'b'])
    expect(read().validity.audience).toEqual([])
    expect(read([3, Array(32).fill('a')]).validity.audience).toHaveLength(32)
    refuses('ERR_TOKEN_CLAIM', [3, Array(33).fill('a')])
    for (const aud of [1, null, Buffer.from('a'), [1], ['a', null], map(), [], '', ['a', '']])
      refuses('ERR_TOKEN_CLAIM', [3, aud])
  })

  test.each([
    ['exp', 4, 'expiresAt'],
    ['nbf', 5, 'notBefore'],
    ['iat', 6, 'issuedAt'],
  ] as const)('CW-02 NV-07 %s is an integer or a float, never tagged, text or out of range', (_name, key, field) => {
    expect(read([key, NOW]).validity[field]).toBe(NOW)
    expect(read([key, NOW + 0.5]).validity[field]).toBe(NOW + 0.5)
    expect(read([key, new Float(NOW)]).validity[field]).toBe(NOW)
    expect(read([key, -1]).validity[field]).toBe(-1)
    refuses('ERR_TOKEN_MALFORMED', [key, new Tagged(1, NOW)])
    refuses('ERR_TOKEN_MALFORMED', [key, new Tagged(0, '2026-11-01T00:00:00Z')])
    refuses('ERR_TOKEN_CLAIM', [key, new Tagged(32, 'https://x.example')])
    for (const time of [String(NOW), null, true, [NOW], Buffer.of(1), new Float(1e300)])
      refuses('ERR_TOKEN_CLAIM', [key, time])
    refuses('ERR_TOKEN_MALFORMED', [key, new Encoded(Buffer.from('f97c00', 'hex'))])
    refuses('ERR_TOKEN_MALFORMED', [key, new Encoded(Buffer.from('1b0020000000000000', 'hex'))])
  })

  test('T-14 CW-05 times above 2^32 are integers, also from encoders that write them as floats', () => {
    const late = 2 ** 32 + 12_345
    const asFloat = new Encoded(Buffer.from('fb41f0000303900000', 'hex'))
    expect(read([4, late]).validity.expiresAt).toBe(late)
    expect(read([4, asFloat]).validity.expiresAt).toBe(late)
  })

  test('cti is bytes, and becomes the identifier in one form only', () => {
    expect(read([7, Buffer.from('ab')]).provenance.id).toBe('b64:YWI')
    for (const cti of ['ab', 1, null, Buffer.alloc(0), [Buffer.of(1)]]) refuses('ERR_TOKEN_CLAIM', [7, cti])
  })

  test('scope is text by the grammar of RFC 6749; bytes refuse, since they are another language', () => {
    expect(read([9, 'read write']).validity.scope).toEqual(['read', 'write'])
    expect(read([9, '']).validity.scope).toEqual([])
    expect(read().validity.scope).toBeUndefined()
    for (const scope of [Buffer.from('read'), ['read'], 1, 'a  b', ' a', 'a\tb', 'a"b', 'ä']) {
      refuses('ERR_TOKEN_CLAIM', [9, scope])
    }
  })

  test('CW-01 iss, sub and aud with a colon are URIs, as far as having no white space and no control character', () => {
    for (const bad of ['https://a b.example', 'a:\n', 'a:\u0000']) {
      for (const key of [1, 2, 3]) refuses('ERR_TOKEN_CLAIM', [key, bad])
      refuses('ERR_TOKEN_CLAIM', [3, ['a', bad]])
    }
    expect(read([2, 'Ada Lovelace']).claims['sub']).toBe('Ada Lovelace')
    expect(read([2, 'repo:a/b:ref:c']).claims['sub']).toBe('repo:a/b:ref:c')
  })

  test('act has the shape of RFC 8693 and at most eight actors', () => {
    const chain = (actors: number): Encodable =>
      actors === 0 ? map(['sub', 'first']) : map(['sub', `actor ${actors}`], ['act', chain(actors - 1)])
    expect(read(['act', chain(7)]).claims['act']).toMatchObject({ sub: 'actor 7' })
    refuses('ERR_TOKEN_ACT', ['act', chain(8)])
    refuses('ERR_TOKEN_ACT', ['act', 'me'])
  })

  test('none of them is among the claims but sub', () => {
    const token = read([3, 'a'], [5, NOW], [6, NOW], [7, Buffer.of(1)], [9, 'read'], ['email', 'a@b.example'])
    expect(Object.keys(token.claims).sort()).toEqual(['email', 'sub'])
    expect(Object.getPrototypeOf(token.claims)).toBeNull()
    expect(token.provenance.type).toBe(tokenTypes.cwt)
  })

  test('eat_nonce, ace_profile, cnonce and status have their names and types', () => {
    const status = map(['status_list', map(['idx', 1], ['uri', 'https://x.example/s'])])
    const { claims } = read([10, Buffer.of(1)], [38, 2], [39, Buffer.of(2)], [65535, status])
    expect(claims).toMatchObject({ eat_nonce: Buffer.of(1), ace_profile: 2, cnonce: Buffer.of(2) })
    expect(claims['status']).toMatchObject({ status_list: { idx: 1, uri: 'https://x.example/s' } })
    expect(read([10, [Buffer.of(1), Buffer.of(2)]]).claims['eat_nonce']).toEqual([Buffer.of(1), Buffer.of(2)])
    for (const entry of [
      [10, 'n'],
      [10, []],
      [38, 'p'],
      [38, 1.5],
      [39, 'n'],
      [65535, 'x'],
    ] as const) {
      refuses('ERR_TOKEN_CLAIM', [entry[0], entry[1]])
    }
  })

  test('exi refuses: a lifetime from receipt would start afresh with each exchange', () => {
    refuses('ERR_TOKEN_CLAIM', [40, 60])
    refuses('ERR_TOKEN_CLAIM', ['exi', 60])
  })
})

describe('NV-03 names', () => {
  test('T-05 a claim under its number and its name is a repeated claim', () => {
    refuses('ERR_TOKEN_DUPLICATE', ['iss', 'https://evil.example'])
    refuses('ERR_TOKEN_DUPLICATE', ['sub', 'root'])
    refuses('ERR_TOKEN_DUPLICATE', ['exp', NOW * 2])
    refuses('ERR_TOKEN_DUPLICATE', [7, Buffer.of(1)], ['jti', 'x'])
    refuses('ERR_TOKEN_DUPLICATE', [10, Buffer.of(1)], ['eat_nonce', 'x'])
    refuses('ERR_TOKEN_DUPLICATE', [65535, map()], ['status', 'x'])
    refuses('ERR_TOKEN_DUPLICATE', [500, 1], ['a', 1], [9, 'read'], ['scope', 'write'])
  })

  test('a claim of the token itself under its name alone refuses too', () => {
    for (const name of ['aud', 'nbf', 'iat', 'jti', 'cti', 'cnf', 'scope']) refuses('ERR_TOKEN_CLAIM', [name, 'x'])
    const raw = forge(signer, map(['iss', ISSUER], [4, NOW]))
    expect(() => verify(raw, trusting([signer]))).toThrow(code('ERR_TOKEN_CLAIM'))
  })

  test('T-05 P-06 a repeated key refuses, in the claims and inside one', () => {
    refusesRaw('ERR_TOKEN_DUPLICATE', 'a2 01 6161 01 6162'.replaceAll(' ', ''))
    refusesRaw('ERR_TOKEN_DUPLICATE', 'a2 01 6161 6178 a2 6161 01 6161 02'.replaceAll(' ', ''))
  })

  test('an integer key that we do not know goes on as cwt: and its number', () => {
    const { claims } = read([500, 'x'], [-70_000, 1], [0, true])
    expect(claims).toMatchObject({ 'cwt:500': 'x', 'cwt:-70000': 1, 'cwt:0': true })
  })

  test('a text key that looks like one of those refuses, so that nobody writes a number by its name', () => {
    for (const name of ['cwt:500', 'cwt:4', 'cwt:-1', 'cwt:0']) refuses('ERR_TOKEN_CLAIM', [name, 1])
    expect(read(['cwt:', 1], ['cwt:007', 2], ['cwt:x', 3]).claims).toMatchObject({ 'cwt:007': 2 })
  })

  test('NV-04 __proto__, constructor and prototype refuse, at any depth', () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      refuses('ERR_TOKEN_CLAIM', [name, map()])
      refuses('ERR_TOKEN_CLAIM', ['a', [map(['b', map([name, 1])])]])
    }
  })

  test('names of other members of Object.prototype are claims like any other', () => {
    expect(read(['toString', 'x'], ['hasOwnProperty', 1]).claims['toString']).toBe('x')
  })
})

describe('values', () => {
  test('text, numbers, lists, records, null and bytes are themselves', () => {
    const { claims } = read(
      ['text', 'Größe'],
      ['integer', -5],
      ['real', 1.25],
      ['list', [1, 'a', [null]]],
      ['record', map(['a', map(['b', true])])],
      ['bytes', Buffer.of(1, 2)],
    )
    expect(claims).toMatchObject({
      text: 'Größe',
      integer: -5,
      real: 1.25,
      list: [1, 'a', [null]],
      record: { a: { b: true } },
    })
    expect(isBytes(claims['bytes']) && Buffer.from(claims['bytes']).toString('hex')).toBe('0102')
    expect(Object.getPrototypeOf(claims['record'])).toBeNull()
  })

  test('a real without fraction is the number it is; beyond ±(2^53-1) it refuses', () => {
    expect(read(['score', new Float(2)]).claims['score']).toBe(2)
    expect(Object.is(read(['score', new Float(-0)]).claims['score'] as Value, 0)).toBe(true)
    refuses('ERR_TOKEN_CLAIM', ['score', new Float(2 ** 60)])
  })

  test('integer keys inside a claim refuse', () => {
    refuses('ERR_TOKEN_CLAIM', ['a', map([1, 2])])
    refuses('ERR_TOKEN_CLAIM', ['act', map([2, 'me'])])
  })

  test('T-05 NV-06 tags inside claims refuse, but tag 32 around text, which is dropped', () => {
    expect(read(['page', new Tagged(32, 'https://x.example')]).claims['page']).toBe('https://x.example')
    refuses('ERR_TOKEN_CLAIM', ['page', new Tagged(32, 5)])
    for (const tag of [0, 1, 2, 3, 18, 24, 27, 28, 61, 258])
      refuses('ERR_TOKEN_MALFORMED', ['a', new Tagged(tag, Buffer.of(1))])
    refuses('ERR_TOKEN_CLAIM', [1, new Tagged(32, ISSUER)])
    refuses('ERR_TOKEN_CLAIM', [2, new Tagged(32, 'me')])
    refuses('ERR_TOKEN_CLAIM', [3, new Tagged(32, 'https://x.example')])
  })

  test('NV-05 16 levels are taken, 17 refuse', () => {
    const nested = (levels: number): Encodable => (levels === 0 ? 1 : [nested(levels - 1)])
    expect(() => read(['a', nested(15)])).not.toThrow()
    refuses('ERR_TOKEN_TOO_LARGE', ['a', nested(16)])
  })
})

describe('RFC 9597 claims in the protected header', () => {
  const withHeader = (replica: Encodable, claims = claimsSet()) =>
    verify(forge(signer, claims, { protectedMap: map([1, -7], [15, replica]) }), trusting([signer]))

  test('CH-03 a claim that is in both has to be the same', () => {
    expect(withHeader(map([1, ISSUER], [4, NOW + 300])).claims['sub']).toBe('spiffe://cluster.example.com/orders')
    expect(() => withHeader(map([1, 'https://evil.example']))).toThrow(code('ERR_TOKEN_HEADER'))
    expect(() => withHeader(map([4, NOW + 301]))).toThrow(code('ERR_TOKEN_HEADER'))
    expect(() => withHeader(map([4, new Float(NOW + 300)]))).toThrow(code('ERR_TOKEN_HEADER'))
    expect(() => withHeader(map(['a', [1, 2]]), claimsSet(['a', [1, 3]]))).toThrow(code('ERR_TOKEN_HEADER'))
    expect(
      withHeader(map(['a', [1, map(['b', Buffer.of(1)])]]), claimsSet(['a', [1, map(['b', Buffer.of(1)])]])),
    ).toBeDefined()
  })

  test('a claim that is there alone counts: it is signed, and a restriction must not get lost', () => {
    const token = withHeader(map([3, 'https://only.example'], ['role', 'guest'], [5, NOW]))
    expect(token.validity).toMatchObject({ audience: ['https://only.example'], notBefore: NOW })
    expect(token.claims['role']).toBe('guest')
    expect(withHeader(map([1, ISSUER]), map([2, 'me'])).claims['sub']).toBe('me')
  })

  test('NV-03 names are unique over both', () => {
    expect(() => withHeader(map(['sub', 'root']))).toThrow(code('ERR_TOKEN_DUPLICATE'))
  })

  test("CH-02 CH-04 in the unprotected bucket it is nobody's word; in both it refuses", () => {
    const unprotected = map([4, Buffer.from('edge')], [15, map([2, 'root'])])
    expect(verify(forge(signer, claimsSet(), { unprotected }), trusting([signer])).claims['sub']).not.toBe('root')
    const both = { protectedMap: map([1, -7], [15, map()]), unprotected }
    expect(() => verify(forge(signer, claimsSet(), both), trusting([signer]))).toThrow(code('ERR_TOKEN_DUPLICATE'))
  })

  test('anything but a map refuses', () => {
    for (const value of [1, 'x', [], null, Buffer.of(0xa0)])
      expect(() => withHeader(value)).toThrow(code('ERR_TOKEN_HEADER'))
  })
})
