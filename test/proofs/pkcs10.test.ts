import { describe, expect, it } from 'vitest'
import { pkcs10Proof } from '../../src/proofs/pkcs10.ts'
import { buildCsr } from '../../src/wire/csr.ts'
import { boolean, sequence } from '../../src/wire/der-write.ts'
import { extension, extensionOids } from '../../src/wire/extensions.ts'
import { pem } from '../../src/wire/pem.ts'
import { request } from '../support/fakes.ts'
import { testKey } from '../support/jwt.ts'
import { proofTools } from '../support/proofs.ts'

const key = testKey('ES256')
const der = buildCsr({ privateKey: key.privateKey })
const prove = (csr: string, tools = proofTools()) => pkcs10Proof.prove(request({ csr }), tools)
const failed = (check: string) =>
  expect.objectContaining({ code: 'ERR_REQUEST_CSR', detail: expect.objectContaining({ check }) })

describe('pkcs10', () => {
  it.each([
    ['base64url of DER', der.toString('base64url')],
    ['PEM', pem('CERTIFICATE REQUEST', der)],
    ['PEM as old tools write it', pem('NEW CERTIFICATE REQUEST', der)],
    ['PEM without a line feed at its end', pem('CERTIFICATE REQUEST', der).trimEnd()],
    ['PEM with CR LF', pem('CERTIFICATE REQUEST', der).replaceAll('\n', '\r\n')],
  ])('shows the key of a request in %s', (_form, csr) => {
    expect(prove(csr)).toEqual({ method: 'pkcs10', publicKey: expect.objectContaining({ jkt: key.publicKey.jkt }) })
  })

  it('is not there without the parameter', () => {
    expect(pkcs10Proof.prove(request(), proofTools())).toBeUndefined()
  })

  it.each([
    ['base64 with padding', Buffer.from(der).toString('base64')],
    ['nothing in base64url', '='],
    ['another label', pem('CERTIFICATE', der)],
    ['two blocks', pem('CERTIFICATE REQUEST', der).repeat(2)],
    ['text around the block', `${pem('CERTIFICATE REQUEST', der)}more`],
    ['a block without end', '-----BEGIN CERTIFICATE REQUEST-----\n'],
  ])('refuses %s', (_what, csr) => {
    expect(() => prove(csr)).toThrow(failed('form'))
  })

  it('refuses what is no request, and one whose signature is not by its key', () => {
    expect(() => prove(Buffer.from('30030201', 'hex').toString('base64url'))).toThrow(
      expect.objectContaining({ code: 'ERR_REQUEST_CSR' }),
    )
    const altered = Buffer.from(der)
    altered[altered.length - 1] = (altered[altered.length - 1] ?? 0) ^ 1
    expect(() => prove(altered.toString('base64url'))).toThrow(
      expect.objectContaining({
        code: 'ERR_REQUEST_CSR',
        detail: { expected: 'a signature by the key in the request' },
      }),
    )
  })

  it('refuses an algorithm that is not accepted in proofs', () => {
    expect(() => prove(der.toString('base64url'), proofTools(undefined, { algorithms: ['Ed25519'] }))).toThrow(
      failed('algorithm'),
    )
  })

  it('refuses a request for a certificate of an authority', () => {
    const basic = extension(extensionOids.basicConstraints, true, sequence(boolean(true)))
    const wish = buildCsr({ privateKey: key.privateKey, extensions: [basic] })
    expect(() => prove(wish.toString('base64url'))).toThrow(failed('ca'))
  })
})
