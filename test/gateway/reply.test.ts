import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DragomanError, type ErrorCode, errors } from '../../src/core/errors.ts'
import type { ExchangeResult } from '../../src/core/exchange.ts'
import { type AnswerContext, failure, printable, success } from '../../src/gateway/reply.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200)
const CONTEXT: AnswerContext = { id: 'r1', realm: 'gw.example', challenged: false, authenticated: false }
const codes = Object.keys(errors) as ErrorCode[]
const bodyOf = ({ body }: { body: string | Buffer }) => JSON.parse(body.toString())

// RFC 6749 §5.2
const DESCRIPTION = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/

describe('failure', () => {
  it.each(codes)(
    'TR-01, TR-03, TR-04: says of %s what the catalogue says, uncacheable, in allowed characters',
    (code) => {
      const { status, headers, body } = failure(new DragomanError(code), CONTEXT)
      expect(status).toBe(errors[code].status)
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'cache-control': 'no-store',
        pragma: 'no-cache',
        'x-request-id': 'r1',
      })
      const { error, error_description, ...rest } = JSON.parse(body.toString())
      expect(error).toBe(errors[code].error)
      expect(error).toMatch(DESCRIPTION)
      expect(error_description).toBe(errors[code].description)
      expect(error_description).toMatch(DESCRIPTION)
      expect(rest).toEqual({})
    },
  )

  it('S-12: is a function of the code: nothing of detail, cause or message gets out', () => {
    fc.assert(
      fc.property(fc.constantFrom(...codes), fc.string({ minLength: 8 }), (code, text) => {
        const error = new DragomanError(code, { cause: new Error(text), detail: { expected: text, path: text } })
        expect(failure(error, CONTEXT)).toEqual(failure(new DragomanError(code), CONTEXT))
      }),
      { numRuns: RUNS },
    )
  })

  it('EX-12, IJ-20: says how the user has to authenticate, as the profile asks for it, to whatever grant', () => {
    const error = new DragomanError('ERR_TOKEN_AUTHENTICATION', {
      detail: { claim: 'acr', acr_values: ['phr', 'p"hrh'], max_age: 300 },
    })
    for (const grant of [undefined, { refused: 'invalid_grant' as const }]) {
      const answer = failure(error, { ...CONTEXT, grant })
      expect(answer.status).toBe(400)
      expect(bodyOf(answer)).toEqual({
        error: 'insufficient_user_authentication',
        error_description: errors.ERR_TOKEN_AUTHENTICATION.description,
        acr_values: 'phr p?hrh',
        max_age: 300,
      })
    }
    // All of them, whole: half a name would be another one.
    const names = Array.from({ length: 40 }, (_, n) => `urn:example:assurance:level:${n}`)
    const many = new DragomanError('ERR_TOKEN_AUTHENTICATION', { detail: { claim: 'acr', acr_values: names } })
    expect(bodyOf(failure(many, CONTEXT)).acr_values?.split(' ')).toEqual(names)
    const old = new DragomanError('ERR_TOKEN_AUTHENTICATION', { detail: { claim: 'auth_time', max_age: 60 } })
    expect(bodyOf(failure(old, CONTEXT))).not.toHaveProperty('acr_values')
  })

  it.each([new Error('secret'), 'secret', undefined, { code: 'ERR_CLIENT_SECRET' }])(
    'answers server_error to anything without a code',
    (thrown) => {
      const answer = failure(thrown, CONTEXT)
      expect(answer.status).toBe(500)
      expect(bodyOf(answer).error).toBe('server_error')
      expect(answer.body).not.toContain('secret')
    },
  )

  it('TE-38, TR-05: challenges with Basic where the Authorization header was used, and only there', () => {
    const error = new DragomanError('ERR_CLIENT_SECRET')
    expect(failure(error, { ...CONTEXT, challenged: true }).headers['www-authenticate']).toBe(
      'Basic realm="gw.example"',
    )
    expect(failure(error, CONTEXT).headers).not.toHaveProperty('www-authenticate')
    const expired = failure(new DragomanError('ERR_TOKEN_EXPIRED'), { ...CONTEXT, challenged: true })
    expect(expired.status).toBe(400)
    expect(expired.headers).not.toHaveProperty('www-authenticate')
  })

  it('EX-16, EX-17: says when to come again, in whole seconds, for what passes', () => {
    const retryOf = (code: ErrorCode, retryAfter?: number) =>
      failure(new DragomanError(code, retryAfter === undefined ? {} : { retryAfter }), CONTEXT).headers['retry-after']
    expect(retryOf('ERR_TRUST_UNAVAILABLE', 2.2)).toBe('3')
    expect(retryOf('ERR_CLIENT_SLOWED', 40)).toBe('40')
    expect(retryOf('ERR_OVERLOADED')).toBe('1')
    expect(retryOf('ERR_TOKEN_EXPIRED', 5)).toBeUndefined()
  })

  it('EX-05: lists the types that would be available to an authenticated client, and to no other', () => {
    const available = ['urn:ietf:params:oauth:token-type:jwt', 'not a "URI"', 7, 'urn:dragoman:token-type:cwt']
    const error = new DragomanError('ERR_PROFILE_REQUESTED_TYPE', { detail: { available } })
    expect(bodyOf(failure(error, { ...CONTEXT, authenticated: true })).error_description).toBe(
      'the requested token type is not available; available: urn:ietf:params:oauth:token-type:jwt urn:dragoman:token-type:cwt',
    )
    expect(bodyOf(failure(error, CONTEXT)).error_description).toBe('the requested token type is not available')
    const other = new DragomanError('ERR_TOKEN_EXPIRED', { detail: { available } })
    expect(bodyOf(failure(other, { ...CONTEXT, authenticated: true })).error_description).toBe('the token has expired')
  })

  it('TR-04: keeps a listed type within the allowed characters and to some length', () => {
    const available = ['urn:x:"\\\n\u00e4', `urn:x:${'a'.repeat(1000)}`]
    const error = new DragomanError('ERR_PROFILE_REQUESTED_TYPE', { detail: { available } })
    const { error_description } = bodyOf(failure(error, { ...CONTEXT, authenticated: true }))
    expect(error_description).toMatch(DESCRIPTION)
    expect(error_description.length).toBeLessThanOrEqual(500)
  })

  it('DP-31: carries the nonce to be used', () => {
    const { headers, status, body } = failure(new DragomanError('ERR_PROOF_NONCE'), { ...CONTEXT, nonce: 'n-52' })
    expect(status).toBe(400)
    expect(headers).toMatchObject({ 'dpop-nonce': 'n-52', 'cache-control': 'no-store' })
    expect(JSON.parse(body.toString()).error).toBe('use_dpop_nonce')
  })
})

describe('printable', () => {
  it('TR-04: leaves nothing outside %x20-21, %x23-5B and %x5D-7E', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        expect(printable(text)).toMatch(DESCRIPTION)
      }),
      { numRuns: RUNS },
    )
  })
})

describe('success', () => {
  const result: ExchangeResult = {
    access_token: 'e.y.J',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'DPoP',
    expires_in: 240,
    scope: ['a', 'b'],
    cnf: { jkt: 'k' },
    ledger: [{ claim: 'email', became: 'dropped' }],
  }

  it('TE-20, TE-23, TR-02, XB-10: has the members of RFC 8693 §2.2.1, cnf, and nothing else', () => {
    const { status, headers, body } = success(result, CONTEXT)
    expect(status).toBe(200)
    expect(headers).toEqual({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'x-request-id': 'r1',
    })
    expect(JSON.parse(body.toString())).toEqual({
      access_token: 'e.y.J',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'DPoP',
      expires_in: 240,
      scope: 'a b',
      cnf: { jkt: 'k' },
    })
  })

  it('leaves out scope and cnf where there is none', () => {
    const bare = JSON.parse(success({ ...result, scope: undefined, cnf: undefined }, CONTEXT).body.toString())
    expect(Object.keys(bare)).toEqual(['access_token', 'issued_token_type', 'token_type', 'expires_in'])
  })

  it('says that no scope was granted where that is so', () => {
    expect(JSON.parse(success({ ...result, scope: [] }, CONTEXT).body.toString()).scope).toBe('')
  })

  it('DP-34: carries the next nonce', () => {
    expect(success(result, { ...CONTEXT, nonce: 'n-53' }).headers['dpop-nonce']).toBe('n-53')
  })
})
