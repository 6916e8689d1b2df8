import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { createVerifier, type Decision, type VerifierOptions } from '../../src/verify/index.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { basicOf, dpopBy, type Live, newLive, rewrite, send } from '../support/live.ts'
import { sha256 } from '../support/proofs.ts'
import { listening, plain, type Service, services } from '../support/services.ts'
import { seen } from '../support/watch.ts'
import { said, WORKLOAD } from '../support/world.ts'

const DOMAIN = 'beta.example'
const profile = (name: string, target: string, format: string, stages = '', key = 'signing') => `name: ${name}
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [${target}] }
stages:
${stages}  - validity: { lifetime: 60, scope: { allow: [orders.read, orders.write] } }
  - format: ${format}
  - crypto: { key: ${key} }
`
const transaction = (name: string, domain: string) => `name: ${name}
accept:
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [${domain}] }
transactions:
  - name: order
    clients: [demo]
    subjects: ['spiffe://alpha.example/*']
    scope: [orders.read, orders.write]
    lifetime: 60
    details:
      order_id: string
      amount: number
      coupon: { type: string, required: false }
      shop: { type: string, required: false }
stages:
  - format: { to: jwt, kind: txntoken+jwt }
  - crypto: { key: signing }
`
const profiles = {
  transaction: transaction('transaction', DOMAIN),
  elsewhere: transaction('elsewhere', 'gamma.example'),
  access: profile('access', 'https://access.example', '{ to: jwt, kind: at+jwt }'),
  quantum: profile('quantum', 'https://quantum.example', '{ to: jwt, kind: at+jwt }', '', 'pq'),
  plain: profile('plain', 'https://plain.example', '{ to: jwt }'),
  cwt: profile('cwt', 'https://cwt.example', '{ to: cwt }'),
  bound: profile(
    'bound',
    'https://bound.example',
    '{ to: jwt, kind: at+jwt }',
    '  - sender_constraint: { mode: bind, method: [dpop, mtls], require: true }\n',
  ),
}

let live: Live
beforeAll(async () => {
  live = await newLive({
    edit(folder) {
      for (const [name, text] of Object.entries(profiles)) writeFileSync(join(folder, `${name}.yaml`), text)
      const files = Object.keys(profiles).map((name) => `${name}.yaml`)
      rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, `profiles: [${files.join(', ')}]`)
    },
  })
})
afterAll(() => live.close())

interface Asked {
  readonly target: string
  readonly scope?: string
  readonly details?: { readonly [name: string]: string | number }
  readonly dpop?: string
  readonly shown?: { readonly cert: string; readonly key: string }
}

/** A token of the gateway, by way of an exchange over HTTP. */
async function issued({ target, scope = 'orders.write', details, dpop, shown }: Asked): Promise<string> {
  const subject_token = await live.token('jwt')
  const { status, body } = await live.post(
    {
      subject_token,
      audience: target,
      scope,
      ...(target.startsWith('https:')
        ? {}
        : {
            requested_token_type: tokenTypes.txnToken,
            request_details: JSON.stringify(details ?? { order_id: 'o-771', amount: 18.4 }),
          }),
    },
    {
      authorization: basicOf('demo', 'demo-secret'),
      ...(dpop !== undefined && { headers: { dpop } }),
      ...(shown && { shown }),
    },
  )
  expect(status, JSON.stringify({ ...body, access_token: undefined })).toBe(200)
  return String(body['access_token'])
}

const LOCAL = { allow_private_addresses: true }
const verifierFor = (audience: string, differs: Partial<VerifierOptions> = {}) =>
  createVerifier({
    issuers: [{ issuer: live.issuer, discovery: true, fetch: LOCAL }],
    audience,
    log: seen,
    ...differs,
  })

describe.each(Object.keys(services))('a service on %s, with transaction tokens of the gateway', (name) => {
  const decisions: Decision[] = []
  let service: Service
  beforeAll(async () => {
    const verifier = verifierFor(DOMAIN, {
      kind: 'txntoken+jwt',
      requests: {
        'POST /orders/:order_id/pay': {
          scope: 'orders.write',
          tctx: {
            order_id: { path: 'order_id' },
            amount: { body: 'amount' },
            coupon: { query: 'coupon', optional: true },
            shop: { header: 'x-shop', optional: true },
          },
        },
        'GET /orders/:order_id': { scope: 'orders.read', tctx: { order_id: { path: 'order_id' } } },
      },
      log: (decision) => {
        seen(decision)
        decisions.push(decision)
      },
    })
    const start = services[name]
    if (start === undefined) throw new TypeError(name)
    service = await start(verifier)
  })
  afterAll(() => service.close())

  interface Sent {
    readonly method?: string
    readonly path?: string
    readonly body?: string
    readonly headers?: { readonly [name: string]: string }
  }
  const pay = (token: string | undefined, { method = 'POST', path, body, headers = {} }: Sent = {}) =>
    send(`${service.origin}${path ?? '/orders/o-771/pay'}`, {
      method,
      headers: {
        ...(token !== undefined && { 'txn-token': token }),
        ...(method === 'POST' && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(method === 'POST' && { body: body ?? '{"amount":18.4}' }),
    })
  const refused = async (code: string, answer: ReturnType<typeof pay>) => {
    const { status, headers, text } = await answer
    const body = JSON.parse(text)
    expect({ code: decisions.at(-1)?.code, status }).toEqual({ code, status: 403 })
    expect(headers['www-authenticate']).toBeUndefined()
    expect(Object.keys(body)).toEqual(['error', 'error_description'])
    expect(body['error']).toBe(/^ERR_REQUEST_(?!MISSING)/.test(code) ? 'insufficient_scope' : 'invalid_token')
  }

  it('takes the request that the token is for', async () => {
    const answer = await pay(await issued({ target: DOMAIN }))
    expect(answer.status, JSON.stringify(decisions.at(-1))).toBe(200)
    expect(JSON.parse(answer.text)).toEqual({
      sub: WORKLOAD,
      scope: ['orders.write'],
      txn: expect.any(String),
      actors: 0,
    })
    expect(decisions.at(-1)).toMatchObject({
      result: 'accepted',
      txn: expect.any(String),
      req_wl: 'demo',
      issuer: live.issuer,
    })
  })

  it('takes the same token again, and for another rule with its scope', async () => {
    const token = await issued({ target: DOMAIN, scope: 'orders.read orders.write' })
    for (const _ of [1, 2]) expect((await pay(token)).status).toBe(200)
    expect((await pay(token, { method: 'GET', path: '/orders/o-771' })).status).toBe(200)
  })

  it('TV-12: refuses an altered path, body, query and header field', async () => {
    const token = await issued({ target: DOMAIN })
    await refused('ERR_REQUEST_ALTERED', pay(token, { path: '/orders/o-772/pay' }))
    await refused('ERR_REQUEST_ALTERED', pay(token, { body: '{"amount":1840}' }))
    await refused('ERR_REQUEST_ALTERED', pay(token, { body: '{"amount":"18.4"}' }))
    await refused('ERR_REQUEST_ALTERED', pay(token, { body: '{}' }))
    await refused('ERR_REQUEST_ALTERED', pay(token, { path: '/orders/o-771/pay?coupon=half' }))
    await refused('ERR_REQUEST_ALTERED', pay(token, { headers: { 'x-shop': 's-1' } }))
    expect(decisions.at(-1)?.detail).toMatchObject({
      differs: [{ tctx: 'shop', header: 'x-shop', problem: 'missing in tctx' }],
    })
    const full = await issued({
      target: DOMAIN,
      details: { order_id: 'o-771', amount: 18.4, coupon: 'half', shop: 's-1' },
    })
    const path = '/orders/o-771/pay?coupon=half'
    expect((await pay(full, { path, headers: { 'x-shop': 's-1' } })).status).toBe(200)
    await refused('ERR_REQUEST_ALTERED', pay(full, { path, headers: { 'x-shop': 's-2' } }))
    await refused('ERR_REQUEST_ALTERED', pay(full, { path: `${path}&coupon=whole`, headers: { 'x-shop': 's-1' } }))
    await refused('ERR_REQUEST_ALTERED', pay(full))
  })

  it('refuses a request without a rule, however its path is written', async () => {
    const token = await issued({ target: DOMAIN })
    for (const path of ['/orders/o-771/refund', '/orders/o-771/pay/', '/orders//o-771/pay', '/orders/o-771%2Fpay']) {
      const { status } = await pay(token, { path })
      // Some paths have no route either.
      expect([403, 404], path).toContain(status)
    }
    await refused('ERR_REQUEST_UNLISTED', pay(token, { path: '/orders/o-771/refund' }))
  })

  it('refuses a token without the scope', async () => {
    await refused('ERR_REQUEST_INSUFFICIENT_SCOPE', pay(await issued({ target: DOMAIN, scope: 'orders.read' })))
  })

  it('TV-01, TV-02: refuses a request without a token, and one with it elsewhere', async () => {
    const token = await issued({ target: DOMAIN })
    await refused('ERR_REQUEST_MISSING', pay(undefined))
    await refused('ERR_REQUEST_MISSING', pay(undefined, { headers: { authorization: `Bearer ${token}` } }))
  })

  it('TV-04, TT-35: refuses a token of the gateway for another domain, and of another kind', async () => {
    await refused('ERR_TOKEN_AUDIENCE', pay(await issued({ target: 'gamma.example' })))
    await refused('ERR_TOKEN_KIND', pay(await issued({ target: 'https://plain.example' })))
    await refused('ERR_TOKEN_KIND', pay(await issued({ target: 'https://access.example' })))
  })

  it('refuses a token of another issuer, and one that was altered', async () => {
    const foreign = map([...Object.entries(said), ['txn', 'tx-1'], ['req_wl', 'demo']])
    await refused('ERR_TRUST_ISSUER', pay(await live.token('jwt', { kind: 'txntoken+jwt', claims: foreign })))
    const [header, , signature] = (await issued({ target: DOMAIN })).split('.')
    const payload = Buffer.from(JSON.stringify({ iss: live.issuer, sub: 'admin' })).toString('base64url')
    await refused('ERR_TOKEN_SIGNATURE', pay([header, payload, signature].join('.')))
    await refused('ERR_TOKEN_MALFORMED', pay('x'))
  })
})

describe('a transaction token of the gateway', () => {
  it('is verified by another library as well', async () => {
    const token = await issued({ target: DOMAIN })
    const keys = createRemoteJWKSet(new URL(`${live.issuer}/jwks`))
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: live.issuer,
      audience: DOMAIN,
      typ: 'txntoken+jwt',
      requiredClaims: ['txn', 'req_wl', 'scope', 'iat', 'exp', 'sub'],
    })
    expect(protectedHeader.typ).toBe('txntoken+jwt')
    expect(payload).toMatchObject({ req_wl: 'demo', tctx: { order_id: 'o-771', amount: 18.4 } })
  })
})

describe('other tokens of the gateway', () => {
  it.each([
    ['an access token', 'https://access.example', {}],
    ['one with a post-quantum signature', 'https://quantum.example', { algorithms: ['ML-DSA-65'] }],
    ['a plain JWT', 'https://plain.example', { kind: 'jwt' }],
    ['a CWT', 'https://cwt.example', { format: 'cwt' }],
  ] as const)('are taken by the service that they are for: %s', async (_, target, differs) => {
    const service = await listening(plain(verifierFor(target, { ...differs, requiredScopes: ['orders.write'] })))
    const ask = async (asked: Asked) => {
      const authorization = `Bearer ${await issued(asked)}`
      return send(service.origin, { headers: { authorization } })
    }
    try {
      const { status, text } = await ask({ target })
      expect({ status, ...JSON.parse(text) }).toMatchObject({ status: 200, sub: WORKLOAD })
      const narrow = await ask({ target, scope: 'orders.read' })
      expect(narrow.status).toBe(403)
      expect(narrow.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="orders.write"')
      const elsewhere = await ask({
        target: target.includes('plain') ? 'https://access.example' : 'https://plain.example',
      })
      expect(elsewhere.status).toBe(401)
      expect(elsewhere.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
    } finally {
      await service.close()
    }
  })
})

describe('a token of the gateway that is bound to a key', () => {
  it('by DPoP: is taken with a new proof each time', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const token = await issued({ target: 'https://bound.example', dpop: dpopBy(privateKey, live) })
    // The port is not known before there is a listener, so it is behind a name of its own.
    const verifier = verifierFor('https://bound.example', { dpop: { baseUrl: 'https://api.example/v1' } })
    const service = await listening(plain(verifier))
    const proof = (more: { readonly [claim: string]: unknown } = {}, by = privateKey) =>
      dpopBy(by, live, { htm: 'GET', htu: 'https://api.example/v1/orders', ath: sha256(token), ...more })
    const ask = (scheme: string, dpop?: string) =>
      send(`${service.origin}/orders?x=y`, {
        headers: { authorization: `${scheme} ${token}`, ...(dpop !== undefined && { dpop }) },
      })
    try {
      const once = proof()
      expect((await ask('DPoP', once)).status).toBe(200)
      expect((await ask('DPoP', proof())).status).toBe(200)
      const wrong = [
        await ask('DPoP', once),
        await ask('DPoP'),
        await ask('DPoP', proof({ htu: 'https://api.example/orders' })),
        await ask('DPoP', proof({ ath: sha256('x') })),
        await ask('DPoP', proof({}, generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey)),
        await ask('Bearer', proof()),
        await ask('Bearer'),
      ]
      expect(wrong.map(({ status }) => status)).toEqual(wrong.map(() => 401))
      expect(
        wrong.map(({ headers }) => /(\w+) error="(\w+)"/.exec(String(headers['www-authenticate']))?.slice(1)),
      ).toEqual([
        ['DPoP', 'invalid_dpop_proof'],
        ['DPoP', 'invalid_dpop_proof'],
        ['DPoP', 'invalid_dpop_proof'],
        ['DPoP', 'invalid_dpop_proof'],
        ['DPoP', 'invalid_token'],
        ['Bearer', 'invalid_token'],
        ['Bearer', 'invalid_token'],
      ])
    } finally {
      await service.close()
    }
  })

  it('by a certificate: is taken over a connection with that certificate, from every framework', async () => {
    const shown = { cert: live.file('client.pem'), key: live.file('client.key') }
    const token = await issued({ target: 'https://bound.example', shown })
    const verifier = verifierFor('https://bound.example')
    const tls = { cert: live.file('tls.pem'), key: live.file('tls.key'), ca: live.file('alpha-ca.pem') }
    const service = await listening(plain(verifier), tls)
    const ask = (certificate: { cert?: string; key?: string }) =>
      send(service.origin, {
        headers: { authorization: `Bearer ${token}` },
        tls: { ca: live.authority, ...certificate },
      })
    try {
      expect((await ask(shown)).status).toBe(200)
      expect((await ask({})).status).toBe(401)
      const other = await live.token('x509', {
        kind: 'client',
        claims: map([['sub', WORKLOAD]]),
        confirmation: { publicKey: keyOf(shown.key) },
        options: map([['claims_extension', false]]),
      })
      // The same key under another certificate: RFC 8705 binds to the certificate.
      expect((await ask({ cert: other, key: shown.key })).status).toBe(401)
    } finally {
      await service.close()
    }
  })
})

const keyOf = (pem: string) => publicKey(createPublicKey(createPrivateKey(pem)))
