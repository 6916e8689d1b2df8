// What does an exchange cost, beside the signatures that it cannot do without?
//
// Unit: the pair, one ES256 verify and one ES256 sign by synchronous node:crypto, timed on this machine right before and
// after each burst. Starts the real gateway as a process of its own and drives it over loopback with distinct tokens.
// Verification cache off, so that each request costs a verification; and on, with tokens that come again.
// CPU is the operating system's accounting of the server's threads. Variants take turns, in reversed order each round.
//
//   npm run bench              a minute; --full: five
import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { writeFolder } from '../src/cli/dev/dev.ts'
import { load, median, quantile } from './load.ts'

const full = process.argv.includes('--full')
const ROUNDS = full ? 9 : 3
const SECONDS = full ? 3 : 2
const CONNECTIONS = 16
const TOKENS = 2000
const PER_BATCH = 100
const PORT = 18_080

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const signingKey = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
const verifyingKey = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const

const folder = mkdtempSync(join(tmpdir(), 'dragoman-bench-'))
const { configuration } = await writeFolder(folder, { host: '127.0.0.1', port: PORT, tlsPort: PORT + 1 })
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }
writeFileSync(join(folder, 'alpha-jwks.json'), JSON.stringify({ keys: [jwk] }))

const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

function subjectToken(index: number): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: 'https://id.alpha.example',
    sub: `spiffe://alpha.example/ns/shop/sa/w${index}`,
    aud: [`http://127.0.0.1:${PORT}`, 'https://orders.beta.example'],
    iat: now,
    nbf: now - 5,
    exp: now + 3600,
    jti: randomBytes(16).toString('base64url'),
    scope: 'orders.read orders.write stock.read',
    email: `w${index}@alpha.example`,
    groups: ['shop', 'night-shift', 'europe', 'callers'],
    given_name: 'Ada',
    family_name: 'Example',
    locale: 'en-GB',
    tenant: 'shop-eu-1',
  }
  const input = `${b64({ alg: 'ES256', kid: 'bench', typ: 'JWT' })}.${b64(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), signingKey).toString('base64url')}`
}

function request(token: string, target: string): Buffer {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: target,
    scope: 'orders.read',
  }).toString()
  const basic = Buffer.from('demo:demo-secret').toString('base64')
  return Buffer.from(
    `POST /token HTTP/1.1\r\nHost: 127.0.0.1:${PORT}\r\nAuthorization: Basic ${basic}\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
  )
}

/** The same exchanges, many in one request. */
function batch(subjects: readonly string[], target: string): Buffer {
  const items = subjects.map((subject_token, at) => ({ id: String(at), subject_token }))
  const shared = { subject_token_type: 'urn:ietf:params:oauth:token-type:jwt', audience: target, scope: 'orders.read' }
  const body = JSON.stringify({ ...shared, items })
  const basic = Buffer.from('demo:demo-secret').toString('base64')
  return Buffer.from(
    `POST /token/batch HTTP/1.1\r\nHost: 127.0.0.1:${PORT}\r\nAuthorization: Basic ${basic}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
}

const tokens = Array.from({ length: TOKENS }, (_, index) => subjectToken(index))
const batches = Array.from({ length: TOKENS / PER_BATCH }, (_, at) =>
  tokens.slice(at * PER_BATCH, (at + 1) * PER_BATCH),
)
const variants = [
  { name: 'JWT to JWT (at+jwt, ES256)', target: 'https://orders.beta.example', cached: false },
  { name: 'JWT to CWT (ES256)', target: 'https://jwt-to-cwt.beta.example', cached: false },
  { name: 'JWT to JWT, repeated tokens', target: 'https://orders.beta.example', cached: true },
  { name: 'JWT to JWT, ML-DSA-65 out', target: 'https://jwt-resign-pq.beta.example', cached: false },
  { name: 'JWT to JWT, batches of 100', target: 'https://orders.beta.example', cached: false, per: PER_BATCH },
].map(({ name, target, cached, per = 1 }) => ({
  name,
  cached,
  per,
  requests:
    per === 1 ? tokens.map((token) => request(token, target)) : batches.map((subjects) => batch(subjects, target)),
  rows: [] as { pairs: number; rate: number; p50: number; p99: number }[],
}))

/** CPU seconds that all threads of a process have used. */
function cpuOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const used = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  )
  return used.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e9
}

/** Seconds that one verify and one sign take here and now. */
function pair(): number {
  const input = Buffer.from(tokens[0]?.split('.').slice(0, 2).join('.') ?? '')
  const signature = sign('sha256', input, signingKey)
  const count = 1500
  const started = process.cpuUsage()
  for (let at = 0; at < count; at += 1) {
    verify('sha256', input, verifyingKey, signature)
    sign('sha256', input, signingKey)
  }
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1e6 / count
}

const main = new URL('../bin/dragoman.mjs', import.meta.url).pathname

/** Starts a gateway and resolves when it listens. Both have the same issuer; only one is asked at a time. */
async function serve(file: string) {
  const server = spawn(process.execPath, [main, 'serve', '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  await new Promise<void>((resolve, reject) => {
    server.stderr.on('data', (text: Buffer) => text.includes('listening') && resolve())
    server.once('exit', () => reject(new Error('the server did not start')))
  })
  return server
}

const uncached = join(folder, 'uncached.yaml')
const text = readFileSync(configuration, 'utf8')
writeFileSync(uncached, `${text}verification_cache: { capacity: 0 }\nbatch: { items: ${PER_BATCH} }\n`)
const cached = join(folder, 'cached.yaml')
writeFileSync(
  cached,
  text.replace(/port: (\d+)/g, (_, port) => `port: ${Number(port) + 2}`),
)
const servers = [await serve(uncached), await serve(cached)]
const serverOf = (variant: { cached: boolean }) => {
  const server = servers[variant.cached ? 1 : 0]
  return { pid: server?.pid ?? 0, port: variant.cached ? PORT + 2 : PORT }
}

try {
  for (const variant of variants) await load(serverOf(variant).port, variant.requests, CONNECTIONS, 1)
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = round % 2 === 0 ? variants : [...variants].reverse()
    for (const variant of order) {
      const { pid, port } = serverOf(variant)
      const before = pair()
      const cpu = cpuOf(pid)
      const burst = await load(port, variant.requests, CONNECTIONS, SECONDS)
      const used = cpuOf(pid) - cpu
      const unit = (before + pair()) / 2
      if (burst.refused > 0) throw new Error(`${burst.refused} of ${burst.answered} requests were refused`)
      variant.rows.push({
        pairs: used / (burst.answered * variant.per) / unit,
        rate: (burst.answered * variant.per) / burst.seconds,
        p50: quantile(burst.latencies, 0.5),
        p99: quantile(burst.latencies, 0.99),
      })
    }
  }
} finally {
  for (const server of servers) server.kill('SIGTERM')
  rmSync(folder, { recursive: true })
}

const of = (rows: (typeof variants)[number]['rows'], key: 'pairs' | 'rate' | 'p50' | 'p99', digits: number) => {
  const values = rows.map((row) => row[key])
  return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)})`
}
console.log(
  `CPU of the server per exchange, in pairs (one ES256 verify and one sign); ${ROUNDS} rounds, median (range)`,
)
for (const { name, rows } of variants) {
  console.log(
    `${name.padEnd(28)} pairs ${of(rows, 'pairs', 2)}  exchanges/s ${of(rows, 'rate', 0)}  p50 ${of(rows, 'p50', 1)} ms  p99 ${of(rows, 'p99', 1)} ms`,
  )
}
const [jwt, ...others] = variants
for (const { name, rows } of others) {
  const ratios = rows.map(({ pairs }, round) => pairs / (jwt?.rows[round]?.pairs ?? Number.NaN))
  console.log(
    `${name}: ${median(ratios).toFixed(2)} times JWT to JWT (${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)})`,
  )
}
if (process.argv.includes('--json')) {
  console.log(JSON.stringify(variants.map(({ name, rows }) => ({ name, rows }))))
}
