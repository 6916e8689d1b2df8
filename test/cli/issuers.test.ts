import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publicKey } from '../../src/wire/jwk.ts'
import { pem } from '../../src/wire/pem.ts'
import { command } from '../support/command.ts'
import { type Handler, httpServer } from '../support/servers.ts'
import { authority } from '../support/x509.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-issuers-'))
  writeFileSync(
    join(folder, 'p.yaml'),
    `name: p
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.example] }
  targets: { allow: [https://orders.example] }
stages:
  - format: { to: jwt }
`,
  )
  writeFileSync(join(folder, 'demo.secret'), 'demo-secret', { mode: 0o600 })
})
afterAll(() => rmSync(folder, { recursive: true }))

const key = publicKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey)
const jwks = JSON.stringify({ keys: [{ ...key.jwk, kid: 'first', alg: 'ES256' }] })

/** A configuration with one issuer at a server that answers so. */
async function configured(handler: Handler, more = ''): Promise<string> {
  const { origin } = await httpServer(handler)
  const file = join(folder, 'dragoman.yaml')
  writeFileSync(
    file,
    `issuer: https://gw.example
listeners: [{ port: 0 }]
keys: [{ name: signing, algorithm: ES256, generate: true }]
clients: [{ client_id: demo, token_endpoint_auth_method: client_secret_basic, client_secret_file: demo.secret }]
issuers:
  - issuer: https://id.example
    jwks_uri: ${origin}/jwks
    subjects: [orders/*]
    fetch: { allow_private_addresses: true }
profiles: p.yaml
${more}`,
  )
  return file
}

/** Answers with the keys, `behind` seconds ago by its clock. */
const good =
  (behind = 0): Handler =>
  (_, response) => {
    response.sendDate = false
    response.setHeader('date', new Date(Date.now() - behind * 1000).toUTCString())
    response.setHeader('cache-control', 'max-age=600')
    response.end(jwks)
  }

describe('dragoman issuers', () => {
  it('fetches the keys of an issuer, and tells each with its algorithm, and when they are fetched again', async () => {
    const { code, out } = await command(['issuers', '--config', await configured(good())])
    expect(code).toBe(0)
    expect(out).toMatch(/^https:\/\/id\.example\n {2}source {7}jwks_uri http:\/\/127\.0\.0\.1:\d+\/jwks\n/)
    expect(out).toContain(`key          ES256, kid first, thumbprint ${key.jkt}\n`)
    expect(out).toMatch(/^ {2}fetched {6}[01] seconds ago\n {2}next refresh in 9 minutes$/m)
  })

  it('says of one that needs no keys what it is believed by', async () => {
    const file = await configured(good())
    const one = '  - { issuer: demo, unsigned: true, subjects: [job/report] }\n'
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('profiles: ', () => `${one}profiles: `),
    )
    const { code, out } = await command(['issuers', '--config', file])
    expect(code).toBe(0)
    expect(out).toContain('demo\n  source       believed without a signature\n')
  })

  it('says the same as JSON', async () => {
    const { code, out } = await command(['issuers', '--config', await configured(good()), '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      issuers: [
        {
          tenant: 'default',
          issuer: 'https://id.example',
          keys: [{ kid: 'first', algorithms: ['ES256'], thumbprint: key.jkt }],
        },
      ],
    })
  })

  it.each<[string, Handler, RegExp]>([
    ['an answer that is no key set', (_, response) => response.end('<html>hunter2</html>'), /last error {3}not JSON/],
    ['a server that refuses', (_, response) => response.writeHead(500).end('hunter2'), /last error {3}status 500$/m],
    ['a set without a key', (_, response) => response.end('{"keys":[]}'), /last error {3}expected at least one key/],
  ])('tells of %s why, without what it said', async (_, handler, why) => {
    const { code, out } = await command(['issuers', '--config', await configured(handler)])
    expect(code).toBe(3)
    expect(out).toMatch(why)
    expect(out).not.toContain('hunter2')
  })
})

describe('dragoman doctor', () => {
  const examined = async (handler: Handler, more = '') =>
    command(['doctor', '--config', await configured(handler, more)])

  it('finds nothing wrong where nothing is', async () => {
    const { code, out } = await examined(good())
    expect(out.split('\n').filter((line) => !/^(?:ok {7}\S|$)/.test(line))).toEqual([])
    expect(out).toContain('ok       clock: as that of 1 issuer, within 5 seconds\n')
    expect(code).toBe(0)
  })

  it.each([
    [20, 'warning', 0],
    [120, 'wrong', 1],
  ])('compares the clock: %d seconds are a %s', async (behind, state, expected) => {
    const { code, out } = await examined(good(behind))
    const line = out.split('\n').find((one) => one.includes('clock:')) ?? ''
    expect(line).toMatch(new RegExp(`^${String(state).padEnd(8)} clock: ahead of that of 1 issuer by \\d+ \\w+$`))
    expect(code).toBe(expected)
  })

  it('looks at files: one that others can read, one that is not there', async () => {
    const file = await configured(good())
    chmodSync(join(folder, 'demo.secret'), 0o644)
    const readable = await command(['doctor', '--config', file])
    expect(readable.out).toContain(
      'warning  file demo.secret: the secret of client demo: group or others may use it (mode 0644)\n         remedy: chmod 600 demo.secret\n',
    )
    expect(readable.code).toBe(0)
    chmodSync(join(folder, 'demo.secret'), 0o600)
    const { out, code } = await examined(
      good(),
      'secrets: [{ name: pairwise, file: gone }]\naudit: { file: gone/audit.jsonl }\n',
    )
    expect(out).toMatch(/^wrong {4}configuration .*: ERR_PROFILE_OPTION: /m)
    expect(out).toContain('wrong    file gone: the secret pairwise is not there\n')
    expect(out).toContain(
      'wrong    file gone/audit.jsonl: the folder of the audit file is not there\n         remedy: mkdir -p gone\n',
    )
    expect(code).toBe(1)
  })

  it('looks at certificates: near their end, and past it', async () => {
    const now = Math.floor(Date.now() / 1000)
    const day = 86_400
    const issuer = (name: string, end: number) => {
      const { certificate } = authority(name, { notBefore: now - 100 * day, notAfter: end })
      writeFileSync(join(folder, `${name}.pem`), pem('CERTIFICATE', certificate))
      return `  - { issuer: https://${name}.example, certificates_file: ${name}.pem, subjects: [${name}/*] }\n`
    }
    const file = await configured(good())
    const more = issuer('near', now + 10 * day) + issuer('past', now - day) + issuer('far', now + 100 * day)
    writeFileSync(file, readFileSync(file, 'utf8').replace('profiles:', `${more}profiles:`))
    const { out, code } = await command(['doctor', '--config', file])
    expect(out).toMatch(
      /^warning {2}certificate of issuer https:\/\/near\.example: CN=near, until .*, in 10 days\n {9}remedy: \S/m,
    )
    expect(out).toMatch(/^wrong {4}certificate of issuer https:\/\/past\.example: CN=past, until .*: it has expired$/m)
    expect(out).toMatch(/^ok {7}certificate of issuer https:\/\/far\.example: CN=far, until /m)
    expect(code).toBe(1)
  })

  it('says it all as JSON', async () => {
    const { out } = await command(['doctor', '--config', await configured(good()), '--json'])
    const { checks } = JSON.parse(out) as { checks: { state: string; what: string }[] }
    expect(checks.every(({ state }) => state === 'ok')).toBe(true)
    expect(checks.map(({ what }) => what)).toContain('issuer https://id.example')
  })
})
