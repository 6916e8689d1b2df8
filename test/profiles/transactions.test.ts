import { describe, expect, it } from 'vitest'
import { headlines, loadTexts, profileEnvironment, refusalOf } from '../support/profiles.ts'

const environment = await profileEnvironment()

const GOOD = `name: one
accept:
  subject: { format: jwt, issuers: [https://id.example] }
  targets: { allow: [larkspur.example] }
transactions:
  - name: pay
    clients: [demo, orders]
    subjects: [user/*]
    scope: [order.pay]
    lifetime: 60
    details: { order: string, amount: { type: string, required: false }, currency: { type: string, value: EUR } }
    context: { ip: { type: string, cel: 'request.context.ip' } }
stages:
  - format: { to: jwt, kind: txntoken+jwt }
  - crypto: { key: signing }
`
const URN = 'urn:ietf:params:oauth:token-type'

const refused = (from: string, to: string) => {
  expect(GOOD).toContain(from)
  return headlines(refusalOf(() => loadTexts(environment, GOOD.replace(from, to)))).map((line) =>
    line.replace('one.yaml:', ''),
  )
}

describe('the table of transactions', () => {
  it('is prepared: clients, subjects, scope, members', () => {
    const [profile] = loadTexts(environment, GOOD).all
    const [kind] = profile?.transactions ?? []
    expect(profile?.accepts.clients).toEqual(['demo', 'orders'])
    expect(kind).toMatchObject({ name: 'pay', clients: ['demo', 'orders'], scope: ['order.pay'], lifetime: 60 })
    expect(kind?.types).toEqual(profile?.accepts.subject.types)
    expect([kind?.about('user/7'), kind?.about('job/7'), kind?.about('user/')]).toEqual([true, false, false])
    expect([...(kind?.details ?? [])].map(([name, { type, required }]) => [name, type, required])).toEqual([
      ['order', 'string', true],
      ['amount', 'string', false],
      ['currency', 'string', true],
    ])
    expect(Object.isFrozen(kind)).toBe(true)
  })

  it.each<[string, string, string]>([
    ['clients: [demo, orders]', 'clients: [nobody]', 'there is no client "nobody"'],
    ['subjects: [user/*]', "subjects: ['u-*']", 'an exact subject, a prefix ending in'],
    ['    lifetime: 60', '    lifetime: 901', 'at most 900'],
    ['    lifetime: 60', '    lifetime: 60\n    replacements: 2', 'it is for subject tokens of type'],
    ['    lifetime: 60', '    lifetime: 60\n    subject_token_types: [urn:x]', 'expected one that the profile takes'],
    ['    scope: [order.pay]\n', '', 'scope'],
    ['    scope: [order.pay]', "    scope: ['a b']", 'scope'],
    ['order: string', 'order: text', 'order'],
    ['order: string', 'order: { type: string, among: [1] }', 'expected values of type string'],
    ['value: EUR', 'value: 5', 'expected values of type string'],
    ['value: EUR', 'value: EUR, cel: "1"', '`value` or `cel`, not both'],
    ["cel: 'request.context.ip'", "cel: 'request.('", 'an expression that can be read'],
    ['order: string', "'a b': string", 'a b'],
    ['accept:\n', 'accept:\n  clients: [demo]\n', 'its rows say which clients there are'],
    ['accept:\n', 'accept:\n  subject_token_authenticates: true\n', 'its rows say which clients there are'],
    ['kind: txntoken+jwt', `token_type: '${URN}:txn_token'`, 'with kind txntoken+jwt'],
    [
      'to: jwt, kind: txntoken+jwt',
      `to: cwt, token_type: '${URN}:txn_token'`,
      'expected `to: jwt, kind: txntoken+jwt`',
    ],
    [
      'stages:',
      '  - { name: pay, clients: [demo], subjects: [a], scope: [other], lifetime: 1 }\nstages:',
      'a name of its own',
    ],
    [
      'stages:',
      '  - { name: two, clients: [orders], subjects: [a], scope: [other, order.pay], lifetime: 1 }\nstages:',
      'orders has order.pay from pay already',
    ],
  ])('with %j as %j says: %s', (from, to, says) => {
    expect(refused(from, to).join('\n')).toContain(says)
  })

  it('may give one scope to two clients, or from two types of token', () => {
    const other = (more: string) =>
      GOOD.replace('stages:', `  - { name: two, subjects: [a], lifetime: 1, ${more} }\nstages:`)
    const one = GOOD.replace('clients: [demo, orders]', 'clients: [demo]')
    expect(() =>
      loadTexts(
        environment,
        one.replace(
          'stages:',
          '  - { name: two, clients: [orders], subjects: [a], scope: [order.pay], lifetime: 1 }\nstages:',
        ),
      ),
    ).not.toThrow()
    const typed = other(`clients: [demo], scope: [order.pay], subject_token_types: ['${URN}:id_token']`).replace(
      '    lifetime: 60',
      `    lifetime: 60\n    subject_token_types: ['${URN}:jwt']`,
    )
    expect(() => loadTexts(environment, typed)).not.toThrow()
  })

  it('must be there for a transaction token', () => {
    const without = GOOD.replace(/transactions:.*stages:/s, 'stages:').replace(
      'accept:\n',
      'accept:\n  clients: [demo]\n',
    )
    expect(headlines(refusalOf(() => loadTexts(environment, without))).join()).toContain(
      'a transaction token needs `transactions`',
    )
  })

  it('is no way to two people under one name (TT-18)', () => {
    const several = GOOD.replace('[https://id.example]', '[self, https://id.example]')
    const problems = headlines(refusalOf(() => loadTexts(environment, several)))
    expect(problems.join()).toContain('several issuers may call two people by one name')
    const actor = several.replace('stages:\n', 'stages:\n  - subject: { actor: client }\n')
    expect(() => loadTexts(environment, actor)).toThrow()
    const mapped = several.replace('stages:\n', "stages:\n  - subject: { cel: 'subject.iss + subject.sub' }\n")
    expect(() => loadTexts(environment, mapped)).not.toThrow()
  })

  it('says where an expression failed', () => {
    const [profile] = loadTexts(environment, GOOD).all
    const make = profile?.transactions?.[0]?.context.get('ip')?.make
    const variables = { claims: {}, subject: {}, actor: {}, client: {}, request: {}, proof: {}, now: 0 }
    expect(() => make?.(variables)).toThrow(
      expect.objectContaining({
        code: 'ERR_PROFILE_EXPRESSION',
        detail: expect.objectContaining({ path: 'transactions[0].context.ip.cel' }),
      }),
    )
    const request = { context: { ip: '::1' } }
    expect(make?.({ ...variables, request })).toBe('::1')
  })

  it('of what clients say by themselves has each client as an issuer, and no other', () => {
    const signed = (clients: string) =>
      GOOD.replace(
        '{ format: jwt, issuers: [https://id.example] }',
        `{ format: jwt, types: ['${URN}:self_signed'], issuers: [https://id.example] }`,
      ).replace('clients: [demo, orders]', `clients: [${clients}]`)
    expect(headlines(refusalOf(() => loadTexts(environment, signed('demo')))).join()).toContain(
      'expected demo among them',
    )
    const asClient = { ...environment, clients: ['https://id.example', 'demo'] }
    expect(() => loadTexts(asClient, signed('https://id.example'))).not.toThrow()
    const two = signed('https://id.example').replace(
      'issuers: [https://id.example]',
      'issuers: [https://id.example, self]',
    )
    expect(headlines(refusalOf(() => loadTexts(asClient, two))).join()).toContain('https://gw.example is none')
  })
})
