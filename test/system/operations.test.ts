import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Alpha, issue } from '../../src/cli/dev/alpha.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { run } from '../../src/cli/run.ts'
import { codecs } from '../../src/codecs/index.ts'
import { algorithms } from '../../src/core/algorithms.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { version } from '../../src/version.ts'
import { verificationKeysFromCoseKeySet } from '../../src/wire/cose-key-set.ts'
import { parsePem } from '../../src/wire/pem.ts'
import { type Answer, basicOf, type Live, newLive, rewrite, send } from '../support/live.ts'
import { idsIn } from '../support/records.ts'
import { type Served, serve } from '../support/served.ts'
import { changingServer, json } from '../support/servers.ts'
import { seen } from '../support/watch.ts'
import { said, TOKEN_EXCHANGE } from '../support/world.ts'

const ISSUER = 'http://127.0.0.1:8080'

let folder: string
let configuration: string
let alpha: Alpha
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-operations-'))
  const made = await writeFolder(folder, { host: '127.0.0.1', port: 8080, tlsPort: 8443 })
  configuration = made.configuration
  alpha = made.alpha
  // Any free port; the issuer stays what it is.
  edit('port: 8080 }', 'port: 0 }')
  edit('port: 8443,', 'port: 0,')
  return () => rmSync(folder, { recursive: true })
})

const edit = (from: string | RegExp, to: string) => rewrite(folder, 'dragoman.yaml', from, to)

async function started(): Promise<Served & { readonly http: string }> {
  const served = serve(configuration)
  await served.says(/listening on https/)
  return Object.assign(Object.create(served) as Served, { http: served.addresses[0] ?? '' })
}

const mint = () => {
  const now = Math.floor(Date.now() / 1000)
  const validity = {
    issuedAt: now,
    notBefore: now - 10,
    expiresAt: now + 600,
    audience: [ISSUER, 'https://orders.beta.example'],
  }
  return issue(codecs(), {
    format: 'jwt',
    issuer: 'https://id.alpha.example',
    signer: alpha.signers.jwt,
    claims: said,
    now,
    validity: { ...validity, scope: ['orders.read'] },
  })
}

const exchange = async (http: string, more: { agent?: Agent } = {}): Promise<Answer> =>
  send(`${http}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: basicOf('demo', 'demo-secret') },
    body: new URLSearchParams({
      grant_type: TOKEN_EXCHANGE,
      subject_token: await mint(),
      subject_token_type: tokenTypes.jwt,
      audience: 'https://orders.beta.example',
    }).toString(),
    ...more,
  })

describe('dragoman serve', () => {
  it('says where it listens, and nothing else', async () => {
    const { stderr, stdout, http } = await started()
    expect(stderr).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+\nlistening on https:\/\/127\.0\.0\.1:\d+\n$/)
    expect(stdout).toBe('')
    expect((await exchange(http)).status).toBe(200)
  })

  it('warns at start of each danger_ option that is on, and of what is given up by it, and of secrets in the file', async () => {
    writeFileSync(
      join(folder, 'danger.yaml'),
      `name: danger
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { danger_any_target: true }
stages:
  - validity: { lifetime: 7200, danger_outlive_subject: true }
  - format: { to: jwt }
  - crypto: { key: signing }
`,
    )
    edit(/^profiles: .*$/m, 'profiles: [danger.yaml]')
    edit('client_secret_file: demo.secret', 'client_secret: demo-secret')
    const { stderr } = await started()
    const warnings = stderr.split('\n').filter((line) => line.startsWith('warning: '))
    expect(warnings).toEqual([
      expect.stringMatching(/^warning: profile danger: accept\.targets\.danger_any_target: \S.+/),
      expect.stringMatching(/^warning: profile danger: stages\[0\]\.validity\.danger_outlive_subject: \S.+/),
      'warning: the secret of the client demo stands in the configuration',
    ])
  })

  it('warns of a listener that others can reach without TLS', async () => {
    edit('host: 127.0.0.1, port: 0 }', 'host: 0.0.0.0, port: 0 }')
    const { stderr } = await started()
    expect(stderr).toMatch(/^warning: 0\.0\.0\.0:0 takes requests without TLS; a proxy in front of it must bring TLS$/m)
  })
})

describe('a start that cannot be', () => {
  const failed = async (how: 'process' | 'here' = 'here') => {
    const { code, stderr } = await (how === 'process' ? asProcess() : here())
    expect(stderr).not.toContain('listening')
    // Words for a person: no stack, no machine's rendering of an object.
    expect(stderr).not.toMatch(/\n\s+at |\[object|undefined/)
    return { code, stderr }
  }
  async function asProcess() {
    const served = serve(configuration)
    const code = await served.ended
    expect(served.stdout).toBe('')
    return { code, stderr: served.stderr }
  }
  /** The same command line, without the second that a process takes to start. */
  async function here() {
    let stderr = ''
    const error = (text: string) => {
      stderr += text
      seen(text)
    }
    const io = { input: async () => '', out: () => expect.unreachable(), error, terminal: false }
    return { code: await run(['serve', '--config', configuration], io), stderr }
  }

  it('for a misspelt option: 1, and where it is, with what would be right', async () => {
    edit('trust_domain', 'trustdomain')
    const { code, stderr } = await failed('process')
    expect(code).toBe(1)
    expect(stderr).toMatch(/dragoman serve: ERR_PROFILE_SCHEMA/)
    expect(stderr).toMatch(
      /dragoman\.yaml:\d+:\d+: issuers\[0\]\.trustdomain: unknown option; did you mean `trust_domain`\?/,
    )
  })

  it('for YAML that is none: 1, and the line', async () => {
    edit('issuers:\n', 'issuers: [\n')
    const { code, stderr } = await failed()
    expect(code).toBe(1)
    expect(stderr).toMatch(/ERR_PROFILE_SYNTAX[\s\S]*dragoman\.yaml:\d+:\d+/)
  })

  it('for a profile that asks for a key that is not there: 1, and the profile’s file and line', async () => {
    writeFileSync(
      join(folder, 'one.yaml'),
      `name: one
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [https://a.example] }
stages:
  - format: { to: jwt }
  - crypto: { key: singing }
`,
    )
    edit(/^profiles: .*$/m, 'profiles: [one.yaml]')
    const { code, stderr } = await failed()
    expect(code).toBe(1)
    expect(stderr).toMatch(/one\.yaml:8:\d+: stages\[1\]\.crypto\.key: .*signing/)
  })

  it('for a folder of profiles that is empty: 1', async () => {
    edit(/^profiles: .*$/m, 'profiles: nothing')
    const { code, stderr } = await failed()
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/profiles[\s\S]*nothing/) })
  })

  it('for a key file that cannot be read: 1, and which', async () => {
    edit('name: signing, algorithm: ES256, generate: true', 'name: signing, algorithm: ES256, file: missing.pem')
    const { code, stderr } = await failed()
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/ERR_KEY_CONFIG[\s\S]*signing/) })
  })

  it('for a configuration that is not there: 3, and its name', async () => {
    configuration = join(folder, 'nowhere.yaml')
    expect(await failed()).toEqual({ code: 3, stderr: expect.stringContaining('nowhere.yaml') })
  })

  it('for a certificate of the listener that is not there: 1, its name, and where it is asked for', async () => {
    edit('certificate: tls.pem', 'certificate: gone.pem')
    expect(await failed()).toEqual({
      code: 1,
      stderr: expect.stringMatching(/:\d+:\d+: listeners\[1\][\s\S]*gone\.pem/),
    })
  })

  it('for an audit file that cannot be opened: 3, and its name', async () => {
    edit('file: audit.jsonl', 'file: no/such/folder/audit.jsonl')
    expect(await failed()).toEqual({
      code: 3,
      stderr: expect.stringMatching(/ERR_AUDIT_UNAVAILABLE[\s\S]*no\/such\/folder\/audit\.jsonl/),
    })
  })

  it('for a port that somebody else has: 3, and which port', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    try {
      const address = taken.address()
      const port = typeof address === 'object' && address ? address.port : 0
      edit('port: 0 }', `port: ${port} }`)
      const { code, stderr } = await failed('process')
      expect({ code, stderr }).toEqual({
        code: 3,
        stderr: expect.stringMatching(new RegExp(`address already in use 127\\.0\\.0\\.1:${port}`)),
      })
    } finally {
      await new Promise((resolve) => taken.close(resolve))
    }
  })
})

describe('signals', () => {
  it('SIGHUP: the audit file goes on under its name after a rename, and no record is lost, doubled or torn', async () => {
    const { http, child, says, ended } = await started()
    const audit = join(folder, 'audit.jsonl')
    const told: string[] = []
    let running = true
    const client = async () => {
      while (running) {
        const { status, headers } = await exchange(http)
        expect(status).toBe(200)
        told.push(String(headers['x-request-id']))
      }
    }
    const clients = [client(), client(), client()]
    for (const round of [1, 2, 3]) {
      const before = told.length
      await expect.poll(() => told.length, { interval: 5, timeout: 20_000 }).toBeGreaterThan(before + 5)
      renameSync(audit, `${audit}.${round}`)
      const reloaded = says(new RegExp(`configuration ${round + 1} is in force`))
      child.kill('SIGHUP')
      await reloaded
      // Opened again: what comes now is under the name, also before anybody asks anything.
      await expect.poll(() => existsSync(audit), { interval: 5, timeout: 20_000 }).toBe(true)
    }
    running = false
    await Promise.all(clients)
    const last = await exchange(http)
    told.push(String(last.headers['x-request-id']))
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    const files = [1, 2, 3].map((round) => idsIn(readFileSync(`${audit}.${round}`, 'utf8')))
    const current = idsIn(readFileSync(audit, 'utf8'))
    expect(files.every((ids) => ids.length > 0)).toBe(true)
    expect(current).toContain(told.at(-1))
    expect([...files.flat(), ...current].sort()).toEqual(told.sort())
  })

  it('SIGHUP: a bad configuration is told of and changes nothing', async () => {
    const { http, child, says } = await started()
    edit('trust_domain', 'trustdomain')
    const told = says(
      /configuration 1 stays in force; the new one cannot work:\nERR_PROFILE_SCHEMA\n.*dragoman\.yaml:\d+/,
    )
    child.kill('SIGHUP')
    await told
    expect((await exchange(http)).status).toBe(200)
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: answers what is under way, refuses what is new, writes every record, and ends with 0',
    async (signal) => {
      const issuer = await changingServer(json(JSON.parse(readFileSync(join(folder, 'alpha-jwks.json'), 'utf8'))))
      edit(
        '    jwks_file: alpha-jwks.json\n',
        `    jwks_uri: ${issuer.origin}/keys\n    fetch: { allow_private_addresses: true, timeout: 20 }\n`,
      )
      const { http, child, says, ended } = await started()
      const release = issuer.hold()
      const agent = new Agent({ keepAlive: true })
      const underway = [exchange(http, { agent }), exchange(http, { agent }), exchange(http, { agent })]
      // A connection that is idle does not keep the process.
      await send(`${http}/livez`, { agent: new Agent({ keepAlive: true }) })
      await issuer.arrived(1)
      await expect
        .poll(async () => (await send(`${http}/metrics`)).text, { interval: 10, timeout: 20_000 })
        .toContain('dragoman_exchanges_in_flight 3')
      const stopping = says(/^stopping$/m)
      child.kill(signal)
      await stopping
      await expect(send(`${http}/livez`)).rejects.toMatchObject({ code: expect.stringMatching(/^ECONN/) })
      release()
      const answers = await Promise.all(underway)
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
      expect(await ended).toBe(0)
      agent.destroy()
      const ids = idsIn(readFileSync(join(folder, 'audit.jsonl'), 'utf8'))
      expect([...ids].sort()).toEqual(answers.map(({ headers }) => String(headers['x-request-id'])).sort())
    },
  )
})

describe('what is published', () => {
  let live: Live
  beforeAll(async () => {
    live = await newLive()
  })
  afterAll(() => live.close())

  const open = async (path: string) => {
    const answer = await send(`${live.plain}${path}`)
    expect(answer.status).toBe(200)
    return { ...answer, type: answer.headers['content-type'], kept: answer.headers['cache-control'] }
  }

  it('MD-01 to MD-07: metadata, exactly: what there is, and no empty list', async () => {
    const { issuer } = live
    const { type, text, kept } = await open('/.well-known/oauth-authorization-server')
    expect({ type, kept }).toEqual({ type: 'application/json', kept: 'public, max-age=300' })
    expect(JSON.parse(text)).toEqual({
      issuer,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      grant_types_supported: [TOKEN_EXCHANGE],
      token_endpoint_auth_methods_supported: [
        'private_key_jwt',
        'tls_client_auth',
        'client_secret_basic',
        'client_secret_post',
      ],
      token_endpoint_auth_signing_alg_values_supported: JOSE,
      dpop_signing_alg_values_supported: JOSE,
      tls_client_certificate_bound_access_tokens: true,
      token_exchange_cnf_response_supported: true,
      dragoman_subject_token_types_supported: expect.arrayContaining([
        tokenTypes.jwt,
        tokenTypes.cwt,
        tokenTypes.mtls,
        tokenTypes.x509,
        tokenTypes.x509Der,
      ]),
      dragoman_cose_keys_uri: `${issuer}/cose-keys`,
      dragoman_certificates_uri: `${issuer}/ca.pem`,
    })
  })

  it('MD-08: public keys, each with its use, its algorithm and nothing private', async () => {
    const { type, text, kept } = await open('/jwks')
    expect({ type, kept }).toEqual({ type: 'application/jwk-set+json', kept: 'public, max-age=300' })
    const { keys } = JSON.parse(text) as { keys: readonly { [member: string]: string }[] }
    expect(keys.map(({ kty, alg, use }) => [kty, alg, use])).toEqual([
      ['EC', 'ES256', 'sig'],
      ['AKP', 'ML-DSA-65', 'sig'],
      ['EC', 'ES256', 'sig'],
    ])
    expect(new Set(keys.flatMap(Object.keys))).toEqual(new Set(['kty', 'crv', 'x', 'y', 'pub', 'kid', 'use', 'alg']))
    for (const { kid, use: _, ...key } of keys) expect(kid).toBe(await calculateJwkThumbprint(key as JWK))
  })

  it('the same keys for COSE', async () => {
    const { keys } = JSON.parse((await open('/jwks')).text) as { keys: readonly { kid: string }[] }
    const answer = await fetch(`${live.plain}/cose-keys`)
    expect(answer.headers.get('content-type')).toBe('application/cose-key-set')
    const set = verificationKeysFromCoseKeySet(Buffer.from(await answer.arrayBuffer()), algorithms)
    expect(set.map(({ publicKey }) => publicKey.jkt)).toEqual(keys.map(({ kid }) => kid))
  })

  it('the authority, which signs itself and may sign others', async () => {
    const { type, text } = await open('/ca.pem')
    expect(type).toBe('application/pem-certificate-chain')
    const [block, another] = parsePem(text)
    expect(another).toBeUndefined()
    const authority = new X509Certificate(Buffer.from(block?.der ?? []))
    expect(authority).toMatchObject({ subject: 'CN=Beta Issuing CA', ca: true })
    expect(authority.verify(authority.publicKey)).toBe(true)
  })

  it('/livez, /readyz and /version, kept by nobody', async () => {
    for (const [path, body] of [
      ['/livez', { live: true }],
      ['/readyz', { ready: true, missing: [] }],
      ['/version', { name: 'dragoman', version: version() }],
    ] as const) {
      const { type, text, kept } = await open(path)
      expect({ type, kept, body: JSON.parse(text) }).toEqual({ type: 'application/json', kept: 'no-store', body })
    }
  })

  it('/metrics: exchanges by how they ended, replay entries, issuers, configuration', async () => {
    await live.post({ subject_token: await live.token('jwt'), audience: 'https://orders.beta.example' })
    await live.post({ subject_token: 'x', audience: 'https://orders.beta.example' })
    await live.post({ subject_token: 'x', audience: 'https://orders.beta.example' }, { authorization: '' })
    await send(`${live.plain}/nowhere`)
    const { type, text } = await open('/metrics')
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8')
    const lines = text.split('\n')
    for (const line of [
      'dragoman_exchanges_total{tenant="default",profile="jwt-downscope",result="issued",code=""} 1',
      'dragoman_tokens_total{tenant="default",direction="in",format="jwt",algorithm="ES256"} 1',
      'dragoman_tokens_total{tenant="default",direction="out",format="jwt",algorithm="ES256"} 1',
      'dragoman_exchanges_total{tenant="default",profile="jwt-downscope",result="refused",code="ERR_TOKEN_MALFORMED"} 1',
      'dragoman_exchanges_total{tenant="default",profile="",result="refused",code="ERR_CLIENT_MISSING"} 1',
      'dragoman_requests_turned_away_total{code="ERR_REQUEST_ENDPOINT"} 1',
      'dragoman_exchange_duration_seconds_count{tenant="default",profile="jwt-downscope"} 2',
      'dragoman_exchanges_in_flight 0',
      'dragoman_replay_entries{tenant="default"} 0',
      'dragoman_issuer_ready{tenant="default",issuer="https://id.alpha.example"} 1',
      'dragoman_config_generation 1',
    ]) {
      expect(lines).toContain(line)
    }
    // Prometheus refuses a name that is explained twice.
    const helps = lines.filter((line) => line.startsWith('# HELP')).map((line) => line.split(' ')[2])
    expect(new Set(helps).size).toBe(helps.length)
  })

  it('HEAD says what GET says, without a body', async () => {
    for (const path of ['/jwks', '/cose-keys', '/ca.pem', '/.well-known/oauth-authorization-server', '/livez']) {
      const { headers } = await send(`${live.plain}${path}`)
      const head = await send(`${live.plain}${path}`, { method: 'HEAD' })
      expect(head).toMatchObject({
        status: 200,
        text: '',
        headers: { 'content-type': headers['content-type'], 'content-length': headers['content-length'] },
      })
    }
  })
})

/** Every signature algorithm there is, as JOSE calls it. */
const JOSE = algorithms.flatMap(({ jose }) => jose)
