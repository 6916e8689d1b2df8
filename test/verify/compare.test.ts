import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RequestTable, ServiceRequest } from '../../src/verify/index.ts'
import { NOW, payment, type Said, transactionToken, transactionVerifier } from '../support/verify.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200)
const refused = (code: string, detail: Said = {}) =>
  expect.objectContaining({ code, detail: expect.objectContaining(detail) })

const verifier = transactionVerifier({
  requests: {
    'POST /orders/:order_id/pay': {
      scope: ['order.pay'],
      tctx: {
        order_id: { path: 'order_id' },
        amount: { body: 'amount' },
        '/payee/iban': { body: '/to/account' },
        coupon: { query: 'coupon', optional: true },
        tenant: { header: 'X-Tenant', optional: true },
      },
    },
  },
})

const TCTX = { order_id: 'o-771', amount: 18.4, payee: { iban: 'DE00' } }
const BODY = { amount: 18.4, to: { account: 'DE00' } }

const send = (request: Partial<ServiceRequest> = {}, tctx: Said | undefined = TCTX, claims: Said = {}) =>
  verifier.verifyRequest(payment(transactionToken({ tctx, ...claims }), { body: BODY, ...request }))

const passes = async (request: Partial<ServiceRequest>, tctx?: Said) =>
  expect((await send(request, tctx)).txn).toBe('tx-1')
const altered = (request: Partial<ServiceRequest>, tctx: Said | undefined, ...differs: readonly Said[]) =>
  expect(send(request, tctx)).rejects.toEqual(refused('ERR_REQUEST_ALTERED', { differs }))

describe('TV-12: a request and the token that came with it', () => {
  it('say the same', () => passes({}))

  it('need the scope of the rule', async () => {
    await expect(send({}, TCTX, { scope: 'order.read order.pay.later' })).rejects.toEqual(
      refused('ERR_REQUEST_INSUFFICIENT_SCOPE', { scope: ['order.pay'] }),
    )
    expect((await send({}, TCTX, { scope: 'order.read order.pay' })).scope).toContain('order.pay')
  })

  it('differ in the path', () =>
    altered({ url: '/orders/o-772/pay' }, TCTX, { tctx: 'order_id', path: 'order_id', problem: 'not equal' }))

  it('differ in the body, however deep', async () => {
    const moreOf = { tctx: 'amount', body: 'amount', problem: 'not equal' }
    await altered({ body: { ...BODY, amount: 1840 } }, TCTX, moreOf)
    const elsewhere = { tctx: '/payee/iban', body: '/to/account', problem: 'not equal' }
    await altered({ body: { amount: 18.4, to: { account: 'DE01' } } }, TCTX, elsewhere)
    await altered({ body: { amount: 18.4, to: 'DE00' } }, TCTX, { ...elsewhere, problem: 'missing in the request' })
  })

  it('differ in everything: each difference is named, and no value of either', async () => {
    const error = await send(
      { url: '/orders/secret-1/pay', body: { amount: 'secret-2' } },
      { order_id: 'secret-3' },
    ).catch((failure: unknown) => failure)
    expect(error).toEqual(
      refused('ERR_REQUEST_ALTERED', {
        differs: [
          { tctx: 'order_id', path: 'order_id', problem: 'not equal' },
          { tctx: 'amount', body: 'amount', problem: 'missing in tctx' },
          { tctx: '/payee/iban', body: '/to/account', problem: 'missing in both' },
        ],
      }),
    )
    expect(JSON.stringify(error) + String(error)).not.toContain('secret')
  })

  it('differ where the token has no tctx at all', async () => {
    await expect(send({}, undefined, { tctx: undefined })).rejects.toEqual(refused('ERR_REQUEST_ALTERED'))
  })
})

describe('numbers, text and what is missing', () => {
  const amount = { tctx: 'amount', body: 'amount' }

  it.each([
    ['text for a number', '18.4', 18.4],
    ['a number for text', 18.4, '18.4'],
    ['true for text', true, 'true'],
    ['null for nothing', null, undefined],
    ['nothing for null', undefined, null],
    ['null for zero', null, 0],
    ['a list for its only item', [18.4], 18.4],
    ['less of a list', [1], [1, 2]],
    ['a list in another order', [2, 1], [1, 2]],
    ['an object with more in it', { value: 1, currency: 'EUR' }, { value: 1 }],
    ['text in another case', 'EUR', 'eur'],
    ['text with a space more', 'x ', 'x'],
    ['text in another normal form', 'é', 'e\u0301'],
  ])('in a body %s is another value', async (_, sent, said) => {
    const problem = sent === undefined ? 'missing in the request' : said === undefined ? 'missing in tctx' : 'not equal'
    await altered({ body: { ...BODY, amount: sent } }, { ...TCTX, amount: said }, { ...amount, problem })
  })

  it.each([[18.4], ['x'], [true], [null], [[1, { a: 'b' }]], [{ value: 1, currency: 'EUR' }]])(
    'in a body %j is itself, whatever the order of its members',
    async (value) => {
      await passes({ body: { ...BODY, amount: value } }, { ...TCTX, amount: value })
      await passes({ body: Buffer.from(JSON.stringify({ ...BODY, amount: value })) }, { ...TCTX, amount: value })
    },
  )

  it('an object is the same in another order', () =>
    passes({ body: { ...BODY, amount: { b: 2, a: 1 } } }, { ...TCTX, amount: { a: 1, b: 2 } }))

  it.each([
    [7, '7'],
    [0, '0'],
    [-1.5, '-1.5'],
    [1e-7, '1e-7'],
    [true, 'true'],
    [false, 'false'],
    ['7', '7'],
    ['', ''],
    ['a b', 'a%20b'],
    ['a b', 'a+b'],
    ['é', '%C3%A9'],
  ])('in a query %j is written %s', (said, sent) =>
    passes({ url: `/orders/o-771/pay?coupon=${sent}` }, { ...TCTX, coupon: said }),
  )

  it.each([
    [7, '07'],
    [7, '7.0'],
    [7, '%207'],
    [7, '7e0'],
    [7, '0x7'],
    [7, ''],
    [18.4, '18.40'],
    [true, 'True'],
    [true, '1'],
    [null, 'null'],
    [null, ''],
    [['x'], 'x'],
    [{ a: 1 }, '%7B%22a%22%3A1%7D'],
    ['x', 'X'],
  ])('in a query %j is not written %s', (said, sent) =>
    altered(
      { url: `/orders/o-771/pay?coupon=${sent}` },
      { ...TCTX, coupon: said },
      {
        tctx: 'coupon',
        query: 'coupon',
        problem: 'not equal',
      },
    ),
  )

  it('what may be missing is missing on both sides or on none (TKN-02, TKN-10)', async () => {
    const coupon = { tctx: 'coupon', query: 'coupon' }
    await altered({ url: '/orders/o-771/pay?coupon=x' }, TCTX, { ...coupon, problem: 'missing in tctx' })
    await altered({}, { ...TCTX, coupon: 'x' }, { ...coupon, problem: 'missing in the request' })
    await passes({ url: '/orders/o-771/pay?coupon=x' }, { ...TCTX, coupon: 'x' })
  })

  it('TKN-10: what may be missing does not end the comparison', () =>
    altered({ body: { ...BODY, amount: 1 } }, TCTX, { tctx: 'amount', body: 'amount', problem: 'not equal' }))
})

describe('what can be read in more than one way is equal to nothing', () => {
  const coupon = { tctx: 'coupon', query: 'coupon' }
  const withCoupon = { ...TCTX, coupon: 'x' }

  it('TKN-10: a parameter or header field that is sent twice', async () => {
    for (const query of ['coupon=x&coupon=x', 'coupon=x&coupon=y', 'coupon=x&%63oupon=y']) {
      await altered({ url: `/orders/o-771/pay?${query}` }, withCoupon, { ...coupon, problem: 'sent more than once' })
    }
    const headers = { 'txn-token': transactionToken({ tctx: { ...TCTX, tenant: 'a' } }), 'x-tenant': ['a', 'a'] }
    await expect(verifier.verifyRequest(payment(undefined, { headers, body: BODY }))).rejects.toEqual(
      refused('ERR_REQUEST_ALTERED', {
        differs: [{ tctx: 'tenant', header: 'x-tenant', problem: 'sent more than once' }],
      }),
    )
    const once = { ...headers, 'x-tenant': undefined, 'X-Tenant': 'a' }
    expect((await verifier.verifyRequest(payment(undefined, { headers: once, body: BODY }))).txn).toBe('tx-1')
  })

  it.each([
    ['a list', '?coupon[]=x', { coupon: ['x'] }],
    ['the other one of two', '?coupon=x', { coupon: 'y' }],
    ['nothing', '?coupon=x', {}],
    ['something that is not there', '', { coupon: 'x' }],
    ['a number', '?coupon=x', { coupon: 7 }],
  ])('a query of which the framework made %s', async (_, query, made) => {
    const problem = 'read in another way by the framework'
    await altered({ url: `/orders/o-771/pay${query}`, query: made }, withCoupon, { ...coupon, problem })
  })

  it('a query of which the framework made the same is compared', () =>
    passes({ url: '/orders/o-771/pay?coupon=x&page=2', query: { coupon: 'x', page: '2' } }, withCoupon))

  it('an inherited member of what the framework made is nothing', async () => {
    const requests: RequestTable = {
      'GET /x': {
        scope: [],
        tctx: { c: { query: 'constructor', optional: true }, p: { body: 'toString', optional: true } },
      },
    }
    const odd = transactionVerifier({ requests })
    const request = { method: 'GET', url: '/x', query: {}, body: {} }
    expect((await odd.verifyRequest(payment(transactionToken({ tctx: {} }), request))).txn).toBe('tx-1')
  })

  it.each(['?coupon=%', '?coupon=%zz', '?coupon=%C3', '?page=%E0%A4&coupon=x'])('a malformed query: %s', (query) =>
    altered({ url: `/orders/o-771/pay${query}` }, withCoupon, { ...coupon, problem: 'malformed' }),
  )

  it.each([
    ['a member twice', '{"amount":18.4,"amount":18.4,"to":{"account":"DE00"}}'],
    ['no JSON', 'amount=18.4'],
    ['a number that is rounded', '{"amount":9007199254740993}'],
    ['two values', '{"amount":18.4}{"amount":18.4}'],
  ])('a body of bytes with %s', async (_, text) => {
    await expect(send({ body: Buffer.from(text) })).rejects.toEqual(
      refused('ERR_REQUEST_ALTERED', {
        differs: expect.arrayContaining([{ tctx: 'amount', body: 'amount', problem: 'malformed' }]),
      }),
    )
  })

  it.each([
    ['a date', new Date(NOW)],
    ['a number without end', Number.POSITIVE_INFINITY],
    ['a number that is rounded', 2 ** 60],
    ['a function', () => 18.4],
    ['something with a class of its own', new URL('https://x.example')],
  ])('a parsed body with %s in it', async (_, value) => {
    await expect(send({ body: { ...BODY, amount: value } })).rejects.toEqual(
      refused('ERR_REQUEST_ALTERED', {
        differs: expect.arrayContaining([{ tctx: 'amount', body: 'amount', problem: 'malformed' }]),
      }),
    )
  })

  it.each([undefined, Buffer.alloc(0), 'amount=18.4', [18.4], null])('a body without members: %s', async (body) => {
    await expect(send({ body })).rejects.toEqual(refused('ERR_REQUEST_ALTERED'))
  })
})

describe('whatever is sent', () => {
  const simple = transactionVerifier({
    requests: {
      'POST /a/:id': { scope: 'order.pay', tctx: { id: { path: 'id' }, q: { query: 'q' }, b: { body: 'b' } } },
    },
  })
  const ask = (said: Said, url: string, body: unknown) =>
    simple.verifyRequest(payment(transactionToken({ tctx: said }), { url, body }))
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((value) => {
    return !/^\.{1,2}$|[/\\\p{Cc}]/u.test(value) && value.isWellFormed()
  })
  const json = fc
    .jsonValue({ maxDepth: 3 })
    .filter((value) => !/__proto__|constructor|prototype/.test(JSON.stringify(value)))

  it('equal parts pass', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, fc.string(), async (id, q, b) => {
        const url = `/a/${encodeURIComponent(id)}?q=${encodeURIComponent(q)}`
        expect((await ask({ id, q, b: b.toWellFormed() }, url, { b: b.toWellFormed() })).txn).toBe('tx-1')
      }),
      { numRuns: RUNS },
    )
  })

  it('different parts never do', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (said, sent) => {
        fc.pre(said !== sent)
        const url = (id: string, q: string) => `/a/${encodeURIComponent(id)}?q=${encodeURIComponent(q)}`
        for (const [id, q, b] of [
          [sent, said, said],
          [said, sent, said],
          [said, said, sent],
        ] as const) {
          await expect(ask({ id: said, q: said, b: said }, url(id, q), { b })).rejects.toEqual(
            refused('ERR_REQUEST_ALTERED'),
          )
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('two JSON values are equal exactly when their canonical texts are', async () => {
    const canonical = (value: unknown): string =>
      JSON.stringify(value, (_, member: unknown) =>
        typeof member === 'object' && member !== null && !Array.isArray(member)
          ? Object.fromEntries(Object.entries(member).sort(([left], [right]) => (left < right ? -1 : 1)))
          : member,
      )
    await fc.assert(
      fc.asyncProperty(json, json, async (said, sent) => {
        const outcome = await ask({ id: 'x', q: 'x', b: said }, '/a/x?q=x', { b: sent }).then(
          () => 'equal',
          (error: { code: string }) => error.code,
        )
        if (outcome === 'equal') expect(canonical(sent)).toBe(canonical(said))
        else expect(outcome).toMatch(/^ERR_(?:REQUEST_ALTERED|TOKEN_)/)
      }),
      { numRuns: RUNS },
    )
  })

  it('nothing but a refusal comes of any URL and any body', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.anything(), async (url, body) => {
        const error = await ask({ id: 'id', q: 'q', b: 'b' }, url, body).catch((failure: unknown) => failure)
        expect(error).toEqual(expect.objectContaining({ name: 'DragomanError' }))
      }),
      { numRuns: RUNS },
    )
  })
})
