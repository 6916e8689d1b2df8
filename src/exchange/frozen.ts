import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Profile } from '../core/profile.ts'
import type { Draft, Token } from '../core/token.ts'
import { isMap, sameValue, type Value } from '../core/value.ts'

/** Whether the subject token is replaced by one of its own type, where that type has rules for it. */
export const isReplacement = ({ provenance }: Token, { writer }: Pick<Profile, 'writer'>): boolean =>
  writer.frozen !== undefined && provenance.type === writer.tokenType

/**
 * Refuses a replacement that says something else than the token it replaces (transaction tokens §13.15): each frozen claim
 * is what it was, or has members beside those that it had; no more scope; no later end, whatever `danger_` option is on.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_FROZEN`, `detail.claim` naming what differs
 */
export function assertFrozen(draft: Draft, { subject, profile }: Exchange): void {
  if (!isReplacement(subject, profile)) return
  for (const claim of profile.writer.frozen ?? []) {
    if (!keeps(said(subject, claim), said(draft, claim))) throw frozen(claim)
  }
  const { scope = [], expiresAt = -Infinity } = subject.validity
  if (draft.validity.scope?.some((name) => !scope.includes(name))) throw frozen('scope')
  if (!((draft.validity.expiresAt ?? Infinity) <= expiresAt)) throw frozen('exp')
}

/** What refuses a change of a frozen claim, or of a member of one. Names only. */
export const frozen = (claim: string, member?: string): DragomanError =>
  new DragomanError('ERR_PROFILE_FROZEN', { detail: { claim, ...(member !== undefined && { member }) } })

const said = ({ claims, validity }: Pick<Token, 'claims' | 'validity'>, claim: string): Value | undefined =>
  claim === 'aud' ? validity.audience : claims[claim]

function keeps(before: Value | undefined, after: Value | undefined): boolean {
  // What was not there can be added where it is a map; an identifier cannot.
  if (before === undefined) return after === undefined || isMap(after)
  if (!isMap(before)) return sameValue(before, after)
  return isMap(after) && Object.keys(before).every((name) => sameValue(before[name], after[name]))
}
