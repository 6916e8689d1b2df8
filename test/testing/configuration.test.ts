import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secretFor } from '../../src/testing/configuration.ts'
import { failedTwins, newPlace, type Place, STRICT, STRICT_TEST } from '../support/testing.ts'

let place: Place
beforeAll(() => {
  place = newPlace()
})
afterAll(() => place.remove())

/** A configuration whose keys, secrets and certificates are all on a machine that is not this one. */
const configuration = (client: string) => `issuer: https://gw.example/shop
clock_skew: 7
keys:
  - { name: signing, algorithm: ES256, kid: k-1, file: signing.key }
  - { name: ca, algorithm: ES256, file: ca.key, certificates: ca.pem }
secrets: [{ name: pairwise, env: NO_SUCH_VARIABLE }]
clients: [{ client_id: shop, ${client} }]
issuers:
  - { issuer: https://id.example, jwks_uri: https://id.example/keys, subjects: [shop/*], algorithms: [ES256, ES384] }
  - { issuer: https://ca.example, trust_domain: shop.example, certificates_file: none.pem, subjects: ["*"] }
profiles: one.yaml
`

const BASIC = 'token_endpoint_auth_method: client_secret_basic, client_secret_file: none.secret'

describe('a test with a configuration', () => {
  it.each([
    ['client_secret_basic', 'client_secret_file: none.secret'],
    ['client_secret_post', 'client_secret_env: NO_SUCH_VARIABLE'],
    ['private_key_jwt', 'jwks_uri: https://shop.example/keys'],
    ['tls_client_auth', 'certificate_authorities: none.pem, tls_client_auth_subject_dn: "CN=shop"'],
    ['tls_client_auth', 'certificate_authorities: none.pem, tls_client_auth_san_dns: shop.example'],
    ['tls_client_auth', 'certificate_authorities: none.pem, tls_client_auth_san_email: a@shop.example'],
  ])('reads no key, no secret and no certificate of it, and fetches nothing: %s, %s', async (method, rest) => {
    const profile = STRICT.replace(
      '  - format',
      '  - context: { copy: { asked_by: client.method } }\n  - format',
    ).replace('kind: at+jwt }', 'kind: at+jwt }\n  - crypto: { key: signing }')
    const test = STRICT_TEST.replace('claims: { email', `claims: { asked_by: ${method}, email`)
    const client = `token_endpoint_auth_method: ${method}, ${rest}`
    const result = await place.run(profile, test, { configuration: configuration(client) })
    expect(result.problems).toEqual([])
    expect(result.cases.flatMap(({ told }) => told)).toEqual([])
    expect(failedTwins(result)).toEqual([])
  })

  it('has its issuer, its subject spaces and its clock skew', async () => {
    const profile = STRICT.replace('kind: at+jwt }', 'kind: at+jwt }\n  - crypto: { key: signing }')
    const test = `${STRICT_TEST}  - name: within the skew of seven seconds, as long as the output lives
    request: { subject: { like: ada, issued: 7 } }
    expect: { token: { claims: { sub: shop/ada } } }
  - name: beyond it
    request: { subject: { like: ada, issued: 8 } }
    expect: { refused: ERR_TOKEN_NOT_YET_VALID }
  - name: a subject of nobody
    request: { subject: { like: ada, claims: { sub: other/ada } } }
    expect: { refused: ERR_TOKEN_SUBJECT_SPACE }
  - name: for this gateway, by its name
    request: { subject: { like: ada, claims: { aud: https://gw.example/shop } } }
    expect: { token: { audience: https://orders.example } }
`
    const { problems, cases } = await place.run(profile, test, { configuration: configuration(BASIC) })
    expect(problems).toEqual([])
    expect(cases.flatMap(({ told }) => told)).toEqual([])
  })

  it('says when the profile is none of it', async () => {
    const other = configuration(BASIC).replace('one.yaml', 'two.yaml')
    place.write('two.yaml', STRICT)
    const { problems } = await place.run(STRICT, STRICT_TEST, { configuration: other })
    expect(problems.join()).toContain('is not one of')
  })
})

describe('a test without one', () => {
  it('has secrets that are the same each time, so that a pseudonym can be expected', async () => {
    expect(secretFor('pairwise')).toBe(secretFor('pairwise'))
    expect(secretFor('pairwise')).not.toBe(secretFor('other'))
  })

  it('takes certificates by any name, and tokens of the gateway itself', async () => {
    const certificates = `name: one
accept:
  clients: [shop]
  subject: { format: x509, issuers: [https://ca.example], subject_from: subject_cn }
  targets: { allow: [https://orders.example] }
stages: [{ format: { to: jwt } }]
`
    const named = `cases:
  - name: by its common name
    request: { subject: { claims: { sub: machine-7 }, cnf: machine } }
    expect: { token: { claims: { sub: machine-7 }, cnf: machine } }
`
    const own = certificates.replace(
      'x509, issuers: [https://ca.example], subject_from: subject_cn',
      'jwt, issuers: [self]',
    )
    const back = `cases:
  - name: what was issued here comes back
    request: { subject: { claims: { sub: ada } } }
    expect: { token: { claims: { sub: ada } } }
`
    for (const [profile, test] of [
      [certificates, named],
      [own, back],
    ] as const) {
      const result = await place.run(profile, test)
      expect(result.problems).toEqual([])
      expect(result.cases.flatMap(({ told }) => told)).toEqual([])
      expect(failedTwins(result)).toEqual([])
    }
  })

  it('tells of a token that cannot be made', async () => {
    const { cases } = await place.run(STRICT, STRICT_TEST.replace('cnf: ada }', 'kind: at+jwt }'))
    expect(cases[0]?.differences).toMatchObject([{ what: 'request', expected: 'tokens that can be made' }])
  })

  it('verifies a token inside a token', async () => {
    const profile = STRICT.replace(
      'stages:',
      'stages:\n  - embedding: { unwrap: { claim: inner, use: claims, claims: [role], accept: { format: jwt, issuers: [https://id.example] } } }',
    )
    const test = STRICT_TEST.replace('cases:', '  role: { claims: { sub: shop/role, role: buyer } }\ncases:')
      .replace('cnf: ada }', 'cnf: ada, embeds: { inner: role } }')
      .replace('claims: { email', 'claims: { inner_role: buyer, email')
    const result = await place.run(profile, test)
    expect(result.problems).toEqual([])
    expect(result.cases.flatMap(({ told }) => told)).toEqual([])
  })
})
