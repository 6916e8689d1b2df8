import { describe, expect, it } from 'vitest'
import { builtin, extended } from '../../src/catalog.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { Stage } from '../../src/core/stage.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { loadProfiles } from '../../src/profiles/load.ts'
import { GOOD, headlines, loadTexts, profileEnvironment, refusalOf } from '../support/profiles.ts'

const environment = await profileEnvironment()
const load = (text: string, env = environment) => {
  const [profile] = loadTexts(env, text).all
  if (!profile) throw new Error('no profile')
  return profile
}
const edited = (...edits: readonly (readonly [from: string, to: string])[]) =>
  edits.reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replace(from, () => to)
  }, GOOD)

describe('two profiles that are alike', () => {
  it('are refused when what is behind the default of one is a target of the other', () => {
    const targets = '    default: [https://as.example]\n    resources: [https://orders.example]'
    const behind = GOOD.replace('name: one', 'name: two').replace('    allow: [https://orders.example]', targets)
    expect(() => loadTexts(environment, GOOD, behind)).toThrow(/the profile one serves the same request/)
    const elsewhere = behind.replace('[https://orders.example]', '[https://api.example]')
    expect(loadTexts(environment, GOOD, elsewhere).all).toHaveLength(2)
  })

  it('stand beside each other where each serves a grant of its own', () => {
    const redeeming = GOOD.replace('name: one', 'name: two').replace(
      '  clients: [demo]',
      '  clients: [demo]\n  grant: jwt-bearer',
    )
    expect(loadTexts(environment, GOOD, redeeming).all).toMatchObject([
      { name: 'one', accepts: { grant: TOKEN_EXCHANGE } },
      { name: 'two', accepts: { grant: 'urn:ietf:params:oauth:grant-type:jwt-bearer' } },
    ])
  })
})

describe('a profile, loaded', () => {
  it('says who may use it, with what, and what is made of it', () => {
    expect(load(GOOD)).toMatchObject({
      name: 'one',
      accepts: {
        clients: ['demo'],
        subjectTokenAuthenticates: false,
        subject: {
          format: 'jwt',
          issuers: ['https://id.example'],
          audience: ['https://gw.example', 'https://gw.example/token'],
          clockSkew: 30,
        },
        actor: undefined,
        targets: {
          allowed: new Map([['https://orders.example', 'https://orders.example']]),
          fallback: [],
          open: false,
        },
      },
      steps: [
        { stage: 'context', path: 'stages[0].context', transform: expect.any(Function), when: undefined },
        { stage: 'validity', path: 'stages[1].validity', transform: expect.any(Function) },
        { stage: 'format', path: 'stages[2].format', transform: undefined },
        { stage: 'crypto', path: 'stages[3].crypto', transform: undefined },
      ],
      rendering: { format: 'jwt', key: 'signing', algorithm: 'ES256' },
      writer: { tokenType: tokenTypes.jwt },
      key: 'signing',
      mustKeep: [],
      maxLifetime: 3600,
      auditSubject: 'hashed',
    })
    expect(load(GOOD).dangers.size).toBe(0)
  })

  it('takes `self` for this gateway, and pairs of what is asked for and what the output says', () => {
    const text = edited(
      ['[https://id.example]', '[self]'],
      [
        'allow: [https://orders.example]',
        'allow: [{ request: orders, audience: https://o.example }]\n    default: [orders]',
      ],
    )
    expect(load(text).accepts).toMatchObject({
      subject: { issuers: ['https://gw.example'] },
      targets: { allowed: new Map([['orders', 'https://o.example']]), fallback: ['orders'] },
    })
  })

  it('folds the writing stages, in their order, into one rendering', () => {
    const text = edited(
      ['to: jwt', 'to: cwt, token_type: urn:x'],
      ['  - crypto: {', '  - encoding: { tag: cose }\n  - crypto: { algorithm: ES256, kid: false, header: { a: 1 },'],
    )
    expect(load(text).rendering).toEqual({
      format: 'cwt',
      kind: undefined,
      options: { tag: 'cose' },
      key: 'signing',
      algorithm: 'ES256',
      header: { a: 1 },
      kid: false,
      tokenType: 'urn:x',
    })
  })

  it('keeps the stages in their order, and one that stands twice stands twice', () => {
    const text = edited([
      '  - validity:',
      '  - context: { keep: [groups] }\n    when: "has(subject.groups)"\n  - validity:',
    ])
    const { steps } = load(text)
    expect(steps.map(({ path }) => path)).toEqual([
      'stages[0].context',
      'stages[1].context',
      'stages[2].validity',
      'stages[3].format',
      'stages[4].crypto',
    ])
    expect(steps[1]?.when?.source).toBe('has(subject.groups)')
  })

  it('cannot be changed, nor can anything in it', () => {
    const profile = load(
      edited(
        ['    issuers', '    require: [email]\n    issuers'],
        ['key: signing', 'key: signing, header: { deep: [{ a: 1 }] }'],
        ['stages:', 'must_keep: [email]\nstages:'],
      ),
    )
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      value instanceof Map ||
      (Object.isFrozen(value) && Object.values(value).every(frozen))
    // The writer is the codec's.
    expect(Object.entries(profile).filter(([name, value]) => name !== 'writer' && !frozen(value))).toEqual([])
    expect(Object.isFrozen(profile)).toBe(true)
    const set = loadTexts(environment, GOOD)
    expect([set, set.all, set.for('demo'), set.for('nobody')].every(Object.isFrozen)).toBe(true)
  })

  it('is frozen without a touch to what is not its own', () => {
    const codec = environment.catalog.codecs.find(({ format }) => format === 'jwt')
    load(GOOD)
    expect(Object.isFrozen(codec?.tokenTypes)).toBe(false)
  })
})

describe('the digest of a profile', () => {
  const text = edited(['  - context: { keep: [email] }', '  - subject: { lookup: { file: table.json } }'])
  const digest = async (table: string, profile = text) =>
    load(profile, await profileEnvironment({ 'table.json': table, 'other.json': table })).digest

  it('is SHA-256 over its text, in hex', async () => {
    expect(load(GOOD).digest).toBe(load(GOOD).digest)
    expect(load(GOOD).digest).toMatch(/^[0-9a-f]{64}$/)
    expect(load(`${GOOD}# a comment\n`).digest).not.toBe(load(GOOD).digest)
  })

  it('changes with every file that the profile reads', async () => {
    const before = await digest('{"https://id.example":{"a":"b"}}')
    expect(await digest('{"https://id.example":{"a":"b"}}')).toBe(before)
    expect(await digest('{"https://id.example":{"a":"c"}}')).not.toBe(before)
    expect(await digest('{"https://id.example":{"a":"b"} }')).not.toBe(before)
  })
})

describe('without a crypto stage', () => {
  const withoutCrypto = (format: string) => edited(['  - crypto: { key: signing }\n', ''], ['to: jwt', `to: ${format}`])

  it('the only key that fits the format signs', () => {
    const text = withoutCrypto('x509').replace(
      '  - format',
      '  - sender_constraint: { mode: bind, require: true }\n  - format',
    )
    expect(load(text)).toMatchObject({ key: 'ca', rendering: { algorithm: 'ES256' } })
  })

  it('several keys that fit are refused by name', () => {
    expect(headlines(refusalOf(() => load(withoutCrypto('jwt'))))).toEqual([
      'one.yaml:9:1: stages: expected `crypto: { key: … }`, with one of signing, pq, ca',
    ])
  })

  it('a kind that narrows the algorithms leaves fewer keys that fit', async () => {
    // A JWT-SVID is not signed with ML-DSA.
    const env = await profileEnvironment()
    const two = { ...env, keyNames: ['signing', 'pq'] }
    expect(load(withoutCrypto('jwt, kind: jwt-svid'), two).key).toBe('signing')
  })

  it('the only key there is, where it does not fit, is told why', () => {
    const error = refusalOf(() => load(withoutCrypto('x509'), { ...environment, keyNames: ['signing'] }))
    expect(error.code).toBe('ERR_KEY_CONFIG')
    expect(headlines(error)).toEqual([
      'one.yaml:12:13: stages[2].format: expected a key with the certificate of an issuing authority: `certificates` or `self_signed`',
    ])
  })
})

describe('danger_ options', () => {
  it('are found wherever they stand, with their path', () => {
    const text = edited(
      ['allow: [https://orders.example]', 'danger_any_target: true'],
      ['lifetime: 300', 'lifetime: 300, danger_outlive_subject: true, scope: { allow: [a], danger_widen_scope: true }'],
      ['  - context: { keep: [email] }', '  - embedding: { danger_drop_act: true }'],
    )
    expect([...load(text).dangers]).toEqual([
      ['danger_any_target', 'accept.targets.danger_any_target'],
      ['danger_drop_act', 'stages[0].embedding.danger_drop_act'],
      ['danger_outlive_subject', 'stages[1].validity.danger_outlive_subject'],
      ['danger_widen_scope', 'stages[1].validity.scope.danger_widen_scope'],
    ])
  })

  it('cannot be had by a claim of that name', () => {
    for (const set of ['{ danger_drop_act: true }', '{ x: { danger_drop_act: true } }', '{ x: [{ danger_any: 1 }] }']) {
      const error = refusalOf(() => load(edited(['keep: [email]', `set: ${set}`])))
      expect(error.code).toBe('ERR_PROFILE_OPTION')
      expect(headlines(error)[0]).toMatch(/danger_\w+: there is no such option here; those that there are: danger_/)
    }
  })

  it('of a stage of one’s own are kept when its schema has them', async () => {
    const stage: Stage<{ readonly danger_shout?: true }> = {
      name: 'shout',
      phase: 'meaning',
      summary: 'shouts',
      schema: { type: 'object', properties: { danger_shout: { const: true } } },
      prepare: () => ({ transform: (draft) => draft }),
    }
    const env = await profileEnvironment({}, extended(builtin(), { stages: [stage] }))
    const text = edited(['  - validity', '  - shout: { danger_shout: true }\n  - validity'])
    expect([...load(text, env).dangers]).toEqual([['danger_shout', 'stages[1].shout.danger_shout']])
    const unknown = text.replaceAll('danger_shout', 'danger_whisper')
    expect(headlines(refusalOf(() => load(unknown, env)))[0]).toContain('danger_whisper: there is no such option here')
  })
})

describe('an actor token', () => {
  const taken: readonly [string, string] = [
    '  targets:',
    '  actor: { format: jwt, issuers: [https://id.example] }\n  targets:',
  ]
  const withStage = (stage: string) => edited(taken, ['  - context: { keep: [email] }', `  - ${stage}`])

  it.each([
    'embedding: { act: { from: actor_token } }',
    'subject: { actor: actor_token }',
    'sender_constraint: { rebind: actor }',
    'context: { copy: { by: actor.sub } }',
    'context: { copy: { by: "actor[\\"sub\\"]" } }',
    'context: { set: { by: { cel: "actor.sub" } } }',
    'subject: { cel: "subject.sub + actor.sub" }',
    'subject: { template: "{subject.sub}:{actor.sub}" }',
    'subject: { spiffe: { trust_domain: b.example, path: "/a/{actor.sub}" } }',
  ])('is used by %s, and without accept.actor that is refused (S-14)', (stage) => {
    expect(load(withStage(stage)).accepts.actor?.issuers).toEqual(['https://id.example'])
    const error = refusalOf(() => load(withStage(stage).replace(/ {2}actor: .*\n/, '')))
    expect(error.code).toBe('ERR_PROFILE_OPTION')
    expect(headlines(error)[0]).toMatch(/: uses the actor token, and `accept\.actor` does not take one$/)
  })

  it.each([
    'context: { keep: [actor] }',
    'context: { set: { role: actor, by: actor_token } }',
    'context: { copy: { a: subject.actor.sub } }',
    'context: { set: { a: { cel: "subject.actor.sub" } } }',
    'context: { set: { a: { cel: "\'actor.sub\'" } } }',
    'context: { conditions: ["has(actor.sub)"] }',
    'embedding: { act: { from: client } }',
    'subject: { fixed: actor_token }',
  ])('is not used by %s: refused when it is taken (S-14)', (stage) => {
    const error = refusalOf(() => load(withStage(stage)))
    expect(headlines(error)).toEqual([
      'one.yaml:7:3: accept.actor: an actor token is taken and no stage uses it; add `embedding: { act: { from: actor_token } }`',
    ])
    if (!stage.includes('conditions')) expect(load(withStage(stage).replace(/ {2}actor: .*\n/, '')).name).toBe('one')
  })
})

describe('a format that is issued for a key', () => {
  const certificate = (stage: string) =>
    edited(['to: jwt', 'to: x509'], ['key: signing', 'key: ca'], ['  - context: { keep: [email] }', `  - ${stage}`])

  it.each([
    'sender_constraint: { mode: bind, method: [pkcs10] }',
    'sender_constraint: { require: true }',
    'sender_constraint: { rebind: client }',
  ])('can have it from %s', (stage) => {
    expect(load(certificate(stage)).writer.needsKey).toBe(true)
  })

  it('cannot have it from nowhere, or from a constraint that is given up', () => {
    for (const stage of ['context: { keep: [email] }', 'sender_constraint: { danger_drop_confirmation: true }']) {
      expect(headlines(refusalOf(() => load(certificate(stage))))[0]).toMatch(
        /^one\.yaml:12:5: stages\[2\]\.format: this format is issued for a key/,
      )
    }
  })

  it('has it from a certificate that is the subject token', () => {
    const text = certificate('context: { keep: [email] }')
      .replace('format: jwt', 'format: x509')
      .replace('id.example', 'ca.example')
    expect(load(text).writer.needsKey).toBe(true)
  })
})

describe('what is wrong', () => {
  it('is told all at once, in the order of the file', () => {
    const text = edited(
      ['[demo]', '[dmeo, orders, nobody]'],
      ['https://id.example', 'https://id.exmaple'],
      ['keep: [email]', 'set: { aud: x }'],
      [
        '  - validity: { lifetime: 300 }\n  - format: { to: jwt }\n',
        '  - format: { to: jwt }\n    when: "1"\n  - validity: { lifetime: 300 }\n',
      ],
    )
    expect(headlines(refusalOf(() => load(text)))).toEqual([
      'one.yaml:3:13: accept.clients[0]: there is no client "dmeo"; did you mean `demo`?',
      'one.yaml:3:27: accept.clients[2]: there is no client "nobody"; there are: demo, orders',
      'one.yaml:6:15: accept.subject.issuers[0]: there is no issuer "https://id.exmaple"; did you mean `https://id.example`?',
      'one.yaml:10:28: stages[0].context.set.aud: expected another claim than aud, which accept.targets decides',
      'one.yaml:11:5: stages[1].format: takes no `when`: how the token is written is settled at load',
      'one.yaml:12:11: stages[1].when: expected an expression that is true or false, not int',
      'one.yaml:13:5: stages[2].validity: expected before `format`: what the token says comes before how it is written',
    ])
  })

  it('is told of every file at once', () => {
    const error = refusalOf(() =>
      loadTexts(environment, edited(['[demo]', '[x]']), GOOD, edited(['key: signing', 'key: x'])),
    )
    expect(headlines(error)).toEqual([
      'one.yaml:3:13: accept.clients[0]: there is no client "x"; there are: demo, orders',
      'three.yaml:13:20: stages[3].crypto.key: there is no key "x"; there are: signing, pq, ca',
    ])
    expect(error.detail).toMatchObject({ file: 'one.yaml', line: 3, column: 13 })
  })

  it('is told of twenty at a time', () => {
    const files = Array.from({ length: 30 }, (_, index) => ({ file: `${index}.yaml`, text: edited(['[demo]', '[x]']) }))
    expect(headlines(refusalOf(() => loadProfiles(files, environment)))).toHaveLength(20)
  })

  it('keeps the error of the part that found it as its cause', () => {
    const { cause } = refusalOf(() => load(edited(['keep: [email]', 'set: { aud: x }'])))
    expect(cause).toMatchObject({ code: 'ERR_PROFILE_OPTION', detail: { path: 'set.aud' } })
  })

  it('in a stage that breaks is thrown as it is: that is a defect, not a profile', async () => {
    const stage: Stage = { ...breaking, prepare: () => JSON.parse('{') as never }
    const env = await profileEnvironment({}, extended(builtin(), { stages: [stage] }))
    expect(() => load(edited(['  - validity', '  - breaks: {}\n  - validity']), env)).toThrow(SyntaxError)
  })

  it('in a file that a stage reads is told at the stage', async () => {
    const stage: Stage = {
      ...breaking,
      prepare: (_, setting) => ({ render: () => JSON.parse(setting.readFile('none')) }),
    }
    const prepare: Stage['prepare'] = (_, setting) => {
      setting.readFile('none')
      return {}
    }
    const env = await profileEnvironment({}, extended(builtin(), { stages: [{ ...stage, prepare }] }))
    expect(headlines(refusalOf(() => load(edited(['  - validity', '  - breaks: {}\n  - validity']), env)))).toEqual([
      'one.yaml:11:13: stages[1].breaks: none: expected a file that can be read',
    ])
  })

  it('in a schema of a stage of one’s own refuses the catalog: a keyword that is misspelt checks nothing', async () => {
    const stage: Stage = { ...breaking, schema: { type: 'object', additionlProperties: false } }
    await expect(profileEnvironment({}, extended(builtin(), { stages: [stage] }))).rejects.toThrow(
      /additionlProperties/,
    )
  })
})

const breaking: Stage = {
  name: 'breaks',
  phase: 'meaning',
  summary: 'breaks',
  schema: { type: 'object' },
  prepare: () => ({}),
}

describe('a stage of one’s own', () => {
  const reading: Stage = {
    ...breaking,
    name: 'reads',
    prepare(_, setting) {
      if (setting.profile !== 'one' || setting.issuer !== 'https://gw.example') throw new DragomanError('ERR_INTERNAL')
      return { transform: (draft) => draft }
    },
  }

  it('stands among the built-in ones, counts as one that uses the actor, and may supply the key', async () => {
    const env = await profileEnvironment({}, extended(builtin(), { stages: [reading] }))
    const text = edited(
      ['  targets:', '  actor: { format: jwt, issuers: [https://id.example] }\n  targets:'],
      ['  - validity', '  - reads: {}\n    when: "true"\n  - validity'],
      ['to: jwt', 'to: x509'],
      ['key: signing', 'key: ca'],
    )
    expect(load(text, env).steps[1]).toMatchObject({ stage: 'reads', path: 'stages[1].reads' })
  })

  it('may have options of any name, such as an actor that is none', async () => {
    const stage: Stage = { ...breaking, prepare: () => ({ transform: (draft) => draft }) }
    const env = await profileEnvironment({}, extended(builtin(), { stages: [stage] }))
    const text = edited(['  - validity', '  - breaks: { actor: actor_token }\n  - validity'])
    expect(load(text, env).accepts.actor).toBeUndefined()
  })

  it('that does nothing in an exchange takes no when', async () => {
    const env = await profileEnvironment({}, extended(builtin(), { stages: [breaking] }))
    const text = edited(['  - validity', '  - breaks: {}\n    when: "true"\n  - validity'])
    expect(headlines(refusalOf(() => load(text, env)))[0]).toContain('takes no `when`: it does nothing in an exchange')
  })
})

describe('the profiles of a tenant', () => {
  const named = (name: string, ...edits: readonly (readonly [string, string])[]) =>
    edited(['name: one', `name: ${name}`], ...edits)

  it('are found by client, and those that need none by none', () => {
    const set = loadTexts(
      environment,
      GOOD,
      named('two', ['[demo]', '[demo, orders]'], ['https://orders.example', 'https://two.example']),
      named('three', ['  clients: [demo]', '  subject_token_authenticates: true']),
    )
    const names = (client: string | undefined) => set.for(client).map(({ name }) => name)
    expect([names('demo'), names('orders'), names(undefined), names('nobody')]).toEqual([
      ['one', 'two'],
      ['two'],
      ['three'],
      [],
    ])
  })

  it('have a name each', () => {
    const error = refusalOf(() =>
      loadTexts(environment, GOOD, named('one', ['https://orders.example', 'https://two.example'])),
    )
    expect(error.code).toBe('ERR_PROFILE_OPTION')
    expect(headlines(error)).toEqual(['two.yaml:1:7: name: expected a name of its own: one.yaml has it already'])
  })

  const actor = (types: string): readonly [string, string] => [
    '  targets:',
    `  actor: { format: jwt, issuers: [https://id.example], types: [${types}] }\n  targets:`,
  ]
  const acting: readonly [string, string] = [
    '  - context',
    '  - embedding: { act: { from: actor_token } }\n  - context',
  ]
  const types = (...list: readonly string[]): readonly [string, string] => [
    'format: jwt',
    `format: jwt\n    types: [${list.join(', ')}]`,
  ]
  const targets = (list: string): readonly [string, string] => ['allow: [https://orders.example]', list]

  it.each<[string, readonly (readonly [string, string])[], readonly (readonly [string, string])[], string]>([
    [
      'in everything',
      [],
      [],
      'client demo, subject token urn:ietf:params:oauth:token-type:jwt, issued urn:ietf:params:oauth:token-type:jwt, target https://orders.example',
    ],
    ['in one target of several', [targets('allow: [a, b]')], [targets('allow: [b, c]')], 'target b'],
    ['in one client of several', [['[demo]', '[demo, orders]']], [['[demo]', '[orders]']], 'client orders'],
    [
      'in one type of several',
      [types(tokenTypes.jwt, tokenTypes.idToken)],
      [types(tokenTypes.idToken)],
      `subject token ${tokenTypes.idToken}`,
    ],
    [
      'in that any target is open',
      [targets('danger_any_target: true')],
      [targets('danger_any_target: true')],
      'any target',
    ],
    [
      'in a target that the other takes among any',
      [targets('danger_any_target: true')],
      [],
      'target https://orders.example',
    ],
    ['in a target that is one of any', [], [targets('danger_any_target: true')], 'target https://orders.example'],
    ['in what they do when nothing is asked for', [targets('default: [a]')], [targets('default: [b]')], 'no target'],
    [
      'in the issuers, or not: a profile is chosen before a token is looked at',
      [],
      [['[https://id.example]', '[self]']],
      'client demo',
    ],
    [
      'in the actor token',
      [actor(tokenTypes.jwt), acting],
      [actor(`${tokenTypes.idToken}, ${tokenTypes.jwt}`), acting],
      `actor token ${tokenTypes.jwt}`,
    ],
    [
      'in that the subject token authenticates',
      [['  clients: [demo]', '  subject_token_authenticates: true']],
      [['  clients: [demo]', '  clients: [orders]\n  subject_token_authenticates: true']],
      'no client authentication',
    ],
  ])('are refused when two of them agree %s', (_, first, second, request) => {
    const error = refusalOf(() => loadTexts(environment, edited(...first), named('two', ...second)))
    expect(error.code).toBe('ERR_PROFILE_OPTION')
    expect(headlines(error)).toHaveLength(1)
    expect(headlines(error)[0]).toMatch(
      /^two\.yaml:2:1: accept: the profile one serves the same request \(.*\), so that neither would; /,
    )
    expect(headlines(error)[0]).toContain(request)
  })

  it.each<[string, readonly (readonly [string, string])[], readonly (readonly [string, string])[]]>([
    ['client', [], [['[demo]', '[orders]']]],
    ['target', [], [targets('allow: [a]')]],
    ['target, one having a default', [], [targets('default: [https://orders.example]')]],
    ['subject token type', [types(tokenTypes.jwt)], [types(tokenTypes.idToken)]],
    ['issued token type', [], [['to: jwt', 'to: cwt']]],
    ['actor token', [], [actor(tokenTypes.jwt), acting]],
    ['actor token type', [actor(tokenTypes.jwt), acting], [actor(tokenTypes.idToken), acting]],
    ['client authentication', [], [['  clients: [demo]', '  subject_token_authenticates: true']]],
    ['default, the other taking any target', [targets('default: [a]')], [targets('danger_any_target: true')]],
  ])('may differ in the %s alone', (_, first, second) => {
    expect(loadTexts(environment, edited(...first), named('two', ...second)).all).toHaveLength(2)
  })

  it('tell each pair that clashes once', () => {
    const error = refusalOf(() =>
      loadTexts(
        environment,
        edited(targets('allow: [a, b, c]')),
        named('two', targets('allow: [a, b]')),
        named('three', targets('allow: [c]')),
      ),
    )
    expect(headlines(error).map((line) => line.slice(0, 50))).toEqual([
      'two.yaml:2:1: accept: the profile one serves the s',
      'three.yaml:2:1: accept: the profile one serves the',
    ])
  })
})
