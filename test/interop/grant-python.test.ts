import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { type LiveDomains, newLiveDomains } from '../support/chaining.ts'
import { basicOf, rewrite, send } from '../support/live.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const python = process.env['DRAGOMAN_PYTHON'] ?? path('../../.cache/venv/bin/python')
const present = hasPackages()
const required = process.env['CI'] === 'true'
if (!present && !required) console.warn('skipped: no Python with the packages of test/interop/python-requirements.txt')

function hasPackages(): boolean {
  try {
    execFileSync(python, ['-c', 'import authlib.oauth2.rfc7523'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Starting Python takes longer than what it is asked, so a test asks everything at once. */
function ask<T>(requests: readonly object[]): readonly T[] {
  const output = execFileSync(python, [path('grant_peer.py')], { input: JSON.stringify(requests), encoding: 'utf8' })
  return JSON.parse(output)
}

const PARTNER = 'https://as.partner.example'
const partner = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...partner.privateKey.export({ format: 'jwk' }), kid: 'partner-1' }

describe.skipIf(!present && !required)('Authlib', () => {
  let domains: LiveDomains
  beforeAll(async () => {
    domains = await newLiveDomains((folder) => {
      rewrite(join(folder, 'larkspur'), 'grant.yaml', 'allow: [', `allow: [${PARTNER}, `)
      const { d: _, ...open } = jwk
      writeFileSync(
        join(folder, 'partner-jwks.json'),
        JSON.stringify({ keys: [{ ...open, alg: 'ES256', use: 'sig' }] }),
      )
      rewrite(
        folder,
        'dragoman.yaml',
        /^ {4}profiles: meridian$/m,
        `      - { issuer: ${PARTNER}, jwks_file: partner-jwks.json, algorithms: [ES256], subjects: [pw_7] }
    profiles: meridian`,
      )
      rewrite(join(folder, 'meridian'), 'redeem.yaml', /^ {4}issuers: .*$/m, `    issuers: [${PARTNER}]`)
    })
  })
  afterAll(() => domains.close())

  const post = (tenant: string, client: string, parameters: { readonly [name: string]: string }) =>
    send(`${domains.issuer(tenant)}/token`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basicOf(client, `${client}-secret`),
      },
      body: new URLSearchParams(parameters).toString(),
    })

  it('as the server of domain B: takes a grant that we made for it, and none that we made for another', async () => {
    const grantFor = async (audience: string) => {
      const { body } = await post('larkspur', 'intake', {
        ...{ grant_type: TOKEN_EXCHANGE, subject_token: domains.file('txn.jwt'), audience },
        subject_token_type: tokenTypes.txnToken,
      })
      return String(body['access_token'])
    }
    const published = await send(`${domains.issuer('larkspur')}/jwks`)
    const redeem = (assertion: string) => ({
      ...{ redeem: assertion, issuer: domains.issuer('larkspur'), audiences: [PARTNER] },
      jwks: JSON.parse(published.text),
    })
    const good = await grantFor(PARTNER)
    const told = ask<{ status: number; body: unknown }>(
      [good, await grantFor(domains.issuer('meridian')), domains.file('txn.jwt'), `${good.slice(0, -8)}AAAAAAAA`].map(
        redeem,
      ),
    )
    expect(told[0]).toMatchObject({ status: 200, body: { access_token: `for ${decodeJwt(good).sub}` } })
    for (const { status, body } of told.slice(1)) {
      expect(status).toBe(400)
      expect(body).toMatchObject({ error: 'invalid_grant' })
    }
  })

  it('as the server of domain A: what it signs is redeemed here, once', async () => {
    const claims = { iss: PARTNER, sub: 'pw_7', aud: domains.issuer('meridian'), client_id: 'larkspur-claims' }
    const header = { alg: 'ES256', kid: 'partner-1', typ: 'authorization-grant+jwt' }
    const [assertion = '', elsewhere = '', untyped = ''] = ask<string>([
      { sign: claims, key: jwk, header },
      { sign: { ...claims, aud: 'https://elsewhere.example' }, key: jwk, header },
      { sign: claims, key: jwk, header: { alg: 'ES256', kid: 'partner-1' } },
    ])
    const redeem = (raw: string) => post('meridian', 'larkspur-claims', { grant_type: jwtBearer.type, assertion: raw })
    const answer = await redeem(assertion)
    expect(decodeJwt(String(answer.body['access_token']))).toMatchObject({
      sub: 'https://meridian.example/guests/pw_7',
      trust_path: [PARTNER],
    })
    for (const [raw, code] of [
      [assertion, 'ERR_TOKEN_REPLAYED'],
      [elsewhere, 'ERR_TOKEN_AUDIENCE'],
      [untyped, 'ERR_TOKEN_KIND'],
    ] as const) {
      expect((await redeem(raw)).body).toMatchObject({ error: 'invalid_grant' })
      expect(domains.records.at(-1)).toMatchObject({ code })
    }
  })
})
