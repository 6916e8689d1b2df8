import { describe, expect, it } from 'vitest'
import { DragomanError, type ErrorCode, errorHeard, errors } from '../../src/core/errors.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { grants } from '../../src/grants/index.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { tokenExchange } from '../../src/grants/token-exchange.ts'
import { PLAIN, profile, subjectToken, TARGET, world } from '../support/fakes.ts'
import { form, http } from '../support/http.ts'

const parameters = (entries: { readonly [name: string]: string }) => new Map(Object.entries(entries))
const missing = (parameter: string) => expect.objectContaining({ code: 'ERR_REQUEST_MISSING', detail: { parameter } })

describe('a grant', () => {
  it('is called by the last part of its URI', () => {
    expect(grants.map(({ name, type }) => [name, type.split(':').at(-1)])).toEqual([
      ['token-exchange', 'token-exchange'],
      ['jwt-bearer', 'jwt-bearer'],
    ])
    expect(grants[0]?.type).toBe(TOKEN_EXCHANGE)
  })

  it('TE-06: of a token exchange needs a subject token and its type', () => {
    const whole = { subject_token: 't', subject_token_type: PLAIN }
    expect(tokenExchange.present(parameters({ ...whole, assertion: 'a' }))).toEqual(whole)
    expect(() => tokenExchange.present(parameters({ subject_token_type: PLAIN }))).toThrow(missing('subject_token'))
    expect(() => tokenExchange.present(parameters({ subject_token: 't' }))).toThrow(missing('subject_token_type'))
  })

  it('AG-01: of RFC 7523 presents its assertion, which is a JWT whatever else is declared', () => {
    const sent = parameters({ assertion: 'a', subject_token: 't', subject_token_type: PLAIN })
    expect(jwtBearer.present(sent)).toEqual({ subject_token: 'a', subject_token_type: tokenTypes.jwt })
    expect(() => jwtBearer.present(parameters({ subject_token: 't' }))).toThrow(missing('assertion'))
  })
})

describe('what a client hears of a token that is refused', () => {
  it('EX-01, EX-02, AG-09: is invalid_request in an exchange and invalid_grant for a grant', () => {
    for (const code of Object.keys(errors) as ErrorCode[]) {
      const { error } = errors[code]
      // A user who has to sign in again is one error wherever the token is presented.
      const ofToken = /^ERR_(?:TOKEN(?!_AUTHENTICATION)|TRUST_(?:ISSUER|KEY|PATH))/.test(code)
      expect(errorHeard(code, tokenExchange), code).toBe(error)
      if (ofToken) expect(errorHeard(code, jwtBearer), code).toBe('invalid_grant')
      if (/^ERR_(?:REQUEST|CLIENT|KEY|STORE|AUDIT)/.test(code)) expect(errorHeard(code, jwtBearer), code).toBe(error)
    }
  })

  it.each<[ErrorCode, string]>([
    ['ERR_PROFILE_LOOKUP', 'invalid_grant'],
    ['ERR_PROFILE_CONDITION', 'invalid_grant'],
    ['ERR_PROOF_MISMATCH', 'invalid_grant'],
    ['ERR_PROOF_REQUIRED', 'invalid_grant'],
    ['ERR_PROOF_DPOP', 'invalid_dpop_proof'],
    ['ERR_PROOF_NONCE', 'use_dpop_nonce'],
    ['ERR_PROFILE_TARGET', 'invalid_target'],
    ['ERR_PROFILE_SCOPE', 'invalid_scope'],
    ['ERR_PROFILE_NONE', 'unauthorized_client'],
    ['ERR_TOKEN_AUTHENTICATION', 'insufficient_user_authentication'],
    ['ERR_TRUST_UNAVAILABLE', 'temporarily_unavailable'],
  ])('IC-07, EX-08, EX-09, EX-12: of %s is %s', (code, error) => expect(errorHeard(code, jwtBearer)).toBe(error))

  it('goes by the grant of the request', async () => {
    const { post } = await http(() => {
      throw new DragomanError('ERR_TOKEN_EXPIRED')
    })
    expect((await post()).json().error).toBe('invalid_request')
    const redeemed = form({ grant_type: jwtBearer.type, assertion: 'a' })
    expect((await post(redeemed)).json()).toEqual({
      error: 'invalid_grant',
      error_description: 'the token has expired',
    })
  })

  it('is in the audit record, with the grant', async () => {
    const { exchange, records } = world(profile({ grant: jwtBearer.type }))
    const expired = { grant_type: jwtBearer.type, subject_token: subjectToken({ exp: 1 }) }
    await expect(exchange(expired)).rejects.toThrow(expect.objectContaining({ code: 'ERR_TOKEN_EXPIRED' }))
    expect(records[0]).toMatchObject({ grant: 'jwt-bearer', code: 'ERR_TOKEN_EXPIRED', error: 'invalid_grant' })
  })
})

describe('a profile', () => {
  it('EX-06: serves one grant and no other', async () => {
    const redeem = { grant_type: jwtBearer.type }
    const none = expect.objectContaining({ code: 'ERR_PROFILE_NONE' })
    await expect(world(profile()).exchange(redeem)).rejects.toThrow(none)
    await expect(world(profile({ grant: jwtBearer.type })).exchange()).rejects.toThrow(none)
    expect(await world(profile({ grant: jwtBearer.type })).exchange(redeem)).toHaveProperty('access_token')
  })

  it('for a grant stands beside one for an exchange that is alike', async () => {
    const both = [profile(), profile({ name: 'second', grant: jwtBearer.type })]
    const { exchange, records } = world(both)
    await exchange({ audience: [TARGET] })
    await exchange({ audience: [TARGET], grant_type: jwtBearer.type })
    expect(records.map(({ profile: name }) => name)).toEqual(['plain-to-plain', 'second'])
  })
})
