import type { ErrorCode } from '../../core/errors.ts'
import { type Ask, requestFor, tokensFor } from '../ask.ts'
import { type Difference, wordsOf } from '../compare.ts'
import type { Observation } from '../coverage/coverage.ts'
import type { CaseDocument } from '../document.ts'
import { exchanged, freshServices, type Issue, type Outcome } from '../outcome.ts'
import { notMade, refusedAt } from '../run.ts'
import type { Stand } from '../stand.ts'
import { boundTwins } from './bounds.ts'
import { type TwinName, twinTable } from './names.ts'
import { proofTwins } from './proof.ts'
import { requestTwins } from './request.ts'
import { tokenTwins } from './token.ts'
import { transactionTwins } from './transaction.ts'
import type { Maker, Moot, Seed, Variant } from './twin.ts'

const makers: readonly Maker[] = [...requestTwins, ...transactionTwins, ...tokenTwins, ...proofTwins, ...boundTwins]

/** How one negative twin went. */
export interface TwinResult {
  readonly name: TwinName
  /** Which of several it is, such as `actor`. */
  readonly of: string
  /** Why it was not tried; `undefined`: it was. */
  readonly moot?: string
  /** What is wrong with its outcome; `undefined`: nothing. */
  readonly difference?: Difference
  /** Where in the profile it was refused, when it was for another reason than it should have been. */
  readonly told?: readonly string[]
  readonly seen?: Observation
}

/**
 * Makes the negative twins of a case that was issued a token, and tries each: the same request with one thing wrong. It
 * must be refused with a code that fits, or where it may be issued, not reach as far as it would like to.
 */
export async function* twinsOf(one: CaseDocument, ask: Ask, issue: Issue, stand: Stand): AsyncGenerator<TwinResult> {
  const seed: Seed = { ask, issue, stand }
  for (const make of makers) {
    for (const twin of make(seed)) yield resultOf(twin, one, stand)
  }
}

async function resultOf(twin: Variant | Moot, { twins = {} }: CaseDocument, stand: Stand): Promise<TwinResult> {
  const { name, of } = twin
  if ('reason' in twin) return { name, of, moot: twin.reason }
  const override = twins[name]
  if (typeof override === 'object') return { name, of, moot: override.skip }
  const codes = override === undefined ? twinTable[name].codes : [override]
  try {
    const outcome = await tried(twin, stand)
    const difference = judged(outcome, twin, codes)
    const told = difference === undefined ? [] : refusedAt(outcome.record, stand)
    return { name, of, ...(difference && { difference, told }), seen: { ask: twin.ask, record: outcome.record } }
  } catch (error) {
    // Of a twin that cannot be made nothing is known, and it is not passed over in silence.
    return { name, of, difference: notMade(error) }
  }
}

async function tried(twin: Variant, stand: Stand): Promise<Outcome> {
  const services = freshServices(twin.elsewhere === true ? await stand.other() : stand.services)
  const tokens = await tokensFor(twin.ask, stand)
  const request = await requestFor(twin.ask, tokens, stand, services)
  if (twin.again === undefined) return exchanged(request, stand, services)
  await exchanged(request, stand, services)
  const again = await requestFor(twin.ask, tokens, stand, services)
  return exchanged(twin.again === 'proof' ? { ...again, dpop: request.dpop } : again, stand, services)
}

function judged({ issued, refusal }: Outcome, { judge }: Variant, codes: readonly ErrorCode[]): Difference | undefined {
  if (issued !== undefined && judge !== undefined) return judge(issued)
  const expected = codes.join(' or ')
  if (issued !== undefined) return { what: 'refused', expected, actual: 'a token was issued' }
  // One that may be issued may also be refused, for being too little to be worth it.
  if (codes.includes(refusal.code) || (judge !== undefined && codes.length === 0)) return undefined
  return { what: 'refused', expected, actual: refusal.code, note: wordsOf(refusal) }
}
