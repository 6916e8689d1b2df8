import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { errors } from '../../src/core/errors.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { code } from '../support/exchange.ts'
import { rewrite } from '../support/live.ts'
import {
  type Ask,
  DOMAIN,
  id,
  NOW,
  newTransactionWorld,
  type TransactionWorld,
  TTS,
  type Workload,
} from '../support/transactions.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const { accessToken, selfSigned, txnToken, unsignedJson } = tokenTypes

let world: TransactionWorld
beforeAll(async () => {
  world = await newTransactionWorld()
})
beforeEach(() => {
  world.now = NOW
})
afterAll(() => world.close())

/** The refusal, and what the client is told of it (row by row of section 1.10). */
async function refused(work: Promise<unknown>, reason: keyof typeof errors, error: string, detail: object = {}) {
  await expect(work).rejects.toEqual(code(reason, { ...detail }))
  expect(errors[reason].error).toBe(error)
  expect(world.last()).toMatchObject({ result: 'refused', code: reason })
}

const ORDER = { order_id: 'o-771', amount: '18.40' }
const order = (differs: Partial<Ask> = {}) =>
  world.ask('api-gateway', {
    ...{ token: world.file('mira.at'), type: accessToken, scope: 'order.pay' },
    ...{ details: ORDER, context: { req_ip: '192.0.2.44' } },
    ...differs,
  })

const MAIL = { mailbox: 'help@larkspur.example', message_id: 'c1@peer.example', dmarc: 'pass' }
const mail = async (differs: Partial<Ask> = {}, claims: object = {}) =>
  world.ask('mail-in', {
    ...{ token: await world.signs('mail-in', { sub: 'user/7733', ...claims }), type: selfSigned },
    ...{ scope: 'mail.ingest ticket.append blob.put', details: MAIL, context: { req_ip: '203.0.113.9' } },
    ...differs,
  })

const PURGE = { target_user: 'u-501', batch_id: 'b7', approval: 'chg-9912' }
const purge = async (differs: Partial<Ask> = {}, claims: object = {}) =>
  world.ask('purger', {
    ...{ token: await world.signs('purger', { sub: 'job/user-purge', ...claims }), type: selfSigned },
    ...{ scope: 'user.delete', details: PURGE },
    ...differs,
  })

const report = (token: string, differs: Partial<Ask> = {}) =>
  world.ask('nightly', { token, type: unsignedJson, scope: 'report.build', details: { period: '2026-11' }, ...differs })

const replace = (token: string, differs: Partial<Ask> = {}) =>
  world.ask('tickets', { token, type: txnToken, scope: 'blob.put', ...differs })

describe('an access token at the edge (a)', () => {
  it('becomes a transaction token, which another library verifies (TT-19, TT-28, TT-30, TT-31)', async () => {
    const result = await order()
    expect(result).toMatchObject({ token_type: 'N_A', issued_token_type: txnToken, expires_in: 60 })
    expect(result).not.toHaveProperty('refresh_token')
    const { payload, protectedHeader } = await world.verified(result)
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: expect.any(String), typ: 'txntoken+jwt' })
    expect(payload).toMatchObject({
      ...{ iss: TTS, aud: DOMAIN, sub: 'user/20417', scope: 'order.pay', iat: NOW, exp: NOW + 60 },
      ...{ txn: expect.stringMatching(/^[\w-]{22}$/), req_wl: id['api-gateway'] },
      ...{ tctx: { ...ORDER, currency: 'EUR' }, rctx: { req_ip: '192.0.2.44' } },
    })
    expect(world.last()).toMatchObject({ transaction: 'order', txn: payload['txn'], client: id['api-gateway'] })
  })

  it('starts another transaction each time (TT-19)', async () => {
    const ids = await Promise.all(
      [order(), order()].map(async (one) => (await world.verified(await one)).payload['txn']),
    )
    expect(new Set(ids).size).toBe(2)
  })

  it('is never in it, nor any part of it (TT-26)', async () => {
    const token = world.file('mira.at')
    for (const inside of [token, token.split('.')[2] ?? '', `Bearer ${token}`]) {
      await refused(order({ context: { req_ip: inside } }), 'ERR_PROFILE_WIDER', 'invalid_request')
      await refused(order({ details: { ...ORDER, order_id: inside } }), 'ERR_PROFILE_WIDER', 'invalid_request')
    }
  })

  it('gives no more than it has in the words of the domain (TT-21)', async () => {
    await refused(order({ scope: 'order.refund' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
    await refused(order({ scope: 'order.pay order.refund' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
    await refused(order({ scope: 'profile.read' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
  })

  it('ends the transaction when it ends itself (TT-13)', async () => {
    world.now = NOW + 3599
    await expect(order()).resolves.toMatchObject({ expires_in: 1 })
  })

  it('is refused once it has expired, for elsewhere, or not one (TT-11, TT-12)', async () => {
    await refused(order({ token: world.file('expired.at') }), 'ERR_TOKEN_EXPIRED', 'invalid_request')
    await refused(order({ token: world.file('elsewhere.at') }), 'ERR_TOKEN_AUDIENCE', 'invalid_request')
    const [header = '', payload = ''] = world.file('mira.at').split('.')
    await refused(order({ token: `${header}.${payload}.${'A'.repeat(86)}` }), 'ERR_TOKEN_SIGNATURE', 'invalid_request')
  })

  it('wants the parameters of the draft, each (TT-03, TT-04)', async () => {
    await refused(order({ scope: undefined }), 'ERR_REQUEST_MISSING', 'invalid_request', { parameter: 'scope' })
    await refused(order({ requested_token_type: undefined }), 'ERR_REQUEST_MISSING', 'invalid_request')
    await refused(order({ audience: [] }), 'ERR_PROFILE_TARGET_MISSING', 'invalid_target')
    await refused(order({ audience: [TTS] }), 'ERR_PROFILE_TARGET', 'invalid_target')
    await refused(order({ requested_token_type: accessToken }), 'ERR_PROFILE_REQUESTED_TYPE', 'invalid_request')
  })

  it('is not taken as a refresh token, nor from who has no row (TT-05, TT-06, TT-07, TT-33)', async () => {
    const refresh = 'urn:ietf:params:oauth:token-type:refresh_token'
    await refused(order({ type: refresh }), 'ERR_REQUEST_TOKEN_TYPE', 'invalid_request')
    // A type is a URI.
    await refused(order({ type: 'access_token' }), 'ERR_REQUEST_TOKEN_TYPE', 'invalid_request')
    const asked = { token: world.file('mira.at'), type: accessToken, scope: 'order.pay', details: ORDER }
    await refused(world.ask('mail-scan', asked), 'ERR_PROFILE_NONE', 'unauthorized_client')
  })
})

describe('what a client tells', () => {
  it('fits the row, member by member', async () => {
    const context = 'ERR_PROFILE_CONTEXT'
    await refused(order({ details: { order_id: 'o' } }), context, 'invalid_request', { member: 'amount' })
    await refused(order({ details: { ...ORDER, amount: 18.4 } }), context, 'invalid_request', { member: 'amount' })
    await refused(order({ details: { ...ORDER, order_id: ['o'] } }), context, 'invalid_request', { member: 'order_id' })
    await refused(order({ details: { ...ORDER, coupon: 'x' } }), context, 'invalid_request')
    await refused(mail({ details: { ...MAIL, dmarc: 'maybe' } }), context, 'invalid_request', { member: 'dmarc' })
    await refused(mail({ context: {} }), context, 'invalid_request', { member: 'req_ip' })
    await refused(purge({ details: { ...PURGE, target_user: ['u-501', 'u-502'] } }), context, 'invalid_request')
    await refused(purge({ details: { ...PURGE, approval: 'chg-1' } }), context, 'invalid_request')
  })

  it('gives way to what the row says, and is left out of rctx where no row has it (TT-24, TT-25)', async () => {
    const details = { ...ORDER, currency: 'USD' }
    const { payload } = await world.verified(await order({ details, context: { authn: 'pwd' } }))
    expect(payload['tctx']).toEqual({ ...ORDER, currency: 'EUR' })
    expect(payload['rctx']).toBeUndefined()
  })
})

describe('inbound mail (b)', () => {
  it('starts from what mail-in signs about the owner of the mailbox (TT-15, TT-17)', async () => {
    const { payload } = await world.verified(await mail())
    expect(payload).toMatchObject({
      ...{ sub: 'user/7733', scope: 'mail.ingest ticket.append blob.put', req_wl: id['mail-in'], exp: NOW + 120 },
      ...{ tctx: MAIL, rctx: { req_ip: '203.0.113.9', transport: 'smtp' } },
    })
  })

  it('goes into no ticket when nobody vouches for the sender (TT-20)', async () => {
    await expect(mail({ details: { ...MAIL, dmarc: 'fail' } })).resolves.toMatchObject({
      scope: ['mail.ingest', 'blob.put'],
    })
  })

  it('is about the owner and nobody else', async () => {
    await refused(mail({}, { sub: 'user/1' }), 'ERR_PROFILE_CONDITION', 'invalid_request')
    await refused(mail({ scope: 'blob.put' }, { sub: 'job/user-purge' }), 'ERR_TOKEN_SUBJECT_SPACE', 'invalid_request')
  })

  it('is for this gateway, signed now, once, by who presents it (TT-15, TT-16)', async () => {
    await refused(mail({}, { aud: DOMAIN }), 'ERR_TOKEN_AUDIENCE', 'invalid_request')
    await refused(mail({}, { aud: undefined }), 'ERR_TOKEN_AUDIENCE', 'invalid_request')
    await refused(mail({}, { iat: NOW - 91, exp: NOW + 60 }), 'ERR_TOKEN_TOO_OLD', 'invalid_request')
    await refused(mail({}, { iat: undefined }), 'ERR_PROFILE_REQUIRED', 'invalid_request')
    await refused(mail({}, { exp: undefined }), 'ERR_TOKEN_NO_EXPIRY', 'invalid_request')
    await refused(mail({}, { iat: NOW + 31 }), 'ERR_TOKEN_NOT_YET_VALID', 'invalid_request')
    await refused(mail({}, { exp: NOW + 331 }), 'ERR_TOKEN_LIFETIME', 'invalid_request')
    await expect(mail({}, { exp: NOW + 330 })).resolves.toBeDefined()
    const token = await world.signs('mail-in', { sub: 'user/7733' })
    await mail({ token })
    await refused(mail({ token }), 'ERR_TOKEN_REPLAYED', 'invalid_request')
    await refused(
      mail({ token: await world.signs('purger', { sub: 'user/7733' }) }),
      'ERR_TRUST_ISSUER',
      'invalid_request',
    )
    await refused(mail({}, { iss: id.purger }), 'ERR_TRUST_ISSUER', 'invalid_request')
    await refused(
      mail({ token: await world.signs('mail-in', { sub: 'user/7733' }, 'mail-in') }),
      'ERR_TOKEN_ALGORITHM',
      'invalid_request',
    )
    await refused(
      mail({ token: await world.signs('mail-in', { sub: 'user/7733' }, 'purger-says') }),
      'ERR_TOKEN_SIGNATURE',
      'invalid_request',
    )
  })

  it.each(['none', 'HS256'])('is not taken with alg %s', async (alg) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = { iss: id['mail-in'], sub: 'user/7733', aud: TTS, iat: NOW, exp: NOW + 60, jti: 'n' }
    const token = `${part({ alg })}.${part(claims)}.${alg === 'none' ? '' : 'A'.repeat(43)}`
    await expect(mail({ token })).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_TOKEN_(ALGORITHM|MALFORMED)$/),
    })
  })

  it('is nothing that another may start, nor from another type of token', async () => {
    const token = await world.signs('purger', { sub: 'job/user-purge' })
    const asked = { token, type: selfSigned, scope: 'mail.ingest', details: MAIL, context: { req_ip: '::1' } }
    await refused(world.ask('purger', asked), 'ERR_PROFILE_TRANSACTION', 'unauthorized_client', {
      transaction: 'inbound-mail',
    })
    await refused(mail({ scope: 'user.delete' }), 'ERR_PROFILE_TRANSACTION', 'unauthorized_client')
    await refused(mail({ scope: 'mail.ingest user.delete' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
    await refused(
      mail({ token: '{"sub":"user/7733"}', type: unsignedJson }),
      'ERR_PROFILE_SUBJECT_TYPE',
      'unauthorized_client',
    )
    await refused(
      mail({ token: world.file('mira.at'), type: accessToken }),
      'ERR_PROFILE_SUBJECT_TYPE',
      'unauthorized_client',
    )
  })
})

describe('batch deletion (c)', () => {
  it('has a transaction for each user, of some seconds (TT-14)', async () => {
    const { payload } = await world.verified(await purge())
    expect(payload).toMatchObject({ sub: 'job/user-purge', tctx: PURGE, exp: NOW + 45, req_wl: id.purger })
    expect(payload['rctx']).toBeUndefined()
    expect(world.last()).toMatchObject({ transaction: 'user-purge', txn: payload['txn'] })
    // What was signed is over before; the row says how long the transaction may take.
    await expect(purge({}, { exp: NOW + 30 })).resolves.toMatchObject({ expires_in: 45 })
  })

  it('is about the job, with its one scope', async () => {
    await refused(purge({}, { sub: 'user/501' }), 'ERR_TOKEN_SUBJECT_SPACE', 'invalid_request')
    await refused(purge({ scope: 'user.*' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
    await refused(purge({ scope: 'user.delete user.read' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
  })
})

describe('the word of a client without a signature', () => {
  it('is said at start, once', () => {
    const said = world.gateway.warnings.filter((warning) => warning.startsWith('profile nightly'))
    expect(said).toEqual([expect.stringContaining('accept.subject.danger_unsigned')])
  })

  it('is taken where the profile and the configuration say so, for its one subject', async () => {
    const { payload } = await world.verified(await report('{"sub":"job/nightly-report"}'))
    expect(payload).toMatchObject({
      sub: 'job/nightly-report',
      scope: 'report.build',
      exp: NOW + 60,
      req_wl: id.nightly,
    })
    await refused(report('{"sub":"user/1"}'), 'ERR_TOKEN_SUBJECT_SPACE', 'invalid_request')
  })

  it('is refused from everybody else, and without its subject', async () => {
    await refused(report('{}'), 'ERR_TOKEN_SUBJECT', 'invalid_request')
    await refused(report('{"sub":"job/nightly-report","sub":"user/1"}'), 'ERR_TOKEN_DUPLICATE', 'invalid_request')
    await refused(report('["job/nightly-report"]'), 'ERR_TOKEN_MALFORMED', 'invalid_request')
    const foreign = JSON.stringify({ iss: id.purger, sub: 'job/nightly-report' })
    await refused(report(foreign), 'ERR_TRUST_ISSUER', 'invalid_request')
    const over = JSON.stringify({ sub: 'job/nightly-report', exp: NOW - 60 })
    await refused(report(over), 'ERR_TOKEN_EXPIRED', 'invalid_request')
    const asked = { token: '{"sub":"job/nightly-report"}', type: unsignedJson, scope: 'report.build' }
    await refused(world.ask('purger', asked), 'ERR_PROFILE_SUBJECT_TYPE', 'unauthorized_client')
    await refused(world.ask('mail-scan', asked), 'ERR_PROFILE_NONE', 'unauthorized_client')
    await refused(
      world.gateway.exchange(
        {
          ...{ id: 'r', grant_type: '', subject_token: asked.token, subject_token_type: unsignedJson },
          ...{ actor_token: undefined, actor_token_type: undefined, requested_token_type: txnToken },
          ...{ audience: [DOMAIN], resource: [], scope: ['report.build'], csr: undefined, client_id: id.nightly },
          ...{ client_secret: undefined, client_assertion: undefined, client_assertion_type: undefined },
          ...{ authorization: undefined, dpop: [], certificates: undefined, request_details: map([['period', 'x']]) },
        },
        'larkspur',
      ),
      'ERR_CLIENT_MISSING',
      'invalid_client',
    )
  })
})

describe('one service of a trust domain', () => {
  const keys = (folder: string, ...names: string[]) => {
    const list = names.map(
      (name, at) => `{ name: ${at === 0 ? 'signing' : name}, algorithm: ES256, file: ${name}.pem }`,
    )
    rewrite(
      folder,
      'dragoman.yaml',
      /(?<=^ {2}- name: larkspur\n.*\n {4}keys:\n)(?: {6}- .*\n)+/m,
      list.map((key) => `      - ${key}\n`).join(''),
    )
  }
  let domain: TransactionWorld
  const started = async () => {
    const result = await domain.ask('mail-in', {
      ...{ token: await domain.signs('mail-in', { sub: 'user/7733' }), type: selfSigned },
      ...{ scope: 'blob.put', details: MAIL, context: { req_ip: '203.0.113.9' } },
    })
    return { result, ...(await domain.verified(result)) }
  }
  const replaced = async (token: string) =>
    domain.verified(await domain.ask('tickets', { token, type: txnToken, scope: 'blob.put' }))

  beforeAll(async () => {
    domain = await newTransactionWorld((folder) => {
      for (const name of ['first', 'second']) {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
        writeFileSync(join(folder, `${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
      }
      keys(folder, 'first')
    })
  })
  afterAll(() => domain.close())

  it('is several processes with the same files: what one has issued, another verifies and replaces (TT-02)', async () => {
    const { result, payload, protectedHeader } = await started()
    await domain.another()
    await expect(domain.verified(result)).resolves.toHaveProperty('payload.txn', payload['txn'])
    const next = await replaced(result.access_token)
    expect(next).toMatchObject({ payload: { txn: payload['txn'] }, protectedHeader: { kid: protectedHeader.kid } })
  })

  it('changes its key without an invalid token: published first, used then, taken out at last (TT-32)', async () => {
    const before = await started()
    await domain.another((folder) => keys(folder, 'second', 'first'))
    const after = await started()
    expect(after.protectedHeader.kid).not.toBe(before.protectedHeader.kid)
    await expect(domain.verified(before.result)).resolves.toHaveProperty('payload.txn', before.payload['txn'])
    expect((await replaced(before.result.access_token)).protectedHeader.kid).toBe(after.protectedHeader.kid)
    await domain.another((folder) => keys(folder, 'second'))
    await expect(domain.verified(before.result)).rejects.toThrow()
    await expect(replaced(before.result.access_token)).rejects.toEqual(code('ERR_TRUST_KEY'))
    await expect(replaced(after.result.access_token)).resolves.toHaveProperty('payload.txn', after.payload['txn'])
  })

  it('knows each workload by a key, and none by a secret that both have (TT-10)', () => {
    expect(domain.file('dragoman.yaml')).not.toMatch(/secret/)
  })
})

describe('a replacement', () => {
  it('has less, says the same and names all who asked (TR-01, TR-03, TR-07, TR-09)', async () => {
    const first = await mail()
    const { payload: before } = await world.verified(first)
    world.now = NOW + 20
    const { payload } = await world.verified(await replace(first.access_token, { details: { blob_class: 'image' } }))
    for (const claim of ['txn', 'sub', 'aud', 'rctx', 'exp'] as const) expect(payload[claim]).toEqual(before[claim])
    expect(payload).toMatchObject({
      ...{ scope: 'blob.put', req_wl: id.tickets, iat: NOW + 20 },
      ...{ tctx: { ...MAIL, blob_class: 'image' }, dragoman_chain: [id['mail-in'], id.tickets] },
    })
  })

  it('changes no member, asks for no more, and comes once (TR-02, TR-06, TR-11)', async () => {
    const { access_token: token } = await mail()
    const member = { ...MAIL, mailbox: 'ceo@larkspur.example' }
    await refused(replace(token, { details: member }), 'ERR_PROFILE_FROZEN', 'invalid_request', { member: 'mailbox' })
    await refused(replace(token, { context: { req_ip: '::1' } }), 'ERR_PROFILE_FROZEN', 'invalid_request')
    await refused(replace(token, { details: { other: 'x' } }), 'ERR_PROFILE_CONTEXT', 'invalid_request')
    await refused(replace(token, { scope: 'user.delete' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
    await refused(replace(token, { scope: 'ticket.append' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
    const { access_token: second } = await replace(token, { details: MAIL })
    await refused(replace(second), 'ERR_PROFILE_TRANSACTION', 'unauthorized_client', { rule: 'replacements' })
  })

  it('is refused when the token is over, of another domain, or in the hand of who may not (TR-04, TV-07)', async () => {
    const { access_token: token } = await mail()
    const { access_token: foreign } = await order({ tenant: 'meridian' })
    await refused(replace(foreign), 'ERR_TRUST_ISSUER', 'invalid_request')
    await refused(
      world.ask('mail-in', { token, type: txnToken, scope: 'blob.put' }),
      'ERR_PROFILE_SUBJECT_TYPE',
      'unauthorized_client',
    )
    await refused(order({ token, type: txnToken }), 'ERR_PROFILE_SUBJECT_TYPE', 'unauthorized_client')
    world.now = NOW + 120
    await refused(replace(token), 'ERR_TOKEN_EXPIRED', 'invalid_request')
    world.now = NOW + 200
    await refused(replace(token), 'ERR_TOKEN_EXPIRED', 'invalid_request')
  })

  it('lives no longer than the first of its transaction, however often it is replaced (TR-05, TR-10)', async () => {
    const { access_token: token } = await mail()
    world.now = NOW + 119
    await expect(replace(token)).resolves.toMatchObject({ expires_in: 1 })
  })

  it('names one who asks, as text, whoever asked before (TR-08)', async () => {
    const { payload } = await world.verified(await replace((await mail()).access_token))
    expect(payload['req_wl']).toBe(id.tickets)
  })

  it('is not an access token, nor an access token one (TT-35)', async () => {
    const { access_token: token } = await mail()
    await refused(order({ token }), 'ERR_TRUST_ISSUER', 'invalid_request')
    await refused(replace(world.file('mira.at')), 'ERR_TRUST_ISSUER', 'invalid_request')
  })
})

describe('each row is for its own workload and its own type of token', () => {
  const WORKLOADS = Object.keys(id) as Workload[]
  const types = [accessToken, selfSigned, unsignedJson, txnToken, tokenTypes.jwt, tokenTypes.idToken]
  /** What each row takes, and from whom; everything else about these requests is as it should be. */
  const rows: readonly [name: string, owner: Workload, type: string, ask: () => Promise<Omit<Ask, 'type'>>][] = [
    [
      ...(['order', 'api-gateway', accessToken] as const),
      async () => ({ token: world.file('mira.at'), scope: 'order.pay', details: ORDER }),
    ],
    [
      ...(['inbound-mail', 'mail-in', selfSigned] as const),
      async () => ({
        ...{ token: await world.signs('mail-in', { sub: 'user/7733' }), scope: 'mail.ingest' },
        ...{ details: MAIL, context: { req_ip: '::1' } },
      }),
    ],
    [
      ...(['user-purge', 'purger', selfSigned] as const),
      async () => ({
        ...{ token: await world.signs('purger', { sub: 'job/user-purge' }), scope: 'user.delete', details: PURGE },
      }),
    ],
    [
      ...(['nightly-report', 'nightly', unsignedJson] as const),
      async () => ({ token: '{"sub":"job/nightly-report"}', scope: 'report.build', details: { period: 'x' } }),
    ],
    [
      ...(['store-attachment', 'tickets', txnToken] as const),
      async () => ({ token: (await mail()).access_token, scope: 'blob.put' }),
    ],
  ]

  it.each(rows)('%s: %s alone', async (name, owner, right, ask) => {
    for (const workload of WORKLOADS) {
      for (const type of types) {
        const asking = world.ask(workload, { ...(await ask()), type })
        if (workload === owner && type === right) await asking
        else await expect(asking, `${workload} with ${type}`).rejects.toMatchObject({ code: expect.any(String) })
        expect(world.last().result).toBe(workload === owner && type === right ? 'issued' : 'refused')
      }
    }
    expect(world.records.filter(({ result, transaction }) => result === 'issued' && transaction === name)).not.toEqual(
      [],
    )
  })
})

describe('a person and a program (d)', () => {
  const CLI = 'spiffe://larkspur.example/ns/tools/sa/ops-cli'
  const chain = (name: string) =>
    JSON.stringify(world.certificate(name).map((der) => Buffer.from(der).toString('base64')))

  let serial = 0
  async function assertion(key = 'ops-cli', alg = 'EdDSA', claims: object = {}) {
    serial += 1
    const said = { iss: CLI, sub: CLI, aud: TTS, iat: NOW, exp: NOW + 60, jti: `a-${serial}`, ...claims }
    return new SignJWT(said).setProtectedHeader({ alg }).sign(createPrivateKey(world.file(`${key}.key`)))
  }
  /** `shown`: whose certificate is in the handshake. */
  const operate = async (differs: Partial<Ask> = {}, shown = 'dana') =>
    world.ask('tickets', {
      ...{ token: chain(shown), type: tokenTypes.mtls, scope: 'ops.restart', certificates: world.certificate(shown) },
      ...{ details: { target: 'orders', change: 'chg-1044' }, context: { device_id: 'k-88' } },
      ...{ client_id: undefined, client_assertion: await assertion(), client_assertion_type: JWT_BEARER },
      ...differs,
    })

  it('are both in the token and in the record, neither as the other', async () => {
    const { payload } = await world.verified(await operate())
    expect(payload).toMatchObject({
      ...{ sub: 'user/314', act: { sub: CLI }, req_wl: CLI, rctx: { device_id: 'k-88' } },
      ...{ tctx: { target: 'orders', change: 'chg-1044' }, scope: 'ops.restart' },
    })
    expect(payload).not.toHaveProperty('cnf')
    expect(world.last()).toMatchObject({
      ...{ client: CLI, client_method: 'private_key_jwt', subject: 'https://larkspur.example/staff/dana' },
      ...{ subject_issuer: 'https://staff.larkspur.example', proofs: ['mtls'], transaction: 'operations' },
    })
  })

  it('are both needed, each by its own authority', async () => {
    const nobody = { client_assertion: undefined, client_assertion_type: undefined }
    await refused(operate(nobody), 'ERR_CLIENT_MISSING', 'invalid_client')
    await refused(
      operate({ client_assertion: await assertion('purger-says') }),
      'ERR_CLIENT_ASSERTION',
      'invalid_client',
    )
    await refused(
      operate({ client_assertion: await assertion('ops-cli', 'EdDSA', { iss: id.tickets }) }),
      'ERR_CLIENT_ASSERTION',
      'invalid_client',
    )
    // A workload is no member of staff, and a member of staff no workload.
    await refused(operate({}, 'tickets'), 'ERR_TRUST_PATH', 'invalid_request')
    const asTickets = { client_id: id.tickets, certificates: world.certificate('dana') }
    await refused(
      world.ask('tickets', { token: 'x', type: txnToken, scope: 'blob.put', ...asTickets }),
      'ERR_CLIENT_CERTIFICATE',
      'invalid_client',
    )
  })

  it('are no transaction token: it says who asked, and is nobody (TT-34)', async () => {
    const { access_token: token } = await operate()
    await refused(operate({ client_assertion: token }), 'ERR_CLIENT_UNKNOWN', 'invalid_client')
    const bearer = { client_assertion: undefined, client_assertion_type: undefined, authorization: `Bearer ${token}` }
    await refused(operate(bearer), 'ERR_CLIENT_MALFORMED', 'invalid_client')
  })

  it('are bound to this connection: a certificate that was only seen is not enough', async () => {
    await refused(operate({ certificates: undefined }), 'ERR_TOKEN_UNPROVED', 'invalid_request')
    await refused(operate({ certificates: world.certificate('tickets') }), 'ERR_PROOF_MISMATCH', 'invalid_request')
  })
})

describe('what is written down', () => {
  it('has no token, nor a signature of one: a transaction is known by its id (TT-37)', async () => {
    const said = await world.signs('mail-in', { sub: 'user/7733' })
    const first = await mail({ token: said })
    const second = await replace(first.access_token, { details: { blob_class: 'image' } })
    await refused(mail({ token: said }), 'ERR_TOKEN_REPLAYED', 'invalid_request')
    await refused(replace(second.access_token), 'ERR_PROFILE_TRANSACTION', 'unauthorized_client')
    const text = JSON.stringify(world.records)
    for (const token of [said, first.access_token, second.access_token, world.file('mira.at')]) {
      for (const part of token.split('.').slice(1)) expect(text).not.toContain(part)
    }
    const { payload } = await world.verified(second)
    expect(text).toContain(payload['txn'])
    expect(world.last()).toMatchObject({ client: id.tickets, code: 'ERR_PROFILE_TRANSACTION' })
  })
})
