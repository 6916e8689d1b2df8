import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditToMemory } from '../../src/audit/index.ts'
import { createGateway, type Gateway } from '../../src/compose.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { createVerifier } from '../../src/verify/index.ts'
import { basicOf } from '../support/live.ts'
import { watched } from '../support/world.ts'

/** What tokenetes really said, and its keys: test/vectors/tokenetes/ORIGIN.md. */
const vector = fileURLToPath(new URL('../vectors/tokenetes/order-pay.json', import.meta.url))
const { response, jwks } = JSON.parse(readFileSync(vector, 'utf8'))
const TOKEN: string = response.access_token
const ISSUED = 1_795_615_852
const ISSUER = 'https://tokenetes.larkspur.example'

const profile = (name: string, kind: string, audience: string) => `name: ${name}
accept:
  clients: [orders]
  subject:
    format: jwt
    kind: ${kind}
    types: [urn:ietf:params:oauth:token-type:txn_token]
    issuers: [${ISSUER}]
    audience: ['${audience}']
  targets: { allow: [https://${name}.larkspur.example] }
stages:
  - context: { keep: [txn, tctx, rctx] }
  - validity: { lifetime: 60, scope: { default: subject } }
  - format: { to: jwt }
  - crypto: { key: signing }
`

const CONFIGURATION = `issuer: https://gw.larkspur.example
keys: [{ name: signing, algorithm: ES256, generate: true }]
clients:
  - { client_id: orders, token_endpoint_auth_method: client_secret_basic, client_secret: orders-secret }
issuers:
  - { issuer: ${ISSUER}, jwks_file: jwks.json, algorithms: [RS256], subjects: ['*'] }
profiles: [former.yaml, current.yaml, elsewhere.yaml]
`

describe('a transaction token of tokenetes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-tokenetes-'))
  const sink = watched(auditToMemory())
  let gateway: Gateway
  let now = ISSUED + 1
  beforeAll(async () => {
    writeFileSync(join(folder, 'jwks.json'), JSON.stringify(jwks))
    writeFileSync(join(folder, 'former.yaml'), profile('former', 'txn_token', 'https://larkspur.example/'))
    writeFileSync(join(folder, 'current.yaml'), profile('current', 'txntoken+jwt', 'https://larkspur.example/'))
    writeFileSync(join(folder, 'elsewhere.yaml'), profile('elsewhere', 'txn_token', 'https://meridian.example/'))
    writeFileSync(join(folder, 'dragoman.yaml'), CONFIGURATION)
    gateway = await createGateway(join(folder, 'dragoman.yaml'), { clock: () => now, audit: () => sink })
  })
  afterAll(async () => {
    await gateway.http.close()
    rmSync(folder, { recursive: true })
  })

  async function exchange(name: string, subject_token = TOKEN, at = ISSUED + 1) {
    now = at
    const { statusCode, body } = await gateway.http.inject({
      ...{ method: 'POST', url: '/token' },
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basicOf('orders', 'orders-secret'),
      },
      payload: new URLSearchParams({
        ...{ grant_type: TOKEN_EXCHANGE, subject_token, subject_token_type: tokenTypes.txnToken },
        audience: `https://${name}.larkspur.example`,
      }).toString(),
    })
    return { status: statusCode, body: JSON.parse(body), code: sink.records.at(-1)?.code }
  }

  it('came as a transaction token comes (section 11.4)', () => {
    expect(response).toMatchObject({ token_type: 'N_A', issued_token_type: tokenTypes.txnToken })
  })

  it('is taken as one of an older draft, under the names of today', async () => {
    const { body } = await exchange('former')
    expect(decodeJwt(body.access_token)).toMatchObject({
      ...{ sub: 'u-20417', scope: 'order.pay', txn: decodeJwt(TOKEN)['txn'] },
      ...{ tctx: { order_id: 'o-771', amount: '18.40' }, rctx: { req_ip: '192.0.2.44' } },
    })
  })

  it('is not one of today: typ and req_wl are not there', async () => {
    expect(await exchange('current')).toMatchObject({ status: 400, code: 'ERR_TOKEN_KIND' })
    const verifier = createVerifier({
      ...{ audience: 'https://larkspur.example/', kind: 'txntoken+jwt', danger_any_request: true },
      issuers: [{ issuer: ISSUER, jwks, subjects: ['*'] }],
    })
    const verdict = verifier.verify(TOKEN, { now: ISSUED + 1 })
    await expect(verdict).rejects.toMatchObject({ code: 'ERR_TOKEN_KIND' })
  })

  it('is refused too late, for another domain, and with another amount', async () => {
    expect(await exchange('former', TOKEN, ISSUED + 60 + 31)).toMatchObject({ status: 400, code: 'ERR_TOKEN_EXPIRED' })
    expect(await exchange('elsewhere')).toMatchObject({ status: 400, code: 'ERR_TOKEN_AUDIENCE' })
    const [head, , signature] = TOKEN.split('.')
    const claims = { ...decodeJwt(TOKEN), azd: { order_id: 'o-771', amount: '1840' } }
    const altered = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`
    expect(await exchange('former', altered)).toMatchObject({ status: 400, code: 'ERR_TOKEN_SIGNATURE' })
  })
})
