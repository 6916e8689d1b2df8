import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGateway } from '../../src/compose.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { at, type Domains, newDomains, type Told } from '../support/chaining.ts'
import { dpopBy, rewrite } from '../support/live.ts'
import { NOW, type Parameters } from '../support/world.ts'

let domains: Domains
beforeAll(async () => {
  domains = await newDomains()
})
afterAll(() => domains.close())

type Headers = { readonly [name: string]: string }

const grantOf = (here: Domains, more: Parameters = {}, headers?: Headers) =>
  here.exchange(
    'larkspur',
    'intake',
    {
      subject_token: here.file('txn.jwt'),
      subject_token_type: tokenTypes.txnToken,
      audience: at('meridian'),
      ...more,
    },
    headers,
  )
const idJagOf = (here: Domains, more: Parameters = {}) =>
  here.exchange('larkspur', 'desk', {
    subject_token: here.file('id.jwt'),
    subject_token_type: tokenTypes.idToken,
    requested_token_type: tokenTypes.idJag,
    audience: at('meridian'),
    resource: 'https://calendar.meridian.example',
    scope: 'calendar.read',
    ...more,
  })
const redeem = (here: Domains, grant: string, more: Parameters = {}, headers?: Headers) =>
  here.redeem('meridian', 'larkspur-claims', grant, more, headers)

const refusedAs = (told: Told, code: string, error: string) => {
  expect(told.record).toMatchObject({ result: 'refused', code, error })
  expect(told.body).toMatchObject({ error })
  expect(told.body).not.toHaveProperty('access_token')
}

describe('domain A', () => {
  it('IC-03, IC-04: makes a grant for the authorization server of B alone, that lives for a minute', async () => {
    const grant = await grantOf(domains)
    expect(grant.body).toMatchObject({ issued_token_type: tokenTypes.jwt, token_type: 'N_A', expires_in: 60 })
    expect(decodeProtectedHeader(grant.token).typ).toBe('authorization-grant+jwt')
    const { jti, nbf: _, sub, ...claims } = decodeJwt(grant.token)
    expect(jti).toMatch(/^.{22}$/)
    expect(sub).toMatch(/^pw_/)
    expect(claims).toEqual({
      ...{ iss: at('larkspur'), aud: at('meridian'), iat: NOW, exp: NOW + 60 },
      ...{ client_id: 'larkspur-claims', scope: 'claims.create', claim: 'c-9' },
    })
    expect(grant.record).toMatchObject({ grant: 'token-exchange', profile: 'grant', audience: [at('meridian')] })
  })

  it('IC-08, IC-17: says nothing that B does not need, anywhere in the grant', async () => {
    const { token } = await grantOf(domains)
    const text = token
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
      .join('\n')
    const { sub, txn, req_wl, tctx, rctx, jti, scope } = decodeJwt(domains.file('txn.jwt'))
    const inside = [sub, txn, req_wl, jti, scope, 'intake', 'asthma', '192.0.2.44', ...Object.keys({ tctx, rctx })]
    expect(inside).toHaveLength(10)
    for (const secret of inside) expect(text).not.toContain(secret)
  })

  it('IC-17: calls a person by one pseudonym for each partner, and by another for the next', async () => {
    const subs = await Promise.all(
      ['meridian', 'meridian', 'cobalt'].map(
        async (partner) => decodeJwt((await grantOf(domains, { audience: at(partner) })).token).sub,
      ),
    )
    expect(subs[0]).toBe(subs[1])
    expect(subs[0]).not.toBe(subs[2])
  })

  it('IC-01, IC-02: has to be told for which server, by audience or resource, and knows it', async () => {
    const none = { audience: undefined }
    refusedAs(await grantOf(domains, none), 'ERR_REQUEST_MISSING', 'invalid_request')
    refusedAs(await grantOf(domains, { audience: at('nowhere') }), 'ERR_PROFILE_TARGET', 'invalid_target')
    expect(decodeJwt((await grantOf(domains, { ...none, resource: at('meridian') })).token).aud).toBe(at('meridian'))
  })

  it('IC-03: makes no grant for two servers', async () => {
    const both = await grantOf(domains, { audience: [at('meridian'), at('cobalt')] })
    refusedAs(both, 'ERR_PROFILE_TARGET_COUNT', 'invalid_target')
  })

  it('IC-05: makes a grant whether or not one is asked for by type, and never an access token for a foreign server', async () => {
    const asked = await grantOf(domains, { requested_token_type: tokenTypes.jwt })
    expect(asked.body).toMatchObject({ issued_token_type: tokenTypes.jwt })
    const other = await grantOf(domains, { requested_token_type: tokenTypes.accessToken })
    refusedAs(other, 'ERR_PROFILE_REQUESTED_TYPE', 'invalid_request')
  })

  it('IC-10: gives no scope that the subject token has not', async () => {
    expect((await grantOf(domains, { scope: 'claims.create claims.delete' })).body['scope']).toBe('claims.create')
    refusedAs(await grantOf(domains, { scope: 'claims.delete' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
  })

  it('IJ-01, IJ-09, IJ-10, IJ-11: makes an ID-JAG, for the client as B knows it, with what was asked for behind B', async () => {
    const grant = await idJagOf(domains)
    expect(grant.body).toMatchObject({
      issued_token_type: tokenTypes.idJag,
      token_type: 'N_A',
      expires_in: 180,
      scope: 'calendar.read',
    })
    expect(grant.body).not.toHaveProperty('refresh_token')
    expect(decodeProtectedHeader(grant.token).typ).toBe('oauth-id-jag+jwt')
    expect(decodeJwt(grant.token)).toMatchObject({
      ...{ iss: at('larkspur'), aud: at('meridian'), sub: 'mira@meridian.example', client_id: 'larkspur-desk' },
      ...{ resource: 'https://calendar.meridian.example', scope: 'calendar.read', auth_time: 1_799_999_400 },
      ...{ iat: NOW, exp: NOW + 180, jti: expect.any(String) },
    })
  })

  it('IJ-03, IJ-07: takes several resources, and none that it does not know', async () => {
    const two = ['https://calendar.meridian.example', 'https://contacts.meridian.example']
    expect(decodeJwt((await idJagOf(domains, { resource: two })).token)['resource']).toEqual(two)
    const other = await idJagOf(domains, { resource: [...two, 'https://payroll.meridian.example'] })
    refusedAs(other, 'ERR_PROFILE_TARGET', 'invalid_target')
    expect(decodeJwt((await idJagOf(domains, { resource: undefined })).token)).not.toHaveProperty('resource')
  })
})

describe('an ID-JAG', () => {
  it('IJ-02: is for the issuer identifier of B, by whatever name B was asked for', async () => {
    const alias = 'urn:example:partner:meridian'
    const named = await newDomains((folder) =>
      rewrite(
        join(folder, 'larkspur'),
        'id-jag.yaml',
        `allow: [${at('meridian')}]`,
        `allow: [{ request: '${alias}', audience: '${at('meridian')}' }]`,
      ),
    )
    try {
      expect(decodeJwt((await idJagOf(named, { audience: alias })).token).aud).toBe(at('meridian'))
      refusedAs(await idJagOf(named), 'ERR_PROFILE_TARGET', 'invalid_target')
    } finally {
      await named.close()
    }
  })

  it('IJ-08: is about one person: an actor token that no profile has a use for is refused', async () => {
    const actor = { actor_token: domains.file('id.jwt'), actor_token_type: tokenTypes.idToken }
    refusedAs(await idJagOf(domains, actor), 'ERR_PROFILE_ACTOR_REFUSED', 'invalid_request')
  })

  it('IJ-20, EX-12: is not made of a sign-in that is too long ago, and the client hears what would do', async () => {
    const told = await idJagOf(domains, { subject_token: domains.file('old-id.jwt') })
    refusedAs(told, 'ERR_TOKEN_AUTHENTICATION', 'insufficient_user_authentication')
    expect([told.status, told.body['max_age']]).toEqual([400, 43_200])
    expect(told.body).not.toHaveProperty('acr_values')
  })
})

describe('domain B', () => {
  it('IC-06, AG-14: redeems a grant for a token of its own that lives no longer', async () => {
    const redeemed = await redeem(domains, (await grantOf(domains)).token)
    expect(redeemed.body).toMatchObject({ token_type: 'Bearer', expires_in: 60, scope: 'claims.create' })
    expect(redeemed.body).not.toHaveProperty('refresh_token')
    expect(decodeJwt(redeemed.token)).toMatchObject({
      ...{ iss: at('meridian'), aud: 'https://claims.meridian.example', client_id: 'larkspur-claims', claim: 'c-9' },
      ...{ sub: expect.stringMatching(/^https:\/\/meridian\.example\/guests\/pw_/), trust_path: [at('larkspur')] },
    })
    expect(redeemed.record).toMatchObject({ grant: 'jwt-bearer', profile: 'redeem', subject_issuer: at('larkspur') })
  })

  it('IC-16: takes a grant once, also of two that come together', async () => {
    const { token } = await grantOf(domains)
    const told = await Promise.all([redeem(domains, token), redeem(domains, token), redeem(domains, token)])
    expect(told.map(({ status }) => status).sort()).toEqual([200, 400, 400])
    refusedAs(await redeem(domains, token), 'ERR_TOKEN_REPLAYED', 'invalid_grant')
  })

  it('spends nothing on a redemption that is refused', async () => {
    const { token } = await grantOf(domains)
    refusedAs(await redeem(domains, token, { scope: 'claims.delete' }), 'ERR_PROFILE_SCOPE', 'invalid_scope')
    expect(await redeem(domains, token)).toHaveProperty('status', 200)
  })

  it('IJ-37: takes an ID-JAG again where its profile says so', async () => {
    const { token } = await idJagOf(domains)
    for (let time = 0; time < 2; time += 1) {
      expect(await domains.redeem('meridian', 'larkspur-desk', token)).toHaveProperty('status', 200)
    }
  })

  it('IJ-36: issues for what the ID-JAG names, for less of it if asked, and for nothing else', async () => {
    const [calendar, contacts] = ['https://calendar.meridian.example', 'https://contacts.meridian.example']
    const both = (await idJagOf(domains, { resource: [calendar, contacts] })).token
    const one = (await idJagOf(domains)).token
    const ask = (grant: string, more?: Parameters) => domains.redeem('meridian', 'larkspur-desk', grant, more)
    expect(decodeJwt((await ask(both)).token).aud).toEqual([calendar, contacts])
    expect(decodeJwt((await ask(both, { resource: contacts })).token).aud).toBe(contacts)
    expect(decodeJwt((await ask(one)).token).aud).toBe(calendar)
    refusedAs(await ask(one, { resource: contacts }), 'ERR_PROFILE_TARGET', 'invalid_target')
    refusedAs(await ask(one, { audience: [calendar, contacts] }), 'ERR_PROFILE_TARGET', 'invalid_target')
    const unnamed = (await idJagOf(domains, { resource: undefined })).token
    expect(decodeJwt((await ask(unnamed)).token).aud).toEqual([calendar, contacts])
  })

  it('IJ-32: takes an ID-JAG from no other client than the one that it names', async () => {
    const { token } = await idJagOf(domains)
    refusedAs(await domains.redeem('meridian', 'larkspur-kiosk', token), 'ERR_TOKEN_CLIENT', 'invalid_grant')
  })

  it('takes a plain grant for an ID-JAG as little as an ID-JAG for a plain grant', async () => {
    const plain = (await grantOf(domains)).token
    refusedAs(await domains.redeem('meridian', 'larkspur-desk', plain), 'ERR_TOKEN_KIND', 'invalid_grant')
    refusedAs(await redeem(domains, (await idJagOf(domains)).token), 'ERR_TOKEN_KIND', 'invalid_grant')
  })

  it.each<[string, (here: Domains) => Promise<string>, string]>([
    [
      'for another server',
      async (here) => (await grantOf(here, { audience: at('cobalt') })).token,
      'ERR_TOKEN_AUDIENCE',
    ],
    ['that has expired', async (here) => here.file('expired-grant.jwt'), 'ERR_TOKEN_EXPIRED'],
    ['that is an access token', async (here) => here.file('access.jwt'), 'ERR_TOKEN_KIND'],
    ['that is the token of A itself', async (here) => here.file('txn.jwt'), 'ERR_TRUST_ISSUER'],
    ['that was altered', async (here) => altered((await grantOf(here)).token), 'ERR_TOKEN_SIGNATURE'],
    ['that is no JWT', async () => 'a.b', 'ERR_TOKEN_MALFORMED'],
    ['in the JSON serialization', async (here) => asJson((await grantOf(here)).token), 'ERR_TOKEN_MALFORMED'],
  ])('IC-06, AG-09: refuses a grant %s as invalid_grant', async (_, make, code) => {
    refusedAs(await redeem(domains, await make(domains)), code, 'invalid_grant')
  })

  it('IC-13, AG-11: wants client authentication, and validates what is there', async () => {
    const { token } = await grantOf(domains)
    const wrong = { authorization: `Basic ${Buffer.from('larkspur-claims:guess').toString('base64')}` }
    refusedAs(await redeem(domains, token, {}, wrong), 'ERR_CLIENT_SECRET', 'invalid_client')
    const none = await redeem(domains, token, {}, { authorization: '' })
    expect(none.status).toBe(401)
    const other = await domains.redeem('meridian', 'claims', token)
    refusedAs(other, 'ERR_PROFILE_NONE', 'unauthorized_client')
  })

  it('AG-11: takes a grant without a client where the profile says so, but not one that names a client', async () => {
    const without = { authorization: '' }
    const open = (names: boolean) =>
      newDomains((folder) => {
        const meridian = join(folder, 'meridian')
        rewrite(meridian, 'redeem.yaml', 'clients: [larkspur-claims]', 'subject_token_authenticates: true')
        if (!names) rewrite(meridian, 'redeem.yaml', /^ {4}for_client: client_id\n/m, '')
      })
    const [naming, bare] = [await open(true), await open(false)]
    try {
      const redeemed = await redeem(bare, (await grantOf(bare)).token, {}, without)
      expect(redeemed.record).toMatchObject({ result: 'issued', client_method: 'subject_token' })
      const refused = await redeem(naming, (await grantOf(naming)).token, {}, without)
      refusedAs(refused, 'ERR_TOKEN_CLIENT', 'invalid_grant')
    } finally {
      await Promise.all([naming.close(), bare.close()])
    }
  })

  it('EX-06: does not take a grant by token exchange, nor another token by the grant', async () => {
    const { token } = await grantOf(domains)
    const exchanged = await domains.exchange('meridian', 'larkspur-claims', {
      subject_token: token,
      subject_token_type: tokenTypes.jwt,
    })
    refusedAs(exchanged, 'ERR_PROFILE_NONE', 'unauthorized_client')
  })

  it('IC-09, IC-12, IJ-19, IJ-42: says what it does in the metadata, and nothing that it does not', async () => {
    const read = async (tenant: string) =>
      (await domains.gateway.http.inject(`/.well-known/oauth-authorization-server/${tenant}`)).json()
    const members = ['identity_chaining_requested_token_types_supported', 'authorization_grant_profiles_supported']
    const [types, profiles] = members
    const all = ['urn:ietf:params:oauth:grant-type:token-exchange', jwtBearer.type]
    expect(await read('larkspur')).toMatchObject({
      grant_types_supported: all,
      [String(types)]: [tokenTypes.jwt, tokenTypes.idJag],
    })
    expect(await read('larkspur')).not.toHaveProperty(String(profiles))
    expect(await read('meridian')).toMatchObject({
      grant_types_supported: all,
      [String(profiles)]: ['urn:ietf:params:oauth:grant-profile:id-jag'],
    })
    expect(await read('cobalt')).toMatchObject({ grant_types_supported: all.slice(0, 1) })
    for (const member of members) expect(await read('cobalt')).not.toHaveProperty(member)
    expect(JSON.stringify(await read('meridian'))).not.toContain('larkspur')
  })
})

describe('IC-13: a key across the border', () => {
  const holder = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { jkt } = publicKey(holder.publicKey)
  const proof = (tenant: string, key = holder.privateKey, more = {}): Headers => ({
    dpop: dpopBy(key, { issuer: at(tenant) }, { iat: NOW, ...more }),
  })

  it('IJ-18, XB-10, XB-12: is put into the grant from a proof, and into what B issues', async () => {
    const grant = await grantOf(domains, {}, proof('larkspur'))
    expect(grant.body).toMatchObject({ token_type: 'N_A', cnf: { jkt } })
    expect(decodeJwt(grant.token)['cnf']).toEqual({ jkt })
    const redeemed = await redeem(domains, grant.token, {}, proof('meridian'))
    expect(redeemed.body).toMatchObject({ token_type: 'DPoP', cnf: { jkt } })
    expect(decodeJwt(redeemed.token)['cnf']).toEqual({ jkt })
  })

  it('IJ-38, IJ-39, XB-14: is proved again at B, or the grant is worth nothing', async () => {
    const { token } = await grantOf(domains, {}, proof('larkspur'))
    refusedAs(await redeem(domains, token), 'ERR_TOKEN_UNPROVED', 'invalid_grant')
    const stolen = await redeem(domains, token, {}, proof('meridian', other.privateKey))
    refusedAs(stolen, 'ERR_PROOF_MISMATCH', 'invalid_grant')
    const elsewhere = await redeem(domains, token, {}, proof('larkspur'))
    refusedAs(elsewhere, 'ERR_PROOF_DPOP', 'invalid_dpop_proof')
    expect(await redeem(domains, token, {}, proof('meridian'))).toHaveProperty('status', 200)
  })

  it('IJ-40: comes in at B where the grant has none', async () => {
    const redeemed = await redeem(domains, (await grantOf(domains)).token, {}, proof('meridian'))
    expect(redeemed.body).toMatchObject({ token_type: 'DPoP', cnf: { jkt } })
  })

  it('IJ-41: is asked for where B wants one', async () => {
    const strict = await newDomains((folder) =>
      rewrite(
        join(folder, 'meridian'),
        'redeem.yaml',
        '  - format:',
        '  - sender_constraint: { require: true }\n  - format:',
      ),
    )
    try {
      refusedAs(await redeem(strict, (await grantOf(strict)).token), 'ERR_PROOF_REQUIRED', 'invalid_grant')
      const bound = await redeem(strict, (await grantOf(strict)).token, {}, proof('meridian'))
      expect(bound.body).toMatchObject({ cnf: { jkt } })
    } finally {
      await strict.close()
    }
  })
})

describe('a grant that does not leave its domain', () => {
  it('IJ-16: is not redeemed by whoever made it', async () => {
    const own = await domains.redeem('larkspur', 'intake', (await grantOf(domains)).token)
    refusedAs(own, 'ERR_TRUST_ISSUER', 'invalid_grant')
  })

  it.each(['self', at('larkspur')])(
    'IJ-16, BD-48: cannot be allowed to: %s among the issuers stops the start',
    async (own) => {
      const asked = newDomains((folder) =>
        rewrite(join(folder, 'larkspur'), 'return.yaml', `[${at('meridian')}]`, `[${at('meridian')}, '${own}']`),
      )
      await expect(asked).rejects.toThrow(/accept\.subject\.issuers\[1\]: expected another issuer than this gateway/)
    },
  )
})

describe('a token that goes in a circle', () => {
  const there = async (here: Domains) => {
    const redeemed = await redeem(here, (await grantOf(here)).token)
    return here.exchange('meridian', 'claims', {
      subject_token: redeemed.token,
      subject_token_type: tokenTypes.accessToken,
      audience: at('larkspur'),
    })
  }

  it('BD-09: is refused where it began, by the path that each domain signed', async () => {
    const back = await there(domains)
    expect(decodeJwt(back.token)).toMatchObject({ trust_path: [at('larkspur')], client_id: 'meridian-claims' })
    const told = await domains.redeem('larkspur', 'meridian-claims', back.token)
    refusedAs(told, 'ERR_TOKEN_PATH', 'invalid_grant')
  })

  it('BD-06: comes back where a profile lets it, and no further than that allows', async () => {
    for (const [path, status] of [
      ['{ revisit: true, max: 2 }', 200],
      ['{ revisit: true, max: 1 }', 400],
    ] as const) {
      const open = await newDomains((folder) => rewrite(join(folder, 'larkspur'), 'return.yaml', '{ max: 2 }', path))
      try {
        const told = await open.redeem('larkspur', 'meridian-claims', (await there(open)).token)
        expect(told.status).toBe(status)
        if (status === 400) refusedAs(told, 'ERR_TOKEN_PATH', 'invalid_grant')
        else expect(decodeJwt(told.token)['trust_path']).toEqual([at('larkspur'), at('meridian')])
      } finally {
        await open.close()
      }
    }
  })

  it('is not believed of an issuer that is not trusted for history', async () => {
    const strict = await newDomains((folder) => rewrite(folder, 'dragoman.yaml', '        history: true\n', ''))
    try {
      const told = await strict.redeem('larkspur', 'meridian-claims', (await there(strict)).token)
      refusedAs(told, 'ERR_TOKEN_PATH', 'invalid_grant')
    } finally {
      await strict.close()
    }
  })
})

describe('three domains in a row', () => {
  /** JWT, CWT, X.509, each with the one before inside. */
  async function wayOf(here: Domains, proofs: (tenant: string) => Headers = () => ({}), csr = here.file('guest.csr')) {
    const grant = await grantOf(here, {}, proofs('larkspur'))
    const second = await redeem(here, grant.token, { audience: at('cobalt') }, proofs('meridian'))
    const third = await here.exchange(
      'cobalt',
      'guest',
      { subject_token: second.token, subject_token_type: tokenTypes.cwt, csr },
      proofs('cobalt'),
    )
    return { grant: grant.token, second: second.token, third: third.token }
  }

  /** The last service, which has keys and no gateway. */
  async function vaultOf(here: Domains, certificate: string) {
    const vault = await createGateway(join(here.folder, 'vault.yaml'), {
      clock: () => here.now,
      audit: () => ({ write: () => {} }),
    })
    try {
      const { access_token } = await vault.exchange({
        id: 'vault',
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: certificate,
        subject_token_type: tokenTypes.x509,
        ...{ actor_token: undefined, actor_token_type: undefined, requested_token_type: undefined, csr: undefined },
        ...{ audience: [], resource: [], scope: undefined, dpop: [], certificates: undefined },
        ...{
          client_id: 'vault',
          client_secret: undefined,
          client_assertion: undefined,
          client_assertion_type: undefined,
        },
        authorization: `Basic ${Buffer.from('vault:vault-secret').toString('base64')}`,
      })
      return decodeJwt(access_token)
    } finally {
      await vault.close()
    }
  }

  it('leave a way that the last service verifies by itself, hop by hop', async () => {
    const { third } = await wayOf(domains)
    expect(await vaultOf(domains, third)).toMatchObject({
      trust_path: [at('larkspur'), at('meridian'), at('cobalt')],
      ...{ first_iss: at('larkspur'), first_sub: expect.stringMatching(/^pw_/), first_claim: 'c-9' },
      ...{ second_iss: at('meridian'), second_sub: expect.stringMatching(/^https:\/\/meridian\.example\/guests\/pw_/) },
    })
  })

  it('make tokens that cannot be taken out and used', async () => {
    const { grant, second } = await wayOf(domains)
    refusedAs(await redeem(domains, grant), 'ERR_TOKEN_REPLAYED', 'invalid_grant')
    const again = { subject_token: second, subject_token_type: tokenTypes.cwt, csr: domains.file('guest.csr') }
    refusedAs(await domains.exchange('cobalt', 'guest', again), 'ERR_TOKEN_REPLAYED', 'invalid_request')
  })

  it.each(['larkspur', 'meridian'])(
    'are not believed when a hop has other keys than the vault knows: %s',
    async (tenant) => {
      const strange = await newDomains((folder) =>
        writeFileSync(join(folder, `${tenant}-jwks.json`), readFileSync(join(folder, 'tts-jwks.json'))),
      )
      const { third } = await wayOf(domains)
      try {
        // The vault of one world, whose keys are its own, looks at the certificate of another but for what is the same.
        for (const name of ['cobalt.pem', 'larkspur-jwks.json', 'meridian-jwks.json']) {
          if (name !== `${tenant}-jwks.json`) writeFileSync(join(strange.folder, name), domains.file(name))
        }
        await expect(vaultOf(strange, third)).rejects.toThrow(
          expect.objectContaining({
            code: 'ERR_PROFILE_EMBEDDED',
            detail: expect.objectContaining({ code: 'ERR_TRUST_KEY' }),
          }),
        )
      } finally {
        await strange.close()
      }
    },
  )

  it('are refused by the vault when one of them is left out', async () => {
    const short = await newDomains((folder) =>
      rewrite(join(folder, 'meridian'), 'onward.yaml', /^ {6}# The grant[\s\S]*?danger_embed_bearer: true \}\n/m, ''),
    )
    try {
      const { third } = await wayOf(short)
      await expect(vaultOf(short, third)).rejects.toThrow(expect.objectContaining({ code: 'ERR_PROFILE_EMBEDDED' }))
    } finally {
      await short.close()
    }
  })

  it('are refused by the vault when the last one tells another way than the others signed', async () => {
    const lying = await newDomains((folder) => rewrite(join(folder, 'meridian'), 'onward.yaml', '      path: {}\n', ''))
    try {
      const { third } = await wayOf(lying)
      await expect(vaultOf(lying, third)).rejects.toThrow(expect.objectContaining({ code: 'ERR_PROFILE_CONDITION' }))
    } finally {
      await lying.close()
    }
  })

  it('carry nothing that can be used by others when each is bound to a key, and need no danger for it', async () => {
    const bound = await newDomains((folder) => {
      for (const [tenant, file] of [
        ['meridian', 'onward.yaml'],
        ['cobalt', 'certificate.yaml'],
      ] as const) {
        rewrite(join(folder, tenant), file, ', danger_embed_bearer: true', '')
      }
      rewrite(join(folder, 'vault'), 'way.yaml', `[${at('cobalt')}] }`, `[${at('cobalt')}], presented_by: audience }`)
      rewrite(
        join(folder, 'vault'),
        'way.yaml',
        `audience: [${at('meridian')}]\n`,
        `audience: [${at('meridian')}]\n              presented_by: audience\n`,
      )
    })
    try {
      const key = createPrivateKey(bound.file('guest.key'))
      const proofs = (tenant: string): Headers => ({ dpop: dpopBy(key, { issuer: at(tenant) }, { iat: NOW }) })
      await expect(wayOf(bound)).rejects.toThrow(/ERR_PROFILE_EMBEDDED/)
      const { third } = await wayOf(bound, proofs)
      expect(await vaultOf(bound, third)).toMatchObject({ first_iss: at('larkspur'), second_iss: at('meridian') })
    } finally {
      await bound.close()
    }
  })
})

function altered(token: string): string {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: 'pw_somebody-else' }
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
}

function asJson(token: string): string {
  const [header, payload, signature] = token.split('.')
  return JSON.stringify({ payload, protected: header, signature })
}
