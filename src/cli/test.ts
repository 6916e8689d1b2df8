import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { jsonOf } from '../testing/json.ts'
import { junitOf } from '../testing/junit.ts'
import { testCheck } from '../testing/read.ts'
import { showSummary, showTest } from '../testing/show.ts'
import { newWorkshop } from '../testing/stand.ts'
import { passed, placesOf, runTest, type TestResult, testsAt } from '../testing/suite.ts'
import { type Command, configurationIn, EXTENSION, exit, UsageError } from './io.ts'

/** `dragoman test`: runs the tests beside profiles. */
export const testCommand: Command = {
  name: 'test',
  summary: 'runs the tests beside profiles (name.test.yaml): real exchanges, with keys and tokens made for them',
  usage: '[PATHS] [--config FILE] [options]',
  example: 'dragoman test profiles',
  options: [
    ['PATHS', 'test files, profiles, or folders of them (default: those of the configuration)'],
    ['--config FILE', 'takes issuers, clients, keys and limits from a configuration, all but what is secret'],
    ['--no-twins', 'tries the cases only, not their negative twins'],
    ['--mutate', 'changes one thing in each profile at a time: its test must notice'],
    ['--verbose', 'says of each twin that is not tried why it does not apply'],
    EXTENSION,
    ['--json', 'prints one JSON object'],
    ['--junit FILE', 'writes a report in JUnit XML, for CI servers'],
  ],
  async run(args, io, more) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string', short: 'c' },
        json: { type: 'boolean', default: false },
        'no-twins': { type: 'boolean', default: false },
        junit: { type: 'string' },
        verbose: { type: 'boolean', short: 'v', default: false },
        mutate: { type: 'boolean', default: false },
      },
    })
    const configuration = values.config === undefined ? undefined : configurationIn(values.config, more)
    const places = positionals.length > 0 ? positionals : configuration && placesOf(configuration)
    if (places === undefined) throw new UsageError('a path is expected, or --config')
    const { tests, untested } = testsAt(places)
    if (tests.length === 0) throw new UsageError(`there is no test (name.test.yaml) at ${places.join(', ')}`)
    const workshop = newWorkshop(configuration, more)
    const check = testCheck()
    const results: TestResult[] = []
    for (const file of tests) {
      const result = await runTest(file, workshop, { twins: !values['no-twins'], mutations: values.mutate, check })
      results.push(result)
      if (!values.json) io.out(showTest(result, { verbose: values.verbose }))
    }
    if (values.junit !== undefined) writeFileSync(values.junit, junitOf(results))
    if (values.json) io.out(`${JSON.stringify(jsonOf(results, untested))}\n`)
    else {
      for (const file of untested) io.out(`${file}\n  has no test\n`)
      io.out(`\n${showSummary(results)}`)
    }
    return results.every(passed) ? exit.done : exit.refused
  },
}
