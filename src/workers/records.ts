import process from 'node:process'
import { auditToFile, auditToStream, lineOf } from '../audit/index.ts'
import type { AuditSink, LineSink } from '../core/audit.ts'
import { DragomanError } from '../core/errors.ts'

/** Lines of a worker, all for one audit stream. */
export interface Lines {
  /** `''`: standard output. */
  readonly file: string
  readonly lines: readonly string[]
}

/** One word of shared memory for each stream, 1 while records can be written to it. */
export type Health = ReadonlyMap<string, SharedArrayBuffer>

// Milliseconds in which workers hear that a stream cannot be written, or can again.
const LOOK_INTERVAL = 50

/**
 * The audit streams of the process, written by the main thread alone, so that no line is cut by another's. Whichever
 * tenants name one file share one stream.
 */
export function auditStreams() {
  const streams = new Map<string, { readonly sink: LineSink; readonly health: SharedArrayBuffer }>()
  const look = ({ sink, health }: { readonly sink: LineSink; readonly health: SharedArrayBuffer }) =>
    Atomics.store(new Int32Array(health), 0, sink.healthy?.() === false ? 0 : 1)
  const looking = setInterval(() => {
    for (const stream of streams.values()) look(stream)
  }, LOOK_INTERVAL).unref()
  return {
    open(path: string | undefined): LineSink {
      const file = path ?? ''
      const known = streams.get(file)
      if (known) return known.sink
      const sink = path === undefined ? auditToStream(process.stdout) : auditToFile(path)
      const stream = { sink, health: new SharedArrayBuffer(4) }
      look(stream)
      streams.set(file, stream)
      return sink
    },
    health: (): Health => new Map([...streams].map(([file, { health }]) => [file, health])),
    /** @throws {@link DragomanError} `ERR_AUDIT_UNAVAILABLE` when they are lost */
    write({ file, lines }: Lines): void {
      const stream = streams.get(file)
      if (stream === undefined) throw new TypeError('a stream that is open')
      try {
        stream.sink.append(lines)
      } finally {
        look(stream)
      }
    },
    stop: () => clearInterval(looking),
  }
}

/** A worker's side of the streams: what it sends, and what it has been told of them. */
export interface Outbox {
  readonly send: (lines: Lines) => void
  readonly health: () => Health
  /** How many of this worker's lines the main thread has taken: one word of shared memory, counted modulo 2^32. */
  readonly taken: SharedArrayBuffer
  /** Lines on their way beyond which nothing more is exchanged; beyond twice as many none is taken. */
  readonly limit: number
}

// To wake the main thread costs a tenth of an exchange, so that records go to it together, as they go to the disk.
const GROUP_MILLISECONDS = 5

/**
 * Sinks of a worker: each record becomes a line here, and those of 5 milliseconds go to the main thread together. `flush` sends
 * what waits: called when the worker ends, a defect loses none; what stops it at once, such as the end of its memory, loses these.
 */
export function auditOutbox({ send, health, taken, limit }: Outbox) {
  const counted = new Int32Array(taken)
  const waiting = new Map<string, string[]>()
  let sent = 0
  let due = false

  const onTheWay = (): number => (sent - Atomics.load(counted, 0)) | 0

  function flush(): void {
    due = false
    for (const [file, lines] of waiting) send({ file, lines })
    waiting.clear()
  }

  function sink(path: string | undefined): AuditSink {
    const file = path ?? ''
    const writable = () => {
      const word = health().get(file)
      return word !== undefined && Atomics.load(new Int32Array(word), 0) === 1
    }
    return {
      write(record) {
        if (onTheWay() >= 2 * limit) {
          throw new DragomanError('ERR_AUDIT_UNAVAILABLE', { detail: { expected: 'a main thread that writes' } })
        }
        const lines = waiting.get(file)
        if (lines) lines.push(lineOf(record))
        else waiting.set(file, [lineOf(record)])
        sent = (sent + 1) | 0
        if (due) return
        due = true
        setTimeout(flush, GROUP_MILLISECONDS)
      },
      healthy: () => onTheWay() < limit && writable(),
    }
  }

  return { sink, flush }
}
