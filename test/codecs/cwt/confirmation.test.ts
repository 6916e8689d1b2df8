import { beforeAll, describe, expect, test } from 'vitest'
import type { Confirmation } from '../../../src/core/token.ts'
import type { CborLabel } from '../../../src/wire/cbor.ts'
import { type CborMap, decodeCborMap } from '../../../src/wire/cbor.ts'
import { type Encodable, encodeCbor } from '../../../src/wire/cbor-encode.ts'
import { parseCose } from '../../../src/wire/cose.ts'
import { coseKeyOf, coseThumbprint } from '../../../src/wire/cose-key-write.ts'
import { makeSigner, type TestSigner } from '../../support/cose.ts'
import { claimsSet, draft, forge, issue, trusting, verify } from '../../support/cwt.ts'

const map = (...all: [CborLabel, Encodable][]): Map<CborLabel, Encodable> => new Map(all)
const bytes = (text: string) => Buffer.from(text, 'base64url')
const X5T = Buffer.alloc(32, 9)

let signer: TestSigner
let holder: TestSigner
let other: TestSigner
beforeAll(() => {
  signer = makeSigner('ES256', 'edge')
  holder = makeSigner('ES256')
  other = makeSigner('ES256')
})

const read = (cnf: Encodable): Confirmation | undefined =>
  verify(forge(signer, claimsSet([8, cnf])), trusting([signer])).confirmation
const refuses = (cnf: Encodable) =>
  expect(() => read(cnf)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_CONFIRMATION' }))

describe('cnf of a CWT', () => {
  test('none is a bearer token', () => {
    expect(verify(forge(signer, claimsSet()), trusting([signer])).confirmation).toBeUndefined()
  })

  test('1: a COSE_Key is the key', () => {
    const confirmation = read(map([1, coseKeyOf(holder.publicKey)]))
    expect(confirmation?.publicKey?.jkt).toBe(holder.publicKey.jkt)
    expect(confirmation?.jkt).toBe(holder.publicKey.jkt)
    expect(confirmation?.publicKey?.key.type).toBe('public')
  })

  test('1: with a compressed point, and of other kinds', () => {
    const y = holder.publicKey.jwk['y']
    const compressed = coseKeyOf(holder.publicKey).set(-3, ((bytes(String(y)).at(-1) ?? 0) & 1) === 1)
    expect(read(map([1, compressed]))?.publicKey?.jkt).toBe(holder.publicKey.jkt)
    for (const name of ['Ed25519', 'RS256', 'ML-DSA-44']) {
      const { publicKey } = makeSigner(name)
      expect(read(map([1, coseKeyOf(publicKey)]))?.publicKey?.jkt).toBe(publicKey.jkt)
    }
  })

  test('5, 323, the texts jkt and x5t#S256: thumbprints', () => {
    const { jkt } = holder.publicKey
    const ckt = coseThumbprint(holder.publicKey)
    expect(read(map([5, bytes(ckt)]))).toMatchObject({ ckt, jkt: undefined, publicKey: undefined })
    expect(read(map([323, bytes(jkt)]))).toMatchObject({ jkt, ckt: undefined })
    expect(read(map(['jkt', jkt]))).toMatchObject({ jkt })
    expect(read(map(['x5t#S256', X5T]))).toMatchObject({ x5tS256: X5T.toString('base64url') })
  })

  test('CN-06 several have to name one key', () => {
    const { jkt } = holder.publicKey
    const ckt = bytes(coseThumbprint(holder.publicKey))
    const key = coseKeyOf(holder.publicKey)
    expect(read(map([1, key], [5, ckt], [323, bytes(jkt)], ['jkt', jkt], [3, Buffer.from('kid')]))?.jkt).toBe(jkt)
    refuses(map([1, coseKeyOf(other.publicKey)], [5, ckt]))
    refuses(map([1, coseKeyOf(other.publicKey)], [323, bytes(jkt)]))
    refuses(map([1, coseKeyOf(other.publicKey)], ['jkt', jkt]))
    refuses(map([323, bytes(jkt)], ['jkt', other.publicKey.jkt]))
    // Nobody can tell without the key: the presenter proves each.
    expect(read(map([5, ckt], ['jkt', other.publicKey.jkt], ['x5t#S256', X5T]))).toMatchObject({
      jkt: other.publicKey.jkt,
      ckt: ckt.toString('base64url'),
      x5tS256: X5T.toString('base64url'),
    })
  })

  test("3: a key's name alone, an empty map, and what is no map refuse", () => {
    refuses(map([3, Buffer.from('kid')]))
    refuses(map())
    for (const cnf of [1, 'x', [], null, Buffer.of(1)]) refuses(cnf)
  })

  test('CF-02 what is no confirmation method that is known is ignored beside one that is, and named', () => {
    const { jkt } = holder.publicKey
    expect(read(map([323, bytes(jkt)], [99, 'x'], ['x', 1]))).toMatchObject({ jkt, ignored: ['99', 'x'] })
    expect(read(map([323, bytes(jkt)]))).not.toHaveProperty('ignored')
    refuses(map([99, 'x']))
  })

  test('CN-08 2, 4 and the names of methods in a JWT refuse, also beside a good key', () => {
    for (const method of [2, 4, 'jwk', 'jwe', 'jku', 'osc']) {
      refuses(map([method, Buffer.alloc(32)]))
      refuses(map([1, coseKeyOf(holder.publicKey)], [method, Buffer.alloc(32)]))
    }
  })

  test('CN-07 private or symmetric key material refuses', () => {
    refuses(map([1, coseKeyOf(holder.publicKey).set(-4, Buffer.alloc(32, 1))]))
    refuses(map([1, map([1, 4], [-1, Buffer.alloc(32, 1)])]))
    refuses(map([1, coseKeyOf(makeSigner('ML-DSA-44').publicKey).set(-2, Buffer.alloc(32))]))
    refuses(map([1, 'key']))
  })

  test('thumbprints of another length or type refuse', () => {
    for (const method of [5, 323, 'x5t#S256']) {
      for (const value of [Buffer.alloc(31), Buffer.alloc(33), Buffer.alloc(0), holder.publicKey.jkt, null])
        refuses(map([method, value]))
    }
    for (const value of [`${holder.publicKey.jkt}=`, 'abc', '', bytes(holder.publicKey.jkt), 5])
      refuses(map(['jkt', value]))
  })

  test('a bad signature is refused before the key is looked at', () => {
    const raw = forge(makeSigner('ES256', 'edge'), claimsSet([8, map([1, 'no key'])]))
    expect(() => verify(raw, trusting([signer]))).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_SIGNATURE' }))
  })
})

describe('cnf that we write', () => {
  const written = (confirmation: Confirmation): CborMap => {
    const raw = issue(signer, draft({}, { confirmation }))
    const payload = decodeCborMap(parseCose(bytes(raw)).payload)
    return payload.get(8) as CborMap
  }

  test('a known key goes whole, and makes its thumbprints superfluous', () => {
    const { publicKey } = holder
    const cnf = written({ publicKey, jkt: publicKey.jkt, ckt: coseThumbprint(publicKey) })
    expect([...cnf.keys()]).toEqual([1])
    expect(cnf.get(1)).toEqual(decodeCborMap(encodeCbor(coseKeyOf(publicKey))))
  })

  test('thumbprints without the key go as they are: jkt 323, ckt 5, x5t#S256 under its name', () => {
    const { publicKey } = holder
    const cnf = written({ jkt: publicKey.jkt, ckt: coseThumbprint(publicKey), x5tS256: X5T.toString('base64url') })
    expect(cnf).toEqual(
      new Map<CborLabel, Uint8Array>([
        [5, bytes(coseThumbprint(publicKey))],
        [323, bytes(publicKey.jkt)],
        ['x5t#S256', X5T],
      ]),
    )
  })

  test("a certificate's thumbprint goes beside the key, since it binds to more", () => {
    const cnf = written({ publicKey: holder.publicKey, x5tS256: X5T.toString('base64url') })
    expect([...cnf.keys()]).toEqual([1, 'x5t#S256'])
  })

  test('is read back the same', () => {
    const { publicKey } = holder
    for (const confirmation of [
      { publicKey },
      { jkt: publicKey.jkt },
      { ckt: coseThumbprint(publicKey) },
      { x5tS256: X5T.toString('base64url') },
    ]) {
      const token = verify(issue(signer, draft({}, { confirmation })), trusting([signer]))
      const { publicKey: key, jkt, ckt, x5tS256 } = token.confirmation ?? {}
      expect([key?.jkt, jkt, ckt, x5tS256]).toEqual([
        'publicKey' in confirmation ? publicKey.jkt : undefined,
        'publicKey' in confirmation || 'jkt' in confirmation ? publicKey.jkt : undefined,
        'ckt' in confirmation ? confirmation.ckt : undefined,
        'x5tS256' in confirmation ? confirmation.x5tS256 : undefined,
      ])
    }
  })
})
