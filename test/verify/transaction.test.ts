import { describe, expect, it } from 'vitest'
import { createVerifier } from '../../src/verify/index.ts'
import { testKey } from '../support/jwt.ts'
import { sha256 } from '../support/proofs.ts'
import {
  accessToken,
  accessVerifier,
  call,
  DOMAIN,
  issuerWith,
  key,
  NOW,
  payment,
  type Said,
  TTS,
  transactionToken,
  transactionVerifier,
} from '../support/verify.ts'

const verifier = transactionVerifier()
const verified = (claims: Said = {}, header: Said = {}) =>
  verifier.verifyRequest(payment(transactionToken(claims, header)))
const refused = (code: string, detail: Said = {}) =>
  expect.objectContaining({ code, detail: expect.objectContaining(detail) })

describe('a transaction token', () => {
  it('says who, what, under which circumstances, and who asked for it', async () => {
    const token = await verified({ act: { sub: 'ops-cli', act: { sub: 'dana' } } })
    expect(token).toMatchObject({
      iss: TTS,
      sub: 'u-501',
      aud: [DOMAIN],
      scope: ['order.pay'],
      txn: 'tx-1',
      req_wl: 'spiffe://larkspur.example/ns/edge/sa/gateway',
      tctx: { order_id: 'o-771', amount: 18.4 },
      rctx: { req_ip: '192.0.2.44' },
      exp: NOW + 45,
      cnf: undefined,
      client_id: undefined,
    })
    expect(token.actors).toEqual([{ sub: 'ops-cli' }, { sub: 'dana' }])
    expect(token.token.provenance).toMatchObject({ kind: 'txntoken+jwt', algorithm: 'ES256' })
  })

  it('cannot be changed by the code that reads it', async () => {
    const token = await verified()
    for (const part of [token, token.scope, token.aud, token.actors, token.tctx, token.claims]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  it('TV-08: may have claims that nobody knows', async () => {
    expect((await verified({ agentic_ctx: { prov: 'x' } })).claims['agentic_ctx']).toEqual({ prov: 'x' })
  })

  it.each(['txn', 'req_wl', 'scope', 'iat'])('has to have %s', async (claim) => {
    await expect(verified({ [claim]: undefined })).rejects.toEqual(refused('ERR_PROFILE_REQUIRED', { claim }))
  })

  it('has to have sub, exp and scope with something in it', async () => {
    await expect(verified({ sub: undefined })).rejects.toEqual(refused('ERR_TOKEN_SUBJECT'))
    await expect(verified({ exp: undefined })).rejects.toEqual(refused('ERR_TOKEN_NO_EXPIRY'))
    await expect(verified({ scope: '' })).rejects.toEqual(refused('ERR_PROFILE_REQUIRED', { claim: 'scope' }))
  })

  it.each([
    ['req_wl', ['gw', 'wl3']],
    ['req_wl', ''],
    ['txn', 7],
    ['txn', ''],
    ['tctx', ['x']],
    ['tctx', 'x'],
    ['rctx', null],
  ])('is refused with %s of another type: %j', async (claim, value) => {
    await expect(verified({ [claim]: value })).rejects.toEqual(refused('ERR_PROFILE_REQUIRED', { claim }))
  })

  it.each([
    ['another domain', 'meridian.example'],
    ['a part of it', 'example'],
    ['another case', 'Larkspur.example'],
    ['nobody', undefined],
  ])('TV-04, TV-07: is refused when its audience is %s', async (_, aud) => {
    await expect(verified({ aud })).rejects.toEqual(refused('ERR_TOKEN_AUDIENCE'))
  })

  it('TV-04: is refused when it is for another domain as well', async () => {
    await expect(verified({ aud: [DOMAIN, 'meridian.example'] })).rejects.toEqual(refused('ERR_TOKEN_AUDIENCE'))
    expect((await verified({ aud: [DOMAIN] })).aud).toEqual([DOMAIN])
  })

  it('TV-05: is refused when it has expired, clocks considered', async () => {
    expect((await verified({ exp: NOW - 29 })).sub).toBe('u-501')
    await expect(verified({ exp: NOW - 30 })).rejects.toEqual(refused('ERR_TOKEN_EXPIRED'))
    const strict = transactionVerifier({ clockSkew: 0 })
    await expect(strict.verifyRequest(payment(transactionToken({ exp: NOW })))).rejects.toEqual(
      refused('ERR_TOKEN_EXPIRED'),
    )
  })

  it('is refused when it comes from the future, or is older than it may be', async () => {
    await expect(verified({ iat: NOW + 31 })).rejects.toEqual(refused('ERR_TOKEN_NOT_YET_VALID'))
    const young = transactionVerifier({ maxAge: 60 })
    await expect(young.verifyRequest(payment(transactionToken({ iat: NOW - 91 })))).rejects.toEqual(
      refused('ERR_TOKEN_TOO_OLD'),
    )
  })

  it.each(['JWT', undefined, 'at+jwt', 'txn_token', 'dpop+jwt', 'txntoken+jwt+x'])(
    'TV-11: is refused with the typ %s, though its signature is good',
    async (typ) => {
      await expect(verified({}, { typ })).rejects.toEqual(refused('ERR_TOKEN_KIND'))
    },
  )

  it('TV-11: has its typ in any case, with or without application/', async () => {
    expect((await verified({}, { typ: 'application/TxnToken+JWT' })).txn).toBe('tx-1')
  })

  it('TT-35: an access token does not pass for one, nor one for an access token', async () => {
    await expect(
      verifier.verifyRequest(payment(accessToken({ aud: DOMAIN, txn: 'tx-1', req_wl: 'x', scope: 'order.pay' }))),
    ).rejects.toEqual(refused('ERR_TOKEN_KIND'))
    const bearer = call(transactionToken({ aud: 'https://orders.example', client_id: 'web', jti: 'x' }))
    await expect(accessVerifier().verifyRequest(bearer)).rejects.toEqual(refused('ERR_TOKEN_KIND'))
  })

  it('TV-03: is refused with a signature by another key, and from another issuer', async () => {
    const other = testKey('ES256', 'tts-1')
    const forged = transactionToken({}, {}, other)
    await expect(verifier.verifyRequest(payment(forged))).rejects.toEqual(refused('ERR_TOKEN_SIGNATURE'))
    await expect(verified({ iss: 'https://tts.meridian.example' })).rejects.toEqual(refused('ERR_TRUST_ISSUER'))
    const unknown = transactionToken({}, { kid: 'tts-0' })
    await expect(verifier.verifyRequest(payment(unknown))).rejects.toEqual(refused('ERR_TRUST_KEY'))
  })

  it('TV-03: need not say who signed it: then it is one of those whose keys are configured', async () => {
    const other = testKey('ES256', 'tts-2')
    const two = transactionVerifier({
      issuers: [issuerWith([key]), issuerWith([other], { issuer: 'https://second.example' })],
    })
    const unnamed = (by = key) => payment(transactionToken({ iss: undefined }, {}, by))
    expect((await verifier.verifyRequest(unnamed())).iss).toBe(TTS)
    expect((await two.verifyRequest(unnamed(other))).iss).toBe('https://second.example')
    await expect(verifier.verifyRequest(unnamed(testKey('ES256', 'tts-1')))).rejects.toEqual(
      refused('ERR_TOKEN_SIGNATURE'),
    )
    // One that does say it is nobody else's.
    const named = payment(transactionToken({ iss: TTS }, {}, other))
    await expect(two.verifyRequest(named)).rejects.toEqual(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_TRUST_/) }),
    )
  })

  it('TV-03: is refused with an algorithm that is not allowed', async () => {
    const strict = transactionVerifier({ algorithms: ['Ed25519'] })
    await expect(strict.verifyRequest(payment(transactionToken()))).rejects.toEqual(refused('ERR_TOKEN_ALGORITHM'))
    for (const alg of ['none', 'HS256']) {
      await expect(verified({}, { alg })).rejects.toEqual(refused('ERR_TOKEN_ALGORITHM'))
    }
  })

  it('is refused when its issuer may not speak of this subject, or of who acted', async () => {
    const narrow = transactionVerifier({ issuers: [issuerWith([key], { subjects: ['job:purge'] })] })
    await expect(narrow.verifyRequest(payment(transactionToken()))).rejects.toEqual(refused('ERR_TOKEN_SUBJECT_SPACE'))
    const forgetful = transactionVerifier({ issuers: [issuerWith([key], { history: false })] })
    await expect(forgetful.verifyRequest(payment(transactionToken({ act: { sub: 'x' } })))).rejects.toEqual(
      refused('ERR_TOKEN_ACT'),
    )
  })

  it('TV-09: is taken once where it is to be taken once, and a refused request spends nothing', async () => {
    const once = transactionVerifier({ singleUse: true })
    const token = transactionToken()
    const altered = payment(token, { body: { amount: 1840 } })
    await expect(once.verifyRequest(altered)).rejects.toEqual(refused('ERR_REQUEST_ALTERED'))
    expect((await once.verifyRequest(payment(token))).txn).toBe('tx-1')
    await expect(once.verifyRequest(payment(token))).rejects.toEqual(refused('ERR_TOKEN_REPLAYED'))
    expect((await once.verifyRequest(payment(transactionToken({ jti: 'another' })))).txn).toBe('tx-1')
  })

  it('is bound to a key where it says so: it is nothing without the certificate', async () => {
    const bound = transactionToken({ cnf: { 'x5t#S256': sha256('certificate') } })
    await expect(verifier.verifyRequest(payment(bound))).rejects.toEqual(refused('ERR_TOKEN_UNPROVED'))
  })
})

describe('the header field', () => {
  it('TV-02: is Txn-Token, never Authorization', async () => {
    const sent = payment(undefined, { headers: { authorization: `Bearer ${transactionToken()}` } })
    await expect(verifier.verifyRequest(sent)).rejects.toEqual(
      refused('ERR_REQUEST_MISSING', { parameter: 'Txn-Token' }),
    )
  })

  it('TV-10: is read whatever Authorization says', async () => {
    const headers = { 'Txn-Token': transactionToken(), authorization: 'Basic eDp5' }
    expect((await verifier.verifyRequest(payment(undefined, { headers }))).txn).toBe('tx-1')
  })

  it('TV-01: holds one token, in one line', async () => {
    const token = transactionToken()
    const wrong: readonly (readonly [unknown, string])[] = [
      [[token, token], 'ERR_REQUEST_REPEATED'],
      [`${token}, ${token}`, 'ERR_REQUEST_REPEATED'],
      ['', 'ERR_REQUEST_MISSING'],
      [[], 'ERR_REQUEST_MISSING'],
      [` ${token}`, 'ERR_TOKEN_MALFORMED'],
      [`Bearer ${token}`, 'ERR_TOKEN_MALFORMED'],
      ['x', 'ERR_TOKEN_MALFORMED'],
    ]
    for (const [field, code] of wrong) {
      const headers = { 'txn-token': field as string }
      await expect(verifier.verifyRequest(payment(undefined, { headers })), String(field)).rejects.toEqual(
        refused(code),
      )
    }
    const twice = { 'txn-token': token, 'Txn-Token': token }
    await expect(verifier.verifyRequest(payment(undefined, { headers: twice }))).rejects.toEqual(
      refused('ERR_REQUEST_REPEATED'),
    )
  })
})

describe('without a table of requests', () => {
  const options = { issuers: [issuerWith([key])], audience: DOMAIN, kind: 'txntoken+jwt' }

  it('TV-12: there is no verifier of transaction tokens, unless it says that it is dangerous', async () => {
    expect(() => createVerifier(options)).toThrow(refused('ERR_PROFILE_OPTION', { path: 'options.requests' }))
    const open = createVerifier({ ...options, danger_any_request: true })
    expect((await open.verify(transactionToken(), { now: NOW })).txn).toBe('tx-1')
  })

  it('is a JWT by the letter: no other serialization of it is taken', async () => {
    const [header, payload, signature] = transactionToken().split('.')
    const flattened = JSON.stringify({ protected: header, payload, signature })
    await expect(verifier.verify(flattened, { request: payment(undefined) })).rejects.toEqual(
      refused('ERR_TOKEN_MALFORMED'),
    )
  })

  it('TV-12: with one, no token is verified alone', async () => {
    await expect(verifier.verify(transactionToken())).rejects.toBeInstanceOf(TypeError)
    expect((await verifier.verify(transactionToken(), { request: payment(undefined) })).txn).toBe('tx-1')
  })
})
