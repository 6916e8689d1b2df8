import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientMethods } from '../../src/clients/index.ts'
import { DragomanError, type ErrorCode } from '../../src/core/errors.ts'
import { exchangeToken, recordRefusal } from '../../src/exchange/exchange.ts'
import { createHttp } from '../../src/gateway/gateway.ts'
import { basic, digestOf } from '../support/clients.ts'
import { NOW, PLAIN, profile, registered, subjectToken, TARGET, world } from '../support/fakes.ts'
import { FORM, form, http, RESULT } from '../support/http.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 60)

const throwing =
  (code: ErrorCode, options = {}) =>
  () => {
    throw new DragomanError(code, options)
  }

describe('the token endpoint', () => {
  it('answers an exchange', async () => {
    const { post, asked } = await http(() => ({ ...RESULT, scope: ['a'], cnf: { jkt: 'k' } }))
    const response = await post()
    expect(response.statusCode).toBe(200)
    expect(response.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'x-request-id': asked[0]?.id,
    })
    expect(response.json()).toEqual({
      access_token: 'e.y.J',
      issued_token_type: RESULT.issued_token_type,
      token_type: 'Bearer',
      expires_in: 240,
      scope: 'a',
      cnf: { jkt: 'k' },
    })
  })

  it('hands on the parameters, the Authorization header and every DPoP header', async () => {
    const { post, asked } = await http()
    await post(form({ audience: ['a', 'b'] }), { authorization: 'Basic x', dpop: ['one', 'two'] })
    expect(asked[0]).toMatchObject({
      client_id: 'orders',
      audience: ['a', 'b'],
      authorization: 'Basic x',
      dpop: ['one', 'two'],
      certificates: undefined,
    })
  })

  it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const)(
    'TE-01: takes POST alone: %s is answered 405 with Allow and an OAuth error',
    async (method) => {
      const { app, asked } = await http()
      const response = await app.inject({ method, url: '/token' })
      expect(response.statusCode).toBe(405)
      expect(response.headers).toMatchObject({ allow: 'POST', 'cache-control': 'no-store' })
      if (method !== 'HEAD')
        expect(response.json()).toEqual({ error: 'invalid_request', error_description: 'use POST' })
      expect(asked).toEqual([])
    },
  )

  it.each(['application/json', 'text/plain', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencodedx'])(
    'C-06, TR-14: answers 400 with an OAuth error to the media type %j',
    async (type) => {
      const { post, refused } = await http()
      const response = await post('{"grant_type":"x"}', { 'content-type': type })
      expect(response.statusCode).toBe(400)
      expect(response.json().error).toBe('invalid_request')
      expect(refused).toMatchObject([{ code: 'ERR_REQUEST_MEDIA_TYPE' }])
    },
  )

  it.each(['', ';', 'form', 'application/'])('TR-14: answers 400 to %j, which is no media type', async (type) => {
    const { post, asked } = await http()
    const response = await post(form(), { 'content-type': type })
    expect(response.statusCode).toBe(400)
    expect(response.json().error).toBe('invalid_request')
    expect(asked).toEqual([])
  })

  it('C-06: answers 400 to a request without body', async () => {
    const { app } = await http()
    const response = await app.inject({ method: 'POST', url: '/token' })
    expect(response.statusCode).toBe(400)
    expect(response.json().error).toBe('invalid_request')
  })

  it.each(['application/x-www-form-urlencoded; charset=UTF-8', 'Application/X-WWW-Form-Urlencoded'])(
    'TR-14: takes the media type %s',
    async (type) => {
      const { post } = await http()
      expect((await post(form(), { 'content-type': type })).statusCode).toBe(200)
    },
  )

  it('TR-07: takes nothing from the query', async () => {
    const { app, refused } = await http()
    const response = await app.inject({
      method: 'POST',
      url: '/token?client_secret=sredro',
      payload: form({ client_secret: undefined }),
      headers: FORM,
    })
    expect(response.statusCode).toBe(400)
    expect(refused).toMatchObject([{ code: 'ERR_REQUEST_FORM' }])
  })

  it('leaves a record of a form that is refused, under the id that the client hears', async () => {
    const { post, refused, asked } = await http()
    const response = await post(`${form()}&scope=a&scope=b`)
    expect(response.json()).toEqual({ error: 'invalid_request', error_description: 'a parameter is repeated' })
    expect(refused).toEqual([{ id: response.headers['x-request-id'], code: 'ERR_REQUEST_REPEATED' }])
    expect(asked).toEqual([])
  })

  it('TR-14: answers 413 to a body beyond the limit, and ends the connection', async () => {
    const limits = { bytes: 200, parameters: 64, parameterBytes: 100 }
    const { post } = await http(undefined, { tenant: { limits } })
    const response = await post(`a=${'b'.repeat(300)}`)
    expect(response.statusCode).toBe(413)
    expect(response.headers).toMatchObject({ connection: 'close', 'cache-control': 'no-store' })
    expect(response.json().error).toBe('invalid_request')
  })

  it('TR-05, TE-38: answers a client that failed with the Authorization header 401 and a challenge', async () => {
    const { post } = await http(throwing('ERR_CLIENT_SECRET'))
    const challenged = await post(form({ client_secret: undefined }), { authorization: basic('orders', 'x') })
    expect(challenged.statusCode).toBe(401)
    expect(challenged.headers['www-authenticate']).toBe('Basic realm="gw.example"')
    expect(challenged.json().error).toBe('invalid_client')
    const other = await post()
    expect(other.statusCode).toBe(401)
    expect(other.headers).not.toHaveProperty('www-authenticate')
  })

  it('TR-06: refuses two Authorization headers, of which a proxy may have seen the other', async () => {
    const { post, refused } = await http()
    const authorization = [basic('orders', 'a'), basic('orders', 'b')]
    expect((await post(form(), { authorization })).json().error).toBe('invalid_request')
    expect(refused).toMatchObject([{ code: 'ERR_CLIENT_SEVERAL' }])
  })

  it('EX-05: tells a client with credentials which types there are, and no other', async () => {
    const { post } = await http(throwing('ERR_PROFILE_REQUESTED_TYPE', { detail: { available: ['urn:x:a'] } }))
    expect((await post()).json().error_description).toContain('urn:x:a')
    const none = await post(form({ client_id: undefined, client_secret: undefined }))
    expect(none.json().error_description).not.toContain('urn:x:a')
  })

  it('EX-16: passes on when to come again', async () => {
    const { post } = await http(throwing('ERR_TRUST_UNAVAILABLE', { retryAfter: 7 }))
    const response = await post()
    expect(response.statusCode).toBe(503)
    expect(response.headers['retry-after']).toBe('7')
    expect(response.json().error).toBe('temporarily_unavailable')
  })

  it('answers server_error to a defect, and tells the operator where it is, not what it said', async () => {
    const events: unknown[] = []
    const defect = () => {
      throw new RangeError('quoting a token')
    }
    const { post } = await http(defect, { log: (event, detail) => events.push({ event, ...detail }) })
    const response = await post()
    expect(response.statusCode).toBe(500)
    expect(response.json()).toEqual({ error: 'server_error', error_description: 'the gateway failed' })
    expect(events).toEqual([
      { event: 'defect', id: response.headers['x-request-id'], name: 'RangeError', stack: expect.any(Array) },
    ])
    expect(JSON.stringify(events)).not.toContain('quoting')
    expect(JSON.stringify(events)).toContain('token.test.ts')
  })

  it('finds the cause of a defect that has been given its code already', async () => {
    const events: { readonly [name: string]: unknown }[] = []
    const defect = throwing('ERR_INTERNAL', { cause: new RangeError('x') })
    const { post } = await http(defect, { log: (_event, detail) => events.push(detail) })
    await post()
    expect(events[0]).toMatchObject({ name: 'RangeError' })
  })

  it('tells the operator what cannot be reached, once in ten seconds for each reason, and why', async () => {
    const events: unknown[] = []
    const cause = Object.assign(new Error('connect to a token'), { code: 'ECONNREFUSED' })
    let code: ErrorCode = 'ERR_STORE_UNAVAILABLE'
    let now = NOW
    const failing = () => {
      throw new DragomanError(code, { cause, detail: { store: 'replay' } })
    }
    const log = (event: string, detail: object) => events.push({ event, ...detail })
    const { post } = await http(failing, { log, tenant: { services: world(profile(), { clock: () => now }).services } })
    const response = await post()
    expect(response.statusCode).toBe(503)
    await post()
    await post()
    code = 'ERR_KEY_UNAVAILABLE'
    await post()
    now += 10
    code = 'ERR_STORE_UNAVAILABLE'
    await post()
    const told = { event: 'unavailable', code, reason: 'ECONNREFUSED', detail: { store: 'replay' } }
    expect(events).toMatchObject([
      { ...told, id: response.headers['x-request-id'] },
      { ...told, code: 'ERR_KEY_UNAVAILABLE' },
      { ...told, more: 2 },
    ])
    expect(JSON.stringify(events)).not.toContain('connect to')
  })

  it('DP-31, DP-34: gives a nonce where one is asked for, and the next one with an answer to a proof', async () => {
    const nonces = { current: (now: number) => `n-${now - NOW}` }
    const wanting = await http(throwing('ERR_PROOF_NONCE'), { tenant: { nonces } })
    const wanted = await wanting.post(form(), { dpop: 'proof' })
    expect(wanted.statusCode).toBe(400)
    expect(wanted.headers).toMatchObject({ 'dpop-nonce': 'n-0', 'cache-control': 'no-store' })
    expect(wanted.json().error).toBe('use_dpop_nonce')
    const { post } = await http(undefined, { tenant: { nonces } })
    expect((await post(form(), { dpop: 'proof' })).headers['dpop-nonce']).toBe('n-0')
    expect((await post()).headers).not.toHaveProperty('dpop-nonce')
  })

  it('answers 503 when there is no room, without a record', async () => {
    const { promise, resolve } = Promise.withResolvers<typeof RESULT>()
    const { app, post, refused } = await http(() => promise, { turns: { queued: 10, inFlight: 1 } })
    const first = post().then((response) => response)
    const second = await post()
    expect(second.statusCode).toBe(503)
    expect(second.headers['retry-after']).toBe('1')
    expect(second.json().error).toBe('temporarily_unavailable')
    expect(refused).toEqual([])
    const { body } = await app.inject('/metrics')
    expect(body).toContain('dragoman_requests_turned_away_total{code="ERR_OVERLOADED"} 1')
    expect(body).toContain('dragoman_exchanges_in_flight 1')
    resolve(RESULT)
    expect((await first).statusCode).toBe(200)
  })

  it('refuses batches and proxies too where there is no room, before anything of them is looked at', async () => {
    const { promise, resolve } = Promise.withResolvers<typeof RESULT>()
    const begun = Promise.withResolvers<void>()
    const refused: unknown[] = []
    const endpoint = {
      ...{
        name: 'edge',
        profile: 'p',
        client: 'c',
        clientHeader: undefined,
        scope: undefined,
        resultHeader: 'txn-token',
      },
      ...{ subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt', audience: [], resource: [] },
      ...{ from: 'x-original' as const, headers: [], certificate: undefined, maxCharacters: 9 },
    }
    const { services } = world(profile())
    const { pathname } = new URL(services.tokenEndpoint)
    const tenant = { services, concurrent: 1, batch: { items: 1, bytes: 99 }, forwardAuth: [endpoint] }
    const app = await createHttp([tenant], {
      exchange: () => {
        begun.resolve()
        return promise
      },
      admit: async () => Promise.reject(new Error('not asked')),
      recordRefusal: (...call) => refused.push(call),
      fromProxies: () => true,
      version: '0',
    })
    const post = { method: 'POST' as const, headers: FORM }
    const first = app.inject({ ...post, url: pathname, payload: form() }).then((response) => response)
    await begun.promise
    const url = `${new URL(services.issuer).pathname.replace(/\/$/, '')}/forward-auth/edge`
    const answers = [await app.inject({ ...post, url: `${pathname}/batch`, payload: 'x' }), await app.inject({ url })]
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([503, 503])
    expect(refused).toEqual([])
    resolve(RESULT)
    expect((await first).statusCode).toBe(200)
  })

  it('TR-04: answers any body with an OAuth error in allowed characters, or an exchange', async () => {
    const { post } = await http()
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc
        .string({ unit: 'binary' })
        .map((text) => Buffer.from(form({ scope: text, resource: text, [`x${text}`]: text }))),
    )
    await fc.assert(
      fc.asyncProperty(body, async (payload) => {
        const response = await post(payload)
        const { error, error_description } = response.json()
        if (response.statusCode === 200) return
        expect(response.statusCode).toBe(400)
        expect(error).toMatch(/^[a-z_]+$/)
        expect(error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
      }),
      { numRuns: RUNS },
    )
  })
})

describe('the token endpoint, guessing (TR-07, S-11)', () => {
  const guesses = { perAddress: 2, perClient: 100 }
  const from = (client_id: string) => form({ client_id })

  it('answers 429 after failures of a client, before anything is verified', async () => {
    const { post, asked, refused } = await http(throwing('ERR_CLIENT_SECRET'), { guesses })
    expect((await post()).statusCode).toBe(401)
    expect((await post()).statusCode).toBe(401)
    const slowed = await post()
    expect(slowed.statusCode).toBe(429)
    expect(Number(slowed.headers['retry-after'])).toBeGreaterThan(0)
    expect(slowed.json().error).toBe('invalid_client')
    expect(asked).toHaveLength(2)
    expect(refused).toMatchObject([{ code: 'ERR_CLIENT_SLOWED' }])
    expect((await post(from('other'))).statusCode).toBe(401)
  })

  it('counts made-up clients together', async () => {
    const { post } = await http(throwing('ERR_CLIENT_UNKNOWN'), { guesses })
    await post(from('made-up-1'))
    await post(from('made-up-2'))
    expect((await post(from('made-up-3'))).statusCode).toBe(429)
    expect((await post(from('orders'))).statusCode).toBe(401)
  })

  it('S-05: counts each tenant apart', async () => {
    const at = (tenant: string) => {
      const issuer = `https://gw.example/${tenant}`
      return { services: world(profile(), { tenant, issuer, tokenEndpoint: `${issuer}/token` }).services }
    }
    const app = await createHttp([at('eu'), at('us')], {
      exchange: async () => throwing('ERR_CLIENT_SECRET')(),
      recordRefusal: () => {},
      version: '0',
      guesses,
    })
    const statusAt = async (tenant: string) =>
      (await app.inject({ method: 'POST', url: `/${tenant}/token`, payload: form(), headers: FORM })).statusCode
    const statuses = [await statusAt('eu'), await statusAt('eu'), await statusAt('eu'), await statusAt('us')]
    expect(statuses).toEqual([401, 401, 429, 401])
  })

  it.each<ErrorCode>([
    'ERR_TOKEN_EXPIRED',
    'ERR_CLIENT_MISSING',
    'ERR_CLIENT_ASSERTION_REPLAYED',
    'ERR_TRUST_UNAVAILABLE',
  ])('does not take %s for a guess', async (code) => {
    const { post } = await http(throwing(code), { guesses })
    for (let at = 0; at < 4; at += 1) expect((await post()).statusCode).not.toBe(429)
  })
})

describe('the token endpoint with the real recipe and the real client methods', () => {
  const client = (id: string, method: string) => registered(id, { method, secretDigests: [digestOf('s:e%c+r ä')] })
  const clients = new Map([
    ['orders', client('orders', 'client_secret_basic')],
    ['other', client('other', 'client_secret_post')],
  ])
  const setup = async () => {
    const { services, records } = world(profile(), {
      clientMethods: clientMethods(),
      clients: { find: (id) => clients.get(id) },
    })
    const app = await createHttp([{ services }], {
      exchange: exchangeToken,
      recordRefusal,
      version: '0',
    })
    const post = (differs: Parameters<typeof form>[0], headers = {}) =>
      app.inject({
        method: 'POST',
        url: '/token',
        headers: { ...FORM, ...headers },
        payload: form({
          subject_token: subjectToken(),
          subject_token_type: PLAIN,
          audience: TARGET,
          client_id: undefined,
          client_secret: undefined,
          ...differs,
        }),
      })
    return { app, post, records }
  }
  const right = { authorization: basic('orders', 's:e%c+r ä') }

  it('C-01: exchanges for a client with Basic', async () => {
    const { post, records } = await setup()
    const response = await post({}, right)
    expect(response.statusCode).toBe(200)
    expect(records).toMatchObject([{ result: 'issued', client: 'orders', client_method: 'client_secret_basic' }])
  })

  it('TR-09, TR-06: refuses credentials of two methods with invalid_request', async () => {
    const { post, records } = await setup()
    const both = [
      { client_id: 'orders', client_secret: 's:e%c+r ä' },
      { client_assertion: 'a.eyJzdWIiOiJvcmRlcnMifQ.c', client_assertion_type: JWT_BEARER },
    ]
    for (const more of both) {
      const response = await post(more, right)
      expect(response.statusCode).toBe(400)
      expect(response.json().error).toBe('invalid_request')
    }
    expect(records.map(({ code }) => code)).toEqual(['ERR_CLIENT_SEVERAL', 'ERR_CLIENT_SEVERAL'])
  })

  it('takes client_id beside Basic when it names the same client, and only then', async () => {
    const { post } = await setup()
    expect((await post({ client_id: 'orders' }, right)).statusCode).toBe(200)
    expect((await post({ client_id: 'other' }, right)).statusCode).toBe(401)
  })

  it('refuses a client that uses another method than its own', async () => {
    const { post, records } = await setup()
    expect((await post({ client_id: 'orders', client_secret: 's:e%c+r ä' })).statusCode).toBe(401)
    expect(records).toMatchObject([{ code: 'ERR_CLIENT_METHOD' }])
    expect((await post({}, { authorization: basic('other', 's:e%c+r ä') })).statusCode).toBe(401)
  })

  it('TE-11: refuses a client that does not authenticate; client_id alone does not', async () => {
    const { post, records } = await setup()
    for (const more of [{}, { client_id: 'orders' }]) {
      const response = await post(more)
      expect(response.statusCode).toBe(401)
      expect(response.json().error).toBe('invalid_client')
    }
    expect(records.map(({ code }) => code)).toEqual(['ERR_CLIENT_MISSING', 'ERR_CLIENT_MISSING'])
  })

  it('says the same of an unknown client and of a wrong secret', async () => {
    const { post, records } = await setup()
    const wrong = await post({}, { authorization: basic('orders', 'x') })
    const unknown = await post({}, { authorization: basic('nobody', 'x') })
    expect(unknown.statusCode).toBe(wrong.statusCode)
    expect(unknown.json()).toEqual(wrong.json())
    expect(records.map(({ code }) => code)).toEqual(['ERR_CLIENT_SECRET', 'ERR_CLIENT_UNKNOWN'])
  })

  it('leaves one record for each request, refused before or in the recipe', async () => {
    const { post, records } = await setup()
    await post({ grant_type: 'password' }, right)
    await post({ scope: '"' }, right)
    await post({ audience: 'https://elsewhere.example' }, right)
    await post({}, right)
    expect(records.map(({ code, result }) => code ?? result)).toEqual([
      'ERR_REQUEST_GRANT',
      'ERR_REQUEST_SCOPE',
      'ERR_PROFILE_TARGET',
      'issued',
    ])
    expect(new Set(records.map(({ id }) => id)).size).toBe(1)
  })

  it('counts exchanges by their records', async () => {
    const { app, post } = await setup()
    await post({}, right)
    await post({}, right)
    await post({ audience: 'https://elsewhere.example' }, right)
    const { body } = await app.inject('/metrics')
    expect(body).toMatch(/dragoman_exchanges_total\{tenant="t1",profile="[^"]+",result="issued",code=""\} 2/)
    expect(body).toContain('result="refused",code="ERR_PROFILE_TARGET"} 1')
    expect(body).toMatch(/dragoman_exchange_duration_seconds_count\{tenant="t1",profile="[^"]+"\} 2/)
  })

  it('answers 503 when the record cannot be written', async () => {
    const { services } = world(profile(), {
      clientMethods: clientMethods(),
      clients: { find: (id) => clients.get(id) },
      audit: {
        write() {
          throw new Error('disk full')
        },
      },
    })
    const options = { exchange: exchangeToken, recordRefusal, version: '0' }
    const app = await createHttp([{ services }], options)
    const asked = { subject_token: subjectToken(), subject_token_type: PLAIN, audience: TARGET, client_id: undefined }
    for (const payload of [form({ ...asked, client_secret: undefined }), 'grant_type=x']) {
      const response = await app.inject({ method: 'POST', url: '/token', payload, headers: { ...FORM, ...right } })
      expect(response.statusCode).toBe(503)
      expect(response.json().error).toBe('temporarily_unavailable')
    }
  })
})

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
