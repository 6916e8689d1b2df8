import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader, importPKCS8, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { type LiveDomains, newLiveDomains } from '../support/chaining.ts'
import { type GoPeer, hasGoPeer, NO_GO_PEER, startGoPeer } from '../support/go-peer.ts'
import { freePorts, postForm, rewrite } from '../support/live.ts'

if (!hasGoPeer('fosite')) console.warn(`skipped: ${NO_GO_PEER}`)

describe.skipIf(!hasGoPeer('fosite'))('ory/fosite, in Go', () => {
  let domains: LiveDomains
  let peer: GoPeer
  beforeAll(async () => {
    const [port = 0] = await freePorts(1)
    const partner = `http://127.0.0.1:${port}`
    domains = await newLiveDomains((folder) => {
      const larkspur = join(folder, 'larkspur')
      // It is asked for by its issuer, and wants to be named by its token endpoint.
      rewrite(larkspur, 'grant.yaml', 'allow: [', `allow: [{ request: ${partner}, audience: ${partner}/token }, `)
      rewrite(larkspur, 'grant.yaml', '{ intake: larkspur-claims }', '{ intake: service }')
    })
    peer = await startGoPeer('fosite', port, domains.issuer('larkspur'))
  })
  afterAll(async () => {
    await peer?.stop()
    await domains?.close()
  })

  const redeem = async (assertion: string, scope = 'claims.create', client = 'service') => {
    const { status, text } = await postForm(`${peer.issuer}/token`, client, {
      grant_type: jwtBearer.type,
      assertion,
      scope,
    })
    return { status, body: JSON.parse(text) }
  }
  async function grant(audience = peer.issuer): Promise<string> {
    const { body } = await postForm(`${domains.issuer('larkspur')}/token`, 'intake', {
      ...{ grant_type: TOKEN_EXCHANGE, subject_token: domains.file('txn.jwt'), audience },
      subject_token_type: tokenTypes.txnToken,
    })
    return String(body['access_token'])
  }
  const refused = (why: string) => ({
    status: 400,
    body: { error: 'invalid_grant', error_description: expect.stringContaining(why) },
  })

  it('redeems a grant that names its token endpoint, once, for a client that has authenticated', async () => {
    const assertion = await grant()
    expect(decodeJwt(assertion).aud).toBe(`${peer.issuer}/token`)
    expect(await redeem(assertion, 'claims.create', 'stranger')).toMatchObject({ status: 401 })
    expect(await redeem(assertion, 'claims.delete')).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
    const { body } = await redeem(assertion)
    expect(body).toMatchObject({ token_type: 'bearer', scope: 'claims.create', sub: decodeJwt(assertion).sub })
    expect(await redeem(assertion)).toMatchObject({ status: 400, body: { error: 'jti_known' } })
  })

  it('refuses what is for another server, over, or not by our key', async () => {
    expect(await redeem(await grant(domains.issuer('meridian')))).toMatchObject(refused('audience'))
    const good = await grant()
    const claims = decodeJwt(good)
    const header = { ...decodeProtectedHeader(good), alg: 'ES256' }
    const ours = await importPKCS8(domains.file('larkspur.key'), 'ES256')
    const now = Math.floor(Date.now() / 1000)
    const over = new SignJWT({ ...claims, iat: now - 240, exp: now - 120 }).setProtectedHeader(header)
    expect(await redeem(await over.sign(ours))).toMatchObject(refused('expired'))
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const forged = new SignJWT(claims).setProtectedHeader(header)
    expect(await redeem(await forged.sign(privateKey))).toMatchObject(refused('integrity'))
    const another = new SignJWT({ ...claims, iss: domains.issuer('meridian') }).setProtectedHeader(header)
    expect(await redeem(await another.sign(ours))).toMatchObject(refused('No public JWK'))
    expect(await redeem(good)).toMatchObject({ status: 200 })
  })
})
