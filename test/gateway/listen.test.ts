import { createServer } from 'node:http'
import { type Agent, Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { type ListenerSetting, type Listening, listen } from '../../src/gateway/listen.ts'
import { mtlsProof } from '../../src/proofs/mtls.ts'
import { generalName } from '../../src/wire/general-name.ts'
import { pem } from '../../src/wire/pem.ts'
import { FORM, form, http, RESULT } from '../support/http.ts'
import { proofTools, sha256 } from '../support/proofs.ts'
import { authority, leaf, type TestAuthority, type TestKey } from '../support/x509.ts'

const second = Math.floor(Date.now() / 1000)
// TLS reads the clock of the machine.
const times = { notBefore: second - 3600, notAfter: second + 3600 }
const serverCa = authority('server authority', times)
const clientCa = authority('client authority', times)
const between = authority('between', { issuer: clientCa, ...times })

const keyPem = ({ privateKey }: TestKey) => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const serverName = (ca: TestAuthority) => leaf(ca, { names: [generalName('dns', 'localhost')], ...times })
const tlsOf = ({ certificate, key }: ReturnType<typeof leaf>) => ({
  certificate: pem('CERTIFICATE', certificate),
  key: keyPem(key),
})
const tls = tlsOf(serverName(serverCa))
const workload = leaf(between, times)
const chainPem = [workload.certificate, between.certificate].map((der) => pem('CERTIFICATE', der)).join('')

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

async function serve(settings: readonly Partial<ListenerSetting>[], ...how: Parameters<typeof http>) {
  const gateway = await http(...how)
  const listening = await listen(
    gateway.app,
    settings.map((setting) => ({ host: '127.0.0.1', port: 0, ...setting })),
  )
  open.push({ close: () => listening.close(0) })
  return { ...gateway, listening, port: (index: number) => portOf(listening, index) }
}

const portOf = ({ addresses }: Listening, index = 0): number => Number(new URL(addresses[index] ?? '').port)

interface Response {
  readonly status: number | undefined
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined }
  readonly body: string
}

function ask(
  port: number,
  {
    path = '/token',
    method = 'POST',
    body = form(),
    agent = agentWith(),
  }: { path?: string; method?: string; body?: string; agent?: Agent } = {},
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', servername: 'localhost', port, path, method, agent, headers: FORM }
    const request = httpsRequest(options, (response) => {
      let text = ''
      response.on('data', (part) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }))
    })
    request.on('error', reject)
    request.end(method === 'GET' ? undefined : body)
  })
}

const agentWith = (options: object = {}) =>
  new HttpsAgent({ ca: pem('CERTIFICATE', serverCa.certificate), keepAlive: true, ...options })
const asWorkload = { cert: chainPem, key: keyPem(workload.key) }

/** Sends these bytes and gives back all that comes until the connection ends. */
const raw = (port: number, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket.on('data', (part) => {
      answer += part
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })

const head = () =>
  `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: ${FORM['content-type']}\r\nContent-Length: ${form().length}\r\n`

describe('listen', () => {
  it('serves the same routes on every listener', async () => {
    const { listening, port } = await serve([{}, { tls }])
    expect(listening.addresses.map((address) => new URL(address).protocol)).toEqual(['http:', 'https:'])
    const plain = await fetch(`${listening.addresses[0]}/token`, { method: 'POST', headers: FORM, body: form() })
    expect(await plain.json()).toMatchObject({ access_token: 'e.y.J' })
    expect(JSON.parse((await ask(port(1))).body)).toMatchObject({ access_token: 'e.y.J' })
  })

  it('opens all listeners or none', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    open.push({ close: () => new Promise((resolve) => taken.close(resolve)) })
    const { port: used } = taken.address() as AddressInfo
    const { app, port } = await serve([{}])
    const free = port(0)
    await Promise.all(open.splice(1).map((one) => one.close()))
    const at = (port: number) => ({ host: '127.0.0.1', port })
    await expect(listen(app, [at(free), at(used)])).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(raw(free, 'x')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('leaves the paths of the process out where it is told to', async () => {
    const { listening } = await serve([{}, { operations: false }])
    const [all, some] = listening.addresses
    for (const path of ['/livez', '/readyz', '/metrics', '/version', '/metrics?x', '/%6detrics', '/me%74rics?x']) {
      expect((await fetch(`${all}${path}`)).status).toBe(200)
      const hidden = await fetch(`${some}${path}`)
      expect(hidden.status).toBe(404)
      expect(await hidden.json()).toEqual({ error: 'invalid_request', error_description: 'no such endpoint' })
    }
    expect((await fetch(`${some}/jwks`)).status).toBe(200)
  })

  it('answers what is under way when it closes, and takes no more', async () => {
    const { promise: answer, resolve: release } = Promise.withResolvers<typeof RESULT>()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const { listening } = await serve([{}], () => {
      begin()
      return answer
    })
    const url = `${listening.addresses[0]}/token`
    const first = fetch(url, { method: 'POST', headers: FORM, body: form() })
    await begun
    const closed = listening.close(30)
    await expect(fetch(url, { method: 'POST', headers: FORM, body: form() })).rejects.toThrow()
    release(RESULT)
    expect((await first).status).toBe(200)
    await closed
  })

  it('ends a connection that is still busy when it closes with the answer that is under way', async () => {
    const { promise: answer, resolve: release } = Promise.withResolvers<typeof RESULT>()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const { listening, port } = await serve([{}], () => {
      begin()
      return answer
    })
    const ended = Promise.withResolvers<void>()
    let text = ''
    const socket = connect(port(0), '127.0.0.1', () => socket.write(`${head()}\r\n${form()}`))
    socket.on('data', (part) => {
      text += part
    })
    socket.on('close', ended.resolve)
    await begun
    const closed = listening.close(30)
    release(RESULT)
    await ended.promise
    await closed
    expect(text).toContain('access_token')
    expect(text).toMatch(/connection: close/i)
  })

  it('cuts what is still under way when its time is over', async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const { listening } = await serve([{}], () => {
      begin()
      return new Promise(() => {})
    })
    const first = fetch(`${listening.addresses[0]}/token`, { method: 'POST', headers: FORM, body: form() })
    const failed = expect(first).rejects.toThrow()
    await begun
    await listening.close(0)
    await failed
  })

  it('keeps connections', async () => {
    const { port } = await serve([{}])
    const answer = await raw(port(0), `${head()}\r\n${form()}${head()}Connection: close\r\n\r\n${form()}`)
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
  })
})

describe('listen, what is no request', () => {
  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['a TLS greeting', Buffer.from('160301020001000000', 'hex').toString('latin1'), 400],
    ['a header field that is none', 'POST /token HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n', 400],
    ['two lengths', 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
    [
      'length and chunks',
      'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nDPoP: ${'a'.repeat(40_000)}\r\n\r\n`, 431],
  ])('answers with an OAuth error and ends the connection: %s', async (_what, text, status) => {
    const { port } = await serve([{}])
    const answer = await raw(port(0), text)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toContain('connection: close')
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: 'invalid_request' })
  })

  it('PQ-04: takes header fields of 30 KiB', async () => {
    const { listening, asked } = await serve([{}])
    const headers = { ...FORM, dpop: 'a'.repeat(14_000), authorization: `Basic ${'a'.repeat(14_000)}` }
    const answer = await fetch(`${listening.addresses[0]}/token`, { method: 'POST', headers, body: form() })
    expect(answer.status).toBe(200)
    expect(asked[0]?.dpop[0]).toHaveLength(14_000)
  })
})

describe('listen with TLS', () => {
  const sent = (type: string) => form({ subject_token: 'mtls_client_certificate', subject_token_type: type })

  it('MT-12: hands on the chain of the handshake, leaf first', async () => {
    const { port, asked } = await serve([{ tls }])
    await ask(port(0), { agent: agentWith(asWorkload) })
    const [{ certificates } = { certificates: undefined }] = asked
    expect(certificates?.map((der) => Buffer.from(der))).toEqual(
      [workload.certificate, between.certificate].map((der) => Buffer.from(der)),
    )
  })

  it('takes clients without a certificate, and with one that leads nowhere', async () => {
    const { port, asked } = await serve([{ tls }])
    expect((await ask(port(0))).status).toBe(200)
    const stray = leaf(authority('nobody', times), times)
    const cert = pem('CERTIFICATE', stray.certificate)
    expect((await ask(port(0), { agent: agentWith({ cert, key: keyPem(stray.key) }) })).status).toBe(200)
    expect(asked.map(({ certificates }) => certificates?.length)).toEqual([undefined, 1])
  })

  it('names the authorities that it is given, and still judges nobody by them', async () => {
    const withCa = { ...tls, clientCa: pem('CERTIFICATE', clientCa.certificate) }
    const { port, asked } = await serve([{ tls: withCa }])
    expect((await ask(port(0), { agent: agentWith(asWorkload) })).status).toBe(200)
    expect((await ask(port(0))).status).toBe(200)
    expect(asked.map(({ certificates }) => certificates !== undefined)).toEqual([true, false])
  })

  it('XP-08, C-03: puts the chain in the place of the fixed text', async () => {
    const { port, asked } = await serve([{ tls }])
    await ask(port(0), { agent: agentWith(asWorkload), body: sent(tokenTypes.mtls) })
    const chain = [workload.certificate, between.certificate].map((der) => Buffer.from(der).toString('base64'))
    expect(JSON.parse(asked[0]?.subject_token ?? '')).toEqual(chain)
  })

  it('C-03: refuses an array that begins with a certificate other than that of the handshake', async () => {
    const { port, refused } = await serve([{ tls }])
    const other = leaf(between, times)
    const subject_token = JSON.stringify([Buffer.from(other.certificate).toString('base64')])
    const body = form({ subject_token, subject_token_type: tokenTypes.mtls })
    const answer = await ask(port(0), { agent: agentWith(asWorkload), body })
    expect(answer.status).toBe(400)
    expect(refused).toMatchObject([{ code: 'ERR_TOKEN_UNPROVED' }])
    expect((await ask(port(0), { body: sent(tokenTypes.mtls) })).status).toBe(400)
  })

  it('takes the chain from a connection once, and the proof by it', async () => {
    const { port, asked } = await serve([{ tls }])
    const agent = agentWith({ ...asWorkload, maxSockets: 1 })
    await ask(port(0), { agent })
    await ask(port(0), { agent })
    expect(asked[0]?.certificates).toBe(asked[1]?.certificates)
    const mtls = mtlsProof()
    const [first, again] = asked.map((request) => mtls.prove(request, proofTools()))
    expect(first).toBe(again)
    expect(first).toMatchObject({ x5tS256: sha256(workload.certificate) })
  })

  it('CC-09: takes no resumption for a proof: each connection shows the certificate anew', async () => {
    const { port } = await serve([{ tls }])
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const session = await sessionOf(port(0), { maxVersion })
      const { reused } = await sessionOf(port(0), { maxVersion, ...(session.ticket && { session: session.ticket }) })
      expect(reused).toBe(false)
    }
  })

  it('shows a new certificate when it is given one, and keeps connections', async () => {
    const { port, listening } = await serve([{}, { tls }])
    const agent = agentWith({ maxSockets: 1 })
    expect((await ask(port(1), { agent })).status).toBe(200)
    const newCa = authority('new authority', times)
    listening.renew(1, tlsOf(serverName(newCa)))
    expect((await ask(port(1), { agent })).status).toBe(200)
    await expect(ask(port(1))).rejects.toThrow()
    const renewed = agentWith({ ca: pem('CERTIFICATE', newCa.certificate) })
    expect((await ask(port(1), { agent: renewed })).status).toBe(200)
    expect(() => listening.renew(0, tls)).toThrow(TypeError)
  })
})

/** Connects, asks for something so that a ticket can come, and says what came. */
function sessionOf(port: number, options: object): Promise<{ ticket: Buffer | undefined; reused: boolean }> {
  return new Promise((resolve, reject) => {
    let ticket: Buffer | undefined
    let reused = false
    const socket: TLSSocket = tlsConnect(
      { host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false, ...asWorkload, ...options },
      () => {
        reused = socket.isSessionReused()
        socket.write('GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
      },
    )
    socket.on('session', (session) => {
      ticket = session
    })
    socket.on('error', reject)
    socket.resume()
    socket.on('close', () => resolve({ ticket, reused }))
  })
}
