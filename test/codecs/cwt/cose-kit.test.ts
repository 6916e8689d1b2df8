import { beforeAll, describe, expect, test } from 'vitest'
import { map } from '../../../src/core/value.ts'
import { toBase64url } from '../../../src/wire/base64url.ts'
import { decodeCbor, decodeCborMap } from '../../../src/wire/cbor.ts'
import { encodeCbor } from '../../../src/wire/cbor-encode.ts'
import { publicKeyFromCoseKey } from '../../../src/wire/cose-key.ts'
import { coseKeyOf } from '../../../src/wire/cose-key-write.ts'
import { makeSigner } from '../../support/cose.ts'
import { claimsSet, draft, issue, parse, rendering, trusting, verify } from '../../support/cwt.ts'

// cose-kit registers tag decoders in the cbor-x of its process as it is loaded, so it has a file, and a process, of its
// own, and is loaded by a test.
type CoseKit = typeof import('cose-kit')
const load = (): Promise<CoseKit> => import('cose-kit')

const NAMES = ['ES256', 'ES384', 'ES512', 'Ed25519', 'PS256', 'RS256'] as const
const theirName = (name: string) => (name === 'Ed25519' ? 'EdDSA' : name) as 'ES256'

describe('T-13 cose-kit in the same process', () => {
  test('changes nothing of what our reader returns', async () => {
    const raw = issue(makeSigner('ES256', 'edge'))
    const bytes = Buffer.from(raw, 'base64url')
    const before = JSON.stringify([decodeCbor(bytes, { tags: [61, 18] }), parse(raw).issuer])
    await load()
    expect(JSON.stringify([decodeCbor(bytes, { tags: [61, 18] }), parse(raw).issuer])).toBe(before)
    expect(() => decodeCbor(bytes)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }))
  })
})

describe('COSE between us and cose-kit', () => {
  let kit: CoseKit
  beforeAll(async () => {
    kit = await load()
  })

  test.each(NAMES)('cose-kit verifies a CWT of ours, signed with %s', async (name) => {
    const signer = makeSigner(name, 'edge')
    const how = rendering({ options: map([['tag', 'cose']]) })
    const bytes = Buffer.from(issue(signer, draft({ email: 'a@b.example' }), how), 'base64url')
    const { isValid, decoded } = await kit.coseVerify(bytes, signer.publicKey.key)
    expect(isValid).toBe(true)
    expect(decodeCborMap(decoded.payload).get('email')).toBe('a@b.example')
    const last = bytes.length - 1
    bytes[last] = (bytes[last] ?? 0) ^ 1
    expect((await kit.coseVerify(bytes, signer.publicKey.key)).isValid).toBe(false)
  })

  test.each(['ES256', 'Ed25519', 'PS256'])('cose-kit verifies a COSE_Sign of ours, signed with %s', async (name) => {
    const signer = makeSigner(name, 'edge')
    const how = rendering({
      options: map([
        ['tag', 'cose'],
        ['cose', 'sign'],
      ]),
    })
    const bytes = Buffer.from(issue(signer, draft(), how), 'base64url')
    expect((await kit.coseVerifyMultiSignature(bytes, [signer.publicKey.key as never])).isValid).toBe(true)
  })

  test.each(NAMES)('we verify a CWT that cose-kit signed with %s', async (name) => {
    const signer = makeSigner(name, 'edge')
    const bytes = await kit.coseSign(
      { alg: theirName(name) },
      { kid: Buffer.from('edge') },
      encodeCbor(claimsSet(['email', 'a@b.example'])),
      signer.privateKey,
    )
    const token = verify(toBase64url(bytes), trusting([signer]))
    expect(token.claims['email']).toBe('a@b.example')
    expect(token.provenance.algorithm).toBe(name)
  })

  test('a COSE_Key of ours is the same JWK to cose-kit, and one of theirs the same key to us', async () => {
    for (const name of ['ES256', 'ES384', 'ES512', 'Ed25519']) {
      const { publicKey } = makeSigner(name)
      expect(kit.COSEKeyToJWK(encodeCbor(coseKeyOf(publicKey)))).toMatchObject({ ...publicKey.jwk })
      const theirs = kit.COSEKeyFromJWK({ ...publicKey.jwk } as Parameters<CoseKit['COSEKeyFromJWK']>[0])
      expect(publicKeyFromCoseKey(decodeCbor(theirs)).jkt).toBe(publicKey.jkt)
    }
  })
})
