import { SHARE_ENV, Worker } from 'node:worker_threads'
import type { Measured } from '../gateway/metrics.ts'
import { type Peer, peer } from './calls.ts'
import type { FromMain, ToMain } from './protocol.ts'

/** A thread that serves, seen from the main one. */
export interface Running {
  readonly number: number
  readonly thread: Worker
  readonly peer: Peer<FromMain>
  /** Number of the thread in this process: {@link Worker.threadId} is gone when it has ended. */
  readonly id: number
  readonly startedAt: number
  /** Resolves when the thread has ended, for whatever reason, and what it had sent has arrived. */
  readonly ended: Promise<void>
  /** When it was last asked. */
  measured: Measured | undefined
}

export interface WorkerOptions {
  readonly number: number
  readonly configuration: string
  readonly extensions: readonly string[]
  /** Lines of audit records that it may have on the way; see {@link Outbox}. */
  readonly limit: number
  /** What it may ask of this thread. `records` is told of how many there were, once they are taken. */
  readonly handlers: ToMain
  /** Told of what ended it, if that was a defect. */
  readonly failed: (cause: { readonly [name: string]: unknown }) => void
}

// Room for young objects. More costs memory, tens of megabytes for each thread, and by measurement saves no time.
const YOUNG_MIB = 24

/** Starts a thread. It does nothing before it is asked to. */
export function spawnWorker({ number, configuration, extensions, limit, handlers, failed }: WorkerOptions): Running {
  const taken = new Int32Array(new SharedArrayBuffer(4))
  const thread = new Worker(new URL(`./thread${extension()}`, import.meta.url), {
    workerData: { configuration, extensions, taken: taken.buffer, limit },
    env: SHARE_ENV,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    name: `dragoman ${number}`,
  })
  const own = peer<FromMain>(thread, {
    ...handlers,
    records(lines) {
      Atomics.add(taken, 0, lines.lines.length)
      handlers.records(lines)
    },
  } satisfies ToMain)
  const ended = new Promise<void>((resolve) => {
    thread.once('error', (error) => failed(endOf(error)))
    thread.once('exit', () => {
      own.gone()
      resolve()
    })
  })
  return { number, thread, peer: own, id: thread.threadId, startedAt: performance.now(), ended, measured: undefined }
}

/** Sources in a working copy, and what was built of them in a package. */
const extension = (): string => (import.meta.url.endsWith('.ts') ? '.ts' : '.js')

/** What a thread ended by: its class and where. Not its message, which may quote what was being read. */
export function endOf(error: unknown): { readonly [name: string]: unknown } {
  if (!(error instanceof Error)) return { name: typeof error }
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line))
  return { name: error.name, ...('code' in error && { code: error.code }), stack: frames?.map((line) => line.trim()) }
}
