import type { Coverage } from './coverage/coverage.ts'
import type { MutationResult } from './mutations/run.ts'
import { casePassed, passed, type TestedCase, type TestResult } from './suite.ts'
import type { TwinResult } from './twins/index.ts'

/** The result of a test file, as a person reads it: what failed at length, what passed in a line. */
export function showTest(result: TestResult, { verbose = false } = {}): string {
  const { profile, problems, cases, coverage, mutations } = result
  const lines = [
    profile,
    ...problems.flatMap((problem) => indented(`FAIL  ${problem}`, 2)),
    ...cases.flatMap(showCase),
    ...showMoot(cases, verbose),
    // Of a test that fails it says little.
    ...(coverage === undefined || !cases.every(casePassed) ? [] : showCoverage(coverage)),
    ...(mutations === undefined ? [] : showMutations(mutations)),
  ]
  return `${lines.join('\n')}\n`
}

function showCase(one: TestedCase): readonly string[] {
  const { name, told, twins } = one
  const tried = twins.filter(({ moot }) => moot === undefined)
  const failed = twins.filter(({ difference }) => difference !== undefined)
  const more = tried.length === 0 ? '' : `  (${counted(tried.length, 'twin')})`
  if (casePassed(one)) return [`  pass  ${name}${more}`]
  return [`  FAIL  ${name}`, ...told.flatMap((text) => indented(text, 8)), ...failed.flatMap(showTwin)]
}

function showTwin({ difference, told = [], ...twin }: TwinResult): readonly string[] {
  if (difference === undefined) return []
  const { what, expected, actual, note } = difference
  const words = `twin ${twinTitle(twin)}: ${what}: expected ${expected}, was ${actual}`
  return [words, ...(note === undefined ? [] : [`  ${note}`]), ...told].flatMap((text) => indented(text, 8))
}

/** The twins that apply to no case: by name, or each with its reason. */
function showMoot(cases: readonly TestedCase[], verbose: boolean): readonly string[] {
  const moot = mootIn(cases)
  if (moot.size === 0) return []
  if (!verbose) return [`  no twin ${[...moot.keys()].join(', ')}`]
  return [...moot].map(([title, reason]) => `  no twin ${title}: ${reason}`)
}

/** Twins that apply to none of these cases, with the first reason why. */
export function mootIn(cases: readonly TestedCase[]): ReadonlyMap<string, string> {
  const twins = cases.flatMap((one) => one.twins)
  const tried = new Set(twins.filter(({ moot }) => moot === undefined).map(({ name }) => name))
  const moot = new Map<string, string>()
  for (const twin of twins) {
    const title = twinTitle(twin)
    if (twin.moot !== undefined && !tried.has(twin.name) && !moot.has(title)) moot.set(title, twin.moot)
  }
  return moot
}

function showCoverage({ rules, missing }: Coverage): readonly string[] {
  const head = `  rules   ${rules - missing.length} of ${rules} exercised`
  return [head, ...missing.flatMap(({ place }) => indented(place, 8))]
}

function showMutations({ tried, noticed, equivalent, survived, stale }: MutationResult): readonly string[] {
  const more = equivalent.length === 0 ? '' : `, ${equivalent.length} equivalent`
  return [
    `  mutations ${noticed.length} of ${tried} noticed${more}`,
    ...survived.flatMap(({ name, place }) => [`  FAIL  mutation ${name}`, ...indented(place, 8)]),
    ...stale.map((name) => `  FAIL  equivalent ${JSON.stringify(name)}: there is no such mutation, or it is noticed`),
  ]
}

/** A twin by its name, and which of several it is. */
export const twinTitle = ({ name, of }: Pick<TwinResult, 'name' | 'of'>): string =>
  of === '' ? name : `${name} (${of})`

export const indented = (text: string, columns: number): readonly string[] =>
  text.split('\n').map((line, at) => `${' '.repeat(at === 0 ? columns : columns + 2)}${line}`)

/** The last line: how many of what, and whether all of it passed. */
export function showSummary(results: readonly TestResult[]): string {
  const cases = results.flatMap((result) => result.cases)
  const twins = cases.flatMap((one) => one.twins).filter(({ moot }) => moot === undefined)
  const failed = results.filter((result) => !passed(result)).length
  const mutations = results.flatMap((result) => result.mutations ?? [])
  const survived = mutations.flatMap((one) => [...one.survived, ...one.stale])
  const failures = [
    [results.filter(({ problems }) => problems.length > 0).length, 'test'],
    [cases.filter(({ differences }) => differences.length > 0).length, 'case'],
    [twins.filter(({ difference }) => difference !== undefined).length, 'twin'],
    [survived.length, 'mutation'],
  ] as const
  const told = failures.filter(([number]) => number > 0).map(([number, what]) => counted(number, what))
  const counts = [
    counted(results.length, 'profile'),
    counted(cases.length, 'case'),
    counted(twins.length, 'twin'),
    ...(mutations.length === 0
      ? []
      : [
          counted(
            mutations.reduce((sum, { tried }) => sum + tried, 0),
            'mutation',
          ),
        ]),
  ]
  const verdict = failed === 0 ? 'all passed' : `${told.join(' and ')} failed, in ${counted(failed, 'profile')}`
  return `${counts.join(', ')}: ${verdict}\n`
}

export const counted = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`
