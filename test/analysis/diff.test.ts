import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { diff } from '../../src/analysis/diff/diff.ts'
import { analysisTools } from '../../src/analysis/reading.ts'
import { builtin } from '../../src/catalog.ts'
import { DragomanError } from '../../src/core/errors.ts'
import { expandProfile } from '../../src/profiles/expand.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-diff-'))
  for (const side of ['old', 'new']) mkdirSync(join(folder, side))
})
afterAll(() => rmSync(folder, { recursive: true }))

const profiles = join(import.meta.dirname, '../../profiles')
const shipped = readdirSync(profiles).filter((name) => /^[^.]+\.yaml$/.test(name))

type Edit = readonly [from: string, to: string]

const PROFILE = `name: p
accept:
  clients: [orders]
  subject:
    format: jwt
    issuers: [https://id.example]
    max_age: 600
  targets:
    allow: [https://a.example]
stages:
  - context:
      keep: [email]
      conditions: [subject.level >= 2]
  - validity: { lifetime: 300, scope: { allow: [a], default: [a] } }
  - sender_constraint: { mode: bind, require: true }
  - format: { to: jwt }
  - crypto: { key: signing }
`

const edited = (text: string, edits: readonly Edit[]): string =>
  edits.reduce((all, [from, to]) => {
    expect(all).toContain(from)
    return all.replace(from, () => to)
  }, text)

/** Each sentence with what it means, without the place of the folder. */
async function sentences(before: string, now: string): Promise<readonly string[]> {
  const changes = await diff(before, now)
  return changes.map(({ direction, says, file, line }) =>
    `${direction} ${says}${says.endsWith(')') && says.includes(`${file}:`) ? '' : ` (${file}:${line})`}`.replaceAll(
      `${folder}/`,
      '',
    ),
  )
}

async function compared(old: readonly Edit[], now: readonly Edit[]): Promise<readonly string[]> {
  writeFileSync(join(folder, 'old/p.yaml'), edited(PROFILE, old))
  writeFileSync(join(folder, 'new/p.yaml'), edited(PROFILE, now))
  return sentences(join(folder, 'old/p.yaml'), join(folder, 'new/p.yaml'))
}

/** Of each change what is told of it, and of the reverse. */
const PAIRS: readonly (readonly [story: string, edits: readonly Edit[], there: string[], back: string[]])[] = [
  [
    'a client more',
    [['[orders]', '[orders, billing]']],
    ['gained client billing can now get tokens for https://a.example under profile p (new/p.yaml:3)'],
    ['lost client billing can no longer get tokens for https://a.example under profile p (old/p.yaml:3)'],
  ],
  [
    'a target more, and any client of before',
    [['[https://a.example]', '[https://a.example, { request: x, audience: https://x.example }]']],
    ['gained client orders can now get tokens for x under profile p (new/p.yaml:9)'],
    ['lost client orders can no longer get tokens for x under profile p (old/p.yaml:9)'],
  ],
  [
    'any target',
    [['allow: [https://a.example]', 'danger_any_target: true']],
    [
      'gained client orders can now get tokens for any target under profile p (new/p.yaml:3)',
      'gained danger_any_target was set (any audience or resource may be asked for) under profile p (new/p.yaml:9)',
    ],
    [
      'lost client orders can no longer get tokens for any target under profile p (old/p.yaml:3)',
      'lost danger_any_target was taken out under profile p (old/p.yaml:9)',
    ],
  ],
  [
    'a user who may have authenticated in another way, and longer ago',
    [['max_age: 600', 'max_age: 600\n    authentication: { acr_values: [phr, pwd], max_age: 900 }']],
    [
      'lost the user of a subject token may no longer have authenticated by any means but phr and pwd under profile p (new/p.yaml:8)',
      'lost the time since the user of a subject token authenticated may now be 900 s, was without limit under profile p (new/p.yaml:8)',
    ],
    [
      'gained the user of a subject token may now have authenticated by any means, not only phr and pwd under profile p (new/p.yaml:5)',
      'gained the time since the user of a subject token authenticated may now be without limit, was 900 under profile p (new/p.yaml:5)',
    ],
  ],
  [
    'a longer life',
    [['lifetime: 300', 'lifetime: 3600']],
    ['gained tokens may now live 3600 s, were 300 under profile p (new/p.yaml:14)'],
    ['lost tokens may now live 300 s, were 3600 under profile p (new/p.yaml:14)'],
  ],
  [
    'more scope',
    [['allow: [a]', 'allow: [a, b]']],
    ['gained scope b can be granted under profile p (new/p.yaml:14)'],
    ['lost scope b can no longer be granted under profile p (new/p.yaml:14)'],
  ],
  [
    'an issuer more, whose tokens may be for anybody and of any age',
    [
      ['[https://id.example]', '[https://id.example, https://z.example]'],
      ['    max_age: 600', '    audience: any'],
    ],
    [
      'gained issuer https://z.example is now trusted as issuer of the subject token under profile p (new/p.yaml:6)',
      'gained a subject token may now be for anybody, not only this gateway and its token endpoint under profile p (new/p.yaml:7)',
      'gained the age of a subject token may now be without limit, was 600 under profile p (new/p.yaml:5)',
    ],
    [
      'lost issuer https://z.example is no longer trusted as issuer of the subject token under profile p (old/p.yaml:6)',
      'lost a subject token may no longer be for anybody but this gateway and its token endpoint under profile p (new/p.yaml:5)',
      'lost the age of a subject token may now be 600 s, was without limit under profile p (new/p.yaml:7)',
    ],
  ],
  [
    'a condition less',
    [['      conditions: [subject.level >= 2]\n', '']],
    ['gained the condition `subject.level >= 2` need no longer hold under profile p (old/p.yaml:13)'],
    ['lost the condition `subject.level >= 2` must now hold under profile p (new/p.yaml:13)'],
  ],
  [
    'a condition that can be met in another way too',
    [['[subject.level >= 2]', '["subject.vip || subject.level >= 2"]']],
    [
      'gained it is now enough that `subject.vip || subject.level >= 2`, was `subject.level >= 2` under profile p (new/p.yaml:13)',
    ],
    [
      'lost the condition `subject.level >= 2` must now hold, was `subject.vip || subject.level >= 2` under profile p (new/p.yaml:13)',
    ],
  ],
  [
    'a condition with another beside it',
    [['[subject.level >= 2]', '["(subject.vip)  && subject.level>=2"]']],
    ['lost the condition `subject.vip` must now hold under profile p (new/p.yaml:13)'],
    ['gained the condition `subject.vip` need no longer hold under profile p (old/p.yaml:13)'],
  ],
  [
    'a condition that is turned round',
    [['subject.level >= 2', 'subject.level < 2']],
    [
      'lost the condition `subject.level < 2` must now hold under profile p (new/p.yaml:13)',
      'gained the condition `subject.level >= 2` need no longer hold under profile p (old/p.yaml:13)',
    ],
    [
      'lost the condition `subject.level >= 2` must now hold under profile p (new/p.yaml:13)',
      'gained the condition `subject.level < 2` need no longer hold under profile p (old/p.yaml:13)',
    ],
  ],
  [
    'no key',
    [['{ mode: bind, require: true }', '{ danger_drop_confirmation: true }']],
    [
      'gained danger_drop_confirmation was set (a sender-constrained token may become a bearer token) under profile p (new/p.yaml:15)',
      'gained a token that is bound to no key can be had under profile p (old/p.yaml:15)',
      'gained a token is no longer bound to the key that was proved under profile p (old/p.yaml:15)',
    ],
    [
      'lost a token that is bound to no key can no longer be had under profile p (new/p.yaml:15)',
      'lost a token is now bound to the key that was proved under profile p (new/p.yaml:15)',
      'lost danger_drop_confirmation was taken out under profile p (old/p.yaml:15)',
    ],
  ],
  [
    'other claims, by another name',
    [
      ['keep: [email]', 'keep: [email, groups]\n      set: { tier: gold }'],
      ['name: p', 'name: q'],
    ],
    [
      'gained claim groups now goes along under profile q (was p) (new/p.yaml:12)',
      'both claim tier is now "gold", was left as it is under profile q (was p) (new/p.yaml:13)',
    ],
    [
      'lost claim groups no longer goes along under profile p (was q) (new/p.yaml:12)',
      'both claim tier is now left as it is, was "gold" under profile p (was q) (old/p.yaml:13)',
    ],
  ],
  [
    'another subject, another key, another order',
    [
      ['  - context:', '  - subject: { fixed: someone }\n  - context:'],
      ['key: signing', 'key: other'],
    ],
    [
      'both the subject is now made by fixed "someone", was left as it is under profile p (new/p.yaml:11)',
      'other the signing key is now other (ES256), was signing (ES256) under profile p (new/p.yaml:18)',
    ],
    [
      'other the signing key is now signing (ES256), was other (ES256) under profile p (new/p.yaml:17)',
      'both the subject is now left as it is, was made by fixed "someone" under profile p (old/p.yaml:11)',
    ],
  ],
]

describe('of two profiles it is said who can get what by the second', () => {
  it.each(PAIRS)('%s', async (_, edits, there, back) => {
    expect(await compared([], edits)).toEqual(there)
    expect(await compared(edits, [])).toEqual(back)
  })

  it.each<[string, readonly Edit[]]>([
    ['a comment, and white space', [['name: p', '# more about it\nname:   p']]],
    ['a description', [['name: p', 'name: p\ndescription: More about it.']]],
    [
      'a default that is written out',
      [['format: jwt', 'format: jwt\n    single_use: false\n    presented_by: holder']],
    ],
    ['the default audience, written out', [['format: jwt', 'format: jwt\n    clock_skew: 30']]],
    ['another order of what has none', [['{ mode: bind, require: true }', '{ require: true, mode: bind }']]],
    ['an expression with more white space', [['subject.level >= 2', 'subject.level  >=  2']]],
    ['the name of the profile', [['name: p', 'name: another']]],
  ])('%s changes nothing', async (_, edits) => {
    expect(await compared([], edits)).toEqual([])
  })

  it.each(shipped)('%s with every default written out changes nothing', async (name) => {
    cpSync(profiles, join(folder, 'profiles'), { recursive: true })
    const catalog = builtin()
    const types = (format: string) => catalog.codecs.find((codec) => codec.format === format)?.tokenTypes
    const text = readFileSync(join(profiles, name), 'utf8')
    const expanded = expandProfile(text, catalog, { types, audience: undefined, clockSkew: undefined })
    expect(expanded).toContain('kid: true # default')
    writeFileSync(join(folder, 'profiles/expanded.yaml'), expanded)
    expect(await sentences(join(profiles, name), join(folder, 'profiles/expanded.yaml'))).toEqual([])
  })

  it('a profile in two files with half of it each changes nothing', async () => {
    const [old, now] = [join(folder, 'one'), join(folder, 'two')]
    for (const place of [old, now]) mkdirSync(place)
    const both: Edit = ['[https://a.example]', '[https://a.example, https://b.example]']
    writeFileSync(join(old, 'p.yaml'), edited(PROFILE, [both]))
    writeFileSync(join(now, 'x.yaml'), edited(PROFILE, [['name: p', 'name: x']]))
    writeFileSync(
      join(now, 'y.yaml'),
      edited(PROFILE, [
        ['name: p', 'name: y'],
        ['https://a.example', 'https://b.example'],
      ]),
    )
    expect(await sentences(old, now)).toEqual([])
    expect(await sentences(now, old)).toEqual([])
  })

  it('the same in another way is told with the way', async () => {
    expect(
      await compared(
        [],
        [
          ['  targets:', '  actor: { format: jwt, issuers: [https://id.example] }\n  targets:'],
          ['  - context:', '  - embedding: { act: { from: actor_token } }\n  - context:'],
        ],
      ),
    ).toEqual([
      'gained client orders can now get tokens for https://a.example, jwt for jwt with an actor token (jwt), under profile p (new/p.yaml:3)',
      'lost client orders can no longer get tokens for https://a.example, jwt for jwt, under profile p (old/p.yaml:3)',
    ])
  })

  it('a request that goes to another profile is compared with what it got', async () => {
    const [old, now] = [join(folder, 'three'), join(folder, 'four')]
    for (const place of [old, now]) mkdirSync(place)
    writeFileSync(join(old, 'p.yaml'), PROFILE)
    writeFileSync(
      join(now, 'x.yaml'),
      edited(PROFILE, [
        ['name: p', 'name: x'],
        ['lifetime: 300', 'lifetime: 900'],
      ]),
    )
    expect(await sentences(old, now)).toEqual([
      'gained tokens may now live 900 s, were 300 under profile x (was p) (four/x.yaml:14)',
    ])
  })
})

const CONFIGURATION = `issuer: https://gw.example
keys:
  - { name: signing, algorithm: ES256, file: not-at-hand.pem }
clients:
  - { client_id: orders, token_endpoint_auth_method: private_key_jwt, jwks_uri: https://orders.example/jwks }
  - { client_id: billing, token_endpoint_auth_method: client_secret_basic, client_secret_file: not-at-hand }
issuers:
  - issuer: https://id.example
    jwks_uri: https://id.example/jwks
    algorithms: [ES256]
    subjects: [orders/*]
  - { issuer: https://z.example, discovery: true, subjects: [z/*] }
profiles: p.yaml
`

describe('of two configurations', () => {
  async function configured(edits: readonly Edit[], profile: readonly Edit[] = []): Promise<readonly string[]> {
    for (const [side, own, text] of [
      ['old', [], PROFILE],
      ['new', edits, edited(PROFILE, profile)],
    ] as const) {
      writeFileSync(join(folder, side, 'p.yaml'), text)
      writeFileSync(join(folder, side, 'dragoman.yaml'), edited(CONFIGURATION, own))
    }
    return sentences(join(folder, 'old/dragoman.yaml'), join(folder, 'new/dragoman.yaml'))
  }

  it.each<[string, readonly Edit[], string[]]>([
    [
      'an issuer that may speak of more',
      [['[orders/*]', '[orders/*, admins/*]']],
      ['gained issuer https://id.example may now speak of admins/* (new/dragoman.yaml:11)'],
    ],
    [
      'an issuer that may speak of anybody, with any algorithm',
      [
        ['[orders/*]', "['*']"],
        ['    algorithms: [ES256]\n', ''],
      ],
      [
        'gained issuer https://id.example may now speak of any subject, not only orders/* (new/dragoman.yaml:10)',
        'gained issuer https://id.example may now sign with any algorithm, not only ES256 (new/dragoman.yaml:8)',
      ],
    ],
    [
      'keys from elsewhere',
      [['jwks_uri: https://id.example/jwks', 'jwks_uri: https://id.example/other']],
      [
        'both where the keys of issuer https://id.example come from is now jwks_uri https://id.example/other, was jwks_uri https://id.example/jwks (new/dragoman.yaml:8)',
      ],
    ],
    [
      'a client with another method',
      [['client_secret_basic', 'client_secret_post']],
      [
        'both how client billing authenticates is now client_secret_post, was client_secret_basic (new/dragoman.yaml:6)',
      ],
    ],
    [
      'an issuer and a client that nobody uses',
      [['  - { issuer: https://z.example, discovery: true, subjects: [z/*] }\n', '']],
      [],
    ],
  ])('%s', async (_, edits, there) => {
    expect(await configured(edits)).toEqual(there)
  })

  it('tells of an issuer that a profile trusts now of whom it may speak', async () => {
    expect(await configured([], [['[https://id.example]', '[https://id.example, https://z.example, self]']])).toEqual([
      'gained issuer https://z.example is now trusted for subjects z/* as issuer of the subject token under profile p (new/p.yaml:6)',
      'gained this gateway itself is now trusted as issuer of the subject token under profile p (new/p.yaml:6)',
    ])
  })

  it('of several tenants each sentence has whose it is, since the same can come at one and go at another', async () => {
    const tenants = (first: string, second: string) => `listeners: [{ port: 8080 }]
tenants:
${[
  ['a', first],
  ['b', second],
]
  .map(
    ([name = '', skew = '']) => `  - name: ${name}
    issuer: https://gw.example/${name}
    keys: [{ name: signing, algorithm: ES256, generate: true }]
    clients: [{ client_id: orders, token_endpoint_auth_method: client_secret_basic, client_secret_file: not-at-hand }]
    issuers: [{ issuer: https://id.example, jwks_uri: https://id.example/jwks, subjects: [orders/*] }]
    profiles: ${name}.yaml
    clock_skew: ${skew}
`,
  )
  .join('')}`
    const asks = PROFILE.replace('conditions: [subject.level >= 2]', 'conditions: [subject.level >= 3]')
    writeFileSync(join(folder, 'old/tenants.yaml'), tenants('30', '30'))
    writeFileSync(join(folder, 'new/tenants.yaml'), tenants('30', '60'))
    for (const [name, text] of Object.entries({ 'old/a': PROFILE, 'old/b': asks, 'new/a': asks, 'new/b': asks })) {
      writeFileSync(join(folder, `${name}.yaml`), text)
    }
    const said = await sentences(join(folder, 'old/tenants.yaml'), join(folder, 'new/tenants.yaml'))
    expect(said.length).toBeGreaterThan(2)
    for (const one of said) expect(one).toMatch(/, at tenant [ab] \(/)
    expect(said.join('\n')).toMatch(/gained clocks .* for a subject token, .*at tenant b/)
    expect(said.join('\n')).toMatch(
      /lost the condition `subject\.level >= 3` must now hold .*, at tenant a \(new\/a\.yaml:13\)/,
    )
    writeFileSync(join(folder, 'new/b.yaml'), PROFILE.replace('https://a.example', 'https://c.example'))
    const moved = await sentences(join(folder, 'old/tenants.yaml'), join(folder, 'new/tenants.yaml'))
    expect(moved.join('\n')).toMatch(/gained client orders can now get .*, at tenant b \(new\/b\.yaml:3\)$/m)
  })

  it('never shows a secret', async () => {
    const secret = 'client_secret: canary-canary'
    const said = await configured([['client_secret_file: not-at-hand', secret]])
    expect(said).toHaveLength(1)
    expect(said.join()).not.toContain('canary')
  })

  it('tells of each value that is another, but of what nobody can have', async () => {
    const base = `${CONFIGURATION.replace('[ES256]', '[ES256, ES384]\n    fetch: { stale_limit: 60, timeout: 3 }')}dpop_nonce: true
clock_skew: 20
limits: { body_bytes: 4096 }
replay: { capacity: 10 }
x509: { conforming: false }
listeners: [{ port: 8080 }]
`
    const place = (side: string) => join(folder, side, 'dragoman.yaml')
    for (const side of ['old', 'new']) writeFileSync(join(folder, side, 'p.yaml'), PROFILE)
    writeFileSync(place('old'), base)
    const tools = analysisTools()
    let tried = 0
    for (const [path, changed] of mutations(parse(base))) {
      // No profile takes tokens of it, and no profile names it.
      if (/^issuers\.1 gone|^clients\.1 gone|^issuers\.1\.issuer|^clients\.1\.client_id/.test(path)) continue
      writeFileSync(place('new'), stringify(changed))
      let changes: Awaited<ReturnType<typeof diff>>
      try {
        changes = await diff(place('old'), place('new'), tools)
      } catch (error) {
        expect(error, path).toBeInstanceOf(DragomanError)
        continue
      }
      tried += 1
      expect(changes.length, path).toBeGreaterThan(0)
    }
    expect(tried).toBeGreaterThan(20)
  })

  it('cannot be compared with a profile', async () => {
    await expect(diff(join(folder, 'old/dragoman.yaml'), join(folder, 'old/p.yaml'))).rejects.toThrow(DragomanError)
  })
})

describe('no change of what ships is overlooked', () => {
  const shipped = join(import.meta.dirname, '../../profiles')
  const tools = analysisTools()
  // Between them they have each stage.
  const names = ['jwt-delegate', 'jwt-downscope', 'jwt-to-x509', 'pairwise-subject', 'x509-to-cwt']

  it.each(names)('%s: each value that can be another makes a difference', async (name) => {
    const [before, now] = [join(folder, `${name}-old`), join(folder, `${name}-new`)]
    for (const place of [before, now]) cpSync(join(shipped, 'tables'), join(place, 'tables'), { recursive: true })
    const document = parse(readFileSync(join(shipped, `${name}.yaml`), 'utf8')) as object
    writeFileSync(join(before, 'p.yaml'), stringify(document))
    let tried = 0
    for (const [path, changed] of mutations(document)) {
      if (/^(?:name|description)\b/.test(path)) continue
      // A default that was written out is gone, and nothing else is.
      if (path.endsWith(' gone') && isDeepStrictEqual(completed(changed), completed(document))) continue
      writeFileSync(join(now, 'p.yaml'), stringify(changed))
      let changes: Awaited<ReturnType<typeof diff>>
      try {
        changes = await diff(join(before, 'p.yaml'), join(now, 'p.yaml'), tools)
      } catch (error) {
        // It cannot be loaded with that.
        expect(error, path).toBeInstanceOf(DragomanError)
        continue
      }
      tried += 1
      expect(changes.length, path).toBeGreaterThan(0)
    }
    expect(tried).toBeGreaterThan(5)
  })
})

/** With each default written out. */
const completed = (document: unknown): unknown =>
  parse(expandProfile(stringify(document), builtin(), { types: () => [], audience: undefined, clockSkew: undefined }))

/** The document with one value changed, or taken out, each time. */
function* mutations(value: unknown, path = ''): Generator<readonly [path: string, changed: unknown]> {
  if (typeof value === 'string') yield [path, `${value}x`]
  if (typeof value === 'number') yield [path, value + 1]
  if (typeof value === 'boolean') yield [path, !value]
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    const here = path === '' ? key : `${path}.${key}`
    const put = (changed: unknown) =>
      Array.isArray(value) ? value.with(Number(key), changed) : { ...value, [key]: changed }
    for (const [at, changed] of mutations(member, here)) yield [at, put(changed)]
    yield Array.isArray(value)
      ? [`${here} gone`, value.toSpliced(Number(key), 1)]
      : [`${here} gone`, Object.fromEntries(Object.entries(value).filter(([name]) => name !== key))]
  }
}
