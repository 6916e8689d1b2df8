// One worker of `dragoman serve --workers`: a gateway of its own loop, made of what the main thread has settled.
import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { createGateway, type Gateway, type Guess } from '../compose.ts'
import { loadExtensions } from '../config/extensions.ts'
import { peer } from './calls.ts'
import { preparing } from './preparing.ts'
import type { FromMain, Plan, ToMain } from './protocol.ts'
import { auditOutbox } from './records.ts'

if (parentPort === null) throw new TypeError('a worker thread')
const { configuration, extensions, taken, limit } = workerData as {
  readonly configuration: string
  readonly extensions: readonly string[]
  readonly taken: SharedArrayBuffer
  readonly limit: number
}

let plan: Plan | undefined
let gateway: Gateway | undefined
const next = preparing()
const guesses: Guess[] = []

const handlers: FromMain = {
  async start(first) {
    plan = first
    const { settled } = first
    gateway = await createGateway(configuration, {
      ...(await loadExtensions(extensions)),
      audit: (_, file) => records.sink(file),
      log: (event, detail) => main.tell('log', { event, detail }),
      threads: { settled, everywhere: () => main.ask('metrics'), guessed: told },
    })
  },
  async listen(settings) {
    await running().listen(settings)
  },
  async prepare(wanted) {
    await next.prepare(() => running().prepare(wanted.settled))
    // Streams that it adds are there for whoever asks; those of before stay.
    plan = { ...wanted, health: new Map([...(plan?.health ?? []), ...wanted.health]) }
  },
  commit: next.commit,
  abandon: next.abandon,
  guessed(list) {
    for (const guess of list) gateway?.guessed(guess)
  },
  measure: () => running().measured(),
  async close() {
    await running().close()
    records.flush()
  },
}

const main = peer<ToMain>(parentPort, handlers)
const records = auditOutbox({
  send: (lines) => main.tell('records', lines),
  health: () => plan?.health ?? new Map(),
  taken,
  limit,
})
// After a defect too, the last records are sent.
process.on('exit', records.flush)

function running(): Gateway {
  if (gateway === undefined) throw new TypeError('a worker that has been started')
  return gateway
}

/** Failed authentications of one turn go out together. */
function told(guess: Guess): void {
  guesses.push(guess)
  if (guesses.length > 1) return
  setImmediate(() => main.tell('guessed', guesses.splice(0)))
}
