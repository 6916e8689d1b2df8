import { mootIn } from './show.ts'
import { casePassed, passed, type TestResult } from './suite.ts'

/** Results as one value for programs. Holds no token and no key. */
export const jsonOf = (results: readonly TestResult[], untested: readonly string[]) => ({
  passed: results.every(passed),
  profiles: results.map((result) => ({
    profile: result.profile,
    test: result.file,
    passed: passed(result),
    problems: result.problems,
    cases: result.cases.map((one) => ({
      name: one.name,
      passed: casePassed(one),
      differences: one.differences,
      twins: one.twins
        .filter(({ moot }) => moot === undefined)
        .map(({ name, of, difference, seen }) => ({
          name,
          ...(of !== '' && { of }),
          passed: difference === undefined,
          ...(seen?.record.code !== undefined && { code: seen.record.code }),
          ...(difference && { difference }),
        })),
    })),
    no_twin: Object.fromEntries(mootIn(result.cases)),
    coverage: result.coverage,
    mutations: result.mutations,
  })),
  untested,
})
