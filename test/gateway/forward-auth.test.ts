import { createHash, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { ABOUT, type EdgeWorld, newEdgeWorld, PROXY } from '../support/edge.ts'
import { dpopBy, newLive, rewrite, send } from '../support/live.ts'
import { read } from '../support/pages.ts'
import { NOW, WORKLOAD } from '../support/world.ts'

let edge: EdgeWorld
let token: string
const bearer = () => ({ authorization: `Bearer ${token}` })
const open = async (...differs: Parameters<typeof newEdgeWorld>) => {
  edge = await newEdgeWorld(...differs)
  token = await edge.token('jwt')
}
const refused = (status: number, code: string) => {
  expect(edge.last()).toMatchObject({ result: 'refused', code, endpoint: 'forward-auth/edge' })
  return { status }
}

describe('an endpoint for proxies', () => {
  beforeAll(() => open())
  afterAll(() => edge.close())

  it('hands the token back in a header field, once, and nothing else', async () => {
    const answer = await edge.ask(bearer())
    expect(answer).toMatchObject({ status: 200, text: '' })
    expect(answer.headers['txn-token']).toMatch(/^[A-Za-z0-9_-]{50,}$/)
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'x-request-id': edge.last().id })
    expect(edge.last()).toMatchObject({ client: 'demo', profile: 'jwt-to-cwt', endpoint: 'forward-auth/edge' })
  })

  it.each(['', '?x=1'])('is asked with every method, and takes nothing from the query (%s)', async (path) => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      expect((await edge.ask(bearer(), { method, path })).status, method).toBe(200)
    }
  })

  it.each([
    ['no credentials', undefined, 'ERR_CLIENT_MISSING'],
    ['a wrong secret', `Basic ${Buffer.from('demo:wrong').toString('base64')}`, 'ERR_CLIENT_SECRET'],
    ['those of another client', `Basic ${Buffer.from('other:demo-secret').toString('base64')}`, 'ERR_CLIENT_MALFORMED'],
    ['its token in place of them', 'Bearer x', 'ERR_CLIENT_MALFORMED'],
    ['credentials twice', [PROXY, PROXY], 'ERR_CLIENT_SEVERAL'],
  ])(
    'a proxy with %s gets no answer about the token, and no challenge for whoever is before it',
    async (_, credentials, code) => {
      const answer = await edge.ask({ ...bearer(), 'client-authorization': credentials })
      expect(answer).toMatchObject(refused(503, code))
      expect(answer.headers).not.toHaveProperty('www-authenticate')
      expect(answer.headers).not.toHaveProperty('txn-token')
      expect(answer.body).toEqual({
        ...{ error: 'temporarily_unavailable', error_description: 'it cannot be decided at the moment' },
      })
    },
  )

  it('believes no credentials in Authorization: they are those of whoever is before the proxy', async () => {
    const answer = await edge.ask({ authorization: PROXY, 'client-authorization': undefined })
    expect(answer).toMatchObject(refused(401, 'ERR_REQUEST_MISSING'))
  })

  it.each([
    ['no token', {}, 401, 'ERR_REQUEST_MISSING'],
    ['two tokens', { authorization: ['Bearer a', 'Bearer b'] }, 401, 'ERR_REQUEST_REPEATED'],
    ['two in one field', { authorization: 'Bearer a, Bearer b' }, 401, 'ERR_REQUEST_MISSING'],
    ['a token with spaces in it', { authorization: 'Bearer a b' }, 401, 'ERR_REQUEST_MISSING'],
    ['no JWT', { authorization: 'Bearer a' }, 401, 'ERR_TOKEN_MALFORMED'],
    ['DPoP without a proof', { authorization: 'DPoP a' }, 401, 'ERR_PROOF_REQUIRED'],
    ['DPoP with a bad proof', { authorization: 'DPoP a', dpop: 'x' }, 401, 'ERR_PROOF_DPOP'],
  ])('%s: another would do', async (_, headers, status, code) => {
    const answer = await edge.ask(headers)
    expect(answer).toMatchObject(refused(status, code))
    expect(answer.headers['www-authenticate']).toMatch(/^(?:Bearer|DPoP) realm="127.0.0.1:8080"/)
  })

  it.each([
    ['x-original-method', undefined],
    ['x-original-method', 'get'],
    ['x-original-method', 'GET POST'],
    ['x-original-uri', undefined],
    ['x-original-uri', 'orders'],
    ['x-original-uri', 'https://api.example/orders'],
    ['x-original-uri', '/orders#x'],
    ['x-original-uri', '/orders/%zz'],
    ['x-original-uri', '/orders/..'],
    ['x-original-uri', '/orders/../admin'],
    ['x-original-uri', '/orders/.%2E/admin'],
    ['x-original-uri', '/orders/%2e/admin'],
    ['x-original-uri', '/orders\\..\\admin'],
    ['x-original-uri', `/${'x'.repeat(4096)}`],
    ['x-original-uri', ['/orders', '/orders']],
    ['x-forwarded-host', 'a.example, b.example'],
    ['x-forwarded-host', 'a.example/b'],
    ['x-forwarded-host', undefined],
    ['x-forwarded-proto', 'https, http'],
    ['x-forwarded-proto', undefined],
  ])('refuses what the proxy says wrong: %s %s', async (field, value) => {
    expect(await edge.ask({ ...bearer(), [field]: value })).toMatchObject(refused(403, 'ERR_REQUEST_FORWARDED'))
  })

  it('takes no body: that of the request stays with the proxy', async () => {
    expect((await edge.ask(bearer(), { method: 'POST', body: 'x'.repeat(100) })).status).toBe(413)
  })

  it('is on no other listener, however its path is written', async () => {
    for (const path of ['/forward-auth/edge', '/%66orward-auth/edge', '/forward-auth/%65dge', '//forward-auth/edge']) {
      const headers = { 'client-authorization': PROXY, ...ABOUT, ...bearer() }
      expect((await send(edge.plain, { path, headers })).status, path).toBe(404)
      expect((await edge.gateway.http.inject({ url: path, headers })).statusCode, path).toBe(404)
    }
  })

  it('slows down whoever guesses the secret of the proxy', async () => {
    const wrong = { 'client-authorization': `Basic ${Buffer.from('demo:guess').toString('base64')}` }
    let code: string | undefined
    for (let count = 0; count < 15; count += 1) {
      const answer = await edge.ask({ ...bearer(), ...wrong })
      expect(answer.status).toBe(503)
      code = edge.last().code
      if (code === 'ERR_CLIENT_SLOWED') expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    }
    expect(code).toBe('ERR_CLIENT_SLOWED')
  })

  it('counts what it answered', async () => {
    const { body } = await edge.gateway.http.inject({ url: '/metrics' })
    for (const status of [200, 401, 403, 503]) {
      expect(body).toMatch(
        new RegExp(`^dragoman_forward_auth_total\\{tenant="default",endpoint="edge",status="${status}"\\} `, 'm'),
      )
    }
  })
})

describe('where the proxy says which request it asks about', () => {
  const said = {
    'x-original-method': undefined,
    'x-original-uri': undefined,
    'x-forwarded-method': 'PATCH',
    'x-forwarded-uri': '/orders/18',
  }
  const conditions = (path: string, method: string, host: string) => (folder: string) =>
    rewrite(
      folder,
      'edge.yaml',
      '  - context: { keep: [email] }',
      `  - context:
      keep: [email]
      conditions:
        - request.forwarded.path == "${path}" && request.forwarded.method == "${method}"
        - request.forwarded.host == "${host}" && request.forwarded.scheme == "https"`,
    )

  it('x-original, as nginx says it; the host in lower case', async () => {
    await open({}, conditions('/orders/17', 'GET', 'api.example:8443'))
    expect((await edge.ask(bearer())).status).toBe(200)
    expect(await edge.ask({ ...bearer(), 'x-original-uri': '/orders/18' })).toMatchObject(
      refused(403, 'ERR_PROFILE_CONDITION'),
    )
    await edge.close()
  })

  it('x-forwarded, as Traefik says it', async () => {
    await open({ request_from: 'x-forwarded' }, conditions('/orders/18', 'PATCH', 'api.example:8443'))
    expect((await edge.ask({ ...bearer(), ...said })).status).toBe(200)
    // Nothing is taken from the other fields.
    expect(await edge.ask(bearer())).toMatchObject(refused(403, 'ERR_REQUEST_FORWARDED'))
    await edge.close()
  })

  it('path, as Envoy says it: its own method, the path behind ours, Host', async () => {
    await open({ request_from: 'path' }, conditions('/orders/19', 'DELETE', 'shop.example'))
    const host = {
      ...bearer(),
      host: 'shop.example',
      'x-original-uri': '/orders/20',
      'x-forwarded-host': 'evil.example',
    }
    expect((await edge.ask(host, { method: 'DELETE', path: '/orders/19?x=1' })).status).toBe(200)
    expect(await edge.ask(host, { method: 'GET', path: '/orders/19' })).toMatchObject(
      refused(403, 'ERR_PROFILE_CONDITION'),
    )
    expect(await edge.ask(host, { method: 'DELETE', path: '/orders/../x' })).toMatchObject(
      refused(403, 'ERR_REQUEST_FORWARDED'),
    )
    await edge.close()
  })
})

describe('what an endpoint for proxies hands back', () => {
  it('goes into the field that is configured, an access token in Authorization with its scheme', async () => {
    const access = { profile: 'jwt-downscope', audience: ['https://orders.beta.example'], scope: ['orders.read'] }
    await open({ ...access, result_header: 'Authorization' })
    const { headers } = await edge.ask(bearer())
    expect(headers).not.toHaveProperty('txn-token')
    expect(headers['authorization']).toMatch(/^Bearer eyJ/)
    expect(edge.last()).toMatchObject({ audience: ['https://orders.beta.example'], scope: ['orders.read'] })
    await edge.close()
  })

  it('is refused when it is over the limit, and then nothing was issued', async () => {
    await open({ max_token_bytes: 256 })
    const answer = await edge.ask(bearer())
    expect(answer).toMatchObject(refused(503, 'ERR_PROFILE_HEADER'))
    expect(answer.headers).not.toHaveProperty('txn-token')
    expect(edge.last().output_sha256).toBeUndefined()
    await edge.close()
  })

  it('is made once of a token that is taken once', async () => {
    await open({}, (folder) => rewrite(folder, 'edge.yaml', 'format: jwt', 'format: jwt\n    single_use: true'))
    const answers = await Promise.all([edge.ask(bearer()), edge.ask(bearer()), edge.ask(bearer())])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401])
    expect(edge.records.filter(({ code }) => code === 'ERR_TOKEN_REPLAYED')).toHaveLength(2)
    await edge.close()
  })

  it('needs more scope than the token has: 403, and which', async () => {
    await open({ profile: 'jwt-downscope', audience: ['https://orders.beta.example'], scope: ['admin'] })
    const answer = await edge.ask(bearer())
    expect(answer).toMatchObject(refused(403, 'ERR_PROFILE_SCOPE'))
    expect(answer.headers['www-authenticate']).toMatch(/error="insufficient_scope".*scope="admin"/)
    await edge.close()
  })
})

describe('a user who has to authenticate again', () => {
  it('is sent to: 401, with what would do (RFC 9470 section 3)', async () => {
    await open(undefined, (folder) =>
      rewrite(
        folder,
        'edge.yaml',
        'format: jwt',
        'format: jwt\n    authentication: { acr_values: [phr], max_age: 300 }',
      ),
    )
    const answer = await edge.ask(bearer())
    expect(answer).toMatchObject(refused(401, 'ERR_TOKEN_AUTHENTICATION'))
    expect(answer.headers['www-authenticate']).toMatch(
      /^Bearer realm=.*error="insufficient_user_authentication".*, acr_values="phr", max_age="300"$/,
    )
    expect(answer.body).toMatchObject({ acr_values: 'phr', max_age: 300 })
    await edge.close()
  })
})

describe('a token that is bound to a DPoP key', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const { jkt } = publicKey(createPublicKey(privateKey))
  let bound: string
  beforeAll(async () => {
    await open()
    bound = await edge.token('jwt', { confirmation: { jkt } })
  })
  afterAll(() => edge.close())

  const ath = (text: string) => createHash('sha256').update(text).digest('base64url')
  const HTU = 'https://api.example:8443/orders/17'
  const proof = (claims: { readonly [claim: string]: unknown } = {}) =>
    dpopBy(privateKey, { issuer: 'x' }, { iat: NOW, htm: 'GET', htu: HTU, ath: ath(bound), ...claims })

  it('comes with a proof for the request before the proxy, and stays bound', async () => {
    const answer = await edge.ask({ authorization: `DPoP ${bound}`, dpop: proof() })
    expect(answer.status).toBe(200)
    expect(edge.last()).toMatchObject({ proofs: ['dpop'] })
    expect(edge.last().ledger).toContainEqual(expect.objectContaining({ claim: 'cnf', became: 'kept' }))
  })

  it.each([
    ['another method', { htm: 'POST' }],
    ['another path', { htu: 'https://api.example:8443/orders/18' }],
    ['another host', { htu: 'https://other.example/orders/17' }],
    ['our token endpoint', { htm: 'POST', htu: 'http://127.0.0.1:8080/token' }],
    ['another token', { ath: ath('x') }],
    ['no token', { ath: undefined }],
  ])('a proof for %s is refused', async (_, claims) => {
    const answer = await edge.ask({ authorization: `DPoP ${bound}`, dpop: proof(claims) })
    expect(answer).toMatchObject(refused(401, 'ERR_PROOF_DPOP'))
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP .*error="invalid_dpop_proof".*algs="ES256/)
  })

  it('a proof is good once, whatever the query', async () => {
    const headers = { authorization: `DPoP ${bound}`, dpop: proof() }
    expect((await edge.ask(headers)).status).toBe(200)
    expect(await edge.ask({ ...headers, 'x-original-uri': '/orders/17?x=2' })).toMatchObject(
      refused(401, 'ERR_PROOF_REPLAYED'),
    )
  })

  it('is no bearer token, with a proof beside it or without', async () => {
    for (const dpop of [undefined, proof()]) {
      expect(await edge.ask({ authorization: `Bearer ${bound}`, dpop })).toMatchObject(
        refused(401, 'ERR_TOKEN_UNPROVED'),
      )
    }
  })

  it('must be one: a proof does not go with a bearer token', async () => {
    const answer = await edge.ask({ authorization: `DPoP ${token}`, dpop: proof({ ath: ath(token) }) })
    expect(answer).toMatchObject(refused(401, 'ERR_PROOF_MISMATCH'))
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP .*error="invalid_token"/)
  })
})

describe('where DPoP proofs need a nonce', () => {
  it('the refusal gives one, for the client to come again with', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    await open({}, (folder) => rewrite(folder, 'dragoman.yaml', 'forward_auth: [', 'dpop_nonce: true\nforward_auth: ['))
    const bound = await edge.token('jwt', { confirmation: { jkt: publicKey(createPublicKey(privateKey)).jkt } })
    const ath = createHash('sha256').update(bound).digest('base64url')
    const use = { iat: NOW, htm: 'GET', htu: 'https://api.example:8443/orders/17', ath }
    const ask = (more: { readonly [claim: string]: unknown }) =>
      edge.ask({ authorization: `DPoP ${bound}`, dpop: dpopBy(privateKey, { issuer: 'x' }, { ...use, ...more }) })
    const first = await ask({})
    expect(first).toMatchObject(refused(401, 'ERR_PROOF_NONCE'))
    expect(first.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce"/)
    const nonce = first.headers['dpop-nonce']
    expect(nonce).toMatch(/^[\w-]{43}$/)
    expect((await ask({ nonce })).status).toBe(200)
    await edge.close()
  })
})

describe('a client certificate that the proxy saw', () => {
  const certificateOf = (pem: string) => new X509Certificate(pem).raw
  const structured = (der: Uint8Array) => `:${Buffer.from(der).toString('base64')}:`
  const thumbprint = (der: Uint8Array) => createHash('sha256').update(der).digest('base64url')

  it('is not looked at unless the proxy is trusted to say so', async () => {
    await open()
    const der = certificateOf(edge.file('client.pem'))
    const bound = await edge.token('jwt', { confirmation: { x5tS256: thumbprint(der) } })
    const headers = { authorization: `Bearer ${bound}`, 'client-cert': structured(der) }
    expect(await edge.ask(headers)).toMatchObject(refused(401, 'ERR_TOKEN_UNPROVED'))
    await edge.close()
  })

  it.each([
    ['structured', structured],
    ['base64', (der: Uint8Array) => Buffer.from(der).toString('base64')],
    ['pem', (der: Uint8Array) => encodeURIComponent(new X509Certificate(der).toString())],
  ] as const)('counts as shown where it is: %s', async (encoding, written) => {
    const access = { profile: 'jwt-downscope', audience: ['https://orders.beta.example'] }
    await open({ ...access, client_certificate: { header: 'Client-Cert', encoding } })
    const der = certificateOf(edge.file('client.pem'))
    const other = certificateOf(edge.file('tls.pem'))
    const bound = await edge.token('jwt', { confirmation: { x5tS256: thumbprint(der) } })
    const ask = (field: string | readonly string[] | undefined) =>
      edge.ask({ authorization: `Bearer ${bound}`, 'client-cert': field })
    expect((await ask(written(der))).status).toBe(200)
    expect(edge.last()).toMatchObject({ proofs: ['mtls'] })
    expect(await ask(written(other))).toMatchObject(refused(401, 'ERR_PROOF_MISMATCH'))
    expect(await ask(undefined)).toMatchObject(refused(401, 'ERR_TOKEN_UNPROVED'))
    expect(await ask([written(other), written(der)])).toMatchObject(refused(403, 'ERR_REQUEST_FORWARDED'))
    expect(await ask('%%%')).toMatchObject(refused(403, 'ERR_REQUEST_FORWARDED'))
    expect(await ask(`x${written(der)}`)).toMatchObject(refused(403, 'ERR_REQUEST_FORWARDED'))
    await edge.close()
  })

  it('can be the subject itself', async () => {
    await open({
      ...{ profile: 'x509-to-jwt', audience: ['https://x509-to-jwt.beta.example'] },
      ...{ client_certificate: { header: 'Client-Cert', encoding: 'structured' } },
      subject_token_type: 'urn:ietf:params:oauth:token-type:mtls',
    })
    const der = certificateOf(edge.file('client.pem'))
    const answer = await edge.ask({ 'client-cert': structured(der) })
    expect(answer.status).toBe(200)
    const [, payload = ''] = String(answer.headers['txn-token']).split('.')
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      ...{ sub: 'spiffe://alpha.example/ns/shop/sa/orders', cnf: { 'x5t#S256': thumbprint(der) } },
    })
    expect(await edge.ask(bearer())).toMatchObject(refused(401, 'ERR_REQUEST_MISSING'))
    await edge.close()
  })
})

describe('a proxy that shows a certificate', () => {
  it('is known by it, and proves nothing for whoever is before it', async () => {
    const live = await newLive({
      edit(folder) {
        rewrite(folder, 'dragoman.yaml', 'tls: {', 'forward_auth: true, tls: {')
        rewrite(
          folder,
          'dragoman.yaml',
          'clients:\n',
          `clients:
  - client_id: proxy
    token_endpoint_auth_method: tls_client_auth
    certificate_authorities: alpha-ca.pem
    tls_client_auth_san_uri: ${WORKLOAD}
`,
        )
        rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [edge.yaml]')
        const entry = { name: 'edge', profile: 'jwt-downscope', client: 'proxy', request_from: 'x-original' }
        const more = { subject_token_type: tokenTypes.jwt, audience: ['https://orders.beta.example'] }
        writeFileSync(
          join(folder, 'dragoman.yaml'),
          `${readFileSync(join(folder, 'dragoman.yaml'), 'utf8')}forward_auth: ${JSON.stringify([{ ...entry, ...more }])}\n`,
        )
        writeFileSync(join(folder, 'edge.yaml'), read('profiles/jwt-downscope.yaml').replace('[demo]', '[proxy]'))
      },
    })
    const shown = { cert: live.file('client.pem'), key: live.file('client.key') }
    const ask = (text: string, tls: object) =>
      send(live.secure, {
        path: '/forward-auth/edge',
        headers: { ...ABOUT, authorization: `Bearer ${text}`, 'client-authorization': PROXY },
        tls: { ca: live.authority, ...tls },
      })
    const good = await live.token('jwt')
    expect((await ask(good, shown)).status).toBe(200)
    expect(live.last()).toMatchObject({ client: 'proxy', client_method: 'tls_client_auth' })
    expect(live.last().proofs).toBeUndefined()
    expect((await ask(good, {})).status).toBe(503)
    expect(live.last()).toMatchObject({ code: 'ERR_CLIENT_MISSING' })
    // Stolen from the proxy, and sent through it: its own handshake must not prove it.
    const x5tS256 = createHash('sha256').update(new X509Certificate(shown.cert).raw).digest('base64url')
    const stolen = await live.token('jwt', { confirmation: { x5tS256 } })
    expect((await ask(stolen, shown)).status).toBe(401)
    expect(live.last()).toMatchObject({ code: 'ERR_TOKEN_UNPROVED' })
    await live.close()
  })
})

describe('a profile with transactions', () => {
  const profile = `name: jwt-to-cwt
accept:
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [beta.example] }
transactions:
  - name: look
    clients: [demo]
    subjects: [spiffe://alpha.example/*]
    scope: [orders.read]
    lifetime: 60
    details: { path: { type: string, cel: request.forwarded.path } }
stages:
  - format: { to: jwt, kind: txntoken+jwt }
  - crypto: { key: signing }
`
  const options = { audience: ['beta.example'], scope: ['orders.read'] }
  beforeAll(() => open(options, (folder) => writeFileSync(join(folder, 'edge.yaml'), profile)))
  afterAll(() => edge.close())

  it('makes a transaction token of the request that the proxy asks about', async () => {
    const answer = await edge.ask(bearer())
    expect([answer.status, edge.last().code]).toEqual([200, undefined])
    const said = decodeJwt(String(answer.headers['txn-token']))
    expect(said).toMatchObject({
      ...{ aud: 'beta.example', scope: 'orders.read', req_wl: 'demo', tctx: { path: '/orders/17' } },
      ...{ sub: WORKLOAD, txn: expect.any(String) },
    })
    expect(decodeProtectedHeader(String(answer.headers['txn-token'])).typ).toBe('txntoken+jwt')
  })
})
