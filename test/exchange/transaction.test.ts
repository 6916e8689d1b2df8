import { describe, expect, it } from 'vitest'
import type { TokenRequest } from '../../src/core/exchange.ts'
import { type Danger, dangers } from '../../src/core/profile.ts'
import type { Draft, Validity } from '../../src/core/token.ts'
import type { Member, TransactionKind } from '../../src/core/transaction.ts'
import { map, type Value } from '../../src/core/value.ts'
import { type Asked, transactionOf } from '../../src/exchange/transaction.ts'
import { verified } from '../support/exchange.ts'
import {
  NOW,
  PLAIN,
  type ProfileOptions,
  profile,
  request,
  type Said,
  said,
  stage,
  subjectToken,
  TARGET,
  world,
} from '../support/fakes.ts'

const text: Member = { type: 'string', required: true, among: undefined, make: undefined }
const optional: Member = { ...text, required: false }

const PAY: TransactionKind = {
  ...{ name: 'pay', clients: ['orders'], types: [PLAIN], scope: ['pay', 'read'], lifetime: 60, replacements: 1 },
  about: (subject) => subject === 'user-7',
  details: new Map([
    ['order', text],
    ['coupon', optional],
  ]),
  context: new Map([['ip', optional]]),
}

const FROZEN = ['txn', 'sub', 'aud', 'tctx', 'rctx']
const ALL = Object.keys(dangers) as Danger[]

interface Case {
  readonly token?: Said
  readonly request?: Partial<TokenRequest>
  readonly profile?: ProfileOptions
  readonly table?: readonly TransactionKind[]
  /** What a stage makes of the draft, whatever it should. */
  readonly draft?: (draft: Draft) => Partial<Draft>
}

function exchange({ token, request, profile: options, table = [PAY], draft = () => ({}) }: Case) {
  const lying = stage((start) => ({ ...start, ...draft(start) }))
  // With every danger on: none of them lifts what a row says.
  const all = profile({ transactions: table, steps: [lying], dangers: ALL, usage: 'N_A', ...options })
  return world(all).exchange({
    subject_token: subjectToken(token),
    requested_token_type: PLAIN,
    scope: ['pay'],
    request_details: map([['order', 'o-1']]),
    ...request,
  })
}

const claims = (more: { readonly [name: string]: Value | undefined }) => (start: Draft) => ({
  claims: map(
    Object.entries({ ...start.claims, ...more }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  ),
})
const validity = (more: Partial<Validity>) => (start: Draft) => ({ validity: { ...start.validity, ...more } })
const refuses = (differs: Case, code: string, detail: object = {}) =>
  expect(exchange(differs)).rejects.toMatchObject({ code, detail })

describe('the row of a transaction', () => {
  it('is chosen by client, type of subject token and scope', async () => {
    const read = { ...PAY, name: 'read', scope: ['look'] }
    const others = { ...PAY, name: 'others', clients: ['billing'], scope: ['bill'] }
    const signed = { ...PAY, name: 'signed', types: ['urn:signed'], scope: ['sign'] }
    const table = [read, others, signed, PAY]
    await expect(exchange({ table, request: { scope: ['look'] } })).resolves.toMatchObject({ scope: ['look'] })
    await refuses({ table, request: { scope: ['bill'] } }, 'ERR_PROFILE_TRANSACTION', { transaction: 'others' })
    await refuses({ table, request: { scope: ['sign'] } }, 'ERR_PROFILE_TRANSACTION', { transaction: 'signed' })
    await refuses({ table, request: { scope: ['pay', 'look'] } }, 'ERR_PROFILE_SCOPE')
    await refuses({ table, request: { scope: ['pay', 'bill'] } }, 'ERR_PROFILE_SCOPE')
    await refuses({ table, request: { scope: ['none'] } }, 'ERR_PROFILE_SCOPE')
  })

  it('wants scope, type and audience to be said', async () => {
    await refuses({ request: { scope: undefined } }, 'ERR_REQUEST_MISSING', { parameter: 'scope' })
    await refuses({ request: { requested_token_type: undefined } }, 'ERR_REQUEST_MISSING')
    await refuses({ request: { audience: [], resource: [TARGET] } }, 'ERR_REQUEST_MISSING', { parameter: 'audience' })
  })

  it('has the scope of what has none, and no more than the scope of what has some', async () => {
    await expect(exchange({ request: { scope: ['pay', 'read'] } })).resolves.toMatchObject({ scope: ['pay', 'read'] })
    const token = { scope: ['read'] }
    await expect(exchange({ token, request: { scope: ['pay', 'read'] } })).resolves.toMatchObject({ scope: ['read'] })
    await refuses({ token }, 'ERR_PROFILE_SCOPE')
  })

  it('caps the lifetime at once', async () => {
    await expect(exchange({})).resolves.toMatchObject({ expires_in: 60 })
    await expect(exchange({ token: { exp: NOW + 5 } })).resolves.toMatchObject({ expires_in: 5 })
  })

  it('makes members of its own, and null is none', async () => {
    const make = (value: Value): Member => ({ ...optional, make: () => value })
    const details = new Map([
      ['order', { ...text, make: () => 'ours' }],
      ['coupon', make(null)],
    ])
    const { access_token } = await exchange({ table: [{ ...PAY, details }] })
    expect(said(access_token)['tctx']).toEqual({ order: 'ours' })
    await refuses({ table: [{ ...PAY, details: new Map([['order', make(5)]]) }] }, 'ERR_PROFILE_CONTEXT')
  })
})

describe('a stage that lies is refused, with every danger on', () => {
  it.each<[string, Case['draft'], string]>([
    ['another subject', claims({ sub: 'user-8' }), 'ERR_TOKEN_SUBJECT_SPACE'],
    ['no subject', claims({ sub: undefined }), 'ERR_TOKEN_SUBJECT_SPACE'],
    ['more scope', validity({ scope: ['pay', 'admin'] }), 'ERR_PROFILE_WIDER'],
    ['no scope', validity({ scope: undefined }), 'ERR_PROFILE_SCOPE'],
    ['a longer life', validity({ expiresAt: NOW + 61 }), 'ERR_PROFILE_WIDER'],
    ['no time', validity({ expiresAt: Number.NaN }), 'ERR_PROFILE_WIDER'],
    ['another txn', claims({ txn: 'x' }), 'ERR_PROFILE_WIDER'],
    ['another requester', claims({ req_wl: 'billing' }), 'ERR_PROFILE_WIDER'],
    ['a chain of nobody', claims({ dragoman_chain: ['orders'] }), 'ERR_PROFILE_WIDER'],
    [
      'a member that the row has not',
      claims({
        tctx: map([
          ['order', 'o-1'],
          ['amount', '1'],
        ]),
      }),
      'ERR_PROFILE_WIDER',
    ],
    ['a member of another type', claims({ tctx: map([['order', 1]]) }), 'ERR_PROFILE_WIDER'],
    ['no required member', claims({ tctx: undefined }), 'ERR_PROFILE_WIDER'],
    ['tctx that is no map', claims({ tctx: 'o-1' }), 'ERR_PROFILE_WIDER'],
    ['context that the row has not', claims({ rctx: map([['user', 'x']]) }), 'ERR_PROFILE_WIDER'],
    ['another audience', validity({ audience: ['https://evil.example'] }), 'ERR_PROFILE_WIDER'],
  ])('%s', (_, draft, code) => refuses({ ...(draft && { draft }) }, code))

  it('a presented token, whole or its signature, in a claim or embedded', async () => {
    const token = subjectToken()
    const signature = token.split('.')[1] ?? ''
    for (const inside of [token, signature, `x${signature}y`]) {
      await refuses({ draft: claims({ note: map([['deep', [inside]]]) }) }, 'ERR_PROFILE_WIDER')
      const embedded = [{ name: 'inner', place: 'claim', value: inside }] as const
      await refuses({ draft: () => ({ embedded }) }, 'ERR_PROFILE_WIDER')
    }
    await expect(exchange({ draft: claims({ note: token.split('.')[0] ?? '' }) })).resolves.toBeDefined()
  })

  const base64 = (text: string) => Buffer.from(text).toString('base64')
  it.each<[string, (token: string, signature: string) => string]>([
    ['base64', base64],
    ['base64, one byte later', (token) => base64(`a${token}`)],
    ['base64, two bytes later', (token) => base64(`ab${token}b`)],
    ['base64url', (token) => Buffer.from(token).toString('base64url')],
    ['base64 of its signature', (_, signature) => base64(`abcd${signature}e`)],
    ['the other alphabet', (_, signature) => Buffer.from(signature, 'base64url').toString('base64')],
    ['hex', (token) => Buffer.from(token).toString('hex')],
    [
      'hex of the bytes of the signature',
      (_, signature) => Buffer.from(signature, 'base64url').toString('hex').toUpperCase(),
    ],
    ['lines', (token) => token.replace(/(.{20})/g, '$1\n ')],
    ['base64 in lines', (token) => base64(token).replace(/(.{20})/g, '$1\r\n')],
    ['percent-encoding', (token) => token.replaceAll('.', '%2E')],
  ])('TT-26: a presented token in %s', async (_, encode) => {
    const token = subjectToken()
    const inside = encode(token, token.split('.')[1] ?? '')
    await refuses({ draft: claims({ note: map([['deep', [inside]]]) }) }, 'ERR_PROFILE_WIDER')
    await refuses({ draft: claims({ [inside]: true }) }, 'ERR_PROFILE_WIDER')
    await expect(exchange({ draft: claims({ note: inside.slice(0, 12) }) })).resolves.toBeDefined()
  })
})

describe('a replacement', () => {
  const before = {
    ...{ sub: 'user-7', aud: [TARGET], scope: ['pay', 'read'], exp: NOW + 30, txn: 't-1', req_wl: 'gateway' },
    ...{ tctx: { order: 'o-1' }, rctx: { ip: '::1' } },
  }
  const replace = (differs: Case = {}) =>
    exchange({
      ...differs,
      token: { ...before, ...differs.token },
      profile: { frozen: FROZEN, subject: { audience: [TARGET] } },
      request: { request_details: map(), ...differs.request },
    })
  const refusesReplacement = (differs: Case, code: string, detail: object = {}) =>
    expect(replace(differs)).rejects.toMatchObject({ code, detail })

  it('says what it replaces, and may say more', async () => {
    const { access_token } = await replace({ request: { request_details: map([['coupon', 'c']]) } })
    expect(said(access_token)).toMatchObject({
      ...{ txn: 't-1', sub: 'user-7', req_wl: 'orders', exp: NOW + 30, scope: ['pay'] },
      ...{ tctx: { order: 'o-1', coupon: 'c' }, rctx: { ip: '::1' }, dragoman_chain: ['gateway', 'orders'] },
    })
  })

  it('keeps members that no row has', async () => {
    const { access_token } = await replace({ token: { tctx: { order: 'o-1', old: true } } })
    expect(said(access_token)['tctx']).toEqual({ order: 'o-1', old: true })
  })

  it('does not change a member, on request or by itself', async () => {
    const other = map([['order', 'o-2']])
    await refusesReplacement({ request: { request_details: other } }, 'ERR_PROFILE_FROZEN', { member: 'order' })
    const make = () => 'ours'
    const details = new Map([['order', { ...text, make }]])
    const { access_token } = await replace({ table: [{ ...PAY, details }] })
    expect(said(access_token)['tctx']).toEqual({ order: 'o-1' })
  })

  it.each<[string, Case['draft'], string]>([
    ['txn', claims({ txn: 't-2' }), 'ERR_PROFILE_FROZEN'],
    ['sub', claims({ sub: 'user-8' }), 'ERR_PROFILE_FROZEN'],
    ['tctx', claims({ tctx: map([['order', 'o-2']]) }), 'ERR_PROFILE_FROZEN'],
    ['tctx, by leaving it out', claims({ tctx: undefined }), 'ERR_PROFILE_FROZEN'],
    ['rctx', claims({ rctx: map([['ip', '::2']]) }), 'ERR_PROFILE_FROZEN'],
    ['exp', validity({ expiresAt: NOW + 31 }), 'ERR_PROFILE_FROZEN'],
    ['its chain', claims({ dragoman_chain: undefined }), 'ERR_PROFILE_WIDER'],
  ])('is refused when a stage changes %s, with every danger on', (_, draft, code) =>
    refusesReplacement({ ...(draft && { draft }) }, code),
  )

  it('has no scope that the replaced token had not, even if its row and the request have it', async () => {
    const token = { scope: ['read'] }
    await refusesReplacement({ token }, 'ERR_PROFILE_SCOPE')
    await refusesReplacement({ token, request: { scope: ['pay', 'read'] } }, 'ERR_PROFILE_SCOPE')
    await refusesReplacement(
      { token, request: { scope: ['read'] }, draft: validity({ scope: ['pay'] }) },
      'ERR_PROFILE_FROZEN',
    )
  })

  it('is for the same audience', async () => {
    const elsewhere = { request: { audience: ['https://b.example'] } }
    const targets = { allowed: new Map([['https://b.example', 'https://b.example']]), fallback: [], open: false }
    const options = { frozen: FROZEN, subject: { audience: [TARGET] }, targets }
    await expect(exchange({ ...elsewhere, token: before, profile: options })).rejects.toMatchObject({
      code: 'ERR_PROFILE_FROZEN',
      detail: { claim: 'aud' },
    })
  })

  it('comes as often as its row says', async () => {
    const token = { req_wl: 'stock', dragoman_chain: ['gateway', 'stock'] }
    await refusesReplacement({ token }, 'ERR_PROFILE_TRANSACTION', { rule: 'replacements' })
    const { access_token } = await replace({ token, table: [{ ...PAY, replacements: 2 }] })
    expect(said(access_token)['dragoman_chain']).toEqual(['gateway', 'stock', 'orders'])
  })
})

describe('one certificate', () => {
  const certificate = Uint8Array.of(1, 2, 3)
  const asked = (sub: string, method: string, shown: readonly Uint8Array[] | undefined): Asked => ({
    request: request({ scope: ['pay'], requested_token_type: PLAIN, certificates: shown }),
    client: { id: 'orders', method },
    subject: verified({ claims: { sub }, validity: { scope: undefined }, provenance: { type: PLAIN, certificate } }),
    profile: profile(),
  })
  const choose = (...of: Parameters<typeof asked>) =>
    transactionOf([PAY], asked(...of), (bytes) => new Uint8Array(bytes))

  it('is the program that asks, or whom it asks for, unless those are the same', () => {
    expect(() => choose('user-7', 'tls_client_auth', [certificate])).toThrow(
      expect.objectContaining({
        code: 'ERR_PROFILE_TRANSACTION',
        detail: expect.objectContaining({ rule: expect.any(String) }),
      }),
    )
    expect(choose('orders', 'tls_client_auth', [certificate])).toMatchObject({ requesters: ['orders'] })
    expect(choose('user-7', 'private_key_jwt', [certificate])).toMatchObject({ requesters: ['orders'] })
    expect(choose('user-7', 'tls_client_auth', [Uint8Array.of(9)])).toMatchObject({ requesters: ['orders'] })
  })
})

describe('a presented token', () => {
  const copied = (details: object) =>
    exchange({
      ...{ profile: { transactions: undefined }, draft: claims({ order: 'o-1' }) },
      request: { request_details: map(Object.entries(details)) },
    })

  it('is in no claim of any token that is made of what a client tells', async () => {
    const token = subjectToken()
    const copy = (start: Draft) => claims({ note: token })(start)
    const plain = { profile: { transactions: undefined }, request: { request_details: undefined } }
    await refuses({ profile: { transactions: undefined }, draft: copy }, 'ERR_PROFILE_WIDER', { rule: 'presented' })
    await refuses(
      { ...plain, request: { request_details: undefined, request_context: map() }, draft: copy },
      'ERR_PROFILE_WIDER',
    )
    await expect(copied({ order: 'o-1' })).resolves.toBeDefined()
    // Where nobody tells anything, it is a stage's own doing.
    await expect(exchange({ ...plain, draft: copy })).resolves.toBeDefined()
    const embedded = [{ name: 'inner', place: 'claim', value: token }] as const
    await expect(exchange({ profile: { transactions: undefined }, draft: () => ({ embedded }) })).resolves.toBeDefined()
  })
})
