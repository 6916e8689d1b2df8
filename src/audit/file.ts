import { appendFile, close, open, openSync } from 'node:fs'
import { promisify } from 'node:util'
import type { AuditSink } from '../core/audit.ts'
import { DragomanError } from '../core/errors.ts'
import { lineOf } from './line.ts'

const append = promisify(appendFile)
const openFile = promisify(open)
const closeFile = promisify(close)

// Records that may wait for the disk. Each has about 1 KiB.
const MAX_WAITING = 65_536
// Records wait this long for others, since a write costs about as much as a fifth of an exchange. Nobody waits with them.
const GROUP_MILLISECONDS = 5
// Readable by its owner and group only: subjects may stand in it.
const MODE = 0o640

/**
 * Appends records to a file, one JSON line each; those of 5 milliseconds in one write.
 *
 * Not healthy, so that nothing more is exchanged, when a write has failed and until one succeeds again, or when more than
 * 65,536 records wait. `reopen` opens the path again: call it after a log rotation moved the file away. `close` resolves
 * when everything is written. Does NOT call fsync: a crash of the machine, not of the process, can lose the last records.
 *
 * @throws {@link DragomanError} `ERR_AUDIT_UNAVAILABLE` when the file cannot be opened at start
 */
export function auditToFile(path: string): AuditSink {
  let descriptor = openNow(path)
  let waiting: string[] = []
  let busy: Promise<void> | undefined
  let failed = false
  let moved = false

  async function drain(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GROUP_MILLISECONDS))
    const lines = waiting
    waiting = []
    try {
      if (moved) await follow()
      if (lines.length > 0) await append(descriptor, lines.join(''))
      failed = false
    } catch {
      // What could not be written stays first in line; the gateway stops exchanging meanwhile.
      failed = true
      waiting = [...lines, ...waiting]
    }
  }

  async function follow(): Promise<void> {
    const next = await openFile(path, 'a', MODE)
    moved = false
    const before = descriptor
    descriptor = next
    await closeFile(before)
  }

  function flush(): Promise<void> {
    busy ??= drain().finally(() => {
      busy = undefined
      if (!failed && (waiting.length > 0 || moved)) void flush()
    })
    return busy
  }

  return {
    write(record) {
      waiting.push(lineOf(record))
      void flush()
    },
    healthy() {
      // Tried again when somebody asks, so that a disk with room again is noticed without a timer.
      if (failed) void flush()
      return !failed && waiting.length < MAX_WAITING
    },
    reopen() {
      moved = true
      void flush()
    },
    async close() {
      do await flush()
      while (busy !== undefined)
      await closeFile(descriptor)
    },
  }
}

function openNow(path: string): number {
  try {
    return openSync(path, 'a', MODE)
  } catch (cause) {
    throw new DragomanError('ERR_AUDIT_UNAVAILABLE', {
      cause,
      detail: { expected: 'a file that can be appended to', file: path },
    })
  }
}
