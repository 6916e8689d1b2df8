import type { Writable } from 'node:stream'
import type { LineSink } from '../core/audit.ts'
import { DragomanError } from '../core/errors.ts'
import { lineOf } from './line.ts'

// Bytes that may wait for a reader of standard output who does not read. Beyond it nothing more is exchanged.
const MAX_WAITING_BYTES = 16 * 1024 * 1024
// Refusals leave records too: beyond this nothing is kept for a reader who has stopped.
const LAST_BYTES = 2 * MAX_WAITING_BYTES

/**
 * Writes records to a stream, one JSON line each. Not healthy while its reader is further behind than 16 MiB, or once the
 * stream has failed or ended. `close` resolves when the stream has taken what was written, and leaves it open: it is
 * somebody else's. Does NOT wait for a disk.
 *
 * `write` throws {@link DragomanError} `ERR_AUDIT_UNAVAILABLE` where the record would be lost: after the end of the stream or a
 * failure, or when the reader is 32 MiB behind.
 */
export function auditToStream(stream: Writable): LineSink {
  // Without a listener the end of a reader would be the end of the process. One is enough for all who share a stream.
  if (stream.listenerCount('error') === 0) stream.on('error', () => {})
  // Kept here: standard output looks as if nothing had happened a moment after its reader is gone.
  let failed = false
  const written = (error?: Error | null) => {
    if (error) failed = true
  }
  const isOpen = () => !failed && stream.writable
  function append(lines: readonly string[]): void {
    if (!isOpen() || stream.writableLength >= LAST_BYTES) throw unread()
    stream.write(lines.join(''), written)
    // A pipe without a reader fails at once, so that this record is known to be lost before its token is given out.
    if (!stream.writable) failed = true
    if (failed) throw unread()
  }

  return {
    write: (record) => append([lineOf(record)]),
    append,
    healthy: () => isOpen() && stream.writableLength < MAX_WAITING_BYTES,
    close: () =>
      new Promise((resolve) => {
        if (stream.writable) stream.write('', () => resolve())
        else resolve()
      }),
  }
}

const unread = (): DragomanError =>
  new DragomanError('ERR_AUDIT_UNAVAILABLE', { detail: { expected: 'a stream that is read' } })
