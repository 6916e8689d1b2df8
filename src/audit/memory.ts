import type { AuditRecord, AuditSink } from '../core/audit.ts'

/** Keeps records in memory, newest last: for tests, and for who embeds a gateway and has a stream of its own. */
export function auditToMemory(): AuditSink & { readonly records: readonly AuditRecord[] } {
  const records: AuditRecord[] = []
  return { records, write: (record) => void records.push(record) }
}
