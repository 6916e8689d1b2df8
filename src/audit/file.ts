import { close, closeSync, fstatSync, open, openSync, readSync, write } from 'node:fs'
import { promisify } from 'node:util'
import type { LineSink } from '../core/audit.ts'
import { DragomanError } from '../core/errors.ts'
import { lineOf } from './line.ts'

const openFile = promisify(open)
const closeFile = promisify(close)

/** Writes what it can of `bytes`, from `offset`, and resolves with how many it were. A disk that fills up takes some. */
export type WriteSome = (descriptor: number, bytes: Uint8Array, offset: number) => Promise<number>

const toDisk: WriteSome = (descriptor, bytes, offset) =>
  new Promise((resolve, reject) => {
    write(descriptor, bytes, offset, (error, written) => (error ? reject(error) : resolve(written)))
  })

// Records that may wait for the disk. Each has about 1 KiB. Beyond it nothing more is exchanged.
const MAX_WAITING = 65_536
// Refusals leave records too: beyond this nothing is kept for a disk that does not come back.
const LAST_WAITING = 2 * MAX_WAITING
// Records wait this long for others, since a write costs about as much as a fifth of an exchange. Nobody waits with them.
const GROUP_MILLISECONDS = 5
// Readable by its owner and group only: subjects may stand in it.
const MODE = 0o640

interface Options {
  readonly write?: WriteSome
  /** Milliseconds. */
  readonly group?: number
}

const NOTHING = Buffer.alloc(0)
const LINE_FEED = 0x0a

/**
 * Appends records to a file, one JSON line each; those of `group` milliseconds, 5 unless told, in one write. With 0 each is
 * written at once, so that whoever was answered finds it there.
 *
 * Not healthy, so that nothing more is exchanged, when a write has failed and until one succeeds again, or when more than
 * 65,536 records wait. What could not be written stays first in line, to the byte: a disk that was full for a while leaves
 * no broken line. `reopen` opens the path again: call it after a log rotation moved the file away. `close` resolves when
 * everything is written. Does NOT call fsync: a crash of the machine, not of the process, can lose the last records.
 *
 * `write` throws where the record would be lost: after `close`, or when 131,072 of them wait. `close` rejects if some were.
 *
 * @throws {@link DragomanError} `ERR_AUDIT_UNAVAILABLE` when the file cannot be opened at start
 */
export function auditToFile(path: string, { write = toDisk, group = GROUP_MILLISECONDS }: Options = {}): LineSink {
  let descriptor = openNow(path)
  // What a crash cut off stays alone on its line.
  let waiting: string[] = endsTorn(path, descriptor) ? ['\n'] : []
  // On its way: the records, as bytes, and how many of these have arrived.
  let batch = { bytes: NOTHING, records: 0, arrived: 0 }
  let busy: Promise<void> | undefined
  let closed: Promise<void> | undefined
  let failed = false
  let moved = false

  const left = (): number => waiting.length + batch.records

  async function drain(): Promise<void> {
    if (group > 0) await new Promise((resolve) => setTimeout(resolve, group))
    try {
      if (moved) await follow()
      if (batch.records === 0) {
        batch = { bytes: Buffer.from(waiting.join('')), records: waiting.length, arrived: 0 }
        waiting = []
      }
      while (batch.arrived < batch.bytes.length) batch.arrived += await write(descriptor, batch.bytes, batch.arrived)
      batch = { bytes: NOTHING, records: 0, arrived: 0 }
      failed = false
    } catch {
      failed = true
    }
  }

  async function follow(): Promise<void> {
    // First, so that a file moved away while this one is being opened is noticed.
    moved = false
    const next = await openFile(path, 'a', MODE).catch((cause: unknown) => {
      moved = true
      throw cause
    })
    const before = descriptor
    descriptor = next
    // A line that was cut off in the file before is written whole in this one.
    const { bytes, arrived } = batch
    batch.arrived = arrived === 0 ? 0 : bytes.lastIndexOf(LINE_FEED, arrived - 1) + 1
    await closeFile(before)
  }

  function flush(): Promise<void> {
    busy ??= drain().finally(() => {
      busy = undefined
      if (!failed && (left() > 0 || moved)) void flush()
    })
    return busy
  }

  async function end(): Promise<void> {
    do await flush()
    while (busy !== undefined)
    await closeFile(descriptor)
    if (left() > 0) throw unavailable(path, { lost: left() })
  }

  function append(lines: readonly string[]): void {
    if (closed !== undefined || left() >= LAST_WAITING) throw unavailable(path)
    for (const line of lines) waiting.push(line)
    void flush()
  }

  return {
    write: (record) => append([lineOf(record)]),
    append,
    healthy() {
      if (closed !== undefined) return false
      // Tried again when somebody asks, so that a disk with room again is noticed without a timer.
      if (failed) void flush()
      return !failed && left() < MAX_WAITING
    },
    reopen() {
      if (closed !== undefined) return
      moved = true
      void flush()
    },
    close() {
      closed ??= end()
      return closed
    },
  }
}

function openNow(path: string): number {
  try {
    return openSync(path, 'a', MODE)
  } catch (cause) {
    throw unavailable(path, {}, cause)
  }
}

/** Whether the file ends in the middle of a line. One that may be written and not read is taken to be whole. */
function endsTorn(path: string, descriptor: number): boolean {
  const stat = fstatSync(descriptor)
  if (!stat.isFile() || stat.size === 0) return false
  const last = Buffer.alloc(1)
  try {
    const reader = openSync(path, 'r')
    try {
      readSync(reader, last, 0, 1, stat.size - 1)
    } finally {
      closeSync(reader)
    }
  } catch {
    return false
  }
  return last[0] !== LINE_FEED
}

const unavailable = (path: string, more: { readonly lost?: number } = {}, cause?: unknown): DragomanError =>
  new DragomanError('ERR_AUDIT_UNAVAILABLE', {
    cause,
    detail: { expected: 'a file that can be appended to', file: path, ...more },
  })
