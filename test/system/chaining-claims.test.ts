import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { CompactSign, decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { at, type Domains, newDomains, type Told } from '../support/chaining.ts'
import { dpopBy, rewrite } from '../support/live.ts'
import { NOW, type Parameters } from '../support/world.ts'

const URN = 'urn:ietf:params:oauth:token-type'
const CALENDAR = 'https://calendar.meridian.example'

let domains: Domains
beforeAll(async () => {
  domains = await newDomains()
})
afterAll(() => domains.close())

type Claims = { readonly [name: string]: unknown }

/** What somebody with this key of the scenario signs. */
const signed = (here: Domains, name: string, typ: string, claims: Claims) =>
  new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'ES256', typ })
    .sign(createPrivateKey(here.file(`${name}.key`)))

let number = 0
const assertion = (here: Domains, more: Claims = {}, key = 'larkspur') => {
  number += 1
  return signed(here, key, 'oauth-id-jag+jwt', {
    ...{ iss: at('larkspur'), sub: 'mira@meridian.example', aud: at('meridian'), client_id: 'larkspur-desk' },
    ...{ iat: NOW, exp: NOW + 60, jti: `a-${number}`, scope: 'calendar.read', resource: CALENDAR, ...more },
  })
}
const redeemed = async (here: Domains, more?: Claims, key?: string) =>
  here.redeem('meridian', 'larkspur-desk', await assertion(here, more, key))

const idToken = (here: Domains, more: Claims = {}) =>
  signed(here, 'id', 'JWT', {
    ...{ iss: 'https://id.larkspur.example', sub: 'user/19', aud: 'desk', iat: NOW, exp: NOW + 300 },
    ...{ auth_time: NOW - 60, ...more },
  })
const idJag = (here: Domains, subject_token: string, client = 'desk', more: Parameters = {}) =>
  here.exchange('larkspur', client, {
    ...{ subject_token, subject_token_type: tokenTypes.idToken, requested_token_type: tokenTypes.idJag },
    ...{ audience: at('meridian'), resource: CALENDAR, scope: 'calendar.read', ...more },
  })

const refusedAs = (told: Told, code: string, error: string) => {
  expect(told.record).toMatchObject({ result: 'refused', code, error })
  expect(told.body).not.toHaveProperty('access_token')
}

async function edited<T>(edit: (folder: string) => void, work: (here: Domains) => Promise<T>): Promise<T> {
  const here = await newDomains(edit)
  try {
    return await work(here)
  } finally {
    await here.close()
  }
}

describe('an ID-JAG', () => {
  it('IJ-12, IJ-13: says how somebody signed in, and what a profile adds: her names here and there, and the tenants', () =>
    edited(
      (folder) =>
        rewrite(
          join(folder, 'larkspur'),
          'id-jag.yaml',
          '  - subject: { lookup: { file: people.json } }\n',
          `  - context: { keep: [email], copy: { aud_sub: subject.email }, set: { tenant: eu, aud_tenant: m-7 } }
  - subject: { pairwise: { secret: pairwise, prefix: pw_ } }
`,
        ),
      async (here) => {
        const token = await idToken(here, { acr: 'urn:mfa', amr: ['hwk', 'pin'], email: 'mira@larkspur.example' })
        expect(decodeJwt((await idJag(here, token)).token)).toMatchObject({
          ...{ sub: expect.stringMatching(/^pw_/), email: 'mira@larkspur.example' },
          ...{ tenant: 'eu', aud_tenant: 'm-7', aud_sub: 'mira@larkspur.example' },
          ...{ acr: 'urn:mfa', amr: ['hwk', 'pin'], auth_time: NOW - 60, resource: CALENDAR, scope: 'calendar.read' },
        })
      },
    ))

  it('IC-14: is not made of a token that another client signed somebody in with', () =>
    edited(
      (folder) => {
        rewrite(join(folder, 'larkspur'), 'id-jag.yaml', 'clients: [desk]', 'clients: [desk, intake]')
        rewrite(join(folder, 'larkspur'), 'id-jag.yaml', 'map: { desk: ', 'map: { intake: larkspur-claims, desk: ')
      },
      async (here) => {
        refusedAs(await idJag(here, await idToken(here), 'intake'), 'ERR_TOKEN_CLIENT', 'invalid_request')
        expect(await idJag(here, await idToken(here, { aud: 'intake' }), 'intake')).toHaveProperty('status', 200)
      },
    ))

  it('IJ-17: is for one server, which makes no other grant of it', async () => {
    const { token } = await idJag(domains, await idToken(domains))
    expect(decodeJwt(token).aud).toBe(at('meridian'))
    for (const type of [tokenTypes.idJag, tokenTypes.jwt, tokenTypes.accessToken]) {
      const onward = { subject_token: token, subject_token_type: type, audience: at('larkspur') }
      const told = await domains.exchange('meridian', 'claims', onward)
      expect(told.record).toMatchObject({ result: 'refused' })
      expect(told.body).not.toHaveProperty('access_token')
    }
  })

  it('IJ-15: is of one tenant of its issuer, where the profile asks which', () =>
    edited(
      (folder) => {
        rewrite(
          join(folder, 'meridian'),
          'id-jag.yaml',
          '  - context:\n      conditions:\n',
          '  - context:\n      require: [tenant]\n      conditions:\n        - subject.tenant in ["eu", "us"]\n',
        )
        rewrite(
          join(folder, 'meridian'),
          'id-jag.yaml',
          '  - embedding:',
          `  - subject: { template: 'https://meridian.example/{subject.tenant}/{subject.sub}' }\n  - embedding:`,
        )
      },
      async (here) => {
        const subs = await Promise.all(
          ['eu', 'us'].map(async (tenant) => decodeJwt((await redeemed(here, { tenant })).token).sub),
        )
        expect(subs).toEqual(['eu', 'us'].map((tenant) => `https://meridian.example/${tenant}/mira%40meridian.example`))
        refusedAs(await redeemed(here), 'ERR_PROFILE_REQUIRED', 'invalid_grant')
        refusedAs(await redeemed(here, { tenant: 'ap' }), 'ERR_PROFILE_CONDITION', 'invalid_grant')
      },
    ))
})

describe('sub_id', () => {
  const NAMED = { format: 'saml-nameid', issuer: 'https://saml.larkspur.example', nameid: 'u-19' }

  it('IJ-34: makes nobody trusted, and nobody else of the subject', async () => {
    refusedAs(await redeemed(domains, { iss: NAMED.issuer, sub_id: NAMED }), 'ERR_TRUST_ISSUER', 'invalid_grant')
    refusedAs(await redeemed(domains, { sub_id: NAMED }, 'tts'), 'ERR_TOKEN_SIGNATURE', 'invalid_grant')
    const { token } = await redeemed(domains, { sub_id: { ...NAMED, issuer: at('cobalt'), nameid: 'admin' } })
    expect(decodeJwt(token)).toMatchObject({ sub: 'mira@meridian.example' })
    expect(decodeJwt(token)).not.toHaveProperty('sub_id')
  })

  it('IJ-14, IJ-35: is compared member by member where a profile needs it, and refused where one is not there', () =>
    edited(
      (folder) =>
        rewrite(
          join(folder, 'meridian'),
          'id-jag.yaml',
          '        - expression: subject.sub in ["mira@meridian.example"]\n',
          `        - expression: >-
            subject.sub_id == {"format": "saml-nameid", "issuer": "${NAMED.issuer}", "nameid": "u-19"}
`,
        ),
      async (here) => {
        expect(await redeemed(here, { sub_id: NAMED })).toHaveProperty('status', 200)
        for (const sub_id of [
          ...[undefined, null, 'u-19', {}, { ...NAMED, format: 'email' }, { ...NAMED, nameid: 'u-20' }],
          ...[
            { format: NAMED.format, nameid: NAMED.nameid },
            { ...NAMED, sp_name_qualifier: 'x' },
          ],
        ]) {
          const told = await redeemed(here, { sub_id })
          expect(told.record).toMatchObject({ result: 'refused', error: 'invalid_grant' })
          expect(told.record.code).not.toBe('ERR_INTERNAL')
        }
      },
    ))
})

describe('what is left out of identity chaining', () => {
  it('IC-15, IJ-06, IJ-21: refresh tokens: none is taken, asked for or given', async () => {
    const { token } = await idJag(domains, await idToken(domains))
    const given = await domains.redeem('meridian', 'larkspur-desk', token)
    expect(given).toHaveProperty('status', 200)
    expect(given.body).not.toHaveProperty('refresh_token')
    const asked = await idJag(domains, await idToken(domains), 'desk', {
      requested_token_type: `${URN}:refresh_token`,
      scope: 'openid offline_access',
    })
    expect(asked.body).toMatchObject({ error: 'invalid_request' })
    const taken = await idJag(domains, 'r-1', 'desk', { subject_token_type: `${URN}:refresh_token` })
    refusedAs(taken, 'ERR_REQUEST_TOKEN_TYPE', 'invalid_request')
  })

  it('IJ-04: SAML assertions: they are refused by their type, whatever is in them', async () => {
    for (const type of [`${URN}:saml2`, `${URN}:saml1`]) {
      const told = await idJag(domains, 'PHNhbWw+', 'desk', { subject_token_type: type })
      refusedAs(told, 'ERR_REQUEST_TOKEN_TYPE', 'invalid_request')
    }
  })

  it('IC-18, XB-15: a key that nobody proved: requested_cnf binds nothing, and goes no further', async () => {
    const holder = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const stranger = { jkt: 'A'.repeat(43) }
    const plain = await redeemed(domains, { requested_cnf: stranger })
    expect(plain.body).toMatchObject({ token_type: 'Bearer' })
    expect(plain.body).not.toHaveProperty('cnf')
    const proof = { dpop: dpopBy(holder.privateKey, { issuer: at('meridian') }, { iat: NOW }) }
    const grant = await assertion(domains, { requested_cnf: stranger })
    const bound = await domains.redeem('meridian', 'larkspur-desk', grant, {}, proof)
    expect(bound.body).toMatchObject({ token_type: 'DPoP', cnf: { jkt: publicKey(holder.publicKey).jkt } })
    for (const { token } of [plain, bound]) expect(decodeJwt(token)).not.toHaveProperty('requested_cnf')
  })
})

describe('a transaction token', () => {
  it('TT-36: goes to another domain as a grant of its own domain, and not itself', async () => {
    const txn = domains.file('txn.jwt')
    const asked = { subject_token: txn, subject_token_type: tokenTypes.txnToken, audience: at('meridian') }
    const grant = await domains.exchange('larkspur', 'intake', asked)
    expect(decodeJwt(grant.token)).toMatchObject({ iss: at('larkspur'), aud: at('meridian') })
    expect(await domains.redeem('meridian', 'larkspur-claims', grant.token)).toHaveProperty('status', 200)
    refusedAs(await domains.redeem('meridian', 'larkspur-claims', txn), 'ERR_TRUST_ISSUER', 'invalid_grant')
    const again = await domains.exchange('meridian', 'claims', asked)
    expect(again.body).not.toHaveProperty('access_token')
  })
})
