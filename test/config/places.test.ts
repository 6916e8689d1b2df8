import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditToMemory } from '../../src/audit/index.ts'
import { createGateway } from '../../src/compose.ts'
import { DragomanError } from '../../src/core/errors.ts'
import { newWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await newWorld()
})
afterAll(() => world.close())

/** What a start with this configuration says: one text for each problem, places first. */
async function problems(text: string): Promise<readonly string[]> {
  const file = join(world.folder, 'edited.yaml')
  writeFileSync(file, text)
  try {
    const gateway = await createGateway(file, { audit: auditToMemory })
    await gateway.close()
    return []
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    const told = error.detail['problems']
    return Array.isArray(told)
      ? told.map((problem) => String(problem).replaceAll(`${world.folder}/`, ''))
      : [`no place: ${error.message}`]
  }
}

const edited = (from: string | RegExp, to: string) => {
  const text = readFileSync(join(world.folder, 'dragoman.yaml'), 'utf8')
  const changed = text.replace(from, to)
  expect(changed).not.toBe(text)
  return changed
}

describe('a configuration that cannot work says where, what is wrong and what would be right', () => {
  it.each<[string | RegExp, string, RegExp]>([
    [
      'trust_domain',
      'trustdomain',
      /^edited\.yaml:\d+:5: issuers\[0\]\.trustdomain: unknown option; did you mean `trust_domain`\?/,
    ],
    [/^issuer: .*$/m, 'issuer: http://gw.example', /issuer: expected https; http is for loopback only/],
    [/^issuer: .*$/m, 'issuer: https://gw.example/', /issuer: expected no slash at the end/],
    [/^issuer: .*$/m, 'issuer: https://gw.example?a=b', /issuer: expected a URL/],
    ['algorithm: ES256', 'algorithm: ES265', /keys\[0\]\.algorithm: expected one of .*did you mean `ES256`\?/],
    ['name: pq', 'name: signing', /keys\[1\]\.name: is that of another entry too/],
    ['generate: true }', 'generate: true, file: x.pem }', /keys\[0\]: expected exactly one of `file`, `generate`/],
    ['generate: true }', 'file: nowhere.pem }', /keys\[0\]\.file: nowhere\.pem: expected a file that can be read/],
    [
      'jwks_file: alpha-jwks.json',
      'jwks_file: nowhere.json',
      /issuers\[0\]\.jwks_file: nowhere\.json: expected a file that can be read/,
    ],
    ['    jwks_file: alpha-jwks.json\n', '', /issuers\[0\]: expected keys or certificates/],
    [
      'certificates_file: alpha-ca.pem',
      'certificates_file: client.pem',
      /issuers\[2\].*: expected certificates with CA TRUE/,
    ],
    ['subjects: [spiffe://alpha.example/*]', 'subjects: []', /issuers\[0\]\.subjects: expected at least 1 in the list/],
    ['    subjects: [spiffe://alpha.example/*]\n', '', /issuers\[0\]: `subjects` is missing/],
    [
      'client_secret_file: demo.secret',
      'client_secret_file: none',
      /clients\[0\]\.client_secret_file: none: expected a file that can be read/,
    ],
    [
      'client_secret_file: demo.secret',
      'client_secret: short',
      /clients\[0\]\.client_secret: expected a secret of at least 8 characters/,
    ],
    [
      'client_secret_file: demo.secret',
      'jwks_uri: https://x.example',
      /clients\[0\]\.jwks_uri: no such option: it is for private_key_jwt/,
    ],
    [
      'client_secret_basic',
      'client_secret_basci',
      /clients\[0\]\.token_endpoint_auth_method: expected one of .*did you mean `client_secret_basic`\?/,
    ],
    ['file: pairwise.secret', 'value: short', /secrets\[0\]\.value: expected at least 32 bytes/],
    [
      /^profiles: .*$/m,
      'profiles: nowhere',
      /profiles: nowhere: expected a profile, or a folder of profiles, that can be read/,
    ],
    [/^audit: .*$/m, 'audit: { fiel: a }', /audit\.fiel: unknown option; did you mean `file`\?/],
    [/port: \d+/, 'port: 99999', /listeners\[0\]\.port: expected a number of at most 65535/],
    ['keys:', 'keys: [', /edited\.yaml:\d+:\d+: /],
  ])('%s instead becomes %s', async (from, to, message) => {
    const [first = ''] = await problems(edited(from, to))
    expect(first).toMatch(message)
    // The line itself, and a caret under the place.
    expect(first.split('\n')).toHaveLength(3)
    expect(first.split('\n')[2]).toMatch(/^\s+\^$/)
  })

  it('of a folder without a profile does not mean that everything is allowed', async () => {
    mkdirSync(join(world.folder, 'empty'))
    const [first] = await problems(edited(/^profiles: .*$/m, 'profiles: empty'))
    expect(first).toMatch(/profiles: empty: expected a folder with at least one profile/)
  })

  it('tells all problems of a file at once', async () => {
    expect(await problems(edited(/trust_domain/g, 'trustdomain').replace('generate', 'generat'))).toHaveLength(4)
  })
})

const GOOD = `name: one
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [https://one.example] }
stages:
  - context: { keep: [email] }
  - format: { to: jwt }
  - crypto: { key: signing }
`

describe('a profile that cannot work says where, what is wrong and what would be right', () => {
  const load = (text: string) => {
    writeFileSync(join(world.folder, 'one.yaml'), text)
    return problems(edited(/^profiles: .*$/m, 'profiles: [one.yaml]'))
  }

  it('takes the good one', async () => {
    expect(await load(GOOD)).toEqual([])
  })

  it.each<[string | RegExp, string, RegExp]>([
    [
      'accept:',
      'acept:',
      /one\.yaml:2:1: acept: unknown option; did you mean `accept`\?|one\.yaml:1:1: `accept` is missing/,
    ],
    ['keep', 'kepp', /one\.yaml:7:16: stages\[0\]\.context\.kepp: unknown option; did you mean `keep`\?/],
    ['context:', 'contxt:', /stages\[0\]\.contxt: unknown option; did you mean `context`\?/],
    ['[demo]', '[dmeo]', /one\.yaml:3:13: accept\.clients\[0\]: there is no client "dmeo"; did you mean `demo`\?/],
    [
      'https://id.alpha.example',
      'https://id.alhpa.example',
      /accept\.subject\.issuers\[0\]: there is no issuer .*did you mean `https:\/\/id\.alpha\.example`\?/,
    ],
    ['key: signing', 'key: singing', /stages\[2\]\.crypto\.key: there is no key "singing"; did you mean `signing`\?/],
    [
      'key: signing',
      'key: signing, algorithm: ES384',
      /stages\[2\]\.crypto\.algorithm: expected ES256, which is what the key signing is for/,
    ],
    ['format: jwt,', 'format: jtw,', /accept\.subject\.format: expected the name of a codec/],
    ['to: jwt', 'to: jtw', /stages\[1\]\.format\.to: there is no format "jtw"; did you mean `jwt`\?/],
    ['to: jwt', 'to: x509', /stages\[2\]\.crypto\.key: expected a key with the certificate of an issuing authority/],
    ['  - format: { to: jwt }\n', '', /stages: expected a `format` stage/],
    ['  - crypto: { key: signing }\n', '', /expected `crypto: \{ key: … \}`, with one of signing, pq, ca/],
    [
      '  - context: { keep: [email] }\n  - format: { to: jwt }\n',
      '  - format: { to: jwt }\n  - context: { keep: [email] }\n',
      /stages\[1\]\.context: expected before `format`/,
    ],
    [
      '  - format: { to: jwt }\n  - crypto: { key: signing }\n',
      '  - crypto: { key: signing }\n  - format: { to: jwt }\n',
      /stages\[1\]\.crypto: expected after `format`/,
    ],
    ['to: jwt }\n', 'to: jwt }\n  - format: { to: cwt }\n', /stages\[2\]\.format: `format` may stand once/],
    ['- format: { to: jwt }', '- format: { to: jwt }\n    when: "true"', /stages\[1\]\.format: .*takes no `when`/],
    ['[email]', '[iss]', /stages\[0\]\.context\.keep\[0\]: expected another claim than iss/],
    ['{ keep: [email] }', '{ set: { a: { cel: "subject." } } }', /stages\[0\]\.context\.set\.a/],
    [
      '{ keep: [email] }',
      '{ keep: [email] }\n    format: { to: jwt }',
      /stages\[0\]: expected one stage for each entry/,
    ],
    ['{ allow: [https://one.example] }', '{}', /accept\.targets: expected at least one option/],
    ['  targets: { allow: [https://one.example] }\n', '', /accept: `targets` is missing/],
    [
      'to: jwt }',
      'to: jwt }\n  - encoding: { tag: cwt }',
      /stages\[2\]\.encoding\.tag: expected for format jwt one of/,
    ],
    [
      'subject: {',
      'actor: { format: jwt, issuers: [self] }\n  subject: {',
      /accept\.actor: an actor token is taken and no stage uses it/,
    ],
    [
      '{ keep: [email] }',
      '{ copy: { who: actor.sub } }',
      /stages\[0\]\.context: uses the actor token, and `accept\.actor` does not take one/,
    ],
    ['name: one', 'name: &a one', /one\.yaml:1:\d+: anchors are not taken/],
    ['name: one', 'name: one\nname: two', /one\.yaml:2:1: Map keys must be unique/],
  ])('%s instead becomes %s', async (from, to, message) => {
    const text = GOOD.replace(from, to)
    expect(text).not.toBe(GOOD)
    expect((await load(text)).join('\n')).toMatch(message)
  })
})
