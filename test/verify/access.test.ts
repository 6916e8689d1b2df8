import { describe, expect, it } from 'vitest'
import { map } from '../../src/core/value.ts'
import { createVerifier, type VerifierOptions } from '../../src/verify/index.ts'
import { makeSigner } from '../support/cose.ts'
import { issue, rendering, draft as saidByCwt } from '../support/cwt.ts'
import { testKey } from '../support/jwt.ts'
import { dpopText, sha256 } from '../support/proofs.ts'
import { API, accessToken, accessVerifier, call, issuerWith, key, NOW, type Said, TTS } from '../support/verify.ts'
import { authority, leaf } from '../support/x509.ts'

const refused = (code: string, detail: Said = {}) =>
  expect.objectContaining({ code, detail: expect.objectContaining(detail) })

describe('an access token', () => {
  const verifier = accessVerifier({ requiredScopes: ['orders.read'] })

  it('says who may do what, and through which client', async () => {
    expect(await verifier.verifyRequest(call(accessToken()))).toMatchObject({
      iss: TTS,
      sub: 'u-501',
      aud: [API],
      client_id: 'web',
      scope: ['orders.read', 'orders.write'],
      jti: 'at-1',
      actors: [],
      txn: undefined,
    })
  })

  it('is verified alone as well', async () => {
    expect((await verifier.verify(accessToken())).sub).toBe('u-501')
    await expect(verifier.verify(accessToken(), { now: NOW + 330 })).rejects.toEqual(refused('ERR_TOKEN_EXPIRED'))
  })

  it('has the scopes that every token must have', async () => {
    for (const scope of ['orders.write', 'orders.read2', 'orders', '', undefined]) {
      await expect(verifier.verifyRequest(call(accessToken({ scope })))).rejects.toEqual(
        refused('ERR_REQUEST_INSUFFICIENT_SCOPE', { scope: ['orders.read'] }),
      )
    }
  })

  it('has the claims that every token must have', async () => {
    const strict = accessVerifier({ requiredClaims: ['acr'] })
    await expect(strict.verifyRequest(call(accessToken()))).rejects.toEqual(
      refused('ERR_PROFILE_REQUIRED', { claim: 'acr' }),
    )
    expect((await strict.verifyRequest(call(accessToken({ acr: '2' })))).claims['acr']).toBe('2')
  })

  it('is for this service, or for one of several names of it', async () => {
    const other = call(accessToken({ aud: 'https://stock.example' }))
    await expect(verifier.verifyRequest(other)).rejects.toEqual(refused('ERR_TOKEN_AUDIENCE'))
    const both = accessVerifier({ audience: [API, 'https://stock.example'] })
    expect((await both.verifyRequest(other)).aud).toEqual(['https://stock.example'])
  })

  it('is compared with a table, where there is one: with its scope alone', async () => {
    const listed = accessVerifier({
      requests: { 'GET /orders': { scope: 'orders.read' }, 'PUT /orders': { scope: 'x' } },
    })
    expect((await listed.verifyRequest(call(accessToken()))).sub).toBe('u-501')
    await expect(listed.verifyRequest(call(accessToken(), { method: 'PUT' }))).rejects.toEqual(
      refused('ERR_REQUEST_INSUFFICIENT_SCOPE', { scope: ['x'] }),
    )
    await expect(listed.verifyRequest(call(accessToken(), { method: 'DELETE' }))).rejects.toEqual(
      refused('ERR_REQUEST_UNLISTED'),
    )
  })

  it.each([
    ['nothing', {}, 'ERR_REQUEST_MISSING'],
    ['another scheme', { authorization: 'Basic eDp5' }, 'ERR_REQUEST_MISSING'],
    ['a scheme alone', { authorization: 'Bearer' }, 'ERR_TOKEN_MALFORMED'],
    ['a scheme and a space', { authorization: 'Bearer ' }, 'ERR_TOKEN_MALFORMED'],
    ['two tokens', { authorization: 'Bearer a.b.c d.e.f' }, 'ERR_TOKEN_MALFORMED'],
    ['a token and a parameter', { authorization: 'Bearer a.b.c, realm="x"' }, 'ERR_TOKEN_MALFORMED'],
    ['two fields', { authorization: ['Bearer a.b.c', 'DPoP a.b.c'] }, 'ERR_REQUEST_REPEATED'],
    ['no scheme', { authorization: accessToken() }, 'ERR_REQUEST_MISSING'],
    ['the header field of another kind', { 'txn-token': accessToken() }, 'ERR_REQUEST_MISSING'],
  ])('is not in %s', async (_, headers, code) => {
    await expect(verifier.verifyRequest({ method: 'GET', url: '/', headers })).rejects.toEqual(refused(code))
  })

  it('is not in the query', async () => {
    const url = `/?access_token=${accessToken()}`
    await expect(verifier.verifyRequest({ method: 'GET', url, headers: {} })).rejects.toEqual(
      refused('ERR_REQUEST_MISSING'),
    )
  })
})

describe('other kinds', () => {
  it('a plain JWT is taken where it is asked for, and nowhere else', async () => {
    const plain = accessVerifier({ kind: 'jwt' })
    expect((await plain.verifyRequest(call(accessToken({}, { typ: 'JWT' })))).sub).toBe('u-501')
    expect((await plain.verifyRequest(call(accessToken({}, { typ: undefined })))).sub).toBe('u-501')
    await expect(plain.verifyRequest(call(accessToken()))).rejects.toEqual(refused('ERR_TOKEN_KIND'))
    await expect(accessVerifier().verifyRequest(call(accessToken({}, { typ: 'JWT' })))).rejects.toEqual(
      refused('ERR_TOKEN_KIND'),
    )
  })

  it('another explicit type is taken by its name', async () => {
    const verifier = accessVerifier({ kind: 'secevent+jwt' })
    expect((await verifier.verify(accessToken({}, { typ: 'secevent+jwt' }))).sub).toBe('u-501')
    await expect(verifier.verify(accessToken())).rejects.toEqual(refused('ERR_TOKEN_KIND'))
  })

  it('a CWT is taken, with the same checks', async () => {
    const signer = makeSigner('ES256')
    const jwks = { keys: [{ ...signer.publicKey.jwk, kid: signer.kid, alg: 'ES256' }] }
    const now = 1_790_000_000
    const issuers = [{ issuer: 'https://cluster.example.com', jwks }]
    const options: VerifierOptions = { issuers, audience: API, format: 'cwt', clock: () => now }
    const verifier = createVerifier(options)
    const token = issue(signer)
    expect(await verifier.verifyRequest(call(token))).toMatchObject({
      sub: 'spiffe://cluster.example.com/orders',
      aud: [API],
    })
    const late = verifier.verify(token, { now: now + 330 })
    await expect(late).rejects.toEqual(refused('ERR_TOKEN_EXPIRED'))
    const elsewhere = issue(
      signer,
      saidByCwt({}, { validity: { ...saidByCwt().validity, audience: ['https://x.example'] } }),
    )
    await expect(verifier.verify(elsewhere)).rejects.toEqual(refused('ERR_TOKEN_AUDIENCE'))
    await expect(verifier.verify(issue(makeSigner('ES256')))).rejects.toEqual(refused('ERR_TOKEN_SIGNATURE'))
    await expect(verifier.verify(accessToken())).rejects.toEqual(refused('ERR_TOKEN_MALFORMED'))
  })
})

describe('a CWT without tags', () => {
  const signer = makeSigner('ES256')
  const jwks = { keys: [{ ...signer.publicKey.jwk, kid: signer.kid, alg: 'ES256' }] }
  const made = (untagged?: 'sign1' | 'sign') =>
    createVerifier({
      issuers: [{ issuer: 'https://cluster.example.com', jwks }],
      audience: API,
      format: 'cwt',
      clock: () => 1_790_000_000,
      ...(untagged !== undefined && { untagged }),
    })
  const written = (cose: 'sign1' | 'sign', tag: string) =>
    issue(
      signer,
      saidByCwt(),
      rendering({
        options: map([
          ['cose', cose],
          ['tag', tag],
        ]),
      }),
    )

  it.each(['sign1', 'sign'] as const)(
    'is taken by a verifier that was told its structure, %s, and by no other',
    async (cose) => {
      const token = written(cose, 'none')
      expect((await made(cose).verify(token)).aud).toEqual([API])
      const other = cose === 'sign' ? 'sign1' : 'sign'
      for (const verifier of [made(), made(other)]) {
        await expect(verifier.verify(token)).rejects.toEqual(expect.objectContaining({ name: 'DragomanError' }))
      }
      expect((await made().verify(written(cose, 'cwt'))).aud).toEqual([API])
    },
  )
})

describe('a token that is bound by DPoP', () => {
  const holder = testKey('ES256')
  const BASE = 'https://api.example/v1'
  const verifier = accessVerifier({ dpop: { baseUrl: BASE } })
  const bound = accessToken({ cnf: { jkt: holder.publicKey.jkt } })
  let proofs = 0
  const proof = (claims: Said = {}, by = holder, token = bound) => {
    proofs += 1
    const usual = { htm: 'GET', htu: `${BASE}/orders`, ath: sha256(token), jti: `proof-${proofs}`, iat: NOW }
    return dpopText(by, { claims: { ...usual, ...claims } })
  }
  const ask = (dpop: string | readonly string[] | undefined, differs: Parameters<typeof call>[1] = {}, token = bound) =>
    verifier.verifyRequest(call(token, { scheme: 'DPoP', headers: { dpop }, ...differs }))

  it('is taken with a proof for this request, this token and by its key', async () => {
    expect((await ask(proof())).cnf).toMatchObject({ jkt: holder.publicKey.jkt })
    expect((await ask(proof({ htu: 'https://API.example:443/v1/orders' }))).sub).toBe('u-501')
    expect((await ask(proof({ htm: 'PUT' }), { method: 'PUT' })).sub).toBe('u-501')
  })

  it('is refused without a proof', async () => {
    await expect(ask(undefined)).rejects.toEqual(refused('ERR_PROOF_REQUIRED'))
    await expect(verifier.verify(bound)).rejects.toEqual(refused('ERR_TOKEN_UNPROVED'))
  })

  it('DP-28: is refused under the scheme Bearer, even with its proof', async () => {
    await expect(ask(proof(), { scheme: 'Bearer' })).rejects.toEqual(refused('ERR_TOKEN_UNPROVED'))
  })

  it('DP-12: is refused with a proof by another key', async () => {
    await expect(ask(proof({}, testKey('ES256')))).rejects.toEqual(refused('ERR_PROOF_MISMATCH'))
  })

  it.each([
    ['DP-12: for another token', { ath: sha256('another') }, 'ath'],
    ['DP-12: for no token', { ath: undefined }, 'ath'],
    ['DP-08: for another method', { htm: 'POST' }, 'htm'],
    ['DP-09: for another path', { htu: `${BASE}/orders/1` }, 'htu'],
    ['DP-09: for the path without what stands before it', { htu: 'https://api.example/orders' }, 'htu'],
    ['DP-09: for another host', { htu: 'https://orders.example/v1/orders' }, 'htu'],
    ['DP-11: that is old', { iat: NOW - 61 }, 'iat'],
    ['DP-11: of tomorrow', { iat: NOW + 6 }, 'iat'],
  ])('is refused with a proof %s', async (_, claims, check) => {
    await expect(ask(proof(claims))).rejects.toEqual(refused('ERR_PROOF_DPOP', { check }))
  })

  it('DP-01: is refused with two proofs', async () => {
    await expect(ask([proof(), proof()])).rejects.toEqual(refused('ERR_PROOF_DPOP', { check: 'one' }))
  })

  it('DP-35: is refused with a proof that was used, and a refused request uses none', async () => {
    const once = proof()
    await expect(ask(once, {}, `${bound.slice(0, -3)}AAA`)).rejects.toEqual(refused('ERR_PROOF_DPOP', { check: 'ath' }))
    const listed = accessVerifier({ dpop: { baseUrl: BASE }, requests: { 'GET /orders': { scope: 'x' } } })
    const request = call(bound, { scheme: 'DPoP', headers: { dpop: once } })
    for (const _ of [1, 2]) {
      await expect(listed.verifyRequest(request)).rejects.toEqual(refused('ERR_REQUEST_INSUFFICIENT_SCOPE'))
    }
    expect((await ask(once)).sub).toBe('u-501')
    await expect(ask(once)).rejects.toEqual(refused('ERR_PROOF_REPLAYED'))
  })

  it('DP-35: is taken once with one proof, however many send it at the same time', async () => {
    const once = proof()
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => ask(once)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('under the scheme DPoP an unbound token is refused, with whatever proof', async () => {
    const free = accessToken()
    await expect(ask(proof({}, holder, free), {}, free)).rejects.toEqual(refused('ERR_PROOF_MISMATCH'))
  })

  it('is refused by a service that has not said where it is', async () => {
    const plain = accessVerifier()
    const request = call(bound, { scheme: 'DPoP', headers: { dpop: proof() } })
    await expect(plain.verifyRequest(request)).rejects.toEqual(refused('ERR_TOKEN_UNPROVED'))
  })

  it('DP-10: asks for a nonce where it was given a secret for them', async () => {
    const strict = accessVerifier({ dpop: { baseUrl: BASE, nonceSecret: new Uint8Array(32).fill(7) } })
    const send = (text: string) => strict.admit(call(bound, { scheme: 'DPoP', headers: { dpop: text } }))
    const { answer } = await send(proof())
    expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.arrayContaining([]) } })
    expect(answer?.headers['www-authenticate']).toContainEqual(
      expect.stringMatching(/^DPoP error="use_dpop_nonce", algs=/),
    )
    const nonce = answer?.headers['dpop-nonce']
    expect((await send(proof({ nonce }))).token?.sub).toBe('u-501')
    expect((await send(proof({ nonce: 'guessed' }))).answer?.status).toBe(401)
  })

  it('takes proofs by the algorithms that it was told', async () => {
    const strict = accessVerifier({ dpop: { baseUrl: BASE, algorithms: ['Ed25519'] } })
    const request = call(bound, { scheme: 'DPoP', headers: { dpop: proof() } })
    await expect(strict.verifyRequest(request)).rejects.toEqual(refused('ERR_PROOF_DPOP', { check: 'alg' }))
  })
})

describe('a token that is bound to a certificate', () => {
  const ca = authority('devices')
  const { certificate } = leaf(ca)
  const verifier = accessVerifier()
  const bound = accessToken({ cnf: { 'x5t#S256': sha256(certificate) } })

  it('is taken over a connection with that certificate', async () => {
    expect((await verifier.verifyRequest(call(bound, { certificate }))).cnf).toEqual({ x5tS256: sha256(certificate) })
  })

  it('is refused without one, and with another', async () => {
    await expect(verifier.verifyRequest(call(bound))).rejects.toEqual(refused('ERR_TOKEN_UNPROVED'))
    const other = leaf(ca).certificate
    await expect(verifier.verifyRequest(call(bound, { certificate: other }))).rejects.toEqual(
      refused('ERR_PROOF_MISMATCH'),
    )
  })

  it('says what was wrong with a certificate that is none, if it was needed', async () => {
    const broken = Uint8Array.of(0x30, 0x00)
    await expect(verifier.verifyRequest(call(bound, { certificate: broken }))).rejects.toEqual(
      refused('ERR_PROOF_CERTIFICATE'),
    )
    expect((await verifier.verifyRequest(call(accessToken(), { certificate: broken }))).sub).toBe('u-501')
  })

  it('DP-28: is not the way round a DPoP proof, though it has the same key', async () => {
    const { key: same, certificate: shown } = leaf(ca)
    const token = accessToken({ cnf: { jkt: same.publicKey.jkt } })
    await expect(verifier.verifyRequest(call(token, { certificate: shown }))).rejects.toEqual(
      refused('ERR_TOKEN_UNPROVED', { expected: 'the scheme DPoP, with a proof' }),
    )
  })

  it('CF-07: wants both proofs where it is bound twice', async () => {
    const holder = testKey('ES256')
    const BASE = 'https://api.example'
    const twice = accessVerifier({ dpop: { baseUrl: BASE } })
    const token = accessToken({ cnf: { jkt: holder.publicKey.jkt, 'x5t#S256': sha256(certificate) } })
    const dpop = (jti: string) =>
      dpopText(holder, { claims: { htm: 'GET', htu: `${BASE}/orders`, ath: sha256(token), jti, iat: NOW } })
    const ask = (jti: string, shown?: Uint8Array) =>
      twice.verifyRequest(call(token, { scheme: 'DPoP', headers: { dpop: dpop(jti) }, certificate: shown }))
    expect((await ask('1', certificate)).sub).toBe('u-501')
    await expect(ask('2')).rejects.toEqual(refused('ERR_PROOF_MISMATCH'))
    await expect(twice.verifyRequest(call(token, { certificate }))).rejects.toEqual(refused('ERR_PROOF_MISMATCH'))
  })
})

describe('what is remembered', () => {
  it('a store that fails admits nothing', async () => {
    const replay = { claim: () => Promise.reject(new Error('connection lost')) }
    const verifier = accessVerifier({ replay, singleUse: true })
    await expect(verifier.verifyRequest(call(accessToken()))).rejects.toEqual(refused('ERR_STORE_UNAVAILABLE'))
  })

  it('is given back where the request is refused after all: a proof with a token that was used is unused', async () => {
    const holder = testKey('ES256')
    const known = new Set<string>()
    const replay = {
      claim: (name: string) => !known.has(name) && Boolean(known.add(name)),
      release: (name: string) => void known.delete(name),
    }
    const BASE = 'https://api.example'
    const verifier = accessVerifier({ replay, singleUse: true, dpop: { baseUrl: BASE } })
    const token = accessToken({ cnf: { jkt: holder.publicKey.jkt } })
    const ask = (jti: string) => {
      const claims = { htm: 'GET', htu: `${BASE}/orders`, ath: sha256(token), jti, iat: NOW }
      return verifier.verifyRequest(call(token, { scheme: 'DPoP', headers: { dpop: dpopText(holder, { claims }) } }))
    }
    await ask('1')
    expect(known.size).toBe(2)
    await expect(ask('2')).rejects.toEqual(refused('ERR_TOKEN_REPLAYED'))
    expect(known.size).toBe(2)
  })

  it('is shared by verifiers with the same store: a token that is taken once is taken once by all', async () => {
    const seen = new Set<string>()
    const replay = { claim: (name: string) => !seen.has(name) && Boolean(seen.add(name)) }
    const one = accessVerifier({ replay, singleUse: true })
    const two = accessVerifier({ replay, singleUse: true, issuers: [issuerWith([key])] })
    expect((await one.verify(accessToken())).sub).toBe('u-501')
    await expect(two.verify(accessToken())).rejects.toEqual(refused('ERR_TOKEN_REPLAYED'))
  })
})
