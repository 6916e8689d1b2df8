import { connect, type Socket } from 'node:net'

/** What a burst of load gave. Times in milliseconds. */
export interface Burst {
  readonly answered: number
  readonly refused: number
  readonly seconds: number
  readonly latencies: Float64Array
}

/**
 * Closed-loop load: each connection sends the next request when the last is answered, until the time is over.
 * Requests are whole HTTP messages made before, taken in turn, so that the driver costs little beside the server.
 */
export async function load(
  port: number,
  requests: readonly Buffer[],
  connections: number,
  seconds: number,
): Promise<Burst> {
  const until = performance.now() + seconds * 1000
  const started = performance.now()
  const latencies: number[] = []
  let next = 0
  let refused = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true })
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
      while (performance.now() < until) {
        const request = requests[next++ % requests.length] ?? Buffer.alloc(0)
        const sent = performance.now()
        const status = await roundTrip(socket, request)
        latencies.push(performance.now() - sent)
        if (status !== 200) refused += 1
      }
      socket.destroy()
    }),
  )
  return {
    answered: latencies.length,
    refused,
    seconds: (performance.now() - started) / 1000,
    latencies: Float64Array.from(latencies).sort(),
  }
}

function roundTrip(socket: Socket, request: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0)
    const onData = (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const head = received.indexOf('\r\n\r\n')
      if (head < 0) return
      const text = received.subarray(0, head).toString('latin1')
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0)
      if (received.length < head + 4 + length) return
      socket.off('data', onData)
      socket.off('close', onClose)
      resolve(Number(text.slice(9, 12)))
    }
    const onClose = () => reject(new Error('the server closed the connection'))
    socket.on('data', onData)
    socket.once('close', onClose)
    socket.write(request)
  })
}

export const quantile = (sorted: Float64Array, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
