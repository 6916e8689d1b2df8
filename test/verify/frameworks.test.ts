import type { RequestListener } from 'node:http'
import express from 'express'
import { fastify } from 'fastify'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import * as oauth from 'oauth4webapi'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type ConnectRequest,
  connectVerifier,
  type Decision,
  fastifyVerifier,
  type Verifier,
  type VerifierOptions,
} from '../../src/verify/index.ts'
import { send } from '../support/live.ts'
import { sha256 } from '../support/proofs.ts'
import { listening, plain } from '../support/services.ts'
import { accessToken, accessVerifier, transactionToken, transactionVerifier } from '../support/verify.ts'
import { authority, leaf } from '../support/x509.ts'

const REQUESTS = {
  'GET /orders': { scope: 'order.pay', tctx: { amount: { query: 'amount' } } },
  'POST /orders/:order_id/pay': {
    scope: 'order.pay',
    tctx: { order_id: { path: 'order_id' }, amount: { body: 'amount' } },
  },
} as const

function told(options: Partial<VerifierOptions> = {}) {
  const decisions: Decision[] = []
  const log = (decision: Decision) => void decisions.push(decision)
  return { decisions, verifier: transactionVerifier({ requests: REQUESTS, log, ...options }) }
}

const JSON_BODY = { 'content-type': 'application/json' }
const txn = (claims = {}) => ({ 'txn-token': transactionToken(claims) })

async function served(listener: RequestListener) {
  const service = await listening(listener)
  onTestFinished(() => service.close())
  return service.origin
}

describe('the fastify plugin', () => {
  it('guards the context that it is registered in, whatever was registered first, and no other', async () => {
    const { verifier } = told()
    const app = fastify()
    let reached = 0
    await app.register(async (guarded) => {
      guarded.get('/orders', async ({ verified }) => {
        reached += 1
        return { txn: verified.txn }
      })
      await guarded.register(fastifyVerifier(verifier))
      await guarded.register(async (inner) => inner.post('/orders/:id/pay', ({ verified }) => ({ txn: verified.txn })))
    })
    app.get('/health', async () => 'up')
    expect((await app.inject('/health')).body).toBe('up')
    expect((await app.inject('/orders?amount=18.4')).statusCode).toBe(403)
    expect(reached).toBe(0)
    const get = await app.inject({ url: '/orders?amount=18.4', headers: txn() })
    expect([get.statusCode, get.json()]).toEqual([200, { txn: 'tx-1' }])
    const body = { amount: 18.4 }
    expect((await app.inject({ method: 'POST', url: '/orders/o-771/pay', headers: txn(), body })).statusCode).toBe(200)
    expect((await app.inject({ method: 'POST', url: '/orders/o-771/pay', body })).statusCode).toBe(403)
  })

  it('refuses what fastify answers by itself, such as HEAD, unless a rule is for it', async () => {
    const app = fastify()
    await app.register(fastifyVerifier(told().verifier))
    app.get('/orders', async () => 'secret')
    const head = { method: 'HEAD', url: '/orders?amount=18.4', headers: txn() } as const
    expect((await app.inject(head)).statusCode).toBe(403)
  })

  it('compares what the handler will see: a query parser of another mind is found out', async () => {
    const { decisions, verifier } = told()
    const lists = (text: string) => ({ ...Object.fromEntries(new URLSearchParams(text)), amount: ['18.4', '1840'] })
    const app = fastify({ routerOptions: { querystringParser: lists } })
    await app.register(fastifyVerifier(verifier))
    app.get('/orders', async ({ query }) => query)
    expect((await app.inject({ url: '/orders?amount=18.4', headers: txn() })).statusCode).toBe(403)
    expect(decisions[0]?.detail).toMatchObject({
      differs: [{ tctx: 'amount', query: 'amount', problem: 'read in another way by the framework' }],
    })
  })

  it('goes by the URL that was routed, after a rewrite', async () => {
    const app = fastify({ rewriteUrl: ({ url = '' }) => url.replace('/public', '') })
    await app.register(fastifyVerifier(told().verifier))
    app.get('/orders', async () => 'paid')
    expect((await app.inject({ url: '/public/orders?amount=18.4', headers: txn() })).statusCode).toBe(200)
    expect((await app.inject({ url: '/public/orders?amount=1', headers: txn() })).statusCode).toBe(403)
  })

  it('answers with each challenge on a line of its own', async () => {
    const app = fastify()
    await app.register(
      fastifyVerifier(accessVerifier({ dpop: { baseUrl: 'https://x.example', algorithms: ['ES256'] } })),
    )
    app.get('/', async () => 'secret')
    const { statusCode, headers, body } = await app.inject('/')
    expect([statusCode, headers['www-authenticate'], body]).toEqual([401, ['Bearer', 'DPoP algs="ES256"'], '{}'])
  })

  it('takes the certificate that a proxy tells of, where it is asked to', async () => {
    const { certificate } = leaf(authority('devices'))
    const bound = { authorization: `Bearer ${accessToken({ cnf: { 'x5t#S256': sha256(certificate) } })}` }
    const app = fastify()
    await app.register(
      fastifyVerifier(accessVerifier(), {
        certificate: ({ headers }) => {
          const field = headers['client-cert']
          return typeof field === 'string' ? Buffer.from(field.replaceAll(':', ''), 'base64') : undefined
        },
      }),
    )
    app.get('/', async ({ verified }) => verified.sub)
    const field = `:${Buffer.from(certificate).toString('base64')}:`
    expect((await app.inject({ url: '/', headers: { ...bound, 'client-cert': field } })).statusCode).toBe(200)
    expect((await app.inject({ url: '/', headers: bound })).statusCode).toBe(401)
  })
})

describe('the middleware in Express', () => {
  const application = (verifier: Verifier, prepare: (app: express.Express) => void = () => {}) => {
    const app = express()
    prepare(app)
    app.use(connectVerifier(verifier))
    app.all('/{*any}', (request: ConnectRequest, response: express.Response) => {
      response.json({ txn: request.verified?.txn })
    })
    return served(app)
  }
  const pay = (origin: string, path = '/orders/o-771/pay', body = '{"amount":18.4}') =>
    send(origin + path, { method: 'POST', headers: { ...txn(), ...JSON_BODY }, body })

  it('refuses a body that nobody has parsed, rather than not look at it', async () => {
    const { decisions, verifier } = told()
    expect((await pay(await application(verifier))).status).toBe(403)
    expect(decisions[0]?.detail).toMatchObject({
      differs: [{ tctx: 'amount', body: 'amount', problem: 'missing in the request' }],
    })
  })

  it.each([
    ['express.json()', express.json()],
    ['express.raw()', express.raw({ type: '*/*' })],
  ])('compares a body that %s has read', async (_, parser) => {
    const origin = await application(told().verifier, (app) => app.use(parser))
    expect((await pay(origin)).status).toBe(200)
    expect((await pay(origin, undefined, '{"amount":18.5}')).status).toBe(403)
  })

  it('takes the last of two members as its handler would, and none of them where the handler parses bytes', async () => {
    const twice = '{"amount":1840,"amount":18.4}'
    const parsed = await application(told().verifier, (app) => app.use(express.json()))
    expect((await pay(parsed, undefined, twice)).status).toBe(200)
    const bytes = await application(told().verifier, (app) => app.use(express.raw({ type: '*/*' })))
    expect((await pay(bytes, undefined, twice)).status).toBe(403)
  })

  it('refuses a path that Express takes for the same and the table does not', async () => {
    const origin = await application(told().verifier, (app) => app.use(express.json()))
    for (const path of ['/Orders/o-771/pay', '/orders/o-771/pay/', '/orders/o-771/PAY']) {
      expect((await pay(origin, path)).status, path).toBe(403)
    }
  })

  it.each(['simple', 'extended'])(
    'with the query parser %s: refuses what it makes lists and objects of',
    async (parser) => {
      const origin = await application(told().verifier, (app) => app.set('query parser', parser))
      const get = (query: string) => send(`${origin}/orders?${query}`, { headers: txn() })
      expect((await get('amount=18.4')).status).toBe(200)
      for (const query of [
        'amount=18.4&amount=18.4',
        'amount[]=18.4',
        'amount[0]=18.4',
        ...(parser === 'extended' ? ['amount=18.4&amount[]=1840'] : []),
        '',
      ]) {
        expect((await get(query)).status, query).toBe(403)
      }
    },
  )
})

describe('a header field that is sent twice', () => {
  it('is told from one, on a real connection', async () => {
    const { decisions, verifier } = told()
    const origin = await served(plain(verifier))
    const token = transactionToken()
    const ask = (field: string | string[]) => send(`${origin}/orders?amount=18.4`, { headers: { 'Txn-Token': field } })
    expect((await ask(token)).status).toBe(200)
    expect((await ask([token, token])).status).toBe(400)
    expect((await ask([token, 'x'])).status).toBe(400)
    expect(decisions.map(({ code }) => code)).toEqual([undefined, 'ERR_REQUEST_REPEATED', 'ERR_REQUEST_REPEATED'])
    const api = await served(plain(accessVerifier()))
    const authorization = [`Bearer ${accessToken()}`, 'DPoP x']
    expect((await send(api, { headers: { authorization: authorization.slice(0, 1) } })).status).toBe(200)
    expect((await send(api, { headers: { authorization } })).status).toBe(400)
  })
})

describe('a client library that knows nothing of us', () => {
  it('calls with DPoP, and with the nonce that it is asked for', async () => {
    const keys = await oauth.generateKeyPair('ES256', { extractable: true })
    const now = Math.floor(Date.now() / 1000)
    const jkt = await calculateJwkThumbprint(await exportJWK(keys.publicKey))
    const token = accessToken({ cnf: { jkt }, iat: now, exp: now + 60 })
    let verifier: Verifier | undefined
    const origin = await served((request, response) => verifier && plain(verifier)(request, response))
    verifier = accessVerifier({
      clock: () => Date.now() / 1000,
      dpop: { baseUrl: origin, nonceSecret: new Uint8Array(32).fill(1) },
    })
    const DPoP = oauth.DPoP({}, keys)
    const call = () =>
      oauth.protectedResourceRequest(token, 'GET', new URL('/orders?page=2', origin), undefined, undefined, {
        DPoP,
        [oauth.allowInsecureRequests]: true,
      })
    const first = await call().catch((error: unknown) => error)
    expect(oauth.isDPoPNonceError(first)).toBe(true)
    for (const _ of [1, 2]) {
      const answer = await call()
      expect([answer.status, await answer.json()]).toMatchObject([200, { sub: 'u-501' }])
    }
  })

  it('reads the challenge of a refusal', async () => {
    const verifier = accessVerifier({ realm: 'orders', requiredScopes: ['orders.delete'] })
    const origin = await served(plain(verifier))
    const call = oauth.protectedResourceRequest(accessToken(), 'GET', new URL('/', origin), undefined, undefined, {
      [oauth.allowInsecureRequests]: true,
    })
    const error = await call.catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(oauth.WWWAuthenticateChallengeError)
    expect((error as oauth.WWWAuthenticateChallengeError).cause).toMatchObject([
      { scheme: 'bearer', parameters: { realm: 'orders', error: 'insufficient_scope', scope: 'orders.delete' } },
    ])
  })
})
