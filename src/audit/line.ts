import type { AuditRecord } from '../core/audit.ts'

/** One record as one line of JSON, `undefined` members left out. JSON escapes every line break inside. */
export const lineOf = (record: AuditRecord): string => `${JSON.stringify(record)}\n`
