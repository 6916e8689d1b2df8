import { twinTitle } from './show.ts'
import type { TestedCase, TestResult } from './suite.ts'

/**
 * Results as JUnit XML, in the form that CI servers read (that of Ant and Jenkins): a suite for each profile, a test for
 * each case, each twin of it and each mutation that was not noticed. What does not apply is skipped, with its reason.
 */
export function junitOf(results: readonly TestResult[]): string {
  const suites = results.map(suiteOf)
  const tests = suites.flatMap((suite) => suite.tests)
  const body = suites.map(({ name, tests: own }) => element('testsuite', { name, ...counts(own) }, own.map(testOf)))
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', { name: 'dragoman test', ...counts(tests) }, body)}\n`
}

interface Test {
  readonly classname: string
  readonly name: string
  readonly milliseconds: number
  /** What went wrong; `undefined`: nothing. */
  readonly failure?: string
  /** The profile could not be tried at all. */
  readonly error?: string
  readonly skipped?: string
}

function suiteOf({ profile, problems, cases, mutations }: TestResult): {
  readonly name: string
  readonly tests: readonly Test[]
} {
  const test = (name: string, more: Partial<Test> = {}): Test => ({
    classname: profile,
    name,
    milliseconds: 0,
    ...more,
  })
  const { survived = [], stale = [], noticed = [] } = mutations ?? {}
  return {
    name: profile,
    tests: [
      ...(problems.length === 0 ? [] : [test('can be tested', { error: problems.join('\n') })]),
      ...cases.flatMap((one) => testsOf(one, test)),
      ...noticed.map((name) => test(`notices: ${name}`)),
      ...survived.map(({ name, place }) => test(`notices: ${name}`, { failure: place })),
      ...stale.map((name) => test(`equivalent: ${name}`, { failure: 'there is no such mutation, or it is noticed' })),
    ],
  }
}

function testsOf(
  { name, told, twins, milliseconds }: TestedCase,
  test: (name: string, more?: Partial<Test>) => Test,
): readonly Test[] {
  return [
    test(name, { milliseconds, ...(told.length > 0 && { failure: told.join('\n') }) }),
    ...twins.map(({ difference, told: places = [], moot, ...twin }) => {
      const title = `${name}: twin ${twinTitle(twin)}`
      if (moot !== undefined) return test(title, { skipped: moot })
      if (difference === undefined) return test(title)
      const { what, expected, actual, note } = difference
      const words = [`${what}: expected ${expected}, was ${actual}`, ...(note === undefined ? [] : [note]), ...places]
      return test(title, { failure: words.join('\n') })
    }),
  ]
}

const counts = (tests: readonly Test[]) => ({
  tests: tests.length,
  failures: tests.filter(({ failure }) => failure !== undefined).length,
  errors: tests.filter(({ error }) => error !== undefined).length,
  skipped: tests.filter(({ skipped }) => skipped !== undefined).length,
  time: seconds(tests.reduce((sum, { milliseconds }) => sum + milliseconds, 0)),
})

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(3)

function testOf({ classname, name, milliseconds, failure, error, skipped }: Test): string {
  const inside = [
    ...(failure === undefined
      ? []
      : [element('failure', { message: firstLine(failure), type: 'difference' }, [text(failure)])]),
    ...(error === undefined ? [] : [element('error', { message: firstLine(error), type: 'problem' }, [text(error)])]),
    ...(skipped === undefined ? [] : [element('skipped', { message: skipped }, [])]),
  ]
  return element('testcase', { classname, name, time: seconds(milliseconds) }, inside)
}

const firstLine = (words: string): string => words.split('\n', 1)[0] ?? ''

function element(
  name: string,
  attributes: { readonly [name: string]: string | number },
  inside: readonly string[],
): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${text(String(value))}"`)
  return inside.length === 0
    ? `<${name}${written.join('')}/>`
    : `<${name}${written.join('')}>${inside.join('')}</${name}>`
}

const ESCAPES: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // As they are, an attribute would have spaces in their place (XML 1.0 section 3.3.3).
  '\n': '&#10;',
  '\t': '&#9;',
}

// XML 1.0 section 2.2: no other character may stand in a document, not even escaped.
const NOT_IN_XML = /[^\t\n\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu

const text = (value: string): string =>
  value
    .toWellFormed()
    .replace(NOT_IN_XML, '\uFFFD')
    .replace(/[&<>"\n\t]/g, (character) => ESCAPES[character] ?? character)
