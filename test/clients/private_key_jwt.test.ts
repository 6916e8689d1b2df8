import { describe, expect, it } from 'vitest'
import { privateKeyJwt } from '../../src/clients/private_key_jwt.ts'
import type { AssertionRules, ClientTools } from '../../src/core/client.ts'
import { DragomanError, type ErrorCode } from '../../src/core/errors.ts'
import { clientTools } from '../support/clients.ts'
import { anonymous, fakeReplay, GATEWAY, NOW, registered, request } from '../support/fakes.ts'
import { algorithm, base64url, compact, testKey, trusted } from '../support/jwt.ts'

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const key = testKey('ES256')
const none = request(anonymous)

interface Differences {
  readonly header?: { readonly [member: string]: unknown }
  readonly claims?: { readonly [claim: string]: unknown }
}

const assertion = ({ header = {}, claims = {} }: Differences = {}, by = key): string =>
  compact(
    { typ: 'client-authentication+jwt', alg: by.algorithm.jose[0], kid: by.signer.kid, ...header },
    { iss: 'orders', sub: 'orders', aud: GATEWAY, iat: NOW, exp: NOW + 60, jti: 'a1', ...claims },
    by,
  )

const RULES: AssertionRules = { audience: 'issuer', maxLifetime: 300, requireJti: true }
const clientWith = (rules: Partial<AssertionRules> = {}) =>
  registered('orders', {
    issuer: trusted([key.verifier], { issuer: 'orders' }),
    assertion: { ...RULES, ...rules },
  })

const verify = async (text: string, client = clientWith(), tools: ClientTools = clientTools()) =>
  privateKeyJwt.verify({ method: 'private_key_jwt', clientId: 'orders', assertion: text }, client, tools)
const because = (reason: ErrorCode) =>
  expect.objectContaining({ code: 'ERR_CLIENT_ASSERTION', detail: expect.objectContaining({ reason }) })
const failed = (check: string) =>
  expect.objectContaining({ code: 'ERR_CLIENT_ASSERTION', detail: expect.objectContaining({ check }) })

describe('private_key_jwt, claim', () => {
  const claim = (differs: object) =>
    privateKeyJwt.claim({ ...none, client_assertion_type: TYPE, client_assertion: assertion(), ...differs })
  const malformed = expect.objectContaining({ code: 'ERR_CLIENT_MALFORMED' })

  it('AG-12: learns the client from the assertion, or from client_id', () => {
    const client_assertion = assertion()
    expect(claim({ client_assertion })).toEqual({
      method: 'private_key_jwt',
      clientId: 'orders',
      assertion: client_assertion,
    })
    expect(claim({ client_id: 'other' })).toMatchObject({ clientId: 'other' })
  })

  it('is not there without an assertion', () => {
    expect(privateKeyJwt.claim(none)).toBeUndefined()
  })

  it('refuses an assertion without its type, a type without assertion, and SAML (SG-08)', () => {
    expect(() => claim({ client_assertion_type: undefined })).toThrow(malformed)
    expect(() => claim({ client_assertion: undefined })).toThrow(malformed)
    expect(() => claim({ client_assertion_type: TYPE.replace('jwt', 'saml2') })).toThrow(malformed)
  })

  it.each([
    '',
    'x',
    'a.b.c',
    `a.${base64url('[]')}.c`,
    `a.${base64url('{"sub":1}')}.c`,
    `a.${base64url('{"sub":""}')}.c`,
    `a.${base64url('{"sub":"a","sub":"b"}')}.c`,
    `a.${base64url(JSON.stringify({ sub: 'a', more: 'x'.repeat(20_000) }))}.c`,
  ])('AG-01: refuses what does not say whose it is', (client_assertion) => {
    expect(() => claim({ client_assertion })).toThrow(malformed)
  })
})

describe('private_key_jwt, verify', () => {
  it('takes an assertion by the client', async () => {
    await expect(verify(assertion())).resolves.toBeUndefined()
  })

  it.each([undefined, 'JWT', 'jwt', 'application/client-authentication+jwt'])(
    'AU-05: takes the typ %s',
    async (typ) => {
      await expect(verify(assertion({ header: { typ } }))).resolves.toBeUndefined()
    },
  )

  it.each(['at+jwt', 'dpop+jwt', 'client-authentication', 'oauth-id-jag+jwt'])(
    'AU-05: refuses the typ %s',
    async (typ) => {
      await expect(verify(assertion({ header: { typ } }))).rejects.toEqual(failed('typ'))
    },
  )

  it('AG-01: refuses what is not one compact JWT', async () => {
    const json = JSON.stringify({ protected: 'e30', payload: 'e30', signature: 'AA' })
    for (const text of ['x', 'a.b', `${assertion()}.x`, `${assertion()}=`, json]) {
      await expect(verify(text)).rejects.toEqual(because('ERR_TOKEN_MALFORMED'))
    }
  })

  it('AG-02: refuses a signature by another key, and an algorithm that the client is not registered for', async () => {
    await expect(verify(assertion({}, testKey('ES256')))).rejects.toEqual(because('ERR_TOKEN_SIGNATURE'))
    await expect(verify(assertion({ header: { alg: 'none' } }))).rejects.toEqual(because('ERR_TOKEN_ALGORITHM'))
    await expect(verify(assertion({ header: { alg: 'HS256' } }))).rejects.toEqual(because('ERR_TOKEN_ALGORITHM'))
    const onlyEd = registered('orders', {
      ...clientWith(),
      issuer: trusted([key.verifier], { issuer: 'orders', algorithms: [algorithm('Ed25519')] }),
    })
    await expect(verify(assertion(), onlyEd)).rejects.toEqual(because('ERR_TOKEN_ALGORITHM'))
  })

  it('refuses a client that has no keys', async () => {
    await expect(verify(assertion(), registered('orders'))).rejects.toEqual(failed('key'))
  })

  it.each([undefined, 'other', 'orders/', 'Orders'])('AG-02, AG-08, AG-13: refuses the iss %s', async (iss) => {
    await expect(verify(assertion({ claims: { iss } }))).rejects.toEqual(because('ERR_TRUST_ISSUER'))
  })

  it('AG-13: refuses an issuer that is not the client itself, where the keys are another party’s', async () => {
    const sts = registered('orders', { ...clientWith(), issuer: trusted([key.verifier], { issuer: 'sts' }) })
    await expect(verify(assertion({ claims: { iss: 'sts' } }), sts)).rejects.toEqual(failed('iss'))
  })

  it.each([undefined, 'other', 'Orders'])('AG-03: refuses the sub %s', async (sub) => {
    await expect(verify(assertion({ claims: { sub } }))).rejects.toEqual(failed('sub'))
  })

  it('AU-02: takes our issuer identifier alone, as text or as the one element', async () => {
    await expect(verify(assertion({ claims: { aud: GATEWAY } }))).resolves.toBeUndefined()
    await expect(verify(assertion({ claims: { aud: [GATEWAY] } }))).resolves.toBeUndefined()
  })

  it.each([
    undefined,
    'https://other.example',
    `${GATEWAY}/`,
    `${GATEWAY}/token`,
    [GATEWAY, 'https://other.example'],
    [GATEWAY, `${GATEWAY}/token`],
    [GATEWAY, GATEWAY],
  ])('AU-02, AG-04, AG-08: refuses the aud %j', async (aud) => {
    await expect(verify(assertion({ claims: { aud } }))).rejects.toEqual(failed('aud'))
  })

  it('AG-04: refuses an empty list of audiences', async () => {
    await expect(verify(assertion({ claims: { aud: [] } }))).rejects.toEqual(because('ERR_TOKEN_CLAIM'))
  })

  it('AU-10: takes the token endpoint, and several, from a client that is set to the older rule', async () => {
    const older = clientWith({ audience: 'legacy' })
    for (const aud of [`${GATEWAY}/token`, GATEWAY, ['https://other.example', `${GATEWAY}/token`]]) {
      await expect(verify(assertion({ claims: { aud } }), older)).resolves.toBeUndefined()
    }
    for (const aud of ['https://other.example', `${GATEWAY}/token/`, undefined]) {
      await expect(verify(assertion({ claims: { aud } }), older)).rejects.toEqual(failed('aud'))
    }
  })

  it('AG-05: refuses an assertion that has expired, has no end, or one too far ahead', async () => {
    const skew = 30
    await expect(verify(assertion({ claims: { exp: NOW - skew + 1 } }))).resolves.toBeUndefined()
    await expect(verify(assertion({ claims: { exp: NOW + 300 + skew } }))).resolves.toBeUndefined()
    for (const exp of [NOW - skew, NOW + 301 + skew, undefined]) {
      await expect(verify(assertion({ claims: { exp } }))).rejects.toEqual(failed('exp'))
    }
  })

  it('AG-06: refuses one that is not yet valid', async () => {
    await expect(verify(assertion({ claims: { nbf: NOW + 30 } }))).resolves.toBeUndefined()
    await expect(verify(assertion({ claims: { nbf: NOW + 31 } }))).rejects.toEqual(failed('nbf'))
  })

  it('AG-07: refuses an iat in the future or too far in the past; none is needed', async () => {
    for (const iat of [undefined, NOW + 30, NOW - 330]) {
      await expect(verify(assertion({ claims: { iat } }))).resolves.toBeUndefined()
    }
    for (const iat of [NOW + 31, NOW - 331]) {
      await expect(verify(assertion({ claims: { iat } }))).rejects.toEqual(failed('iat'))
    }
  })

  it('AG-07, AG-16: takes each assertion once, until it has expired, skew included', async () => {
    const replay = fakeReplay()
    const tools = clientTools({ replay })
    await verify(assertion(), clientWith(), tools)
    const replayed = expect.objectContaining({ code: 'ERR_CLIENT_ASSERTION_REPLAYED' })
    await expect(verify(assertion(), clientWith(), tools)).rejects.toEqual(replayed)
    await expect(verify(assertion({ claims: { exp: NOW + 61 } }), clientWith(), tools)).rejects.toEqual(replayed)
    await expect(verify(assertion({ claims: { jti: 'a2' } }), clientWith(), tools)).resolves.toBeUndefined()
    const [[name, until] = ['', 0]] = [...replay.spent]
    expect(name).toMatch(/^assertion [0-9a-f]{64}$/)
    expect(until).toBe(NOW + 60 + 30)
  })

  it('AG-16: two clients may use the same jti', async () => {
    const tools = clientTools()
    await verify(assertion(), clientWith(), tools)
    const other = { ...clientWith(), id: 'other', issuer: trusted([key.verifier], { issuer: 'other' }) }
    await expect(verify(assertion({ claims: { iss: 'other', sub: 'other' } }), other, tools)).resolves.toBeUndefined()
  })

  it('AG-16: wants a jti, unless the client is configured otherwise', async () => {
    const without = assertion({ claims: { jti: undefined } })
    await expect(verify(without)).rejects.toEqual(failed('jti'))
    const tools = clientTools()
    await expect(verify(without, clientWith({ requireJti: false }), tools)).resolves.toBeUndefined()
    await expect(verify(without, clientWith({ requireJti: false }), tools)).resolves.toBeUndefined()
    await verify(assertion(), clientWith({ requireJti: false }), tools)
    await expect(verify(assertion(), clientWith({ requireJti: false }), tools)).rejects.toThrow()
  })

  it('remembers nothing of an assertion that fails', async () => {
    const replay = fakeReplay()
    const tools = clientTools({ replay })
    for (const claims of [{ aud: 'x' }, { sub: 'x' }, { exp: NOW + 9999 }]) {
      await expect(verify(assertion({ claims }), clientWith(), tools)).rejects.toThrow()
    }
    expect(replay.spent.size).toBe(0)
  })

  it('AG-10: everything that is wrong with an assertion is invalid_client, also what its claims are', async () => {
    await expect(verify(assertion({ claims: { exp: 'soon' } }))).rejects.toEqual(
      expect.objectContaining({ code: 'ERR_CLIENT_ASSERTION' }),
    )
    await expect(verify(assertion({ header: { crit: ['x'] } }))).rejects.toEqual(
      expect.objectContaining({ code: 'ERR_CLIENT_ASSERTION' }),
    )
  })

  it.each<ErrorCode>(['ERR_TRUST_UNAVAILABLE', 'ERR_STORE_UNAVAILABLE', 'ERR_CLIENT_MALFORMED'])(
    'EX-16: lets %s through, which says nothing about the assertion',
    async (code) => {
      const tools = clientTools({ verify: () => Promise.reject(new DragomanError(code)) })
      await expect(verify(assertion(), clientWith(), tools)).rejects.toEqual(expect.objectContaining({ code }))
    },
  )

  it('lets a defect through as one', async () => {
    const defect = new RangeError('x')
    const tools = clientTools({ verify: () => Promise.reject(defect) })
    await expect(verify(assertion(), clientWith(), tools)).rejects.toBe(defect)
  })
})
