import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errors } from '../../src/core/errors.ts'
import { readTest } from '../../src/testing/read.ts'
import { runCase } from '../../src/testing/run.ts'
import { newStand, newWorkshop } from '../../src/testing/stand.ts'
import { twinsOf } from '../../src/testing/twins/index.ts'
import { twinNames, twinTable } from '../../src/testing/twins/names.ts'
import { failedTwins, newPlace, type Place, STRICT, STRICT_TEST } from '../support/testing.ts'

let place: Place
beforeAll(() => {
  place = newPlace()
})
afterAll(() => place.remove())

const GIVEN = 'a token was issued'
const NEIGHBOUR = 'neighbour.dragoman-test.example'

/** The twins of the strict profile's case, tried on that profile with something in it changed. */
async function twinsAgainst(from: string, to: string): Promise<readonly string[]> {
  expect(STRICT).toContain(from)
  place.write('one.yaml', STRICT)
  const test = readTest(place.write('one.test.yaml', STRICT_TEST))
  const mutant = await (await newStand(test, newWorkshop())).running(STRICT.replace(from, to))
  const [one] = test.document.cases
  if (one === undefined) throw new Error('a case')
  const { given } = await runCase(0, one, mutant)
  if (given === undefined) throw new Error('the good request is refused')
  const failed: string[] = []
  for await (const { name, of, difference } of twinsOf(one, given.ask, given.issue, mutant)) {
    if (difference !== undefined) failed.push(`${[name, of].join(' ').trim()}: ${difference.actual}`)
  }
  return failed
}

describe('negative twins', () => {
  it('are all refused by a strict profile, with the code that fits', async () => {
    const result = await place.run(STRICT, STRICT_TEST)
    expect(result.problems).toEqual([])
    expect(result.cases.flatMap(({ told }) => told)).toEqual([])
    expect(failedTwins(result)).toEqual([])
  })

  it.each([
    ['no_client', 'clients: [shop]', 'clients: [shop]\n  subject_token_authenticates: true'],
    ['other_client', 'clients: [shop]', 'clients: [shop, dragoman-test-neighbour]'],
    ['wrong_target', 'https://orders.example]', `https://orders.example, https://${NEIGHBOUR}/target]`],
    ['too_old', 'max_age: 600', 'max_age: 6000'],
    ['wrong_audience', 'require: [email]', 'require: [email]\n    audience: any'],
    ['other_tenant', 'require: [email]', 'require: [email]\n    audience: [https://gateway.example]'],
    ['wrong_issuer', 'issuers: [https://id.example]', `issuers: [https://id.example, https://${NEIGHBOUR}]`],
    ['other_algorithm ES384', 'algorithms: [ES256]', 'algorithms: [ES256, ES384]'],
    ['missing_claim email', 'require: [email]', 'require: [sub]'],
    ['replayed', 'single_use: true', 'single_use: false'],
    ['unbound', 'sender_constraint: { require: true }', 'sender_constraint: { mode: keep }'],
  ])('%s: fails when the profile no longer looks', async (name, from, to) => {
    expect(await twinsAgainst(from, to)).toContain(`${name}: ${GIVEN}`)
  })

  it('no_proof and foreign_proof: fail when a resource server may present the token', async () => {
    const failed = await twinsAgainst('require: [email]', 'require: [email]\n    presented_by: audience')
    // Whatever becomes of them then, it is not that the presenter lacks the key.
    expect(failed.map((one) => one.split(':')[0])).toEqual(['no_proof', 'foreign_proof'])
  })

  it.each([
    ['outlived', 'lifetime: 300,', 'lifetime: 300, danger_outlive_subject: true,', '300'],
    ['widened_scope', 'allow: [orders.read]', 'allow: [orders.read, "dragoman-test:neighbour"]', /neighbour/],
    ['scope_not_held', '[orders.read] }', '[orders.read], danger_widen_scope: true }', /orders\.read/],
  ])('%s: fails when the output reaches further', async (name, from, to, actual) => {
    const found = (await twinsAgainst(from, to)).find((one) => one.startsWith(name))
    expect(found).toMatch(actual)
  })

  it('fail when they are refused for another reason than the one that fits', async () => {
    const names = (await place.run(STRICT, STRICT_TEST)).cases.flatMap(({ twins }) =>
      twins.filter(({ moot }) => moot === undefined).map(({ name }) => name),
    )
    expect(new Set(names).size).toBeGreaterThan(18)
    const overrides = [...new Set(names)].map((name) => `${name}: ERR_INTERNAL`).join(', ')
    const failed = failedTwins(await place.run(STRICT, `${STRICT_TEST}    twins: { ${overrides} }\n`))
    // All but the two that may be issued within their limits.
    const bounded = ['outlived', 'widened_scope']
    const expected = [...new Set(names)].filter((name) => !bounded.includes(name))
    expect([...new Set(failed.map((one) => one.split(/[ :]/)[0]))].sort()).toEqual([...expected].sort())
    for (const one of failed) expect(Object.keys(errors)).toContain(one.split(': ')[1])
  })

  it('can be left out with a reason, and can have another code', async () => {
    const expired = 'expired: ERR_TOKEN_TOO_OLD'
    const { cases } = await place.run(STRICT, `${STRICT_TEST}    twins: { replayed: { skip: why not }, ${expired} }\n`)
    const twin = (wanted: string) => cases[0]?.twins.find(({ name }) => name === wanted)
    expect(twin('replayed')).toEqual({ name: 'replayed', of: '', moot: 'why not' })
    expect(twin('expired')?.difference).toMatchObject({ expected: 'ERR_TOKEN_TOO_OLD', actual: 'ERR_TOKEN_EXPIRED' })
  })

  it('say why they do not apply', async () => {
    const open = STRICT.replace(/ {4}(require|max_age|single_use|algorithms).*\n/g, '').replace(
      '{ allow: [https://orders.example] }',
      '{ danger_any_target: true }',
    )
    const test = STRICT_TEST.replace('scope: orders.read }', 'scope: orders.read, audience: x }')
    const { cases } = await place.run(open, test)
    const moot = new Map(cases.flatMap(({ twins }) => twins.map((twin) => [twin.name, twin.moot] as const)))
    for (const name of [
      'wrong_target',
      'too_old',
      'replayed',
      'other_algorithm',
      'missing_claim',
      'no_actor',
    ] as const) {
      expect(moot.get(name), name).toMatch(/^\w.*\w$/)
    }
  })

  it('have each a row with codes of the catalogue', () => {
    for (const name of twinNames) {
      for (const code of twinTable[name].codes) expect(Object.keys(errors)).toContain(code)
    }
  })

  it('are not made of a case that fails, nor when they are not asked for', async () => {
    const wrong = await place.run(STRICT, STRICT_TEST.replace('lifetime: 300', 'lifetime: 301'))
    expect(wrong.cases.map(({ twins }) => twins)).toEqual([[]])
    const without = await place.run(STRICT, STRICT_TEST, { twins: false })
    expect(without.cases.map(({ twins }) => twins)).toEqual([[]])
  })
})
