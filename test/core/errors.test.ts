import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DragomanError, type ErrorCode, errors, type Reason } from '../../src/core/errors.ts'

const all = Object.entries(errors) as readonly (readonly [ErrorCode, Reason])[]
const source = resolve(import.meta.dirname, '../../src')

/** RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 9396 §5, RFC 9449 §5 and §8, RFC 6750 §3.1, RFC 9470 §3; the last for what is down (RFC 6749 §4.1.2.1). */
const REGISTERED = [
  ...['invalid_request', 'invalid_client', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope'],
  ...['invalid_target', 'invalid_authorization_details', 'invalid_dpop_proof', 'use_dpop_nonce'],
  ...['insufficient_scope', 'insufficient_user_authentication'],
  ...['server_error', 'temporarily_unavailable'],
]

/** Whose fault it is, by prefix. */
const PREFIX =
  /^ERR_(?:REQUEST|CLIENT|PROFILE|TOKEN|PROOF|TRUST|KEY|STORE|AUDIT)_[A-Z_]+$|^ERR_(?:OVERLOADED|INTERNAL)$/

describe('the catalogue', () => {
  it.each(all)('%s says whose fault it is, and to the client a registered error', (code, { error, status }) => {
    expect(code).toMatch(PREFIX)
    expect(REGISTERED).toContain(error)
    expect(status).toBeGreaterThanOrEqual(400)
  })

  it.each(all)('%s tells the client something in printable ASCII (RFC 6749 §5.2)', (_, { description }) => {
    expect(description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
  })

  it.each(all)('%s tells the operator cause and cure', (_, { cause, cure }) => {
    expect(cause).toMatch(/\.$/)
    expect(cure).toMatch(/\.$/)
  })

  it('answers a refused token with invalid_request, never invalid_grant (TE-31, EX-12)', () => {
    // But for one that is good, and whose user has to authenticate again.
    for (const [code, { error, status }] of all.filter(([code]) => /^ERR_TOKEN_(?!AUTHENTICATION)/.test(code))) {
      expect([code, error, status]).toEqual([code, 'invalid_request', 400])
    }
  })

  it('answers a refused target with invalid_target (TE-33), a failed client with 401 (TE-38)', () => {
    for (const [code, { error }] of all.filter(([code]) => code.startsWith('ERR_PROFILE_TARGET'))) {
      expect([code, error]).toEqual([code, 'invalid_target'])
    }
    for (const [code, { error, status }] of all) {
      if (error === 'invalid_client') expect([code, [401, 429].includes(status)]).toEqual([code, true])
    }
  })

  it('answers what is down with 503 and nothing else with it (EX-16)', () => {
    for (const [code, { error, status }] of all) {
      expect([code, status === 503]).toEqual([code, error === 'temporarily_unavailable'])
    }
  })

  it('tells from outside neither an unknown key from a bad signature, nor an unknown client from a wrong secret', () => {
    const told = (...codes: readonly ErrorCode[]) =>
      new Set(codes.map((code) => [errors[code].error, errors[code].status, errors[code].description].join()))
    expect(
      told('ERR_TOKEN_SIGNATURE', 'ERR_TOKEN_ALGORITHM', 'ERR_TRUST_ISSUER', 'ERR_TRUST_KEY', 'ERR_TRUST_PATH').size,
    ).toBe(1)
    expect(
      told(
        'ERR_CLIENT_UNKNOWN',
        'ERR_CLIENT_METHOD',
        'ERR_CLIENT_SECRET',
        'ERR_CLIENT_ASSERTION',
        'ERR_CLIENT_CERTIFICATE',
      ).size,
    ).toBe(1)
  })

  it('holds every code that the sources throw, and none that they do not know', () => {
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    const used = files.flatMap((file) => readFileSync(join(source, file), 'utf8').match(/'ERR_[A-Z_]+'/g) ?? [])
    const unknown = new Set(used.map((quoted) => quoted.slice(1, -1)).filter((code) => !(code in errors)))
    // `ERR_` is also how Node begins its codes.
    expect([...unknown].filter((code) => PREFIX.test(code))).toEqual([])
  })
})

describe('a DragomanError', () => {
  it('has code, detail, cause and when to come back', () => {
    const cause = new Error('inside')
    const error = new DragomanError('ERR_TRUST_UNAVAILABLE', { cause, detail: { status: 502 }, retryAfter: 5 })
    expect(error).toMatchObject({
      name: 'DragomanError',
      code: 'ERR_TRUST_UNAVAILABLE',
      detail: { status: 502 },
      retryAfter: 5,
      cause,
    })
    expect(new DragomanError('ERR_INTERNAL')).toMatchObject({ detail: {}, retryAfter: undefined })
    expect(error).toBeInstanceOf(Error)
  })

  it('says what was expected and where, and of the rest of the detail nothing', () => {
    const detail = { path: 'stages[0]', expected: 'a lifetime', actual: 'hunter2' }
    const { message } = new DragomanError('ERR_PROFILE_OPTION', { detail, cause: new Error('hunter3') })
    expect(message).toBe(`${errors.ERR_PROFILE_OPTION.cause} (stages[0]: expected a lifetime)`)
    expect(new DragomanError('ERR_TOKEN_ACT', { detail: { expected: 'x' } }).message).toMatch(/ \(x\)$/)
    expect(new DragomanError('ERR_TOKEN_ACT', { detail: { expected: ['x'] } }).message).toBe(errors.ERR_TOKEN_ACT.cause)
  })
})
