import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { exchangeToken, recordRefusal } from '../../src/exchange/exchange.ts'
import { createHttp } from '../../src/gateway/gateway.ts'
import { listen } from '../../src/gateway/listen.ts'
import { basicOf, type Live, newLive, rewrite, send } from '../support/live.ts'
import { changingServer, json } from '../support/servers.ts'
import { TOKEN_EXCHANGE } from '../support/world.ts'

const TARGET = 'https://orders.beta.example'
const ONCE = 'https://once.beta.example'
const BODY = 16_384
const PARAMETER = 4096

let live: Live
let pulse: Awaited<ReturnType<typeof heartbeat>>
beforeAll(async () => {
  live = await newLive({
    edit(folder) {
      const file = join(folder, 'dragoman.yaml')
      const limits = `limits: { body_bytes: ${BODY}, parameters: 16, parameter_bytes: ${PARAMETER} }\n`
      writeFileSync(file, `${readFileSync(file, 'utf8')}${limits}`)
      writeFileSync(
        join(folder, 'once.yaml'),
        `name: once
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example], single_use: true }
  targets: { allow: [${ONCE}] }
stages:
  - context: { conditions: [{ expression: "!has(request.scope)" }] }
  - format: { to: jwt }
  - crypto: { key: signing }
`,
      )
      const [, shipped = ''] = /^profiles: (.*)$/m.exec(readFileSync(file, 'utf8')) ?? []
      rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, `profiles: [${shipped}, once.yaml]`)
    },
  })
  pulse = await heartbeat(live)
})
afterAll(async () => {
  await pulse.stop()
  await live.close()
})

/** Asks `/livez` again and again while everything else goes on. */
async function heartbeat({ plain }: Live) {
  let running = true
  const statuses: number[] = []
  const beat = async () => {
    while (running) statuses.push((await send(`${plain}/livez`)).status)
  }
  const loop = beat()
  return {
    statuses,
    async stop() {
      running = false
      await loop
    },
  }
}

const good = async (more: { readonly [name: string]: string } = {}): Promise<string> =>
  new URLSearchParams({
    grant_type: TOKEN_EXCHANGE,
    subject_token: await live.token('jwt'),
    subject_token_type: tokenTypes.jwt,
    audience: TARGET,
    ...more,
  }).toString()

const HEADERS = {
  'content-type': 'application/x-www-form-urlencoded',
  authorization: basicOf('demo', 'demo-secret'),
}
const post = (body: string | Uint8Array, headers = {}) =>
  send(`${live.plain}/token`, { method: 'POST', headers: { ...HEADERS, ...headers }, body })

const portOf = (url: string): number => Number(new URL(url).port)

/** Sends bytes over a connection of its own and gives back all that comes until the other side ends it. */
function raw(port: number, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (part: Buffer) => {
      answer += part.toString('latin1')
    })
    // A reset is an end too.
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

const opened = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.on('error', reject)
  })

const metric = async (name: string, at = live.plain): Promise<number> => {
  const { text } = await send(`${at}/metrics`)
  const line = text.split('\n').find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`))
  return Number(line?.split(' ').at(-1) ?? 0)
}

describe('the size of a request', () => {
  it('TR-14: 413 beyond the limit of the body, whether the length is told or not', async () => {
    const large = `${await good()}&padding=${'a'.repeat(BODY)}`
    const told = await post(large)
    expect(told).toMatchObject({ status: 413, body: { error: 'invalid_request' }, headers: { connection: 'close' } })
    const before = live.records.length
    const chunked = await raw(
      portOf(live.plain),
      `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: ${HEADERS['content-type']}\r\nTransfer-Encoding: chunked\r\n\r\n${large.length.toString(16)}\r\n${large}\r\n`,
    )
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /)
    // It came to no exchange, and was not read.
    expect(live.records.length).toBe(before)
  })

  it('TR-14: takes what is just within', async () => {
    const body = await good()
    const rest = BODY - body.length
    const padding = Array.from({ length: 4 }, (_, at) => `&p${at}=`.padEnd(Math.floor(rest / 4), 'a')).join('')
    expect(padding.length + body.length).toBeGreaterThan(BODY - 8)
    expect((await post(body + padding)).status).toBe(200)
  })

  it('TR-14: 400 for too many parameters, and for one that is too long', async () => {
    const many = Array.from({ length: 13 }, (_, at) => `&p${at}=1`).join('')
    for (const more of [many, `&long=${'a'.repeat(PARAMETER)}`, '&audience=a'.repeat(13)]) {
      expect(await post((await good()) + more)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
      expect(live.last()).toMatchObject({ code: 'ERR_REQUEST_FORM', result: 'refused' })
    }
    expect((await post((await good()) + many.slice(0, many.lastIndexOf('&')))).status).toBe(200)
  })

  it('PQ-04: 431 for header fields that are too large', async () => {
    const answer = await raw(portOf(live.plain), `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
  })
})

describe('the size and depth of a token', () => {
  const b64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64url')
  const jwt = (header: string, payload: string) => `${b64(header)}.${b64(payload)}.${b64(Buffer.alloc(64))}`
  const nested = (depth: number) => `${'['.repeat(depth)}1${']'.repeat(depth)}`
  const cwt = (payload: Buffer) => {
    const length = Buffer.from([0x59, payload.length >> 8, payload.length & 0xff])
    const signature = Buffer.concat([Buffer.from('5840', 'hex'), Buffer.alloc(64)])
    return b64(Buffer.concat([Buffer.from('d83dd28443a10126a0', 'hex'), length, payload, signature]))
  }
  // { 1000: [[[…1…]]] }
  const deep = (depth: number) =>
    Buffer.concat([Buffer.from('a11903e8', 'hex'), Buffer.alloc(depth, 0x81), Buffer.of(1)])
  const der = () => Buffer.from(live.file('client.pem').replace(/-----[^-]+-----/g, ''), 'base64')

  it.each([
    ['claims of a JWT nested 20 deep', tokenTypes.jwt, () => jwt('{"alg":"ES256"}', `{"a":${nested(20)}}`)],
    ['claims of a JWT nested 500 deep', tokenTypes.jwt, () => jwt('{"alg":"ES256"}', `{"a":${nested(500)}}`)],
    ['a header of a JWT nested 500 deep', tokenTypes.jwt, () => jwt(`{"alg":"ES256","a":${nested(500)}}`, '{}')],
    ['a CWT nested 20 deep', tokenTypes.cwt, () => cwt(deep(20))],
    ['a CWT nested 1,000 deep', tokenTypes.cwt, () => cwt(deep(1000))],
    [
      'a CWT that says it has a list of 2^32',
      tokenTypes.cwt,
      () => cwt(Buffer.from('a11903e89b0000000100000000', 'hex')),
    ],
    ['a chain of 9 certificates', tokenTypes.mtls, () => JSON.stringify(Array.from({ length: 9 }, () => 'MAA='))],
    [
      'a certificate with a length beyond its end',
      tokenTypes.x509Der,
      () => b64(Buffer.concat([Buffer.from('3083ffffff', 'hex'), der().subarray(4)])),
    ],
  ] as const)('%s is refused by its parser, before any key is looked for', async (_what, type, token) => {
    const audience =
      {
        [tokenTypes.jwt]: TARGET,
        [tokenTypes.cwt]: 'https://cwt-to-jwt.beta.example',
      }[type as string] ?? 'https://x509-to-jwt.beta.example'
    const { status } = await post(await good({ subject_token: token(), subject_token_type: type, audience }))
    expect(status).toBe(400)
    expect(live.last().code).toMatch(/^ERR_TOKEN_(TOO_LARGE|MALFORMED|HEADER)$/)
  })
})

describe('what is no request', () => {
  const head = (length: number | string, more = ''): string =>
    `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: ${HEADERS['content-type']}\r\nAuthorization: ${HEADERS.authorization}\r\nContent-Length: ${length}\r\n${more}\r\n`

  it.each([
    ['bytes of every kind', Buffer.from(Array.from({ length: 500 }, (_, at) => (at * 37 + 200) & 0xff))],
    ['a TLS greeting', Buffer.from('16030102000100' + '00'.repeat(200), 'hex')],
    ['a line without end', `${'A'.repeat(40_000)}`],
    ['no Host', 'GET /livez HTTP/1.1\r\n\r\n'],
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['two lengths', head('5\r\nContent-Length: 6') + 'hello!'],
    ['length and chunks', `${head(5, 'Transfer-Encoding: chunked\r\n')}0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n`],
    ['a length that is no number', `${head('0x10')}hello`],
    ['a negative length', `${head(-1)}hello`],
    [
      'a chunk whose length is no number',
      'POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    ],
    ['a NUL in a header field', 'GET /livez HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n'],
    ['a folded header field', 'GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n'],
    ['white space before the colon', 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello'],
  ] as const)('%s: one refusal at most, and the end of the connection', async (_what, bytes) => {
    const before = live.records.length
    const answer = await raw(portOf(live.plain), bytes)
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)
    expect(statuses.filter((status) => !['400', '431'].includes(status ?? ''))).toEqual([])
    expect(statuses.length).toBeLessThanOrEqual(1)
    expect(live.records.length).toBe(before)
  })

  it('plain HTTP on the port of TLS gets no answer of ours, and TLS goes on', async () => {
    const answer = await raw(portOf(live.secure), 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(answer).not.toContain('HTTP/1.1 200')
    expect((await send(`${live.secure}/livez`, { tls: { ca: live.authority } })).status).toBe(200)
  })

  it('TR-14, C-06: 400 for another media type, 405 for another method, 404 for another path, all in JSON', async () => {
    const sent = await good()
    expect(await post(sent, { 'content-type': 'application/json' })).toMatchObject({ status: 400 })
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect(await send(`${live.plain}/token`, { method, headers: HEADERS, body: sent })).toMatchObject({
        status: 405,
        body: { error: 'invalid_request' },
        headers: { allow: 'POST', 'content-type': 'application/json' },
      })
    }
    for (const path of ['/', '/tokens', '/token/', '/%74oken/x', '/../token/..', '/eu/token', `/${'a'.repeat(5000)}`]) {
      expect(await send(`${live.plain}${path}`, { method: 'POST', headers: HEADERS, body: sent })).toMatchObject({
        status: 404,
        body: { error: 'invalid_request' },
      })
    }
    // RFC 6749 §2.3.1: never in the URI.
    expect(await send(`${live.plain}/token?${sent}`, { method: 'POST', headers: HEADERS })).toMatchObject({
      status: 400,
    })
  })

  it('answers what is pipelined one after the other, each with its own', async () => {
    const sent = await good()
    const one = head(sent.length) + sent
    const bad = head(3) + 'a=b'
    const answer = await raw(portOf(live.plain), one + bad + one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    expect([...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)).toEqual(['200', '400', '200'])
  })
})

describe('connections that are slow, or go away', () => {
  it('leave the others alone: 200 that have said half of what they wanted', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => opened(portOf(live.plain))))
    for (const [at, socket] of sockets.entries()) {
      socket.write(
        at % 2 === 0
          ? 'POST /token HTTP/1.1\r\nHost'
          : `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: ${HEADERS['content-type']}\r\nContent-Length: 900\r\n\r\ngrant_type=`,
      )
    }
    expect((await post(await good())).status).toBe(200)
    for (const socket of sockets) socket.destroy()
    await expect.poll(() => metric('dragoman_exchanges_in_flight'), { interval: 10 }).toBe(0)
  })

  it('spend nothing: a token that is taken once is still good after a request that never came whole', async () => {
    const token = await live.token('jwt')
    const sent = await good({ subject_token: token, audience: ONCE })
    const socket = await opened(portOf(live.plain))
    const head = Object.entries({ ...HEADERS, 'content-length': String(sent.length) })
    const fields = head.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    await new Promise<void>((resolve) =>
      socket.write(`POST /token HTTP/1.1\r\nHost: x\r\n${fields}\r\n${sent.slice(0, -1)}`, () => resolve()),
    )
    const before = live.records.length
    const turnedAway = await metric('dragoman_requests_turned_away_total{code="ERR_REQUEST_HTTP"}')
    socket.destroy()
    await expect
      .poll(() => metric('dragoman_requests_turned_away_total{code="ERR_REQUEST_HTTP"}'), { interval: 10 })
      .toBe(turnedAway + 1)
    expect(live.records.length).toBe(before)
    expect((await post(sent)).status).toBe(200)
    expect((await post(sent)).status).toBe(400)
    expect(live.last()).toMatchObject({ code: 'ERR_TOKEN_REPLAYED' })
  })

  it('spend nothing: nor after one that was refused for another reason, at whichever step', async () => {
    const subject_token = await live.token('jwt')
    const sent = (more = {}) => good({ subject_token, audience: ONCE, ...more })
    expect((await post(await sent(), { authorization: basicOf('demo', 'tester-secret') })).status).toBe(401)
    expect((await post(await sent({ requested_token_type: tokenTypes.cwt }))).status).toBe(400)
    // A condition of a stage, behind the verification.
    expect((await post(await sent({ scope: 'orders.read' }))).status).toBe(400)
    expect(live.last()).toMatchObject({ code: 'ERR_PROFILE_CONDITION' })
    expect((await post(await sent(), { dpop: 'x' })).status).toBe(400)
    expect((await post(await sent())).status).toBe(200)
  })
})

describe('more than can be answered', () => {
  it('is refused at once with 503 and a time, bounded, and without a record; what was taken in is answered', async () => {
    const issuer = await changingServer(json(JSON.parse(live.file('alpha-jwks.json'))))
    const slow = await newLive({
      edit(folder) {
        writeFileSync(join(folder, 'alpha-jwks.json'), live.file('alpha-jwks.json'))
        const fetch = '    fetch: { allow_private_addresses: true, timeout: 20 }\n'
        rewrite(
          folder,
          'dragoman.yaml',
          '    jwks_file: alpha-jwks.json\n',
          `    jwks_uri: ${issuer.origin}/keys\n${fetch}`,
        )
      },
    })
    const [tenant] = slow.gateway.tenants
    if (!tenant) throw new Error('no tenant')
    const app = await createHttp([{ services: tenant.services }], {
      exchange: exchangeToken,
      recordRefusal,
      version: '0',
      turns: { queued: 16, inFlight: 8 },
    })
    const listening = await listen(app, [{ host: '127.0.0.1', port: 0 }])
    try {
      const [at = ''] = listening.addresses
      const token = await live.token('jwt', { validity: { ...validity(), audience: [slow.issuer, TARGET] } })
      const body = await good({ subject_token: token })
      const ask = () => send(`${at}/token`, { method: 'POST', headers: HEADERS, body })
      const release = issuer.hold()
      const taken = Array.from({ length: 8 }, ask)
      await expect.poll(() => metric('dragoman_exchanges_in_flight', at), { interval: 10 }).toBe(8)
      const refused = await Promise.all(Array.from({ length: 40 }, ask))
      for (const answer of refused) {
        expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
        expect(answer.headers['retry-after']).toBe('1')
      }
      expect(await metric('dragoman_requests_turned_away_total{code="ERR_OVERLOADED"}', at)).toBe(40)
      expect(await metric('dragoman_exchanges_in_flight', at)).toBe(8)
      expect((await send(`${at}/livez`)).status).toBe(200)
      expect((await send(`${at}/jwks`)).status).toBe(200)
      expect(slow.records.length).toBe(0)
      release()
      const answers = await Promise.all(taken)
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200))
      expect((await ask()).status).toBe(200)
      expect(slow.records.length).toBe(9)
      expect(issuer.requests.length).toBe(1)
    } finally {
      await listening.close()
      await slow.close()
    }
  })

  it('is refused for everybody alike at once, and all is well afterwards: 300 requests in one moment', async () => {
    const body = await good()
    const answers = await Promise.all(Array.from({ length: 300 }, () => post(body)))
    const statuses = new Set(answers.map(({ status }) => status))
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect((await post(body)).status).toBe(200)
    expect(await metric('dragoman_exchanges_in_flight')).toBe(0)
  })
})

describe('through all of it', () => {
  it('/livez answers, and says that the process lives', async () => {
    await pulse.stop()
    expect(pulse.statuses.length).toBeGreaterThan(50)
    expect(new Set(pulse.statuses)).toEqual(new Set([200]))
    expect((await send(`${live.plain}/readyz`)).body).toEqual({ ready: true, missing: [] })
    expect(live.records.filter(({ code }) => code === 'ERR_INTERNAL')).toEqual([])
  })
})

const validity = () => {
  const now = Math.floor(Date.now() / 1000)
  return { issuedAt: now, notBefore: now - 10, expiresAt: now + 600, audience: [], scope: ['orders.read'] }
}
