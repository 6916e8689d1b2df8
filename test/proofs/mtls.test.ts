import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { mtlsProof } from '../../src/proofs/mtls.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { request } from '../support/fakes.ts'
import { proofTools, sha256 } from '../support/proofs.ts'
import { authority, leaf } from '../support/x509.ts'

const ca = authority('test authority')
const mtls = mtlsProof()
const prove = (...certificates: readonly Uint8Array[]) => mtls.prove(request({ certificates }), proofTools())

describe('mtls', () => {
  it('MT-08, MT-12: shows the key and the thumbprint of the certificate of the handshake', () => {
    const { certificate, key } = leaf(ca)
    expect(prove(certificate, ca.certificate)).toMatchObject({
      method: 'mtls',
      certificate,
      x5tS256: sha256(certificate),
      publicKey: { jkt: key.publicKey.jkt },
    })
  })

  it('MT-10: does not ask who issued the certificate', () => {
    const { certificate } = leaf(authority('nobody knows'))
    expect(prove(certificate)).toMatchObject({ method: 'mtls' })
  })

  it('is not there without a certificate', () => {
    expect(mtls.prove(request(), proofTools())).toBeUndefined()
    expect(prove()).toBeUndefined()
  })

  it('reads a certificate once for each connection', () => {
    const { certificate } = leaf(ca)
    expect(prove(certificate)).toBe(prove(certificate))
    expect(prove(Buffer.from(certificate))).not.toBe(prove(certificate))
  })

  it('refuses a certificate that is not strict DER', () => {
    const { certificate } = leaf(ca)
    expect(() => prove(Buffer.concat([certificate, Buffer.of(0)]))).toThrow(
      expect.objectContaining({ code: 'ERR_PROOF_CERTIFICATE' }),
    )
  })

  it('refuses a key of a size that is not accepted', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const key = { ...ca.key, publicKey: publicKey(small.publicKey) }
    expect(() => prove(leaf(ca, { key }).certificate)).toThrow(
      expect.objectContaining({
        code: 'ERR_PROOF_CERTIFICATE',
        detail: expect.objectContaining({ expected: 'a key of accepted kind and size' }),
      }),
    )
  })
})
