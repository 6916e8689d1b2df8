import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { jwt } from '../../src/codecs/jwt/index.ts'
import { type AcceptanceOptions, acceptanceSchema, tokenAcceptance } from '../../src/core/acceptance.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { acceptanceDefaults, code } from '../support/exchange.ts'

const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(acceptanceSchema)
const accept = (options: AcceptanceOptions) => tokenAcceptance(options, acceptanceDefaults, 'accept.subject')

const issuers = ['https://cluster.example.com']

describe('acceptance', () => {
  it('has a safe default for whatever is not said', () => {
    expect(accept({ format: 'jwt', issuers })).toEqual({
      format: 'jwt',
      types: [
        'urn:ietf:params:oauth:token-type:jwt',
        'urn:ietf:params:oauth:token-type:access_token',
        'urn:ietf:params:oauth:token-type:id_token',
      ],
      kind: undefined,
      issuers,
      audience: ['https://gw.example', 'https://gw.example/token'],
      clockSkew: 30,
      maxAge: undefined,
      maxLifetime: undefined,
      forClient: undefined,
      limitedBy: undefined,
      require: [],
      singleUse: false,
      presentedBy: 'holder',
      subjectFrom: undefined,
      extendedKeyUsage: undefined,
      algorithms: undefined,
    })
  })

  it('takes every option over', () => {
    const options: AcceptanceOptions = {
      format: 'x509',
      types: ['urn:dragoman:token-type:x509'],
      kind: 'x509-svid',
      issuers: ['self', 'https://ca.example'],
      audience: ['x'],
      clock_skew: 0,
      max_age: 60,
      max_lifetime: 600,
      for_client: 'azp',
      limited_by: 'resource',
      require: ['email'],
      single_use: true,
      presented_by: 'audience',
      subject_from: 'san_uri',
      extended_key_usage: ['client_auth', '1.3.6.1.4.1.311.20.2.2'],
      algorithms: ['ES256', 'EdDSA'],
      authentication: { acr_values: ['phr'], max_age: 300 },
    }
    expect(validate(options)).toBe(true)
    expect(accept(options)).toEqual({
      format: 'x509',
      types: ['urn:dragoman:token-type:x509'],
      kind: 'x509-svid',
      issuers: ['https://gw.example', 'https://ca.example'],
      audience: ['x'],
      clockSkew: 0,
      maxAge: 60,
      maxLifetime: 600,
      authentication: { acrValues: ['phr'], maxAge: 300 },
      forClient: 'azp',
      limitedBy: 'resource',
      require: ['email'],
      singleUse: true,
      presentedBy: 'audience',
      subjectFrom: 'san_uri',
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.2', '1.3.6.1.4.1.311.20.2.2'],
      algorithms: ['ES256', 'Ed25519'],
    })
  })

  it('asks how the user authenticated in one way at least, in words that a client can be told', () => {
    const asks = (authentication: object) => validate({ format: 'jwt', issuers, authentication })
    expect(asks({ max_age: 60 })).toBe(true)
    expect(asks({ acr_values: ['urn:example:acr:2'] })).toBe(true)
    expect(accept({ format: 'jwt', issuers })).not.toHaveProperty('authentication')
    for (const wrong of [{}, { acr_values: [] }, { acr_values: ['a b'] }, { acr_values: ['"'] }, { max_age: 0 }]) {
      expect(asks(wrong)).toBe(false)
    }
  })

  it('asks for no audience only when told so in a word, or of a certificate, which has none', () => {
    expect(accept({ format: 'jwt', issuers, audience: 'any' }).audience).toEqual([])
    expect(accept({ format: 'x509', issuers }).audience).toEqual([])
    expect(validate({ format: 'jwt', issuers, audience: [] })).toBe(false)
  })

  it('IJ-05: asks for no other audience of a token whose audience is its client', () => {
    expect(accept({ format: 'jwt', issuers, for_client: 'aud' })).toMatchObject({ audience: [], forClient: 'aud' })
    expect(accept({ format: 'jwt', issuers, for_client: 'azp' }).audience).toHaveLength(2)
  })

  const redeemed = (options: AcceptanceOptions) =>
    tokenAcceptance(options, { ...acceptanceDefaults, grant: jwtBearer.rules }, 'accept.subject')

  it('AG-05, AG-07, IC-16: takes an assertion once, as a JWT, and none that lives for hours', () => {
    const accepted = { types: [tokenTypes.jwt], singleUse: true, maxLifetime: 3600 }
    expect(redeemed({ format: 'jwt', issuers })).toMatchObject(accepted)
    expect(redeemed({ format: 'jwt', issuers, single_use: false, max_lifetime: 60 })).toMatchObject({
      singleUse: false,
      maxLifetime: 60,
    })
  })

  it('AU-06, IJ-31, IJ-32: knows that an ID-JAG names the issuer alone, and its client', () => {
    const kindRules = (_: string, kind: string | undefined) => jwt().kindRules?.(kind)
    const read = (options: Partial<AcceptanceOptions>) =>
      tokenAcceptance({ format: 'jwt', issuers, ...options }, { ...acceptanceDefaults, kindRules }, 'accept.subject')
    const both = ['https://gw.example', 'https://gw.example/token']
    expect(read({ kind: 'oauth-id-jag+jwt' })).toMatchObject({
      ...{ audience: [both[0]], forClient: 'client_id', limitedBy: 'resource' },
    })
    expect(read({ kind: 'authorization-grant+jwt' })).toMatchObject({
      ...{ audience: both, forClient: undefined, limitedBy: undefined },
    })
    expect(read({ kind: 'oauth-id-jag+jwt', audience: ['urn:us'] }).audience).toEqual(['urn:us'])
    const own = code('ERR_PROFILE_OPTION', { path: 'accept.subject.issuers[1]', expected: expect.any(String) })
    for (const kind of ['authorization-grant+jwt', 'oauth-id-jag+jwt']) {
      expect(() => read({ kind, issuers: [...issuers, 'self'] })).toThrow(own)
    }
  })

  it('IJ-16, BD-48: never takes a grant of this gateway, whatever its kind', () => {
    for (const own of ['self', 'https://gw.example']) {
      const refusal = code('ERR_PROFILE_OPTION', { path: 'accept.subject.issuers[0]', expected: expect.any(String) })
      expect(() => redeemed({ format: 'jwt', issuers: [own] })).toThrow(refusal)
    }
  })

  it('refuses a format in which no assertion is', () => {
    const refusal = code('ERR_PROFILE_OPTION', { path: 'accept.subject.format', expected: expect.any(String) })
    expect(() => redeemed({ format: 'cwt', issuers })).toThrow(refusal)
  })

  it.each<[string, AcceptanceOptions]>([
    ['format', { format: 'saml', issuers }],
    ['types', { format: 'jwt', issuers, types: ['urn:dragoman:token-type:cwt'] }],
    ['subject_from', { format: 'jwt', issuers, subject_from: 'san_uri' }],
    ['extended_key_usage', { format: 'cwt', issuers, extended_key_usage: ['client_auth'] }],
    ['extended_key_usage', { format: 'x509', issuers, extended_key_usage: ['clientAuth'] }],
    ['extended_key_usage', { format: 'x509', issuers, extended_key_usage: ['1.03'] }],
    ['algorithms', { format: 'jwt', issuers, algorithms: ['HS256'] }],
  ])('refuses %s of %j', (option, options) => {
    expect(() => accept(options)).toThrow(code('ERR_PROFILE_OPTION', { path: `accept.subject.${option}` }))
  })

  it.each<object>([
    { format: 'jwt' },
    { issuers },
    { format: 'jwt', issuers: [] },
    { format: 'jwt', issuers, audience: 'all' },
    { format: 'jwt', issuers, clock_skew: 301 },
    { format: 'jwt', issuers, max_age: 0 },
    { format: 'jwt', issuers, presented_by: 'anyone' },
    { format: 'jwt', issuers, algorithms: ['none'] },
    { format: 'jwt', issuers, audiences: ['x'] },
  ])('its schema refuses %j', (options) => {
    expect(validate(options)).toBe(false)
  })
})

describe('a type with rules of its own', () => {
  const uri = (name: string) => `urn:ietf:params:oauth:token-type:${name}`
  const taken = (name: string, more: Partial<AcceptanceOptions> = {}) =>
    accept({ format: 'jwt', issuers, types: [uri(name)], ...more })
  const refused = (options: () => unknown, path: string) =>
    expect(options).toThrow(code('ERR_PROFILE_OPTION', { path: `accept.subject.${path}` }))

  it('is never among those that are taken by default', () => {
    const all = ['jwt', 'txn_token', 'self_signed', 'unsigned_json'].map(uri)
    expect(tokenAcceptance({ format: 'jwt', issuers }, { ...acceptanceDefaults, types: () => all }, '').types).toEqual([
      uri('jwt'),
    ])
  })

  it('self_signed is for us, for a minute, once', () => {
    expect(taken('self_signed')).toMatchObject({
      ...{
        audience: ['https://gw.example', 'https://gw.example/token'],
        maxAge: 60,
        maxLifetime: 300,
        singleUse: true,
      },
    })
    expect(taken('self_signed', { max_age: 10 })).toMatchObject({ maxAge: 10 })
    refused(() => taken('self_signed', { audience: 'any' }), 'audience')
    refused(() => taken('self_signed', { single_use: false }), 'single_use')
  })

  it('unsigned_json is a danger that is said, of a subject', () => {
    expect(taken('unsigned_json', { danger_unsigned: true })).toMatchObject({ audience: [], singleUse: false })
    refused(() => taken('unsigned_json'), 'types')
    refused(() => taken('unsigned_json', { danger_unsigned: true, single_use: true }), 'single_use')
    refused(() => taken('jwt', { danger_unsigned: true }), 'danger_unsigned')
    const options: AcceptanceOptions = { format: 'jwt', issuers, types: [uri('unsigned_json')], danger_unsigned: true }
    expect(() => tokenAcceptance(options, acceptanceDefaults, 'accept.actor')).toThrow(
      code('ERR_PROFILE_OPTION', { path: 'accept.actor.types' }),
    )
  })

  it('txn_token is a transaction token, of today or of older drafts, and a transaction token nothing else', () => {
    expect(taken('txn_token')).toMatchObject({ kind: 'txntoken+jwt' })
    expect(taken('txn_token', { kind: 'txn_token' })).toMatchObject({ kind: 'txn_token' })
    refused(() => taken('txn_token', { kind: 'at+jwt' }), 'kind')
    refused(() => taken('jwt', { kind: 'txntoken+jwt' }), 'types')
    refused(() => accept({ format: 'jwt', issuers, kind: 'txntoken+jwt' }), 'types')
  })

  it('stands alone', () => {
    for (const name of ['txn_token', 'self_signed', 'unsigned_json']) {
      refused(() => accept({ format: 'jwt', issuers, types: [uri('jwt'), uri(name)] }), 'types')
    }
  })

  it('access tokens of others are taken where the profile lists their type', () => {
    expect(accept({ format: 'jwt', issuers })).not.toHaveProperty('foreignAccessTokens')
    expect(taken('jwt')).not.toHaveProperty('foreignAccessTokens')
    expect(taken('access_token')).toHaveProperty('foreignAccessTokens', true)
  })
})
