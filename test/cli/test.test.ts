import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exit } from '../../src/cli/io.ts'
import { run } from '../../src/cli/run.ts'
import { command } from '../support/command.ts'
import { newPlace, type Place, STRICT, STRICT_TEST } from '../support/testing.ts'

let place: Place
beforeAll(() => {
  place = newPlace()
  place.write('one.yaml', STRICT)
  place.write('one.test.yaml', STRICT_TEST)
  place.write('bad.yaml', STRICT.replace('name: one', 'name: bad'))
  const odd = 'claims: { odd: "<&>\\u0007" }'
  place.write(
    'bad.test.yaml',
    STRICT_TEST.replace('lifetime: 300', 'lifetime: 301').replace('claims: { email: ada@shop.example }', odd),
  )
  place.write('wrong.test.yaml', `profile: one.yaml\n${STRICT_TEST.replace('expect:', 'expct:')}`)
  place.write('none.yaml', STRICT.replace('name: one', 'name: none'))
})
afterAll(() => place.remove())

async function dragoman(...args: readonly string[]) {
  let out = ''
  let error = ''
  const io = {
    input: () => Promise.resolve(''),
    out(text: string) {
      out += text
    },
    error(text: string) {
      error += text
    },
    terminal: false,
  }
  const code = await run(['test', ...args], io)
  return { code, out: out.replaceAll(`${place.folder}/`, ''), error }
}

const at = (name: string) => join(place.folder, name)

describe('without the configuration that a test needs', () => {
  it('each case is told with its line and what is missing, and the others are run', async () => {
    const { code, out, error } = await command(['test', 'profiles/scenarios/downscoping/mixed'])
    expect(error).toBe('')
    expect(code).toBe(1)
    expect(out).toMatch(/stock\.test\.yaml:13:14: cases\[0\]\.request: expected tokens that can be made/)
    expect(out).toContain(
      'a key of the gateway for cwt: setup.keys names one, and --config has those of a configuration',
    )
    expect(out).toMatch(/^4 profiles, /m)
  })
})

describe('dragoman test', () => {
  it('ends with 0 when all passed, and says how much that was', async () => {
    const { code, out } = await dragoman(at('one.yaml'))
    expect(code).toBe(exit.done)
    expect(out).toContain('one.yaml\n  pass  it is given  (')
    expect(out).toMatch(/\n1 profile, 1 case, \d+ twins: all passed\n$/)
  })

  it('ends with 1 when something failed, and shows what was expected, what was, and where', async () => {
    const { code, out } = await dragoman(at('bad.test.yaml'))
    expect(code).toBe(exit.refused)
    expect(out).toContain('FAIL  it is given\n        bad.test.yaml:8:84: cases[0].expect.token.claims.odd')
    expect(out).toContain('bad.test.yaml:8:64: cases[0].expect.token.lifetime: expected 301, was 300\n')
    expect(out).toContain('1 profile, 1 case, 0 twins: 1 case failed, in 1 profile\n')
  })

  it('shows for a refusal that was not expected the code, the words, and the rule of the profile', async () => {
    place.write('old.test.yaml', `profile: one.yaml\n${STRICT_TEST.replace('cnf: ada }', 'cnf: ada, issued: -1000 }')}`)
    const { code, out } = await dragoman(at('old.test.yaml'))
    expect(code).toBe(exit.refused)
    expect(out).toContain('expected a token, was ERR_TOKEN_TOO_OLD\n')
    expect(out).toContain('at most 600 seconds')
    expect(out).toContain('one.yaml:8:14: accept.subject.max_age: refused here: ERR_TOKEN_TOO_OLD\n')
  })

  it('ends with 1 for a test file that is wrong, with its place', async () => {
    const { code, out } = await dragoman(at('wrong.test.yaml'))
    expect(code).toBe(exit.refused)
    expect(out).toContain('wrong.test.yaml:9:5: cases[0].expct: unknown option; did you mean `expect`?')
    expect(out).toContain('1 test failed')
  })

  it('ends with 2 for a command line that is wrong', async () => {
    for (const args of [[], ['--no-such'], [at('none.yaml')], [at('nowhere')]]) {
      const { code, error } = await dragoman(...args)
      expect(code, args.join(' ')).toBe(exit.usage)
      expect(error).toContain('usage: dragoman test')
    }
  })

  it('takes a folder, and names profiles that have no test', async () => {
    const { out } = await dragoman(place.folder)
    expect(out).toContain('none.yaml\n  has no test\n')
    expect(out).toContain('one.yaml\n  pass  it is given')
  })

  it('tries no twins with --no-twins, and says with --verbose why some are not tried', async () => {
    expect((await dragoman(at('one.yaml'), '--no-twins')).out).toContain('1 profile, 1 case, 0 twins: all passed')
    expect((await dragoman(at('one.yaml'), '--verbose')).out).toContain(
      '  no twin no_actor: the profile takes no actor token\n',
    )
  })

  it('fails with --mutate for a test that would not notice', async () => {
    const { code, out } = await dragoman(at('one.yaml'), '--mutate')
    expect(code).toBe(exit.refused)
    expect(out).toContain('FAIL  mutation stages[0].context.keep: becomes "*"\n')
    expect(out).toMatch(/\d+ mutations?: \d+ mutations? failed, in 1 profile\n$/)
  })

  it('prints one JSON object with --json', async () => {
    const { code, out } = await dragoman(at('one.yaml'), at('bad.yaml'), '--json')
    expect(code).toBe(exit.refused)
    expect(JSON.parse(out)).toMatchObject({
      passed: false,
      profiles: [
        { profile: 'one.yaml', passed: true, cases: [{ name: 'it is given', passed: true, differences: [] }] },
        {
          profile: 'bad.yaml',
          passed: false,
          cases: [{ differences: [{ what: 'lifetime' }, { what: 'claims.odd' }].reverse() }],
        },
      ],
    })
    expect(out).not.toMatch(/eyJ/)
  })
})

/** What CI servers read of JUnit XML: elements with their attributes, and what may stand inside each. */
const JUNIT = `
import sys, json, xml.etree.ElementTree as E
counts = {'tests', 'failures', 'errors', 'skipped', 'time', 'name'}
allowed = {
  'testsuites': (counts, {'testsuite'}),
  'testsuite': (counts, {'testcase'}),
  'testcase': ({'classname', 'name', 'time'}, {'failure', 'error', 'skipped'}),
  'failure': ({'message', 'type'}, set()),
  'error': ({'message', 'type'}, set()),
  'skipped': ({'message'}, set()),
}
root = E.parse(sys.argv[1]).getroot()
wrong = [] if root.tag == 'testsuites' else [root.tag]
for element in root.iter():
  attributes, inside = allowed.get(element.tag, (set(), set()))
  wrong += [element.tag + '@' + name for name in set(element.keys()) - attributes]
  wrong += [element.tag + '/' + one.tag for one in element if one.tag not in inside]
  wrong += [element.tag + ' without ' + name for name in attributes - set(element.keys())]
for suite in [root, *root]:
  cases = list(suite.iter('testcase'))
  real = {'tests': len(cases), 'failures': len(list(suite.iter('failure'))), 'errors': len(list(suite.iter('error'))), 'skipped': len(list(suite.iter('skipped')))}
  wrong += [name for name, number in real.items() if suite.get(name) != str(number)]
print(json.dumps({'wrong': wrong, 'failures': [f.text for f in root.iter('failure')], 'errors': [e.get('message') for e in root.iter('error')],
  'skipped': len(list(root.iter('skipped'))), 'names': [c.get('name') for c in root.iter('testcase')]}))
`

const python = hasPython()
function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import xml.etree.ElementTree'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe.skipIf(!python && process.env['CI'] !== 'true')('the JUnit report', () => {
  it('is read by an XML parser, has what CI servers know, and counts right', async () => {
    const report = at('report.xml')
    const { code } = await dragoman(at('one.yaml'), at('bad.yaml'), at('wrong.test.yaml'), '--junit', report)
    expect(code).toBe(exit.refused)
    const read = JSON.parse(execFileSync('python3', ['-c', JUNIT, report], { encoding: 'utf8' })) as {
      readonly [name: string]: readonly string[]
    }
    expect(read['wrong']).toEqual([])
    expect(read['failures']?.[0]).toContain('expected 301, was 300\n')
    expect(read['failures']?.[0]).toContain('expected "<&>\\u0007", was absent\n')
    expect(read['errors']?.[0]).toContain('`expect` is missing')
    expect(Number(read['skipped'])).toBeGreaterThan(1)
    expect(read['names']).toContain('it is given: twin expired')
    expect(readFileSync(report, 'utf8')).not.toMatch(/eyJ|PRIVATE KEY/)
  })

  it('has a test for each mutation', async () => {
    const report = at('mutated.xml')
    await dragoman(at('one.yaml'), '--mutate', '--junit', report)
    const read = JSON.parse(execFileSync('python3', ['-c', JUNIT, report], { encoding: 'utf8' }))
    expect(read.wrong).toEqual([])
    expect(read.names).toContain('notices: accept.subject.max_age: removed')
    expect(read.failures.join('\n')).toContain('stages[0].context.keep: not noticed')
  })
})
