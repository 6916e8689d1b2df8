import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { publicKey } from '../../src/wire/jwk.ts'

const run = promisify(execFile)
const launcher = join(import.meta.dirname, '../../bin/dragoman.mjs')

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })

let folder: string
let port: number
let tlsPort: number
let server: ChildProcess
let printed = ''
const clientKey = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-serve-'))
  port = await freePort()
  tlsPort = await freePort()
  const { configuration } = await writeFolder(folder, { host: '127.0.0.1', port, tlsPort })
  writeFileSync(
    join(folder, 'billing-jwks.json'),
    JSON.stringify({ keys: [{ ...publicKey(clientKey.publicKey).jwk, kid: 'b', alg: 'ES256' }] }),
  )
  const digest = createHash('sha256').update('tester-secret').digest('hex')
  const clients = `  - { client_id: post, token_endpoint_auth_method: client_secret_post, client_secret_sha256: ${digest} }
  - { client_id: billing, token_endpoint_auth_method: private_key_jwt, jwks_file: billing-jwks.json }
  - client_id: mail
    token_endpoint_auth_method: tls_client_auth
    certificate_authorities: alpha-ca.pem
    tls_client_auth_san_uri: spiffe://alpha.example/ns/shop/sa/orders
`
  const profile = `name: any-client
accept:
  clients: [demo, post, billing, mail]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [https://any.beta.example] }
stages:
  - format: { to: jwt, kind: at+jwt }
  - crypto: { key: signing }
`
  writeFileSync(join(folder, 'any.yaml'), profile)
  const text = readFileSync(configuration, 'utf8').replace('issuers:\n', `${clients}issuers:\n`)
  writeFileSync(configuration, text.replace(/^profiles: .*$/m, 'profiles: [any.yaml]'))
  server = spawn(process.execPath, [launcher, 'serve', '--config', configuration])
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      if (printed.includes(`listening on https://127.0.0.1:${tlsPort}`)) resolve()
    })
    server.once('exit', () => reject(new Error(printed)))
  })
  server.removeAllListeners('exit')
})
afterAll(() => {
  server.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

const form = (more: readonly string[]) =>
  [
    'grant_type=urn:ietf:params:oauth:grant-type:token-exchange',
    `subject_token@${folder}/subject.jwt`,
    'subject_token_type=urn:ietf:params:oauth:token-type:jwt',
    'audience=https://any.beta.example',
    ...more,
  ].flatMap((parameter) => ['--data-urlencode', parameter])

async function curl(flags: readonly string[], more: readonly string[] = [], tls = false) {
  const url = tls ? `https://localhost:${tlsPort}/token` : `http://127.0.0.1:${port}/token`
  const { stdout } = await run('curl', ['-s', url, ...flags, ...form(more)])
  return JSON.parse(stdout) as { access_token?: string; error?: string }
}

const mutual = () => [
  '--cacert',
  `${folder}/tls-ca.pem`,
  '--cert',
  `${folder}/client.pem`,
  '--key',
  `${folder}/client.key`,
]
const clientOf = ({ access_token: token = '' }: { access_token?: string }) =>
  (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { client_id: string }).client_id
const assertion = (audience: string, id: string) =>
  new SignJWT({ jti: id })
    .setProtectedHeader({ alg: 'ES256', kid: 'b', typ: 'client-authentication+jwt' })
    .setIssuer('billing')
    .setSubject('billing')
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime('60s')
    .sign(clientKey.privateKey)
const asserted = (jwt: string) => [
  'client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  `client_assertion=${jwt}`,
]
const records = () =>
  readFileSync(join(folder, 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { code?: string; client?: string; client_method?: string })

describe('dragoman serve, asked with curl', () => {
  it('client_secret_basic', async () => {
    expect(clientOf(await curl(['-u', 'demo:demo-secret']))).toBe('demo')
    expect(await curl(['-u', 'demo:wrong-secret'])).toMatchObject({ error: 'invalid_client' })
  })

  it('client_secret_post', async () => {
    expect(clientOf(await curl([], ['client_id=post', 'client_secret=tester-secret']))).toBe('post')
    expect(await curl([], ['client_id=demo', 'client_secret=demo-secret'])).toMatchObject({ error: 'invalid_client' })
  })

  it('private_key_jwt: once, for our issuer identifier alone', async () => {
    const issuer = `http://127.0.0.1:${port}`
    const good = await assertion(issuer, 'one')
    expect(clientOf(await curl([], asserted(good)))).toBe('billing')
    expect(await curl([], asserted(good))).toMatchObject({ error: 'invalid_client' })
    expect(await curl([], asserted(await assertion(`${issuer}/token`, 'two')))).toMatchObject({
      error: 'invalid_client',
    })
    await expect.poll(() => records().at(-1)?.code).toBe('ERR_CLIENT_ASSERTION')
    expect(records().map(({ code }) => code)).toContain('ERR_CLIENT_ASSERTION_REPLAYED')
  })

  it('tls_client_auth: the certificate of the connection, and no other way', async () => {
    expect(clientOf(await curl(mutual(), ['client_id=mail'], true))).toBe('mail')
    expect(await curl(['--cacert', `${folder}/tls-ca.pem`], ['client_id=mail'], true)).toMatchObject({
      error: 'invalid_client',
    })
    expect(await curl([], ['client_id=mail'])).toMatchObject({ error: 'invalid_client' })
  })

  it('several at once are refused', async () => {
    expect(await curl(['-u', 'demo:demo-secret'], ['client_id=demo', 'client_secret=demo-secret'])).toMatchObject({
      error: 'invalid_request',
    })
  })

  it('a JSON body is refused as OAuth wants it (C-06)', async () => {
    const { stdout } = await run('curl', ['-s', `http://127.0.0.1:${port}/token`, '--json', '{"grant_type":"x"}'])
    expect(JSON.parse(stdout)).toMatchObject({ error: 'invalid_request' })
  })
})

describe('dragoman serve, told by signals', () => {
  it('opens its audit file again on SIGHUP, and loses no record', async () => {
    const lines = (name: string) =>
      existsSync(join(folder, name))
        ? readFileSync(join(folder, name), 'utf8').trim().split('\n').filter(Boolean).length
        : 0
    const all = () => lines('audit.old') + lines('audit.jsonl')
    // What was asked before is written some milliseconds later.
    let before = -1
    const settled = () => {
      const last = before
      before = all()
      return before === last
    }
    await expect.poll(settled, { interval: 100 }).toBe(true)
    renameSync(join(folder, 'audit.jsonl'), join(folder, 'audit.old'))
    await curl(['-u', 'demo:demo-secret'])
    server.kill('SIGHUP')
    await expect.poll(() => printed).toContain('configuration 2 is in force')
    await curl(['-u', 'demo:demo-secret'])
    await expect.poll(all).toBe(before + 2)
    expect(lines('audit.jsonl')).toBeGreaterThan(0)
  })

  it('tells of a bad configuration on SIGHUP, and goes on with the good one', async () => {
    const file = join(folder, 'any.yaml')
    const good = readFileSync(file, 'utf8')
    writeFileSync(file, good.replace('stages:', 'stage:'))
    server.kill('SIGHUP')
    await expect.poll(() => printed).toContain('configuration 2 stays in force')
    expect(printed).toMatch(/any\.yaml:6:1: stage: unknown option; did you mean `stages`\?/)
    expect(clientOf(await curl(['-u', 'demo:demo-secret']))).toBe('demo')
    writeFileSync(file, good)
  })

  it('reads the configuration anew when one of its files has changed, without being told', async () => {
    const file = join(folder, 'any.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('name: any-client', 'name: any-client # changed'))
    await expect.poll(() => printed, { timeout: 15_000 }).toContain('configuration 3 is in force')
  })

  it('says that a port is taken, with exit code 3', async () => {
    const failure = await run(process.execPath, [launcher, 'serve', '--config', join(folder, 'dragoman.yaml')]).catch(
      (error: { code: number; stderr: string }) => error,
    )
    expect(failure).toMatchObject({ code: 3 })
    expect(failure.stderr).toContain(`EADDRINUSE`)
    expect(failure.stderr).toContain(String(port))
  })

  it('ends on SIGTERM with exit code 0, with every record written', async () => {
    const answered = await Promise.all(Array.from({ length: 5 }, () => curl(['-u', 'demo:demo-secret'])))
    const before = answered.filter(({ access_token: token }) => token !== undefined).length
    const ended = new Promise<number | null>((resolve) => server.once('exit', resolve))
    server.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(before).toBe(5)
    expect(records().length).toBeGreaterThanOrEqual(6)
    expect(printed).toContain('stopping')
  })
})
