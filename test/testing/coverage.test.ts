import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPlace, type Place, STRICT, STRICT_TEST } from '../support/testing.ts'

let place: Place
beforeAll(() => {
  place = newPlace()
})
afterAll(() => place.remove())

/** What was never seen, without the excerpt. */
async function missing(profile: string, test: string, twins = true): Promise<readonly string[]> {
  const { coverage, problems } = await place.run(profile, test, { twins })
  expect(problems).toEqual([])
  return (coverage?.missing ?? []).map(({ place: at }) => (at.split('\n')[0] ?? '').replace(/^.*?:\d+:\d+: /, ''))
}

describe('coverage of the rules of a profile', () => {
  it('counts what the twins exercise', async () => {
    expect(await missing(STRICT, STRICT_TEST)).toEqual([])
    expect(await missing(STRICT, STRICT_TEST, false)).toEqual([
      'accept.subject.max_age: never seen to refuse (ERR_TOKEN_TOO_OLD)',
      'accept.subject.single_use: never seen to refuse (ERR_TOKEN_REPLAYED)',
      'accept.subject.algorithms: never seen to refuse (ERR_TOKEN_ALGORITHM)',
      'accept.subject.require[0]: never missed in a token',
      'stages[1].validity.scope: never seen to refuse (ERR_PROFILE_SCOPE)',
      'stages[2].sender_constraint.require: never seen to refuse (ERR_PROOF_REQUIRED)',
    ])
  })

  it('wants both branches of `when`, each condition false, and each name of a list', async () => {
    const profile = STRICT.replace(
      'context: { keep: [email] }',
      'context: { keep: [email, groups], conditions: ["size(subject.sub) < 9"] }\n  - context: { set: { internal: true } }\n    when: subject.email.endsWith("@shop.example")',
    ).replace('allow: [https://orders.example]', 'allow: [https://orders.example, https://stock.example]')
    expect(await missing(profile, STRICT_TEST)).toEqual([
      'accept.targets.allow[1]: never asked for and given',
      'stages[0].context.conditions[0]: never false',
      'stages[0].context.keep[1]: never there to be kept',
      'stages[1].when: never false',
    ])
    const more = `${STRICT_TEST}  - name: another target, by somebody from outside
    request: { subject: { like: ada, claims: { email: eve@other.example, groups: [a] } }, audience: https://stock.example }
    expect: { token: { absent: [internal], claims: { groups: [a] } } }
  - name: a long name
    request: { subject: { like: ada, claims: { sub: shop/a-long-name } } }
    expect: { refused: ERR_PROFILE_CONDITION, at: "stages[0].context" }
`
    expect(await missing(profile, more)).toEqual([])
  })
})
