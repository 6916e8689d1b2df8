import { describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import type { TokenRequest } from '../../src/core/exchange.ts'
import type { TokenAcceptance } from '../../src/core/profile.ts'
import type { TrustedIssuer } from '../../src/core/trust.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { verifyToken } from '../../src/exchange/verify.ts'
import { verifiedStore } from '../../src/stores/verified.ts'
import {
  acceptance,
  actorToken,
  certificate,
  fakeProofs,
  GATEWAY,
  ISSUER,
  key,
  NOW,
  PLAIN,
  plainCodec,
  plainToken,
  profile,
  request,
  type Said,
  stage,
  subjectToken,
  trusted,
  trustOf,
  world,
} from '../support/fakes.ts'

const refusal = (code: string) => expect.objectContaining({ code })

interface Case {
  /** How the subject token differs from a good one. */
  readonly token?: Said
  readonly subject?: Partial<TokenAcceptance>
  readonly issuer?: Partial<TrustedIssuer>
  readonly request?: Partial<TokenRequest>
}

const exchange = ({ token, subject = {}, issuer = {}, request: differs = {} }: Case) =>
  world(profile({ subject }), { trust: trustOf(trusted(ISSUER, issuer)) }).exchange({
    subject_token: subjectToken(token),
    ...differs,
  })

const passes = (differs: Case) => expect(exchange(differs)).resolves.toMatchObject({ issued_token_type: PLAIN })
const refuses = (differs: Case, code: string) => expect(exchange(differs)).rejects.toThrow(refusal(code))

describe('the issuer', () => {
  it('has to be one that the profile accepts, though others are trusted', async () => {
    const trust = trustOf(trusted(), trusted('https://other.example'))
    const asking = world(profile(), { trust }).exchange({
      subject_token: subjectToken({ iss: 'https://other.example' }),
    })
    await expect(asking).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
    await expect(asking).rejects.toMatchObject({
      detail: { expected: [ISSUER], actual: 'https://other.example, which the profile does not take' },
    })
  })

  it('is not told to anybody when it is not known: it may be anything', async () => {
    const actual = 'an issuer that is not trusted here'
    await expect(exchange({ token: { iss: 'https://ada.example' } })).rejects.toMatchObject({ detail: { actual } })
    await expect(exchange({ token: { iss: undefined } })).rejects.toMatchObject({ detail: { actual: 'no issuer' } })
  })

  it('has to be trusted, though the profile accepts it', async () => {
    await refuses(
      { token: { iss: 'https://x.example' }, subject: { issuers: ['https://x.example'] } },
      'ERR_TRUST_ISSUER',
    )
  })

  it.each([`${ISSUER}/`, 'https://ID.example', 'https://id.example:443', ' https://id.example', undefined, null, ''])(
    'is one exact string: %s is another',
    (iss) => refuses({ token: { iss } }, 'ERR_TRUST_ISSUER'),
  )

  it('cannot be named by whoever has no key of it', async () => {
    const forged = plainToken({ iss: ISSUER, sub: 'user-7', aud: [GATEWAY], exp: NOW + 600 }, 'https://evil.example')
    await refuses({ request: { subject_token: forged } }, 'ERR_TOKEN_SIGNATURE')
  })

  it('is the one whose keys verified, whatever the codec says', async () => {
    const other = 'https://other.example'
    const trust = trustOf(trusted(ISSUER, { asserts: () => false }), trusted(other))
    const token = subjectToken({ iss: ISSUER, provenance: { issuer: other } })
    const asking = world(profile({ subject: { issuers: [ISSUER, other] } }), { trust }).exchange({
      subject_token: token,
    })
    await expect(asking).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
  })

  it('is found by its trust domain for a JWT-SVID, whatever iss says', async () => {
    const trust = trustOf(
      trusted(ISSUER, { trustDomain: 'a.example' }),
      trusted('https://b.example', { trustDomain: 'b.example' }),
    )
    const svid = profile({ subject: { kind: 'jwt-svid', issuers: [ISSUER, 'https://b.example'] } })
    const said = {
      sub: 'spiffe://a.example/x',
      aud: [GATEWAY],
      exp: NOW + 60,
      iss: 'https://b.example',
      domain: 'a.example',
    }
    const { exchange, records } = world(svid, { trust })
    await exchange({ subject_token: plainToken(said, ISSUER) })
    expect(records[0]?.subject_issuer).toBe(ISSUER)
    const asking = exchange({ subject_token: plainToken(said, 'https://b.example') })
    await expect(asking).rejects.toThrow(refusal('ERR_TOKEN_SIGNATURE'))
    const homeless = exchange({ subject_token: plainToken({ ...said, domain: undefined }, ISSUER) })
    await expect(homeless).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
  })
})

describe('a format whose tokens do not name their issuer', () => {
  const [first, second] = ['anchor-1', 'anchor-2']
  const services = (differs: Partial<TrustedIssuer> = {}) => ({
    codecs: [plainCodec('x509', [tokenTypes.x509])],
    trust: trustOf(trusted(first, differs), trusted(second)),
  })
  const x509 = profile({
    subject: { format: 'x509', types: [tokenTypes.x509], issuers: [first, second], audience: [] },
  })
  const chain = (signedBy: string, more: Said = {}) => ({
    subject_token: plainToken({ sub: 'spiffe://a/b', exp: NOW + 60, nbf: NOW - 60, ...more }, signedBy),
    subject_token_type: tokenTypes.x509,
  })

  it('is asked of each accepted issuer that has certificates', async () => {
    const { exchange, records } = world(x509, services())
    await exchange(chain(second))
    expect(records[0]?.subject_issuer).toBe(second)
  })

  it('is refused where none of them will have it', async () => {
    await expect(world(x509, services()).exchange(chain('anchor-3'))).rejects.toThrow(refusal('ERR_TRUST_PATH'))
  })

  it('is not asked of an issuer without certificates', async () => {
    const without = services({ has: { keys: true, certificates: false } })
    await expect(world(x509, without).exchange(chain(first))).rejects.toThrow(refusal('ERR_TRUST_PATH'))
  })

  it('is refused for the reason of the issuer that knows the path', async () => {
    const codec = plainCodec('x509', [tokenTypes.x509])
    const expired = {
      ...codec,
      parse: (envelope: Parameters<typeof codec.parse>[0]) => {
        const unverified = codec.parse(envelope)
        return (
          unverified && {
            ...unverified,
            verify: ({ issuer }: TrustedIssuer) => {
              throw new DragomanError(issuer === first ? 'ERR_TOKEN_CRITICAL' : 'ERR_TRUST_PATH')
            },
          }
        )
      },
    }
    const asking = world(x509, { ...services(), codecs: [expired] }).exchange(chain(first))
    await expect(asking).rejects.toThrow(refusal('ERR_TOKEN_CRITICAL'))
  })

  it('is bound to its key: the handshake, or a proof by the key in another way', async () => {
    const bound = chain(first, { cnf: { jwk: 'k1', x5t: 'c1' } })
    const { exchange } = world(x509, services())
    await expect(exchange(bound)).rejects.toThrow(refusal('ERR_TOKEN_UNPROVED'))
    await expect(exchange({ ...bound, certificates: certificate('k2', 'c2') })).rejects.toThrow(
      refusal('ERR_PROOF_MISMATCH'),
    )
    await expect(exchange({ ...bound, certificates: certificate('k1', 'c1') })).resolves.toMatchObject({
      token_type: 'Bearer',
      cnf: { 'x5t#S256': 'c1' },
    })
    const both = { ...bound, dpop: ['k1'], certificates: certificate('k1', 'c1') }
    await expect(exchange(both)).resolves.toMatchObject({ token_type: 'Bearer', cnf: { 'x5t#S256': 'c1' } })
    // A renewed certificate of the same key, or DPoP: it is the key that the certificate is about.
    await expect(exchange({ ...bound, certificates: certificate('k1', 'c9') })).resolves.toMatchObject({
      cnf: { jkt: 'k1' },
    })
    await expect(exchange({ ...bound, dpop: ['k1'] })).resolves.toMatchObject({
      token_type: 'DPoP',
      cnf: { jkt: 'k1' },
    })
  })

  it('has no kind for the recipe to compare: the codec has done that', async () => {
    await expect(world(x509, services()).exchange(chain(first, { typ: 'x509-svid' }))).resolves.toBeDefined()
  })
})

describe('the declared type', () => {
  const both = { types: [PLAIN, tokenTypes.accessToken] }

  it('access_token means one of our own: a foreign one is refused (TE-09)', async () => {
    await refuses({ subject: both, request: { subject_token_type: tokenTypes.accessToken } }, 'ERR_REQUEST_TOKEN_TYPE')
  })

  it('access_token takes one of our own', async () => {
    const ours = profile({ subject: { ...both, issuers: [GATEWAY] } })
    const asking = world(ours, { trust: trustOf(trusted(GATEWAY)) }).exchange({
      subject_token: subjectToken({ iss: GATEWAY }),
      subject_token_type: tokenTypes.accessToken,
    })
    await expect(asking).resolves.toBeDefined()
  })

  it('is refused where the profile names a format without codec', async () => {
    await refuses({ subject: { format: 'saml2' } }, 'ERR_REQUEST_TOKEN_TYPE')
  })

  it('is refused where the codec of the format does not read it', async () => {
    await refuses(
      { subject: { types: [PLAIN, tokenTypes.cwt] }, request: { subject_token_type: tokenTypes.cwt } },
      'ERR_REQUEST_TOKEN_TYPE',
    )
  })

  it('is held for an embedded token as well', async () => {
    const embedded = { raw: subjectToken(), type: tokenTypes.cwt, role: 'embedded' } as const
    const asking = verifyToken(embedded, acceptance(), { now: NOW, caller: undefined, proofs: [] }, world().services)
    await expect(asking).rejects.toThrow(refusal('ERR_REQUEST_TOKEN_TYPE'))
  })
})

describe('time', () => {
  it('exp: the last second before it passes', () => passes({ token: { exp: NOW + 1 } }))
  it('exp: on it is too late (RFC 7519 §4.1.4)', () => refuses({ token: { exp: NOW } }, 'ERR_TOKEN_EXPIRED'))
  it('exp with skew: on exp + skew is too late', () =>
    refuses({ token: { exp: NOW - 30 }, subject: { clockSkew: 30 } }, 'ERR_TOKEN_EXPIRED'))

  it('exp with skew: within it the token is good, but nothing can be made of it that is not dead already', async () => {
    const late: Case = { token: { exp: NOW - 29 }, subject: { clockSkew: 30 } }
    await refuses(late, 'ERR_TOKEN_EXPIRED')
    const { services } = world()
    const envelope = { raw: subjectToken(late.token), type: PLAIN, role: 'subject' } as const
    const verified = verifyToken(
      envelope,
      acceptance({ clockSkew: 30 }),
      { now: NOW, caller: undefined, proofs: [] },
      services,
    )
    await expect(verified).resolves.toMatchObject({ claims: { sub: 'user-7' } })
  })

  it('exp: it is the token that is refused, not what would be made of it', async () => {
    const { services } = world()
    const verified = (exp: number, clockSkew: number) =>
      verifyToken(
        { raw: subjectToken({ exp }), type: PLAIN, role: 'subject' },
        acceptance({ clockSkew }),
        { now: NOW, caller: undefined, proofs: [] },
        services,
      )
    for (const [exp, skew] of [
      [NOW, 0],
      [NOW - 30, 30],
    ] as const) {
      await expect(verified(exp + 1, skew)).resolves.toBeDefined()
      await expect(verified(exp, skew)).rejects.toThrow(refusal('ERR_TOKEN_EXPIRED'))
    }
  })

  it('exp: a token without one is refused', () => refuses({ token: { exp: undefined } }, 'ERR_TOKEN_NO_EXPIRY'))
  it('exp: infinity is none (P-02)', () => refuses({ token: { exp: '1e400' } }, 'ERR_TOKEN_NO_EXPIRY'))
  it.each(['tomorrow', {}])('exp: %s is no time, and never passes', (exp) =>
    refuses({ token: { exp } }, 'ERR_TOKEN_EXPIRED'),
  )

  it('nbf: now passes', () => passes({ token: { nbf: NOW } }))
  it('nbf: a second from now is too early', () => refuses({ token: { nbf: NOW + 1 } }, 'ERR_TOKEN_NOT_YET_VALID'))
  it('nbf: as far ahead as the skew passes', () => passes({ token: { nbf: NOW + 30 }, subject: { clockSkew: 30 } }))
  it('nbf: further than the skew is too early', () =>
    refuses({ token: { nbf: NOW + 31 }, subject: { clockSkew: 30 } }, 'ERR_TOKEN_NOT_YET_VALID'))
  it.each(['now', '1e400'])('nbf: %s never passes', (nbf) => refuses({ token: { nbf } }, 'ERR_TOKEN_NOT_YET_VALID'))

  it('iat: one in the future is refused, skew included', async () => {
    await refuses({ token: { iat: NOW + 1 } }, 'ERR_TOKEN_NOT_YET_VALID')
    await passes({ token: { iat: NOW + 30 }, subject: { clockSkew: 30 } })
    await refuses({ token: { iat: NOW + 31 }, subject: { clockSkew: 30 } }, 'ERR_TOKEN_NOT_YET_VALID')
  })

  it('max_age: as old as that passes, a second older does not', async () => {
    await passes({ token: { iat: NOW - 60 }, subject: { maxAge: 60 } })
    await refuses({ token: { iat: NOW - 61 }, subject: { maxAge: 60 } }, 'ERR_TOKEN_TOO_OLD')
  })

  it('max_age: allows for the skew', async () => {
    await passes({ token: { iat: NOW - 90 }, subject: { maxAge: 60, clockSkew: 30 } })
    await refuses({ token: { iat: NOW - 91 }, subject: { maxAge: 60, clockSkew: 30 } }, 'ERR_TOKEN_TOO_OLD')
  })

  it('max_age: counts from nbf where there is no iat, and refuses where there is neither', async () => {
    await refuses({ token: { iat: undefined, nbf: NOW - 61 }, subject: { maxAge: 60 } }, 'ERR_TOKEN_TOO_OLD')
    await refuses({ token: { iat: undefined }, subject: { maxAge: 60 } }, 'ERR_PROFILE_REQUIRED')
  })
})

describe('EX-12: how the user authenticated (RFC 9470)', () => {
  const asked = (acrValues: readonly string[] | undefined, maxAge: number | undefined, clockSkew = 0) => ({
    subject: { authentication: { acrValues, maxAge }, clockSkew },
  })
  const said = (claims: { readonly [claim: string]: unknown }) => ({ token: claims })

  it('acr: one of those that are asked for passes, another does not, nor none, nor a list', async () => {
    const wanted = asked(['phr', 'phrh'], undefined)
    await passes({ ...said({ acr: 'phrh' }), ...wanted })
    for (const acr of ['pwd', 'phr ', 'PHR', undefined, ['phr'], 7]) {
      await refuses({ ...said({ acr }), ...wanted }, 'ERR_TOKEN_AUTHENTICATION')
    }
  })

  it('auth_time: as long ago as that passes, a second longer does not, skew considered', async () => {
    await passes({ ...said({ auth_time: NOW - 300 }), ...asked(undefined, 300) })
    await refuses({ ...said({ auth_time: NOW - 301 }), ...asked(undefined, 300) }, 'ERR_TOKEN_AUTHENTICATION')
    await passes({ ...said({ auth_time: NOW - 330 }), ...asked(undefined, 300, 30) })
    await refuses({ ...said({ auth_time: NOW - 331 }), ...asked(undefined, 300, 30) }, 'ERR_TOKEN_AUTHENTICATION')
  })

  it('auth_time: one that is not there, in the future, or no number is none', async () => {
    for (const auth_time of [undefined, NOW + 31, `${NOW}`, null, Number.MAX_SAFE_INTEGER]) {
      await refuses({ ...said({ auth_time }), ...asked(undefined, 300, 30) }, 'ERR_TOKEN_AUTHENTICATION')
    }
  })

  it('both are asked for where both are', async () => {
    const wanted = asked(['phr'], 300)
    await passes({ ...said({ acr: 'phr', auth_time: NOW }), ...wanted })
    await refuses({ ...said({ acr: 'phr', auth_time: NOW - 400 }), ...wanted }, 'ERR_TOKEN_AUTHENTICATION')
    await refuses({ ...said({ acr: 'pwd', auth_time: NOW }), ...wanted }, 'ERR_TOKEN_AUTHENTICATION')
  })

  it('is looked at last: a token that is no good is refused for that', () =>
    refuses({ ...said({ exp: NOW - 1 }), ...asked(['phr'], 300) }, 'ERR_TOKEN_EXPIRED'))
})

describe('how long it is valid', () => {
  it('AG-05: max_lifetime: an expiry as far ahead passes, a second further does not, skew included', async () => {
    await passes({ token: { exp: NOW + 60 }, subject: { maxLifetime: 60 } })
    await refuses({ token: { exp: NOW + 61 }, subject: { maxLifetime: 60 } }, 'ERR_TOKEN_LIFETIME')
    await passes({ token: { exp: NOW + 90 }, subject: { maxLifetime: 60, clockSkew: 30 } })
    await refuses({ token: { exp: NOW + 91 }, subject: { maxLifetime: 60, clockSkew: 30 } }, 'ERR_TOKEN_LIFETIME')
  })
})

describe('the path that it came', () => {
  it('is believed of an issuer that is trusted for history, and of no other', async () => {
    const token = { trust_path: ['https://a.example'] }
    await passes({ token, issuer: { history: true } })
    await refuses({ token }, 'ERR_TOKEN_PATH')
    await passes({ token: { trust_path: [] } })
  })

  it('is refused when it is malformed, whoever says so', async () => {
    await refuses({ token: { trust_path: 'https://a.example' }, issuer: { history: true } }, 'ERR_TOKEN_PATH')
    await refuses({ token: { trust_path: [1] }, issuer: { history: true } }, 'ERR_TOKEN_PATH')
  })
})

describe('the client that it was made for', () => {
  it('IJ-32: is the one that asks', async () => {
    await passes({ token: { client_id: 'orders' }, subject: { forClient: 'client_id' } })
    for (const client_id of ['other', undefined, '', ['orders'], 'Orders']) {
      await refuses({ token: { client_id }, subject: { forClient: 'client_id' } }, 'ERR_TOKEN_CLIENT')
    }
  })

  it('IJ-05: is among the audience of an ID token', async () => {
    const subject = { forClient: 'aud', audience: [] }
    await passes({ token: { aud: ['web', 'orders'] }, subject })
    await refuses({ token: { aud: ['web'] }, subject }, 'ERR_TOKEN_CLIENT')
    await refuses({ token: { aud: [] }, subject }, 'ERR_TOKEN_CLIENT')
  })

  it('IJ-19: has authenticated, whatever the token says of itself', async () => {
    const open = profile({ clients: [], unauthenticated: true, subject: { forClient: 'client_id' } })
    const asking = world(open).exchange({
      ...{ client_id: undefined, client_secret: undefined },
      subject_token: subjectToken({ sub: 'orders', client_id: 'orders' }),
    })
    await expect(asking).rejects.toThrow(refusal('ERR_TOKEN_CLIENT'))
  })
})

describe('what it is and for whom', () => {
  it('audience: one of those that the profile names is enough', () => passes({ token: { aud: ['x', GATEWAY] } }))
  it.each([[['https://other.example']], [[]], [[`${GATEWAY}/`]]])('audience: %j is not for us', (aud) =>
    refuses({ token: { aud } }, 'ERR_TOKEN_AUDIENCE'),
  )
  it('audience: not asked for, by explicit setting', () => passes({ token: { aud: ['x'] }, subject: { audience: [] } }))

  it('algorithm: one that the profile does not name is refused', async () => {
    await refuses({ subject: { algorithms: ['Ed25519'] } }, 'ERR_TOKEN_ALGORITHM')
    await passes({ token: { alg: 'Ed25519' }, subject: { algorithms: ['Ed25519'] } })
  })

  it.each([
    ['an access token', 'at+jwt'],
    ['a DPoP proof', 'dpop+jwt'],
    ['a security event', 'secevent+jwt'],
  ])('kind: %s does not pass for an untyped token (RFC 8725 §3.11)', (_, typ) =>
    refuses({ token: { typ } }, 'ERR_TOKEN_KIND'),
  )

  it.each(['jwt', 'jose', 'cwt', undefined])('kind: %s is untyped', (typ) => passes({ token: { typ } }))
  it.each(['jwt', 'jwt-svid', 'cwt'])('kind: a %s is told by its rules, and refuses an explicit type', async (kind) => {
    const svid = kind === 'jwt-svid' ? { issuer: { trustDomain: 'a' }, token: { domain: 'a' } } : {}
    await passes({ ...svid, subject: { kind } })
    await refuses({ ...svid, token: { ...svid.token, typ: 'at+jwt' }, subject: { kind } }, 'ERR_TOKEN_KIND')
  })

  it('kind: a typed profile takes that type only', async () => {
    await passes({ token: { typ: 'at+jwt' }, subject: { kind: 'at+jwt' } })
    await passes({ token: { typ: 'at+jwt' }, subject: { kind: 'AT+JWT' } })
    for (const typ of [undefined, 'jwt', 'dpop+jwt']) {
      await refuses({ token: { typ }, subject: { kind: 'at+jwt' } }, 'ERR_TOKEN_KIND')
    }
  })

  it.each([
    ['email', { email: 'x@example.com' }, { email: undefined }],
    ['email', { email: '' }, { email: null }],
    ['iat', {}, { iat: undefined }],
    ['nbf', { nbf: NOW }, {}],
    ['jti', {}, { jti: undefined }],
    ['scope', { scope: [] }, {}],
    ['cnf', { cnf: { jkt: 'k1' } }, {}],
    ['exp', {}, undefined],
    ['iss', {}, undefined],
  ])('require: %s has to be there', async (name, there, missing) => {
    const subject = { require: [name] }
    await passes({ token: there, subject, request: { dpop: ['k1'] } })
    if (missing) await refuses({ token: missing, subject, request: { dpop: ['k1'] } }, 'ERR_PROFILE_REQUIRED')
  })

  it('require: aud, where the audience is not asked for', async () => {
    const subject = { require: ['aud'], audience: [] }
    await passes({ subject })
    await refuses({ token: { aud: [] }, subject }, 'ERR_PROFILE_REQUIRED')
  })
})

describe('the subject', () => {
  it.each([undefined, '', 7, null, ['user-7'], {}])('cannot be %j', (sub) =>
    refuses({ token: { sub } }, 'ERR_TOKEN_SUBJECT'),
  )

  it('has to be one that the issuer may speak of (S-02)', async () => {
    const issuer = { asserts: (subject: string) => subject.startsWith('spiffe://a.example/') }
    await refuses({ issuer }, 'ERR_TOKEN_SUBJECT_SPACE')
    await passes({ issuer, token: { sub: 'spiffe://a.example/x' } })
  })

  it('act is kept from an issuer that is trusted for history, and refused from any other (AC-13)', async () => {
    const token = { act: { sub: 'front' } }
    await refuses({ token }, 'ERR_TOKEN_ACT')
    await passes({ token, issuer: { history: true } })
  })

  it.each([
    ['text', 'front'],
    ['a list', [{ sub: 'front' }]],
    ['null', null],
    ['nine actors', nested(9)],
    ['five kilobytes', { sub: 'x'.repeat(5000) }],
  ])('act of %s is refused from any issuer (AC-12)', (_, act) =>
    refuses({ token: { act }, issuer: { history: true } }, 'ERR_TOKEN_ACT'),
  )

  it('act of eight actors passes', () => passes({ token: { act: nested(8) }, issuer: { history: true } }))
})

describe('a token that is bound to a key', () => {
  const jkt = { cnf: { jkt: 'k1' } }
  const certified = { cnf: { x5t: 'c1' } }
  const twice = { cnf: { jkt: 'k1', x5t: 'c1' } }

  it('is refused without any proof (BD-68)', async () => {
    await refuses({ token: jkt }, 'ERR_TOKEN_UNPROVED')
    await refuses({ token: certified }, 'ERR_TOKEN_UNPROVED')
    await refuses({ token: { cnf: { jwk: 'k1' } } }, 'ERR_TOKEN_UNPROVED')
  })

  it('is refused with a proof by another key (EX-09)', async () => {
    await refuses({ token: jkt, request: { dpop: ['k2'] } }, 'ERR_PROOF_MISMATCH')
    await refuses({ token: certified, request: { certificates: certificate('k1', 'c2') } }, 'ERR_PROOF_MISMATCH')
    await refuses({ token: { cnf: { jwk: 'k1' } }, request: { dpop: ['k2'] } }, 'ERR_PROOF_MISMATCH')
  })

  it('is good with the proof of its key', async () => {
    await passes({ token: jkt, request: { dpop: ['k1'] } })
    await passes({ token: { cnf: { jwk: 'k1' } }, request: { dpop: ['k1'] } })
    await passes({ token: certified, request: { certificates: certificate('k1', 'c1') } })
  })

  it('is good with a certificate of its key: that is possession as well', () =>
    passes({ token: jkt, request: { certificates: certificate('k1', 'c7') } }))

  it('is not good with the key of its certificate alone: a thumbprint names one certificate (RFC 8705 §3.1)', () =>
    refuses(
      { token: certified, request: { dpop: ['k1'], certificates: certificate('k1', 'c7') } },
      'ERR_PROOF_MISMATCH',
    ))

  it('asks both proofs of a cnf with two methods (CF-07)', async () => {
    await refuses({ token: twice, request: { dpop: ['k1'] } }, 'ERR_PROOF_MISMATCH')
    await refuses({ token: twice, request: { certificates: certificate('k2', 'c1') } }, 'ERR_PROOF_MISMATCH')
    await passes({ token: twice, request: { dpop: ['k1'], certificates: certificate('k2', 'c1') } })
    await passes({ token: twice, request: { certificates: certificate('k1', 'c1') } })
  })

  it('asks both proofs of a key and a thumbprint that are not of one key', async () => {
    const token = { cnf: { jwk: 'k1', jkt: 'k2' } }
    await refuses({ token, request: { dpop: ['k1'] } }, 'ERR_PROOF_MISMATCH')
    await refuses({ token, request: { dpop: ['k2'] } }, 'ERR_PROOF_MISMATCH')
  })

  it('is refused where a COSE thumbprint names another key, beside whatever else was proved', async () => {
    await refuses({ token: { cnf: { ckt: 't1' } }, request: { dpop: ['k1'] } }, 'ERR_PROOF_MISMATCH')
    const other = { certificates: certificate('k1', 'c1') }
    await refuses({ token: { cnf: { ckt: 't1', x5t: 'c1' } }, request: other }, 'ERR_PROOF_MISMATCH')
    await refuses({ token: { cnf: { ckt: 't1', jkt: 'k1' } }, request: other }, 'ERR_PROOF_MISMATCH')
    await passes({ token: { cnf: { ckt: 'ckt-k1', jwk: 'k1' } }, request: other })
    await passes({ token: { cnf: { ckt: 'ckt-k1' } }, request: other })
    await passes({ token: { cnf: { ckt: 'ckt-k1' } }, request: { dpop: ['k2'], ...other } })
  })

  it('is refused with a certification request by its key, which whoever saw it can send again', async () => {
    await refuses({ token: jkt, request: { csr: 'k1' } }, 'ERR_TOKEN_UNPROVED')
    await refuses({ token: jkt, request: { csr: 'k1', dpop: ['k2'] } }, 'ERR_PROOF_MISMATCH')
    await passes({ token: jkt, request: { csr: 'k1', dpop: ['k1'] } })
  })

  it('asks the same of an actor token', async () => {
    const act = stage((draft) => ({ ...draft, claims: { ...draft.claims, act: { sub: 'billing' } } }))
    const { exchange } = world(profile({ actor: {}, steps: [act] }))
    const acting = { actor_token: actorToken(jkt), actor_token_type: PLAIN }
    await expect(exchange(acting)).rejects.toThrow(refusal('ERR_TOKEN_UNPROVED'))
    await expect(exchange({ ...acting, dpop: ['k1'] })).resolves.toMatchObject({ cnf: { jkt: 'k1' } })
  })

  it('asks the same of an embedded token', async () => {
    const embedded = { raw: subjectToken(jkt), type: PLAIN, role: 'embedded' } as const
    const unwrap = stage(async (draft, { verify }) => {
      await verify(embedded, acceptance())
      return draft
    })
    await expect(world(profile({ steps: [unwrap] })).exchange()).rejects.toThrow(refusal('ERR_TOKEN_UNPROVED'))
  })
})

describe('a bound token that its audience presents', () => {
  const token = { cnf: { jkt: 'k1' }, aud: ['https://orders.example'] }
  const subject = { presentedBy: 'audience', audience: ['https://orders.example'] } as const
  const rebind = stage((draft, { proofs: [first] }) => ({
    ...draft,
    confirmation: first && { publicKey: first.publicKey, jkt: first.publicKey.jkt },
  }))
  const presenting = (differs: Partial<TokenRequest>, steps = [rebind]) =>
    world(profile({ subject, steps })).exchange({ subject_token: subjectToken(token), ...differs })

  it('comes without the proof of its holder, and goes out bound to the key of who presents it', async () => {
    await expect(presenting({ dpop: ['k2'] })).resolves.toMatchObject({ token_type: 'DPoP', cnf: { jkt: 'k2' } })
    await expect(presenting({ dpop: ['k2'] }, [])).resolves.toMatchObject({ token_type: 'DPoP', cnf: { jkt: 'k2' } })
  })

  it('is not issued again under the key of its holder, which nobody proved here (S-08)', async () => {
    await expect(presenting({}, [])).rejects.toMatchObject({ code: 'ERR_PROFILE_WIDER', detail: { rule: 'proof' } })
    const again = stage((draft, { subject }) => ({ ...draft, confirmation: subject.confirmation }))
    await expect(presenting({ dpop: ['k2'] }, [again])).rejects.toMatchObject({ detail: { rule: 'proof' } })
  })

  it('does not become a bearer token', async () => {
    await expect(presenting({})).rejects.toMatchObject({ detail: { rule: 'danger_drop_confirmation' } })
  })

  it('has to be for that audience', async () => {
    const elsewhere = presenting({ dpop: ['k2'], subject_token: subjectToken({ ...token, aud: [GATEWAY] }) })
    await expect(elsewhere).rejects.toThrow(refusal('ERR_TOKEN_AUDIENCE'))
  })

  it('is asked for its proof where the profile asks for no audience: then anybody would be it', async () => {
    const anybody = profile({ subject: { ...subject, audience: [] }, steps: [rebind] })
    const asking = world(anybody).exchange({ subject_token: subjectToken(token), dpop: ['k2'] })
    await expect(asking).rejects.toThrow(refusal('ERR_PROOF_MISMATCH'))
  })
})

describe('what is verified', () => {
  it('cannot be changed, down to the last claim', async () => {
    const raw = subjectToken({ groups: ['a'], deep: { more: { still: 'x' } }, scope: ['read'], cnf: { jkt: 'k1' } })
    const proofs = fakeProofs.flatMap(({ prove }) => prove(request({ dpop: ['k1'] }), {} as never) ?? [])
    const token = await verifyToken(
      { raw, type: PLAIN, role: 'subject' },
      acceptance(),
      { now: NOW, caller: undefined, proofs: proofs as never },
      world().services,
    )
    const { claims, validity, provenance, confirmation } = token
    const { groups, deep } = claims as Record<string, Record<string, object>>
    const parts = [token, claims, groups, deep, deep?.['more'], validity, validity.audience, validity.scope]
    for (const part of [...parts, provenance, confirmation]) expect(Object.isFrozen(part)).toBe(true)
    expect(confirmation).toEqual({ jkt: key('k1').jkt })
  })
})

function nested(depth: number): object {
  return depth === 1 ? { sub: 'a1' } : { sub: `a${depth}`, act: nested(depth - 1) }
}

describe('what a client says by itself', () => {
  const { selfSigned, unsignedJson } = tokenTypes
  const said = (iss: string, differs: Said = {}) => subjectToken({ iss, exp: NOW + 60, ...differs })
  const own = trusted('orders', { has: { keys: true, certificates: false, unsigned: true } })
  const other = trusted('other')

  const say = (type: string) => {
    const all = profile({
      clients: ['orders', 'other'],
      subject: { format: 'plain', types: [type], issuers: ['orders', 'other'] },
    })
    return world(all, {
      codecs: [{ ...plainCodec('plain', [type]), timeless: true }],
      trust: trustOf(own, other),
      verified: verifiedStore(),
    })
  }
  const asking = (type: string, token: string, differs: Partial<TokenRequest> = {}) =>
    say(type).exchange({ subject_token: token, subject_token_type: type, ...differs })

  it('is taken from who has said it', async () => {
    await expect(asking(selfSigned, said('orders'))).resolves.toBeDefined()
    await expect(asking(unsignedJson, said('orders'))).resolves.toBeDefined()
  })

  it('is not taken from another, whoever is trusted', async () => {
    const token = said('orders')
    const other = { client_id: 'other', client_secret: 'rehto' }
    await expect(asking(selfSigned, token, other)).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
    await expect(asking(unsignedJson, token, other)).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
  })

  it('is not taken from a client that is not listed for it', async () => {
    const token = said('other')
    const request = { subject_token: token, client_id: 'other', client_secret: 'rehto' }
    await expect(asking(unsignedJson, token, request)).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
    await expect(asking(selfSigned, token, request)).resolves.toBeDefined()
  })

  it('is remembered for nobody else', async () => {
    const { exchange } = say(selfSigned)
    const request = { subject_token: said('orders'), subject_token_type: selfSigned }
    await expect(exchange(request)).resolves.toBeDefined()
    const stolen = { ...request, client_id: 'other', client_secret: 'rehto' }
    await expect(exchange(stolen)).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
  })
})

describe('an access token of another issuer', () => {
  it('is taken where the profile lists the type', async () => {
    const request = { subject_token_type: tokenTypes.accessToken }
    const subject = { types: [tokenTypes.accessToken], foreignAccessTokens: true }
    await passes({ request, subject })
    await refuses({ request, subject: { types: [tokenTypes.accessToken] } }, 'ERR_REQUEST_TOKEN_TYPE')
  })
})

describe('a transaction token that does not say who signed it', () => {
  it('is asked of each accepted issuer that has keys', async () => {
    const type = tokenTypes.txnToken
    const token = plainToken({ sub: 'user-7', aud: [GATEWAY], iat: NOW, exp: NOW + 60 }, 'https://second.example')
    const asked = (...issuers: readonly TrustedIssuer[]) =>
      world(profile({ subject: { types: [type], issuers: issuers.map(({ issuer }) => issuer) } }), {
        ...{ codecs: [plainCodec('plain', [type])], trust: trustOf(...issuers) },
      }).exchange({ subject_token: token, subject_token_type: type })
    await expect(asked(trusted(), trusted('https://second.example'))).resolves.toBeDefined()
    await expect(asked(trusted())).rejects.toThrow(refusal('ERR_TOKEN_SIGNATURE'))
    const without = trusted('https://second.example', { has: { keys: false, certificates: true } })
    await expect(asked(without)).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
  })
})
