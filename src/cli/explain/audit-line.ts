import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { AuditRecord } from '../../core/audit.ts'

// One record has some kilobytes; a line beyond this is none.
const MAX_LINE = 1024 * 1024

/**
 * The audit record with this id in a file of records, one a line; the last one, should there be several. Reads the file
 * once and holds no more than a line of it.
 *
 * @throws an Error for a file that cannot be read
 */
export async function recordIn(file: string, id: string): Promise<AuditRecord | undefined> {
  const wanted = JSON.stringify(id)
  let found: AuditRecord | undefined
  try {
    for await (const line of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })) {
      if (line.length > MAX_LINE || !line.includes(wanted)) continue
      found = recordOf(line, id) ?? found
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw new Error(`${file} cannot be read (${error.code})`)
    throw error
  }
  return found
}

function recordOf(line: string, id: string): AuditRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    // Another stream may write into the same file.
    return undefined
  }
  const record = Object(value) as Partial<AuditRecord>
  return record.event === 'exchange' &&
    record.id === id &&
    Array.isArray(record.trace) &&
    typeof record.time === 'string'
    ? (record as AuditRecord)
    : undefined
}
