import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DragomanError } from '../core/errors.ts'
import { type Check, checkFor } from '../profiles/check.ts'
import { hint } from '../profiles/nearest.ts'
import type { Path } from '../profiles/problem.ts'
import { type Report, reportOn } from '../profiles/report.ts'
import { readSource, type Source } from '../profiles/source.ts'
import type { CaseDocument, TestDocument, TokenDocument } from './document.ts'
import { testSchema } from './schema.ts'

/** A test file, checked, with its source for whoever has to say where something stands in it. */
export interface TestFile {
  readonly file: string
  /** The profile that it tests. */
  readonly profile: string
  /** Seconds since the epoch. */
  readonly clock: number
  readonly document: TestDocument
  readonly source: Source
}

/** 2027-01-15T08:00:00Z: far enough ahead that nobody takes a test for the present. */
const CLOCK = 1_800_000_000

/** How a test file is called: `name.test.yaml` beside `name.yaml`. */
export const TEST_FILE = /\.test\.(ya?ml)$/

/** The check of test files against their schema; takes some 20 milliseconds to make. */
export const testCheck = (): Check => checkFor(testSchema)

/**
 * Reads a test file and checks it whole: against its schema, and that the names in it are names of something.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SYNTAX`, `ERR_PROFILE_SCHEMA`, `ERR_PROFILE_OPTION`, with file, line, column
 * and what would be right, for all that is wrong at once
 */
export function readTest(file: string, check: Check = testCheck()): TestFile {
  const source = readSource({ file, text: textOf(file) })
  const report = reportOn(source)
  for (const problem of check(source.value)) report.add(problem)
  report.settle()
  const document = source.value as TestDocument
  checkNames(document, report)
  const clock = clockOf(document, report)
  report.settle()
  const profile = join(dirname(file), document.profile ?? defaultProfile(file))
  return { file, profile, clock, document, source }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const expected = 'a test file that can be read'
    throw new DragomanError('ERR_PROFILE_SYNTAX', {
      cause,
      detail: { file, expected },
      message: `${file}: expected ${expected}`,
    })
  }
}

const defaultProfile = (file: string): string => (file.split(/[\\/]/).at(-1) ?? file).replace(TEST_FILE, '.$1')

function clockOf({ clock }: TestDocument, report: Report): number {
  if (clock === undefined) return CLOCK
  if (typeof clock === 'number') return clock
  const milliseconds = Date.parse(clock)
  if (Number.isNaN(milliseconds)) report.add({ path: ['clock'], message: 'expected a time that there is' })
  return milliseconds / 1000
}

function checkNames({ tokens = {}, cases }: TestDocument, report: Report): void {
  const known = Object.keys(tokens)
  const checkName = (name: string | undefined, path: Path): void => {
    if (name === undefined || known.includes(name)) return
    const message = `there is no token ${JSON.stringify(name)}; ${hint(name, known, 'there are')}`
    report.add({ path, message, code: 'ERR_PROFILE_OPTION' })
  }
  const checkToken = (token: TokenDocument, path: Path): void => {
    checkName(token.like, [...path, 'like'])
    for (const claim of Object.keys(token.claims ?? {})) refuseIn(TOKEN, claim, [...path, 'claims', claim], report)
    for (const [claim, name] of Object.entries(token.embeds ?? {})) checkName(name, [...path, 'embeds', claim])
  }
  for (const [name, token] of Object.entries(tokens)) {
    checkToken(token, ['tokens', name])
    if (!reaches(name, tokens)) continue
    report.add({ path: ['tokens', name], message: 'is made of itself', code: 'ERR_PROFILE_OPTION', atName: true })
  }
  const told = new Set<string>()
  for (const [index, one] of cases.entries()) {
    const path = ['cases', index]
    if (told.has(one.name)) report.add({ path: [...path, 'name'], message: 'is that of another case too' })
    told.add(one.name)
    for (const role of ['subject', 'actor'] as const) {
      const token = one.request[role]
      if (typeof token === 'string') checkName(token, [...path, 'request', role])
      else if (token !== undefined) checkToken(token, [...path, 'request', role])
    }
    for (const claim of Object.keys(one.expect.token?.claims ?? {})) {
      refuseIn(EXPECTED, claim, [...path, 'expect', 'token', 'claims', claim], report)
    }
    checkExpectation(one, path, report)
  }
}

/** Claims that are said by another member, since the harness makes of that what a format has for it. */
const TOKEN: { readonly [claim: string]: string } = {
  iss: 'issuer',
  exp: 'lifetime',
  nbf: 'not_before',
  iat: 'issued',
  cnf: 'cnf',
}
const EXPECTED: typeof TOKEN = { exp: 'lifetime', nbf: 'not_before', aud: 'audience', scope: 'scope', cnf: 'cnf' }

/** Claims that are another one each time, or always the gateway's word. */
const OWN = new Set(['jti', 'iat', 'iss'])

function refuseIn(others: typeof TOKEN, claim: string, path: Path, report: Report): void {
  const other = Object.hasOwn(others, claim) ? others[claim] : undefined
  if (other !== undefined) report.add({ path, atName: true, message: `is not said here; say \`${other}\`` })
  else if (OWN.has(claim)) report.add({ path, atName: true, message: 'is not said here: each token has its own' })
}

/** Members that say something of the other outcome would never be looked at. */
function checkExpectation({ expect, twins }: CaseDocument, path: Path, report: Report): void {
  const wrong = (...more: Path) => {
    const outcome = expect.token === undefined ? 'issues a token' : 'is refused'
    report.add({ path: [...path, ...more], atName: true, message: `belongs to a case that ${outcome}` })
  }
  if (expect.token === undefined) {
    if (twins !== undefined) wrong('twins')
    if (expect.ledger !== undefined) wrong('expect', 'ledger')
  } else {
    for (const name of ['at', 'detail'] as const) if (expect[name] !== undefined) wrong('expect', name)
  }
}

/** Whether a token is made of itself, by way of others. */
function reaches(start: string, tokens: { readonly [name: string]: TokenDocument }): boolean {
  const seen = new Set<string>()
  const next = (name: string): readonly string[] => {
    const { like, embeds = {} } = tokens[name] ?? {}
    return [...(like === undefined ? [] : [like]), ...Object.values(embeds)]
  }
  const left = [...next(start)]
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (name === start) return true
    if (seen.has(name)) continue
    seen.add(name)
    left.push(...next(name))
  }
  return false
}
