import process from 'node:process'
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DragomanError, errors } from '../../src/core/errors.ts'
import { type Danger, dangers } from '../../src/core/profile.ts'
import type { Draft } from '../../src/core/token.ts'
import type { Member, TransactionKind } from '../../src/core/transaction.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { isList, isMap, map, type Value } from '../../src/core/value.ts'
import * as fakes from '../support/fakes.ts'
import { id, NOW, newTransactionWorld, type TransactionWorld, type Workload } from '../support/transactions.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 150)
const ALL = Object.keys(dangers) as Danger[]
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** As a parser of ours would give it: no prototype, no member without a value. */
const neutral = (value: unknown): Value => {
  if (Array.isArray(value)) return value.map(neutral)
  if (typeof value === 'object' && value !== null) {
    return map(Object.entries(value).map(([name, member]): [string, Value] => [name, neutral(member)]))
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null
}
const json = fc.jsonValue({ maxDepth: 2 }).map(neutral)

/** What is issued, or `undefined` for a refusal, which must be one that has a reason. */
async function issuedBy<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    expect(errors[error.code].status).toBeLessThan(500)
    return undefined
  }
}

describe('a stage that does what it likes, with every danger on', () => {
  const text: Member = { type: 'string', required: true, among: undefined, make: undefined }
  const PAY: TransactionKind = {
    ...{
      name: 'pay',
      clients: ['orders'],
      types: [fakes.PLAIN],
      scope: ['pay', 'read'],
      lifetime: 60,
      replacements: 1,
    },
    about: (subject) => subject.startsWith('user-'),
    details: new Map([
      ['order', text],
      ['coupon', { ...text, required: false }],
    ]),
    context: new Map([['ip', { ...text, required: false }]]),
  }
  const told = fc.dictionary(
    fc.constantFrom('order', 'coupon', 'ip', 'more'),
    fc.oneof(fc.constantFrom('o-1', 'o-2'), json),
  )
  const claims = fc.record(
    {
      ...{ sub: fc.constantFrom('user-7', 'user-8', 'root'), txn: fc.constantFrom('t-1', 't-2') },
      ...{ req_wl: fc.constantFrom('orders', 'gateway'), tctx: told.map(neutral), rctx: told.map(neutral) },
      dragoman_chain: fc.constantFrom<Value>(['gateway', 'orders'], ['gateway'], 'x'),
      note: json,
    },
    { requiredKeys: [] },
  )
  const validity = fc.record(
    {
      expiresAt: fc.oneof(fc.integer({ min: fakes.NOW, max: fakes.NOW + 100 }), fc.constant(Number.NaN)),
      scope: maybe(fc.subarray(['pay', 'read', 'admin'])),
      audience: fc.subarray([fakes.TARGET, 'https://b.example']),
    },
    { requiredKeys: [] },
  )
  const replaced = {
    ...{
      sub: 'user-7',
      aud: [fakes.TARGET],
      txn: 't-1',
      req_wl: 'gateway',
      scope: ['pay', 'read'],
      exp: fakes.NOW + 30,
    },
    ...{ tctx: { order: 'o-1', old: 1 }, rctx: { ip: '::1' } },
  }

  const attempt = (draft: (start: Draft) => Draft, details: Value, replace: boolean) => {
    const profile = fakes.profile({
      ...{ transactions: [PAY], dangers: ALL, usage: 'N_A', steps: [fakes.stage(draft)] },
      ...(replace && { frozen: ['txn', 'sub', 'aud', 'tctx', 'rctx'], subject: { audience: [fakes.TARGET] } }),
    })
    return fakes.world(profile).exchange({
      ...{ subject_token: fakes.subjectToken(replace ? replaced : {}), requested_token_type: fakes.PLAIN },
      ...{ scope: ['pay', 'read'], request_details: isMap(details) ? details : map() },
    })
  }

  it.each([false, true])(
    'issues nothing beyond the row, nor what a replacement may not say (replacement: %s)',
    async (replace) => {
      let issued = 0
      await fc.assert(
        fc.asyncProperty(claims, validity, told.map(neutral), async (more, times, details) => {
          const change = (start: Draft): Draft => ({
            ...start,
            claims: map([...Object.entries(start.claims), ...(Object.entries(more) as [string, Value][])]),
            validity: { ...start.validity, ...times },
          })
          const result = await issuedBy(() => attempt(change, details, replace))
          if (result === undefined) return
          issued += 1
          const token = fakes.said(result.access_token)
          expect(token).toMatchObject({ req_wl: 'orders', aud: [fakes.TARGET] })
          expect(String(token['sub'])).toMatch(/^user-/)
          expect(Number(token['exp'])).toBeLessThanOrEqual(fakes.NOW + 60)
          for (const name of isList(token['scope']) ? token['scope'] : ['none']) expect(['pay', 'read']).toContain(name)
          const tctx: { readonly [name: string]: unknown } = isMap(token['tctx']) ? token['tctx'] : {}
          expect(typeof tctx['order']).toBe('string')
          expect(Object.keys(tctx).filter((name) => !['order', 'coupon', 'old'].includes(name))).toEqual([])
          if (!replace) return
          expect(token).toMatchObject({
            sub: 'user-7',
            txn: 't-1',
            rctx: { ip: '::1' },
            tctx: { order: 'o-1', old: 1 },
          })
          expect(token['dragoman_chain']).toEqual(['gateway', 'orders'])
          expect(Number(token['exp'])).toBeLessThanOrEqual(fakes.NOW + 30)
        }),
        { numRuns: RUNS * 4, examples: [[{}, {}, map(replace ? [] : [['order', 'o-1']])]] },
      )
      expect(issued).toBeGreaterThan(0)
    },
  )
})

describe('whatever is asked for', () => {
  let world: TransactionWorld
  beforeAll(async () => {
    world = await newTransactionWorld()
  })
  beforeEach(() => {
    world.now = NOW
  })
  afterAll(() => world.close())

  const SCOPES = ['mail.ingest', 'ticket.append', 'blob.put', 'user.delete', 'order.pay', 'ops.restart']
  const names = fc.constantFrom('mailbox', 'message_id', 'dmarc', 'blob_class', 'order_id', 'other')
  const values = fc.oneof(
    fc.constantFrom<Value>('help@larkspur.example', 'c1@peer.example', 'pass', 'fail', 'image', 'attachment'),
    json,
  )
  const asked = fc.record({
    ...{ workload: fc.constantFrom<Workload>('tickets', 'tickets', 'mail-in', 'purger', 'api-gateway', 'nightly') },
    ...{ scope: fc.subarray(SCOPES, { minLength: 1 }), details: fc.dictionary(names, values) },
    ...{
      context: fc.dictionary(fc.constantFrom('req_ip', 'transport'), values),
      later: fc.integer({ min: 0, max: 130 }),
    },
    narrow: fc.boolean(),
  })

  const GOOD = { workload: 'tickets' as const, scope: [], details: {}, context: {}, later: 5, narrow: true }
  const MAIL = { mailbox: 'help@larkspur.example', message_id: 'c1@peer.example', dmarc: 'pass' }

  it('a replacement says what the token said, with less, and holds no part of its signature', async () => {
    let issued = 0
    await fc.assert(
      fc.asyncProperty(asked, async ({ workload, scope, details, context, later, narrow }) => {
        world.now = NOW
        const first = await world.ask('mail-in', {
          ...{ token: await world.signs('mail-in', { sub: 'user/7733' }), type: tokenTypes.selfSigned },
          ...{ scope: 'mail.ingest ticket.append blob.put', details: MAIL, context: { req_ip: '::1' } },
        })
        const before = decodeJwt(first.access_token)
        world.now = NOW + later
        const result = await issuedBy(() =>
          world.ask(workload, {
            ...{ token: first.access_token, type: tokenTypes.txnToken },
            ...{ scope: (narrow ? ['blob.put'] : scope).join(' '), details, context: narrow ? {} : context },
          }),
        )
        if (result === undefined) return
        issued += 1
        const after = decodeJwt(result.access_token)
        for (const claim of ['txn', 'sub', 'aud', 'rctx'] as const) expect(after[claim]).toEqual(before[claim])
        for (const [name, value] of Object.entries(MAIL)) expect(after['tctx']).toHaveProperty(name, value)
        expect(Object.keys(after['tctx'] as object).length).toBeLessThanOrEqual(4)
        expect(after.exp).toBeLessThanOrEqual(before.exp ?? 0)
        expect(after).toMatchObject({ scope: 'blob.put', dragoman_chain: [id['mail-in'], id.tickets] })
        expect(holds(result.access_token, first.access_token)).toBe(false)
      }),
      { numRuns: RUNS, examples: [[GOOD]] },
    )
    expect(issued).toBeGreaterThan(0)
  })

  it('no token holds the signature of what it was made of, wherever a client puts it', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom('order_id', 'amount', 'req_ip'),
        fc.string({ maxLength: 20 }),
        fc.string({ maxLength: 20 }),
        fc.boolean(),
        async (member, left, right, whole) => {
          const token = world.file('mira.at')
          const inside = `${left}${whole ? token : (token.split('.')[2] ?? '')}${right}`
          const details = { order_id: 'o', amount: '1', ...(member !== 'req_ip' && { [member]: inside }) }
          const context = { req_ip: member === 'req_ip' ? inside : '::1' }
          const ask = { token, type: tokenTypes.accessToken, scope: 'order.pay', details, context }
          expect(await issuedBy(() => world.ask('api-gateway', ask))).toBeUndefined()
        },
      ),
      { numRuns: RUNS },
    ))

  const holds = (output: string, input: string): boolean => {
    const signature = input.split('.')[2] ?? ''
    return [output, JSON.stringify(decodeJwt(output))].some((text) => text.includes(signature))
  }

  it('knows when it holds one', () => {
    const token = world.file('mira.at')
    const payload = Buffer.from(JSON.stringify({ note: token })).toString('base64url')
    expect(holds(`e30.${payload}.x`, token)).toBe(true)
  })
})
