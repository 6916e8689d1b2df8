import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { newWorkshop } from '../../src/testing/stand.ts'
import { runTest, testsAt } from '../../src/testing/suite.ts'
import { root, shipped } from '../support/pages.ts'

const folder = join(root, 'profiles')
const workshop = newWorkshop()

const run = (name: string, { mutations }: { mutations: boolean }) =>
  runTest(join(folder, `${name}.test.yaml`), workshop, { twins: true, mutations })

describe('the profiles that ship', () => {
  it('have a test each', () => {
    const { tests, untested } = testsAt([folder])
    expect(untested).toEqual([])
    expect(tests).toEqual(shipped.map((name) => join(folder, `${name}.test.yaml`)))
  })

  it.each(shipped)('%s: passes its test, and its negative twins are refused', async (name) => {
    const { problems, cases, coverage } = await run(name, { mutations: false })
    expect(problems).toEqual([])
    expect(cases.flatMap(({ told }) => told)).toEqual([])
    const twins = cases.flatMap((one) => one.twins)
    expect(twins.filter(({ difference }) => difference !== undefined)).toEqual([])
    expect(twins.filter(({ moot }) => moot === undefined).length).toBeGreaterThan(10)
    expect(coverage?.missing).toEqual([])
  })

  // Those that make no difference stand under `equivalent` of the test, each with its reason.
  it.each(shipped)('%s: no mutation goes unnoticed, but for those that make no difference', async (name) => {
    const { mutations } = await run(name, { mutations: true })
    expect(mutations?.survived).toEqual([])
    expect(mutations?.stale).toEqual([])
    expect(mutations?.noticed.length).toBeGreaterThan(10)
  })
})
