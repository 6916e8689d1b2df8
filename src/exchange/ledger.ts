import { keepsHistory } from '../core/act.ts'
import type { Loss } from '../core/codec.ts'
import { DragomanError } from '../core/errors.ts'
import { type Ledger, type LedgerEntry, PART_OF_CNF } from '../core/ledger.ts'
import type { Confirmation, Draft, Note, Token } from '../core/token.ts'
import type { Value, ValueMap } from '../core/value.ts'
import { copyOf, isList, sameValue } from '../core/value.ts'

/**
 * What became of each claim: every name of the input and of the output stands in it once.
 *
 * Most of it is a comparison of the two; the stages' notes and the codec's losses say what a comparison cannot see. They
 * are believed where the output bears them out: what was renamed and then dropped is dropped.
 */
export function ledgerOf(subject: Token, draft: Draft, losses: readonly Loss[]): Ledger {
  const input = said(subject)
  const { issuer, id } = subject.provenance
  input['iss'] = issuer
  if (id !== undefined) input['jti'] = id
  const output = said(draft)
  for (const { name, value } of draft.embedded) output[name] = value
  if (nameOneKey(subject.confirmation, draft.confirmation)) output['cnf'] = namesOf(subject.confirmation)
  output['jti'] = ''

  const entries: LedgerEntry[] = []
  const reached: string[] = []
  for (const claim in input) {
    const entry = fate(claim, input[claim] ?? null, output, draft)
    entries.push(entry)
    if (entry.to !== undefined) reached.push(entry.to)
  }
  for (const member of subject.confirmation?.ignored ?? []) {
    entries.push({
      claim: `${PART_OF_CNF}${member}`,
      became: 'dropped',
      reason: 'no confirmation method that is known',
    })
  }
  for (const claim in output) {
    if (claim in input || reached.includes(claim)) continue
    const embedded = draft.embedded.some(({ name }) => name === claim)
    entries.push({ claim, became: 'added', ...(embedded && { reason: 'embedded token' }) })
  }
  return losses.length === 0 ? entries : withLosses(entries, losses)
}

/**
 * Refuses when a claim that must be kept was not (`must_keep`), `cnf` with all that stood in it. A claim that never came in
 * cannot be lost.
 */
export function assertKept(ledger: Ledger, mustKeep: readonly string[]): void {
  if (mustKeep.length === 0) return
  const whole = mustKeep.includes('cnf')
  const must = (claim: string) => mustKeep.includes(claim) || (whole && claim.startsWith(PART_OF_CNF))
  const lost = ledger.filter(({ claim, became }) => LOST.has(became) && must(claim))
  if (lost.length === 0) return
  throw new DragomanError('ERR_PROFILE_LOSS', {
    detail: { lost: lost.map(({ claim, became, reason }) => ({ claim, became, ...(reason && { reason }) })) },
  })
}

const LOST: ReadonlySet<LedgerEntry['became']> = new Set(['dropped', 'lost', 'replaced', 'hashed'])

function fate(claim: string, value: Value, output: ValueMap, draft: Draft): LedgerEntry {
  if (claim === 'iss') return { claim, became: 'replaced', reason: 'the gateway speaks in its own name' }
  if (claim === 'jti') return { claim, became: 'replaced', reason: 'each token has an identifier of its own' }
  const now = output[claim]
  if (now !== undefined && sameValue(value, now)) return { claim, became: 'kept' }
  const { names, became } = follow(claim, draft.notes)
  // Two claims that change places lead from one name to the other and back: what is there whole is there.
  const whole = names.find((name) => sameValue(value, output[name]))
  if (whole !== undefined) return { claim, became: 'renamed', to: whole }
  const name = names.at(-1) ?? claim
  const there = output[name]
  if (name !== claim && became !== undefined && there !== undefined) {
    return { claim, became: became === 'renamed' ? compared(claim, value, there) : became, to: name }
  }
  if (now === undefined) {
    const inside = became === 'embedded' && names.length === 0 && draft.embedded.length > 0
    return { claim, became: inside ? 'embedded' : 'dropped' }
  }
  if (claim === 'act' && keepsHistory(now, value)) return { claim, became: 'kept', reason: 'under a newer actor' }
  return { claim, became: name === claim && became !== undefined ? became : compared(claim, value, now) }
}

interface Way {
  /** Every name it had after its own. */
  readonly names: readonly string[]
  /** Of several things that became of it, the most. */
  readonly became: Note['became'] | undefined
}

/** Where the notes say that a claim went. */
function follow(claim: string, notes: readonly Note[]): Way {
  const names: string[] = []
  let became: Note['became'] | undefined
  for (const note of notes) {
    if (note.claim !== (names.at(-1) ?? claim)) continue
    // Moved or cut, what was hashed is a hash.
    if (became === undefined || became === 'renamed' || note.became === 'hashed') became = note.became
    // Of something mapped, `to` is a value and no name.
    if (note.to !== undefined && note.became !== 'mapped') names.push(note.to)
  }
  return { names, became }
}

const compared = (claim: string, was: Value, is: Value): 'narrowed' | 'replaced' =>
  narrower(claim, was, is) ? 'narrowed' : 'replaced'

function narrower(claim: string, was: Value, is: Value): boolean {
  if (claim === 'exp') return Number(is) < Number(was)
  if (claim === 'nbf') return Number(is) > Number(was)
  if (!isList(was) || !isList(is)) return false
  return is.every((item) => was.some((other) => sameValue(item, other)))
}

function said({ claims, validity, confirmation }: Pick<Token, 'claims' | 'validity' | 'confirmation'>) {
  const all = copyOf(claims)
  const { expiresAt, notBefore, issuedAt, audience, scope } = validity
  if (expiresAt !== undefined) all['exp'] = expiresAt
  if (notBefore !== undefined) all['nbf'] = notBefore
  if (issuedAt !== undefined) all['iat'] = issuedAt
  if (audience.length > 0) all['aud'] = audience
  if (scope !== undefined) all['scope'] = scope
  if (confirmation !== undefined) all['cnf'] = namesOf(confirmation)
  return all
}

/** A key goes by several names, and one of them is enough to know it again. */
function nameOneKey(left: Confirmation | undefined, right: Confirmation | undefined): boolean {
  const names = namesOf(right)
  return namesOf(left).some((name) => names.includes(name))
}

function namesOf(confirmation: Confirmation | undefined): readonly string[] {
  if (confirmation === undefined) return []
  const { publicKey, jkt, x5tS256, ckt } = confirmation
  return [publicKey?.jkt, jkt, x5tS256, ckt].filter((name) => name !== undefined)
}

function withLosses(entries: readonly LedgerEntry[], losses: readonly Loss[]): Ledger {
  const byName = new Map(losses.map((loss) => [loss.claim, loss]))
  const named = new Set(entries.flatMap(({ claim, to }) => (to === undefined ? [claim] : [claim, to])))
  const told = entries.map((entry): LedgerEntry => {
    const loss = byName.get(entry.to ?? entry.claim)
    if (loss === undefined || entry.became === 'dropped') return entry
    // That what is left of a claim was also converted says less than what a stage made of it.
    const became = loss.became === 'lost' || entry.became === 'kept' ? loss.became : entry.became
    return { ...entry, became, reason: loss.reason }
  })
  return [...told, ...[...byName.values()].filter(({ claim }) => !named.has(claim))]
}
