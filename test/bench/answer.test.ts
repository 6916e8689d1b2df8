import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { encode, Tagged } from 'cborg'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assertAnswer, type Claimed } from '../../bench/answer.ts'
import { pem } from '../../src/wire/pem.ts'
import { authority, leaf, uri } from '../support/x509.ts'

const newEc = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const [ours, theirs] = [newEc(), newEc()]
const now = Math.floor(Date.now() / 1000)
const window = { notBefore: now - 60, notAfter: now + 600 }
const ca = authority('Beta CA', window)
const named = (issuer = ca) =>
  pem('CERTIFICATE', leaf(issuer, { ...window, names: [uri('spiffe://alpha.example/w')] }).certificate)

let server: Server
beforeAll(async () => {
  const jwk = { ...ours.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' }
  server = createServer((request, response) =>
    response.end(request.url === '/jwks' ? JSON.stringify({ keys: [jwk] }) : pem('CERTIFICATE', ca.certificate)),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const look = (answer: object, claimed: Claimed) =>
  assertAnswer(JSON.stringify(answer), claimed, { port: (server.address() as AddressInfo).port, jwks: '/jwks' })

const jwt = (key: KeyObject = ours.privateKey, claims: { [name: string]: unknown } = {}) =>
  new SignJWT({ sub: 'w', aud: 'a', cnf: { jkt: 'x' }, ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })
    .setExpirationTime('1m')
    .sign(key)

function cwt(key: KeyObject = ours.privateKey): string {
  const head = encode(new Map([[1, -7]]))
  const payload = encode(
    new Map<number | string, unknown>([
      [3, 'a'],
      ['email', 'w@alpha.example'],
    ]),
  )
  const signed = encode(['Signature1', head, new Uint8Array(), payload])
  const signature = new Uint8Array(sign('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }))
  return Buffer.from(encode(new Tagged(61, new Tagged(18, [head, new Map(), payload, signature])))).toString(
    'base64url',
  )
}

describe('a look at what a case comes to', () => {
  const claimed = { as: 'jwt', typ: 'at+jwt', audience: 'a', cnf: 'jkt', claims: ['sub'] } as const

  it('passes what is as it was claimed, in each format', async () => {
    await look({ access_token: await jwt() }, claimed)
    await look({ access_token: cwt() }, { as: 'cwt', audience: 'a', claims: ['email'] })
    await look({ access_token: named() }, { as: 'x509' })
    await look({ results: [{ access_token: await jwt() }, { access_token: await jwt() }] }, { ...claimed, items: 2 })
  })

  it.each([
    ['another type', { typ: 'txntoken+jwt' }],
    ['another algorithm', { alg: 'ML-DSA-65' }],
    ['another audience', { audience: 'b' }],
    ['another binding', { cnf: 'x5t#S256' }],
    ['a claim that is not there', { claims: ['txn'] }],
    ['another number of answers', { items: 2 }],
  ] as const)('refuses %s', async (_what, differs) => {
    await expect(look({ access_token: await jwt() }, { ...claimed, ...differs })).rejects.toThrow()
  })

  it('refuses what somebody else signed, in each format', async () => {
    await expect(look({ access_token: await jwt(theirs.privateKey) }, claimed)).rejects.toThrow()
    await expect(look({ access_token: cwt(theirs.privateKey) }, { as: 'cwt' })).rejects.toThrow('signature')
    const stranger = authority('Beta CA', window)
    await expect(look({ access_token: named(stranger) }, { as: 'x509' })).rejects.toThrow('signature')
  })

  it('refuses a batch of which one was refused', async () => {
    const results = [{ access_token: await jwt() }, { error: 'invalid_request' }]
    await expect(look({ results }, { ...claimed, items: 2 })).rejects.toThrow()
  })
})
