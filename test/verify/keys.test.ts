import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createVerifier, type VerifierOptions } from '../../src/verify/index.ts'
import { changingServer, json, status } from '../support/servers.ts'
import { DOMAIN, NOW, PAY, payment, TTS } from '../support/verify.ts'

const refused = (code: string) => expect.objectContaining({ code })

/** An issuer that is made with another library. */
async function newIssuer(alg: string, kid: string) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
  const sign = (now = NOW, claims: { readonly [claim: string]: unknown } = {}, iss = TTS) =>
    new SignJWT({
      txn: 'tx-1',
      scope: 'order.pay',
      req_wl: 'gateway',
      tctx: { order_id: 'o-771', amount: 18.4 },
      ...claims,
    })
      .setProtectedHeader({ alg, kid, typ: 'txntoken+jwt' })
      .setIssuer(iss)
      .setAudience(DOMAIN)
      .setSubject('u-501')
      .setIssuedAt(now)
      .setExpirationTime(now + 60)
      .sign(privateKey)
  return { jwk, sign }
}

const options = (jwks_uri: string, differs: Partial<VerifierOptions> = {}): VerifierOptions => ({
  issuers: [{ issuer: TTS, jwks_uri, fetch: { allow_private_addresses: true, refresh: 300, stale_limit: 3600 } }],
  audience: DOMAIN,
  kind: 'txntoken+jwt',
  requests: PAY,
  ...differs,
})

describe('tokens that another library signed', () => {
  it.each(['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'PS512', 'EdDSA', 'ML-DSA-44', 'ML-DSA-65'])(
    'are verified: %s',
    async (alg) => {
      const issuer = await newIssuer(alg, 'k')
      const jwks = { keys: [issuer.jwk] }
      const verifier = createVerifier({ ...options(''), issuers: [{ issuer: TTS, jwks }], clock: () => NOW })
      expect(await verifier.verifyRequest(payment(await issuer.sign()))).toMatchObject({ sub: 'u-501', txn: 'tx-1' })
      const [header, payload = ''] = (await issuer.sign()).split('.')
      const [, , signature] = (await issuer.sign(NOW, { scope: 'order.read' })).split('.')
      await expect(verifier.verifyRequest(payment([header, payload, signature].join('.')))).rejects.toEqual(
        refused('ERR_TOKEN_SIGNATURE'),
      )
    },
  )
})

describe('keys behind a URL', () => {
  it('are fetched once, and again when a token names one that is not there', async () => {
    const [first, second] = [await newIssuer('ES256', 'first'), await newIssuer('ES256', 'second')]
    const server = await changingServer(json({ keys: [first.jwk] }))
    let now = NOW
    const verifier = createVerifier(options(`${server.origin}/jwks`, { clock: () => now }))
    const ask = async (issuer: typeof first) => verifier.verifyRequest(payment(await issuer.sign(now)))
    for (const _ of [1, 2, 3]) expect((await ask(first)).sub).toBe('u-501')
    expect(server.requests.length).toBe(1)
    server.answer(json({ keys: [first.jwk, second.jwk] }))
    now += 31
    expect((await ask(second)).sub).toBe('u-501')
    expect(server.requests.length).toBe(2)
    expect(verifier.status()).toMatchObject([{ issuer: TTS, ready: true, keys: 2 }])
  })

  it('that were rotated away verify nothing any more, not even what they verified before', async () => {
    const [old, fresh] = [await newIssuer('ES256', 'old'), await newIssuer('ES256', 'fresh')]
    const server = await changingServer(json({ keys: [old.jwk] }))
    let now = NOW
    const verifier = createVerifier(options(`${server.origin}/jwks`, { clock: () => now }))
    const token = await old.sign(NOW + 280)
    now += 280
    expect((await verifier.verifyRequest(payment(token))).sub).toBe('u-501')
    server.answer(json({ keys: [fresh.jwk] }))
    now += 30
    expect((await verifier.verifyRequest(payment(await fresh.sign(now)))).sub).toBe('u-501')
    await expect(verifier.verifyRequest(payment(token))).rejects.toEqual(refused('ERR_TRUST_KEY'))
  })

  it('are asked for at most every half minute for the sake of unknown names', async () => {
    const [known, unknown] = [await newIssuer('ES256', 'known'), await newIssuer('ES256', 'unknown')]
    const server = await changingServer(json({ keys: [known.jwk] }))
    let now = NOW
    const verifier = createVerifier(options(`${server.origin}/jwks`, { clock: () => now }))
    expect((await verifier.verifyRequest(payment(await known.sign()))).sub).toBe('u-501')
    now += 31
    for (const _ of Array.from({ length: 20 })) {
      await expect(verifier.verifyRequest(payment(await unknown.sign(now)))).rejects.toEqual(refused('ERR_TRUST_KEY'))
    }
    expect(server.requests.length).toBe(2)
  })

  it('go on working while their issuer is down, until the limit; a new key is not called wrong meanwhile', async () => {
    const [known, unknown] = [await newIssuer('ES256', 'known'), await newIssuer('ES256', 'unknown')]
    const server = await changingServer(json({ keys: [known.jwk] }))
    let now = NOW
    const verifier = createVerifier(options(`${server.origin}/jwks`, { clock: () => now }))
    expect((await verifier.verifyRequest(payment(await known.sign()))).sub).toBe('u-501')
    server.answer(status(503))
    now += 400
    expect((await verifier.verifyRequest(payment(await known.sign(now)))).sub).toBe('u-501')
    const { answer } = await verifier.admit(payment(await unknown.sign(now)))
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } })
    now += 3600
    expect((await verifier.admit(payment(await known.sign(now)))).answer?.status).toBe(503)
    server.answer(json({ keys: [known.jwk] }))
    now += 120
    expect((await verifier.verifyRequest(payment(await known.sign(now)))).sub).toBe('u-501')
  })

  it('that were never there are no reason to let anyone in', async () => {
    const server = await changingServer(status(500))
    const issuer = await newIssuer('ES256', 'k')
    const verifier = createVerifier(options(`${server.origin}/jwks`, { clock: () => NOW }))
    expect((await verifier.admit(payment(await issuer.sign()))).answer?.status).toBe(503)
    expect(verifier.status()).toMatchObject([{ ready: false, keys: 0, lastError: 'status 500' }])
  })

  it('are found through metadata, and only through that of the issuer itself', async () => {
    const issuer = await newIssuer('ES256', 'k')
    let named = ''
    const server = await changingServer((request, response) => {
      const metadata = { issuer: named, jwks_uri: `${server.origin}/jwks` }
      json(request.url === '/jwks' ? { keys: [issuer.jwk] } : metadata)(request, response)
    })
    const discovered = () =>
      createVerifier({
        ...options(''),
        issuers: [{ issuer: server.origin, discovery: true, fetch: { allow_private_addresses: true } }],
        clock: () => NOW,
      })
    const token = payment(await issuer.sign(NOW, {}, server.origin))
    named = 'https://tts.meridian.example'
    expect((await discovered().admit(token)).answer?.status).toBe(503)
    named = server.origin
    expect((await discovered().verifyRequest(token)).iss).toBe(server.origin)
  })
})
