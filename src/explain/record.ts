import type { AuditRecord } from '../core/audit.ts'
import { DragomanError, type ErrorCode, errors } from '../core/errors.ts'
import type { Services } from '../core/exchange.ts'
import type { Profile } from '../core/profile.ts'
import type { Candidate, Rehearsal } from '../core/rehearsal.ts'
import { type Explained, explain } from './explain.ts'
import type { Explanation } from './types.ts'
import { texts } from './words.ts'

/**
 * An exchange that has taken place, explained from its audit record alone: what refused, where, what would make it pass.
 *
 * Places are given where the profile is still the one that was in force, by its digest. The record has no token, so that
 * what a token said is not told; {@link explainRequest} with the token does.
 *
 * @throws TypeError for a record with a reason code that this version does not know
 */
export function explainRecord(
  record: AuditRecord,
  services: Services,
  { configuration }: Pick<Explained, 'configuration'> = {},
): Explanation {
  const refused = record.trace.find(({ outcome }) => outcome === 'refused')
  const { code: _, ...detail } = refused?.detail ?? {}
  const error = record.code === undefined ? undefined : new DragomanError(codeOf(record.code), { detail })
  const { profile, note } = profileOf(record, services)
  const rehearsal: Rehearsal = {
    error,
    trace: record.trace,
    client:
      record.client === undefined
        ? undefined
        : { id: record.client, method: record.client_method ?? 'an unknown method' },
    profile,
    candidates: error === undefined || profile !== undefined ? [] : candidatesOf(error, services),
    signed: new Map(),
    proofs: [],
    draft: undefined,
    ledger: record.ledger,
    toBeSigned: undefined,
    usesKnown: true,
  }
  const now = Math.floor(Date.parse(record.time) / 1000)
  const notes = [
    ...note,
    ...(error === undefined ? [] : ['told from the audit record; with the token there is more to tell']),
  ]
  const explanation = explain(rehearsal, { request: undefined, services, now, configuration, notes })
  const { refusal } = explanation
  return {
    ...explanation,
    // By its grant, which only the record knows.
    refusal: refusal && { ...refusal, error: record.error ?? refusal.error },
    result: record.result,
    request_id: record.id,
    profile:
      record.profile === undefined
        ? undefined
        : { name: record.profile, digest: record.profile_digest ?? '', place: explanation.profile?.place },
  }
}

function codeOf(code: string): ErrorCode {
  if (!Object.hasOwn(errors, code)) throw new TypeError(`a reason code of this version, not ${code}`)
  return code as ErrorCode
}

/** The profile of a record; without places when it is another version of it. */
function profileOf(
  { profile: name, profile_digest: digest }: AuditRecord,
  { profiles }: Services,
): { readonly profile: Profile | undefined; readonly note: readonly string[] } {
  const profile = profiles.all.find((one) => one.name === name)
  if (profile === undefined) {
    return { profile, note: name === undefined ? [] : [`there is no profile ${name} any more`] }
  }
  if (profile.digest === digest) return { profile, note: [] }
  const note = `the profile ${profile.name} has changed since (it was ${String(digest).slice(0, 12)}…): no lines are given`
  return { profile: { ...profile, origin: undefined }, note: [note] }
}

/** The profiles that a refusal names: those that came as far as the rule that refused. */
function candidatesOf(error: DragomanError, { profiles }: Services): readonly Candidate[] {
  const named = texts(error.detail['profiles'])
  const misfits = error.code === 'ERR_PROFILE_AMBIGUOUS' ? [] : [error]
  return profiles.all.filter(({ name }) => named.includes(name)).map((profile) => ({ profile, misfits }))
}
