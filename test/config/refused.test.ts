import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfiguration } from '../../src/config/read.ts'
import { DragomanError } from '../../src/core/errors.ts'
import { CONFIGURATION, newFolder } from '../support/configuration.ts'
import { headlines } from '../support/profiles.ts'

/** What of the good configuration is replaced, by what; the code; each problem that is told, behind the name of the file. */
type Row = readonly [from: string, to: string, code: string, problems: readonly string[]]

const rows: readonly Row[] = [
  [
    'issuer: https://gw.example',
    'issuer: gw.example',
    'ERR_PROFILE_SCHEMA',
    ['1:9: issuer: expected a URL with https:// (or http://), without query and fragment'],
  ],
  [
    'issuer: https://gw.example',
    'issuer: http://gw.example',
    'ERR_PROFILE_OPTION',
    ['1:9: issuer: expected https; http is for loopback only'],
  ],
  [
    'issuer: https://gw.example',
    'issuer: https://gw.example/',
    'ERR_PROFILE_OPTION',
    ['1:9: issuer: expected no slash at the end'],
  ],
  [
    'issuer: https://gw.example',
    'issuer: https://GW.example:443',
    'ERR_PROFILE_OPTION',
    ['1:9: issuer: expected it as clients will write it: https://gw.example'],
  ],
  [
    'issuer: https://gw.example',
    'issuer: https://u:canary-p@gw.example',
    'ERR_PROFILE_OPTION',
    ['1:9: issuer: expected a URL without user, query and fragment (RFC 8414 section 2)'],
  ],
  [
    'issuer: https://gw.example',
    'issuer: https://gw.example/a*b',
    'ERR_PROFILE_OPTION',
    ['1:9: issuer: expected a path without *'],
  ],
  [
    'issuer: https://gw.example',
    'issuer: https://gw.example?x',
    'ERR_PROFILE_SCHEMA',
    ['1:9: issuer: expected a URL with https:// (or http://), without query and fragment'],
  ],
  [
    'issuer: https://gw.example',
    'isuer: https://gw.example',
    'ERR_PROFILE_SCHEMA',
    ['1:1: isuer: unknown option; did you mean `issuer`?'],
  ],
  [
    'port: 8080 }',
    'port: 8080 }\n  - { port: 8080 }',
    'ERR_PROFILE_OPTION',
    ['4:13: listeners[1].port: is that of another entry too'],
  ],
  ['port: 8080', 'port: http', 'ERR_PROFILE_SCHEMA', ['3:30: listeners[0].port: expected a whole number, found text']],
  ['port: 8080', 'port: 70000', 'ERR_PROFILE_SCHEMA', ['3:30: listeners[0].port: expected a number of at most 65535']],
  [
    'port: 8080',
    'prt: 8080',
    'ERR_PROFILE_SCHEMA',
    ['3:5: listeners[0]: `port` is missing', '3:24: listeners[0].prt: unknown option; did you mean `port`?'],
  ],
  [
    'port: 8080',
    'port: 8080, tls: { certificate: a }',
    'ERR_PROFILE_SCHEMA',
    ['3:41: listeners[0].tls: `key` is missing'],
  ],
  [
    'algorithm: ES256, generate: true',
    'algorithm: ES256',
    'ERR_PROFILE_SCHEMA',
    ['5:5: keys[0]: expected exactly one of `file`, `generate`'],
  ],
  [
    'algorithm: ES256, generate: true',
    'algorithm: ES256, generate: true, file: x',
    'ERR_PROFILE_SCHEMA',
    ['5:5: keys[0]: expected exactly one of `file`, `generate`, found several'],
  ],
  [
    'algorithm: ES256',
    'algorithm: EC256',
    'ERR_PROFILE_SCHEMA',
    [
      '5:33: keys[0].algorithm: expected one of ES256, ES384, ES512, Ed25519, RS256, RS384, RS512, PS256, PS384, PS512, ML-DSA-44, ML-DSA-65, ML-DSA-87; did you mean `ES256`?',
    ],
  ],
  [
    'algorithm: ES256, generate: true',
    'algorithm: ES256, file: keys/none.pem',
    'ERR_KEY_CONFIG',
    ['5:46: keys[0].file: keys/none.pem: expected a file that can be read'],
  ],
  [
    'algorithm: ES256, generate: true',
    'algorithm: ES256, file: bad.pem',
    'ERR_KEY_CONFIG',
    ['5:5: keys[0]: expected a private key in PEM, or a private JWK'],
  ],
  ['name: pq', 'name: signing', 'ERR_PROFILE_OPTION', ['6:13: keys[1].name: is that of another entry too']],
  [
    'algorithm: ML-DSA-65, generate: true',
    'algorithm: ML-DSA-65, generate: true, certificates: bad.pem',
    'ERR_KEY_CONFIG',
    ['6:5: keys[1]: expected a PEM file of certificates, each in strict DER'],
  ],
  [
    'value: canary-pairwise-secret-of-32-bytes',
    'value: canary-short',
    'ERR_PROFILE_OPTION',
    ['8:30: secrets[0].value: expected at least 32 bytes'],
  ],
  [
    'value: canary-pairwise-secret-of-32-bytes',
    'env: DRAGOMAN_NONE',
    'ERR_PROFILE_OPTION',
    ['8:28: secrets[0].env: expected an environment variable that is set: DRAGOMAN_NONE'],
  ],
  [
    'value: canary-pairwise-secret-of-32-bytes',
    'file: none',
    'ERR_PROFILE_OPTION',
    ['8:29: secrets[0].file: none: expected a file that can be read'],
  ],
  [
    'value: canary-pairwise-secret-of-32-bytes',
    'file: short',
    'ERR_PROFILE_OPTION',
    ['8:29: secrets[0].file: expected at least 32 bytes'],
  ],
  [
    'value: canary-pairwise-secret-of-32-bytes',
    'value: canary-x, env: B',
    'ERR_PROFILE_SCHEMA',
    ['8:5: secrets[0]: expected exactly one of `file`, `env`, `value`, found several'],
  ],
  [
    'value: canary-pairwise-secret-of-32-bytes',
    'vlaue: canary-pairwise-secret-of-32-bytes',
    'ERR_PROFILE_SCHEMA',
    ['8:23: secrets[0].vlaue: unknown option; did you mean `value`?'],
  ],
  [
    'client_secret: canary-secret',
    'client_secret: canary',
    'ERR_PROFILE_OPTION',
    ['10:88: clients[0].client_secret: expected a secret of at least 8 characters'],
  ],
  [
    'client_secret: canary-secret',
    'client_secret: [canary-a]',
    'ERR_PROFILE_SCHEMA',
    ['10:88: clients[0].client_secret: expected text, found a list'],
  ],
  [
    'client_secret: canary-secret',
    'client_secrte: canary-secret',
    'ERR_PROFILE_SCHEMA',
    ['10:73: clients[0].client_secrte: unknown option; did you mean `client_secret`?'],
  ],
  [
    'client_secret: canary-secret',
    'client_secret: canary-secret, client_secret_env: X',
    'ERR_PROFILE_OPTION',
    [
      '10:122: clients[0].client_secret_env: expected exactly one of client_secret, client_secret_file, client_secret_env, client_secret_sha256',
    ],
  ],
  [
    'client_secret: canary-secret',
    'client_secret_file: none',
    'ERR_PROFILE_OPTION',
    ['10:93: clients[0].client_secret_file: none: expected a file that can be read'],
  ],
  [
    'client_secret: canary-secret',
    'client_secret_env: DRAGOMAN_NONE',
    'ERR_PROFILE_OPTION',
    ['10:92: clients[0].client_secret_env: expected an environment variable that is set: DRAGOMAN_NONE'],
  ],
  [
    ', client_secret: canary-secret',
    '',
    'ERR_PROFILE_OPTION',
    [
      '10:5: clients[0]: expected exactly one of client_secret, client_secret_file, client_secret_env, client_secret_sha256',
    ],
  ],
  [
    'client_secret: canary-secret',
    'client_secret: canary-secret, jwks_uri: https://x.example',
    'ERR_PROFILE_OPTION',
    ['10:113: clients[0].jwks_uri: no such option: it is for private_key_jwt'],
  ],
  [
    'client_secret_basic',
    'client_secret_basc',
    'ERR_PROFILE_SCHEMA',
    [
      '10:52: clients[0].token_endpoint_auth_method: expected one of client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth; did you mean `client_secret_basic`?',
    ],
  ],
  [
    'client_secret_basic, client_secret: canary-secret',
    'private_key_jwt',
    'ERR_PROFILE_OPTION',
    ['10:5: clients[0]: expected exactly one of jwks, jwks_file, jwks_uri with private_key_jwt'],
  ],
  [
    'client_secret_basic, client_secret: canary-secret',
    'private_key_jwt, jwks_file: none',
    'ERR_TRUST_CONFIG',
    ['10:80: clients[0].jwks_file: none: expected a file that can be read'],
  ],
  [
    'client_secret_basic, client_secret: canary-secret',
    'private_key_jwt, jwks: { keys: [{ kty: OKP, crv: Ed25519, x: a, d: canary-d }] }',
    'ERR_TRUST_CONFIG',
    ['10:75: clients[0].jwks: expected a public JWK, without private members'],
  ],
  [
    'client_secret_basic, client_secret: canary-secret',
    'tls_client_auth, tls_client_auth_san_dns: a.example',
    'ERR_PROFILE_OPTION',
    ['10:5: clients[0]: expected `certificate_authorities` with tls_client_auth'],
  ],
  [
    'client_secret_basic, client_secret: canary-secret',
    'tls_client_auth, tls_client_auth_san_dns: a.example, tls_client_auth_san_uri: b, certificate_authorities: bad.pem',
    'ERR_PROFILE_OPTION',
    [
      '10:130: clients[0].tls_client_auth_san_uri: expected exactly one of tls_client_auth_subject_dn, tls_client_auth_san_dns, tls_client_auth_san_uri, tls_client_auth_san_ip, tls_client_auth_san_email',
    ],
  ],
  [
    'client_secret_basic, client_secret: canary-secret',
    'tls_client_auth, tls_client_auth_san_dns: a.example, certificate_authorities: bad.pem',
    'ERR_TRUST_CONFIG',
    ['10:130: clients[0].certificate_authorities: expected at least one PEM block'],
  ],
  [
    'client_secret: canary-secret }',
    'client_secret: canary-secret }\n  - { client_id: demo, token_endpoint_auth_method: client_secret_post, client_secret: canary-secret }',
    'ERR_PROFILE_OPTION',
    ['11:18: clients[1].client_id: is that of another entry too'],
  ],
  [
    'client_secret: canary-secret',
    'client_secret: "canary-secret',
    'ERR_PROFILE_SYNTAX',
    ['10:88: this quote is not closed'],
  ],
  [
    'client_secret: canary-secret',
    'client_secret canary-secret',
    'ERR_PROFILE_SCHEMA',
    ['10:73: clients[0].client_secret: expected a colon and a space behind this name'],
  ],
  [
    'client_secret: canary-secret',
    'client_secret_sha256: ABC',
    'ERR_PROFILE_SCHEMA',
    ['10:95: clients[0].client_secret_sha256: expected a SHA-256 in hex: 64 digits and small letters'],
  ],
  ['    jwks: {', '    jkws: {', 'ERR_PROFILE_SCHEMA', ['13:5: issuers[0].jkws: unknown option; did you mean `jwks`?']],
  ["    subjects: ['*']\n", '', 'ERR_PROFILE_SCHEMA', ['12:5: issuers[0]: `subjects` is missing']],
  [
    "subjects: ['*']",
    "subjects: ['a*b']",
    'ERR_TRUST_CONFIG',
    ['14:15: issuers[0].subjects: expected an exact subject, a prefix ending in `/*`, or `*`; actual: a*b'],
  ],
  [
    'issuer: https://id.example',
    'issuer: https://gw.example',
    'ERR_PROFILE_OPTION',
    [
      '12:13: issuers[0].issuer: expected another issuer: profiles call this gateway `self`, and it trusts its own keys',
    ],
  ],
  [
    '    jwks: { keys: [{ kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }] }\n',
    '',
    'ERR_TRUST_CONFIG',
    ['12:5: issuers[0]: expected keys or certificates'],
  ],
  [
    '    jwks: { keys: [{ kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }] }\n',
    '    jwks_file: none.json\n',
    'ERR_TRUST_CONFIG',
    ['13:16: issuers[0].jwks_file: none.json: expected a file that can be read'],
  ],
  [
    'x: 11qY',
    'd: canary-private, x: 11qY',
    'ERR_TRUST_CONFIG',
    ['12:5: issuers[0]: expected a public JWK, without private members'],
  ],
  [
    "subjects: ['*']\n",
    "subjects: ['*']\n  - issuer: https://id.example\n    discovery: true\n    subjects: ['*']\n",
    'ERR_PROFILE_OPTION',
    ['15:13: issuers[1].issuer: is that of another entry too'],
  ],
  [
    'profiles: profiles',
    'profiles: none',
    'ERR_PROFILE_OPTION',
    ['15:11: profiles: none: expected a profile, or a folder of profiles, that can be read'],
  ],
  [
    'profiles: profiles',
    'profiles: empty',
    'ERR_PROFILE_OPTION',
    ['15:11: profiles: empty: expected a folder with at least one profile'],
  ],
  [
    'profiles: profiles',
    'profiles: [profiles/one.yaml, two.yaml]',
    'ERR_PROFILE_OPTION',
    ['15:31: profiles[1]: two.yaml: expected a profile, or a folder of profiles, that can be read'],
  ],
  ['profiles: profiles\n', '', 'ERR_PROFILE_SCHEMA', ['1:1: `profiles` is missing']],
  [
    'profiles: profiles',
    'profiles: [profiles, profiles/one.yaml]',
    'ERR_PROFILE_OPTION',
    ['profiles/one.yaml:1:7: name: expected a name of its own: profiles/one.yaml has it already'],
  ],
  [
    'profiles: profiles',
    'profiles: profiles\nclock_skew: 301',
    'ERR_PROFILE_SCHEMA',
    ['16:13: clock_skew: expected a number of at most 300'],
  ],
  [
    'profiles: profiles',
    'profiles: profiles\ntenants: []',
    'ERR_PROFILE_SCHEMA',
    [
      '1:1: expected exactly one of `issuer` and `keys` and `profiles`, or `tenants`, found several',
      '16:10: tenants: expected at least 1 in the list',
    ],
  ],
  [
    'profiles: profiles',
    'profiles: profiles\nlimits: { body_bytes: 1 }',
    'ERR_PROFILE_SCHEMA',
    ['16:23: limits.body_bytes: expected a number of at least 1024'],
  ],
  [
    'profiles: profiles',
    'profiles: profiles\naudit: audit.jsonl',
    'ERR_PROFILE_SCHEMA',
    ['16:8: audit: expected a map, found text'],
  ],
]

let here: ReturnType<typeof newFolder>
beforeAll(() => {
  here = newFolder({ short: 'abc', 'bad.pem': 'no pem' })
})
afterAll(() => here.remove())

async function refusal(text: string): Promise<DragomanError> {
  try {
    await here.tenants(text)
  } catch (error) {
    if (error instanceof DragomanError) return error
    throw error
  }
  throw new Error('it is not refused')
}

/** The problems, with files called as they are in the folder. */
const told = (error: DragomanError) =>
  headlines(error).map((line) => line.replaceAll(`${here.folder}/`, '').replace(/^dragoman\.yaml:/, ''))

describe('a configuration that cannot work', () => {
  it('differs from one that does in one place', async () => {
    await expect(here.tenants()).resolves.toHaveLength(1)
    for (const [from] of rows) expect(CONFIGURATION).toContain(from)
  })

  it.each(rows)('with %j as %j is refused: %s %j', async (from, to, code, problems) => {
    const error = await refusal(CONFIGURATION.replace(from, () => to))
    expect(told(error)).toEqual(problems)
    expect(error.code).toBe(code)
    // Whatever is wrong with a secret, or beside it.
    expect(`${error.message} ${JSON.stringify(error.detail)}`).not.toContain('canary')
  })

  it('is told all at once what is wrong in it and in the files that it names', async () => {
    const text = CONFIGURATION.replace('algorithm: ES256, generate: true', 'algorithm: ES256, file: none.pem')
      .replace('value: canary-pairwise-secret-of-32-bytes', 'file: short')
      .replace('client_secret: canary-secret', 'client_secret_env: NONE')
      .replace(/jwks: .*/, 'jwks_file: none.json')
      .replace('profiles: profiles', 'profiles: none')
    expect(told(await refusal(text))).toEqual([
      '5:46: keys[0].file: none.pem: expected a file that can be read',
      '8:29: secrets[0].file: expected at least 32 bytes',
      '10:92: clients[0].client_secret_env: expected an environment variable that is set: NONE',
      '13:16: issuers[0].jwks_file: none.json: expected a file that can be read',
      '15:11: profiles: none: expected a profile, or a folder of profiles, that can be read',
    ])
  })

  it('that cannot be read is refused by its name', () => {
    expect(() => readConfiguration(`${here.folder}/none.yaml`)).toThrow(
      expect.objectContaining({
        code: 'ERR_PROFILE_SYNTAX',
        message: `${here.folder}/none.yaml: expected a configuration file that can be read`,
      }),
    )
  })
})

describe('tenants', () => {
  const tenant = (name: string, issuer: string, more = '') => `  - name: ${name}
    issuer: ${issuer}
    keys: [{ name: signing, algorithm: ES256, generate: true }]
    clients: [{ client_id: demo, token_endpoint_auth_method: client_secret_basic, client_secret: canary-secret }]
    issuers:
      - issuer: https://id.example
        jwks: { keys: [{ kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }] }
        subjects: ['*']
    profiles: profiles
${more}`

  it('are put together each by itself', async () => {
    const text = `tenants:\n${tenant('eu', 'https://gw.example/eu')}${tenant('us', 'https://gw.example/us', '    clock_skew: 5\n')}`
    const [eu, us] = await here.tenants(text)
    expect([eu.name, us?.name]).toEqual(['eu', 'us'])
    expect(eu.services).toMatchObject({ tenant: 'eu', issuer: 'https://gw.example/eu', clockSkew: 30 })
    expect(us?.services).toMatchObject({ tokenEndpoint: 'https://gw.example/us/token', clockSkew: 5 })
    for (const part of ['keys', 'trust', 'clients', 'profiles', 'replay', 'audit'] as const) {
      expect(eu.services[part]).not.toBe(us?.services[part])
    }
  })

  it.each<[string, string, readonly string[]]>([
    [
      'one issuer',
      `tenants:\n${tenant('eu', 'https://gw.example')}${tenant('us', 'https://gw.example')}`,
      ['12:13: tenants[1].issuer: is that of another entry too'],
    ],
    [
      'one place, by another scheme',
      `tenants:\n${tenant('eu', 'http://127.0.0.1:9000')}${tenant('us', 'https://127.0.0.1:9000')}`,
      ['12:13: tenants[1].issuer: is that of another entry too'],
    ],
    [
      'one name',
      `tenants:\n${tenant('eu', 'https://gw.example/eu')}${tenant('eu', 'https://gw.example/us')}`,
      ['11:11: tenants[1].name: is that of another entry too'],
    ],
    [
      'something beside them',
      `clock_skew: 5\ntenants:\n${tenant('eu', 'https://gw.example/eu')}`,
      ['1:1: clock_skew: belongs to a tenant; put it under one of `tenants`'],
    ],
    [
      'batches that would never find room',
      `tenants:\n${tenant('eu', 'https://gw.example/eu', '    batch: { items: 9 }\n    limits: { concurrent_exchanges: 8 }\n')}`,
      ['11:21: tenants[0].batch.items: expected at most 8, which is `limits.concurrent_exchanges`'],
    ],
    [
      'something wrong in the second',
      `tenants:\n${tenant('eu', 'https://gw.example/eu')}${tenant('us', 'https://gw.example/us', '    secrets: [{ name: a, env: NONE }]\n')}`,
      ['20:31: tenants[1].secrets[0].env: expected an environment variable that is set: NONE'],
    ],
  ])('are refused with %s', async (_, text, problems) => {
    expect(told(await refusal(text))).toEqual(problems)
  })
})
