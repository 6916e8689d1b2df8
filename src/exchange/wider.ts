import { keepsHistory } from '../core/act.ts'
import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Danger } from '../core/profile.ts'
import type { Confirmation, Draft } from '../core/token.ts'

/**
 * Refuses a draft that reaches further than what it was made from. Once, after the stages, whatever they were.
 *
 * Lifetime: not beyond the earliest of subject token, actor token and the profile's ceiling; not before their start.
 * Audience: only what the request asked for, as the profile translates it, and never none. Scope: only what the subject
 * token has, where it has any. `act`: the history that came in stands in what goes out, unchanged. `cnf`: what came in
 * bound goes out bound, and a key is only written that the subject token names or that was proved.
 * Each rule gives way to one `danger_` option and to nothing else.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_WIDER`, `detail.rule` naming the option
 */
export function assertNotWider(draft: Draft, exchange: Exchange, audience: readonly string[]): void {
  const { subject, actor, profile, now } = exchange
  const { validity } = draft
  const refuse = (rule: Danger | 'max_lifetime' | 'targets' | 'proof', expected: string): never => {
    throw new DragomanError('ERR_PROFILE_WIDER', { detail: { rule, expected } })
  }
  const allowed = (danger: Danger): boolean => profile.dangers.has(danger)

  if (validity.expiresAt === undefined || validity.expiresAt > now + profile.maxLifetime) {
    refuse('max_lifetime', `exp within ${profile.maxLifetime} seconds`)
  }
  const end = Math.min(subject.validity.expiresAt ?? -Infinity, actor?.validity.expiresAt ?? Infinity)
  if ((validity.expiresAt ?? Infinity) > end && !allowed('danger_outlive_subject')) {
    refuse('danger_outlive_subject', `exp at most ${end}`)
  }
  const start = Math.max(subject.validity.notBefore ?? -Infinity, actor?.validity.notBefore ?? -Infinity)
  if (start > now && (validity.notBefore ?? -Infinity) < start && !allowed('danger_start_earlier')) {
    refuse('danger_start_earlier', `nbf at least ${start}`)
  }
  if (validity.audience.length === 0 || validity.audience.some((value) => !audience.includes(value))) {
    refuse(profile.accepts.targets.open ? 'targets' : 'danger_any_target', 'an audience that was asked for')
  }
  if (!scopeHeld(draft, exchange) && !allowed('danger_widen_scope')) {
    refuse('danger_widen_scope', 'only scope that the subject token has')
  }
  if (!keepsHistory(draft.claims['act'], subject.claims['act']) && !allowed('danger_drop_act')) {
    refuse('danger_drop_act', 'the act claim of the subject token, unchanged inside the output')
  }
  if (subject.confirmation !== undefined && draft.confirmation === undefined && !allowed('danger_drop_confirmation')) {
    refuse('danger_drop_confirmation', 'a confirmation, since the subject token has one')
  }
  if (draft.confirmation !== undefined && !vouched(draft.confirmation, exchange)) {
    refuse('proof', 'a confirmation key that the subject or actor token names, or that was proved')
  }
}

/** A scope may come from another by the profile's table: then it is the source that the subject token must have. */
function scopeHeld({ validity, notes }: Draft, { subject }: Exchange): boolean {
  const held = subject.validity.scope
  if (validity.scope === undefined || held === undefined) return true
  return validity.scope.every(
    (scope) =>
      held.includes(scope) ||
      notes.some(
        ({ claim, became, from, to }) =>
          claim === 'scope' && became === 'mapped' && to === scope && from !== undefined && held.includes(from),
      ),
  )
}

/** Never a key that nobody proved: the subject's or actor's own, or one of this request's proofs. */
function vouched(confirmation: Confirmation, { subject, actor, proofs }: Exchange): boolean {
  const names = namesOf(confirmation)
  const known = [subject.confirmation, actor?.confirmation, ...proofs]
  return known.some((source) => source !== undefined && namesOf(source).some((name) => names.includes(name)))
}

function namesOf({ publicKey, jkt, x5tS256, ckt }: Confirmation): readonly string[] {
  const names = [publicKey?.jkt ?? jkt, x5tS256, ckt]
  return names.filter((name) => name !== undefined)
}
