import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, importPKCS8, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { type LiveDomains, newLater, newLiveDomains } from '../support/chaining.ts'
import { type GoPeer, hasGoPeer, NO_GO_PEER, startGoPeer } from '../support/go-peer.ts'
import { freePorts, postForm, rewrite } from '../support/live.ts'

if (!hasGoPeer('zitadel')) console.warn(`skipped: ${NO_GO_PEER}`)

describe.skipIf(!hasGoPeer('zitadel'))('zitadel/oidc, in Go', () => {
  let domains: LiveDomains
  let peer: GoPeer
  /** `robot` authenticates with an assertion. */
  const robot = generateKeyPairSync('rsa', { modulusLength: 2048 })
  beforeAll(async () => {
    const [port = 0] = await freePorts(1)
    const partner = `http://127.0.0.1:${port}`
    domains = await newLiveDomains((folder) => {
      const larkspur = join(folder, 'larkspur')
      rewrite(larkspur, 'grant.yaml', 'allow: [', `allow: [${partner}, `)
      rewrite(larkspur, 'grant.yaml', 'clients: [intake]', 'clients: [intake, robot]')
      rewrite(larkspur, 'grant.yaml', '{ intake: larkspur-claims }', '{ intake: larkspur-claims, robot: robot }')
      const jwk = JSON.stringify({ ...robot.publicKey.export({ format: 'jwk' }), kid: 'robot-1', alg: 'RS256' })
      rewrite(
        folder,
        'dragoman.yaml',
        '      - { client_id: desk,',
        `      - client_id: robot
        token_endpoint_auth_method: private_key_jwt
        jwks: { keys: [${jwk}] }
        # The library makes assertions that live an hour.
        assertion_max_lifetime: 3600
      - { client_id: desk,`,
      )
      rewrite(
        folder,
        'dragoman.yaml',
        /^ {4}profiles: meridian$/m,
        `      - issuer: ${partner}
        discovery: true
        fetch: { allow_private_addresses: true }
        algorithms: [ES256]
        subjects: [service]
    profiles: meridian`,
      )
      const meridian = join(folder, 'meridian')
      rewrite(meridian, 'redeem.yaml', /^ {4}kind: authorization-grant\+jwt\n/m, '')
      rewrite(meridian, 'redeem.yaml', /^ {4}issuers: .*$/m, `    issuers: [${partner}]`)
      rewrite(meridian, 'redeem.yaml', /^ {4}for_client: client_id\n/m, '')
    })
    peer = await startGoPeer('zitadel', port, domains.issuer('larkspur'), domains.issuer('meridian'))
  })
  afterAll(async () => {
    await peer?.stop()
    await domains?.close()
  })

  const redeem = (assertion: string) =>
    postForm(`${domains.issuer('meridian')}/token`, 'larkspur-claims', { grant_type: jwtBearer.type, assertion })
  const atPeer = (assertion: string, scope = 'claims.create') =>
    postForm(`${peer.issuer}/oauth/token`, 'service', { grant_type: jwtBearer.type, assertion, scope })
  const code = () => domains.records.at(-1)?.code

  /** Its own token, for our gateway or somebody else. */
  async function issued(scope = 'claims.create'): Promise<string> {
    const { body } = await postForm(`${peer.issuer}/oauth/token`, 'service', {
      grant_type: 'client_credentials',
      scope,
    })
    return String(body['access_token'])
  }

  const wanted = () => ({
    ...({ do: 'exchange', issuer: domains.issuer('larkspur'), client: 'intake' } as const),
    ...{ token: domains.file('txn.jwt'), token_type: tokenTypes.txnToken },
  })

  /** A grant, asked for by its own client. */
  async function grant(audience = peer.issuer): Promise<string> {
    const answer = await peer.ask({ ...wanted(), audience: [audience] })
    expect(answer).toMatchObject({ token_type: 'N_A', issued_token_type: tokenTypes.jwt, scope: 'claims.create' })
    return String(answer['access_token'])
  }

  it('its client finds us by our metadata, exchanges for a grant and redeems it at its server, once', async () => {
    const assertion = await grant()
    const { body, text } = await atPeer(assertion)
    const keys = createRemoteJWKSet(new URL(`${peer.issuer}/keys`))
    const { payload } = await jwtVerify(String(body['access_token']), keys, { issuer: peer.issuer })
    expect(payload, text).toMatchObject({ sub: decodeJwt(assertion).sub, scope: 'claims.create' })
    expect(await atPeer(assertion)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    // It asks nobody who redeems, as docs/interoperability.md says.
    const unknown = await postForm(`${peer.issuer}/oauth/token`, 'stranger', {
      ...{ grant_type: jwtBearer.type, assertion: await grant(), scope: 'claims.create' },
    })
    expect(unknown).toMatchObject({ status: 200 })
  })

  it('its client authenticates with an assertion of its own', async () => {
    const key = robot.privateKey.export({ format: 'pem', type: 'pkcs8' })
    const answer = await peer.ask({ ...wanted(), client: 'robot', key, kid: 'robot-1', audience: [peer.issuer] })
    expect(decodeJwt(String(answer['access_token']))).toMatchObject({ client_id: 'robot', aud: peer.issuer })
  })

  it('its client hears why it was refused', async () => {
    const elsewhere = await peer.ask({ ...wanted(), audience: ['https://elsewhere.example'] })
    expect(elsewhere['error']).toContain('invalid_target')
    const stranger = await peer.ask({ ...wanted(), client: 'stranger', audience: [peer.issuer] })
    expect(stranger['error']).toContain('invalid_client')
    const expired = await peer.ask({ ...wanted(), token: domains.file('expired.jwt'), audience: [peer.issuer] })
    expect(expired['error']).toContain('invalid_request')
    expect(code()).toBe('ERR_TOKEN_EXPIRED')
  })

  it('as domain B: refuses what is for another server, over, or not by our key', async () => {
    expect(await atPeer(await grant(domains.issuer('meridian')))).toMatchObject({ status: 400 })
    const good = await grant()
    const claims = decodeJwt(good)
    const header = { ...decodeProtectedHeader(good), alg: 'ES256' }
    const ours = await importPKCS8(domains.file('larkspur.key'), 'ES256')
    const now = Math.floor(Date.now() / 1000)
    const over = new SignJWT({ ...claims, iat: now - 240, exp: now - 120 }).setProtectedHeader(header)
    expect(await atPeer(await over.sign(ours))).toMatchObject({ status: 400 })
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(await atPeer(await new SignJWT(claims).setProtectedHeader(header).sign(privateKey))).toMatchObject({
      status: 400,
    })
    const another = new SignJWT({ ...claims, iss: domains.issuer('meridian') }).setProtectedHeader(header)
    expect(await atPeer(await another.sign(ours))).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect(await atPeer(good)).toMatchObject({ status: 200 })
  })

  it('as domain A: what it issues for us is redeemed by its keys, found through its metadata, once', async () => {
    const assertion = await issued()
    const { body } = await redeem(assertion)
    expect(decodeJwt(String(body['access_token']))).toMatchObject({
      ...{ iss: domains.issuer('meridian'), sub: 'https://meridian.example/guests/service', scope: 'claims.create' },
      trust_path: [peer.issuer],
    })
    expect((await redeem(assertion)).body).toMatchObject({ error: 'invalid_grant' })
    expect(code()).toBe('ERR_TOKEN_REPLAYED')
  })

  it('as domain A: refused for another audience, too late, or by a key that is not its own', async () => {
    const assertion = await issued()
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const header = { ...decodeProtectedHeader(assertion), alg: 'ES256' }
    const twins = [
      [await issued('claims.create elsewhere'), 'ERR_TOKEN_AUDIENCE'],
      [await new SignJWT(decodeJwt(assertion)).setProtectedHeader(header).sign(privateKey), 'ERR_TOKEN_SIGNATURE'],
    ] as const
    for (const [raw, refusal] of twins) {
      expect((await redeem(raw)).body).toMatchObject({ error: 'invalid_grant' })
      expect(code()).toBe(refusal)
    }
    const later = await newLater(domains)
    onTestFinished(() => later.close())
    later.ahead = 600
    expect(await later.post('meridian', 'larkspur-claims', { grant_type: jwtBearer.type, assertion })).toEqual({
      ...{ status: 400, code: 'ERR_TOKEN_EXPIRED' },
    })
  })

  it('its verifier takes our access token by our metadata and keys, and nobody else’s', async () => {
    const { body } = await redeem(await issued())
    const token = String(body['access_token'])
    const question = { do: 'verify', issuer: domains.issuer('meridian'), token } as const
    const audience = ['https://claims.meridian.example']
    expect(await peer.ask({ ...question, audience })).toMatchObject({
      scope: 'claims.create',
      client_id: 'larkspur-claims',
    })
    expect((await peer.ask({ ...question, audience: ['https://elsewhere.example'] }))['error']).toContain('audience')
    expect((await peer.ask({ ...question, issuer: domains.issuer('larkspur') }))['error']).toContain('issuer')
    const [head, , signature] = token.split('.')
    const altered = Buffer.from(JSON.stringify({ ...decodeJwt(token), scope: 'all' })).toString('base64url')
    expect((await peer.ask({ ...question, token: `${head}.${altered}.${signature}` }))['error']).toContain('signature')
  })
})
