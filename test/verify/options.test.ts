import { describe, expect, it } from 'vitest'
import { createVerifier, type VerifierOptions } from '../../src/verify/index.ts'
import { issuerWith, key, PAY } from '../support/verify.ts'

const good = { issuers: [issuerWith([key])], audience: 'larkspur.example', kind: 'txntoken+jwt', requests: PAY }
const made = (differs: { readonly [option: string]: unknown }) =>
  createVerifier({ ...good, ...differs } as VerifierOptions)
const issuer = (differs: { readonly [option: string]: unknown }) => ({
  issuers: [{ ...issuerWith([key]), ...differs }],
})

describe('the options of a verifier', () => {
  it('work', () => {
    expect(made({}).status()).toEqual([{ issuer: 'https://tts.larkspur.example', ready: true, keys: 1 }])
  })

  it.each([
    ['a misspelt option', { audiance: 'x' }, 'options.audiance'],
    ['no audience', { audience: undefined }, 'options.audience'],
    ['an empty audience', { audience: '' }, 'options.audience'],
    ['an audience of nobody', { audience: [] }, 'options.audience'],
    ['another format', { format: 'x509' }, 'options.format'],
    ['a JWT without a tag, which it never has', { untagged: 'sign1' }, 'options.untagged'],
    ['an unknown structure', { format: 'cwt', kind: undefined, untagged: 'mac0' }, 'options.untagged'],
    ['an empty kind', { kind: '' }, 'options.kind'],
    ['a kind in upper case, which the rules of its kind would not know', { kind: 'TxnToken+JWT' }, 'options.kind'],
    ['a kind with application/', { kind: 'application/txntoken+jwt' }, 'options.kind'],
    ['a kind of another format', { format: 'cwt' }, 'options.kind'],
    ['an unknown algorithm', { algorithms: ['HS256'] }, 'options.algorithms'],
    ['clocks that are far apart', { clockSkew: 301 }, 'options.clockSkew'],
    ['half a second', { clockSkew: 0.5 }, 'options.clockSkew'],
    ['no number', { clockSkew: '30' }, 'options.clockSkew'],
    ['a negative age', { maxAge: -1 }, 'options.maxAge'],
    ['two scopes in one text', { requiredScopes: ['a b'] }, 'options.requiredScopes'],
    ['a claim without a name', { requiredClaims: [''] }, 'options.requiredClaims'],
    ['a realm with a quote', { realm: 'x"' }, 'options.realm'],
    ['a realm with a line break', { realm: 'x\r\nset-cookie: y' }, 'options.realm'],
    ['no issuer', { issuers: [] }, 'options.issuers'],
    ['an issuer that is no object', { issuers: ['https://x.example'] }, 'options.issuers[0]'],
    ['an issuer without a name', issuer({ issuer: '' }), 'options.issuers[0].issuer'],
    ['a misspelt option of an issuer', issuer({ jwks_url: 'https://x.example' }), 'options.issuers[0].jwks_url'],
    [
      'certificates, which no token here is verified by',
      issuer({ certificates: '' }),
      'options.issuers[0].certificates',
    ],
    ['an unknown algorithm of an issuer', issuer({ algorithms: ['none'] }), 'options.issuers[0].algorithms'],
    ['subjects that are none', issuer({ subjects: [] }), 'options.issuers[0].subjects'],
    ['a misspelt option of fetching', issuer({ fetch: { time_out: 1 } }), 'options.issuers[0].fetch.time_out'],
    ['a JWK Set as text', issuer({ jwks: '{}' }), 'options.issuers[0].jwks'],
    ['a base URL that is none', { dpop: { baseUrl: '/v1' } }, 'options.dpop.baseUrl'],
    ['a base URL with a query', { dpop: { baseUrl: 'https://x.example/?y' } }, 'options.dpop.baseUrl'],
    ['no base URL', { dpop: {} }, 'options.dpop.baseUrl'],
    [
      'a short secret',
      { dpop: { baseUrl: 'https://x.example', nonceSecret: new Uint8Array(31) } },
      'options.dpop.nonceSecret',
    ],
    [
      'an unknown proof algorithm',
      { dpop: { baseUrl: 'https://x.example', algorithms: ['none'] } },
      'options.dpop.algorithms',
    ],
    ['a misspelt option of DPoP', { dpop: { baseUrl: 'https://x.example', nonce: 'x' } }, 'options.dpop.nonce'],
    ['a way to authenticate that asks for nothing', { authentication: {} }, 'options.authentication'],
    ['no acr', { authentication: { acrValues: [] } }, 'options.authentication.acrValues'],
    ['two acr in one text', { authentication: { acrValues: ['a b'] } }, 'options.authentication.acrValues'],
    ['an age of no time', { authentication: { maxAge: 0 } }, 'options.authentication.maxAge'],
    ['a misspelt option of it', { authentication: { max_age: 5 } }, 'options.authentication.max_age'],
    ['both a table and none', { danger_any_request: true }, 'options.danger_any_request'],
    ['tctx for tokens that have none', { kind: 'at+jwt' }, 'options.requests["POST /orders/:order_id/pay"].tctx'],
    ['a table that is none', { requests: [] }, 'options.requests'],
  ])('cannot be %s', (_, differs, path) => {
    expect(() => made(differs)).toThrow(
      expect.objectContaining({ code: 'ERR_PROFILE_OPTION', detail: expect.objectContaining({ path }) }),
    )
  })

  it.each([
    ['keys from nowhere', { jwks: undefined }],
    ['keys from two places', { jwks_uri: 'https://tts.larkspur.example/jwks' }],
    ['keys over plain http', { jwks: undefined, jwks_uri: 'http://tts.larkspur.example/jwks' }],
    ['a file that is not there', { jwks: undefined, jwks_file: 'missing.json' }],
    ['no key that verifies', { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }],
  ])('cannot name an issuer with %s', (_, differs) => {
    expect(() => made(issuer(differs))).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
  })

  it('cannot name an issuer twice', () => {
    expect(() => made({ issuers: [issuerWith([key]), issuerWith([key])] })).toThrow(
      expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }),
    )
  })
})
