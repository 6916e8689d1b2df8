import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { clientMethods } from '../../src/clients/index.ts'
import { algorithms } from '../../src/core/algorithms.ts'
import type { Services } from '../../src/core/exchange.ts'
import type { Signer } from '../../src/core/keys.ts'
import type { Profile } from '../../src/core/profile.ts'
import { TOKEN_EXCHANGE } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { createHttp } from '../../src/gateway/gateway.ts'
import { newCounters } from '../../src/gateway/metrics.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { proofMethodsWith } from '../../src/proofs/index.ts'
import { verificationKeysFromCoseKeySet } from '../../src/wire/cose-key-set.ts'
import { parsePem } from '../../src/wire/pem.ts'
import { plainSigner, plainWriter, profile, world } from '../support/fakes.ts'
import { FORM, form, http, RESULT } from '../support/http.ts'
import { compact, testKey } from '../support/jwt.ts'
import { authority, signerOf } from '../support/x509.ts'

const edge = testKey('ES256', 'edge-1')
const ed = testKey('Ed25519', 'ed-1')
const pq = testKey('ML-DSA-44', 'pq-1')
const root = authority('root')
const ca = authority('issuing', { issuer: root })

const keysOf = (...all: readonly Signer[]): Services['keys'] => ({
  name: 'test',
  signer: (name) => (name === 'edge' ? plainSigner() : undefined),
  all: () => all,
})
const servicesOf = (differs: Partial<Services> = {}): Services =>
  world(profile(), {
    clientMethods: clientMethods(),
    proofMethods: proofMethodsWith(),
    proofAlgorithms: ['ES256', 'Ed25519'],
    keys: keysOf(edge.signer, ed.signer, pq.signer),
    ...differs,
  }).services

const serve = async (...tenants: readonly Partial<Services>[]) => {
  const asked: string[] = []
  const app = await createHttp(
    tenants.map((differs) => ({ services: servicesOf(differs) })),
    {
      version: '1.2.3',
      recordRefusal: () => {},
      exchange: async (_request, { tenant }) => {
        asked.push(tenant)
        return RESULT
      },
    },
  )
  return { app, asked }
}

describe('published documents', () => {
  it('MD-08: gives the public halves of all keys as a JWK Set, each with its use', async () => {
    const { app } = await serve({})
    const response = await app.inject('/jwks')
    expect(response.statusCode).toBe(200)
    expect(response.headers).toMatchObject({
      'content-type': 'application/jwk-set+json',
      'cache-control': 'public, max-age=300',
    })
    expect(response.json().keys).toEqual([
      { ...edge.publicKey.jwk, kid: 'edge-1', use: 'sig', alg: 'ES256' },
      { ...ed.publicKey.jwk, kid: 'ed-1', use: 'sig', alg: 'EdDSA' },
      { ...pq.publicKey.jwk, kid: 'pq-1', use: 'sig', alg: 'ML-DSA-44' },
    ])
    for (const private_ of ['"d"', '"priv"']) expect(response.body).not.toContain(private_)
  })

  it('gives a set with which jose verifies what the keys sign', async () => {
    const { app } = await serve({})
    const set = createLocalJWKSet((await app.inject('/jwks')).json())
    for (const key of [edge, ed, pq]) {
      const token = compact({ alg: key.algorithm.jose[0], kid: key.signer.kid }, { sub: 'x' }, key)
      expect((await jwtVerify(token, set)).payload).toEqual({ sub: 'x' })
    }
  })

  it('gives the same keys as a COSE_KeySet', async () => {
    const { app } = await serve({})
    const response = await app.inject('/cose-keys')
    expect(response.headers['content-type']).toBe('application/cose-key-set')
    const keys = verificationKeysFromCoseKeySet(response.rawPayload, algorithms)
    expect(keys.map(({ kid, publicKey }) => [kid, publicKey.jkt])).toEqual(
      [edge, ed, pq].map(({ signer, publicKey }) => [signer.kid, publicKey.jkt]),
    )
  })

  it('gives the certificates of authorities, each once', async () => {
    const { app } = await serve({ keys: keysOf(edge.signer, signerOf(ca, root), signerOf(root)) })
    const response = await app.inject('/ca.pem')
    expect(response.headers['content-type']).toBe('application/pem-certificate-chain')
    expect(parsePem(response.body).map(({ der }) => der)).toEqual([ca, root].map((one) => Buffer.from(one.certificate)))
  })

  it('has no such document where no key is an authority', async () => {
    const { app } = await serve({})
    expect((await app.inject('/ca.pem')).statusCode).toBe(404)
  })

  it.each([
    ...['/jwks', '/cose-keys', '/livez', '/metrics'],
    ...['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'],
  ])('answers HEAD and refuses other methods on %s', async (url) => {
    const { app } = await serve({})
    const head = await app.inject({ method: 'HEAD', url })
    expect(head.statusCode).toBe(200)
    expect(head.body).toBe('')
    const response = await app.inject({ method: 'POST', url, payload: form(), headers: FORM })
    expect(response.statusCode).toBe(405)
    expect(response.headers['allow']).toBe('GET, HEAD')
    expect(response.json()).toEqual({ error: 'invalid_request', error_description: 'use GET' })
  })
})

describe('metadata (RFC 8414)', () => {
  const read = async (differs: Partial<Services>, tenant = {}) => {
    const services = servicesOf(differs)
    const options = { version: '0', recordRefusal: () => {}, exchange: async () => RESULT }
    const app = await createHttp([{ services, ...tenant }], options)
    const path = new URL(services.issuer).pathname.replace(/\/$/, '')
    return app.inject(`/.well-known/oauth-authorization-server${path}`)
  }

  it('MD-03, MD-04, MD-05, MD-06, MD-07: says what the tenant does, and nothing that is empty', async () => {
    const response = await read({})
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toBe('application/json')
    expect(response.json()).toEqual({
      issuer: 'https://gw.example',
      token_endpoint: 'https://gw.example/token',
      token_exchange_cnf_response_supported: true,
      jwks_uri: 'https://gw.example/jwks',
      grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      token_endpoint_auth_methods_supported: [
        'private_key_jwt',
        'tls_client_auth',
        'client_secret_basic',
        'client_secret_post',
      ],
      token_endpoint_auth_signing_alg_values_supported: [
        ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
        ...['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'],
      ],
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519'],
      dragoman_subject_token_types_supported: profile().accepts.subject.types,
      dragoman_cose_keys_uri: 'https://gw.example/cose-keys',
    })
  })

  it('XB-11: says that an answer tells what the token is bound to', async () => {
    expect((await read({})).json()).toMatchObject({ token_exchange_cnf_response_supported: true })
  })

  it('MD-04, IC-12, IJ-42: says which grants there are, and of identity chaining what a profile does', async () => {
    const accepted = { grant: jwtBearer.type, subject: { kind: 'oauth-id-jag+jwt' } }
    const redeeming = profile(accepted)
    const granting = { ...profile(), writer: { ...plainWriter({ tokenType: 'urn:example:jag' }), grant: true } }
    const announced = async (...all: readonly Profile[]) =>
      (await read({ profiles: world(all).services.profiles })).json()
    expect(await announced(redeeming)).toMatchObject({
      grant_types_supported: [jwtBearer.type],
      authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'],
    })
    expect(await announced(redeeming)).not.toHaveProperty('identity_chaining_requested_token_types_supported')
    expect(await announced(granting, redeeming)).toMatchObject({
      grant_types_supported: [TOKEN_EXCHANGE, jwtBearer.type],
      identity_chaining_requested_token_types_supported: ['urn:example:jag'],
    })
    const other = await announced(granting, profile({ ...accepted, grant: TOKEN_EXCHANGE }))
    expect(other).not.toHaveProperty('authorization_grant_profiles_supported')
  })

  it('MD-06: never names none as an algorithm, and names algorithms only for assertions', async () => {
    expect((await read({})).body).not.toContain('"none"')
    const [, , secret] = clientMethods()
    const bare = (await read({ clientMethods: secret ? [secret] : [] })).json()
    expect(bare).not.toHaveProperty('token_endpoint_auth_signing_alg_values_supported')
  })

  it('MD-05: says none where a subject token can stand for the client', async () => {
    const { services } = world(profile({ unauthenticated: true }))
    expect((await read({ profiles: services.profiles })).json().token_endpoint_auth_methods_supported).toContain('none')
  })

  it('says that tokens can be bound to certificates only where a listener asks for them', async () => {
    const member = 'tls_client_certificate_bound_access_tokens'
    expect((await read({})).json()).not.toHaveProperty(member)
    expect((await read({}, { mutualTls: true })).json()[member]).toBe(true)
    expect((await read({ proofMethods: [] }, { mutualTls: true })).json()).not.toHaveProperty(member)
  })

  it('MD-07: takes members from the configuration, which cannot change those that follow from the tenant', async () => {
    const metadata = map([
      ['response_types_supported', ['none']],
      ['issuer', 'https://other.example'],
    ])
    expect((await read({}, { metadata })).json()).toMatchObject({
      response_types_supported: ['none'],
      issuer: 'https://gw.example',
    })
  })

  it.each([
    ['https://gw.example/eu', 'https://gw.example/eu/jwks'],
    ['https://gw.example/eu/', 'https://gw.example/eu/jwks'],
    ['https://gw.example/', 'https://gw.example/jwks'],
    ['https://gw.example/a:b', 'https://gw.example/a:b/jwks'],
  ])(
    'MD-01, MD-02: is served between host and path for the issuer %s, which it repeats exactly',
    async (issuer, jwks) => {
      const tokenEndpoint = `${issuer.replace(/\/$/, '')}/token`
      const response = await read({ issuer, tokenEndpoint })
      expect(response.json()).toMatchObject({ issuer, token_endpoint: tokenEndpoint, jwks_uri: jwks })
    },
  )

  it('names the certificates where there are any', async () => {
    const { dragoman_certificates_uri } = (await read({ keys: keysOf(signerOf(root)) })).json()
    expect(dragoman_certificates_uri).toBe('https://gw.example/ca.pem')
  })
})

describe('tenants', () => {
  const at = (tenant: string, issuer: string) => ({ tenant, issuer, tokenEndpoint: `${issuer}/token` })
  const post = (app: Awaited<ReturnType<typeof serve>>['app'], url: string, host = 'gw.example') =>
    app.inject({ method: 'POST', url, payload: form(), headers: { ...FORM, host } })

  it('ignores Host where there is one tenant', async () => {
    const { app, asked } = await serve(at('one', 'https://gw.example'))
    expect((await post(app, '/token', '10.0.0.1:8080')).statusCode).toBe(200)
    expect(asked).toEqual(['one'])
  })

  it('are found by the path of their issuer', async () => {
    const { app, asked } = await serve(at('eu', 'https://gw.example/eu'), at('us', 'https://gw.example/us'))
    expect((await post(app, '/eu/token')).statusCode).toBe(200)
    expect((await post(app, '/us/token', 'gateway.internal')).statusCode).toBe(200)
    expect((await post(app, '/token')).statusCode).toBe(404)
    expect((await post(app, '/eu/x/token')).statusCode).toBe(404)
    expect((await post(app, '/EU/token')).statusCode).toBe(404)
    expect((await post(app, '/eu/token/')).statusCode).toBe(404)
    expect(asked).toEqual(['eu', 'us'])
  })

  it('are found by Host where they share a path', async () => {
    const { app, asked } = await serve(at('a', 'https://a.example'), at('b', 'https://b.example:8443'))
    expect((await post(app, '/token', 'A.example')).statusCode).toBe(200)
    expect((await post(app, '/token', 'b.example:8443')).statusCode).toBe(200)
    const unknown = await post(app, '/token', 'c.example')
    expect(unknown.statusCode).toBe(404)
    expect(unknown.json()).toEqual({ error: 'invalid_request', error_description: 'no such endpoint' })
    expect(asked).toEqual(['a', 'b'])
    const metadata = await app.inject({
      url: '/.well-known/oauth-authorization-server',
      headers: { host: 'b.example:8443' },
    })
    expect(metadata.json().issuer).toBe('https://b.example:8443')
  })

  it('have limits of their own', async () => {
    const small = { bytes: 300, parameters: 4, parameterBytes: 200 }
    const options = { version: '0', recordRefusal: () => {}, exchange: async () => RESULT }
    const tenants = [
      { services: servicesOf(at('eu', 'https://gw.example/eu')), limits: small },
      { services: servicesOf(at('us', 'https://gw.example/us')) },
    ]
    const app = await createHttp(tenants, options)
    expect((await post(app, '/eu/token')).statusCode).toBe(400)
    expect((await post(app, '/us/token')).statusCode).toBe(200)
  })

  it('are not found by a path that would fit if theirs were a pattern', async () => {
    const { app } = await serve(at('x', 'https://gw.example/a:b'))
    expect((await post(app, '/a:b/token')).statusCode).toBe(200)
    expect((await post(app, '/ax/token')).statusCode).toBe(404)
  })

  it('cannot have an issuer whose path is a pattern', async () => {
    await expect(serve(at('x', 'https://gw.example/*'))).rejects.toThrow(TypeError)
  })
})

describe('what is nowhere', () => {
  it.each(['/', '/tokens', '/.well-known/webfinger', '/%zz', '/token%2f', '//token', '/token;x'])(
    'answers 404 with an OAuth error: %s',
    async (url) => {
      const { app } = await serve({})
      const response = await app.inject(url)
      expect(response.statusCode).toBe(404)
      expect(response.json()).toEqual({ error: 'invalid_request', error_description: 'no such endpoint' })
      expect(response.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
    },
  )
})

describe('the paths of the process', () => {
  it('/livez and /version say what they are asked', async () => {
    const { app } = await serve({})
    expect((await app.inject('/livez')).json()).toEqual({ live: true })
    expect((await app.inject('/version')).json()).toEqual({ name: 'dragoman', version: '1.2.3' })
  })

  it('/readyz is ready with keys and an audit that can be written', async () => {
    const { app } = await serve({})
    const response = await app.inject('/readyz')
    expect(response.statusCode).toBe(200)
    expect(response.json()).toEqual({ ready: true, missing: [] })
    expect(response.headers['cache-control']).toBe('no-store')
  })

  it('/readyz is not ready without the key of a profile, or with an audit that fails, in any tenant', async () => {
    const keys = { ...keysOf(), signer: () => undefined }
    const audit = { write: () => {}, healthy: () => false }
    const bad = { tenant: 'bad', issuer: 'https://gw.example/bad', tokenEndpoint: 'https://gw.example/bad/token' }
    for (const [differs, missing] of [
      [{ keys }, ['keys']],
      [{ audit }, ['audit']],
      [{ keys, audit }, ['keys', 'audit']],
    ] as const) {
      const { app } = await serve({}, { ...bad, ...differs })
      const response = await app.inject('/readyz')
      expect(response.statusCode).toBe(503)
      expect(response.json()).toEqual({ ready: false, missing })
    }
  })

  it('/metrics counts what was turned away, and asks for the rest when it is asked', async () => {
    const replay = { claim: () => true, size: 7 }
    const issuers = () => [
      { issuer: 'https://id.example', ready: true, fetchedAt: 1_800_000_000 },
      { issuer: 'https://other.example', ready: false },
    ]
    const { app } = await http(undefined, { tenant: { services: servicesOf({ replay }), issuers } })
    await app.inject('/nowhere')
    await app.inject('/token')
    const response = await app.inject('/metrics')
    expect(response.headers['content-type']).toContain('text/plain')
    for (const line of [
      'dragoman_requests_turned_away_total{code="ERR_REQUEST_ENDPOINT"} 1',
      'dragoman_requests_turned_away_total{code="ERR_REQUEST_METHOD"} 1',
      'dragoman_exchanges_in_flight 0',
      'dragoman_replay_entries{tenant="t1"} 7',
      'dragoman_issuer_ready{tenant="t1",issuer="https://id.example"} 1',
      'dragoman_issuer_ready{tenant="t1",issuer="https://other.example"} 0',
      'dragoman_issuer_fetched_timestamp_seconds{tenant="t1",issuer="https://id.example"} 1800000000',
    ]) {
      expect(response.body).toContain(line)
    }
  })

  it('/metrics has those of the process, each gateway its own, unless it is told not to', async () => {
    const { app } = await http(undefined, { counters: newCounters() })
    await http(undefined, { counters: newCounters() })
    expect((await app.inject('/metrics')).body).toContain('process_cpu_seconds_total')
  })
})
