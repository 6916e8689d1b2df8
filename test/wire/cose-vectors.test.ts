import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Algorithm, cryptoKey, fits, verifySignature } from '../../src/core/algorithms.ts'
import type { PublicKey } from '../../src/core/keys.ts'
import { map } from '../../src/core/value.ts'
import { type CborMap, decodeCborMap } from '../../src/wire/cbor.ts'
import { encodeCbor } from '../../src/wire/cbor-encode.ts'
import {
  type CoseRules,
  type CoseSignature,
  keyId,
  parseCose,
  signatureAlgorithm,
  signedBytes,
} from '../../src/wire/cose.ts'
import { publicKeyFromCoseKey } from '../../src/wire/cose-key.ts'
import { coseKeyOf, coseThumbprint } from '../../src/wire/cose-key-write.ts'
import { publicKeyFromJwk } from '../../src/wire/jwk.ts'
import { algorithm } from '../support/cose.ts'

interface VectorKey {
  readonly [member: string]: string
}
interface VectorSigner {
  readonly key: VectorKey
  readonly external?: string
}
interface Vector {
  readonly title: string
  readonly fail?: boolean
  readonly input: { readonly sign0?: VectorSigner; readonly sign?: { readonly signers: VectorSigner[] } }
  readonly intermediates: {
    readonly ToBeSign_hex?: string
    readonly signers?: readonly { readonly ToBeSign_hex: string }[]
  }
  readonly output: { readonly cbor: string }
}

const root = new URL('../vectors/cose-wg/', import.meta.url)
const folders = readdirSync(root).filter((name) => name !== 'ORIGIN.md')
const files = folders.flatMap((folder) =>
  readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith('.json'))
    .map((name) => `${folder}/${name}`),
)
const vector = (file: string): Vector => JSON.parse(readFileSync(new URL(file, root), 'utf8'))

const MACED_OR_ENCRYPTED =
  'a MACed or encrypted message: a verifier of a MAC could forge, and nothing is decrypted here'

/** Whole folders and single files that are refused as they are read, with the reason code and why that is right. */
const REFUSED: { readonly [file: string]: readonly [code: string, why: string] } = {
  'aes-ccm-examples': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'aes-gcm-examples': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'encrypted-tests': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'hmac-examples': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'mac-tests': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'mac0-tests': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'CWT/A_4.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'CWT/A_5.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'CWT/A_6.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'CWT/A_7.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'countersign1/Encrypt-01.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'countersign1/Enveloped-01.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'countersign1/Enveloped-02.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'countersign1/mac-01.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'countersign1/mac0-01.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'RFC8152/Appendix_B.json': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'RFC8152/Appendix_C_3': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'RFC8152/Appendix_C_4': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'RFC8152/Appendix_C_5': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'RFC8152/Appendix_C_6': ['ERR_TOKEN_MALFORMED', MACED_OR_ENCRYPTED],
  'RFC8152/Appendix_C_1_4.json': ['ERR_TOKEN_HEADER', 'its crit lists a label that only an example understands'],
  'sign1-tests/sign-fail-01.json': ['ERR_TOKEN_MALFORMED', 'tag 998'],
  'sign-tests/sign-fail-01.json': ['ERR_TOKEN_MALFORMED', 'tag 998'],
}

/** Read, and refused when the algorithm or key is looked at; `valid` where the vectors call them good. */
const UNUSABLE: { readonly [file: string]: readonly [code: string, why: string] } = {
  'sign1-tests/sign-pass-01.json': ['ERR_TOKEN_HEADER', 'valid by RFC 9052, which allows alg unprotected; not here'],
  'sign1-tests/sign-fail-03.json': ['ERR_TOKEN_ALGORITHM', 'alg -999'],
  'sign1-tests/sign-fail-04.json': ['ERR_TOKEN_ALGORITHM', 'alg "unknown"'],
  'sign-tests/sign-fail-03.json': ['ERR_TOKEN_ALGORITHM', 'alg -999'],
  'sign-tests/sign-fail-04.json': ['ERR_TOKEN_ALGORITHM', 'alg "unknown"'],
  'ecdsa-examples/ecdsa-04.json': ['key', 'CO-07: valid by RFC 9053, but ES512 is for P-521 here, as in RFC 9864'],
  'ecdsa-examples/ecdsa-sig-04.json': ['key', 'CO-07: valid by RFC 9053, but ES512 is for P-521 here, as in RFC 9864'],
  'eddsa-examples/eddsa-02.json': ['curve', 'Ed448 is not offered'],
  'eddsa-examples/eddsa-sig-02.json': ['curve', 'Ed448 is not offered'],
}

const UNTAGGED: { readonly [file: string]: CoseRules['untagged'] } = {
  'sign1-tests/sign-pass-03.json': 'sign1',
  'sign-tests/sign-pass-03.json': 'sign',
}

/** Verify, but have their kid as text where RFC 9052 §3.1 has bytes: a token like that is refused. */
const KID_AS_TEXT = ['x509-examples/signed-01.json', 'x509-examples/signed-02.json']

function keyOf(key: VectorKey): PublicKey {
  const text = (name: string): string => key[name] ?? Buffer.from(key[`${name}_hex`] ?? '', 'hex').toString('base64url')
  const kty = key['kty'] === 'EC2' ? 'EC' : (key['kty'] ?? '')
  const members = kty === 'RSA' ? ['n', 'e'] : kty === 'EC' ? ['x', 'y'] : ['x']
  return publicKeyFromJwk(
    map([
      ['kty', kty],
      ...(key['crv'] ? [['crv', key['crv']] as const] : []),
      ...members.map((name) => [name, text(name)] as const),
    ]),
  )
}

const entryFor = <T>(table: { readonly [file: string]: T }, file: string): T | undefined =>
  Object.entries(table).find(([name]) => file === name || (!name.endsWith('.json') && file.startsWith(name)))?.[1]

const signersOf = ({ input }: Vector): VectorSigner[] => (input.sign0 ? [input.sign0] : (input.sign?.signers ?? []))

function verifies(alg: Algorithm, key: PublicKey, signed: Uint8Array, signature: CoseSignature): boolean {
  return fits(alg, key.key) && verifySignature(alg, cryptoKey(alg, key.key), signed, signature.signature)
}

describe('COSE working group examples', () => {
  test('every file of the suite is run', () => {
    expect(files).toHaveLength(134)
  })

  test.each(files)('%s', (file) => {
    const { fail, input, intermediates, output, ...rest } = vector(file)
    const bytes = Buffer.from(output.cbor, 'hex')
    const untagged = UNTAGGED[file]
    const read = () => parseCose(bytes, { several: true, ...(untagged && { untagged }) })
    const refused = entryFor(REFUSED, file)
    if (refused) {
      expect(read).toThrow(expect.objectContaining({ code: refused[0] }))
      return
    }
    // Without being told what it is, an array without a tag is not taken for a signed message.
    if (untagged) expect(() => parseCose(bytes)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }))

    const message = read()
    const signers = signersOf({ fail: fail ?? false, input, intermediates, output, ...rest })
    expect(message.signatures).toHaveLength(signers.length)
    message.signatures.forEach((signature, at) => {
      const signer = signers[at]
      const unusable = UNUSABLE[file]
      if (unusable?.[0].startsWith('ERR_')) {
        expect(() => signatureAlgorithm(signature)).toThrow(expect.objectContaining({ code: unusable[0] }))
        return
      }
      if (unusable?.[0] === 'curve') {
        expect(() => keyOf(signer?.key ?? {})).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
        return
      }
      const signed = signedBytes(message, signature, Buffer.from(signer?.external ?? '', 'hex'))
      const expected = intermediates.signers?.[at]?.ToBeSign_hex ?? intermediates.ToBeSign_hex ?? ''
      if (!fail) expect(signed.toString('hex')).toBe(expected.toLowerCase())
      const good = verifies(signatureAlgorithm(signature), keyOf(signer?.key ?? {}), signed, signature)
      expect(good).toBe(fail !== true && unusable === undefined)
      if (KID_AS_TEXT.includes(file)) {
        expect(() => keyId(signature)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_HEADER' }))
        return
      }
      const kid = keyId(signature)
      if (kid) expect(Buffer.from(kid).toString()).toBe(signer?.key['kid'])
    })
  })

  test("P-03 T-07 CO-01 an empty protected bucket sent as h'a0' is signed as the zero-length string", () => {
    const file = 'sign1-tests/sign-pass-01.json'
    const { output, input, intermediates } = vector(file)
    const message = parseCose(Buffer.from(output.cbor, 'hex'))
    const [signature] = message.signatures
    const signed = signedBytes(message, signature)
    expect(signed.toString('hex')).toBe(intermediates.ToBeSign_hex?.toLowerCase())
    expect(verifies(algorithm('ES256'), keyOf(input.sign0?.key ?? {}), signed, signature)).toBe(true)
  })

  test('a second reading, of what we write of the keys, gives the same keys', () => {
    const keys = files
      .flatMap((file) => signersOf(vector(file)).map(({ key }) => key))
      .filter(({ crv }) => crv !== 'Ed448')
    expect(keys.length).toBeGreaterThan(30)
    for (const key of keys.map(keyOf)) {
      expect(publicKeyFromCoseKey(decodeCborMap(encodeCbor(coseKeyOf(key)))).jkt).toBe(key.jkt)
    }
  })
})

describe('ML-DSA in COSE (RFC 9964)', () => {
  const read = (level: number): { readonly [name: string]: string } =>
    JSON.parse(readFileSync(new URL(`../vectors/mldsa-jose-cose/ML_DSA_${level}.cose.json`, import.meta.url), 'utf8'))

  test.each([44, 65])('verifies the example of ML-DSA-%i, with its COSE_Key', (level) => {
    const { key, sign1, raw_to_be_signed, raw_public_key } = read(level)
    // The published key is the private one: taken apart here, since a key with a private part is refused whole.
    const privateKey: CborMap = decodeCborMap(Buffer.from(key ?? '', 'hex'))
    expect(() => publicKeyFromCoseKey(privateKey)).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
    const publicParts = new Map(privateKey)
    publicParts.delete(-2)
    const publicKey = publicKeyFromCoseKey(publicParts)
    expect(publicParts.get(-1)).toEqual(Buffer.from(raw_public_key ?? '', 'hex'))
    // PQ-05: the kid of these examples is the thumbprint of RFC 9679.
    expect(Buffer.from(coseThumbprint(publicKey), 'base64url')).toEqual(publicParts.get(2))

    const message = parseCose(Buffer.from(sign1 ?? '', 'hex'))
    const [signature] = message.signatures
    expect(signedBytes(message, signature).toString('hex')).toBe(raw_to_be_signed)
    const alg = signatureAlgorithm(signature)
    expect(alg.name).toBe(`ML-DSA-${level}`)
    expect(verifies(alg, publicKey, signedBytes(message, signature), signature)).toBe(true)
    expect(Buffer.from(keyId(signature) ?? [])).toEqual(publicParts.get(2))
  })

  test('PQ-07 a signature of another length, or of another set, does not verify and does not throw', () => {
    const { key, sign1 } = read(44)
    const parts = new Map(decodeCborMap(Buffer.from(key ?? '', 'hex')))
    parts.delete(-2)
    const publicKey = publicKeyFromCoseKey(parts)
    const message = parseCose(Buffer.from(sign1 ?? '', 'hex'))
    const [{ headers, signature }] = message.signatures
    const signed = signedBytes(message, message.signatures[0])
    for (const wrong of [
      signature.subarray(1),
      Buffer.concat([signature, Buffer.of(0)]),
      new Uint8Array(),
      Buffer.alloc(3309),
    ]) {
      expect(verifies(algorithm('ML-DSA-44'), publicKey, signed, { headers, signature: wrong })).toBe(false)
    }
    expect(verifies(algorithm('ML-DSA-65'), publicKey, signed, message.signatures[0])).toBe(false)
  })
})
