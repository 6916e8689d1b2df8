import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configurationOf } from '../../src/config/read.ts'
import { createTenant, type TenantTools } from '../../src/config/tenant.ts'
import type { RegisteredClient } from '../../src/core/client.ts'
import { DragomanError } from '../../src/core/errors.ts'
import { pem } from '../../src/wire/pem.ts'
import { CONFIGURATION, newFolder } from '../support/configuration.ts'
import { GOOD } from '../support/profiles.ts'
import { authority } from '../support/x509.ts'

let here: ReturnType<typeof newFolder>
beforeEach(() => {
  here = newFolder()
})
afterEach(() => here.remove())

const edited = (...edits: readonly (readonly [from: string, to: string])[]) =>
  edits.reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replace(from, () => to)
  }, CONFIGURATION)
const sha256 = (text: string) => createHash('sha256').update(text).digest()

describe('a configuration, read', () => {
  it('is one tenant called default, with a listener on loopback', () => {
    const { file, listeners, tenants } = configurationOf({
      file: 'c.yaml',
      text: CONFIGURATION.replace(/listeners:\n.*\n/, ''),
    })
    expect({ file, listeners }).toEqual({ file: 'c.yaml', listeners: [{ host: '127.0.0.1', port: 8080 }] })
    expect(tenants.map(({ name, issuer }) => [name, issuer])).toEqual([['default', 'https://gw.example']])
  })

  it('is the list under tenants, where there is one', () => {
    const text = `tenants:\n  - { name: a, issuer: 'http://localhost:9000/a', keys: [{ name: k, algorithm: ES256, generate: true }], profiles: p }\n`
    expect(configurationOf({ file: 'c.yaml', text }).tenants.map(({ name }) => name)).toEqual(['a'])
  })

  it.each([
    'https://gw.example',
    'https://gw.example/a/b',
    'https://gw.example:8443',
    'http://127.0.0.1:8080',
    'http://[::1]',
    'http://localhost/a',
  ])('takes the issuer %s (MD-01)', (issuer) => {
    const text = edited(['issuer: https://gw.example\n', `issuer: ${JSON.stringify(issuer)}\n`])
    expect(configurationOf({ file: 'c.yaml', text }).tenants[0]?.issuer).toBe(issuer)
  })

  it('may listen at any free port as often as it likes', () => {
    const text = edited(['port: 8080 }', 'port: 0 }\n  - { port: 0 }'])
    expect(configurationOf({ file: 'c.yaml', text }).listeners).toHaveLength(2)
  })
})

describe('a tenant', () => {
  it('has its services, with the limits and defaults of the reference', async () => {
    const [tenant] = await here.tenants()
    expect(tenant).toMatchObject({
      name: 'default',
      limits: { bytes: 65_536, parameters: 64, parameterBytes: 32_768 },
      dpopNonce: false,
      services: {
        tenant: 'default',
        issuer: 'https://gw.example',
        tokenEndpoint: 'https://gw.example/token',
        clockSkew: 30,
      },
    })
    const { profiles, keys, trust } = tenant.services
    expect(profiles.all.map(({ name }) => name)).toEqual(['one'])
    expect(keys.all()).toHaveLength(2)
    expect(trust.all().map(({ issuer }) => issuer)).toEqual(['https://gw.example', 'https://id.example'])
    expect(tenant.issuers().map(({ issuer }) => issuer)).toEqual(['https://id.example'])
  })

  it('has what the configuration sets in their place', async () => {
    const limits = 'limits: { body_bytes: 2048, parameters: 8, parameter_bytes: 1024 }\n'
    const [tenant] = await here.tenants(`${CONFIGURATION}${limits}dpop_nonce: true\nclock_skew: 0\n`)
    expect(tenant).toMatchObject({
      limits: { bytes: 2048, parameters: 8, parameterBytes: 1024 },
      dpopNonce: true,
      services: { clockSkew: 0 },
    })
  })

  it('calls files as the configuration is called, and finds those of a profile beside it', async () => {
    mkdirSync(join(here.folder, 'profiles/tables'))
    here.write('profiles/tables/t.json', '{}')
    here.write(
      'profiles/two.yml',
      GOOD.replace('name: one', 'name: two')
        .replace('orders.example', 'two.example')
        .replace('  - context: { keep: [email] }', '  - subject: { lookup: { file: tables/t.json } }'),
    )
    here.write('profiles/notes.txt', 'not a profile')
    here.write('profiles/one.test.yaml', 'not a profile either')
    const [tenant] = await here.tenants()
    expect(tenant.services.profiles.all.map(({ name }) => name)).toEqual(['one', 'two'])
  })

  it('writes its audit records where the configuration says, in its own folder', async () => {
    const files: (string | undefined)[] = []
    const audit: TenantTools['audit'] = (file) => {
      files.push(file)
      return { write: () => undefined }
    }
    await here.tenants(CONFIGURATION, { audit })
    await here.tenants(`${CONFIGURATION}audit: { file: logs/audit.jsonl }\n`, { audit })
    expect(files).toEqual([undefined, join(here.folder, 'logs/audit.jsonl')])
  })

  it('hashes subjects in its audit records with the secret that it names', async () => {
    const [plain] = await here.tenants(CONFIGURATION)
    expect(plain.services.auditKey).toBeUndefined()
    const [tenant] = await here.tenants(`${CONFIGURATION}audit: { subject_key: pairwise }\n`)
    expect(Buffer.from(tenant.services.auditKey ?? []).toString()).toBe('canary-pairwise-secret-of-32-bytes')
    await expect(here.tenants(`${CONFIGURATION}audit: { subject_key: pairwsie }\n`)).rejects.toThrow(
      /audit\.subject_key: there is no such secret; did you mean `pairwise`\?/,
    )
  })

  it('of a configuration that was made in code is refused with what there is to say, without a place', async () => {
    const { file, listeners, tenants } = configurationOf({
      file: join(here.folder, 'c.yaml'),
      text: edited(['value: canary-pairwise-secret-of-32-bytes', 'env: NONE']),
    })
    const [entry] = tenants
    if (!entry) throw new Error('no tenant')
    const tools = {
      catalog: { codecs: [], stages: [], grants: [], clientMethods: [], proofMethods: [] },
      clock: () => 0,
      env: {},
      carry: undefined,
    } as unknown as TenantTools
    const refusal = createTenant(entry, { file, listeners, tenants }, tools)
    await expect(refusal).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_PROFILE_OPTION',
        detail: { secret: 'pairwise', path: 'env', expected: 'an environment variable that is set: NONE' },
      }),
    )
  })
})

describe('a client', () => {
  const client = async (entry: string, tools: Partial<TenantTools> = {}): Promise<RegisteredClient> => {
    const [{ services }] = await here.tenants(
      edited([/ {2}- \{ client_id.*\n/.exec(CONFIGURATION)?.[0] ?? '', `  - { client_id: demo, ${entry} }\n`]),
      tools,
    )
    const found = services.clients.find('demo')
    if (!found) throw new Error('no client')
    expect(services.clients.find('nobody')).toBeUndefined()
    return found
  }

  it.each<[string, string, Partial<TenantTools>]>([
    ['inline', 'client_secret: canary-secret', {}],
    ['in a file', 'client_secret_file: secret', {}],
    ['in the environment', 'client_secret_env: DEMO', { env: { DEMO: 'canary-secret' } }],
    ['as a digest', `client_secret_sha256: ${sha256('canary-secret').toString('hex')}`, {}],
  ])('has its secret %s, and keeps its digest only', async (_, entry, tools) => {
    here.write('secret', 'canary-secret\n')
    const found = await client(`token_endpoint_auth_method: client_secret_post, ${entry}`, tools)
    expect(found).toMatchObject({
      id: 'demo',
      method: 'client_secret_post',
      issuer: undefined,
      certificate: undefined,
      dpopBound: false,
    })
    expect(found.secretDigests.map((digest) => Buffer.from(digest).toString('hex'))).toEqual([
      sha256('canary-secret').toString('hex'),
    ])
    expect(JSON.stringify(found)).not.toContain('canary')
  })

  it('may have several secrets, while one replaces the other', async () => {
    const digests = ['a', 'b'].map((text) => sha256(text).toString('hex'))
    const { secretDigests } = await client(
      `token_endpoint_auth_method: client_secret_basic, client_secret_sha256: [${digests.join(', ')}]`,
    )
    expect(secretDigests).toHaveLength(2)
  })

  it('has keys, and speaks of itself', async () => {
    const jwks = 'jwks: { keys: [{ kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }] }'
    const found = await client(
      `token_endpoint_auth_method: private_key_jwt, ${jwks}, assertion_audience: legacy, dpop_bound_access_tokens: true`,
    )
    expect(found).toMatchObject({
      secretDigests: [],
      issuer: { issuer: 'demo', has: { keys: true, certificates: false } },
      assertion: { audience: 'legacy', maxLifetime: 300, requireJti: true },
      dpopBound: true,
    })
  })

  it.each(['subject_dn', 'san_dns', 'san_uri', 'san_ip', 'san_email'])(
    'is known by the %s of its certificate',
    async (kind) => {
      here.write('ca.pem', pem('CERTIFICATE', authority('CA').certificate))
      const found = await client(
        `token_endpoint_auth_method: tls_client_auth, certificate_authorities: ca.pem, tls_client_auth_${kind}: name`,
      )
      expect(found).toMatchObject({
        certificate: { kind, value: 'name' },
        issuer: { has: { keys: false, certificates: true } },
      })
    },
  )
})

describe('a secret for keyed hashes', () => {
  const secret = async (entry: string, tools: Partial<TenantTools> = {}) => {
    here.write(
      'profiles/one.yaml',
      GOOD.replace('  - context: { keep: [email] }', '  - subject: { pairwise: { secret: pairwise } }'),
    )
    return here.tenants(edited(['value: canary-pairwise-secret-of-32-bytes', entry]), tools)
  }

  it.each<[string, Partial<TenantTools>]>([
    ['file: bytes', {}],
    ['env: PAIRWISE', { env: { PAIRWISE: 'p'.repeat(32) } }],
    ['value: canary-pairwise-secret-of-32-bytes', {}],
  ])('comes from %s', async (entry, tools) => {
    // Any bytes, not text.
    here.write('bytes', new Uint8Array(32).fill(0xff))
    await expect(secret(entry, tools)).resolves.toHaveLength(1)
  })

  it('has 32 bytes at least, as UTF-8', async () => {
    await expect(secret('env: PAIRWISE', { env: { PAIRWISE: 'p'.repeat(31) } })).rejects.toThrow(DragomanError)
    await expect(secret('env: PAIRWISE', { env: { PAIRWISE: 'ä'.repeat(16) } })).resolves.toHaveLength(1)
  })
})

describe('a warning', () => {
  const warnings = async (...edits: readonly (readonly [from: string, to: string])[]) =>
    (await here.tenants(edited(...edits)))[0].warnings

  it('is given for nothing that is safe', async () => {
    here.write('secret', 's'.repeat(32))
    chmodSync(join(here.folder, 'secret'), 0o600)
    expect(
      await warnings(
        ['value: canary-pairwise-secret-of-32-bytes', 'file: secret'],
        ['client_secret: canary-secret', 'client_secret_file: secret'],
        ["['*']", '[spiffe://a.example/*]'],
      ),
    ).toEqual([])
  })

  it.each<[string, readonly (readonly [string, string])[]]>([
    ['issuer https://id.example: it may speak of any subject', []],
    ['the secret of the client demo stands in the configuration', []],
    ['the secret pairwise stands in the configuration', []],
    [
      'x509: certificates that RFC 5280 does not allow are taken',
      [['profiles: profiles', 'profiles: profiles\nx509: { conforming: false }']],
    ],
    [
      'issuer https://id.example: its keys may come from a private address',
      [
        [
          /jwks: .*/.exec(CONFIGURATION)?.[0] ?? '',
          'jwks_uri: https://id.example/jwks\n    fetch: { allow_private_addresses: true }',
        ],
      ],
    ],
    [
      'client demo: its assertions may be for other servers too',
      [
        [
          'client_secret_basic, client_secret: canary-secret',
          'private_key_jwt, jwks_uri: https://a.example, assertion_audience: legacy',
        ],
      ],
    ],
    [
      'client demo: its keys may come from a private address',
      [
        [
          'client_secret_basic, client_secret: canary-secret',
          'private_key_jwt, jwks_uri: https://a.example, fetch: { allow_private_addresses: true }',
        ],
      ],
    ],
  ])('is %s', async (warning, edits) => {
    expect(await warnings(...edits)).toContain(warning)
  })

  it('is given to a client that authenticates by certificate where no listener has TLS', async () => {
    here.write('ca.pem', pem('CERTIFICATE', authority('CA').certificate))
    const certificate: readonly [string, string] = [
      'client_secret_basic, client_secret: canary-secret',
      'tls_client_auth, certificate_authorities: ca.pem, tls_client_auth_san_dns: a',
    ]
    const warning = 'client demo: it authenticates by certificate, and no listener has TLS'
    expect(await warnings(certificate)).toContain(warning)
    expect(await warnings(certificate, ['port: 8080', 'port: 8080, tls: { certificate: a, key: b }'])).not.toContain(
      warning,
    )
  })

  it('tells of every danger_ option of a profile what is given up, and where', async () => {
    here.write(
      'profiles/one.yaml',
      GOOD.replace('lifetime: 300', 'lifetime: 300, danger_outlive_subject: true')
        .replace('allow: [https://orders.example]', 'danger_any_target: true')
        .replace('  clients: [demo]', '  clients: [demo]\n  subject_token_authenticates: true')
        .replace('    format: jwt', '    format: jwt\n    audience: any'),
    )
    expect((await warnings()).slice(0, 4)).toEqual([
      'profile one: accept.targets.danger_any_target: any audience or resource may be asked for',
      'profile one: stages[1].validity.danger_outlive_subject: the output may be valid longer than the subject token, up to the profile ceiling',
      'profile one: whoever has a subject token may use it, without a client',
      'profile one: tokens are taken that were issued for somebody else (audience: any)',
    ])
  })

  it('is given to a profile that takes grants of no explicit type, and to no other', async () => {
    const warning =
      'profile one: grants without an explicit type are taken, and an ID token could pass for one (set `kind`)'
    const redeeming = GOOD.replace('  clients: [demo]', '  clients: [demo]\n  grant: jwt-bearer')
    here.write('profiles/one.yaml', redeeming)
    expect(await warnings()).toContain(warning)
    here.write('profiles/one.yaml', redeeming.replace('format: jwt', 'format: jwt\n    kind: oauth-id-jag+jwt'))
    expect(await warnings()).not.toContain(warning)
    here.write('profiles/one.yaml', GOOD)
    expect(await warnings()).not.toContain(warning)
  })

  it('says nothing of an audience where the audience is the client', async () => {
    here.write('profiles/one.yaml', GOOD.replace('    format: jwt', '    format: jwt\n    for_client: aud'))
    expect((await warnings()).join('\n')).not.toContain('audience: any')
  })

  it('tells of a file with a key or a secret that group or others can read, and of no other', async () => {
    here.write('secret', 's'.repeat(32))
    const inFile = ['value: canary-pairwise-secret-of-32-bytes', 'file: secret'] as const
    const readable = (mode: string) => `secret pairwise: secret: group or others may use it (mode ${mode}); chmod 600`
    for (const [mode, told] of [
      [0o644, '0644'],
      [0o640, '0640'],
      [0o604, '0604'],
    ] as const) {
      chmodSync(join(here.folder, 'secret'), mode)
      expect(await warnings(inFile)).toContain(readable(told))
    }
    chmodSync(join(here.folder, 'secret'), 0o400)
    expect((await warnings(inFile)).join()).not.toContain('group or others')
  })

  it('never shows a secret', async () => {
    expect((await warnings()).join('\n')).not.toContain('canary')
  })
})
