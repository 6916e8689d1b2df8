import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { metric } from './burst.ts'
import { closedLoop, connections, median, openLoop, quantile } from './load.ts'
import { pin, residentOf } from './machine.ts'
import type { Stage } from './scenes.ts'
import { type Trend, trendOf } from './trend.ts'

const EVERY_SECONDS = 5
// The audit file of an hour would be ten gigabytes.
const ROTATE_SECONDS = 60
const CONNECTIONS = 64
// Of the time: caches, the replay table and the heap fill. What is measured then is not what is lost.
const FILLING = 1 / 3
// Bytes of a heap come and go; a leak of this much a day fits into no release.
const MUCH = 2

/** MiB, at one time. */
export interface Sample {
  readonly seconds: number
  readonly resident: number
  readonly heap: number
  readonly external: number
}

export interface Soak {
  readonly date: string
  readonly node: string
  readonly minutes: number
  readonly rate: number
  readonly capacity: number
  readonly answered: number
  readonly refused: number
  readonly p99: number
  readonly reloads: number
  readonly samples: readonly Sample[]
  /** MiB an hour, of the time after {@link FILLING}; of heap and external memory, of what collections leave. */
  readonly trends: { readonly [what in 'resident' | 'heap' | 'external']: Trend }
  readonly verdict: 'flat' | 'grows' | 'cannot tell'
}

/**
 * Loads a gateway at half of its capacity for as long as asked, with everything that leaves something behind: tokens that are
 * used once, tokens that come again, other formats, DPoP, ML-DSA, refusals, and a reload with a new audit file each minute.
 * Says whether its memory grows.
 */
export async function soak({ world, serve, port }: Stage, minutes: number): Promise<Soak> {
  if (!(minutes > 0)) throw new TypeError('--soak takes minutes')
  const server = await serve(world.configuration('soak', port))
  pin(0, server.pid)
  pin(1)
  const sockets = await connections(port, CONNECTIONS)
  const date = new Date().toISOString()
  const refusals = (labels: readonly string[]) =>
    metric(port, 'dragoman_exchanges_total', ['result="refused"', ...labels])
  const mix = () => mixed(world.requests)
  try {
    // The first is slow: nothing is compiled yet.
    await closedLoop(sockets, take(mix(), 12_000), { seconds: 3, once: true })
    const first = await closedLoop(sockets, take(mix(), 12_000), { seconds: 2, once: true })
    const capacity = (first.answered + first.refused) / first.seconds
    const rate = capacity / 2
    const started = performance.now()
    const samples: Sample[] = []
    const seconds = () => (performance.now() - started) / 1000
    const sampling = setInterval(() => {
      void sampleOf(port, server.pid, seconds()).then((sample) => samples.push(sample))
    }, EVERY_SECONDS * 1000)
    const p99: number[] = []
    const sums = { answered: 0, refused: 0, reloads: 0 }
    for (let left = minutes * 60; left > 0; left = minutes * 60 - seconds()) {
      const seconds = Math.min(left, ROTATE_SECONDS)
      const burst = await openLoop(sockets, mix(), { seconds, rate, next: (look) => setTimeout(look, 1) })
      sums.answered += burst.answered
      sums.refused += burst.refused
      p99.push(quantile(burst.latencies, 0.99))
      renameSync(join(world.folder, 'soak.jsonl'), join(world.folder, 'soak.jsonl.1'))
      const reloaded = server.says('is in force')
      server.signal('SIGHUP')
      await reloaded
      sums.reloads += 1
      rmSync(join(world.folder, 'soak.jsonl.1'))
    }
    clearInterval(sampling)
    const unexpected = (await refusals([])) - (await refusals(['code="ERR_TOKEN_SIGNATURE"']))
    if (unexpected > 0) throw new Error(`${unexpected} requests were refused that had nothing wrong about them`)
    const settled = samples.filter((sample) => sample.seconds > minutes * 60 * FILLING)
    const of = (what: 'resident' | 'heap' | 'external') =>
      trendOf(
        settled.map((sample) => [sample.seconds / 3600, sample[what]]),
        what === 'resident' ? 'mean' : 'least',
      )
    const trends = { resident: of('resident'), heap: of('heap'), external: of('external') }
    return {
      date,
      node: process.version,
      minutes,
      rate: Math.round(rate),
      capacity: Math.round(capacity),
      ...sums,
      p99: median(p99),
      samples,
      trends,
      verdict: verdictOn(trends.resident),
    }
  } finally {
    for (const socket of sockets) socket.destroy()
    await server.stop()
  }
}

/** Half of it plain, the rest of everything; one in twenty is refused. Each is made when its turn comes. */
function* mixed(requests: Stage['world']['requests']): Generator<Buffer> {
  const again = Array.from({ length: 200 }, requests.repeated)
  const { distinct, toX509, dpop, mldsa, toCwt, txn, forged } = requests
  const round = [distinct, toX509, distinct, dpop, distinct, mldsa, distinct, toCwt, distinct, txn]
  for (let at = 0; ; at += 1) {
    if (at % 20 === 19) yield forged()
    else if (at % 5 === 4) yield again[at % again.length] ?? distinct()
    else yield (round[at % round.length] ?? distinct)()
  }
}

function take(source: Iterable<Buffer>, count: number): readonly Buffer[] {
  const taken: Buffer[] = []
  for (const one of source) {
    taken.push(one)
    if (taken.length === count) break
  }
  return taken
}

const MIB = 2 ** 20

async function sampleOf(port: number, pid: number, seconds: number): Promise<Sample> {
  const [heap, external] = await Promise.all([
    metric(port, 'nodejs_heap_size_used_bytes'),
    metric(port, 'nodejs_external_memory_bytes'),
  ])
  return { seconds, resident: residentOf(pid), heap: heap / MIB, external: external / MIB }
}

function verdictOn({ slope, error }: Trend): Soak['verdict'] {
  if (slope - 2 * error > 0 && slope > MUCH) return 'grows'
  return slope + 2 * error <= 10 * MUCH ? 'flat' : 'cannot tell'
}

/** As lines for the terminal. */
export function showSoak({ minutes, rate, capacity, answered, refused, p99, trends, samples, verdict }: Soak): string {
  const last = samples.at(-1)
  const line = (what: 'resident' | 'heap' | 'external') => {
    const { slope, error } = trends[what]
    return `${what}: ${last?.[what].toFixed(0)} MiB at the end; ${slope.toFixed(1)} ± ${error.toFixed(1)} MiB an hour`
  }
  return [
    `soak of ${minutes} minutes at ${rate} a second, half of ${capacity}: ${answered} issued, ${refused} refused, p99 ${p99.toFixed(1)} ms`,
    line('resident'),
    line('heap'),
    line('external'),
    `memory: ${verdict}`,
  ].join('\n')
}
