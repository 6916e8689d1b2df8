import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExchangeResult } from '../src/core/exchange.ts'
import type { Token } from '../src/core/token.ts'
import { type Claims, map, sameValue, type Value } from '../src/core/value.ts'
import { type Matrix, newMatrix, pairs } from './support/matrix.ts'
import { NOW, WORKLOAD } from './support/world.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 5)

let matrix: Matrix
beforeAll(async () => {
  matrix = await newMatrix()
})
afterAll(() => matrix.close())

const act: Value = map([
  ['iss', 'https://source.example'],
  ['sub', 'svc-b'],
  ['act', map([['sub', 'svc-a']])],
])
const rich: Claims = map([
  ['email', 'orders@alpha.example'],
  ['level', 7],
  ['ratio', 0.5],
  ['active', true],
  ['groups', ['shop', 'night']],
  ['address', map([['country', 'DE']])],
  ['acr', 'urn:example:loa2'],
  ['amr', ['pwd', 'otp']],
  ['act', act],
])

/** What the ledger calls kept must be in the output, as it was. */
function assertLedger(result: ExchangeResult, said: Claims, token: Token) {
  for (const { claim, became, to } of result.ledger) {
    // What the format itself says of a certificate is not among the claims that went in.
    if (claim !== 'sub' && said[claim] === undefined) continue
    if (became === 'kept') expect(sameValue(token.claims[claim], claim === 'sub' ? WORKLOAD : said[claim])).toBe(true)
    if (became === 'renamed') expect(token.claims[to ?? '']).toBeDefined()
    if (became === 'dropped' || became === 'lost') expect(token.claims[claim]).toBeUndefined()
  }
  // Every claim of the input is accounted for.
  const told = new Set(result.ledger.map(({ claim }) => claim))
  for (const claim of Object.keys(said)) expect(told).toContain(claim)
}

describe.each(pairs)('%s into %s', (from, to) => {
  it('says the same, and the ledger says what does not', async () => {
    const result = await matrix.exchange(from, to, await matrix.mint(from, rich, { scope: ['orders.read'] }))
    const token = await matrix.read(to, result)
    expect(token.claims['sub']).toBe(WORKLOAD)
    expect(token.claims['act']).toEqual(act)
    expect(token.validity).toMatchObject({ expiresAt: NOW + 600, audience: [`https://${from}-${to}.example`] })
    expect(token.validity.scope).toEqual(['orders.read'])
    assertLedger(result, rich, token)
  })

  it('keeps what the ledger says it keeps, whatever is said', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(claimName, claimValue, { maxKeys: 6 }), async (record) => {
        const said = map(Object.entries(record))
        const result = await matrix.exchange(from, to, await matrix.mint(from, said))
        assertLedger(result, said, await matrix.read(to, result))
      }),
      { numRuns: RUNS },
    )
  })

  it('refuses it once it has expired', async () => {
    const token = await matrix.mint(from, rich)
    matrix.now = NOW + 3600 + 31
    try {
      const path = expect.stringMatching(/^ERR_T(OKEN_EXPIRED|RUST_PATH)$/)
      await expect(matrix.exchange(from, to, token)).rejects.toMatchObject({
        code: from === 'x509' ? path : 'ERR_TOKEN_EXPIRED',
      })
    } finally {
      matrix.now = NOW
    }
  })
})

const RESERVED = new Set([
  'sub',
  'act',
  'may_act',
  'iss',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'cnf',
  'scope',
  'cti',
  'client_id',
])
const claimName = fc
  .string({ minLength: 3, maxLength: 20 })
  .filter(
    (name) => /^[a-z][a-z_]*$/.test(name) && !RESERVED.has(name) && name !== 'constructor' && name !== 'prototype',
  )
const scalar = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }).map((value) => value + 0),
)
const claimValue: fc.Arbitrary<Value> = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 4 }),
  fc.dictionary(claimName, scalar, { maxKeys: 3 }).map((record) => map(Object.entries(record))),
)

describe('software that is not ours', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dragoman-openssl-'))
    writeFileSync(join(folder, 'ca.pem'), matrix.authority)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each(pairs.filter(([, to]) => to === 'jwt'))('jose verifies the JWT from %s', async (from) => {
    const { access_token: token } = await matrix.exchange(from, 'jwt', await matrix.mint(from, rich))
    const { body } = await matrix.gateway.http.inject({ url: '/jwks' })
    const { payload } = await jwtVerify(token, createLocalJWKSet(JSON.parse(body) as JSONWebKeySet), {
      issuer: 'https://matrix.example',
      audience: `https://${from}-jwt.example`,
      currentDate: new Date(NOW * 1000),
    })
    expect(payload.sub).toBe(WORKLOAD)
  })

  it.each(pairs.filter(([, to]) => to === 'x509'))('openssl verifies the certificate from %s', async (from) => {
    const { access_token: certificate } = await matrix.exchange(from, 'x509', await matrix.mint(from, rich))
    const file = join(folder, `${from}.pem`)
    writeFileSync(file, certificate)
    const args = [
      'verify',
      '-x509_strict',
      '-attime',
      String(NOW),
      '-purpose',
      'sslclient',
      '-CAfile',
      join(folder, 'ca.pem'),
      file,
    ]
    expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain(': OK')
    const text = execFileSync('openssl', ['x509', '-in', file, '-noout', '-text'], { encoding: 'utf8' })
    expect(text).toContain(`URI:${WORKLOAD}`)
  })
})
