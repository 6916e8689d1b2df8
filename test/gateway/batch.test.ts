import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { decodeJwt, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { readBatch } from '../../src/gateway/batch-request.ts'
import { FORM_LIMITS } from '../../src/gateway/form.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { dpopBy, rewrite } from '../support/live.ts'
import { read } from '../support/pages.ts'
import { NOW, newWorld, type World } from '../support/world.ts'

const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const SHARED = { audience: 'https://jwt-to-cwt.beta.example', subject_token_type: JWT }
const BASIC = `Basic ${Buffer.from('demo:demo-secret').toString('base64')}`

interface Row {
  readonly [member: string]: unknown
}

const newBatchWorld = (options: string = '{ items: 20, body_bytes: 65536 }', edit?: (folder: string) => void) =>
  newWorld({
    edit(folder) {
      const file = join(folder, 'dragoman.yaml')
      writeFileSync(file, `${readFileSync(file, 'utf8')}batch: ${options}\n`)
      edit?.(folder)
    },
  })

let world: World
let before = 0
const records = () => world.records.slice(before)

async function batch(body: object | string, headers: { readonly [name: string]: string | undefined } = {}) {
  const all = { 'content-type': 'application/json', authorization: BASIC, ...headers }
  const reply = await world.gateway.http.inject({
    method: 'POST',
    url: '/token/batch',
    headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as {
      [name: string]: string
    },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const answer = reply.json() as Row & { readonly results?: readonly Row[] }
  return { status: reply.statusCode, headers: reply.headers, body: answer, results: answer.results ?? [] }
}

const items = (...tokens: readonly string[]) => tokens.map((subject_token, at) => ({ id: `i${at}`, subject_token }))

describe('the batch endpoint', () => {
  beforeAll(async () => {
    world = await newBatchWorld()
  })
  afterAll(() => world.close())
  beforeEach(() => {
    before = world.records.length
  })

  it('answers each item on its own, in their order, and one that is refused is nothing to the others', async () => {
    const good = await world.token('jwt')
    const { status, headers, body, results } = await batch({
      ...SHARED,
      items: items(good, 'x', good, `${good}x`, good),
    })
    expect(status).toBe(200)
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/json' })
    expect(results.map(({ id }) => id)).toEqual(['i0', 'i1', 'i2', 'i3', 'i4'])
    expect(results.map(({ error }) => error)).toEqual([
      undefined,
      'invalid_request',
      undefined,
      'invalid_request',
      undefined,
    ])
    expect(results[0]).toMatchObject({
      token_type: 'N_A',
      issued_token_type: 'urn:dragoman:token-type:cwt',
      expires_in: 300,
    })
    expect(results[1]).toEqual({
      ...{ id: 'i1', request_id: expect.any(String), status: 400 },
      ...{ error: 'invalid_request', error_description: 'the token cannot be parsed' },
    })
    expect(new Set(results.map(({ access_token }) => access_token)).size).toBe(4)
    expect(headers['x-request-id']).toBe(body['batch'])
  })

  it('leaves one record for each item, with the id of the batch and the client that authenticated once', async () => {
    const good = await world.token('jwt')
    const { body, results } = await batch({ ...SHARED, items: [...items(good, 'x'), { id: 'none' }] })
    expect(
      records()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(results.map(({ request_id }) => request_id).sort())
    for (const record of records()) {
      expect(record).toMatchObject({ batch: body['batch'], endpoint: 'token/batch', client: 'demo' })
    }
    expect(
      records()
        .map(({ code }) => code)
        .sort(),
    ).toEqual(['ERR_REQUEST_MISSING', 'ERR_TOKEN_MALFORMED', undefined])
  })

  it('lets an item ask for something else than the others', async () => {
    const subject_token = await world.token('jwt')
    const { results } = await batch({
      ...{ subject_token, ...SHARED },
      items: [
        { id: 'a' },
        { id: 'b', audience: ['https://orders.beta.example'], scope: 'orders.read' },
        { id: 'c', audience: 'https://nobody.example' },
        { id: 'd', subject_token_type: 'urn:dragoman:token-type:cwt', subject_token: await world.token('cwt') },
        { id: 'e', requested_token_type: 'urn:x' },
        { id: 'f', scope: ['orders.read'] },
        { id: 'g', subject_token: '' },
      ],
    })
    expect(results[0]).toMatchObject({ issued_token_type: 'urn:dragoman:token-type:cwt' })
    expect(results[1]).toMatchObject({ token_type: 'Bearer', scope: 'orders.read' })
    expect(results.slice(2).map(({ error }) => error)).toEqual([
      ...['invalid_target', 'invalid_target', 'invalid_request', 'invalid_request', 'invalid_request'],
    ])
    expect(results[4]?.['error_description']).toContain('urn:dragoman:token-type:cwt')
  })

  it.each([
    ['no credentials', { authorization: undefined }, 401, 'invalid_client', 'ERR_CLIENT_MISSING'],
    [
      'a wrong secret',
      { authorization: `Basic ${Buffer.from('demo:no').toString('base64')}` },
      401,
      'invalid_client',
      'ERR_CLIENT_SECRET',
    ],
    [
      'another media type',
      { 'content-type': 'application/x-www-form-urlencoded' },
      400,
      'invalid_request',
      'ERR_REQUEST_BATCH',
    ],
    ['two kinds of credentials', { authorization: 'Bearer x' }, 401, 'invalid_client', 'ERR_CLIENT_MALFORMED'],
  ])('is refused whole with %s, and leaves one record', async (_, headers, status, error, code) => {
    const answer = await batch({ ...SHARED, items: items('x', 'y') }, headers)
    expect(answer).toMatchObject({ status, body: { error }, results: [] })
    expect(records()).toMatchObject([{ code, endpoint: 'token/batch', batch: answer.headers['x-request-id'] }])
  })

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['no items', {}],
    ['an empty list', { items: [] }],
    ['too many items', { items: items(...Array.from({ length: 21 }, () => 'x')) }],
    ['an item that is none', { items: ['x'] }],
    ['an item without an id', { items: [{ subject_token: 'x' }] }],
    ['an id that stands twice', { items: [{ id: 'a' }, { id: 'a' }] }],
    ['an id that is too long', { items: [{ id: 'a'.repeat(129) }] }],
    ['a member that stands twice', '{"items":[{"id":"a"}],"items":[{"id":"b"}]}'],
    ['credentials in an item', { items: [{ id: 'a', client_id: 'demo' }] }],
    ['a grant type in an item', { items: [{ id: 'a', grant_type: 'x' }] }],
    ['a batch in an item', { items: [{ id: 'a', items: [] }] }],
    ['a number among the shared', { scope: 1, items: [{ id: 'a' }] }],
    ['depth', `{"items":[{"id":"a","x":${'['.repeat(20)}${']'.repeat(20)}}]}`],
  ])('is refused whole with %s', async (_, body) => {
    const { status, results } = await batch(body)
    expect({ status, results }).toEqual({ status: 400, results: [] })
    expect(records()).toHaveLength(1)
  })

  it('has a limit on its bytes', async () => {
    expect((await batch({ pad: 'x'.repeat(65_536), items: items('x') })).status).toBe(413)
  })

  it('refuses another grant type, another method, and a restriction that it does not understand', async () => {
    expect((await batch({ grant_type: 'client_credentials', items: items('x') })).body['error']).toBe(
      'unsupported_grant_type',
    )
    expect((await world.gateway.http.inject({ url: '/token/batch' })).statusCode).toBe(405)
    const { results } = await batch({ ...SHARED, authorization_details: '[]', items: items('x') })
    expect(results).toMatchObject([{ error: 'invalid_authorization_details' }])
  })

  it('slows down whoever guesses a secret, a batch being one guess', async () => {
    const authorization = `Basic ${Buffer.from('demo:guess').toString('base64')}`
    const statuses: number[] = []
    for (let count = 0; count < 12; count += 1)
      statuses.push((await batch({ items: items('x', 'y') }, { authorization })).status)
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10)
    expect(statuses.at(-1)).toBe(429)
    world.now += 200
  })

  it('is in the metadata, and is not there where nobody asked for it', async () => {
    const { body } = await world.gateway.http.inject({ url: '/.well-known/oauth-authorization-server' })
    expect(JSON.parse(body)).toMatchObject({
      dragoman_batch_endpoint: 'http://127.0.0.1:8080/token/batch',
      dragoman_batch_items_supported: 20,
    })
    const other = await newWorld()
    expect((await other.gateway.http.inject({ method: 'POST', url: '/token/batch' })).statusCode).toBe(404)
    const metadata = await other.gateway.http.inject({ url: '/.well-known/oauth-authorization-server' })
    expect(metadata.body).not.toContain('dragoman_batch')
    await other.close()
  })
})

describe('what is good once, in a batch', () => {
  it('a token that is taken once: of its copies exactly one wins', async () => {
    world = await newBatchWorld(undefined, (folder) => {
      writeFileSync(
        join(folder, 'once.yaml'),
        read('profiles/jwt-to-cwt.yaml').replace('format: jwt', 'format: jwt\n    single_use: true'),
      )
      rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [once.yaml]')
    })
    before = 0
    const [first, second] = [await world.token('jwt'), await world.token('jwt')]
    const { results } = await batch({ ...SHARED, items: items(first, first, second, first, first) })
    const won = results.filter(({ access_token }) => access_token !== undefined).map(({ id }) => id)
    expect(won).toHaveLength(2)
    expect(won).toContain('i2')
    expect(records().filter(({ code }) => code === 'ERR_TOKEN_REPLAYED')).toHaveLength(3)
    const again = await batch({ ...SHARED, items: items(first, second) })
    expect(again.results.map(({ error }) => error)).toEqual(['invalid_request', 'invalid_request'])
    await world.close()
  })

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const { jkt } = publicKey(createPublicKey(privateKey))
  const stranger = publicKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey).jkt
  const proof = (claims: Row = {}) =>
    dpopBy(privateKey, { issuer: 'x' }, { iat: NOW, htu: 'http://127.0.0.1:8080/token/batch', ...claims })

  it('one DPoP proof stands for all items that are bound to its key, and for no other', async () => {
    world = await newBatchWorld()
    before = 0
    const bound = await world.token('jwt', { confirmation: { jkt } })
    const foreign = await world.token('jwt', { confirmation: { jkt: stranger } })
    const free = await world.token('jwt')
    const body = { ...SHARED, audience: 'https://orders.beta.example', items: items(bound, bound, foreign, free) }
    const dpop = proof()
    const { results } = await batch(body, { dpop })
    expect(results.map(({ token_type }) => token_type)).toEqual(['DPoP', 'DPoP', undefined, 'DPoP'])
    expect(records().map(({ code }) => code)).toContain('ERR_PROOF_MISMATCH')
    // The proof is good once for a batch, and for nothing else.
    expect((await batch(body, { dpop })).body['error']).toBe('invalid_dpop_proof')
    expect(
      (await world.post({ subject_token: bound, audience: 'https://orders.beta.example' }, { dpop: proof() })).body,
    ).toMatchObject({
      error: 'invalid_dpop_proof',
    })
    for (const claims of [{ htu: 'http://127.0.0.1:8080/token' }, { ath: 'x' }]) {
      expect((await batch(body, { dpop: proof(claims) })).body['error']).toBe('invalid_dpop_proof')
    }
    const without = await batch(body)
    expect(without.results.map(({ error }) => error)).toEqual([
      'invalid_request',
      'invalid_request',
      'invalid_request',
      undefined,
    ])
    await world.close()
  })

  it('an assertion authenticates one batch, whatever its size', async () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'c', alg: 'ES256' }
    world = await newBatchWorld(undefined, (folder) =>
      rewrite(
        folder,
        'dragoman.yaml',
        /client_id: demo, .* \}/,
        `client_id: demo, token_endpoint_auth_method: private_key_jwt, jwks: ${JSON.stringify({ keys: [jwk] })} }`,
      ),
    )
    const client_assertion = await new SignJWT({ iss: 'demo', sub: 'demo', jti: 'a1', iat: NOW, exp: NOW + 60 })
      .setProtectedHeader({ alg: 'ES256', kid: 'c' })
      .setAudience('http://127.0.0.1:8080')
      .sign(pair.privateKey)
    const credentials = {
      client_assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }
    const good = await world.token('jwt')
    const body = { ...credentials, ...SHARED, items: items(good, good, good) }
    const { status, results } = await batch(body, { authorization: undefined })
    expect(status).toBe(200)
    expect(results.every(({ access_token }) => access_token !== undefined)).toBe(true)
    expect((await batch(body, { authorization: undefined })).status).toBe(401)
    await world.close()
  })
})

describe('readBatch', () => {
  const limits = { items: 10, bytes: 4096 }

  it('never fails but with a reason, whatever it is given, and keeps the order', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc
            .array(fc.dictionary(fc.string(), fc.jsonValue()))
            .map((list) => JSON.stringify({ items: list.map((item, at) => ({ ...item, id: String(at) })) })),
        ),
        (text) => {
          try {
            const { items: found } = readBatch(Buffer.from(text), limits, FORM_LIMITS)
            expect(found.map(({ id }) => id)).toEqual(
              (JSON.parse(text) as { items: { id: string }[] }).items.map(({ id }) => id),
            )
            for (const item of found) {
              try {
                item.form()
              } catch (error) {
                expect(error).toBeInstanceOf(DragomanError)
              }
            }
          } catch (error) {
            expect(error).toBeInstanceOf(DragomanError)
          }
        },
      ),
    )
  })

  it('an object stands for its JSON text, and an item takes the place of what is shared', () => {
    const body = {
      scope: 'a',
      audience: ['x', 'y'],
      items: [
        { id: '1', subject_token: { sub: 'u' } },
        { id: '2', audience: 'z' },
      ],
    }
    const [first, second] = readBatch(Buffer.from(JSON.stringify(body)), limits, FORM_LIMITS).items.map((item) =>
      item.form(),
    )
    expect(first?.values.get('subject_token')).toBe('{"sub":"u"}')
    expect(first?.audience).toEqual(['x', 'y'])
    expect(second?.audience).toEqual(['z'])
    expect(second?.values.get('scope')).toBe('a')
  })
})

describe('items with details of their own', () => {
  const profile = `name: purge
accept:
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [beta.example] }
transactions:
  - name: purge
    clients: [demo]
    subjects: [spiffe://alpha.example/*]
    scope: [orders.write]
    lifetime: 60
    details: { target: string }
stages:
  - format: { to: jwt, kind: txntoken+jwt }
  - crypto: { key: signing }
`
  beforeAll(async () => {
    world = await newBatchWorld('{ items: 9 }', (folder) => {
      writeFileSync(join(folder, 'purge.yaml'), profile)
      rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [purge.yaml]')
    })
  })
  afterAll(() => world.close())

  it('become a transaction token each, and what is wrong with one is nothing to the others', async () => {
    const subject_token = await world.token('jwt')
    const { results } = await batch({
      ...{ audience: 'beta.example', scope: 'orders.write', subject_token, subject_token_type: JWT },
      requested_token_type: 'urn:ietf:params:oauth:token-type:txn_token',
      items: [
        { id: 'a', request_details: { target: 'u-501' } },
        { id: 'b', request_details: { target: ['u-502'] } },
        { id: 'c', request_details: { target: 'u-503' } },
      ],
    })
    const targets = results.map(({ error, access_token: token }) =>
      error === undefined ? decodeJwt(String(token))['tctx'] : error,
    )
    expect(targets).toEqual([{ target: 'u-501' }, 'invalid_request', { target: 'u-503' }])
  })
})
