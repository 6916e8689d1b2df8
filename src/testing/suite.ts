import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { onDisk } from '../config/files.ts'
import { profilesIn } from '../config/tenant.ts'
import type { Configuration } from '../config/types.ts'
import { DragomanError } from '../core/errors.ts'
import type { Check } from '../profiles/check.ts'
import { problemsOf } from '../profiles/problem.ts'
import { type Coverage, coverageOf, type Observation } from './coverage/coverage.ts'
import { type MutationResult, mutationsPassed, runMutations } from './mutations/run.ts'
import { readTest, TEST_FILE } from './read.ts'
import { type CaseResult, runCase } from './run.ts'
import { newStand, type Stand, type Workshop } from './stand.ts'
import { type TwinResult, twinsOf } from './twins/index.ts'

/** How the test of one profile went. */
export interface TestResult {
  readonly file: string
  readonly profile: string
  /** What is wrong in the test file, the profile or the configuration, so that nothing could be run; none: it was run. */
  readonly problems: readonly string[]
  readonly cases: readonly TestedCase[]
  /** Which rules of the profile were exercised; `undefined`: nothing could be run. */
  readonly coverage: Coverage | undefined
  /** What became of its mutations; `undefined`: they were not asked for. */
  readonly mutations: MutationResult | undefined
}

/** A case with its negative twins. */
export interface TestedCase extends CaseResult {
  readonly twins: readonly TwinResult[]
}

export const passed = ({ problems, cases, mutations }: TestResult): boolean =>
  problems.length === 0 && cases.every(casePassed) && (mutations === undefined || mutationsPassed(mutations))

export const casePassed = ({ differences, twins }: TestedCase): boolean =>
  differences.length === 0 && twins.every(({ difference }) => difference === undefined)

/** Where the tests are, and the profiles that have none. */
export interface Found {
  readonly tests: readonly string[]
  readonly untested: readonly string[]
}

/** The tests at some places, each a test file, a profile that has one beside it, or a folder. Nothing there: none. */
export function testsAt(places: readonly string[]): Found {
  const tests = new Set<string>()
  const untested = new Set<string>()
  for (const file of places.flatMap(filesAt)) {
    if (TEST_FILE.test(file)) tests.add(file)
    else {
      const beside = file.replace(/\.(ya?ml)$/, '.test.$1')
      if (existsSync(beside)) tests.add(beside)
      else untested.add(file)
    }
  }
  return { tests: [...tests], untested: [...untested] }
}

function filesAt(place: string): readonly string[] {
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory() !== true) return [place]
  const tests = readdirSync(place).filter((name) => TEST_FILE.test(name))
  return [...profilesIn(place, onDisk), ...tests.sort().map((name) => join(place, name))]
}

/** The places of all profiles of a configuration. */
export function placesOf({ file, tenants }: Configuration): readonly string[] {
  return tenants.flatMap(({ profiles }) => [profiles].flat().map((place) => placeOf(place, file)))
}

/** A place of a configuration, called as the configuration is. */
export const placeOf = (place: string, configuration: string): string =>
  isAbsolute(place) ? place : join(dirname(configuration), place)

export interface TestOptions {
  /** Whether negative twins are made. */
  readonly twins: boolean
  /** Whether mutations of the profile are tried, once its test passes. */
  readonly mutations: boolean
  readonly check?: Check
}

/** Runs one test file. What is wrong with it, or with what it tests, is told in its result. */
export async function runTest(file: string, workshop: Workshop, options: TestOptions): Promise<TestResult> {
  let profile = file
  try {
    const test = readTest(file, options.check)
    profile = test.profile
    const stand = await newStand(test, workshop)
    const cases = await runCases(stand, options)
    const coverage = coverageOf(stand, cases.flatMap(observed))
    // A test that fails says nothing of what it would notice.
    const mutations = options.mutations && cases.every(casePassed) ? await runMutations(stand) : undefined
    return { file, profile, problems: [], cases, coverage, mutations }
  } catch (error) {
    if (!(error instanceof DragomanError) || error.code === 'ERR_INTERNAL') throw error
    return { file, profile, problems: problemsOf(error) ?? [error.message], ...NOTHING }
  }
}

const NOTHING = { cases: [], coverage: undefined, mutations: undefined } as const

const observed = ({ seen, twins }: TestedCase): readonly Observation[] =>
  [seen, ...twins.map((twin) => twin.seen)].filter((one) => one !== undefined)

async function runCases(stand: Stand, { twins }: TestOptions): Promise<readonly TestedCase[]> {
  const cases: TestedCase[] = []
  for (const [index, one] of stand.test.document.cases.entries()) {
    const result = await runCase(index, one, stand)
    const { given, differences } = result
    const tried: TwinResult[] = []
    if (twins && given !== undefined && differences.length === 0) {
      for await (const twin of twinsOf(one, given.ask, given.issue, stand)) tried.push(twin)
    }
    cases.push({ ...result, twins: tried })
  }
  return cases
}
