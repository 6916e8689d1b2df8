import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { createGateway } from '../../src/compose.ts'
import { errors } from '../../src/core/errors.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map, withMember } from '../../src/core/value.ts'
import { NOW, newWorld, type Parameters, said, type World } from '../support/world.ts'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const launcher = join(root, 'bin/dragoman.mjs')
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const read = (page: string) => readFileSync(join(root, page), 'utf8')
const profiles = readdirSync(join(root, 'profiles'))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace('.yaml', ''))

/** Fenced blocks of a page, by what stands behind the fence. */
const blocks = (page: string, info: string): readonly string[] =>
  [...read(page).matchAll(/^```([^\n]*)\n(.*?)^```$/gms)]
    .filter(([, kind]) => kind === info)
    .map(([, , text = '']) => text)

describe('every page', () => {
  it.each(pages)('%s: its links lead somewhere', (page) => {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(target)) continue
      expect(existsSync(join(root, dirname(page), target)), `${page}: ${target}`).toBe(true)
    }
  })

  it.each(pages)('%s: names only reason codes that there are', (page) => {
    for (const [code] of read(page).matchAll(/\bERR_[A-Z_]+[A-Z]\b/g)) {
      const known = Object.keys(errors).some((name) => name === code || name.startsWith(`${code}_`))
      expect(known, `${page}: ${code}`).toBe(true)
    }
  })
})

describe('the how-to pages', () => {
  let folder: string
  let server: ChildProcess
  let environment: { [name: string]: string }
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dragoman-docs-'))
    server = spawn(process.execPath, [launcher, 'dev', '--port', '0', '--tls-port', '0', '--folder', folder, '--quiet'])
    const printed = await new Promise<string>((resolve, reject) => {
      let text = ''
      server.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        if (text.includes('# jwt-delegate')) resolve(text)
      })
      server.once('exit', () => reject(new Error(text)))
    })
    const [, http = '', https = ''] = /listens on (http:\S+) and (https:\S+)\./.exec(printed) ?? []
    environment = { ...(process.env as { [name: string]: string }), DIR: folder, HTTP: http, HTTPS: https }
  })
  afterAll(async () => {
    server.removeAllListeners('exit')
    const ended = new Promise((resolve) => server.once('exit', resolve))
    server.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true })
  })

  it('are there for each shipped profile, and in the list', () => {
    for (const profile of profiles) {
      expect(existsSync(join(root, `docs/howto/${profile}.md`))).toBe(true)
      expect(read('docs/howto/README.md')).toContain(`(${profile}.md)`)
    }
  })

  it.each(profiles)('%s: shows the profile as it ships', (profile) => {
    expect(blocks(`docs/howto/${profile}.md`, 'yaml')).toEqual([read(`profiles/${profile}.yaml`)])
  })

  it.each(profiles)('%s: its command works', async (profile) => {
    const [command = ''] = blocks(`docs/howto/${profile}.md`, 'sh')
    const { stdout } = await run('bash', ['-c', command], { env: environment })
    expect(JSON.parse(stdout)).toHaveProperty('access_token')
  })

  it('README: its exchange works, and its commands are those of the package', async () => {
    const [, exchange = ''] = blocks('README.md', 'sh')
    const command = exchange
      .replace('http://127.0.0.1:8080', '$HTTP')
      .replace('node bin/dragoman.mjs', `${process.execPath} ${launcher}`)
    const { stdout } = await run('bash', ['-c', command], { env: environment })
    expect(stdout).toContain('orders@alpha.example')
    const [start] = blocks('README.md', 'sh')
    expect(start?.trim()).toBe('npm ci && npm start')
  })

  it('README: translates without a server as it says', async () => {
    const [, line = ''] = /`dragoman (translate [^`]+)`/.exec(read('README.md')) ?? []
    const { stdout } = await run('bash', ['-c', `${process.execPath} ${launcher} ${line}`], { env: environment })
    expect(stdout.trim()).toMatch(/^2D3S/)
  })
})

describe('what can go wrong, in the how-to pages', () => {
  let world: World
  beforeAll(async () => {
    world = await newWorld()
  })
  afterAll(() => world.close())

  const at = (host: string) => `https://${host}.beta.example`
  const cwt = async () => ({ subject_token: await world.token('cwt'), subject_token_type: tokenTypes.cwt })
  const jwt = async () => ({ subject_token: await world.token('jwt') })
  const altered = (token: string) => token.slice(0, -6) + (token.at(-6) === 'A' ? 'B' : 'A') + token.slice(-5)
  const x509 = () => ({ subject_token: world.file('client.pem'), subject_token_type: tokenTypes.x509 })

  /** The rows of each page, in its order, tried. `undefined`: shown elsewhere, as said beside it. */
  const attempts: { readonly [profile: string]: readonly (() => Promise<Parameters> | Parameters | undefined)[] } = {
    'jwt-to-cwt': [jwt, async () => ({ subject_token: await world.token('cwt'), audience: at('jwt-to-cwt') })],
    'cwt-to-jwt': [
      async () => ({ ...(await cwt()), audience: at('nowhere') }),
      async () => ({ ...(await cwt()), subject_token: altered(await world.token('cwt')), audience: at('cwt-to-jwt') }),
    ],
    'jwt-to-x509': [
      async () => ({ ...(await jwt()), audience: at('jwt-to-x509') }),
      async () => ({
        subject_token: await world.token('jwt', {
          claims: withMember(said, 'sub', 'spiffe://alpha.example/ns/shop/sa/new'),
        }),
        audience: at('jwt-to-x509'),
        csr: world.file('client.csr'),
      }),
    ],
    'x509-to-jwt': [() => ({ ...x509(), audience: at('x509-to-jwt') }), () => undefined],
    'x509-to-cwt': [() => undefined],
    'cwt-to-x509': [
      async () => ({ ...(await cwt()), audience: at('cwt-to-x509') }),
      async () => ({
        ...(await cwt()),
        audience: [at('cwt-to-x509'), at('cwt-to-x509-b')],
        csr: world.file('client.csr'),
      }),
    ],
    'jwt-downscope': [
      async () => ({
        subject_token: await world.token('jwt', {
          validity: {
            issuedAt: NOW,
            notBefore: NOW,
            expiresAt: NOW + 60,
            audience: ['http://127.0.0.1:8080'],
            scope: ['orders.read'],
          },
        }),
        audience: at('orders'),
      }),
      async () => ({ ...(await jwt()), audience: at('orders'), scope: 'admin' }),
    ],
    'jwt-resign-pq': [() => undefined],
    'pairwise-subject': [async () => ({ ...(await jwt()), audience: [at('pairwise-a'), at('pairwise-b')] })],
    'jwt-delegate': [
      async () => ({ ...(await jwt()), audience: at('jwt-delegate') }),
      async () => ({
        ...(await jwt()),
        audience: at('jwt-delegate'),
        actor_token: await world.token('jwt'),
        actor_token_type: tokenTypes.jwt,
      }),
    ],
  }

  it.each(profiles)('%s: is refused for the reason that the page gives', async (profile) => {
    const codes = [...read(`docs/howto/${profile}.md`).matchAll(/^\| [^|]+ \| \[`(ERR_[A-Z_]+)`\]/gm)].map(
      ([, code]) => code,
    )
    expect(attempts[profile]).toHaveLength(codes.length)
    for (const [index, code] of codes.entries()) {
      const parameters = await attempts[profile]?.[index]?.()
      if (parameters === undefined) continue
      await world.post(parameters)
      expect(world.last().code, `${profile}, row ${index + 1}`).toBe(code)
    }
  })
})

describe('configuration and profiles in the pages', () => {
  let world: World
  beforeAll(async () => {
    world = await newWorld()
  })
  afterAll(() => world.close())

  it.each(['docs/howto/client-authentication.md', 'docs/howto/trust-an-issuer.md'])(
    '%s: its configuration can be loaded',
    async (page) => {
      const base = parse(world.file('dragoman.yaml')) as {
        clients: { client_id: string }[]
        issuers: { issuer: string }[]
        [name: string]: unknown
      }
      for (const text of blocks(page, 'yaml configuration')) {
        const { clients = [], issuers = [] } = parse(text) as typeof base
        const known = new Set(issuers.map(({ issuer }) => issuer))
        const merged = {
          ...base,
          clients: [...base.clients, ...clients],
          issuers: [...base.issuers.filter(({ issuer }) => !known.has(issuer)), ...issuers],
        }
        const file = join(world.folder, 'merged.yaml')
        writeFileSync(file, stringify(merged))
        const gateway = await createGateway(file, { env: { STOCK_SECRET: 'canary-secret' } })
        expect(gateway.tenants).toHaveLength(1)
        await gateway.close()
      }
    },
  )

  it('docs/howto/bind-tokens.md, docs/concepts.md: their profiles can be loaded', async () => {
    const texts = [...blocks('docs/howto/bind-tokens.md', 'yaml profile'), ...blocks('docs/concepts.md', 'yaml')]
    expect(texts).toHaveLength(2)
    for (const text of texts) {
      writeFileSync(join(world.folder, 'page.yaml'), text)
      const file = join(world.folder, 'page-config.yaml')
      writeFileSync(file, world.file('dragoman.yaml').replace(/^profiles: .*$/m, 'profiles: [page.yaml]'))
      await (await createGateway(file)).close()
    }
  })

  it('docs/howto/tenants.md: its configuration can be loaded', async () => {
    const [text = ''] = blocks('docs/howto/tenants.md', 'yaml tenants')
    writeFileSync(join(world.folder, 'tenants.yaml'), text)
    const profile =
      'name: plain\naccept:\n  clients: [demo]\n  subject: { format: jwt, issuers: [https://id.alpha.example] }\n  targets: { allow: [a] }\nstages: [{ format: { to: jwt } }]\n'
    writeFileSync(join(world.folder, 'eu.yaml'), profile)
    const gateway = await createGateway(join(world.folder, 'tenants.yaml'))
    expect(gateway.tenants.map(({ name }) => name)).toEqual(['eu', 'us'])
    await gateway.close()
  })

  it('docs/howto/library.md: its program runs', async () => {
    const [code = ''] = blocks('docs/howto/library.md', 'ts')
    const file = join(world.folder, 'library.mts')
    writeFileSync(file, code.replace("'dragoman'", JSON.stringify(join(root, 'src/index.ts'))).replaceAll('8080', '0'))
    const free = world.file('dragoman.yaml').replace(/port: \d+/g, 'port: 0')
    writeFileSync(join(world.folder, 'dragoman.yaml'), free)
    execFileSync(process.execPath, [file], { cwd: world.folder, stdio: 'pipe' })
  })
})

describe('docs/operations.md', () => {
  it('has every member of a record, and every metric', async () => {
    const world = await newWorld()
    await world.post({
      subject_token: await world.token('jwt'),
      audience: 'https://jwt-to-cwt.beta.example',
      scope: 'orders.read',
    })
    await world.post({
      subject_token: await world.token('jwt', { claims: map([['sub', 'x']]) }),
      audience: 'https://jwt-to-cwt.beta.example',
    })
    const page = read('docs/operations.md')
    for (const record of world.records)
      for (const member of Object.keys(record)) expect(page).toContain(`\`${member}\``)
    const { body } = await world.gateway.http.inject({ url: '/metrics' })
    for (const [, name = ''] of body.matchAll(/^# TYPE (dragoman_\w+)/gm)) expect(page).toContain(`\`${name}\``)
    for (const [, name = ''] of page.matchAll(/`(dragoman_\w+)`/g)) expect(body).toContain(`# TYPE ${name} `)
    await world.close()
  })
})
