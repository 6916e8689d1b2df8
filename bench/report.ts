import { readFileSync, writeFileSync } from 'node:fs'
import { median } from './load.ts'
import { machine } from './machine.ts'

/** One burst of one case. */
export interface Row {
  /** CPU of the server per exchange, in pairs. */
  readonly pairs: number
  /** Seconds of one pair at that moment. */
  readonly unit: number
  readonly rate: number
  readonly answered: number
  /** Of the processor of the servers, what others had meanwhile: 0 to 1. */
  readonly foreign: number
}

/** Milliseconds, of an open loop. */
export interface Waiting {
  readonly p50: number
  readonly p99: number
  /** The longest that the loop of the gateway stood still. */
  readonly pause: number
  /** The longest that the driver did. */
  readonly stalled: number
}

/** Everything that one run measured. */
export interface Figures {
  readonly full: boolean
  readonly date: string
  readonly node: string
  readonly load: number
  readonly rounds: number
  readonly seconds: number
  readonly rows: readonly {
    readonly name: string
    readonly limit: number | undefined
    readonly times: number | undefined
    readonly rows: readonly Row[]
  }[]
  readonly starts: readonly number[]
  readonly memory: { readonly before: number; readonly after: number; readonly answered: number }
  readonly peers: readonly { readonly name: string; readonly about: string }[]
  readonly capacity: number
  readonly open: {
    readonly rate: number
    readonly seconds: number
    readonly quiet: Waiting
    readonly reload: Waiting
    /** Of the bare reply: what is the machine's and the driver's. */
    readonly floor: Waiting
  }
  readonly beside: { readonly rate: number; readonly alone: number; readonly together: number }
  readonly overload: {
    readonly capacity: number
    readonly offered: number
    readonly answered: number
    readonly acceptedP99: number
    readonly refusedP50: number
    readonly refusedP99: number
    readonly livezP99: number
    readonly metricsP99: number
    /** How often both were asked. */
    readonly looked: number
    /** The longest that the loop of the gateway, and that the driver, stood still. */
    readonly pause: number
    readonly stalled: number
    /** Of the processor of the servers, what others had: 0 to 1. */
    readonly foreign: number
  }
  readonly workers: {
    /** `wrk`, or the one of this folder. */
    readonly driver: string
    readonly one: number
    readonly two: number
    readonly ratio: number
    readonly range: readonly number[]
    readonly cpu: number
    readonly resident: { readonly one: number; readonly two: number }
  }
  readonly many?: { readonly ratio: number; readonly started: number; readonly resident: number }
}

const START = '<!-- figures of `npm run bench -- --full --write-docs`: begin -->'
const END = '<!-- figures: end -->'

// Of the processor of the servers. A burst in which others had more does not count, unless there are fewer than three.
const DISTURBED = 0.15
const AT_LEAST = 3
// Of all bursts: what is lost then says that figures are no good, whichever bursts are left.
const BUSY = 0.05
const BUSY_SAYS =
  '**The machine was busy with other things at the time: these are no figures to size by, and times are far from what they are on a quiet one.**'

/** Puts the figures into the page, between its two marks. */
export function writeDocs(path: string, figures: Figures): void {
  const page = readFileSync(path, 'utf8')
  const [before, rest] = page.split(START)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error(`${path} has no place for the figures`)
  writeFileSync(path, `${before}${START}\n${show(figures)}${END}${after}`)
}

/** The figures as Markdown, for the terminal and for the page. */
export function show(figures: Figures): string {
  const { rows, open, beside, overload, workers, many, memory } = figures
  const first = pairsOf(rows[0]?.rows)
  const unit = median(rows.flatMap((row) => row.rows.map(({ unit: seconds }) => seconds * 1e6)))
  const table = [
    ['Case', 'Pairs (range)', 'Times the first', 'Exchanges a second of one core', 'At most'],
    ['---', '---', '---', '---', '---'],
    ...rows.map(({ name, limit, times, rows: bursts }) => {
      const pairs = pairsOf(bursts)
      const atMost = limit ?? (times === undefined ? undefined : times * first)
      const verdict = atMost === undefined ? '' : `${atMost.toFixed(2)}${pairs <= atMost ? '' : ', missed'}`
      const all = kept(bursts).map((row) => row.pairs)
      const range = `${pairs.toFixed(2)} (${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)})`
      return [name, range, (pairs / first).toFixed(2), perCore(pairs, unit), verdict]
    }),
  ]
  const lines = [
    ['What', 'Measured', 'At most'],
    ['---', '---', '---'],
    [
      `open loop at half of the capacity (${open.rate} a second, ${open.seconds} s): p50, p99`,
      `${open.quiet.p50} ms, ${open.quiet.p99} ms; a bare reply at that rate ${open.floor.p50} ms, ${open.floor.p99} ms`,
      mark(open.quiet.p99, 5, 'p99 of 5 ms'),
    ],
    [
      'the same with a reload of the configuration in it',
      `${open.reload.p50} ms, ${open.reload.p99} ms`,
      mark(open.reload.p99, 5, 'p99 of 5 ms'),
    ],
    [
      'longest pause of the event loop, without and with the reload',
      `${open.quiet.pause} ms, ${open.reload.pause} ms`,
      mark(Math.max(open.quiet.pause, open.reload.pause), 10, '10 ms'),
    ],
    [
      `p99 of ES256 exchanges (${beside.rate} a second) alone, and beside ML-DSA-65 ones`,
      `${beside.alone} ms, ${beside.together} ms`,
      mark(beside.together / beside.alone, 2, 'twice'),
    ],
    [
      `two workers against one, the driver (${workers.driver}) on the same two processors`,
      `${workers.ratio} times the exchanges (${workers.range.join(' to ')}); ${workers.two} a second; CPU of each ${workers.cpu} times`,
      mark(-workers.ratio, -1.7, 'at least 1.7 times'),
    ],
    ...(many
      ? [
          [
            '10,000 profiles and 1,000 issuers more, against none more',
            `${many.ratio} times the CPU; ${many.resident} MiB; listens after ${(many.started / 1000).toFixed(1)} s`,
            mark(many.ratio, 1.05, '1.05 times'),
          ],
        ]
      : []),
    [
      `memory before and after ${memory.answered} exchanges`,
      `${memory.before.toFixed(0)} MiB, ${memory.after.toFixed(0)} MiB; two workers ${workers.resident.two} MiB`,
      mark(memory.after, 200, '200 MiB'),
    ],
    ['start to listening', `${median(figures.starts).toFixed(0)} ms`, mark(median(figures.starts), 400, '400 ms')],
    [
      `overload: ${overload.offered} ML-DSA-65 exchanges a second where ${overload.capacity} can be signed`,
      `${overload.answered} a second answered, p99 ${overload.acceptedP99} ms; the rest refused, p50 ${overload.refusedP50} ms, p99 ${overload.refusedP99} ms; /livez p99 ${overload.livezP99} ms, /metrics p99 ${overload.metricsP99} ms (of ${overload.looked} each); its loop stood still for ${overload.pause} ms, the driver for ${overload.stalled} ms, others had ${(overload.foreign * 100).toFixed(0)} % of its processor`,
      '',
    ],
  ]
  const named = (part: string) => pairsOf(rows.find(({ name }) => name.includes(part))?.rows)
  const disturbed = median(rows.flatMap((row) => row.rows.map(({ foreign }) => foreign)))
  return [
    `Measured ${figures.date.slice(0, 10)} with Node ${figures.node.slice(1)} on ${machine}, of whose time others had ${(disturbed * 100).toFixed(0)} %; one pair took ${unit.toFixed(0)} µs; ${figures.rounds} rounds, ${Math.round(figures.seconds / 60)} minutes. Bare reply: ${named('bare').toFixed(2)} pairs.`,
    ...(disturbed > BUSY ? ['', BUSY_SAYS] : []),
    '',
    ...table.map(asLine),
    '',
    ...lines.map(asLine),
    '',
    ...figures.peers.flatMap(({ name, about }) => [
      `Against ${about}: ${(named(name) / first).toFixed(1)} times cheaper, ${(named(name) / named('come again')).toFixed(1)} times with tokens that come again.`,
      '',
    ]),
  ].join('\n')
}

const asLine = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const mark = (value: number, most: number, says: string): string => (value <= most ? says : `${says}, missed`)
const pairsOf = (rows: readonly Row[] = []): number => median(kept(rows).map((row) => row.pairs))

/** Those that had the processor to themselves; where they are too few, the least disturbed. */
export function kept(rows: readonly Row[]): readonly Row[] {
  const best = [...rows].sort((left, right) => left.foreign - right.foreign)
  return best.filter(({ foreign }, at) => at < AT_LEAST || foreign <= DISTURBED)
}

const perCore = (pairs: number, unit: number): string => String(Math.round(1e6 / (pairs * unit) / 10) * 10)
