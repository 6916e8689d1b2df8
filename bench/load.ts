import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** What a burst of load gave. Times in milliseconds. */
export interface Burst {
  readonly answered: number
  readonly refused: number
  readonly seconds: number
  /** Of what was answered with 200, sorted. */
  readonly latencies: Float64Array
  /** Of what was refused, sorted. */
  readonly refusals: Float64Array
  /** The longest that the driver itself stood still: no answer was read meanwhile, and no request sent. */
  readonly stalled: number
}

/** A client certificate in PEM, and whom it trusts. */
export interface Shown {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A connection that is kept. */
export interface Connection {
  /** Sends a whole HTTP message and resolves with the status of its answer. One at a time. */
  send(request: Buffer): Promise<number>
  /** The same, with the body of the answer. */
  ask(request: Buffer): Promise<{ readonly status: number; readonly body: string }>
  destroy(): void
}

/** Connections, over TLS where `shown` is given, each with the certificate at its place. */
export async function connections(
  port: number,
  count: number,
  shown?: readonly Shown[],
): Promise<readonly Connection[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) => {
      const certificate = shown?.[index % shown.length]
      const socket = certificate
        ? connectTls({ host: '127.0.0.1', port, servername: 'localhost', ...certificate })
        : connectPlain({ host: '127.0.0.1', port, noDelay: true })
      return new Promise<Connection>((resolve, reject) => {
        socket.once(certificate ? 'secureConnect' : 'connect', () => resolve(connection(socket))).once('error', reject)
      })
    }),
  )
}

// As long as the head of an answer, and longer.
const HEAD = 600
const LENGTH = 'ength: '

/** Reads no more of an answer than it must: the driver is to cost little beside the server. */
function connection(socket: Socket): Connection {
  let waiting: { resolve(status: number, body: Buffer): void; reject(error: Error): void } | undefined
  let received: Buffer | undefined
  socket.on('data', (chunk: Buffer) => {
    received = received === undefined ? chunk : Buffer.concat([received, chunk])
    const head = received.toString('latin1', 0, Math.min(HEAD, received.length))
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    const at = head.indexOf(LENGTH)
    if (at < 0 || at > end) return waiting?.reject(new Error('an answer without Content-Length'))
    const length = Number.parseInt(head.slice(at + LENGTH.length), 10)
    if (received.length < end + 4 + length) return
    const body = received.subarray(end + 4)
    received = undefined
    waiting?.resolve(Number.parseInt(head.slice(9, 12), 10), body)
  })
  let closed = false
  const gone = () => new Error('the server closed the connection')
  socket.on('close', () => {
    closed = true
    waiting?.reject(gone())
  })
  function send<T>(request: Buffer, answer: (status: number, body: Buffer) => T): Promise<T> {
    // Nobody would ever say what became of it.
    if (closed) return Promise.reject(gone())
    return new Promise((resolve, reject) => {
      waiting = { resolve: (status, body) => resolve(answer(status, body)), reject }
      socket.write(request)
    })
  }
  return {
    send: (request) => send(request, (status) => status),
    ask: (request) => send(request, (status, body) => ({ status, body: body.toString() })),
    destroy() {
      waiting = undefined
      socket.destroy()
    },
  }
}

/**
 * Closed loop: each connection sends the next request when the last is answered, until the time is over or, where each
 * request can be sent once only, until they are used up. Requests are whole HTTP messages made before, so that the driver
 * costs little beside the server.
 */
export async function closedLoop(
  sockets: readonly Connection[],
  requests: readonly Buffer[],
  { seconds, once }: { readonly seconds: number; readonly once: boolean },
): Promise<Burst> {
  const started = performance.now()
  const until = started + seconds * 1000
  const tally = newTally()
  let next = 0
  await Promise.all(
    sockets.map(async (socket) => {
      while (performance.now() < until && !(once && next >= requests.length)) {
        const request = requests[next++ % requests.length] ?? Buffer.alloc(0)
        const sent = performance.now()
        tally.add(await socket.send(request), performance.now() - sent)
      }
    }),
  )
  return tally.burst((performance.now() - started) / 1000)
}

export interface OpenLoop {
  readonly seconds: number
  /** Requests a second. */
  readonly rate: number
  readonly random?: () => number
  /**
   * Looks again whether something is due. Default: as soon as it can, since a millisecond, as timers have it, is too coarse to
   * measure by; it takes a whole processor.
   */
  readonly next?: (look: () => void) => unknown
}

/**
 * Open loop: requests are sent when a Poisson process says so, whether or not earlier ones are answered; the time of each
 * runs from the moment at which it was due, so that waiting for a free connection counts.
 */
export async function openLoop(
  sockets: readonly Connection[],
  requests: Iterable<Buffer>,
  { seconds, rate, random = Math.random, next = setImmediate }: OpenLoop,
): Promise<Burst> {
  const started = performance.now()
  const tally = newTally()
  const free = [...sockets]
  const waiting = requests[Symbol.iterator]()
  const end = started + seconds * 1000
  let at = started
  /** The next request and when it is due; `undefined`: there is none in this time. */
  const draw = () => {
    at += (-Math.log(1 - random()) / rate) * 1000
    const { done, value } = waiting.next()
    return done === true || at > end ? undefined : { request: value, at }
  }
  let stalled = 0
  await new Promise<void>((resolve, reject) => {
    let due = draw()
    let under = 0
    let turn = performance.now()
    const send = () => {
      const now = performance.now()
      stalled = Math.max(stalled, now - turn)
      turn = now
      while (due !== undefined && due.at <= now) {
        // Each in its turn: a connection on which nothing comes for ten seconds is closed.
        const socket = free.shift()
        if (socket === undefined) break
        const time = due.at
        under += 1
        socket.send(due.request).then((status) => {
          tally.add(status, performance.now() - time)
          free.push(socket)
          under -= 1
          if (due === undefined && under === 0) resolve()
        }, reject)
        due = draw()
      }
      if (due !== undefined) next(send)
      else if (under === 0) resolve()
    }
    send()
  })
  return tally.burst((performance.now() - started) / 1000, stalled)
}

function newTally() {
  const good: number[] = []
  const bad: number[] = []
  return {
    add: (status: number, milliseconds: number) => void (status === 200 ? good : bad).push(milliseconds),
    burst: (seconds: number, stalled = 0): Burst => ({
      answered: good.length,
      refused: bad.length,
      seconds,
      latencies: Float64Array.from(good).sort(),
      refusals: Float64Array.from(bad).sort(),
      stalled,
    }),
  }
}

export const quantile = (sorted: Float64Array, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
