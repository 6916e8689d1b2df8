import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import { andThen, isLater } from '../core/later.ts'
import type { Step } from '../core/profile.ts'
import type { Draft } from '../core/token.ts'
import { variablesOf } from '../core/variables.ts'
import type { Trail } from './trail.ts'

/** Runs the stages in the profile's order, each on the draft of the one before, and notes what each changed. */
export async function run(start: Draft, exchange: Exchange, trail: Trail): Promise<Draft> {
  let draft = start
  for (const step of exchange.profile.steps) {
    trail.step = step.stage
    trail.path = step.path
    const next = runStep(step, draft, exchange, trail)
    draft = isLater(next) ? await next : next
  }
  trail.path = undefined
  return draft
}

function runStep(step: Step, draft: Draft, exchange: Exchange, trail: Trail): Draft | Promise<Draft> {
  const { stage, path, transform, when } = step
  if (transform === undefined) {
    trail.note({ step: stage, path, outcome: 'passed' })
    return draft
  }
  if (when !== undefined && !holds(step, draft, exchange)) {
    trail.note({ step: stage, path, outcome: 'skipped' })
    return draft
  }
  const ended = (next: Draft): Draft => {
    const changed = next === draft ? [] : changes(draft, next)
    trail.note({ step: stage, path, outcome: changed.length > 0 ? 'changed' : 'unchanged', changed })
    return next
  }
  return andThen(transform(draft, exchange), ended)
}

function holds({ when, path }: Step, draft: Draft, exchange: Exchange): boolean {
  const value = when?.evaluate(variablesOf(draft, exchange))
  if (typeof value === 'boolean') return value
  // Neither true nor false: passing the stage over would be a guess in the client's favour.
  throw new DragomanError('ERR_PROFILE_EXPRESSION', { detail: { path, expected: 'true or false' } })
}

/** Names of what differs between two drafts: claims by name, then validity, confirmation and embedded tokens. */
export function changes(before: Draft, after: Draft): readonly string[] {
  const changed: string[] = []
  if (before.claims !== after.claims) {
    for (const name in after.claims) if (before.claims[name] !== after.claims[name]) changed.push(name)
    for (const name in before.claims) if (after.claims[name] === undefined) changed.push(name)
  }
  const { validity: was } = before
  const { validity: is } = after
  if (was !== is) {
    if (was.expiresAt !== is.expiresAt) changed.push('exp')
    if (was.notBefore !== is.notBefore) changed.push('nbf')
    if (was.issuedAt !== is.issuedAt) changed.push('iat')
    if (!sameList(was.audience, is.audience)) changed.push('aud')
    if (!sameList(was.scope, is.scope)) changed.push('scope')
  }
  if (before.confirmation !== after.confirmation) changed.push('cnf')
  if (after.embedded !== before.embedded) {
    for (const { name } of after.embedded.slice(before.embedded.length)) changed.push(name)
  }
  return changed
}

const sameList = (left: readonly string[] | undefined, right: readonly string[] | undefined): boolean =>
  left === right || (left?.length === right?.length && left?.every((item, index) => item === right?.[index]) === true)
