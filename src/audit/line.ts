import type { AuditRecord } from '../core/audit.ts'

// JSON escapes the line breaks of ASCII. These are left over: some readers split lines at them, and terminals obey some.
const BREAKS = /[\u007f-\u009f\u2028\u2029]/g
const DELETE = '\u007f'

/** One record as one line of JSON, `undefined` members left out. No character inside it ends a line for any reader. */
export function lineOf(record: AuditRecord): string {
  const text = JSON.stringify(record)
  // Most records are ASCII, which is found out in a tenth of the time that looking for these takes.
  const plain = Buffer.byteLength(text) === text.length && !text.includes(DELETE)
  return `${plain ? text : text.replace(BREAKS, escaped)}\n`
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
