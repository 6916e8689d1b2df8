import type { AuditRecord, TraceEntry } from '../core/audit.ts'
import type { ErrorCode } from '../core/errors.ts'
import { errors } from '../core/errors.ts'
import type { Ledger, LedgerEntry } from '../core/ledger.ts'
import { plain } from '../core/plain.ts'

/** One exchange told to a person: what came of it, what happened to each claim, and each step on request. */
export function showRecord(record: AuditRecord, { trace = false }: { trace?: boolean } = {}): string {
  const lines = [headline(record)]
  if (record.code !== undefined) lines.push(...whyRefused(record))
  if (record.ledger) lines.push(...showLedger(record.ledger).map((line) => `  ${line}`))
  if (trace) lines.push('  steps', ...record.trace.map((entry) => `    ${showStep(entry)}`))
  return `${lines.map(plain).join('\n')}\n`
}

const headline = ({ result, profile, client, issued_token_type: type, code, id }: AuditRecord): string =>
  result === 'issued'
    ? `issued   ${profile} for ${client}: ${type} (request ${id})`
    : `refused  ${profile ?? 'no profile'} for ${client ?? 'nobody'}: ${code} (request ${id})`

function whyRefused({ code, trace }: AuditRecord): readonly string[] {
  const reason = errors[code as ErrorCode]
  const entry = trace.find(({ outcome }) => outcome === 'refused')
  const { code: _, ...detail } = entry?.detail ?? {}
  const lines = [`  at     ${entry?.path ?? entry?.step ?? 'unknown'}`, `  cause  ${reason.cause}`]
  for (const [name, value] of Object.entries(detail)) {
    if (value !== undefined)
      lines.push(`         ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  }
  return [...lines, `  cure   ${reason.cure}`]
}

const ORDER: readonly LedgerEntry['became'][] = [
  'kept',
  'renamed',
  'mapped',
  'hashed',
  'converted',
  'narrowed',
  'replaced',
  'embedded',
  'added',
  'dropped',
  'lost',
]

/** The ledger, a line for each thing that can become of a claim. */
export function showLedger(ledger: Ledger): readonly string[] {
  return ORDER.flatMap((became) => {
    const entries = ledger.filter((entry) => entry.became === became)
    if (entries.length === 0) return []
    return [plain(`${became.padEnd(9)} ${entries.map(showEntry).join(', ')}`)]
  })
}

const showEntry = ({ claim, to, became, reason }: LedgerEntry): string => {
  const name = to === undefined ? claim : `${claim} to ${to}`
  return reason !== undefined && (became === 'lost' || became === 'converted') ? `${name} (${reason})` : name
}

const showStep = ({ step, path, outcome, changed, detail }: TraceEntry): string =>
  [
    outcome.padEnd(9),
    path ?? step,
    changed && changed.length > 0 ? `: ${changed.join(', ')}` : '',
    detail ? ` ${JSON.stringify(detail)}` : '',
  ].join(' ')
