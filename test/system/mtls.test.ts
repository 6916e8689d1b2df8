import { createHash, createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { buildCsr } from '../../src/wire/csr.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { parsePem, pem } from '../../src/wire/pem.ts'
import { basicOf, dpopBy, type Live, newLive, type PostOptions, rewrite, type Shown } from '../support/live.ts'
import type { Parameters } from '../support/world.ts'
import { WORKLOAD } from '../support/world.ts'
import { authority, leaf, type TestKey, testKey } from '../support/x509.ts'

const now = Math.floor(Date.now() / 1000)
const day = { notBefore: now - 3600, notAfter: now + 86_400 }
// What the server of the audience shows: the gateway knows its authority from nowhere, and need not.
const services = authority('Services CA', day)
const shownBy = (key: TestKey): Shown => ({
  cert: pem('CERTIFICATE', leaf(services, { ...day, key }).certificate),
  key: String(key.privateKey.export({ type: 'pkcs8', format: 'pem' })),
})
const server = shownBy(testKey())

const own = (name: string, subject: string, more = '', to = 'jwt, kind: at+jwt', clients = 'demo') => `name: ${name}
accept:
  clients: [${clients}]
  subject: ${subject}
  targets: { allow: [https://${name}.example] }
stages:
  - validity: { lifetime: 300 }
${more}  - format: { to: ${to} }
  - crypto: { key: signing }
`
const CERTIFICATE = '{ format: x509, issuers: [https://ca.alpha.example], subject_from: san_uri }'
const again = (more = '') => `{ format: jwt, kind: at+jwt, issuers: [self], audience: [https://first.example]${more} }`

const profiles = {
  first: own('first', CERTIFICATE, '  - sender_constraint: { require: true }\n'),
  second: own('second', again()),
  // The server of `first` calls on with what it was sent, which is bound to a key that it does not have.
  kept: own('kept', again(', presented_by: audience'), '', 'jwt, kind: at+jwt', 'server'),
  rebound: own(
    'rebound',
    again(', presented_by: audience'),
    '  - sender_constraint: { rebind: client, method: [mtls] }\n',
    'jwt, kind: at+jwt',
    'server',
  ),
  edge: own('edge', CERTIFICATE, '  - sender_constraint: { require: true }\n', 'cwt'),
  back: own('back', '{ format: cwt, issuers: [self], audience: [https://edge.example] }'),
}

let live: Live
let holder: Shown
/** Another certificate of the same authority, for another key; and one more for the same key. */
let other: Shown
let renewed: Shown
beforeAll(async () => {
  live = await newLive({
    edit(folder) {
      for (const [name, text] of Object.entries(profiles)) writeFileSync(join(folder, `${name}.yaml`), text)
      const files = Object.keys(profiles).map((name) => `${name}.yaml`)
      rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, `profiles: [${files.join(', ')}]`)
      const client = `  - { client_id: server, token_endpoint_auth_method: client_secret_basic, client_secret: tester-secret }\n`
      rewrite(folder, 'dragoman.yaml', 'issuers:\n', `${client}issuers:\n`)
    },
  })
  const key = live.file('client.key')
  holder = { cert: live.file('client.pem'), key }
  renewed = { cert: await certificateFor(createPrivateKey(key)), key }
  const fresh = testKey().privateKey
  other = { cert: await certificateFor(fresh), key: String(fresh.export({ type: 'pkcs8', format: 'pem' })) }
})
afterAll(() => live.close())

const certificateFor = (key: KeyObject) =>
  live.token('x509', {
    kind: 'client',
    claims: map([['sub', WORKLOAD]]),
    validity: { issuedAt: now, notBefore: now - 60, expiresAt: now + 1800, audience: [], scope: undefined },
    confirmation: { publicKey: publicKey(createPublicKey(key)) },
    options: map([['claims_extension', false]]),
  })
const derOf = ({ cert }: Pick<Shown, 'cert'>) => Buffer.from(parsePem(cert)[0]?.der ?? [])
const hashOf = (shown: Shown) => createHash('sha256').update(derOf(shown)).digest('base64url')

const asked = async (parameters: Parameters, more: PostOptions = {}) => {
  const { status, body } = await live.post(parameters, more)
  return { status, body, code: live.last().code }
}
const handshake = { subject_token: 'mtls_client_certificate', subject_token_type: tokenTypes.mtls }
const array = (...shown: readonly Shown[]) => ({
  subject_token: JSON.stringify(shown.map((one) => derOf(one).toString('base64'))),
  subject_token_type: tokenTypes.mtls,
})
const to = (name: string) => ({ audience: `https://${name}.example` })

describe('a certificate as subject token', () => {
  it('XP-08: is that of the handshake where a fixed text stands for it', async () => {
    const { status, body } = await asked({ ...handshake, ...to('first') }, { shown: holder })
    expect(status).toBe(200)
    expect(body['cnf']).toEqual({ 'x5t#S256': hashOf(holder) })
    const said = decodeJwt(String(body['access_token']))
    expect(said).toMatchObject({ sub: WORKLOAD, cnf: { 'x5t#S256': hashOf(holder) }, aud: 'https://first.example' })
    expect(live.last()).toMatchObject({ proofs: ['mtls'], result: 'issued' })
  })

  it('XB-13: is bound to by hash, and the token is then a Bearer token by name', async () => {
    const { body } = await asked({ ...handshake, ...to('first') }, { shown: holder })
    expect(body['token_type']).toBe('Bearer')
  })

  it('C-03: is taken from a JSON array, which begins with that of the handshake', async () => {
    expect(await asked({ ...array(holder), ...to('first') }, { shown: holder })).toMatchObject({ status: 200 })
    const refused = { status: 400, code: 'ERR_TOKEN_UNPROVED' }
    expect(await asked({ ...array(other), ...to('first') }, { shown: holder })).toMatchObject(refused)
    expect(await asked({ ...array(other, holder), ...to('first') }, { shown: holder })).toMatchObject(refused)
    // The same key in another certificate is another certificate.
    expect(await asked({ ...array(renewed), ...to('first') }, { shown: holder })).toMatchObject(refused)
  })

  it('MT-12: is nothing without its proof: not over TLS without certificate, not without TLS', async () => {
    for (const shown of ['nothing', undefined] as const) {
      const more = shown && { shown }
      expect(await asked({ ...handshake, ...to('first') }, more)).toMatchObject({ code: 'ERR_TOKEN_UNPROVED' })
      expect(await asked({ ...array(holder), ...to('first') }, more)).toMatchObject({ code: 'ERR_TOKEN_UNPROVED' })
    }
  })

  it('may be proved by its key in another way: then the token is bound to the key', async () => {
    const key = createPrivateKey(holder.key)
    const sent = { ...array(holder), ...to('first') }
    const { status, body } = await asked(sent, { headers: { dpop: dpopBy(key, live) } })
    expect({ status, cnf: body['cnf'] }).toEqual({ status: 200, cnf: { jkt: publicKey(createPublicKey(key)).jkt } })
    const stranger = await asked(sent, { headers: { dpop: dpopBy(createPrivateKey(other.key), live) } })
    expect(stranger).toMatchObject({ status: 400, code: 'ERR_PROOF_MISMATCH' })
  })

  it('is not taken from an authority that is not the issuer’s, whoever has its key', async () => {
    expect(await asked({ ...handshake, ...to('first') }, { shown: server })).toMatchObject({
      status: 400,
      code: 'ERR_TRUST_PATH',
    })
  })

  it('is not who asks: the client is whoever authenticates', async () => {
    const nobody = await asked({ ...handshake, ...to('first') }, { shown: holder, authorization: '' })
    expect(nobody).toMatchObject({ status: 401, code: 'ERR_CLIENT_MISSING' })
  })
})

describe('a token bound to a certificate, presented again', () => {
  const bound = async () => {
    const { body } = await asked({ ...handshake, ...to('first') }, { shown: holder })
    return { subject_token: String(body['access_token']), subject_token_type: tokenTypes.accessToken }
  }

  it('MT-10: is taken with its certificate, and stays bound to it', async () => {
    const { status, body } = await asked({ ...(await bound()), ...to('second') }, { shown: holder })
    expect(status).toBe(200)
    expect(decodeJwt(String(body['access_token']))).toMatchObject({
      cnf: { 'x5t#S256': hashOf(holder) },
      aud: 'https://second.example',
    })
  })

  it('MT-10: is refused without a certificate, over TLS or not', async () => {
    const refused = { status: 400, code: 'ERR_TOKEN_UNPROVED', body: { error: 'invalid_request' } }
    expect(await asked({ ...(await bound()), ...to('second') }, { shown: 'nothing' })).toMatchObject(refused)
    expect(await asked({ ...(await bound()), ...to('second') })).toMatchObject(refused)
  })

  it('MT-10: is refused with another certificate, even one for the same key, and with a DPoP proof by that key', async () => {
    const refused = { status: 400, code: 'ERR_PROOF_MISMATCH' }
    for (const shown of [other, renewed, server]) {
      expect(await asked({ ...(await bound()), ...to('second') }, { shown })).toMatchObject(refused)
    }
    const headers = { dpop: dpopBy(createPrivateKey(holder.key), live) }
    expect(await asked({ ...(await bound()), ...to('second') }, { headers })).toMatchObject(refused)
  })

  it('S-08: is not proved by a certification request, which anybody can send again who has seen it', async () => {
    const csr = pem('CERTIFICATE REQUEST', buildCsr({ privateKey: createPrivateKey(holder.key) }))
    const key = await asked(
      { ...array(holder), ...to('first') },
      { headers: { dpop: dpopBy(createPrivateKey(holder.key), live) } },
    )
    const byKey = { subject_token: String(key.body['access_token']), subject_token_type: tokenTypes.accessToken }
    expect(
      await asked({ ...byKey, ...to('second') }, { headers: { dpop: dpopBy(createPrivateKey(holder.key), live) } }),
    ).toMatchObject({ status: 200 })
    for (const token of [byKey, array(holder), await bound()]) {
      const target = token === byKey || !token.subject_token.startsWith('[') ? 'second' : 'first'
      expect(await asked({ ...token, ...to(target), csr })).toMatchObject({ status: 400, code: 'ERR_TOKEN_UNPROVED' })
    }
  })

  it('is proved anew on each connection', async () => {
    const token = await bound()
    for (const [shown, status] of [
      [holder, 200],
      ['nothing', 400],
      [holder, 200],
      [other, 400],
    ] as const) {
      expect(await asked({ ...token, ...to('second') }, { shown })).toMatchObject({ status })
    }
  })

  it('is bound as tightly in a CWT: to the certificate, not to its key alone', async () => {
    const { body } = await asked({ ...handshake, ...to('edge') }, { shown: holder })
    expect(body['token_type']).toBe('N_A')
    const token = { subject_token: String(body['access_token']), subject_token_type: tokenTypes.cwt, ...to('back') }
    const back = await asked(token, { shown: holder })
    expect(back.status).toBe(200)
    expect(decodeJwt(String(back.body['access_token']))).toMatchObject({ cnf: { 'x5t#S256': hashOf(holder) } })
    const headers = { dpop: dpopBy(createPrivateKey(holder.key), live) }
    for (const more of [{ shown: renewed }, { shown: other }, { headers }]) {
      expect(await asked(token, more)).toMatchObject({ status: 400, code: 'ERR_PROOF_MISMATCH' })
    }
    expect(await asked(token)).toMatchObject({ status: 400, code: 'ERR_TOKEN_UNPROVED' })
  })
})

describe('a bound token that its audience presents (presented_by: audience)', () => {
  const authorization = basicOf('server', 'tester-secret')
  const bound = async () => {
    const { body } = await asked({ ...handshake, ...to('first') }, { shown: holder })
    return { subject_token: String(body['access_token']), subject_token_type: tokenTypes.accessToken }
  }

  it('goes on bound to the key that the audience proves, and to no other', async () => {
    const { status, body } = await asked({ ...(await bound()), ...to('rebound') }, { authorization, shown: server })
    expect({ status, cnf: body['cnf'] }).toEqual({ status: 200, cnf: { 'x5t#S256': hashOf(server) } })
    expect(decodeJwt(String(body['access_token']))).toMatchObject({
      sub: WORKLOAD,
      cnf: { 'x5t#S256': hashOf(server) },
    })
    expect(await asked({ ...(await bound()), ...to('rebound') }, { authorization })).toMatchObject({
      status: 400,
      code: 'ERR_PROOF_REQUIRED',
    })
  })

  it('does not go on bound to the key of its holder, which nobody proved', async () => {
    for (const shown of ['nothing', server] as const) {
      const { status, code } = await asked({ ...(await bound()), ...to('kept') }, { authorization, shown })
      expect([400, code]).toEqual([status, 'ERR_PROFILE_WIDER'])
    }
  })

  it('is refused where nobody authenticates, and where somebody else does', async () => {
    const token = { ...(await bound()), ...to('rebound') }
    expect(await asked(token, { shown: server, authorization: '' })).toMatchObject({ status: 401 })
    expect(await asked(token, { shown: server })).toMatchObject({ status: 400, code: 'ERR_PROFILE_TARGET' })
  })
})

describe("the listener's own certificate", () => {
  const shown = async () => {
    const { hostname, port } = new URL(live.secure)
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }

  it('is another after a reload, when it was renewed', async () => {
    const before = await shown()
    await live.gateway.reload()
    expect(await shown()).toBe(before)
    const { certificate, key } = await newServerCertificate()
    writeFileSync(join(live.folder, 'tls.pem'), certificate)
    writeFileSync(join(live.folder, 'tls.key'), key)
    await live.gateway.reload()
    expect(await shown()).toBe(new X509Certificate(certificate).fingerprint256)
  })

  it('stays what it was when the new one has another key, and so does everything else', async () => {
    const [before, generation] = [await shown(), live.gateway.generation]
    const { certificate } = await newServerCertificate()
    writeFileSync(join(live.folder, 'tls.pem'), certificate)
    await expect(live.gateway.reload()).rejects.toMatchObject({
      code: 'ERR_PROFILE_OPTION',
      detail: {
        problems: [expect.stringMatching(/yaml:\d+:\d+: listeners\[1\]\.tls: expected the private key of the cert/)],
      },
    })
    expect(live.gateway.generation).toBe(generation)
    expect(await shown()).toBe(before)
  })
})

async function newServerCertificate(): Promise<{ certificate: string; key: string }> {
  const { privateKey } = testKey()
  const certificate = await live.token('x509', {
    kind: 'server',
    claims: map([['sub', 'localhost']]),
    validity: { issuedAt: now, notBefore: now - 60, expiresAt: now + 1800, audience: [], scope: undefined },
    confirmation: { publicKey: publicKey(createPublicKey(privateKey)) },
    options: map([
      ['claims_extension', false],
      ['subject_as', 'san_dns'],
    ]),
  })
  return { certificate, key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) }
}
