import type { Writable } from 'node:stream'
import type { AuditSink } from '../core/audit.ts'
import { lineOf } from './line.ts'

// Bytes that may wait for a reader of standard output who does not read. Beyond it nothing more is exchanged.
const MAX_WAITING_BYTES = 16 * 1024 * 1024

/**
 * Writes records to a stream, one JSON line each. Not healthy while its reader is further behind than 16 MiB, or once it
 * has failed. Does NOT wait for the reader, nor for a disk.
 */
export function auditToStream(stream: Writable): AuditSink {
  let failed = false
  stream.on('error', () => {
    failed = true
  })
  return {
    write: (record) => void stream.write(lineOf(record)),
    healthy: () => !failed && stream.writableLength < MAX_WAITING_BYTES,
  }
}
