import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditToMemory } from '../../src/audit/index.ts'
import { issue } from '../../src/cli/dev/alpha.ts'
import { codecs } from '../../src/codecs/index.ts'
import { createGateway, type Gateway } from '../../src/compose.ts'
import { algorithmNamed } from '../../src/core/algorithms.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { generatePrivateKey, signerOf, signingPool } from '../../src/keys/index.ts'
import { buildCsr } from '../../src/wire/csr.ts'
import { pem } from '../../src/wire/pem.ts'
import { type Answer, basicOf, dpopBy, send } from '../support/live.ts'
import { newWorld, type Parameters, TOKEN_EXCHANGE, watched } from '../support/world.ts'

const names = ['eu', 'us', 'lab'] as const
type Name = (typeof names)[number]
const ISSUERS: Record<Name, string> = {
  eu: 'https://gw.example/eu',
  us: 'https://gw.example/us',
  // By host: the path is that of another.
  lab: 'https://lab.example/eu',
}
const es256 = algorithmNamed('ES256')
if (!es256) throw new Error('ES256')
const source = signerOf(generatePrivateKey(es256), es256, { chain: [], pool: signingPool() })
const holder = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const now = Math.floor(Date.now() / 1000)

/** A sink that a test can break. */
function breakable() {
  const memory = watched(auditToMemory())
  const state = { healthy: true, throws: false }
  return {
    ...state,
    records: memory.records,
    write(record: AuditRecord) {
      if (this.throws) throw new Error('disk full')
      memory.write(record)
    },
  }
}
const sinks = { eu: breakable(), us: breakable(), lab: breakable() }

const profile = (name: string, subject: string, to: string) => `name: ${name}
accept:
  clients: [app, signer]
  subject: ${subject}
  targets: { allow: [https://${name}.example] }
stages:
${to.startsWith('x509') ? '  - sender_constraint: { mode: bind, method: [pkcs10], require: true }\n' : ''}  - format: { to: ${to} }
  - crypto: { key: ${to.startsWith('x509') ? 'ca' : 'signing'} }
`

const PROFILES = {
  api: profile('api', '{ format: jwt, issuers: [https://id.example, self], audience: any }', 'jwt'),
  once: profile('once', '{ format: jwt, issuers: [https://id.example], audience: any, single_use: true }', 'jwt'),
  // Only tokens that are for this tenant.
  own: profile('own', '{ format: jwt, issuers: [https://id.example] }', 'jwt'),
  certificate: profile(
    'certificate',
    '{ format: jwt, issuers: [https://id.example], audience: any }',
    'x509, kind: client',
  ),
  back: profile('back', '{ format: x509, issuers: [self], subject_from: san_uri }', 'jwt'),
  only: profile('only', '{ format: jwt, issuers: [https://id.example], audience: any }', 'jwt'),
}

let folder: string
let gateway: Gateway
let address: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-tenants-'))
  const key = { ...source.publicKey.jwk, kid: source.kid, alg: 'ES256' }
  writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [key] }))
  for (const [name, text] of Object.entries(PROFILES)) writeFileSync(join(folder, `${name}.yaml`), text)
  const tenant = (name: Name) => `  - name: ${name}
    issuer: ${ISSUERS[name]}
    keys:
      - { name: signing, algorithm: ES256, generate: true }
      - { name: ca, algorithm: ES256, generate: true, self_signed: { common_name: The CA } }
    clients:
      - { client_id: app, token_endpoint_auth_method: client_secret_basic, client_secret: tester-secret-${name} }
      - { client_id: signer, token_endpoint_auth_method: private_key_jwt, jwks_file: jwks.json }
    issuers: [{ issuer: 'https://id.example', jwks_file: jwks.json, subjects: ['*'] }]
    profiles: [api.yaml, once.yaml, own.yaml, certificate.yaml, back.yaml${name === 'eu' ? ', only.yaml' : ''}]
    replay: { capacity: ${name === 'lab' ? 1 : 100} }
    limits: { body_bytes: ${name === 'us' ? 8192 : 65_536} }
`
  const listeners = 'listeners: [{ port: 0 }]\n'
  writeFileSync(join(folder, 'dragoman.yaml'), `${listeners}tenants:\n${names.map(tenant).join('')}`)
  gateway = await createGateway(join(folder, 'dragoman.yaml'), {
    audit: (name) => {
      const sink = sinks[name as Name]
      return { write: (record) => sink.write(record), healthy: () => sink.healthy }
    },
  })
  const [only = ''] = await gateway.listen()
  address = only
})
afterAll(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})

const mint = (over: { audience?: readonly string[]; issuer?: string; sub?: string; lifetime?: number } = {}) =>
  issue(codecs(), {
    format: 'jwt',
    issuer: over.issuer ?? 'https://id.example',
    signer: source,
    claims: map([['sub', over.sub ?? 'spiffe://alpha.example/u']]),
    validity: {
      issuedAt: now,
      notBefore: undefined,
      expiresAt: now + (over.lifetime ?? 600),
      audience: over.audience ?? [],
      scope: undefined,
    },
    now,
  })

/** Asks one tenant for a target of this name, as its client unless `authorization` says otherwise. */
function post(
  name: Name,
  target: string,
  parameters: Parameters,
  { authorization = basicOf('app', `tester-secret-${name}`), headers = {} }: PostOptions = {},
): Promise<Answer> {
  const form = new URLSearchParams()
  const all: Parameters = {
    grant_type: TOKEN_EXCHANGE,
    subject_token_type: tokenTypes.jwt,
    audience: `https://${target}.example`,
    ...parameters,
  }
  for (const [parameter, value] of Object.entries(all))
    for (const one of [value ?? []].flat()) form.append(parameter, one)
  const fields = {
    'content-type': 'application/x-www-form-urlencoded',
    ...(authorization !== '' && { authorization }),
    ...headers,
  }
  return reach(name, '{}/token', { method: 'POST', headers: fields, body: form.toString() })
}

interface PostOptions {
  readonly authorization?: string
  readonly headers?: { readonly [name: string]: string }
}

/** One request as a proxy hands it on: to our address, for the host of the issuer. `{}`: the path of the issuer. */
function reach(
  name: Name,
  path: string,
  { headers = {}, ...more }: { method?: string; headers?: { readonly [name: string]: string }; body?: string } = {},
): Promise<Answer> {
  const { host, pathname } = new URL(ISSUERS[name])
  return send(address + path.replace('{}', pathname), { ...more, headers: { host, ...headers } })
}

const code = (name: Name) => sinks[name].records.at(-1)?.code

describe('tenants of one process', () => {
  it('each issue in their own name, with their own key, which they alone publish', async () => {
    const kids = new Set<string>()
    for (const name of names) {
      const { status, body } = await post(name, 'api', { subject_token: await mint() })
      expect(status).toBe(200)
      const token = String(body['access_token'])
      expect(decodeJwt(token).iss).toBe(ISSUERS[name])
      const { kid = '' } = decodeProtectedHeader(token)
      const { text } = await reach(name, '{}/jwks')
      const published = JSON.parse(text) as { keys: { kid: string }[] }
      expect(published.keys.map((key) => key.kid)).toContain(kid)
      for (const key of published.keys) kids.add(key.kid)
    }
    expect(kids.size).toBe(2 * names.length)
  })

  it('MD-01, MD-02: have metadata of their own, between host and path', async () => {
    for (const name of names) {
      const { body } = await reach(name, '/.well-known/oauth-authorization-server{}')
      // RFC 8414 section 5, for clients of OpenID Connect: behind the path.
      expect((await reach(name, '{}/.well-known/openid-configuration')).body).toEqual(body)
      expect(body).toMatchObject({
        issuer: ISSUERS[name],
        token_endpoint: `${ISSUERS[name]}/token`,
        jwks_uri: `${ISSUERS[name]}/jwks`,
      })
      for (const other of names.filter((one) => one !== name))
        expect(JSON.stringify(body)).not.toContain(ISSUERS[other])
    }
  })

  it('have authorities of their own, even under one name', async () => {
    const pems = await Promise.all(names.map(async (name) => (await reach(name, '{}/ca.pem')).text))
    expect(new Set(pems).size).toBe(names.length)
  })

  it('are nowhere else: not at the root, not by another host, and nobody is told who there is', async () => {
    const places = [
      ['gw.example', '/token'],
      ['gw.example', '/lab/token'],
      ['other.example', '/eu/token'],
      ['lab.example:8443', '/eu/token'],
      ['gw.example', '/.well-known/oauth-authorization-server'],
      ['gw.example', '/.well-known/openid-configuration'],
    ] as const
    for (const [host, path] of places) {
      const answer = await send(address + path, { method: path.endsWith('token') ? 'POST' : 'GET', headers: { host } })
      expect([host, path, answer.status]).toEqual([host, path, 404])
      expect(answer.text).not.toMatch(/eu|us|lab|tenant/)
    }
    // A host has no case.
    const shouted = await send(`${address}/eu/jwks`, { headers: { host: 'LAB.example' } })
    expect(shouted.text).toBe((await reach('lab', '{}/jwks')).text)
  })

  it('do not know each other’s clients, even of one name', async () => {
    const authorization = basicOf('app', 'tester-secret-us')
    const { status, body } = await post('eu', 'api', { subject_token: await mint() }, { authorization })
    expect({ status, error: body['error'] }).toEqual({ status: 401, error: 'invalid_client' })
    expect(code('eu')).toBe('ERR_CLIENT_SECRET')
    expect((await post('us', 'api', { subject_token: await mint() }, { authorization })).status).toBe(200)
  })

  it('do not have each other’s profiles', async () => {
    expect((await post('eu', 'only', { subject_token: await mint() })).status).toBe(200)
    expect(await post('us', 'only', { subject_token: await mint() })).toMatchObject({
      body: { error: 'invalid_target' },
    })
  })

  it('do not have each other’s limits', async () => {
    const padded = async (name: Name) => post(name, 'api', { subject_token: await mint(), padding: 'a'.repeat(9000) })
    expect((await padded('eu')).status).toBe(200)
    expect((await padded('us')).status).toBe(413)
  })

  it('do not take tokens that another has issued', async () => {
    const { body } = await post('us', 'api', { subject_token: await mint() })
    const subject_token = String(body['access_token'])
    expect((await post('us', 'api', { subject_token })).status).toBe(200)
    for (const name of ['eu', 'lab'] as const) {
      expect((await post(name, 'api', { subject_token })).status).toBe(400)
      expect(code(name)).toBe('ERR_TRUST_ISSUER')
    }
  })

  it('do not take tokens that are for another', async () => {
    for (const name of names) {
      const subject_token = await mint({ audience: [ISSUERS[name]] })
      for (const at of names) {
        expect((await post(at, 'own', { subject_token })).status).toBe(at === name ? 200 : 400)
        expect(code(at)).toBe(at === name ? undefined : 'ERR_TOKEN_AUDIENCE')
      }
    }
  })

  it('do not take certificates of another’s authority, though it has the same name', async () => {
    const csr = pem('CERTIFICATE REQUEST', buildCsr({ privateKey: holder }))
    const { body } = await post('us', 'certificate', { subject_token: await mint(), csr })
    const parameters = { subject_token: String(body['access_token']), subject_token_type: tokenTypes.x509 }
    const back = (name: Name) => post(name, 'back', parameters, { headers: { dpop: proof(name) } })
    expect((await back('us')).status).toBe(200)
    expect((await back('eu')).status).toBe(400)
    expect(code('eu')).toBe('ERR_TRUST_PATH')
  })

  it('are asked by the same client with the same jti, once each', async () => {
    const subject_token = await mint({ sub: 'jti' })
    for (const name of ['eu', 'us'] as const) {
      expect((await post(name, 'once', { subject_token })).status).toBe(200)
      expect((await post(name, 'once', { subject_token })).status).toBe(400)
      expect(code(name)).toBe('ERR_TOKEN_REPLAYED')
    }
  })

  it('take a DPoP proof for themselves only, and a jti once each', async () => {
    const ask = async (name: Name, dpop: string) => {
      const { status } = await post(name, 'api', { subject_token: await mint() }, { headers: { dpop } })
      return status === 200 ? 'issued' : code(name)
    }
    expect(await ask('us', proof('eu'))).toBe('ERR_PROOF_DPOP')
    for (const name of ['eu', 'us'] as const) {
      expect(await ask(name, proof(name, 'the-same'))).toBe('issued')
      expect(await ask(name, proof(name, 'the-same'))).toBe('ERR_PROOF_REPLAYED')
    }
  })

  it('take an assertion for themselves only, and once', async () => {
    const ask = async (name: Name, client_assertion: string) => {
      const parameters = {
        subject_token: await mint(),
        client_assertion,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }
      const { status } = await post(name, 'api', parameters, { authorization: '' })
      return status === 200 ? 'issued' : code(name)
    }
    const assertion = (name: Name) => mint({ issuer: 'signer', sub: 'signer', audience: [ISSUERS[name]], lifetime: 60 })
    const ofEu = await assertion('eu')
    expect(await ask('us', ofEu)).toBe('ERR_CLIENT_ASSERTION')
    // What was refused there is not spent here.
    expect(await ask('eu', ofEu)).toBe('issued')
    expect(await ask('eu', ofEu)).toBe('ERR_CLIENT_ASSERTION_REPLAYED')
    expect(await ask('us', await assertion('us'))).toBe('issued')
  })

  it('fill up apart: one that has no room leaves the others alone', async () => {
    await post('lab', 'once', { subject_token: await mint() })
    expect(await post('lab', 'once', { subject_token: await mint() })).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable' },
    })
    expect(code('lab')).toBe('ERR_STORE_UNAVAILABLE')
    expect((await post('eu', 'once', { subject_token: await mint() })).status).toBe(200)
    // What needs no room is answered there too.
    expect((await post('lab', 'api', { subject_token: await mint() })).status).toBe(200)
  })

  it('fail apart: one whose records cannot be written exchanges nothing, and the others do', async () => {
    const { us } = sinks
    for (const broken of [{ healthy: false }, { throws: true }]) {
      Object.assign(us, broken)
      expect(await post('us', 'api', { subject_token: await mint() })).toMatchObject({
        status: 503,
        body: { error: 'temporarily_unavailable' },
      })
      expect((await post('eu', 'api', { subject_token: await mint() })).status).toBe(200)
      if (us.throws) continue
      // The process is not ready, and does not say for whom.
      expect(await send(`${address}/readyz`)).toMatchObject({ status: 503, body: { ready: false, missing: ['audit'] } })
      Object.assign(us, { healthy: true })
    }
    Object.assign(us, { throws: false })
    expect((await post('us', 'api', { subject_token: await mint() })).status).toBe(200)
  })

  it('TR-07, S-05: are guessed at apart', async () => {
    const wrong = { authorization: basicOf('app', 'tester-secret-wrong') }
    const statuses = []
    for (let guess = 0; guess < 12; guess += 1) {
      statuses.push((await post('lab', 'api', { subject_token: 'x' }, wrong)).status)
    }
    expect(statuses.slice(-2)).toEqual([429, 429])
    expect((await post('lab', 'api', { subject_token: await mint() })).status).toBe(429)
    expect((await post('eu', 'api', { subject_token: await mint() })).status).toBe(200)
  })

  it('are recorded and counted apart, with the name of the tenant', async () => {
    const { text } = await send(`${address}/metrics`)
    for (const name of names) {
      const { records } = sinks[name]
      expect(new Set(records.map(({ tenant }) => tenant))).toEqual(new Set([name]))
      const issued = records.filter(({ result, profile }) => result === 'issued' && profile === 'api').length
      expect(text).toContain(
        `dragoman_exchanges_total{tenant="${name}",profile="api",result="issued",code=""} ${issued}\n`,
      )
      expect(text).toContain(`dragoman_issuer_ready{tenant="${name}",issuer="https://id.example"} 1`)
    }
    expect(text).toContain('dragoman_replay_entries{tenant="lab"} 1')
  })

  it('are asked for by name where there is no HTTP', async () => {
    await expect(gateway.exchange({} as never)).rejects.toThrow(TypeError)
    await expect(gateway.exchange({} as never, 'nobody')).rejects.toThrow(TypeError)
  })
})

const proof = (name: Name, jti?: string, key: KeyObject = holder) =>
  dpopBy(key, { issuer: ISSUERS[name] }, jti === undefined ? {} : { jti })

describe('the plain case of one tenant', () => {
  it('has no word of tenants in anything that a client reads', async () => {
    const world = await newWorld()
    const get = async (url: string) => (await world.gateway.http.inject({ url })).body
    const good = await world.post({ subject_token: await world.token('jwt'), audience: 'https://orders.beta.example' })
    const bad = await world.post({ subject_token: 'x' })
    const documents = [await get('/.well-known/oauth-authorization-server'), await get('/jwks'), await get('/readyz')]
    expect(good.status).toBe(200)
    expect(JSON.stringify([good.headers, bad, documents])).not.toMatch(/tenant|default/)
    // Nor is there a path for one.
    for (const url of ['/default/jwks', '/.well-known/oauth-authorization-server/default']) {
      expect((await world.gateway.http.inject({ url })).statusCode).toBe(404)
    }
    // Whoever evaluates records finds the member always there.
    expect(world.last().tenant).toBe('default')
    expect(world.gateway.warnings.join()).not.toMatch(/tenant|default/)
    await world.close()
  })
})
