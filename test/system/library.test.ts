import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Alpha, issue } from '../../src/cli/dev/alpha.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { codecs } from '../../src/codecs/index.ts'
import { createGateway } from '../../src/compose.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import type { TokenRequest } from '../../src/core/exchange.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { rewrite } from '../support/live.ts'
import { ISSUER, NOW, TOKEN_EXCHANGE, WORKLOAD } from '../support/world.ts'

const program = join(import.meta.dirname, '../support/outside.ts')
const LINES = 'urn:example:token-type:lines'

const profile = (name: string, subject: string, to: string) => `name: ${name}
accept:
  clients: [robot]
  subject: ${subject}
  targets: { allow: [https://${name}.example] }
stages:
  - greeting: { words: hello }
  - format: { to: ${to} }
  - crypto: { key: signing }
`

let folder: string
let configuration: string
let alpha: Alpha
const robot = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-library-'))
  const made = await writeFolder(folder, { host: '127.0.0.1', port: 8080, tlsPort: 8443 }, NOW)
  configuration = made.configuration
  alpha = made.alpha
  const jwk = { ...publicKey(robot.publicKey).jwk, kid: 'robot', alg: 'ES256' }
  writeFileSync(join(folder, 'robot.json'), JSON.stringify({ keys: [jwk] }))
  writeFileSync(
    join(folder, 'out.yaml'),
    profile('out', '{ format: jwt, issuers: [https://id.alpha.example] }', 'lines'),
  )
  writeFileSync(join(folder, 'back.yaml'), profile('back', '{ format: lines, issuers: [self], audience: any }', 'jwt'))
  rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [out.yaml, back.yaml]')
  const client = '  - { client_id: robot, token_endpoint_auth_method: key_header, jwks_file: robot.json }\n'
  rewrite(folder, 'dragoman.yaml', 'issuers:\n', `${client}issuers:\n`)
  const signing = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  writeFileSync(join(folder, 'signing.pem'), signing.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  rewrite(
    folder,
    'dragoman.yaml',
    'name: signing, algorithm: ES256, generate: true',
    'name: signing, algorithm: ES256, file: signing.pem',
  )
  rewrite(folder, 'dragoman.yaml', 'port: 8080 }', 'port: 0 }')
  rewrite(folder, 'dragoman.yaml', / {2}- \{ host: 127\.0\.0\.1, port: 8443.*\n/, '')
})
afterAll(() => rmSync(folder, { recursive: true }))

const mint = (bound?: typeof robot) =>
  issue(codecs(), {
    format: 'jwt',
    issuer: 'https://id.alpha.example',
    signer: alpha.signers.jwt,
    claims: map([['sub', WORKLOAD]]),
    validity: { issuedAt: NOW, notBefore: undefined, expiresAt: NOW + 600, audience: [ISSUER], scope: undefined },
    now: NOW,
    ...(bound && { confirmation: { jkt: publicKey(bound.publicKey).jkt } }),
  })

function request(subject_token: string, key: typeof robot, more: Partial<TokenRequest> = {}): Partial<TokenRequest> {
  const spki = key.publicKey.export({ format: 'der', type: 'spki' }).toString('base64url')
  const signature = sign('sha256', Buffer.from(subject_token), key.privateKey).toString('base64url')
  return {
    id: 'request-1',
    grant_type: TOKEN_EXCHANGE,
    subject_token,
    subject_token_type: tokenTypes.jwt,
    audience: ['https://out.example'],
    resource: [],
    dpop: [],
    authorization: `Key robot.${spki}.${signature}`,
    ...more,
  }
}

interface Outcome {
  readonly code?: string
  readonly access_token?: string
  readonly issued_token_type?: string
  readonly cnf?: unknown
}

function run(requests: readonly Partial<TokenRequest>[]) {
  const input = JSON.stringify({ configuration, now: NOW, requests })
  const { stdout, stderr, status } = spawnSync(process.execPath, [program], { input, encoding: 'utf8' })
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  return JSON.parse(stdout) as {
    answers: readonly Outcome[]
    records: readonly AuditRecord[]
    metadata: { readonly [name: string]: unknown }
    injected: unknown
  }
}

describe('Dragoman as a library in another process', () => {
  it('exchanges with a codec, a stage, a client method and a proof that were given by value', async () => {
    const bearer = await mint()
    const bound = await mint(robot)
    const { answers, records, metadata, injected } = run([
      request(bearer, robot),
      request(bound, robot),
      // Another key than that of the client, and a token that is bound to another.
      request(bearer, other),
      request(await mint(other), robot),
      request(bearer, robot, { authorization: 'Key robot.AAAA.AAAA' }),
    ])
    const [first, second, ...refused] = answers.slice(0, 5)
    for (const answer of [first, second]) {
      expect(answer).toMatchObject({ issued_token_type: LINES, token_type: 'N_A', expires_in: 600 })
      const [payload = ''] = String(answer?.access_token).split('.')
      expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
        iss: ISSUER,
        sub: WORKLOAD,
        aud: 'https://out.example',
        greeting: 'hello',
      })
    }
    expect(second).toMatchObject({ cnf: { jkt: publicKey(robot.publicKey).jkt } })
    expect(refused.map((answer) => answer.code)).toEqual(['ERR_CLIENT_SECRET', 'ERR_PROOF_MISMATCH', 'ERR_INTERNAL'])
    // With the recipe itself it is the same, but for the keys that are made for each token.
    expect(answers.slice(5).map(({ code, issued_token_type: type }) => code ?? type)).toEqual(
      answers.slice(0, 5).map(({ code, issued_token_type: type }) => code ?? type),
    )
    expect(records.length).toBe(10)
    expect(records[1]).toMatchObject({ client: 'robot', client_method: 'key_header', proofs: ['key_header'] })
    expect(records[0]?.trace).toContainEqual({
      step: 'greeting',
      path: 'stages[0].greeting',
      outcome: 'changed',
      changed: ['greeting'],
    })
    expect(metadata['token_endpoint_auth_methods_supported']).toContain('key_header')
    expect(injected).toEqual({ live: true })
  })

  it('takes back what its own codec wrote, in another process with the same key', async () => {
    const { answers } = run([request(await mint(), robot)])
    const written = String(answers[0]?.access_token)
    const back = { subject_token_type: LINES, audience: ['https://back.example'] }
    const { answers: again } = run([
      request(written, robot, back),
      request(`${written.slice(0, -8)}AAAAAAAA`, robot, back),
    ])
    expect(again[0]).toMatchObject({ issued_token_type: tokenTypes.jwt })
    expect(decodeJwt(String(again[0]?.access_token))).toMatchObject({ iss: ISSUER, sub: WORKLOAD, greeting: 'hello' })
    expect(again[1]).toMatchObject({ code: 'ERR_TOKEN_SIGNATURE' })
  })
})

describe('a method that nobody gave', () => {
  it('stops the start, with its place and those that there are', async () => {
    const failure = await createGateway(configuration).catch((error: { detail: { problems: string[] } }) => error)
    const problems = 'detail' in failure ? failure.detail.problems.join('\n') : ''
    expect(problems).toMatch(/dragoman\.yaml:\d+:\d+: clients\[1\]\.token_endpoint_auth_method: .*private_key_jwt/)
  })
})
