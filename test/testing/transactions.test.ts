import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readTest } from '../../src/testing/read.ts'
import { runCase } from '../../src/testing/run.ts'
import { newStand, newWorkshop } from '../../src/testing/stand.ts'
import type { TestResult } from '../../src/testing/suite.ts'
import { twinsOf } from '../../src/testing/twins/index.ts'
import { failedTwins, newPlace, type Place } from '../support/testing.ts'

let place: Place
beforeAll(() => {
  place = newPlace()
})
afterAll(() => place.remove())

const TYPE = 'urn:ietf:params:oauth:token-type'

/** What two workloads sign of their own, a transaction each. */
const SIGNED = `name: one
accept:
  subject: { format: jwt, types: ['${TYPE}:self_signed'], issuers: [mailer, purger] }
  targets: { allow: [shop.example] }
transactions:
  - name: mail
    clients: [mailer]
    subjects: [user/*]
    scope: [mail.take, mail.store]
    lifetime: 60
    details: { box: string, size: { type: integer, required: false }, kind: { type: string, among: [in, out] } }
    context: { ip: string }
  - name: purge
    clients: [purger]
    subjects: [job/purge]
    scope: [user.delete]
    lifetime: 30
    details: { user: string }
stages:
  - format: { to: jwt, kind: txntoken+jwt }
`

const SIGNED_TEST = `cases:
  - name: a mail is taken
    request:
      client: mailer
      subject: { claims: { sub: user/1 } }
      scope: mail.take
      request_details: { box: help, kind: in }
      request_context: { ip: '::1', agent: left out }
    expect:
      token:
        kind: txntoken+jwt
        claims: { sub: user/1, req_wl: mailer, tctx: { box: help, kind: in }, rctx: { ip: '::1' } }
        only: true
        scope: mail.take
        lifetime: 60
  - name: a user is deleted
    request:
      client: purger
      subject: { claims: { sub: job/purge } }
      scope: user.delete
      request_details: { user: u-1 }
    expect: { token: { claims: { tctx: { user: u-1 } }, lifetime: 30 } }
`

/** A transaction token of the gateway itself, replaced. */
const REPLACED = `name: one
accept:
  subject: { format: jwt, types: ['${TYPE}:txn_token'], issuers: [self], audience: [shop.example] }
  targets: { allow: [shop.example] }
transactions:
  - { name: store, clients: [tickets], subjects: [user/*], scope: [blob.put], lifetime: 60 }
stages:
  - format: { to: jwt, kind: txntoken+jwt }
`

const REPLACED_TEST = `cases:
  - name: one branch goes on with less
    request:
      subject:
        claims: { sub: user/1, txn: t-1, req_wl: mailer, scope: mail.take blob.put, tctx: { box: help } }
      scope: blob.put
    expect:
      token:
        claims: { sub: user/1, txn: t-1, req_wl: tickets, tctx: { box: help }, dragoman_chain: [mailer, tickets] }
        only: true
        scope: blob.put
`

/** A grant of another domain, for one client, that has come a way. */
const GRANT = `name: one
accept:
  grant: jwt-bearer
  clients: [guest]
  subject: { format: jwt, kind: authorization-grant+jwt, issuers: [https://a.example], for_client: client_id }
  targets: { allow: [https://api.example] }
stages:
  - embedding: { path: {} }
  - format: { to: jwt, kind: at+jwt }
`

const GRANT_TEST = `setup: { issuers: [{ issuer: https://a.example, subjects: ['*'], history: true }] }
cases:
  - name: it is redeemed
    request: { subject: { claims: { sub: pw_1, client_id: guest } } }
    expect: { token: { kind: at+jwt, claims: { sub: pw_1, trust_path: [https://a.example] } } }
`

const UNSIGNED = `name: one
accept:
  subject: { format: jwt, types: ['${TYPE}:unsigned_json'], issuers: [nightly], danger_unsigned: true }
  targets: { allow: [shop.example] }
transactions:
  - { name: report, clients: [nightly], subjects: [job/report], scope: [report.build], lifetime: 60 }
stages:
  - format: { to: jwt, kind: txntoken+jwt }
`

const UNSIGNED_TEST = `cases:
  - name: its word is taken
    request: { subject: { claims: { sub: job/report } }, scope: report.build }
    expect: { token: { claims: { sub: job/report }, lifetime: 60 } }
  - name: for as long as it says
    request: { subject: { claims: { sub: job/report }, lifetime: 20 }, scope: report.build }
    expect: { token: { lifetime: 20 } }
`

const clean = (result: TestResult): void => {
  expect(result.problems).toEqual([])
  expect(result.cases.flatMap(({ told }) => told)).toEqual([])
  expect(failedTwins(result)).toEqual([])
}

const tried = ({ cases }: TestResult): readonly string[] => [
  ...new Set(
    cases.flatMap(({ twins }) =>
      twins.filter(({ moot }) => moot === undefined).map(({ name, of }) => [name, of].join(' ').trim()),
    ),
  ),
]

/** The twins of a test's first case, tried on the profile with something in it changed. */
async function twinsAgainst(profile: string, test: string, from: string, to: string): Promise<readonly string[]> {
  expect(profile).toContain(from)
  place.write('one.yaml', profile)
  const file = readTest(place.write('one.test.yaml', test))
  const mutant = await (await newStand(file, newWorkshop())).running(profile.replace(from, to))
  const [one] = file.document.cases
  if (one === undefined) throw new Error('a case')
  const { given, told } = await runCase(0, one, mutant)
  if (given === undefined) throw new Error(told.join('\n'))
  const failed: string[] = []
  for await (const { name, of, difference } of twinsOf(one, given.ask, given.issue, mutant)) {
    if (difference !== undefined) failed.push([name, of].join(' ').trim())
  }
  return failed
}

describe('a test of a profile with transactions', () => {
  it('says what the client tells, and has twins of who starts what', async () => {
    const result = await place.run(SIGNED, SIGNED_TEST)
    clean(result)
    expect(tried(result)).toEqual(
      expect.arrayContaining([
        ...['other_transaction purge', 'other_transaction mail', 'unknown_detail'],
        ...['missing_detail box', 'missing_detail kind', 'missing_detail ip', 'missing_detail user'],
        ...['wrong_detail box', 'wrong_detail kind value', 'wrong_detail size', 'too_long', 'too_old', 'replayed'],
      ]),
    )
  })

  it.each([
    ['other_transaction purge', 'clients: [purger]', 'clients: [purger, mailer]'],
    [
      'unknown_detail',
      'details: { box: string,',
      'details: { dragoman_test_unknown: { type: string, required: false }, box: string,',
    ],
    ['missing_detail box', 'box: string', 'box: { type: string, required: false }'],
    ['missing_detail ip', 'ip: string', 'ip: { type: string, required: false }'],
    ['wrong_detail kind value', 'among: [in, out]', 'among: [in, out, "dragoman-test:other"]'],
    ['wrong_detail size', '{ type: integer,', '{ type: number,'],
    ['too_long', 'issuers: [mailer, purger]', 'issuers: [mailer, purger], max_lifetime: 3600'],
    ['widened_scope', 'mail.store]', 'mail.store, "dragoman-test:neighbour"]'],
  ])('%s: fails when the profile no longer looks', async (name, from, to) => {
    expect(await twinsAgainst(SIGNED, SIGNED_TEST, from, to)).toContain(name)
  })

  it('counts what of the table was exercised', async () => {
    const words = async (test: string) => {
      const { coverage } = await place.run(SIGNED, test, { twins: false })
      return (coverage?.missing ?? []).map(({ place: at }) => (at.split('\n')[0] ?? '').replace(/^.*?:\d+:\d+: /, ''))
    }
    expect(await words(SIGNED_TEST)).toEqual([
      'transactions[0].scope[1]: never granted',
      'transactions[0].details.box: never missed (ERR_PROFILE_CONTEXT)',
      'transactions[0].details.kind: never missed (ERR_PROFILE_CONTEXT)',
      'transactions[0].context.ip: never missed (ERR_PROFILE_CONTEXT)',
      'transactions[1].details.user: never missed (ERR_PROFILE_CONTEXT)',
    ])
    expect(await words(SIGNED_TEST.slice(0, SIGNED_TEST.indexOf('  - name: a user')))).toContain(
      'transactions[1].clients[0]: never starts it',
    )
  })

  it('notices a mutation of the table', async () => {
    const { mutations } = await place.run(SIGNED, SIGNED_TEST, { mutations: true })
    expect(mutations?.noticed).toEqual(
      expect.arrayContaining([
        'transactions[0].details.box: becomes optional',
        'transactions[0].context.ip: becomes optional',
        'transactions[0].details.kind.among: widened by "dragoman-test:other"',
        'transactions[0].scope: widened by "dragoman-test:neighbour"',
        'transactions[0].lifetime: becomes 120',
      ]),
    )
    const replaced = await place.run(REPLACED, REPLACED_TEST, { mutations: true })
    expect(replaced.mutations?.noticed).toEqual(
      expect.arrayContaining([
        'transactions[0].clients: widened by "dragoman-test-neighbour"',
        'transactions[0]: replacements: 2 added',
      ]),
    )
    // No case is about somebody else than the table says.
    expect(mutations?.survived.map(({ name }) => name)).toContain('transactions[0].subjects: widened by "*"')
    const foreign = `${SIGNED_TEST}  - name: a mail is about nobody else
    request:
      client: mailer
      subject: { claims: { sub: job/purge } }
      scope: mail.take
      request_details: { box: help, kind: in }
      request_context: { ip: '::1' }
    expect: { refused: ERR_TOKEN_SUBJECT_SPACE }
`
    const closer = await place.run(SIGNED, foreign, { mutations: true })
    expect(closer.mutations?.noticed).toContain('transactions[0].subjects: widened by "*"')
  })

  it('knows the claims of a transaction token, but no others, as its own', async () => {
    const keeps = SIGNED.replace('  - format', '  - context: { keep: [more] }\n  - format')
    const test = SIGNED_TEST.replace('{ sub: user/1 } }', '{ sub: user/1, more: x } }')
    const { cases } = await place.run(keeps, test, { twins: false })
    expect(cases[0]?.differences).toEqual([{ what: 'claims.more', expected: 'absent', actual: '"x"' }])
    clean(await place.run(keeps, test.replace('only: true', 'present: [more]\n        only: true'), { twins: false }))
    const missing = await place.run(SIGNED, SIGNED_TEST.replace('only: true', 'present: [more]'), { twins: false })
    expect(missing.cases[0]?.differences).toEqual([{ what: 'more', expected: 'present', actual: 'absent' }])
  })
})

describe('a test of a profile that replaces transaction tokens', () => {
  it('has twins of what stays, and how often', async () => {
    const result = await place.run(REPLACED, REPLACED_TEST)
    clean(result)
    expect(tried(result)).toEqual(
      expect.arrayContaining(['altered_detail box', 'replaced_too_often', 'other_tenant', 'wrong_target']),
    )
  })

  it('replaced_too_often: fails when the profile no longer looks', async () => {
    expect(await twinsAgainst(REPLACED, REPLACED_TEST, 'lifetime: 60 }', 'lifetime: 60, replacements: 2 }')).toEqual([
      'replaced_too_often',
    ])
  })
})

describe('a test of a profile that redeems grants', () => {
  it('presents the token as an assertion, once, for its client, and not in a circle', async () => {
    const result = await place.run(GRANT, GRANT_TEST)
    clean(result)
    expect(tried(result)).toEqual(expect.arrayContaining(['other_presenter', 'circle', 'replayed', 'too_long']))
  })

  it.each([
    ['other_presenter', ', for_client: client_id', ''],
    ['circle', 'path: {}', 'path: { revisit: true }'],
    ['replayed', 'for_client:', 'single_use: false, for_client:'],
    ['too_long', 'for_client:', 'max_lifetime: 7200, for_client:'],
  ])('%s: fails when the profile no longer looks', async (name, from, to) => {
    expect(await twinsAgainst(GRANT, GRANT_TEST, from, to)).toContain(name)
  })

  it('can say that it is presented again, and then is refused or not', async () => {
    const again = (single: boolean, expected: string) =>
      place.run(
        GRANT.replace('for_client:', `single_use: ${single}, for_client:`),
        GRANT_TEST.replace('client_id: guest } } }', 'client_id: guest } }, again: true }').replace(
          /expect: .*\n/,
          `expect: ${expected}\n`,
        ),
      )
    clean(await again(true, '{ refused: ERR_TOKEN_REPLAYED }'))
    clean(await again(false, '{ token: { kind: at+jwt } }'))
  })
})

describe('a test of a profile that asks how the user authenticated', () => {
  const ASKS = GRANT.replace(
    'for_client: client_id',
    'for_client: client_id, authentication: { acr_values: [phr], max_age: 300 }',
  )
  const ASKED = GRANT_TEST.replace('client_id: guest }', 'client_id: guest, acr: phr, auth_time: 1799999900 }')

  it('has twins of both, and counts the rule', async () => {
    const result = await place.run(ASKS, ASKED)
    clean(result)
    expect(tried(result)).toEqual(expect.arrayContaining(['weak_authentication', 'old_authentication']))
    expect(result.coverage?.missing).toEqual([])
  })

  it.each([
    ['weak_authentication', 'acr_values: [phr], ', ''],
    ['old_authentication', ', max_age: 300', ''],
  ])('%s: fails when the profile no longer looks', async (name, from, to) => {
    expect(await twinsAgainst(ASKS, ASKED, from, to)).toContain(name)
  })
})

describe("a test of a profile that takes a client's word", () => {
  it('says it without a signature, and has no twins of one', async () => {
    const result = await place.run(UNSIGNED, UNSIGNED_TEST)
    clean(result)
    const names = tried(result)
    for (const name of ['bad_signature', 'wrong_kind', 'replayed']) expect(names).not.toContain(name)
    for (const name of ['expired', 'unknown_issuer', 'wrong_issuer', 'outlived']) expect(names).toContain(name)
  })
})
