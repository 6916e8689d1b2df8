import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtin } from '../../src/catalog.ts'
import type { Grant } from '../../src/core/grant.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { at, type Domains, newDomains } from '../support/chaining.ts'
import { rewrite } from '../support/live.ts'

const [, bearer] = builtin().grants
if (bearer === undefined) throw new TypeError('no grant for assertions')

/** A draft has another name for the same grant, with a key: to take it, it is copied under that name. */
const jwtDpop: Grant = { ...bearer, name: 'jwt-dpop', type: 'urn:ietf:params:oauth:grant-type:jwt-dpop' }

describe('a grant from outside', () => {
  let domains: Domains
  beforeAll(async () => {
    domains = await newDomains(
      (folder) => rewrite(join(folder, 'meridian'), 'redeem.yaml', 'grant: jwt-bearer', 'grant: jwt-dpop'),
      { grants: [jwtDpop] },
    )
  })
  afterAll(() => domains.close())

  const grant = async () =>
    (
      await domains.exchange('larkspur', 'intake', {
        subject_token: domains.file('txn.jwt'),
        subject_token_type: tokenTypes.txnToken,
        audience: at('meridian'),
      })
    ).token

  it('is one more value in a list: profiles name it, requests ask for it, metadata says so', async () => {
    const redeemed = await domains.redeem('meridian', 'larkspur-claims', await grant(), { grant_type: jwtDpop.type })
    expect(redeemed.record).toMatchObject({ result: 'issued', grant: 'jwt-dpop', profile: 'redeem' })
    const metadata = await domains.gateway.http.inject('/.well-known/oauth-authorization-server/meridian')
    expect(metadata.json().grant_types_supported).toContain(jwtDpop.type)
  })

  it('refuses in its own words', async () => {
    const { token } = await domains.redeem('meridian', 'larkspur-claims', await grant(), { grant_type: jwtDpop.type })
    const access = await domains.redeem('meridian', 'larkspur-claims', token, { grant_type: jwtDpop.type })
    expect(access.body).toMatchObject({ error: 'invalid_grant' })
  })
})
