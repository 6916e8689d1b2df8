import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfiguration } from '../../src/config/read.ts'
import { newWorkshop } from '../../src/testing/stand.ts'
import { runTest, type TestOptions, type TestResult } from '../../src/testing/suite.ts'

/** A folder with a profile and its test. */
export interface Place {
  readonly folder: string
  write(name: string, text: string): string
  /** Runs the test of `one.yaml`, which are written first. */
  run(profile: string, test: string, options?: Partial<TestOptions> & { configuration?: string }): Promise<TestResult>
  remove(): void
}

const plain = newWorkshop()

export function newPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-testing-'))
  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text)
    return file
  }
  return {
    folder,
    write,
    run(profile, test, { configuration, ...options } = {}) {
      write('one.yaml', profile)
      const file = write('one.test.yaml', test)
      const workshop =
        configuration === undefined ? plain : newWorkshop(readConfiguration(write('dragoman.yaml', configuration)))
      return runTest(file, workshop, { twins: true, mutations: false, ...options })
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}

/** A profile that asks for everything a JWT can be asked for. */
export const STRICT = `name: one
accept:
  clients: [shop]
  subject:
    format: jwt
    issuers: [https://id.example]
    require: [email]
    max_age: 600
    single_use: true
    algorithms: [ES256]
  targets: { allow: [https://orders.example] }
stages:
  - context: { keep: [email] }
  - validity: { lifetime: 300, scope: { allow: [orders.read] } }
  - sender_constraint: { require: true }
  - format: { to: jwt, kind: at+jwt }
`

export const STRICT_TEST = `setup:
  issuers: [{ issuer: https://id.example, subjects: [shop/*] }]
tokens:
  ada: { claims: { sub: shop/ada, email: ada@shop.example, scope: orders.read orders.write }, cnf: ada }
cases:
  - name: it is given
    request: { subject: ada, scope: orders.read }
    expect: { token: { scope: orders.read, cnf: ada, lifetime: 300, claims: { email: ada@shop.example } } }
`

/** Titles of the twins that went wrong, with what was wrong. */
export const failedTwins = ({ cases }: TestResult): readonly string[] =>
  cases.flatMap(({ twins }) =>
    twins.flatMap(({ name, of, difference }) =>
      difference === undefined ? [] : [`${[name, of].join(' ').trim()}: ${difference.actual}`],
    ),
  )
