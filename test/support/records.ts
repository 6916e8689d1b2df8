import type { AuditRecord } from '../../src/core/audit.ts'

/** An audit record with this id; the rest as small as a record can be. */
export const record = (id: string, more: Partial<AuditRecord> = {}): AuditRecord => ({
  time: '2027-01-15T08:00:00.000Z',
  event: 'exchange',
  id,
  tenant: 'default',
  result: 'issued',
  trace: [],
  duration_us: 1,
  ...more,
})

/** The ids in a text of records, each of which must be a line of JSON by itself, and each line whole. */
export function idsIn(text: string): readonly string[] {
  if (text !== '' && !text.endsWith('\n')) throw new TypeError('the last line has no end')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as AuditRecord).id)
}
