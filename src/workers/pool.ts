import process from 'node:process'
import type { Worker } from 'node:worker_threads'
import { createGateway, type Gateway, type Settled } from '../compose.ts'
import { loadExtensions } from '../config/extensions.ts'
import { type ListenerSetting, reserve } from '../gateway/listen.ts'
import { type Measured, together, workerCounters } from '../gateway/metrics.ts'
import { type ReplayTable, releaseLocks } from '../stores/shared.ts'
import { inTime, unlessGone, within } from './calls.ts'
import type { Plan, ToMain } from './protocol.ts'
import { auditStreams } from './records.ts'
import { endOf, type Running, spawnWorker } from './worker.ts'

/** A gateway in several threads: what `serve` does with one in its own. */
export interface Workers extends Pick<Gateway, 'close' | 'files' | 'generation' | 'reload' | 'reopen' | 'warnings'> {
  readonly addresses: readonly string[]
}

export interface WorkersOptions {
  readonly count: number
  /** Files of `--extension`, which each thread loads for itself: functions cannot be sent. */
  readonly extensions?: readonly string[]
  /** Told of defects, of workers that ended, and of when they serve again. */
  readonly log: (event: string, detail: { readonly [name: string]: unknown }) => void
  /** Told of each thread that is started. */
  readonly spawned?: (thread: Worker) => void
}

// Milliseconds before a worker that ended is started again: doubled each time, until it has served for a while.
const FIRST_DELAY = 100
const LAST_DELAY = 30_000
const SERVED_WELL = 60_000
// A worker that does not answer is left out of the metrics.
const MEASURE_PATIENCE = 1000
// A large configuration takes some seconds; who takes longer is stuck, and keeps the others from nothing but this reload.
const RELOAD_PATIENCE = 60_000
// Connections that are busy are cut after ten seconds; whoever is not done then is stuck.
const CLOSE_PATIENCE = 15_000
// What all workers together may have on the way to the audit streams: what these take beyond their own limit.
const LINES_ON_THE_WAY = 65_536
// Slow signatures of each worker, and one more for files and names.
const POOL_THREADS_EACH = 4

/**
 * Serves a configuration in `count` threads that listen to the same ports. This thread answers no request: it reads the
 * configuration, makes keys, writes audit records, puts metrics together, and starts a worker again that has ended.
 *
 * @throws {@link DragomanError} as {@link createGateway} does, and the error of the operating system for a port
 */
export async function startWorkers(
  configuration: string,
  { count, log, spawned, extensions = [] }: WorkersOptions,
): Promise<Workers> {
  // Read when the first of them is needed. Threads share one pool, which has four by default.
  process.env['UV_THREADPOOL_SIZE'] ??= String(Math.min(1024, POOL_THREADS_EACH * count))
  const streams = auditStreams()
  const gateway = await createGateway(configuration, {
    ...(await loadExtensions(extensions)),
    audit: (_, file) => streams.open(file),
    threads: {},
  })
  const listeners = await reserve(gateway.listeners())
  const counted = workerCounters(count)
  const places: Place[] = Array.from({ length: count }, (_, index) => newPlace(index + 1))
  /** What workers counted that have ended: counters never go back. */
  const departed: Measured[] = []
  let closing = false
  /** Reloads and starts, one after the other: nobody starts with what is about to be replaced. */
  let queue: Promise<unknown> = Promise.resolve()
  const next = <T>(work: () => Promise<T>): Promise<T> => {
    const done = queue.then(work, work)
    queue = done.catch(() => {})
    return done
  }
  const peers = () => places.flatMap(({ worker }) => worker ?? [])
  const plan = async (settled: Promise<Settled | undefined> | Settled | undefined): Promise<Plan> => {
    const ready = await settled
    if (ready === undefined) throw new TypeError('a gateway that shares')
    return { settled: ready, health: streams.health() }
  }

  async function start(place: Place): Promise<void> {
    const worker = spawnWorker({
      number: place.number,
      configuration,
      extensions,
      limit: Math.floor(LINES_ON_THE_WAY / (2 * count)),
      handlers: handlersOf(place),
      failed: (cause) => log('worker', { worker: place.number, ...cause }),
    })
    spawned?.(worker.thread)
    void worker.ended.then(() => release(worker.id))
    try {
      await worker.peer.ask('start', await plan(gateway.settled()))
      // At the ports that were reserved, with the certificates that are in force by now.
      const current = gateway.listeners()
      await worker.peer.ask(
        'listen',
        listeners.map((one, at) => ({ ...one, tls: current[at]?.tls })),
      )
    } catch (error) {
      await worker.thread.terminate()
      throw error
    }
    place.worker = worker
    counted.serving(peers().length)
    void worker.ended.then(() => lost(place))
  }

  const handlersOf = (place: Place): ToMain => ({
    records(lines) {
      try {
        streams.write(lines)
      } catch {
        log('audit', { lost: lines.lines.length })
      }
    },
    guessed(guesses) {
      for (const other of peers()) if (other !== place.worker) other.peer.tell('guessed', guesses)
    },
    metrics,
    log: ({ event, detail }) => log(event, { worker: place.number, ...detail }),
  })

  /** What a thread held when it ended is free again. */
  async function release(thread: number): Promise<void> {
    const settled = await gateway.settled()
    for (const value of settled?.made.values() ?? []) if (isTable(value)) releaseLocks(value, thread + 1)
  }

  /** A worker has ended, and nobody asked it to: it is started again, each time after longer. */
  function lost(place: Place): void {
    const { worker } = place
    if (worker?.measured) departed.push(worker.measured)
    place.worker = undefined
    counted.serving(peers().length)
    if (closing) return
    if (worker && performance.now() - worker.startedAt > SERVED_WELL) place.delay = FIRST_DELAY
    again(place)
  }

  function again(place: Place): void {
    const { delay, number } = place
    place.delay = Math.min(LAST_DELAY, 2 * delay)
    log('worker', { worker: number, ended: true, again_after_ms: delay })
    place.timer = setTimeout(() => {
      next(() => (closing ? Promise.resolve() : start(place))).then(
        () => {
          if (closing) return
          counted.restarted()
          log('worker', { worker: number, serves: true })
        },
        (error: unknown) => {
          log('worker', { worker: number, ...endOf(error) })
          if (!closing) again(place)
        },
      )
    }, delay)
  }

  async function metrics(): Promise<string> {
    const measured = await Promise.all(
      peers().map(async (worker) => {
        worker.measured = (await within(MEASURE_PATIENCE, worker.peer.ask('measure'))) ?? worker.measured
        return worker.measured ?? []
      }),
    )
    const own = [...(await gateway.measured()), ...(await counted.measured())]
    // What has departed has counts; what it was like, such as its memory, is gone.
    const counts = departed.map((all) => all.filter(({ type }) => String(type) !== 'gauge'))
    return together([own, ...measured, ...counts])
  }

  async function reload(): Promise<void> {
    const prepared = await gateway.prepare()
    const all = peers()
    try {
      const wanted = await plan(prepared.settled)
      await inTime(RELOAD_PATIENCE, Promise.all(all.map(({ peer }) => unlessGone(peer.ask('prepare', wanted)))))
    } catch (error) {
      prepared.abandon()
      for (const { peer } of all) peer.tell('abandon')
      throw error
    }
    prepared.commit()
    // Sent to all before anything else is done, and answered when each has it in force.
    await within(RELOAD_PATIENCE, Promise.all(all.map(({ peer }) => unlessGone(peer.ask('commit')))))
  }

  async function close(): Promise<void> {
    closing = true
    for (const { timer } of places) clearTimeout(timer)
    await within(CLOSE_PATIENCE, queue)
    await Promise.all(
      peers().map(async ({ peer, thread }) => {
        await within(CLOSE_PATIENCE, unlessGone(peer.ask('close')))
        await thread.terminate()
      }),
    )
    streams.stop()
    await gateway.close()
  }

  try {
    // All of them, or none: a configuration that one cannot serve is told of, not tried again.
    await Promise.all(places.map(start))
  } catch (error) {
    await close()
    throw error
  }
  return {
    addresses: listeners.map(addressOf),
    get files() {
      return gateway.files
    },
    get generation() {
      return gateway.generation
    },
    get warnings() {
      return gateway.warnings
    },
    reload: () => next(reload),
    reopen: () => gateway.reopen(),
    close,
  }
}

/** One of the workers, and whoever takes its place. */
interface Place {
  readonly number: number
  worker: Running | undefined
  delay: number
  timer: NodeJS.Timeout | undefined
}

const newPlace = (number: number): Place => ({
  number,
  worker: undefined,
  delay: FIRST_DELAY,
  timer: undefined,
})

const isTable = (value: unknown): value is ReplayTable =>
  typeof value === 'object' && value !== null && 'memory' in value && value.memory instanceof SharedArrayBuffer

function addressOf({ host, port, tls }: ListenerSetting): string {
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
