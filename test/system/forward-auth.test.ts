import { writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { auditToMemory } from '../../src/audit/index.ts'
import { createGateway, type Gateway } from '../../src/compose.ts'
import { jwks } from '../../src/gateway/documents.ts'
import { createVerifier } from '../../src/verify/index.ts'
import { freePorts, type Live, newLive, send } from '../support/live.ts'
import { NO_NGINX, nginx, startNginx } from '../support/nginx.ts'
import { blocks } from '../support/pages.ts'
import { watched } from '../support/world.ts'

// The files of the how-to page, so that what is tested is what is shown.
const PAGE = 'docs/howto/forward-auth.md'
const PORTS = ['8080', '9080', '9081', '9082', '9083'] as const

/** Everything that a request goes through, and what arrived at the service behind it. */
interface Edge {
  readonly live: Live
  readonly gateway: Gateway
  readonly records: ReturnType<typeof auditToMemory>['records']
  readonly url: string
  readonly calls: { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders }[]
  close(): Promise<void>
}

async function newEdge(): Promise<Edge> {
  const live = await newLive()
  const [issuerPort = 0, proxyPort = 0, nginxPort = 0, standInPort = 0, servicePort = 0] = await freePorts(5)
  const ports: { readonly [shown: string]: number } = {
    '8080': Number(new URL(live.plain).port),
    '9080': issuerPort,
    '9081': proxyPort,
    '9082': nginxPort,
    '9083': standInPort,
  }
  const here = (text: string) =>
    text.replace(new RegExp(`\\b(?:${PORTS.join('|')})\\b`, 'g'), (port) => `${ports[port]}`)
  const put = (name: string) => {
    const [text = ''] = blocks(PAGE, `yaml file=${name}`)
    writeFileSync(join(live.folder, name), here(text))
  }
  put('edge.yaml')
  put('edge-orders.yaml')
  writeFileSync(join(live.folder, 'edge.secret'), 'edge-secret')
  const sink = watched(auditToMemory())
  const gateway = await createGateway(join(live.folder, 'edge.yaml'), { audit: () => sink })
  await gateway.listen()

  const calls: { method: string; url: string; headers: IncomingHttpHeaders }[] = []
  const service: Server = createServer(({ method = '', url = '', headers }, response) => {
    calls.push({ method, url, headers })
    response.end('served')
  })
  await new Promise<void>((resolve) => service.listen(servicePort, '127.0.0.1', resolve))
  const [shown = ''] = blocks(PAGE, 'nginx file=nginx.conf')
  const configuration = here(shown).replace(
    `proxy_pass http://127.0.0.1:${standInPort};`,
    `proxy_pass http://127.0.0.1:${servicePort};`,
  )
  const proxy = await startNginx(configuration, nginxPort)
  return {
    live,
    gateway,
    records: sink.records,
    url: `http://127.0.0.1:${nginxPort}`,
    calls,
    async close() {
      await proxy.stop()
      service.closeAllConnections()
      await new Promise((resolve) => service.close(resolve))
      await gateway.close()
      await live.close()
    },
  }
}

const claimsOf = (token: unknown) =>
  JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString()) as {
    readonly [name: string]: unknown
  }

describe.skipIf(nginx === undefined)(`behind nginx${nginx ? '' : ` (${NO_NGINX})`}`, () => {
  let edge: Edge
  beforeAll(async () => {
    edge = await newEdge()
  })
  afterAll(() => edge?.close())
  afterEach(() => void edge.calls.splice(0))

  const get = (path: string, headers: { readonly [name: string]: string } = {}, method = 'GET') =>
    send(edge.url, { method, path, headers })

  it('TV-13: a good token arrives as Txn-Token, made of the request, and neither of them goes elsewhere', async () => {
    const token = await edge.live.token('jwt')
    const answer = await get('/orders/17?all=1', { authorization: `Bearer ${token}`, dpop: 'x', 'x-kept': 'y' })
    expect(answer).toMatchObject({ status: 200, text: 'served' })
    expect(answer.headers).not.toHaveProperty('txn-token')
    const [call] = edge.calls
    expect(call).toMatchObject({ method: 'GET', url: '/orders/17?all=1' })
    expect(call?.headers).toMatchObject({ 'x-kept': 'y' })
    expect(call?.headers).not.toHaveProperty('authorization')
    expect(call?.headers).not.toHaveProperty('dpop')
    expect(claimsOf(call?.headers['txn-token'])).toMatchObject({
      ...{ aud: 'beta.example', tctx: { order_id: '17' }, rctx: { req_ip: '127.0.0.1' }, req_wl: 'edge' },
    })
    expect(edge.records.at(-1)).toMatchObject({
      ...{ result: 'issued', client: 'edge', profile: 'edge-orders', endpoint: 'forward-auth/orders' },
    })
  })

  it('TV-12: the service takes it for the request that it arrives with, and for no other', async () => {
    await get('/orders/17?all=1', { authorization: `Bearer ${await edge.live.token('jwt')}` })
    const [call] = edge.calls
    const [tenant] = edge.gateway.tenants
    if (call === undefined || tenant === undefined) throw new Error('a call')
    const verifier = createVerifier({
      issuers: [{ issuer: tenant.services.issuer, jwks: JSON.parse(jwks(tenant.services)) }],
      audience: 'beta.example',
      kind: 'txntoken+jwt',
      requests: { 'GET /orders/:order_id': { scope: 'orders.read', tctx: { order_id: { path: 'order_id' } } } },
    })
    const asked = { method: call.method, url: call.url, headers: call.headers }
    expect((await verifier.admit(asked)).token).toMatchObject({ req_wl: 'edge', tctx: { order_id: '17' } })
    for (const differs of [{ url: '/orders/18' }, { url: '/orders/17/lines' }, { method: 'DELETE' }]) {
      expect((await verifier.admit({ ...asked, ...differs })).answer).toMatchObject({ status: 403 })
    }
  })

  it('a Txn-Token from outside never arrives, with a good token or without', async () => {
    const token = await edge.live.token('jwt')
    await get('/orders/17', { authorization: `Bearer ${token}`, 'Txn-Token': 'forged', 'txn-token': 'forged' })
    expect(edge.calls).toHaveLength(1)
    expect(String(edge.calls[0]?.headers['txn-token'])).not.toContain('forged')
    expect((await get('/orders/17', { 'Txn-Token': 'forged' })).status).toBe(401)
    expect(edge.calls).toHaveLength(1)
  })

  it('what a client says about itself in the fields of the proxy is replaced', async () => {
    const token = await edge.live.token('jwt')
    const forged = {
      ...{ 'x-original-uri': '/orders/1', 'x-original-method': 'DELETE', 'x-forwarded-for': '192.0.2.1' },
      ...{ 'x-forwarded-host': 'evil.example', 'client-authorization': 'Basic eDp5' },
    }
    expect((await get('/admin', { ...forged, authorization: `Bearer ${token}` })).status).toBe(403)
    await get('/orders/17', { ...forged, authorization: `Bearer ${token}` })
    expect(claimsOf(edge.calls[0]?.headers['txn-token'])).toMatchObject({
      ...{ tctx: { order_id: '17' }, rctx: { req_ip: '127.0.0.1' } },
    })
  })

  it.each([
    ['no token', {}, 401, 'ERR_REQUEST_MISSING', /^Bearer realm="[^"]+", DPoP realm=/],
    ['Basic credentials', { authorization: 'Basic eDp5' }, 401, 'ERR_REQUEST_MISSING', /^Bearer realm=/],
    ['no JWT', { authorization: 'Bearer x' }, 401, 'ERR_TOKEN_MALFORMED', /^Bearer .*error="invalid_token"/],
    ['DPoP without a proof', { authorization: 'DPoP x' }, 401, 'ERR_PROOF_REQUIRED', /^DPoP .*error="invalid_token"/],
  ])('%s is refused, and the service is not called', async (_, headers, status, code, challenge) => {
    const answer = await get('/orders/17', headers)
    expect(answer.status).toBe(status)
    expect(answer.headers['www-authenticate']).toMatch(challenge)
    expect(edge.records.at(-1)).toMatchObject({ result: 'refused', code, endpoint: 'forward-auth/orders' })
    expect(edge.calls).toEqual([])
  })

  it('an expired token is 401, a path or a method that the profile does not let through 403', async () => {
    const now = Math.floor(Date.now() / 1000)
    const validity = { issuedAt: now - 900, notBefore: now - 900, expiresAt: now - 600, audience: [edge.live.plain] }
    const expired = await edge.live.token('jwt', { validity: { ...validity, scope: undefined } })
    expect((await get('/orders/17', { authorization: `Bearer ${expired}` })).status).toBe(401)
    expect(edge.records.at(-1)).toMatchObject({ code: 'ERR_TOKEN_EXPIRED' })
    const token = await edge.live.token('jwt')
    for (const path of ['/admin', '/orders', '/orders/../admin', '/orders/%2e%2E/admin']) {
      expect((await get(path, { authorization: `Bearer ${token}` })).status, path).toBe(403)
    }
    expect(edge.calls).toEqual([])
  })

  it('a body goes to the service and not to the gateway', async () => {
    const token = await edge.live.token('jwt')
    const answer = await send(`${edge.url}/orders/17`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain', 'content-length': '100000' },
      body: 'x'.repeat(100_000),
    })
    expect(answer.status).toBe(200)
    expect(claimsOf(edge.calls[0]?.headers['txn-token'])).toMatchObject({
      tctx: { order_id: '17' },
      scope: 'orders.read orders.write',
    })
  })

  it('when the gateway is down, nothing passes', async () => {
    const other = await newEdge()
    const token = await other.live.token('jwt')
    expect((await send(`${other.url}/orders/1`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
    other.calls.splice(0)
    await other.gateway.close()
    const answer = await send(`${other.url}/orders/1`, { headers: { authorization: `Bearer ${token}` } })
    expect(answer.status).toBeGreaterThanOrEqual(500)
    expect(other.calls).toEqual([])
    await other.close()
  })
})
