import { describe, expect, it } from 'vitest'
import { map } from '../../src/core/value.ts'
import { type ContextOptions, context } from '../../src/stages/context.ts'
import { code, prepared, runStage, verified } from '../support/exchange.ts'

const subject = verified({
  claims: {
    email: 'ada@example.org',
    level: 7,
    roles: ['dev', 'admin'],
    acr: 'urn:mfa',
    may_act: map([['sub', 'x']]),
    authorization_details: [map([['type', 'payment']])],
    client_id: 'other',
    'kubernetes.io': map([['namespace', 'pay']]),
    nothing: null,
  },
})

const run = (options: ContextOptions, draft = {}) => runStage(context, options, { subject, draft })
const load = (options: ContextOptions) => expect(() => prepared(context, options))

describe('context', () => {
  it('keeps the claims that it names, and no other', async () => {
    const { claims } = await run({ keep: ['email', 'nothing', 'absent'] })
    expect(claims).toEqual(map(Object.entries({ sub: 'u-1', acr: 'urn:mfa', email: 'ada@example.org', nothing: null })))
  })

  it('keeps all but reserved claims and rights with *', async () => {
    const { claims } = await run({ keep: '*' })
    expect(Object.keys(claims).sort()).toEqual(['acr', 'email', 'kubernetes.io', 'level', 'nothing', 'roles', 'sub'])
  })

  it('keeps authorization_details when they are named', async () => {
    const { claims } = await run({ keep: ['authorization_details'] })
    expect(claims['authorization_details']).toEqual([map([['type', 'payment']])])
  })

  it('drops again what was kept, and how the subject was authenticated', async () => {
    const { claims } = await run({ keep: '*', drop: ['email', 'acr', 'absent'] })
    expect(claims).not.toHaveProperty('email')
    expect(claims).not.toHaveProperty('acr')
  })

  it('renames claims of the draft, or else of the subject token, with a note for each', async () => {
    const draft = { claims: map([['department', 'sales']]) }
    const { claims, notes } = await run(
      { rename: { department: 'dept', email: 'mail', absent: 'x', nothing: 'n' } },
      draft,
    )
    expect(claims).toEqual(map(Object.entries({ dept: 'sales', mail: 'ada@example.org', n: null })))
    expect(notes).toEqual([
      { claim: 'department', became: 'renamed', to: 'dept' },
      { claim: 'email', became: 'renamed', to: 'mail' },
      { claim: 'nothing', became: 'renamed', to: 'n' },
    ])
  })

  it('renames what the draft says, even when that is null and the subject token says more', async () => {
    const { claims } = await run({ rename: { email: 'mail' } }, { claims: map([['email', null]]) })
    expect(claims).toEqual(map([['mail', null]]))
  })

  it('lets two claims change their names with each other', async () => {
    const { claims } = await run({ rename: { email: 'level', level: 'email' } })
    expect(claims).toMatchObject({ email: 7, level: 'ada@example.org' })
  })

  it('copies what a client tells of its call, and decides by it', async () => {
    const request = { request_details: map([['order', map([['id', 'o-1']])]]), request_context: map([['ip', '::1']]) }
    const options = {
      conditions: ['request.details.order.id.startsWith("o-") && !has(request.context.proxy)'],
      copy: { order: 'request.details.order.id', from: 'request.context.ip', none: 'request.details.amount' },
    }
    const { claims } = await runStage(context, options, { subject, request })
    expect(claims).toMatchObject({ order: 'o-1', from: '::1' })
    expect(claims).not.toHaveProperty('none')
    const other = { ...request, request_details: map([['order', map([['id', 'x-1']])]]) }
    await expect(runStage(context, options, { subject, request: other })).rejects.toThrow(code('ERR_PROFILE_CONDITION'))
  })

  it('copies values by their path, and passes over what is not there', async () => {
    const { claims } = await runStage(
      context,
      {
        copy: {
          asked: 'request.scope',
          caller: 'client.id',
          namespace: 'subject["kubernetes.io"].namespace',
          issuer: 'subject.iss',
          domain: 'subject.trust_domain',
          at: 'now',
          deeper: 'subject.email.x.y',
          actor: 'actor.sub',
        },
      },
      { subject, request: { scope: ['read'] } },
    )
    expect(claims).toMatchObject({ asked: ['read'], caller: 'orders', namespace: 'pay', domain: 'cluster.example.com' })
    expect(claims).toMatchObject({ issuer: 'https://cluster.example.com', at: 1_790_000_000 })
    expect(claims).not.toHaveProperty('deeper')
    expect(claims).not.toHaveProperty('actor')
  })

  it('copies nothing that every JavaScript object has', async () => {
    const plain = verified({ claims: { plain: { a: 1 } } })
    const copy = { x: 'subject.plain.constructor', y: 'subject["toString"]', z: 'subject.plain.a' }
    const { claims } = await runStage(context, { copy }, { subject: plain })
    expect(claims).toEqual(map(Object.entries({ sub: 'u-1', z: 1 })))
  })

  it('sets literals and the values of expressions, which all see the draft before the first of them', async () => {
    const { claims } = await run({
      set: {
        tier: { cel: 'subject.level > 5 ? "gold" : "plain"' },
        had: { cel: 'has(claims.tier)' },
        list: ['a', 1, true, null],
        record: { nested: { cel: 1 } },
      },
    })
    expect(claims).toMatchObject({ tier: 'gold', had: false, list: ['a', 1, true, null] })
    expect(claims['record']).toEqual(map([['nested', map([['cel', 1]])]]))
  })

  it.each([
    ['level', 'string', '7'],
    ['level', 'list', [7]],
    ['level', 'integer', 7],
    ['digits', 'number', 12],
    ['digits', 'integer', 12],
    ['yes', 'boolean', true],
    ['yes', 'string', 'true'],
    ['word', 'bytes', Uint8Array.of(1, 2, 3)],
    ['raw', 'string', 'AQID'],
    ['raw', 'bytes', Uint8Array.of(1, 2, 3)],
  ] as const)('converts %s to %s', async (claim, type, expected) => {
    const draft = {
      claims: map(
        Object.entries({
          level: 7,
          digits: '12',
          yes: claim === 'yes' && type === 'string' ? true : 'true',
          word: 'AQID',
          raw: Uint8Array.of(1, 2, 3),
        }),
      ),
    }
    const { claims, notes } = await run({ types: { [claim]: type } }, draft)
    expect(claims[claim]).toEqual(expected)
    expect(notes).toEqual(draft.claims[claim] === claims[claim] ? [] : [{ claim, became: 'converted' }])
  })

  it.each([
    ['x', 'number'],
    ['07', 'number'],
    ['7.0', 'number'],
    ['1e400', 'number'],
    ['9007199254740993', 'number'],
    ['1.5', 'integer'],
    ['yes', 'boolean'],
    ['AQI=', 'bytes'],
    ['AQJ', 'bytes'],
    [['a', 'b'], 'string'],
    [null, 'string'],
  ] as const)('refuses to convert %j to %s, which would lose or guess something', async (value, type) => {
    const draft = { claims: map([['x', value]]) }
    await expect(run({ types: { x: type } }, draft)).rejects.toThrow(code('ERR_PROFILE_REQUIRED', { claim: 'x' }))
  })

  it('passes over a claim that is not there to be converted', async () => {
    expect((await run({ types: { absent: 'string' } })).notes).toEqual([])
  })

  it.each([
    { require: ['email', 'scope', 'aud', 'exp', 'iat', 'jti', 'iss', 'sub'] },
    {
      require: [
        { claim: 'level', type: 'integer' },
        { claim: 'level', type: 'number' },
      ],
    },
    {
      require: [
        { claim: 'roles', type: 'list' },
        { claim: 'kubernetes.io', type: 'map' },
      ],
    },
    { require: [{ claim: 'email', type: 'string' }, { claim: 'nothing' }] },
  ] as const)('passes a token with what is required: %j', async (options) => {
    await expect(run(options)).resolves.toBeDefined()
  })

  it.each([
    ['phone', undefined],
    ['nbf', undefined],
    ['email', 'list'],
    ['roles', 'map'],
    ['nothing', 'string'],
    ['email', 'integer'],
    ['email', 'boolean'],
    ['email', 'bytes'],
  ] as const)('refuses a token without %s %s', async (claim, type) => {
    const require = [type === undefined ? claim : { claim, type }]
    await expect(run({ require })).rejects.toThrow(code('ERR_PROFILE_REQUIRED', { claim }))
  })

  it('passes when all conditions are true', async () => {
    await expect(
      run({ conditions: ['subject.level > 5', { expression: 'client.id == "orders"' }] }),
    ).resolves.toBeDefined()
  })

  it('refuses at the first condition that is false, and says which', async () => {
    const conditions = ['true', { expression: 'subject.level > 7', description: 'seniors only' }]
    await expect(run({ conditions })).rejects.toThrow(
      code('ERR_PROFILE_CONDITION', { path: 'conditions[1]', description: 'seniors only' }),
    )
  })

  it.each(['subject.level', 'subject.phone == "x"'])(
    'refuses when a condition is neither true nor false: %s',
    async (source) => {
      await expect(run({ conditions: [source] })).rejects.toThrow(
        code('ERR_PROFILE_EXPRESSION', { path: 'conditions[0]' }),
      )
    },
  )

  it('checks before it changes, whatever the order in the file', async () => {
    await expect(run({ set: { tier: 'gold' }, conditions: ['has(claims.tier)'] })).rejects.toThrow(
      code('ERR_PROFILE_CONDITION'),
    )
  })

  it('keeps, drops, renames, copies, sets and converts in this order', async () => {
    const { claims } = await run({
      types: { count: 'string' },
      set: { count: { cel: 'size(claims.groups)' } },
      rename: { roles: 'groups' },
      drop: ['email'],
      keep: ['email', 'roles'],
    })
    expect(claims).toEqual(map(Object.entries({ sub: 'u-1', acr: 'urn:mfa', groups: ['dev', 'admin'], count: '2' })))
  })

  it('returns a new draft and leaves the old one as it was', async () => {
    const draft = { claims: Object.freeze(map([['sub', 'u-1']])), notes: Object.freeze([]) }
    await expect(run({ keep: '*', set: { a: 1 }, rename: { email: 'mail' } }, draft)).resolves.toBeDefined()
    expect(draft.claims).toEqual(map([['sub', 'u-1']]))
  })

  const reserved = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'cnf', 'act', 'may_act', 'scope', 'client_id']

  it.each(reserved)('BD-26: no mapping can write %s', (name) => {
    load({ set: { [name]: 'x' } }).toThrow(code('ERR_PROFILE_OPTION', { path: `set.${name}` }))
    load({ copy: { [name]: 'client.id' } }).toThrow(code('ERR_PROFILE_OPTION', { path: `copy.${name}` }))
    load({ rename: { email: name } }).toThrow(code('ERR_PROFILE_OPTION', { path: 'rename.email' }))
    load({ rename: { [name]: 'x' } }).toThrow(code('ERR_PROFILE_OPTION', { path: `rename.${name}` }))
    load({ keep: ['email', name] }).toThrow(code('ERR_PROFILE_OPTION', { path: 'keep[1]' }))
    load({ drop: [name] }).toThrow(code('ERR_PROFILE_OPTION', { path: 'drop[0]' }))
    load({ types: { [name]: 'string' } }).toThrow(code('ERR_PROFILE_OPTION', { path: `types.${name}` }))
  })

  it.each(['acr', 'amr', 'auth_time'])('S-10: no mapping can give %s another value', (name) => {
    load({ set: { [name]: 'x' } }).toThrow(code('ERR_PROFILE_OPTION'))
    load({ copy: { [name]: 'client.id' } }).toThrow(code('ERR_PROFILE_OPTION'))
    load({ rename: { email: name } }).toThrow(code('ERR_PROFILE_OPTION'))
    load({ types: { [name]: 'string' } }).toThrow(code('ERR_PROFILE_OPTION'))
    load({ keep: [name], drop: [name], rename: { [name]: 'x' } }).not.toThrow()
  })

  it.each<[string, ContextOptions]>([
    ['rename.a', { rename: { a: 'x', b: 'x' } }],
    ['copy.x', { copy: { x: 'token.email' } }],
    ['copy.x', { copy: { x: 'subject' } }],
    ['copy.x', { copy: { x: 'subject..a' } }],
    ['copy.x', { copy: { x: 'subject["a' } }],
    ['copy.x', { copy: { x: 'now.x' } }],
    ['set.x', { set: { x: { cel: 'no(' } } }],
    ['set.x', { set: { x: { cel: 'now', more: 1 } } }],
    ['set.x', { set: { x: { cel: 1 } } }],
    ['set.x', { set: { x: new Date(0) } }],
    ['set.x[0]', { set: { x: [2 ** 60] } }],
    ['set.x.y', { set: { x: { y: Number.NaN } } }],
    ['conditions[0]', { conditions: ['subject.'] }],
    ['conditions[0]', { conditions: ['"yes"'] }],
  ])('refuses to load %s of %j', (path, options) => {
    load(options).toThrow(code('ERR_PROFILE_OPTION', { path }))
  })
})
