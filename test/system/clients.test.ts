import { execFile } from 'node:child_process'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { parsePem, pem } from '../../src/wire/pem.ts'
import { basicOf, dpopBy, fetchBy, type Live, newLive, rewrite, type Shown, send } from '../support/live.ts'
import { dns } from '../support/servers.ts'
import { TOKEN_EXCHANGE } from '../support/world.ts'
import { authority, leaf, testKey } from '../support/x509.ts'

const run = promisify(execFile)

const TARGET = 'https://api.beta.example'
const OTHER = 'https://other.beta.example'
/** C-02: not a URL at all, and what gcloud sends. */
const POOL = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/d'
/** The one scope that gcloud asks for. */
const PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
/** Each character that form encoding changes, and one beyond ASCII. */
const SECRET = 'tester-secret s:e%c+r/t& ä'

const now = Math.floor(Date.now() / 1000)
const day = { notBefore: now - 3600, notAfter: now + 86_400 }
const clientCa = authority('Clients CA', day)
const strangerCa = authority('Clients CA', day)
const certified = leaf(clientCa, { ...day, names: [dns('reports.example')] })
const shownBy = ({ certificate, key }: ReturnType<typeof leaf>): Shown => ({
  cert: pem('CERTIFICATE', certificate),
  key: String(key.privateKey.export({ type: 'pkcs8', format: 'pem' })),
})
const signing = testKey('ES256')
const validFor = (scope: readonly string[]) => ({
  issuedAt: now,
  notBefore: now - 10,
  expiresAt: now + 600,
  audience: [live.issuer],
  scope,
})

const entries = `  - { client_id: svc-a, token_endpoint_auth_method: client_secret_basic, client_secret: ${JSON.stringify(SECRET)} }
  - { client_id: poster, token_endpoint_auth_method: client_secret_post, client_secret: ${JSON.stringify(SECRET)} }
  - client_id: https://signer.example/app
    token_endpoint_auth_method: private_key_jwt
    jwks_file: client-jwks.json
  - client_id: old-signer
    token_endpoint_auth_method: private_key_jwt
    assertion_audience: legacy
    jwks_file: client-jwks.json
  - client_id: reports
    token_endpoint_auth_method: tls_client_auth
    certificate_authorities: clients-ca.pem
    tls_client_auth_san_dns: reports.example
  - client_id: bound
    token_endpoint_auth_method: client_secret_basic
    client_secret: ${JSON.stringify(SECRET)}
    dpop_bound_access_tokens: true
issuers:
`

const accept = (more = '') => `accept:
  clients: [demo, svc-a, poster, https://signer.example/app, old-signer, reports, bound]
${more}`

const profiles: { readonly [name: string]: string } = {
  api: `name: api
${accept()}  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets:
    allow: [${TARGET}, ${OTHER}, { request: urn:example:rates, audience: https://rates.example }, ${POOL}]
stages:
  - validity: { lifetime: 300, scope: { allow: [orders.read, orders.write, ${PLATFORM}] } }
  - format: { to: jwt, kind: at+jwt }
  - crypto: { key: signing }
`,
  edge: `name: edge
${accept()}  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [https://edge.beta.example] }
stages:
  - format: { to: cwt }
  - crypto: { key: signing }
`,
  certificate: `name: certificate
${accept()}  subject: { format: x509, issuers: [https://ca.alpha.example], subject_from: san_uri }
  targets: { allow: [https://certificate.beta.example] }
stages:
  - format: { to: jwt, kind: at+jwt }
  - crypto: { key: signing }
`,
  open: `name: open
accept:
  subject_token_authenticates: true
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [https://open.beta.example] }
stages:
  - validity: { lifetime: 300 }
  - format: { to: jwt, kind: at+jwt }
  - crypto: { key: signing }
`,
}

function edit(folder: string, names: readonly string[]): void {
  writeFileSync(join(folder, 'clients-ca.pem'), pem('CERTIFICATE', clientCa.certificate))
  writeFileSync(
    join(folder, 'client-jwks.json'),
    JSON.stringify({ keys: [{ ...signing.publicKey.jwk, kid: 'app-1', alg: 'ES256', use: 'sig' }] }),
  )
  for (const name of names) writeFileSync(join(folder, `${name}.yaml`), profiles[name] ?? '')
  rewrite(folder, 'dragoman.yaml', 'issuers:\n', entries)
  const files = names.map((name) => `${name}.yaml`)
  rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, `profiles: [${files.join(', ')}]`)
}

let live: Live
/** With nonces for DPoP, and a profile for whoever has a token. */
let nonced: Live
beforeAll(async () => {
  live = await newLive({ secureIssuer: true, edit: (folder) => edit(folder, ['api', 'edge', 'certificate']) })
  nonced = await newLive({
    secureIssuer: true,
    edit(folder) {
      edit(folder, ['api', 'open'])
      appendFileSync(join(folder, 'dragoman.yaml'), 'dpop_nonce: true\n')
    },
  })
})
afterAll(() => Promise.all([live.close(), nonced.close()]))

type Sent = readonly (readonly [name: string, value: string])[]

const parameters = async (...more: Sent): Promise<URLSearchParams> => {
  const all: Sent = [
    ['subject_token', await live.token('jwt')],
    ['subject_token_type', tokenTypes.jwt],
    ...(more.some(([name]) => name === 'audience' || name === 'resource') ? [] : [['audience', TARGET] as const]),
    ...more,
  ]
  return new URLSearchParams(all.map(([name, value]) => [name, value]))
}

describe('oauth4webapi', () => {
  const exchange = async (
    clientId: string,
    auth: oauth.ClientAuth,
    sent: URLSearchParams,
    { shown, DPoP, ...process }: { shown?: Shown; DPoP?: oauth.DPoPHandle } & oauth.ProcessTokenResponseOptions = {},
  ) => {
    const custom = { [oauth.customFetch]: fetchBy(live, shown) }
    const issuer = new URL(live.issuer)
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...custom }),
    )
    const client = { client_id: clientId }
    const response = await oauth.genericTokenEndpointRequest(as, client, auth, TOKEN_EXCHANGE, sent, {
      ...custom,
      ...(DPoP && { DPoP }),
    })
    return oauth.processGenericTokenEndpointResponse(as, client, response, process)
  }
  const privateKey = () =>
    crypto.subtle.importKey(
      'jwk',
      { ...signing.privateKey.export({ format: 'jwk' }), key_ops: ['sign'] },
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    )

  it('C-01: exchanges with client_secret_basic, an id and a secret that form encoding changes', async () => {
    const answer = await exchange('svc-a', oauth.ClientSecretBasic(SECRET), await parameters())
    expect(answer).toMatchObject({ token_type: 'bearer', issued_token_type: tokenTypes.accessToken, expires_in: 300 })
    expect(live.last()).toMatchObject({ client: 'svc-a', client_method: 'client_secret_basic', result: 'issued' })
    expect(decodeJwt(answer.access_token)).toMatchObject({ iss: live.issuer, aud: TARGET, client_id: 'svc-a' })
  })

  it('exchanges with client_secret_post', async () => {
    expect(await exchange('poster', oauth.ClientSecretPost(SECRET), await parameters())).toHaveProperty('access_token')
    expect(live.last()).toMatchObject({ client: 'poster', client_method: 'client_secret_post' })
  })

  it('AU-02: exchanges with private_key_jwt, whose only audience is the issuer', async () => {
    const auth = oauth.PrivateKeyJwt({ key: await privateKey(), kid: 'app-1' })
    expect(await exchange('https://signer.example/app', auth, await parameters())).toHaveProperty('access_token')
    expect(live.last()).toMatchObject({ client: 'https://signer.example/app', client_method: 'private_key_jwt' })
  })

  it('AU-02, AU-10: takes the token endpoint as audience from a client that is registered as older, and from no other', async () => {
    const key = { key: await privateKey(), kid: 'app-1' }
    const audience = (aud: oauth.JsonValue) =>
      oauth.PrivateKeyJwt(key, {
        [oauth.modifyAssertion]: (_, payload) => {
          payload['aud'] = aud
        },
      })
    const both = [live.issuer, `${live.issuer}/token`]
    for (const aud of [`${live.issuer}/token`, both]) {
      expect(await exchange('old-signer', audience(aud), await parameters())).toHaveProperty('access_token')
      await expect(exchange('https://signer.example/app', audience(aud), await parameters())).rejects.toMatchObject({
        error: 'invalid_client',
        status: 401,
      })
      expect(live.last()).toMatchObject({ code: 'ERR_CLIENT_ASSERTION' })
    }
  })

  it('MT-01, MT-03: exchanges with tls_client_auth, by a certificate of the handshake', async () => {
    const shown = shownBy(certified)
    expect(await exchange('reports', oauth.TlsClientAuth(), await parameters(), { shown })).toHaveProperty(
      'access_token',
    )
    expect(live.last()).toMatchObject({ client: 'reports', client_method: 'tls_client_auth', proofs: ['mtls'] })
  })

  it('MT-02, MT-03: refuses a certificate of an authority with the same name, one with another name, and none', async () => {
    const refused = async (shown?: Shown) => {
      const promise = exchange('reports', oauth.TlsClientAuth(), await parameters(), shown && { shown })
      await expect(promise).rejects.toMatchObject({ error: 'invalid_client', status: 401 })
      return live.last().code
    }
    expect(await refused(shownBy(leaf(strangerCa, { ...day, names: [dns('reports.example')] })))).toBe(
      'ERR_CLIENT_CERTIFICATE',
    )
    expect(await refused(shownBy(leaf(clientCa, { ...day, names: [dns('x.reports.example')] })))).toBe(
      'ERR_CLIENT_CERTIFICATE',
    )
    expect(await refused()).toBe('ERR_CLIENT_MISSING')
  })

  it('DP-22, DP-26: exchanges with DPoP, and hears that the token is bound, as it is', async () => {
    const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
    const answer = await exchange('bound', oauth.ClientSecretBasic(SECRET), await parameters(), { DPoP })
    const cnf = { jkt: await DPoP.calculateThumbprint() }
    expect(answer).toMatchObject({ token_type: 'dpop', cnf })
    expect(decodeJwt(answer.access_token)).toMatchObject({ cnf })
  })

  it('DP-25: issues nothing unbound to a client that is registered for DPoP', async () => {
    const promise = exchange('bound', oauth.ClientSecretBasic(SECRET), await parameters())
    await expect(promise).rejects.toMatchObject({ error: 'invalid_request' })
    expect(live.last()).toMatchObject({ code: 'ERR_PROOF_REQUIRED' })
  })

  it('TE-02: hears tokens for each audience and resource that it repeats', async () => {
    const sent = await parameters(
      ['audience', TARGET],
      ['resource', OTHER],
      ['audience', 'urn:example:rates'],
      ['resource', TARGET],
    )
    const answer = await exchange('svc-a', oauth.ClientSecretBasic(SECRET), sent)
    expect(decodeJwt(answer.access_token).aud).toEqual([TARGET, 'https://rates.example', OTHER])
  })

  it('TE-02, S-03: hears nothing where one of them is not available, whichever way it asks for it', async () => {
    for (const [name, also] of [
      ['audience', 'resource'],
      ['resource', 'audience'],
      ['audience', 'audience'],
    ] as const) {
      const sent = await parameters([name, TARGET], [also, 'https://x.example'])
      const refused = exchange('svc-a', oauth.ClientSecretBasic(SECRET), sent)
      await expect(refused).rejects.toMatchObject({ error: 'invalid_target' })
    }
  })

  it('authenticates by the method that it is registered for, and no other, whatever it knows', async () => {
    const assertion = oauth.PrivateKeyJwt({ key: await privateKey(), kid: 'app-1' })
    for (const [client, auth] of [
      ['svc-a', oauth.ClientSecretPost(SECRET)],
      ['poster', oauth.ClientSecretBasic(SECRET)],
      ['poster', assertion],
      ['reports', assertion],
    ] as const) {
      await expect(exchange(client, auth, await parameters())).rejects.toMatchObject({ status: 401 })
      expect([client, live.last().code]).toEqual([client, 'ERR_CLIENT_METHOD'])
    }
    const tls = exchange('poster', oauth.TlsClientAuth(), await parameters(), { shown: shownBy(certified) })
    await expect(tls).rejects.toMatchObject({ error: 'invalid_client' })
  })

  it('EX-13: hears which scope it was granted, where it is not what it asked for', async () => {
    const sent = await parameters(['scope', 'orders.read stock.read admin'])
    const answer = await exchange('svc-a', oauth.ClientSecretBasic(SECRET), sent)
    expect(answer.scope).toBe('orders.read')
    expect(decodeJwt(answer.access_token)).toMatchObject({ scope: 'orders.read' })
  })

  it('C-07: hears N_A for what is no access token, where it says that it knows what that is', async () => {
    const sent = await parameters(['audience', 'https://edge.beta.example'])
    const answer = await exchange('svc-a', oauth.ClientSecretBasic(SECRET), sent, {
      recognizedTokenTypes: { n_a: () => {} },
    })
    expect(answer).toMatchObject({ token_type: 'n_a', issued_token_type: tokenTypes.cwt })
  })

  it('TR-05: reads our errors and our challenge', async () => {
    const other = exchange(
      'svc-a',
      oauth.ClientSecretBasic(SECRET),
      await parameters(['audience', 'https://x.example']),
    )
    await expect(other).rejects.toMatchObject({ error: 'invalid_target', status: 400 })
    const wrong = exchange('svc-a', oauth.ClientSecretBasic('tester-secret wrong'), await parameters())
    await expect(wrong).rejects.toMatchObject({
      status: 401,
      cause: [{ scheme: 'basic', parameters: { realm: new URL(live.issuer).host } }],
    })
  })
})

describe('openid-client', () => {
  const configure = (clientId: string, auth: openid.ClientAuth, at: Live = live, shown?: Shown) =>
    openid.discovery(new URL(at.issuer), clientId, {}, auth, {
      algorithm: 'oauth2',
      [openid.customFetch]: fetchBy(at, shown),
    })
  const ofNonced = async () => {
    const sent = await parameters()
    sent.set('subject_token', await nonced.token('jwt'))
    return sent
  }

  it('C-01: exchanges with client_secret_basic and client_secret_post', async () => {
    const basic = await configure('svc-a', openid.ClientSecretBasic(SECRET))
    const post = await configure('poster', openid.ClientSecretPost(SECRET))
    for (const configuration of [basic, post]) {
      const answer = await openid.genericGrantRequest(configuration, TOKEN_EXCHANGE, await parameters())
      expect(answer).toMatchObject({ token_type: 'bearer', issued_token_type: tokenTypes.accessToken })
      expect(answer.expiresIn()).toBeGreaterThan(290)
    }
  })

  it('exchanges with private_key_jwt and with tls_client_auth', async () => {
    const key = await crypto.subtle.importKey(
      'jwk',
      { ...signing.privateKey.export({ format: 'jwk' }), key_ops: ['sign'] },
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    )
    const signer = await configure('https://signer.example/app', openid.PrivateKeyJwt(key))
    const reports = await configure('reports', openid.TlsClientAuth(), live, shownBy(certified))
    for (const configuration of [signer, reports]) {
      expect(await openid.genericGrantRequest(configuration, TOKEN_EXCHANGE, await parameters())).toHaveProperty(
        'access_token',
      )
    }
  })

  it('DP-31, DP-33, DP-34: comes again with the nonce that it was given, by itself, and uses the next one at once', async () => {
    const configuration = await configure('bound', openid.ClientSecretBasic(SECRET), nonced)
    const DPoP = openid.getDPoPHandle(configuration, await openid.randomDPoPKeyPair('ES256'))
    const before = nonced.records.length
    for (let round = 0; round < 2; round += 1) {
      const answer = await openid.genericGrantRequest(configuration, TOKEN_EXCHANGE, await ofNonced(), { DPoP })
      expect(answer).toMatchObject({ token_type: 'dpop', cnf: { jkt: await DPoP.calculateThumbprint() } })
    }
    expect(nonced.records.slice(before).map(({ result, code }) => code ?? result)).toEqual([
      'ERR_PROOF_NONCE',
      'issued',
      'issued',
    ])
  })

  it('DP-33: gets nothing with a proof without nonce', async () => {
    const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
    const as = { issuer: nonced.issuer, token_endpoint: `${nonced.issuer}/token` }
    const ask = async () =>
      oauth.genericTokenEndpointRequest(
        as,
        { client_id: 'bound' },
        oauth.ClientSecretBasic(SECRET),
        TOKEN_EXCHANGE,
        await ofNonced(),
        {
          [oauth.customFetch]: fetchBy(nonced),
          DPoP,
        },
      )
    const first = await ask()
    expect(first.status).toBe(400)
    expect(first.headers.get('dpop-nonce')).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(await first.json()).toMatchObject({ error: 'use_dpop_nonce' })
    // With one that is made up no more; with the right one, and then the next is in the answer.
    const given = first.headers.get('dpop-nonce') ?? ''
    const { privateKey } = signing
    const authorization = basicOf('bound', SECRET)
    const withNonce = async (nonce: string) =>
      nonced.post(
        { subject_token: await nonced.token('jwt'), audience: TARGET },
        { shown: 'nothing', authorization, headers: { dpop: dpopBy(privateKey, nonced, { nonce }) } },
      )
    for (const wrong of ['', 'x', Buffer.alloc(32).toString('base64url'), `${given}x`, given.slice(1)]) {
      expect((await withNonce(wrong)).body).toMatchObject({ error: 'use_dpop_nonce' })
    }
    const good = await withNonce(given)
    expect(good.status).toBe(200)
    expect(good.headers['dpop-nonce']).toBe(given)
  })

  it('C-07: takes N_A; on the wire it is spelled as RFC 8693 spells it', async () => {
    const configuration = await configure('svc-a', openid.ClientSecretBasic(SECRET))
    const sent = await parameters(['audience', 'https://edge.beta.example'])
    const answer = await openid.genericGrantRequest(configuration, TOKEN_EXCHANGE, sent)
    expect(answer).toMatchObject({ token_type: 'n_a', issued_token_type: tokenTypes.cwt })
    const { text } = await live.post(
      { subject_token: await live.token('jwt'), audience: 'https://edge.beta.example' },
      { shown: 'nothing' },
    )
    expect(text).toContain('"token_type":"N_A"')
    expect(text).toContain('"issued_token_type":"urn:dragoman:token-type:cwt"')
  })
})

describe('curl', () => {
  const curl = async (at: Live, ...args: readonly string[]) => {
    const all = ['-sS', '--max-time', '20', '--cacert', join(at.folder, 'tls-ca.pem'), '-w', '\n%{http_code}', ...args]
    const { stdout } = await run('curl', [...all, `${at.secure}/token`])
    const [text = '', status = ''] = stdout.split(/\n(?=\d{3}$)/)
    return { status: Number(status), body: JSON.parse(text) as { [name: string]: unknown } }
  }
  const form = (at: Live, ...more: Sent) => [
    ...[
      ['grant_type', `=${TOKEN_EXCHANGE}`],
      ['subject_token', `@${join(at.folder, 'fresh.jwt')}`],
      ['subject_token_type', `=${tokenTypes.jwt}`],
      ...more,
    ].flatMap(([name = '', value = '']) => ['--data-urlencode', `${name}${value}`]),
  ]
  beforeAll(async () => {
    for (const at of [live, nonced]) writeFileSync(join(at.folder, 'fresh.jwt'), await at.token('jwt'))
  })

  it('C-01: exchanges with Basic that is not form-encoded, where nothing in it would be', async () => {
    const { status, body } = await curl(live, '-u', 'demo:demo-secret', ...form(live, ['audience', `=${TARGET}`]))
    expect({ status, body }).toMatchObject({ status: 200, body: { token_type: 'Bearer' } })
  })

  it('C-02: exchanges for a target that is no URL, asked for as audience; as resource it is refused', async () => {
    const asked = await curl(live, '-u', 'demo:demo-secret', ...form(live, ['audience', `=${POOL}`]))
    expect(decodeJwt(String(asked.body['access_token'])).aud).toBe(POOL)
    const resource = await curl(live, '-u', 'demo:demo-secret', ...form(live, ['resource', `=${POOL}`]))
    expect(resource).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
    expect(live.last()).toMatchObject({ code: 'ERR_REQUEST_RESOURCE' })
  })

  it('C-05: exchanges without client authentication where the profile lets the token stand for it', async () => {
    const sent = form(
      nonced,
      ['audience', '=https://open.beta.example'],
      ['requested_token_type', `=${tokenTypes.accessToken}`],
    )
    expect((await curl(nonced, ...sent)).status).toBe(200)
    expect(nonced.last()).toMatchObject({ client_method: 'subject_token', profile: 'open' })
  })

  it('C-05, TE-11: and nowhere else: not for another target, and not with credentials that are wrong', async () => {
    expect(await curl(nonced, ...form(nonced, ['audience', `=${TARGET}`]))).toMatchObject({ status: 400 })
    expect(nonced.last()).toMatchObject({ code: 'ERR_PROFILE_TARGET' })
    const open = form(nonced, ['audience', '=https://open.beta.example'])
    expect(await curl(nonced, '-u', 'demo:tester-secret', ...open)).toMatchObject({ status: 401 })
    // Whoever authenticates is who it is: the open profile is for those who do not.
    expect(await curl(nonced, '-u', 'demo:demo-secret', ...open)).toMatchObject({ status: 400 })
    expect(await curl(live, ...form(live, ['audience', `=${TARGET}`]))).toMatchObject({
      status: 401,
      body: { error: 'invalid_client' },
    })
  })

  it('MT-03: authenticates by certificate with client_id alone', async () => {
    writeFileSync(join(live.folder, 'reports.pem'), shownBy(certified).cert)
    writeFileSync(join(live.folder, 'reports.key'), shownBy(certified).key, { mode: 0o600 })
    const mutual = ['--cert', join(live.folder, 'reports.pem'), '--key', join(live.folder, 'reports.key')]
    const sent = form(live, ['audience', `=${TARGET}`], ['client_id', '=reports'])
    expect((await curl(live, ...mutual, ...sent)).status).toBe(200)
    expect(live.last()).toMatchObject({ client: 'reports', client_method: 'tls_client_auth' })
    // The certificate is there for the connection only when there are credentials of another kind.
    expect(
      (await curl(live, ...mutual, '-u', 'demo:demo-secret', ...form(live, ['audience', `=${TARGET}`]))).status,
    ).toBe(200)
    expect(live.last()).toMatchObject({ client: 'demo', client_method: 'client_secret_basic' })
  })
})

describe('what other clients of the field send', () => {
  it('C-03: google-auth: a JSON array of certificates over TLS, the first of which is that of the handshake', async () => {
    const shown = { cert: live.file('client.pem'), key: live.file('client.key') }
    const der = (text: string) => Buffer.from(parsePem(text)[0]?.der ?? []).toString('base64')
    const own = der(shown.cert)
    const asked = (...chain: readonly string[]) =>
      live.post(
        {
          subject_token: JSON.stringify(chain),
          subject_token_type: 'urn:ietf:params:oauth:token-type:mtls',
          audience: 'https://certificate.beta.example',
        },
        { shown },
      )
    const answer = await asked(own)
    expect(answer.status).toBe(200)
    expect(answer.body['cnf']).toHaveProperty('x5t#S256')
    expect((await asked(own, der(live.file('alpha-ca.pem')))).status).toBe(200)
    const stranger = Buffer.from(certified.certificate).toString('base64')
    expect(await asked(stranger, own)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    expect(live.last()).toMatchObject({ code: 'ERR_TOKEN_UNPROVED' })
  })

  it('C-04: gcloud: its fixed public id in Basic, options that nobody knows; and afterwards introspection, which is not there', async () => {
    const answer = await live.post(
      {
        subject_token: await live.token('jwt', { validity: validFor([PLATFORM]) }),
        audience: POOL,
        requested_token_type: tokenTypes.accessToken,
        scope: PLATFORM,
        options: '{"userProject":"1"}',
      },
      { shown: 'nothing' },
    )
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'Bearer', scope: PLATFORM } })
    const introspection = await send(`${live.secure}/introspect`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: basicOf('demo', 'demo-secret') },
      body: new URLSearchParams({ token: 'x', token_type_hint: tokenTypes.accessToken }).toString(),
      tls: { ca: live.authority },
    })
    expect(introspection).toMatchObject({ status: 404, body: { error: 'invalid_request' } })
  })

  it('C-06: a JSON body: refused with an OAuth error, by grpc-go’s media type and by others', async () => {
    const body = JSON.stringify({
      grant_type: TOKEN_EXCHANGE,
      subject_token: await live.token('jwt'),
      subject_token_type: tokenTypes.jwt,
      audience: TARGET,
    })
    for (const type of ['application/json', 'application/json; charset=UTF-8', 'text/plain', '']) {
      const answer = await send(`${live.secure}/token`, {
        method: 'POST',
        headers: { ...(type && { 'content-type': type }), authorization: basicOf('demo', 'demo-secret') },
        body,
        tls: { ca: live.authority },
      })
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
      expect(live.last()).toMatchObject({ code: 'ERR_REQUEST_MEDIA_TYPE' })
    }
  })

  it('C-07: token_type is spelled as its RFC spells it, for each kind of token', async () => {
    const asked = async (parameters: { [name: string]: string }, more = {}) =>
      (await live.post({ subject_token: await live.token('jwt'), ...parameters }, { shown: 'nothing', ...more })).text
    expect(await asked({ audience: TARGET })).toContain('"token_type":"Bearer"')
    expect(await asked({ audience: 'https://edge.beta.example' })).toContain('"token_type":"N_A"')
    const proof = dpopBy(signing.privateKey, live)
    expect(await asked({ audience: TARGET }, { headers: { DPoP: proof } })).toContain('"token_type":"DPoP"')
  })
})
