import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DragomanError, type ErrorCode, errors } from '../../src/core/errors.ts'
import { answerTo } from '../../src/verify/challenge.ts'
import type { Decision, Verifier } from '../../src/verify/index.ts'
import {
  accessToken,
  accessVerifier,
  call,
  NOW,
  payment,
  transactionToken,
  transactionVerifier,
} from '../support/verify.ts'
import { seen } from '../support/watch.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200)
const API = {
  schemes: ['Bearer', 'DPoP'],
  realm: 'orders',
  algorithms: ['ES256', 'Ed25519'],
  nonce: undefined,
} as const
const DOMAIN = { ...API, schemes: ['Txn-Token'], realm: undefined } as const

describe('the answer to a request with an access token', () => {
  const verifier = accessVerifier({
    realm: 'orders',
    dpop: { baseUrl: 'https://api.example', algorithms: ['ES256', 'Ed25519'] },
    requests: { 'GET /orders': { scope: ['orders.read', 'orders.list'] } },
  })
  const ask = async (verify: Verifier, request: Parameters<Verifier['admit']>[0]) =>
    (await verify.admit(request)).answer

  it('without one names the schemes, and no error (RFC 6750 section 3.1)', async () => {
    expect(await ask(verifier, { method: 'GET', url: '/orders', headers: {} })).toEqual({
      status: 401,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'www-authenticate': ['Bearer realm="orders"', 'DPoP realm="orders", algs="ES256 EdDSA Ed25519"'],
      },
      body: '{}',
    })
  })

  it('that is not good is 401 invalid_token, under the scheme that was used', async () => {
    const answer = await ask(verifier, call(accessToken({ exp: NOW - 600 })))
    expect(answer).toMatchObject({ status: 401 })
    expect(answer?.headers['www-authenticate']).toEqual([
      'Bearer realm="orders", error="invalid_token"',
      'DPoP realm="orders", algs="ES256 EdDSA Ed25519"',
    ])
    expect(JSON.parse(answer?.body ?? '')).toEqual({
      error: 'invalid_token',
      error_description: 'the token is not accepted here',
    })
  })

  it('that lacks a scope is 403 insufficient_scope, with what is needed', async () => {
    const answer = await ask(verifier, call(accessToken()))
    expect(answer).toMatchObject({ status: 403 })
    expect(answer?.headers['www-authenticate']).toContain(
      'Bearer realm="orders", error="insufficient_scope", scope="orders.read orders.list"',
    )
  })

  it('whose user has to authenticate again is 401, with what would do (RFC 9470 section 3)', async () => {
    const strict = accessVerifier({ authentication: { acrValues: ['phr', 'phrh'], maxAge: 300 } })
    expect(await ask(strict, call(accessToken({ acr: 'phr', auth_time: NOW - 60 })))).toBeUndefined()
    for (const claims of [{ acr: 'pwd', auth_time: NOW }, { acr: 'phr', auth_time: NOW - 331 }, {}]) {
      const answer = await ask(strict, call(accessToken(claims)))
      expect(answer).toMatchObject({ status: 401 })
      expect(answer?.headers['www-authenticate']).toEqual([
        'Bearer error="insufficient_user_authentication", acr_values="phr phrh", max_age="300"',
      ])
      expect(JSON.parse(answer?.body ?? '')).toMatchObject({ error: 'insufficient_user_authentication' })
    }
    const recent = accessVerifier({ authentication: { maxAge: 300 } })
    expect((await ask(recent, call(accessToken())))?.headers['www-authenticate']).toEqual([
      'Bearer error="insufficient_user_authentication", max_age="300"',
    ])
  })

  it('that is for another request is 403, and does not say for which', async () => {
    const answer = await ask(verifier, call(accessToken(), { url: '/admin' }))
    expect(answer).toMatchObject({ status: 403 })
    expect(answer?.headers['www-authenticate']).toContain('Bearer realm="orders", error="insufficient_scope"')
  })

  it('with two tokens is 400 invalid_request (RFC 9449 section 7.2)', async () => {
    const headers = { authorization: [`Bearer ${accessToken()}`, `DPoP ${accessToken()}`] }
    expect(await ask(verifier, { method: 'GET', url: '/orders', headers })).toMatchObject({
      status: 400,
      headers: { 'www-authenticate': expect.arrayContaining(['Bearer realm="orders", error="invalid_request"']) },
    })
  })

  it('DP-29: with a bad proof is 401 invalid_dpop_proof, with the algorithms', async () => {
    const answer = await ask(verifier, call(accessToken(), { scheme: 'DPoP', headers: { dpop: 'x' } }))
    expect(answer?.status).toBe(401)
    expect(answer?.headers['www-authenticate']).toEqual([
      'Bearer realm="orders"',
      'DPoP realm="orders", error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519"',
    ])
  })

  it('DP-29: names algorithms as proofs do: Ed25519 has two names there', async () => {
    const { answer } = await accessVerifier({
      dpop: { baseUrl: 'https://api.example', algorithms: ['Ed25519', 'ES256'] },
    }).admit({ method: 'GET', url: '/', headers: {} })
    expect(answer?.headers['www-authenticate']).toEqual(['Bearer', 'DPoP algs="EdDSA Ed25519 ES256"'])
  })

  it('that cannot be verified for now is 503 with a time, and no word on the token', () => {
    const error = new DragomanError('ERR_TRUST_UNAVAILABLE', {
      retryAfter: 12.2,
      detail: { issuer: 'https://x.example' },
    })
    const { status, headers, body } = answerTo(error, 'Bearer', API)
    expect({ status, headers }).toEqual({
      status: 503,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'retry-after': '13' },
    })
    expect(body).not.toContain('x.example')
  })
})

describe('the answer to a request with a transaction token', () => {
  const verifier = transactionVerifier()
  const status = async (request: Parameters<Verifier['admit']>[0]) => (await verifier.admit(request)).answer?.status

  it('has no challenge: the header field is no scheme of HTTP authentication', async () => {
    const { answer } = await verifier.admit(payment(transactionToken({ exp: 1 })))
    expect(answer).toEqual({
      status: 403,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: '{"error":"invalid_token","error_description":"the token is not accepted here"}',
    })
  })

  it('is 403 whatever is wrong with the token, 400 for two of them', async () => {
    expect(await status(payment(undefined))).toBe(403)
    expect(await status(payment(transactionToken({ scope: 'order.read' })))).toBe(403)
    expect(await status(payment(transactionToken(), { body: {} }))).toBe(403)
    expect(await status(payment(`${transactionToken()},x`))).toBe(400)
  })
})

describe('every answer', () => {
  it.each(Object.keys(errors) as ErrorCode[])('%s: is a function of the code alone', (code) => {
    const secrets = {
      expected: 'told-1',
      actual: 'told-2',
      path: 'told-3',
      differs: [{ body: 'told-4' }],
      issuer: 'told-5',
    }
    const error = new DragomanError(code, { detail: secrets, cause: new Error('told-6') })
    for (const challenges of [API, DOMAIN]) {
      for (const scheme of [...challenges.schemes, undefined]) {
        const answer = answerTo(error, scheme, challenges)
        expect(JSON.stringify(answer)).not.toContain('told-')
        expect(answer).toEqual(answerTo(new DragomanError(code), scheme, challenges))
        // RFC 9110 §15.5.2: never without a challenge.
        if (answer.status === 401) expect(answer.headers['www-authenticate']?.length).toBeGreaterThan(0)
        expect(answer.status).toBeGreaterThanOrEqual(400)
        expect([200, 500].includes(answer.status) && errors[code].status < 500).toBe(false)
      }
    }
  })

  it('of a token that is refused is the same, whatever was wrong with it', () => {
    // But for one that is good, and whose user has to authenticate again.
    const codes = (Object.keys(errors) as ErrorCode[]).filter((code) =>
      /^ERR_TOKEN_(?!AUTHENTICATION)|^ERR_TRUST_(?:ISSUER|KEY|PATH)/.test(code),
    )
    const answers = codes.map((code) => JSON.stringify(answerTo(new DragomanError(code), 'Bearer', API)))
    expect(codes.length).toBeGreaterThan(20)
    expect(new Set(answers).size).toBe(1)
  })

  it('to a defect is 500, and says nothing', () => {
    expect(answerTo(new TypeError('told-7'), 'Bearer', API)).toMatchObject({
      status: 500,
      body: '{"error":"server_error","error_description":"the service failed"}',
    })
  })
})

describe('whatever arrives', () => {
  const verifiers = [transactionVerifier(), accessVerifier({ dpop: { baseUrl: 'https://api.example' } })]
  const whole = [transactionToken(), accessToken()]
  const field = fc.oneof(fc.string(), fc.array(fc.string()), fc.constant(undefined))
  const token = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.constantFrom(...whole), fc.nat(600), fc.string({ maxLength: 3 }))
      .map(([good, at, other]) => good.slice(0, at) + other + good.slice(at + 1)),
  )
  const headers = fc.record({
    authorization: fc.oneof(
      field,
      token.map((raw) => `Bearer ${raw}`),
      token.map((raw) => `DPoP ${raw}`),
    ),
    'txn-token': fc.oneof(field, token),
    dpop: field,
  })

  it('is answered, and nothing of it is told', async () => {
    await fc.assert(
      fc.asyncProperty(headers, fc.string(), fc.uint8Array({ maxLength: 64 }), async (sent, url, certificate) => {
        for (const verifier of verifiers) {
          const { answer, token: taken } = await verifier.admit({ method: 'GET', url, headers: sent, certificate })
          if (taken !== undefined) {
            expect(whole.includes(String(sent.authorization).replace(/^Bearer +/, ''))).toBe(true)
            continue
          }
          expect(answer.status).toBeGreaterThanOrEqual(400)
          expect(answer.status).toBeLessThan(500)
        }
      }),
      { numRuns: RUNS },
    )
  })
})

describe('the operator', () => {
  const told = () => {
    const decisions: Decision[] = []
    return {
      decisions,
      log: (decision: Decision) => {
        seen(decision)
        decisions.push(decision)
      },
    }
  }

  it('is told of each request: what was taken, and why what was not', async () => {
    const { decisions, log } = told()
    const verifier = transactionVerifier({ log })
    await verifier.admit(payment(transactionToken()))
    await verifier.admit(payment(transactionToken(), { body: { amount: 'private' } }))
    await verifier.admit(payment(undefined))
    expect(decisions).toEqual([
      {
        result: 'accepted',
        method: 'POST',
        issuer: 'https://tts.larkspur.example',
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        txn: 'tx-1',
        req_wl: 'spiffe://larkspur.example/ns/edge/sa/gateway',
      },
      {
        result: 'refused',
        method: 'POST',
        code: 'ERR_REQUEST_ALTERED',
        status: 403,
        detail: {
          rule: 'POST /orders/:order_id/pay',
          expected: 'a request that says what tctx says',
          differs: [{ tctx: 'amount', body: 'amount', problem: 'not equal' }],
        },
      },
      {
        result: 'refused',
        method: 'POST',
        code: 'ERR_REQUEST_MISSING',
        status: 403,
        detail: { parameter: 'Txn-Token' },
      },
    ])
    expect(JSON.stringify(decisions)).not.toMatch(/private|u-501|18\.4|eyJ/)
  })

  it('who cannot be told keeps a request out, and a refusal in place', async () => {
    const log = () => {
      throw new Error('disk full')
    }
    const verifier = transactionVerifier({ log })
    expect((await verifier.admit(payment(transactionToken()))).answer?.status).toBe(503)
    expect((await verifier.admit(payment(undefined))).answer?.status).toBe(403)
  })

  it('is told the class of a defect, and nothing of its message', async () => {
    const { decisions, log } = told()
    const clock = () => {
      throw new RangeError('eyJ…')
    }
    const { answer } = await accessVerifier({ clock, log }).admit(call(accessToken()))
    expect(answer?.status).toBe(500)
    expect(decisions).toEqual([
      { result: 'refused', method: 'GET', code: 'ERR_INTERNAL', status: 500, detail: { name: 'RangeError' } },
    ])
  })
})
