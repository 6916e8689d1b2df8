import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { jwks } from '../../src/gateway/documents.ts'
import { NOW, newWorld, WORKLOAD, type World } from '../support/world.ts'

const { jwt, txnToken } = tokenTypes

const URN = 'urn:ietf:params:oauth:token-type'

/** One profile for each type of subject token that comes from elsewhere. */
const profileFor = (name: string, accept: string, target = `${name}.example`) => `
name: ${name}
accept:
  subject: { format: jwt, ${accept} }
  targets: { allow: [${target}] }
transactions:
  - name: order
    clients: [demo]
    subjects: ['*']
    scope: [order.pay, order.create]
    lifetime: 60
    details: { order: string }
stages:
  - format: { to: jwt, kind: txntoken+jwt }
  - crypto: { key: signing }
`
const PROFILES = {
  jwt: profileFor('jwt', `types: ['${URN}:jwt'], issuers: [https://id.alpha.example]`),
  web: profileFor('web', `types: ['${URN}:id_token'], issuers: [https://id.alpha.example], audience: [web-client]`),
  older: profileFor(
    'older',
    `types: ['${URN}:txn_token'], kind: txn_token, issuers: [https://older.example], audience: [https://older.example]`,
    'https://older.example',
  ),
  others: profileFor(
    'others',
    `types: ['${URN}:jwt'], kind: txn_token, issuers: [https://older.example], audience: [https://older.example]`,
  ),
}

let world: World
beforeAll(async () => {
  world = await newWorld({
    edit(folder) {
      const file = join(folder, 'dragoman.yaml')
      const names = Object.entries(PROFILES).map(([name, text]) => {
        writeFileSync(join(folder, `${name}.yaml`), text)
        return `${name}.yaml`
      })
      const older = '  - { issuer: https://older.example, jwks_file: alpha-jwks.json, subjects: ["*"] }\n'
      const text = readFileSync(file, 'utf8')
        .replace(/^profiles: .*$/m, `profiles: [${names.join(', ')}]`)
        .replace('issuers:\n', `issuers:\n${older}`)
      writeFileSync(file, text)
    },
  })
})
afterAll(() => world.close())

const post = (subject_token: string, type: string, target: string, more: { readonly [name: string]: string } = {}) =>
  world.post({
    ...{ subject_token, subject_token_type: type, requested_token_type: tokenTypes.txnToken, audience: target },
    ...{ scope: 'order.pay', request_details: '{"order":"o-1"}', ...more },
  })

async function read(raw: unknown, audience: string) {
  const [services] = world.gateway.tenants.map((tenant) => tenant.services)
  if (services === undefined) throw new Error('no tenant')
  const keys = createLocalJWKSet(JSON.parse(jwks(services)))
  const { payload } = await jwtVerify(String(raw), keys, {
    ...{ audience, typ: 'txntoken+jwt', currentDate: new Date(NOW * 1000) },
  })
  return payload
}

describe('a JWT', () => {
  it('becomes a transaction token over HTTP, with the answer of the draft (TT-01, TT-28, TT-29)', async () => {
    const { status, headers, body } = await post(
      await world.token('jwt', { validity: { ...times(), scope: ['order.pay'] } }),
      tokenTypes.jwt,
      'jwt.example',
    )
    expect(status).toBe(200)
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/json' })
    expect(body).toEqual({
      ...{ token_type: 'N_A', issued_token_type: tokenTypes.txnToken, expires_in: 60, scope: 'order.pay' },
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    })
    expect(await read(body['access_token'], 'jwt.example')).toMatchObject({
      ...{ sub: WORKLOAD, req_wl: 'demo', tctx: { order: 'o-1' } },
    })
  })

  it('with a scope that covers nothing gives nothing (TT-22, TT-23)', async () => {
    const token = await world.token('jwt', { validity: { ...times(), scope: [] } })
    expect((await post(token, tokenTypes.jwt, 'jwt.example')).body).toMatchObject({ error: 'invalid_scope' })
  })

  it.each<[string, { readonly [name: string]: string }, string]>([
    [
      'base64url of the details',
      { request_details: Buffer.from('{"order":"o-1"}').toString('base64url') },
      'invalid_request',
    ],
    ['details that are no object', { request_details: '[]' }, 'invalid_request'],
    ['context that is no object', { request_context: 'x' }, 'invalid_request'],
    ['no scope', { scope: '' }, 'invalid_request'],
    ['no requested type', { requested_token_type: '' }, 'invalid_request'],
    ['a refresh token', { subject_token_type: `${URN}:refresh_token` }, 'invalid_request'],
    ['another grant', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    ['this gateway as the audience', { audience: 'http://127.0.0.1:8080' }, 'invalid_target'],
    ['no audience', { audience: '' }, 'invalid_target'],
    ['more scope', { scope: 'order.pay order.refund' }, 'invalid_scope'],
  ])('with %s is refused as the draft has it (1.10)', async (_, more, error) => {
    const token = await world.token('jwt', { validity: { ...times(), scope: ['order.pay'] } })
    const { status, body } = await post(token, tokenTypes.jwt, 'jwt.example', more)
    expect([status, body['error']]).toEqual([400, error])
  })
})

describe('an ID token', () => {
  it('has the scope of the row, since it has none', async () => {
    const validity = { ...times(), audience: ['web-client'], scope: undefined }
    const { body } = await post(await world.token('jwt', { validity }), tokenTypes.idToken, 'web.example')
    expect(await read(body['access_token'], 'web.example')).toMatchObject({ sub: WORKLOAD, scope: 'order.pay' })
  })
})

describe('a transaction token of an older service', () => {
  /** As tokenetes makes one (TKN-06): `sub` with a format, `purp`, `azd`; no `scope`, no `req_wl`. */
  async function older(differs: object = {}): Promise<string> {
    const signer = world.alpha.signers.jwt
    const said = {
      ...{ iss: 'https://older.example', iat: NOW, aud: 'https://older.example', exp: NOW + 15, txn: 'old-1' },
      ...{ sub: { format: 'email', email: 'mira@older.example' }, purp: 'order.pay', azd: { order: 'o-7' } },
      ...{ rctx: { req_ip: '192.0.2.44' }, ...differs },
    }
    const header = { alg: 'ES256', kid: signer.kid, typ: 'txn_token' }
    const input = [header, said].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    return `${input}.${Buffer.from(await signer.sign(Buffer.from(input))).toString('base64url')}`
  }

  it('is replaced by one of today, which says the same', async () => {
    const same = { request_details: '{"order":"o-7"}' }
    const { body } = await post(await older(), txnToken, 'https://older.example', same)
    expect(await read(body['access_token'], 'https://older.example')).toMatchObject({
      ...{ sub: 'mira@older.example', txn: 'old-1', scope: 'order.pay', exp: NOW + 15, req_wl: 'demo' },
      ...{ tctx: { order: 'o-7' }, rctx: { req_ip: '192.0.2.44' } },
    })
    const other = await post(await older(), txnToken, 'https://older.example')
    expect([other.status, world.last().code]).toEqual([400, 'ERR_PROFILE_FROZEN'])
  })

  it('starts a transaction of its own in another domain, where it is taken as a JWT', async () => {
    const { body } = await post(await older(), jwt, 'others.example')
    const payload = await read(body['access_token'], 'others.example')
    expect(payload).toMatchObject({ sub: 'mira@older.example', tctx: { order: 'o-1' } })
    expect(payload['txn']).not.toBe('old-1')
    expect(payload).not.toHaveProperty('rctx')
  })

  it('is no other token, and over when it is over', async () => {
    expect((await post(await older(), jwt, 'jwt.example')).body).toMatchObject({ error: 'invalid_request' })
    await post(await older({ exp: NOW - 31 }), jwt, 'others.example')
    expect(world.last().code).toBe('ERR_TOKEN_EXPIRED')
    await post(await older({ sub: { format: 'opaque', id: 'x' } }), jwt, 'others.example')
    expect(world.last().code).toBe('ERR_TOKEN_CLAIM')
  })
})

describe('discovery (TD-05)', () => {
  it('is not offered: the metadata says which subject tokens are taken, and nothing of transactions', async () => {
    const reply = await world.gateway.http.inject({ url: '/.well-known/oauth-authorization-server' })
    expect(reply.json()['dragoman_subject_token_types_supported']).toEqual(
      expect.arrayContaining([tokenTypes.jwt, tokenTypes.idToken, txnToken]),
    )
    expect(Object.keys(reply.json()).filter((name) => /tx|transaction|wl/.test(name))).toEqual([])
  })
})

const times = () => ({ issuedAt: NOW, notBefore: NOW - 10, expiresAt: NOW + 3600, audience: ['http://127.0.0.1:8080'] })
