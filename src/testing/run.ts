import type { AuditRecord } from '../core/audit.ts'
import { DragomanError } from '../core/errors.ts'
import type { Path } from '../profiles/problem.ts'
import { type Ask, askOf, requestFor, tokensFor } from './ask.ts'
import { compare, type Difference, wordsOf } from './compare.ts'
import type { Observation } from './coverage/coverage.ts'
import type { CaseDocument } from './document.ts'
import { exchanged, freshServices, type Issue } from './outcome.ts'
import { placeIn, rulePath } from './places.ts'
import type { Stand } from './stand.ts'

/** How one case went. */
export interface CaseResult {
  readonly name: string
  readonly index: number
  /** None: it passed. */
  readonly differences: readonly Difference[]
  /** Each of them in words, with its place in the test file and, where a rule refused, in the profile. */
  readonly told: readonly string[]
  /** What was seen, for the coverage; `undefined`: its tokens could not be made. */
  readonly seen: Observation | undefined
  /** What it asked and was given, to make twins of; `undefined`: it was not to be issued anything, or was not. */
  readonly given: { readonly ask: Ask; readonly issue: Issue } | undefined
  readonly milliseconds: number
}

/** Runs one case of a test. */
export async function runCase(index: number, one: CaseDocument, stand: Stand): Promise<CaseResult> {
  const started = performance.now()
  const run = await outcomeOf(one, stand)
  const told = run.differences.map((difference) => tell(difference, index, stand))
  const refused = run.differences.length > 0 && run.seen ? refusedAt(run.seen.record, stand) : []
  return { name: one.name, index, ...run, told: [...told, ...refused], milliseconds: since(started) }
}

type Run = Pick<CaseResult, 'differences' | 'seen' | 'given'>

async function outcomeOf(one: CaseDocument, stand: Stand): Promise<Run> {
  const ask = askOf(one, stand)
  const services = freshServices(stand.services)
  try {
    const tokens = await tokensFor(ask, stand)
    if (one.request.again) await exchanged(await requestFor(ask, tokens, stand, services), stand, services)
    const request = await requestFor(ask, tokens, stand, services)
    const outcome = await exchanged(request, stand, services)
    const { issued, record } = outcome
    const given = one.expect.token !== undefined && issued !== undefined ? { ask, issue: issued } : undefined
    return { differences: compare(one.expect, outcome, stand), seen: { ask, record }, given }
  } catch (error) {
    return { differences: [notMade(error)], seen: undefined, given: undefined }
  }
}

export const since = (started: number): number => Math.round(performance.now() - started)

function tell({ what, expected, actual, note }: Difference, index: number, { test }: Stand): string {
  const words = `expected ${expected}, was ${actual}${note === undefined ? '' : `\n${note}`}`
  return placeIn(test.source, ['cases', index, ...pathOf(what)], words)
}

const OF_EXPECT: ReadonlySet<string> = new Set(['token', 'refused', 'at', 'detail', 'ledger', 'subject_in_audit'])

/** The member of a case that a difference is about. Names of claims may have dots. */
function pathOf(what: string): Path {
  const [, first = what, rest] = /^(\w+)\.(.*)$/s.exec(what) ?? []
  if (first === 'request') return ['request']
  return ['expect', ...(OF_EXPECT.has(first) ? [] : ['token']), first, ...(rest === undefined ? [] : [rest])]
}

/** The rule of the profile that refused. */
export function refusedAt(record: AuditRecord, { source }: Stand): readonly string[] {
  const path = rulePath(record)
  return path === undefined ? [] : [placeIn(source, path, `refused here: ${record.code}`)]
}

/** A description of which no token can be made. Anything else is a defect, and is thrown on. */
export function notMade(error: unknown): Difference {
  if (!(error instanceof DragomanError) || error.code === 'ERR_INTERNAL') throw error
  return { what: 'request', expected: 'tokens that can be made', actual: error.code, note: wordsOf(error) }
}
