import type { Loss } from '../core/codec.ts'
import { DragomanError } from '../core/errors.ts'
import type { Ledger, LedgerEntry } from '../core/ledger.ts'
import type { Confirmation, Draft, Token, Validity } from '../core/token.ts'
import type { Value } from '../core/value.ts'
import { sameValue } from '../core/value.ts'

/**
 * What became of each claim: every name of the input and of the output stands in it once.
 *
 * Most of it is a comparison of the two; the stages' notes and the codec's losses say what a comparison cannot see.
 */
export function ledgerOf(subject: Token, draft: Draft, losses: readonly Loss[]): Ledger {
  const input = say(subject.claims, subject.validity, subject.confirmation)
  if (subject.provenance.id !== undefined) input.set('jti', subject.provenance.id)
  input.set('iss', subject.provenance.issuer)
  const output = say(draft.claims, draft.validity, draft.confirmation)
  const entries: LedgerEntry[] = []
  const targets = new Set<string>()
  for (const note of draft.notes) if (note.to !== undefined && note.became === 'renamed') targets.add(note.to)

  for (const [claim, value] of input) entries.push(fate(claim, value, output, draft))
  for (const claim of output.keys())
    if (!input.has(claim) && !targets.has(claim)) entries.push({ claim, became: 'added' })
  for (const { name } of draft.embedded) entries.push({ claim: name, became: 'added', reason: 'embedded token' })
  return losses.length === 0 ? entries : withLosses(entries, losses)
}

/** Refuses when a claim that must be kept was not (`must_keep`). A claim that never came in cannot be lost. */
export function assertKept(ledger: Ledger, mustKeep: readonly string[]): void {
  if (mustKeep.length === 0) return
  const lost = ledger.filter(({ claim, became }) => mustKeep.includes(claim) && LOST.has(became))
  if (lost.length === 0) return
  throw new DragomanError('ERR_PROFILE_LOSS', {
    detail: { lost: lost.map(({ claim, became, reason }) => ({ claim, became, ...(reason && { reason }) })) },
  })
}

const LOST: ReadonlySet<LedgerEntry['became']> = new Set(['dropped', 'lost', 'replaced', 'hashed'])

function fate(claim: string, value: Value, output: ReadonlyMap<string, Value>, draft: Draft): LedgerEntry {
  if (claim === 'iss') return { claim, became: 'replaced', reason: 'the gateway speaks in its own name' }
  if (claim === 'jti') return { claim, became: 'replaced', reason: 'each token has an identifier of its own' }
  const note = draft.notes.find((candidate) => candidate.claim === claim)
  if (note?.became === 'renamed') return { claim, became: 'renamed', to: note.to }
  const now = output.get(claim)
  if (now === undefined) {
    return note ? { claim, became: note.became, ...(note.to && { to: note.to }) } : { claim, became: 'dropped' }
  }
  if (sameValue(value, now)) return { claim, became: 'kept' }
  if (note) return { claim, became: note.became, ...(note.to && { to: note.to }) }
  return { claim, became: narrower(claim, value, now) ? 'narrowed' : 'replaced' }
}

function narrower(claim: string, was: Value, is: Value): boolean {
  if (claim === 'exp') return Number(is) < Number(was)
  if (claim === 'nbf') return Number(is) > Number(was)
  if (!Array.isArray(was) || !Array.isArray(is)) return false
  return is.every((item) => was.includes(item))
}

function say(claims: Token['claims'], validity: Validity, confirmation: Confirmation | undefined): Map<string, Value> {
  const said = new Map<string, Value>(Object.entries(claims))
  const { expiresAt, notBefore, issuedAt, audience, scope } = validity
  if (expiresAt !== undefined) said.set('exp', expiresAt)
  if (notBefore !== undefined) said.set('nbf', notBefore)
  if (issuedAt !== undefined) said.set('iat', issuedAt)
  if (audience.length > 0) said.set('aud', audience)
  if (scope !== undefined) said.set('scope', scope)
  if (confirmation !== undefined) {
    said.set('cnf', confirmation.publicKey?.jkt ?? confirmation.jkt ?? confirmation.x5tS256 ?? confirmation.ckt ?? '')
  }
  return said
}

function withLosses(entries: readonly LedgerEntry[], losses: readonly Loss[]): Ledger {
  const byClaim = new Map(losses.map((loss) => [loss.claim, loss]))
  const told = entries.map((entry) => {
    const loss = byClaim.get(entry.to ?? entry.claim)
    if (!loss || entry.became === 'dropped') return entry
    byClaim.delete(loss.claim)
    return { ...entry, became: loss.became, reason: loss.reason }
  })
  return [...told, ...byClaim.values()]
}
