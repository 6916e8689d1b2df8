import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scenarioNames } from '../../src/cli/dev/scenario.ts'
import { readConfiguration } from '../../src/config/read.ts'
import { newWorkshop } from '../../src/testing/stand.ts'
import { placesOf, runTest, testsAt } from '../../src/testing/suite.ts'
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

describe('the profiles of the scenarios', () => {
  const scenarios = join(folder, 'scenarios')
  /** Each with the configuration that has it: who trusts whom is half of what they promise. */
  const all = scenarioNames().flatMap((name) =>
    readdirSync(join(scenarios, name))
      .filter((file) => file.endsWith('.yaml') && file !== 'samples.yaml')
      .flatMap((file) => {
        const configuration = readConfiguration(join(scenarios, name, file))
        const { tests, untested } = testsAt(placesOf(configuration))
        const found = { workshop: newWorkshop(configuration), untested }
        return tests.map((test) => [relative(scenarios, test), { ...found, test }] as const)
      }),
  )

  it('have a test each', () => {
    expect(all.flatMap(([, { untested }]) => untested)).toEqual([])
    const profiles = readdirSync(scenarios, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /^[^/]+\/[^/]+\/[^./]+\.yaml$/.test(name),
    )
    expect(all.map(([name]) => name.replace('.test.yaml', '.yaml')).sort()).toEqual(profiles.sort())
  })

  it.each(all)('%s: passes, its negative twins are refused, and no mutation goes unnoticed', async (_, one) => {
    const { problems, cases, coverage, mutations } = await runTest(one.test, one.workshop, {
      twins: true,
      mutations: true,
    })
    expect(problems).toEqual([])
    expect(cases.flatMap(({ told }) => told)).toEqual([])
    const twins = cases.flatMap((each) => each.twins)
    expect(twins.filter(({ difference }) => difference !== undefined)).toEqual([])
    expect(twins.filter(({ moot }) => moot === undefined).length).toBeGreaterThan(10)
    expect(coverage?.missing).toEqual([])
    expect(mutations?.survived).toEqual([])
    expect(mutations?.stale).toEqual([])
  })
})
