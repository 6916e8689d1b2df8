import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientMethods } from '../../src/clients/index.ts'
import { jwt } from '../../src/codecs/jwt/index.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { exchangeToken, recordRefusal } from '../../src/exchange/exchange.ts'
import { createHttp } from '../../src/gateway/gateway.ts'
import { type Listening, listen } from '../../src/gateway/listen.ts'
import { proofMethodsWith, rollingNonces } from '../../src/proofs/index.ts'
import { digestOf } from '../support/clients.ts'
import {
  GATEWAY,
  PLAIN,
  plainCodec,
  profile,
  registered,
  stage,
  subjectToken,
  TARGET,
  world,
} from '../support/fakes.ts'
import { testKey, trusted } from '../support/jwt.ts'

// Client libraries read the clock of the machine.
const clock = () => Math.floor(Date.now() / 1000)
const SECRET = 's:e%c+r/t ä'
const key = testKey('ES256', 'orders-key')
const nonces = rollingNonces(Buffer.alloc(32, 1))

const boundToProof = stage((draft, { proofs: [proof] }) =>
  proof ? { ...draft, confirmation: { publicKey: proof.publicKey, jkt: proof.publicKey.jkt } } : draft,
)
const clients = new Map(
  ['client_secret_basic', 'client_secret_post', 'private_key_jwt'].map((method) => [
    `my-${method}`,
    registered(`my-${method}`, {
      method,
      secretDigests: [digestOf(SECRET)],
      issuer: trusted([key.verifier], { issuer: `my-${method}` }),
      assertion: { audience: 'issuer', maxLifetime: 300, requireJti: true },
    }),
  ]),
)

let listening: Listening
let strict: Listening
let records: readonly AuditRecord[] = []

async function start(withNonces: boolean): Promise<Listening> {
  const tenant = world(
    [
      profile({ clients: [...clients.keys()], steps: [boundToProof], tokenType: tokenTypes.accessToken }),
      profile({ name: 'other', clients: [...clients.keys()], tokenType: tokenTypes.cwt, usage: 'N_A' }),
    ],
    {
      clock,
      codecs: [plainCodec(), jwt()],
      clientMethods: clientMethods(),
      proofMethods: proofMethodsWith(withNonces ? { nonces } : {}),
      proofAlgorithms: ['ES256', 'Ed25519'],
      clients: { find: (id) => clients.get(id) },
    },
  )
  records = tenant.records
  const options = { exchange: exchangeToken, recordRefusal, version: '0' }
  const app = await createHttp([{ services: tenant.services, ...(withNonces && { nonces }) }], options)
  return listen(app, [{ host: '127.0.0.1', port: 0 }])
}

beforeAll(async () => {
  strict = await start(true)
  listening = await start(false)
})

afterAll(() => Promise.all([listening.close(0), strict.close(0)]))

/** Stands for name resolution and TLS: the issuer is not where the test listens. */
const to =
  (where: () => Listening) =>
  (
    url: string,
    { method, headers, body }: { method: string; headers: Record<string, string>; body?: openid.FetchBody },
  ): Promise<Response> =>
    fetch(url.replace(GATEWAY, where().addresses[0] ?? ''), {
      method,
      headers,
      ...(body instanceof URLSearchParams && { body: body.toString() }),
    })

const parameters = (differs: { readonly [name: string]: string } = {}): Record<string, string> => ({
  subject_token: subjectToken({ iat: clock() - 10, exp: clock() + 600 }),
  subject_token_type: PLAIN,
  requested_token_type: tokenTypes.accessToken,
  audience: TARGET,
  ...differs,
})

describe('oauth4webapi', () => {
  const custom = () => ({ [oauth.customFetch]: to(() => listening) })
  const issuer = new URL(GATEWAY)
  const discover = async () =>
    oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...custom() }))
  const exchange = async (
    method: string,
    auth: oauth.ClientAuth,
    differs = {},
    more: { DPoP?: oauth.DPoPHandle } = {},
    process: oauth.ProcessTokenResponseOptions = {},
  ) => {
    const as = await discover()
    const client = { client_id: `my-${method}` }
    const response = await oauth.genericTokenEndpointRequest(as, client, auth, TOKEN_EXCHANGE, parameters(differs), {
      ...custom(),
      ...more,
    })
    return oauth.processGenericTokenEndpointResponse(as, client, response, process)
  }
  const keyPair = async (): Promise<oauth.CryptoKey> =>
    crypto.subtle.importKey(
      'jwk',
      { ...key.privateKey.export({ format: 'jwk' }), key_ops: ['sign'] },
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    )

  it('MD-01, MD-02: discovers the gateway', async () => {
    expect(await discover()).toMatchObject({ issuer: GATEWAY, token_endpoint: `${GATEWAY}/token` })
  })

  it('C-01: exchanges with client_secret_basic', async () => {
    const answer = await exchange('client_secret_basic', oauth.ClientSecretBasic(SECRET))
    expect(answer).toMatchObject({ issued_token_type: tokenTypes.accessToken, token_type: 'bearer' })
    expect(records.at(-1)).toMatchObject({ client: 'my-client_secret_basic', result: 'issued' })
  })

  it('exchanges with client_secret_post', async () => {
    expect(await exchange('client_secret_post', oauth.ClientSecretPost(SECRET))).toMatchObject({ token_type: 'bearer' })
  })

  it('AU-02: exchanges with private_key_jwt', async () => {
    const auth = oauth.PrivateKeyJwt({ key: await keyPair(), kid: 'orders-key' })
    expect(await exchange('private_key_jwt', auth)).toMatchObject({ token_type: 'bearer' })
    expect(records.at(-1)).toMatchObject({ client: 'my-private_key_jwt', client_method: 'private_key_jwt' })
  })

  it('DP-22: exchanges with DPoP, and hears that the token is bound', async () => {
    const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
    const answer = await exchange('client_secret_post', oauth.ClientSecretPost(SECRET), {}, { DPoP })
    expect(answer).toMatchObject({ token_type: 'dpop', cnf: { jkt: await DPoP.calculateThumbprint() } })
  })

  it('C-07: hears N_A for what is no access token', async () => {
    const auth = oauth.ClientSecretPost(SECRET)
    const differs = { requested_token_type: tokenTypes.cwt }
    const answer = await exchange('client_secret_post', auth, differs, {}, { recognizedTokenTypes: { n_a: () => {} } })
    expect(answer).toMatchObject({ token_type: 'n_a', issued_token_type: tokenTypes.cwt })
  })

  it('reads our errors', async () => {
    await expect(
      exchange('client_secret_post', oauth.ClientSecretPost(SECRET), { audience: 'x' }),
    ).rejects.toMatchObject({
      error: 'invalid_target',
      error_description: 'the target is not available',
      status: 400,
    })
    await expect(exchange('client_secret_post', oauth.ClientSecretPost('x'))).rejects.toMatchObject({
      error: 'invalid_client',
      status: 401,
    })
  })

  it('TR-05: reads our challenge', async () => {
    await expect(exchange('client_secret_basic', oauth.ClientSecretBasic('x'))).rejects.toMatchObject({
      status: 401,
      cause: [{ scheme: 'basic', parameters: { realm: 'gw.example' } }],
    })
  })
})

describe('openid-client', () => {
  const configure = (method: string, auth: openid.ClientAuth, where = () => listening) =>
    openid.discovery(new URL(GATEWAY), `my-${method}`, {}, auth, {
      algorithm: 'oauth2',
      [openid.customFetch]: to(where),
    })

  it('C-01: exchanges with client_secret_basic', async () => {
    const config = await configure('client_secret_basic', openid.ClientSecretBasic(SECRET))
    const answer = await openid.genericGrantRequest(config, TOKEN_EXCHANGE, parameters())
    expect(answer).toMatchObject({ token_type: 'bearer', issued_token_type: tokenTypes.accessToken })
    expect(answer.expiresIn()).toBeGreaterThan(500)
  })

  it('DP-31: comes again with the nonce that it was given, by itself', async () => {
    const config = await configure('client_secret_post', openid.ClientSecretPost(SECRET), () => strict)
    const pair = await openid.randomDPoPKeyPair('ES256')
    const DPoP = openid.getDPoPHandle(config, pair)
    const answer = await openid.genericGrantRequest(config, TOKEN_EXCHANGE, parameters(), { DPoP })
    expect(answer).toMatchObject({ token_type: 'dpop', cnf: { jkt: await DPoP.calculateThumbprint() } })
    expect(await openid.genericGrantRequest(config, TOKEN_EXCHANGE, parameters(), { DPoP })).toMatchObject({
      token_type: 'dpop',
    })
  })
})
