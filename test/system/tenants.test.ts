import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditToMemory } from '../../src/audit/index.ts'
import { issue } from '../../src/cli/dev/alpha.ts'
import { codecs } from '../../src/codecs/index.ts'
import { createGateway, type Gateway } from '../../src/compose.ts'
import { algorithmNamed } from '../../src/core/algorithms.ts'
import { map } from '../../src/core/value.ts'
import { generatePrivateKey, signerOf, signingPool } from '../../src/keys/index.ts'
import { NOW, TOKEN_EXCHANGE, watched } from '../support/world.ts'

const names = ['eu', 'us', 'lab'] as const
type Name = (typeof names)[number]
const ISSUERS: Record<Name, string> = {
  eu: 'https://gw.example/eu',
  us: 'https://gw.example/us',
  // By host: the path is the same as that of no other.
  lab: 'https://lab.example/eu',
}
const es256 = algorithmNamed('ES256')
if (!es256) throw new Error('ES256')
const source = signerOf(generatePrivateKey(es256), es256, { chain: [], pool: signingPool() })
const sinks = Object.fromEntries(names.map((name) => [name, watched(auditToMemory())])) as Record<
  Name,
  ReturnType<typeof auditToMemory>
>

let folder: string
let gateway: Gateway
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-tenants-'))
  writeFileSync(
    join(folder, 'jwks.json'),
    JSON.stringify({ keys: [{ ...source.publicKey.jwk, kid: source.kid, alg: 'ES256' }] }),
  )
  const tenant = (name: Name) => `  - name: ${name}
    issuer: ${ISSUERS[name]}
    keys: [{ name: signing, algorithm: ES256, generate: true }]
    clients: [{ client_id: app-${name}, token_endpoint_auth_method: client_secret_basic, client_secret: tester-secret-${name} }]
    issuers: [{ issuer: 'https://id.example', jwks_file: jwks.json, subjects: ['*'] }]
    profiles: [${name}.yaml]
    replay: { capacity: ${name === 'lab' ? 1 : 100} }
`
  writeFileSync(join(folder, 'dragoman.yaml'), `tenants:\n${names.map(tenant).join('')}`)
  for (const name of names) {
    const profile = `name: shared-name
accept:
  clients: [app-${name}]
  subject: { format: jwt, issuers: [https://id.example, self], audience: any, single_use: true }
  targets: { allow: [https://api.example] }
stages:
  - format: { to: jwt }
  - crypto: { key: signing }
`
    writeFileSync(join(folder, `${name}.yaml`), profile)
  }
  gateway = await createGateway(join(folder, 'dragoman.yaml'), {
    clock: () => NOW,
    audit: (name) => sinks[name as Name],
  })
})
afterAll(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})

const mint = (id = '') =>
  issue(codecs(), {
    format: 'jwt',
    issuer: 'https://id.example',
    signer: source,
    claims: map([['sub', `u${id}`]]),
    validity: { issuedAt: NOW, notBefore: undefined, expiresAt: NOW + 600, audience: [], scope: undefined },
    now: NOW,
  })

async function post(name: Name, token: string, client: Name = name) {
  const { host, pathname } = new URL(ISSUERS[name])
  const reply = await gateway.http.inject({
    method: 'POST',
    url: `${pathname}/token`,
    headers: {
      host,
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`app-${client}:tester-secret-${client}`).toString('base64')}`,
    },
    payload: new URLSearchParams({
      grant_type: TOKEN_EXCHANGE,
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'https://api.example',
    }).toString(),
  })
  return { status: reply.statusCode, body: reply.json() as { access_token?: string; error?: string } }
}

const fetchFrom = async (name: Name, path: string) => {
  const { host, pathname } = new URL(ISSUERS[name])
  return gateway.http.inject({ url: path.replace('{}', pathname), headers: { host } })
}

describe('tenants of one process', () => {
  it('each issue in their own name, with their own key', async () => {
    const keys = new Set<string>()
    for (const name of names.slice(0, 2) as Name[]) {
      const { status, body } = await post(name, await mint(name))
      expect(status).toBe(200)
      const [header = '', payload = ''] = String(body.access_token).split('.')
      expect(JSON.parse(Buffer.from(payload, 'base64url').toString()).iss).toBe(ISSUERS[name])
      const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
      const published = (await fetchFrom(name, '{}/jwks')).json() as { keys: { kid: string }[] }
      expect(published.keys.map((key) => key.kid)).toEqual([kid])
      keys.add(kid)
    }
    expect(keys.size).toBe(2)
  })

  it('have metadata of their own, at the place that RFC 8414 gives it', async () => {
    for (const name of names) {
      const metadata = (await fetchFrom(name, '/.well-known/oauth-authorization-server{}')).json() as { issuer: string }
      expect(metadata.issuer).toBe(ISSUERS[name])
    }
    expect((await gateway.http.inject({ url: '/token', method: 'POST' })).statusCode).toBe(404)
  })

  it('do not know each other’s clients', async () => {
    expect(await post('eu', await mint('x'), 'us')).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    expect(sinks.eu.records.at(-1)).toMatchObject({ tenant: 'eu', code: 'ERR_CLIENT_UNKNOWN' })
  })

  it('do not take each other’s tokens', async () => {
    const { body } = await post('us', await mint('own'))
    const token = String(body.access_token)
    expect((await post('us', token)).status).toBe(200)
    expect((await post('eu', token)).status).toBe(400)
    expect(sinks.eu.records.at(-1)).toMatchObject({ code: 'ERR_TRUST_ISSUER' })
  })

  it('remember uses apart', async () => {
    const token = await mint('once')
    expect((await post('eu', token)).status).toBe(200)
    expect((await post('us', token)).status).toBe(200)
    expect((await post('eu', token)).status).toBe(400)
    expect(sinks.eu.records.at(-1)).toMatchObject({ code: 'ERR_TOKEN_REPLAYED' })
  })

  it('fill up apart: one that has no room leaves the others alone', async () => {
    expect((await post('lab', await mint('a'))).status).toBe(200)
    expect(await post('lab', await mint('b'))).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable' },
    })
    expect((await post('eu', await mint('c'))).status).toBe(200)
  })

  it('are recorded apart, with the name of the tenant', async () => {
    for (const name of names) {
      expect(sinks[name].records.length).toBeGreaterThan(0)
      expect(new Set(sinks[name].records.map(({ tenant }) => tenant))).toEqual(new Set([name]))
    }
    const { body } = await gateway.http.inject({ url: '/metrics' })
    expect(body).toMatch(/dragoman_exchanges_total\{tenant="eu",profile="shared-name",result="issued",code=""\} \d/)
  })
})
