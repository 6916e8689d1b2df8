import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtin } from '../../src/catalog.ts'
import type { ProfileDocument } from '../../src/profiles/document.ts'
import { profileSchema } from '../../src/profiles/schema.ts'
import { readSource } from '../../src/profiles/source.ts'
import { mutationsOf } from '../../src/testing/mutations/mutations.ts'
import { passed } from '../../src/testing/suite.ts'
import { newPlace, type Place, STRICT, STRICT_TEST } from '../support/testing.ts'

let place: Place
beforeAll(() => {
  place = newPlace()
})
afterAll(() => place.remove())

const schema = profileSchema(builtin())
const mutate = (text: string) => mutationsOf(readSource({ file: 'one.yaml', text }).value as ProfileDocument, schema)
const names = (text: string) => mutate(text).map(({ name }) => name)

describe('mutations of a profile', () => {
  it('take away each check, each stage and each item of a list', () => {
    const found = names(`${STRICT}must_keep: [email, sub]\nmax_lifetime: 600\n`)
    for (const name of [
      'accept.subject.require: removed',
      'accept.subject.max_age: removed',
      'accept.subject.single_use: removed',
      'accept.subject.algorithms: removed',
      'accept.subject: audience: "any" added',
      'stages[0]: removed',
      'stages[0].context.keep: removed',
      'stages[1].validity.lifetime: removed',
      'stages[1].validity.scope.allow: removed',
      'stages[2].sender_constraint.require: removed',
      'must_keep[1]: removed',
    ])
      expect(found).toContain(name)
  })

  it('widen lists, lifetimes and what is kept, and turn switches', () => {
    const found = names(`${STRICT}max_lifetime: 600\n`)
    for (const name of [
      'accept.clients: widened by "dragoman-test-neighbour"',
      'accept.subject.issuers: widened by "https://neighbour.dragoman-test.example"',
      'accept.subject.algorithms: widened by "ES384"',
      'accept.targets.allow: widened by "https://neighbour.dragoman-test.example/target"',
      'stages[0].context.keep: widened by "groups"',
      'stages[0].context.keep: becomes "*"',
      'stages[1].validity.scope.allow: widened by "dragoman-test:neighbour"',
      'stages[1].validity.lifetime: becomes 600',
      'accept.subject.max_age: becomes 1200',
      'max_lifetime: becomes 1200',
      'accept.subject.single_use: becomes false',
      'stages[2].sender_constraint.require: becomes false',
    ])
      expect(found).toContain(name)
  })

  it('put in each danger option where it could stand', () => {
    const found = names(STRICT).filter((name) => name.includes('danger_'))
    expect(found).toEqual([
      'accept.subject: danger_unsigned added',
      'accept.targets: danger_any_target added',
      'stages[1].validity.scope: danger_widen_scope added',
      'stages[1].validity: danger_outlive_subject added',
      'stages[1].validity: danger_start_earlier added',
      'stages[2].sender_constraint: danger_drop_confirmation added',
    ])
  })

  it('invert what decides, and nothing else that is an expression', () => {
    const text = STRICT.replace(
      'keep: [email] }',
      'conditions: ["a", { expression: "b" }], set: { x: { cel: "c" } } }\n    when: "d"',
    )
    const changed = mutate(text).filter(({ name }) => name.endsWith('inverted'))
    expect(changed.map(({ name }) => name)).toEqual([
      'stages[0].context.conditions[0]: inverted',
      'stages[0].context.conditions[1].expression: inverted',
      'stages[0].when: inverted',
    ])
    expect(changed.map((one) => /!\((\w)\)/.exec(one.text)?.[1])).toEqual(['a', 'b', 'd'])
  })

  it('change one thing each, and have a name of their own', () => {
    const all = mutate(STRICT)
    expect(new Set(all.map(({ text }) => text)).size).toBe(all.length)
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
    const { text } = all.find(({ name }) => name === 'accept.subject.max_age: removed') ?? { text: '' }
    const [document, changed] = [STRICT, text].map((one) => readSource({ file: '', text: one }).value)
    expect(changed).toEqual({
      ...(document as object),
      accept: { ...(document as ProfileDocument).accept, subject: expect.not.objectContaining({ max_age: 600 }) },
    })
  })

  it('leave out no member that says what stands there anyway', () => {
    const text = STRICT.replace('require: true }', 'require: true, mode: keep }').replace(
      '  - format:',
      '  - validity: { not_before: keep }\n  - format:',
    )
    expect(names(text)).not.toContain('stages[2].sender_constraint.mode: removed')
    expect(names(text)).not.toContain('stages[3]: removed')
    expect(names(text)).toContain('stages[2].sender_constraint.mode: becomes bind')
  })
})

describe('a test under mutation', () => {
  const run = (test: string) => place.run(STRICT, test, { mutations: true })

  it('that looks at little is told what it would not notice, with the place', async () => {
    const weak = STRICT_TEST.replace(/expect: .*/, 'expect: { token: { format: jwt } }')
    const result = await run(weak)
    expect(passed(result)).toBe(false)
    const survived = new Map(result.mutations?.survived.map(({ name, place: at }) => [name, at]))
    expect([...survived.keys()]).toContain('stages[0].context.keep: becomes "*"')
    expect(survived.get('stages[1].validity.lifetime: becomes 600')).toBe(
      `${place.folder}/one.yaml:14:27: stages[1].validity.lifetime: not noticed\n    - validity: { lifetime: 300, scope: { allow: [orders.read] } }\n                            ^`,
    )
    // The twins notice the rest by themselves.
    expect(result.mutations?.noticed).toContain('accept.subject.max_age: removed')
  })

  it('that looks closely notices everything', async () => {
    const close = STRICT_TEST.replace(
      'lifetime: 300, claims: { email: ada@shop.example }',
      'lifetime: 300, claims: { sub: shop/ada, email: ada@shop.example, client_id: shop }, only: true, kind: at+jwt',
    ).replace('email: ada@shop.example, scope', 'email: ada@shop.example, groups: [a], scope')
    const result = await run(close)
    expect(result.mutations?.survived).toEqual([])
    expect(passed(result)).toBe(true)
  })

  it('may say that one makes no difference, as long as that is so', async () => {
    const weak = STRICT_TEST.replace(/expect: .*/, 'expect: { token: { format: jwt } }')
    const excuse = 'stages[1].validity.lifetime: becomes 600'
    const { mutations } = await run(
      `${weak}equivalent:\n  "${excuse}": nobody minds\n  "accept.subject.max_age: removed": it is noticed\n  "nothing: removed": there is none\n`,
    )
    expect(mutations?.equivalent).toEqual([excuse])
    expect(mutations?.survived.map(({ name }) => name)).not.toContain(excuse)
    expect(mutations?.stale).toEqual(['accept.subject.max_age: removed', 'nothing: removed'])
  })

  it('that fails is not mutated', async () => {
    const { mutations, cases } = await run(STRICT_TEST.replace('lifetime: 300', 'lifetime: 1'))
    expect(cases[0]?.differences).toHaveLength(1)
    expect(mutations).toBeUndefined()
  })
})
