/**
 * The tests of profiles as a library: `dragoman test` inside your own test runner, with codecs and stages of your own.
 */
import { builtin, extended } from '../catalog.ts'
import { configurationCheck, readConfiguration } from '../config/read.ts'
import type { Extension } from '../core/catalog.ts'
import { testCheck } from './read.ts'
import { showTest } from './show.ts'
import { newWorkshop } from './stand.ts'
import { passed, runTest, type TestResult } from './suite.ts'

export type { Extension } from '../core/catalog.ts'
export { junitOf } from './junit.ts'
export { type Found, type TestedCase, type TestResult, testsAt } from './suite.ts'

/** With what profiles are tested. */
export interface TesterOptions extends Extension {
  /** A configuration file to take issuers, clients, keys and limits from, all but what is secret. Default: made from each profile. */
  readonly configuration?: string
  /** Whether negative twins of the cases are tried. Default: true. */
  readonly twins?: boolean
  /** Whether one thing in the profile at a time is changed, which its test must notice. Takes seconds. Default: false. */
  readonly mutations?: boolean
}

/** How one test went. */
export interface Tested extends TestResult {
  readonly passed: boolean
  /** What `dragoman test` prints of it. */
  readonly report: string
}

/** Runs tests of profiles, one file at a time. Nothing is fetched, no real key or secret is read. */
export interface Tester {
  /** Runs a test (`name.test.yaml`). Rejects for a defect only: what is wrong in test, profile or configuration is in the result. */
  run(file: string): Promise<Tested>
  /** The same, for a test runner: rejects, with the report as its message, when anything failed. */
  assert(file: string): Promise<void>
}

/**
 * A tester with codecs, stages, grants, client methods and proofs beside the built-in ones.
 *
 * @throws {@link DragomanError} for a configuration that cannot be read, with the place of all that is wrong
 */
export function createTester(options: TesterOptions = {}): Tester {
  const { configuration: file, twins = true, mutations = false, ...more } = options
  const methods = extended(builtin(), more).clientMethods
  const configuration = file === undefined ? undefined : readConfiguration(file, configurationCheck(methods))
  const workshop = newWorkshop(configuration, more)
  const check = testCheck()
  const run = async (test: string): Promise<Tested> => {
    const result = await runTest(test, workshop, { twins, mutations, check })
    return { ...result, passed: passed(result), report: showTest(result) }
  }
  return {
    run,
    async assert(test) {
      const result = await run(test)
      if (!result.passed) throw new Error(result.report)
    },
  }
}
