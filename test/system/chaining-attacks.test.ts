import { createPrivateKey, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign, decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { at, type Domains, newDomains } from '../support/chaining.ts'
import { NOW } from '../support/world.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 150)

let domains: Domains
let key: KeyObject
beforeAll(async () => {
  domains = await newDomains()
  key = createPrivateKey(domains.file('larkspur.key'))
})
afterAll(() => domains.close())

type Claims = { readonly [name: string]: unknown }

const signed = (claims: Claims, typ = 'authorization-grant+jwt') =>
  new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader({ alg: 'ES256', typ }).sign(key)

let number = 0
const good = (): Claims => {
  number += 1
  return {
    ...{ iss: at('larkspur'), sub: 'pw_x', aud: at('meridian'), client_id: 'larkspur-claims' },
    ...{ iat: NOW, exp: NOW + 60, jti: `g-${number}`, scope: 'claims.create' },
  }
}
const redeem = async (claims: Claims, more = {}, typ?: string) =>
  domains.redeem('meridian', 'larkspur-claims', await signed(claims, typ), more)

/** What a partner that is careless, or was broken into, could put into a claim. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(null, '', 0, -1, 1e308, true, [], {}, [[]], [''], '\u0000', '__proto__'),
  fc.constantFrom<unknown>(NOW, NOW + 59, NOW + 1e9, at('meridian'), [at('meridian'), at('cobalt')], { jkt: 'x' }),
  fc.constantFrom<unknown>(
    { sub: 'x', act: { sub: 'y' } },
    [at('meridian')],
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'],
  ),
  fc.string(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.array(fc.string()),
  fc.dictionary(fc.string(), fc.string()),
)
const NAMES = [
  'iss',
  'sub',
  'aud',
  'client_id',
  'iat',
  'nbf',
  'exp',
  'jti',
  'scope',
  'cnf',
  'act',
  'may_act',
  'resource',
]

describe('a grant by a good key', () => {
  it('whatever else it says, is redeemed for no more than it grants, or refused with a reason', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...NAMES, 'trust_path', 'claim', 'src_token', '__proto__'), odd, { maxKeys: 3 }),
        async (over) => {
          const claims = { ...good(), ...over }
          const told = await redeem(claims)
          if (told.status !== 200) {
            expect(told.record.code).not.toBe('ERR_INTERNAL')
            expect(['invalid_grant', 'invalid_scope', 'invalid_target']).toContain(told.body['error'])
            return
          }
          const out = decodeJwt(told.token)
          expect(out.exp).toBeLessThanOrEqual(Number(claims['exp']))
          expect([undefined, ...String(claims['scope']).split(' ')]).toContain(out['scope'])
          expect(out).toMatchObject({ aud: 'https://claims.meridian.example', client_id: 'larkspur-claims' })
          expect(out['trust_path']).toEqual([at('larkspur')])
        },
      ),
      { numRuns },
    )
  })

  it.each<[string, Claims, string]>([
    ['for us and another', { aud: [at('meridian'), at('cobalt')] }, 'ERR_TOKEN_AUDIENCE'],
    ['for our name in other letters', { aud: at('Meridian') }, 'ERR_TOKEN_AUDIENCE'],
    ['for our name with a slash', { aud: `${at('meridian')}/` }, 'ERR_TOKEN_AUDIENCE'],
    ['of somebody else', { iss: 'https://tts.larkspur.example' }, 'ERR_TRUST_ISSUER'],
    ['of ourselves', { iss: at('meridian') }, 'ERR_TRUST_ISSUER'],
    ['that is good for an hour', { exp: NOW + 3600 }, 'ERR_TOKEN_LIFETIME'],
    ['that is not good yet', { nbf: NOW + 45 }, 'ERR_TOKEN_NOT_YET_VALID'],
    ['without a name', { jti: undefined }, 'ERR_PROFILE_REQUIRED'],
    ['without an end', { exp: undefined }, 'ERR_PROFILE_REQUIRED'],
    ['about nobody', { sub: undefined }, 'ERR_PROFILE_REQUIRED'],
    ['about an empty name', { sub: '' }, 'ERR_PROFILE_REQUIRED'],
    ['for no client', { client_id: undefined }, 'ERR_TOKEN_CLIENT'],
    ['for another client', { client_id: 'larkspur-desk' }, 'ERR_TOKEN_CLIENT'],
    ['with a history that is not believed', { act: { sub: 'x' } }, 'ERR_TOKEN_ACT'],
    ['with a path that is not believed', { trust_path: ['https://x.example'] }, 'ERR_TOKEN_PATH'],
    ['bound to what nobody understands', { cnf: { kid: 'x' } }, 'ERR_TOKEN_CONFIRMATION'],
  ])('is refused %s', async (_, over, code) => {
    const told = await redeem({ ...good(), ...over })
    expect(told.record).toMatchObject({ code, error: 'invalid_grant' })
  })

  it.each(['JWT', 'at+jwt', 'oauth-id-jag+jwt', 'txntoken+jwt', 'dpop+jwt', 'token-introspection+jwt'])(
    'is refused as %s',
    async (typ) => expect((await redeem(good(), {}, typ)).record).toMatchObject({ code: 'ERR_TOKEN_KIND' }),
  )

  it('may name our token endpoint, which an ID-JAG may not', async () => {
    const aud = `${at('meridian')}/token`
    expect(await redeem({ ...good(), aud })).toHaveProperty('status', 200)
    const jag = { ...good(), aud, client_id: 'larkspur-desk' }
    const told = await domains.redeem('meridian', 'larkspur-desk', await signed(jag, 'oauth-id-jag+jwt'))
    expect(told.record).toMatchObject({ code: 'ERR_TOKEN_AUDIENCE', error: 'invalid_grant' })
  })

  it('names a guest, and nobody who has an account here', async () => {
    for (const sub of ['mira@meridian.example', '../staff/1', 'https://meridian.example/staff/1']) {
      const { token } = await redeem({ ...good(), sub })
      expect(decodeJwt(token).sub).toMatch(/^https:\/\/meridian\.example\/guests\/[^/]+$/)
    }
  })

  it('speaks of those alone whom its issuer may speak for (IJ-33)', async () => {
    const jag = (sub: string) => ({
      ...good(),
      sub,
      client_id: 'larkspur-desk',
      resource: 'https://calendar.meridian.example',
    })
    const told = async (sub: string) =>
      domains.redeem('meridian', 'larkspur-desk', await signed(jag(sub), 'oauth-id-jag+jwt'))
    expect(await told('mira@meridian.example')).toHaveProperty('status', 200)
    for (const sub of ['admin@meridian.example', 'Mira@meridian.example', 'mira@meridian.example ', 'pw_x']) {
      expect((await told(sub)).record).toMatchObject({ code: 'ERR_PROFILE_CONDITION', error: 'invalid_grant' })
    }
  })

  it('is taken once by its name, however it is signed again', async () => {
    const claims = good()
    expect(await redeem(claims)).toHaveProperty('status', 200)
    // ES256 signs the same text differently each time.
    expect((await redeem(claims)).record).toMatchObject({ code: 'ERR_TOKEN_REPLAYED' })
    expect((await redeem({ ...claims, scope: undefined, exp: NOW + 90 })).record).toMatchObject({
      code: 'ERR_TOKEN_REPLAYED',
    })
  })

  it('says nothing by the parameters of another grant', async () => {
    const told = await redeem(good(), { subject_token: 'x', subject_token_type: 'y', client_assertion_type: undefined })
    expect(told.status).toBe(200)
    const acting = { actor_token: 'x', actor_token_type: 'urn:ietf:params:oauth:token-type:jwt' }
    expect((await redeem(good(), acting)).record).toMatchObject({ code: 'ERR_PROFILE_ACTOR_REFUSED' })
  })
})
