import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  importPKCS8,
  jwtVerify,
  SignJWT,
} from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { createVerifier } from '../../src/verify/index.ts'
import { type LiveDomains, liveIn, newLater } from '../support/chaining.ts'
import { hasKeycloak, type Keycloak, NO_KEYCLOAK, startKeycloak } from '../support/keycloak.ts'
import { basicOf, dpopBy, freePorts, send } from '../support/live.ts'

if (!hasKeycloak) console.warn(`skipped: ${NO_KEYCLOAK}`)

const FILES = fileURLToPath(new URL('keycloak', import.meta.url))
const CLAIMS = 'https://claims.larkspur.example'
const MIRA = '2f6c1f0e-5b1d-4a6e-9a53-0d1f6f2f8a11'

const call = { method: 'GET', url: '/claims' }
const discovered = (issuer: string) => ({
  ...{ issuer, discovery: true as const, algorithms: ['RS256'], fetch: { allow_private_addresses: true } },
})

type Strings = { readonly [name: string]: string }

/** What Keycloak answers to a grant that it does not take. */
const refused = (why: string) => ({
  status: 400,
  body: { error: 'invalid_grant', error_description: expect.stringContaining(why) },
})

describe.skipIf(!hasKeycloak)('Keycloak', () => {
  let keycloak: Keycloak
  let domains: LiveDomains
  beforeAll(async () => {
    keycloak = await startKeycloak()
    const [port = 0] = await freePorts(1)
    const onPorts = (text: string) => text.replaceAll('8080', String(port)).replaceAll('8180', String(keycloak.port))
    const folder = mkdtempSync(join(tmpdir(), 'dragoman-keycloak-'))
    cpSync(FILES, folder, { recursive: true })
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = join(entry.parentPath, entry.name)
      writeFileSync(file, onPorts(readFileSync(file, 'utf8')))
    }
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    writeFileSync(join(folder, 'larkspur.key'), key.export({ format: 'pem', type: 'pkcs8' }))
    writeFileSync(join(folder, 'pairwise.secret'), randomBytes(32).toString('base64url'))
    domains = await liveIn(folder, join(folder, 'dragoman.yaml'), port)
    for (const realm of ['larkspur', 'meridian']) {
      await keycloak.admin('POST', '', JSON.parse(domains.file(`realm-${realm}.json`)))
    }
  }, 300_000)
  afterAll(async () => {
    await domains?.close()
    await keycloak?.stop()
  })

  /** Mira signs in at Keycloak, through a client of its realm larkspur. */
  async function signIn(client: string, scope: string, headers: Strings = {}) {
    const person = { username: 'mira', password: 'mira-password' }
    const { body } = await keycloak.token('larkspur', client, { grant_type: 'password', ...person, scope }, headers)
    return { access: String(body['access_token']), id: String(body['id_token']) }
  }

  const post = (tenant: string, client: string, parameters: Strings, headers: Strings = {}) =>
    send(`${domains.issuer(tenant)}/token`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basicOf(client, `${client}-secret`),
        ...headers,
      },
      body: new URLSearchParams(parameters).toString(),
    })
  const exchange = (subject_token: string, subject_token_type: string, more: Strings, headers: Strings = {}) =>
    post('larkspur', 'desk', { grant_type: TOKEN_EXCHANGE, subject_token, subject_token_type, ...more }, headers)
  const proofOf = (key: KeyObject) => ({ DPoP: dpopBy(key, { issuer: domains.issuer('larkspur') }) })
  const atKeycloak = (assertion: string, scope?: string, client = 'larkspur-desk') =>
    keycloak.token('meridian', client, { grant_type: jwtBearer.type, assertion, ...(scope !== undefined && { scope }) })
  /** The same gateway again on another clock. */
  async function onOtherClock() {
    const later = await newLater(domains)
    onTestFinished(() => later.close())
    return later
  }
  const accessToken = (subject_token: string) => ({
    ...{ grant_type: TOKEN_EXCHANGE, subject_token, subject_token_type: tokenTypes.accessToken, audience: CLAIMS },
  })
  const code = () => domains.records.at(-1)?.code

  /** A grant for Keycloak's realm meridian. */
  async function grant(): Promise<string> {
    const audience = keycloak.issuer('meridian')
    const { access } = await signIn('desk', 'gateway claim.submit')
    const { text, body } = await exchange(access, tokenTypes.accessToken, { audience, scope: 'claims.create' })
    expect(body, text).toHaveProperty('access_token')
    return String(body['access_token'])
  }

  /** An ID-JAG for the same, or another server. */
  async function idJag(headers: Strings = {}, audience = keycloak.issuer('meridian')): Promise<string> {
    const { id } = await signIn('desk', 'openid')
    const asked = { audience, resource: 'https://calendar.meridian.example' }
    const { text, body } = await exchange(
      ...([id, tokenTypes.idToken] as const),
      { ...asked, requested_token_type: tokenTypes.idJag, scope: 'calendar.read' },
      headers,
    )
    expect(body, text).toHaveProperty('access_token')
    return String(body['access_token'])
  }

  it('as domain A: its access token, by keys found through its metadata, becomes one of ours', async () => {
    const { access } = await signIn('desk', 'gateway claim.submit')
    const { body } = await exchange(access, tokenTypes.accessToken, { audience: CLAIMS, scope: 'claim.submit' })
    const keys = createRemoteJWKSet(new URL(`${domains.issuer('larkspur')}/jwks`))
    const { payload } = await jwtVerify(String(body['access_token']), keys, {
      ...{ issuer: domains.issuer('larkspur'), audience: CLAIMS, typ: 'at+jwt' },
    })
    expect(payload).toMatchObject({ sub: MIRA, client_id: 'desk', scope: 'claim.submit' })
    expect(payload.exp).toBeLessThanOrEqual(decodeJwt(access).exp ?? 0)
    expect(domains.records.at(-1)).toMatchObject({ subject_issuer: keycloak.issuer('larkspur') })
  })

  it('as domain A: a service verifies its access tokens with dragoman/verify', async () => {
    const { access, id } = await signIn('desk', 'openid gateway claim.submit')
    const verifier = createVerifier({
      ...{ audience: domains.issuer('larkspur'), requiredScopes: ['claim.submit'] },
      issuers: [{ ...discovered(keycloak.issuer('larkspur')), subjects: [MIRA] }],
    })
    const request = (token: string) => ({ ...call, headers: { authorization: `Bearer ${token}` } })
    expect(await verifier.verifyRequest(request(access))).toMatchObject({ sub: MIRA, client_id: 'desk' })
    await expect(verifier.verifyRequest(request(id))).rejects.toMatchObject({ code: 'ERR_TOKEN_KIND' })
  })

  it('as domain A: where its access tokens have the header type of its ID tokens, a condition tells them apart', async () => {
    const { access, id } = await signIn('plain', 'openid claim.submit')
    expect(decodeProtectedHeader(access).typ).toBe(decodeProtectedHeader(id).typ)
    const audience = 'https://plain.larkspur.example'
    expect(await exchange(access, tokenTypes.accessToken, { audience })).toMatchObject({ status: 200 })
    await exchange(id, tokenTypes.accessToken, { audience })
    expect(code()).toBe('ERR_TOKEN_AUDIENCE')
    // Even for us: what the profile says of the claim typ holds.
    const aimed = await signIn('gateway', 'openid')
    expect(decodeJwt(aimed.id).aud).toContain(domains.issuer('larkspur'))
    await exchange(aimed.id, tokenTypes.accessToken, { audience })
    expect(code()).toBe('ERR_PROFILE_CONDITION')
  })

  it('as domain A: a token that says at+jwt without client_id is refused (RFC 9068 section 2.2)', async () => {
    const { access } = await signIn('bare', 'openid')
    expect(decodeProtectedHeader(access).typ).toBe('at+jwt')
    await exchange(access, tokenTypes.accessToken, { audience: CLAIMS })
    expect(code()).toBe('ERR_PROFILE_REQUIRED')
  })

  it('as domain A: refused for another audience, too late, by a key or an issuer that is not its own', async () => {
    const claims = { audience: CLAIMS }
    const { access } = await signIn('desk', 'gateway claim.submit')
    const { kid = '' } = decodeProtectedHeader(access)
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const forged = new SignJWT(decodeJwt(access)).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid })
    const meridians = await atKeycloak(await idJag())
    const twins = [
      [(await signIn('desk', 'meridian claim.submit')).access, 'ERR_TOKEN_AUDIENCE'],
      [await forged.sign(privateKey), 'ERR_TOKEN_SIGNATURE'],
      [String(meridians.body['access_token']), 'ERR_TRUST_ISSUER'],
    ] as const
    for (const [token, refusal] of twins) {
      expect(await exchange(token, tokenTypes.accessToken, claims)).toMatchObject({ status: 400 })
      expect(code()).toBe(refusal)
    }
    expect(await exchange(access, tokenTypes.accessToken, claims)).toMatchObject({ status: 200 })
    const late = await onOtherClock()
    late.ahead = 600
    expect(await late.post('larkspur', 'desk', accessToken(access))).toEqual({
      ...{ status: 400, code: 'ERR_TOKEN_EXPIRED' },
    })
  })

  it('as domain A: a key that it begins to sign with is found', async () => {
    const gateway = await onOtherClock()
    const before = await signIn('desk', 'gateway')
    const took = { status: 200, code: undefined }
    expect(await gateway.post('larkspur', 'desk', accessToken(before.access))).toEqual(took)
    const next = (priority: number) => ({
      ...{ name: 'next', providerId: 'rsa-generated', providerType: 'org.keycloak.keys.KeyProvider' },
      config: { priority: [String(priority)], enabled: ['true'], active: ['true'], algorithm: ['RS256'] },
    })
    const { headers } = await keycloak.admin('POST', '/larkspur/components', next(200))
    const after = await signIn('desk', 'gateway')
    // For the other tests it goes on with the key that it had.
    await keycloak.admin('PUT', `/larkspur/components/${String(headers.location).split('/').at(-1)}`, next(0))
    expect(decodeProtectedHeader(after.access).kid).not.toBe(decodeProtectedHeader(before.access).kid)
    // An unknown key is asked for at most every 30 seconds.
    gateway.ahead = 31
    for (const { access } of [after, before]) {
      expect(await gateway.post('larkspur', 'desk', accessToken(access))).toEqual(took)
    }
  })

  it('as domain A: a token that it bound to a DPoP key is exchanged with a proof alone, and stays bound to it', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jkt = await calculateJwkThumbprint(publicKey.export({ format: 'jwk' }))
    const { access } = await signIn('desk', 'gateway', {
      DPoP: dpopBy(privateKey, { issuer: '' }, { htu: keycloak.endpoint('larkspur') }),
    })
    expect(decodeJwt(access)['cnf']).toMatchObject({ jkt })
    await exchange(access, tokenTypes.accessToken, { audience: CLAIMS })
    expect(code()).toBe('ERR_TOKEN_UNPROVED')
    const { body } = await exchange(access, tokenTypes.accessToken, { audience: CLAIMS }, proofOf(privateKey))
    expect(body).toMatchObject({ token_type: 'DPoP' })
    expect(decodeJwt(String(body['access_token']))['cnf']).toEqual({ jkt })
    // It writes a member of its own beside jkt, which is no binding (RFC 7800 section 3.1), and does not go on in silence.
    expect(domains.records.at(-1)?.ledger).toContainEqual({
      ...{ claim: 'cnf.kc-jkt-type', became: 'dropped', reason: 'no confirmation method that is known' },
    })
  })

  it('as domain A: what its own token exchange makes for us is redeemed here, once, by its client alone', async () => {
    const { access } = await signIn('desk', 'gateway claim.submit')
    const exchanged = await keycloak.token('larkspur', 'desk', {
      ...{ grant_type: TOKEN_EXCHANGE, subject_token: access, subject_token_type: tokenTypes.accessToken },
      ...{ audience: domains.issuer('meridian'), scope: 'meridian claim.submit' },
    })
    const assertion = String(exchanged.body['access_token'])
    const redeem = (client: string, raw: string) =>
      post('meridian', client, { grant_type: jwtBearer.type, assertion: raw })
    await redeem('kiosk', assertion)
    expect(code()).toBe('ERR_TOKEN_CLIENT')
    const { body } = await redeem('desk', assertion)
    expect(decodeJwt(String(body['access_token']))).toMatchObject({
      ...{ iss: domains.issuer('meridian'), sub: `https://meridian.example/guests/${MIRA}`, scope: 'claims.create' },
      trust_path: [keycloak.issuer('larkspur')],
    })
    expect((await redeem('desk', assertion)).body).toMatchObject({ error: 'invalid_grant' })
    expect(code()).toBe('ERR_TOKEN_REPLAYED')
    expect((await redeem('desk', access)).body).toMatchObject({ error: 'invalid_grant' })
    expect(code()).toBe('ERR_TOKEN_AUDIENCE')
  })

  it('as domain B: redeems a grant about a pseudonym that it knows, once, for a token of its own', async () => {
    const assertion = await grant()
    const { sub = '' } = decodeJwt(assertion)
    expect(await atKeycloak(assertion)).toMatchObject(refused('User not found'))
    const { text } = await keycloak.admin('GET', '/meridian/users?username=guest')
    const link = `/meridian/users/${JSON.parse(text)[0].id}/federated-identity/larkspur`
    await keycloak.admin('POST', link, { userId: sub, userName: sub })

    const again = await grant()
    expect(decodeJwt(again).sub).toBe(sub)
    const { body } = await atKeycloak(again, 'claims.create')
    const keys = createRemoteJWKSet(new URL(`${keycloak.issuer('meridian')}/protocol/openid-connect/certs`))
    const { payload } = await jwtVerify(String(body['access_token']), keys, { issuer: keycloak.issuer('meridian') })
    expect(payload).toMatchObject({ azp: 'larkspur-desk', scope: 'claims.create' })
    // As its realm asks: no longer than the grant.
    expect(payload.exp).toBeLessThanOrEqual(decodeJwt(again).exp ?? 0)
    expect(await atKeycloak(again)).toMatchObject(refused('Token reuse detected'))
  })

  it('as domain B: redeems an ID-JAG, for the client that it names and no more scope than it says', async () => {
    const assertion = await idJag()
    expect(decodeProtectedHeader(assertion).typ).toBe('oauth-id-jag+jwt')
    const other = await atKeycloak(assertion, 'calendar.read', 'larkspur-kiosk')
    expect(other).toMatchObject(refused('client id in assertion'))
    expect(await atKeycloak(assertion, 'calendar.read claims.create')).toMatchObject({ status: 400 })
    const { body } = await atKeycloak(await idJag(), 'calendar.read')
    expect(decodeJwt(String(body['access_token']))).toMatchObject({
      ...{ iss: keycloak.issuer('meridian'), azp: 'larkspur-desk', scope: 'calendar.read' },
    })
    // The API that the ID-JAG names is not among what it looks at.
    expect(decodeJwt(assertion)['resource']).toBe('https://calendar.meridian.example')
    expect(decodeJwt(String(body['access_token'])).aud).toBeUndefined()
  })

  it('as domain B: refuses what is for another server, over, or not by our key', async () => {
    const elsewhere = await idJag({}, 'https://elsewhere.example')
    expect(await atKeycloak(elsewhere)).toMatchObject(refused('Invalid token audience'))
    const good = await idJag()
    const claims = decodeJwt(good)
    const header = { ...decodeProtectedHeader(good), alg: 'ES256' }
    const ours = await importPKCS8(domains.file('larkspur.key'), 'ES256')
    const now = Math.floor(Date.now() / 1000)
    const over = new SignJWT({ ...claims, iat: now - 300, exp: now - 120 }).setProtectedHeader(header)
    expect(await atKeycloak(await over.sign(ours))).toMatchObject(refused('Token is not active'))
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const forged = new SignJWT(claims).setProtectedHeader(header)
    expect(await atKeycloak(await forged.sign(privateKey))).toMatchObject(refused('Invalid signature'))
    expect(await atKeycloak(good)).toMatchObject({ status: 200 })
  })

  it('as domain B: takes no token of ours at its own token exchange', async () => {
    const { access } = await signIn('desk', 'gateway')
    const { body } = await exchange(access, tokenTypes.accessToken, { audience: CLAIMS })
    const asked = { grant_type: TOKEN_EXCHANGE, subject_token_type: tokenTypes.accessToken }
    expect(await keycloak.token('larkspur', 'desk', { ...asked, subject_token: access })).toMatchObject({ status: 200 })
    const ours = await keycloak.token('larkspur', 'desk', { ...asked, subject_token: String(body['access_token']) })
    expect(ours).toMatchObject({ status: 400, body: { error_description: 'Invalid token' } })
  })

  it('as domain B: takes no notice of the key that a grant is bound to, as docs/interoperability.md says', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const assertion = await idJag(proofOf(privateKey))
    expect(decodeJwt(assertion)).toHaveProperty('cnf.jkt')
    const { body } = await atKeycloak(assertion)
    expect(body).toMatchObject({ token_type: 'Bearer' })
  })
})
