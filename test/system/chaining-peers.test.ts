import { join } from 'node:path'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { type LiveDomains, newLiveDomains } from '../support/chaining.ts'
import { rewrite } from '../support/live.ts'
import { API, newPeer, type Peer } from '../support/provider.ts'

let domains: LiveDomains
let peer: Peer
beforeAll(async () => {
  peer = await newPeer(() => domains.issuer('larkspur'))
  domains = await newLiveDomains((folder) => {
    // As a partner is added: a line for its authorization server at the one end, an issuer and a profile at the other.
    const grant = join(folder, 'larkspur')
    rewrite(grant, 'grant.yaml', /allow: \[/, `allow: [${peer.issuer}, `)
    rewrite(grant, 'grant.yaml', '{ intake: larkspur-claims }', '{ intake: larkspur-claims, desk: service }')
    rewrite(grant, 'grant.yaml', 'clients: [intake]', 'clients: [intake, desk]')
    rewrite(
      folder,
      'dragoman.yaml',
      /^ {4}profiles: meridian$/m,
      `      - issuer: ${peer.issuer}
        discovery: true
        fetch: { allow_private_addresses: true }
        algorithms: [ES256]
        subjects: [service]
    profiles: meridian`,
    )
    const meridian = join(folder, 'meridian')
    rewrite(meridian, 'redeem.yaml', /^ {4}kind: authorization-grant\+jwt$/m, '    kind: at+jwt')
    rewrite(meridian, 'redeem.yaml', /^ {4}issuers: .*$/m, `    issuers: [${peer.issuer}]`)
    rewrite(meridian, 'redeem.yaml', /^ {4}for_client: client_id\n/m, '')
  })
})
afterAll(async () => {
  await domains.close()
  await peer.close()
})

const insecure = { [oauth.allowInsecureRequests]: true }

/** oauth4webapi, pointed at an issuer. */
async function server(issuer: string, algorithm: 'oauth2' | 'oidc' = 'oauth2') {
  const url = new URL(issuer)
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm, ...insecure }))
  return async (
    client_id: string,
    grant: string,
    parameters: { readonly [name: string]: string },
    DPoP?: oauth.DPoPHandle,
  ) => {
    const client = { client_id }
    const auth = oauth.ClientSecretBasic(`${client_id}-secret`)
    const sent = new URLSearchParams(parameters)
    const options = { ...insecure, ...(DPoP && { DPoP }) }
    const response = await oauth.genericTokenEndpointRequest(as, client, auth, grant, sent, options)
    return oauth.processGenericTokenEndpointResponse(as, client, response, {
      recognizedTokenTypes: { n_a: () => {} },
    })
  }
}

const transaction = () => ({ subject_token: domains.file('txn.jwt'), subject_token_type: tokenTypes.txnToken })
const idToken = () => ({ subject_token: domains.file('id.jwt'), subject_token_type: tokenTypes.idToken })
const calendar = { resource: 'https://calendar.meridian.example', scope: 'calendar.read' }

describe('oauth4webapi', () => {
  it('exchanges for an ID-JAG in one domain and redeems it in the next, bound to its DPoP key in both', async () => {
    const [larkspur, meridian] = [domains.issuer('larkspur'), domains.issuer('meridian')]
    const keys = await oauth.generateKeyPair('ES256', { extractable: true })
    const DPoP = oauth.DPoP({}, keys)
    const grant = await (await server(larkspur))(
      'desk',
      TOKEN_EXCHANGE,
      { ...idToken(), ...calendar, audience: meridian, requested_token_type: tokenTypes.idJag },
      DPoP,
    )
    expect(grant).toMatchObject({ token_type: 'n_a', issued_token_type: tokenTypes.idJag, scope: 'calendar.read' })
    const jkt = await DPoP.calculateThumbprint()
    expect(decodeJwt(grant.access_token)['cnf']).toEqual({ jkt })

    const redeem = await server(meridian)
    const assertion = { assertion: grant.access_token }
    await expect(redeem('larkspur-desk', jwtBearer.type, assertion)).rejects.toMatchObject({ error: 'invalid_grant' })
    const answer = await redeem('larkspur-desk', jwtBearer.type, assertion, DPoP)
    expect(answer).toMatchObject({ token_type: 'dpop', expires_in: 120 })
    expect(decodeJwt(answer.access_token)).toMatchObject({ aud: calendar.resource, cnf: { jkt } })
  })
})

describe('openid-client', () => {
  const configure = (tenant: string, client: string) =>
    openid.discovery(new URL(domains.issuer(tenant)), client, {}, openid.ClientSecretBasic(`${client}-secret`), {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    })

  it('finds the grants in the metadata, and redeems one, with DPoP', async () => {
    const meridian = await configure('meridian', 'larkspur-desk')
    const metadata = meridian.serverMetadata()
    expect(metadata.grant_types_supported).toContain(jwtBearer.type)
    expect(metadata['authorization_grant_profiles_supported']).toEqual(['urn:ietf:params:oauth:grant-profile:id-jag'])
    const grant = await (await server(domains.issuer('larkspur')))('desk', TOKEN_EXCHANGE, {
      ...{ ...idToken(), ...calendar, audience: domains.issuer('meridian') },
    })
    const DPoP = openid.getDPoPHandle(meridian, await openid.randomDPoPKeyPair('ES256'))
    const assertion = { assertion: grant.access_token }
    const answer = await openid.genericGrantRequest(meridian, jwtBearer.type, assertion, { DPoP })
    expect(answer).toMatchObject({ token_type: 'dpop', scope: 'calendar.read' })
  })

  it('hears invalid_grant of a grant that is for somebody else', async () => {
    const cobalt = await (await server(domains.issuer('larkspur')))('intake', TOKEN_EXCHANGE, {
      ...transaction(),
      audience: domains.issuer('cobalt'),
    })
    const meridian = await configure('meridian', 'larkspur-claims')
    const asked = openid.genericGrantRequest(meridian, jwtBearer.type, { assertion: cobalt.access_token })
    await expect(asked).rejects.toMatchObject({ error: 'invalid_grant', status: 400 })
  })
})

describe('oidc-provider', () => {
  it('as the server of domain B: takes a grant that we made, once, and issues its own token', async () => {
    const grant = await (await server(domains.issuer('larkspur')))('desk', TOKEN_EXCHANGE, {
      ...transaction(),
      audience: peer.issuer,
    })
    const redeem = await server(peer.issuer, 'oidc')
    const answer = await redeem('service', jwtBearer.type, { assertion: grant.access_token })
    const keys = createRemoteJWKSet(new URL(`${peer.issuer}/jwks`))
    const { payload } = await jwtVerify(answer.access_token, keys, { issuer: peer.issuer, audience: API })
    expect(payload).toMatchObject({
      sub: decodeJwt(grant.access_token).sub,
      client_id: 'service',
      scope: 'claims.create',
    })
    await expect(redeem('service', jwtBearer.type, { assertion: grant.access_token })).rejects.toMatchObject({
      error: 'invalid_grant',
    })
  })

  it('as the server of domain A: what it issues for us is redeemed by its keys, found through its metadata', async () => {
    const peers = await server(peer.issuer, 'oidc')
    const issued = await peers('service', 'client_credentials', {
      ...{ resource: domains.issuer('meridian'), scope: 'claims.create' },
    })
    const redeem = await server(domains.issuer('meridian'))
    const answer = await redeem('larkspur-claims', jwtBearer.type, { assertion: issued.access_token })
    expect(decodeJwt(answer.access_token)).toMatchObject({
      ...{ iss: domains.issuer('meridian'), sub: 'https://meridian.example/guests/service' },
      ...{ scope: 'claims.create', trust_path: [peer.issuer] },
    })
    const again = redeem('larkspur-claims', jwtBearer.type, { assertion: issued.access_token })
    await expect(again).rejects.toMatchObject({ error: 'invalid_grant' })
    expect(domains.records.at(-1)).toMatchObject({ code: 'ERR_TOKEN_REPLAYED', subject_issuer: peer.issuer })
  })

  it('as the server of domain A, with DPoP: its key goes on across the border', async () => {
    const keys = await oauth.generateKeyPair('ES256', { extractable: true })
    const DPoP = oauth.DPoP({}, keys)
    const peers = await server(peer.issuer, 'oidc')
    const wanted = { resource: domains.issuer('meridian'), scope: 'claims.create' }
    const issued = await peers('service', 'client_credentials', wanted, DPoP)
    expect(issued.token_type).toBe('dpop')
    const redeem = await server(domains.issuer('meridian'))
    const assertion = { assertion: issued.access_token }
    await expect(redeem('larkspur-claims', jwtBearer.type, assertion)).rejects.toMatchObject({ error: 'invalid_grant' })
    const answer = await redeem('larkspur-claims', jwtBearer.type, assertion, DPoP)
    expect(decodeJwt(answer.access_token)['cnf']).toEqual({ jkt: await DPoP.calculateThumbprint() })
  })
})
