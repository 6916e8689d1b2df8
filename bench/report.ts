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
  readonly peer: string | undefined
  readonly capacity: number
  readonly open: { readonly rate: number; readonly p50: number; readonly p99: number; readonly seconds: number }
  readonly pause: number
  readonly beside: { readonly rate: number; readonly alone: number; readonly together: number }
  readonly overload: {
    readonly capacity: number
    readonly offered: number
    readonly answered: number
    readonly acceptedP99: number
    readonly refusedP50: number
    readonly refusedP99: number
    readonly aliveP99: number
  }
  readonly workers: {
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

// Server and driver alone make it two.
const BUSY = 3
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
  const first = medianOf(rows[0]?.rows ?? [], 'pairs')
  const unit = median(rows.flatMap((row) => row.rows.map(({ unit: seconds }) => seconds * 1e6)))
  const bare = rows.find(({ name }) => name.startsWith('bare'))
  const table = [
    ['Case', 'Pairs (range)', 'Times the first', 'Exchanges a second of one core', 'At most'],
    ['---', '---', '---', '---', '---'],
    ...rows.map(({ name, limit, times, rows: bursts }) => {
      const pairs = medianOf(bursts, 'pairs')
      const atMost = limit ?? (times === undefined ? undefined : times * first)
      const verdict = atMost === undefined ? '' : `${atMost.toFixed(2)}${pairs <= atMost ? '' : ', missed'}`
      const all = bursts.map((row) => row.pairs)
      const range = `${pairs.toFixed(2)} (${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)})`
      return [name, range, (pairs / first).toFixed(2), perCore(pairs, unit), verdict]
    }),
  ]
  const lines = [
    ['What', 'Measured', 'At most'],
    ['---', '---', '---'],
    [
      `open loop at half of the capacity (${open.rate} a second, ${open.seconds} s): p50, p99`,
      `${open.p50} ms, ${open.p99} ms`,
      mark(open.p99, 5, 'p99 of 5 ms'),
    ],
    [
      'longest pause of the event loop in it, with a reload of the configuration',
      `${figures.pause} ms`,
      mark(figures.pause, 10, '10 ms'),
    ],
    [
      `p99 of ES256 exchanges (${beside.rate} a second) alone, and beside ML-DSA-65 ones`,
      `${beside.alone} ms, ${beside.together} ms`,
      mark(beside.together / beside.alone, 2, 'twice'),
    ],
    [
      'two workers against one, driver on the same two processors',
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
      `${overload.answered} a second answered, p99 ${overload.acceptedP99} ms; the rest refused, p50 ${overload.refusedP50} ms, p99 ${overload.refusedP99} ms; /livez and /metrics together p99 ${overload.aliveP99} ms`,
      '',
    ],
  ]
  const peer = rows.find(({ name }) => name.startsWith('oidc-provider'))
  const peerPairs = peer && medianOf(peer.rows, 'pairs')
  const hits = rows.find(({ name }) => name.includes('come again'))
  return [
    `Measured ${figures.date.slice(0, 10)} with Node ${figures.node.slice(1)} on ${machine}, load average ${figures.load.toFixed(1)} at the end; one pair took ${unit.toFixed(0)} µs; ${figures.rounds} rounds, ${Math.round(figures.seconds / 60)} minutes. Bare reply: ${medianOf(bare?.rows ?? [], 'pairs').toFixed(2)} pairs.`,
    ...(figures.load > BUSY ? ['', BUSY_SAYS] : []),
    '',
    ...table.map(asLine),
    '',
    ...lines.map(asLine),
    '',
    ...(peerPairs === undefined
      ? []
      : [
          `Against ${figures.peer}: ${(peerPairs / first).toFixed(1)} times cheaper, ${(peerPairs / medianOf(hits?.rows ?? [], 'pairs')).toFixed(1)} times with tokens that come again.`,
          '',
        ]),
  ].join('\n')
}

const asLine = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
const mark = (value: number, most: number, says: string): string => (value <= most ? says : `${says}, missed`)
const medianOf = (rows: readonly Row[], key: keyof Row): number => median(rows.map((row) => row[key]))
const perCore = (pairs: number, unit: number): string => String(Math.round(1e6 / (pairs * unit) / 10) * 10)
