import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { closedLoop, connections, openLoop } from '../../bench/load.ts'

const REQUEST = Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi')
const LONG = 'x'.repeat(100_000)
const lengthOf = (body: string): { [name: string]: number } => ({ 'content-length': body.length })
const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** A server that answers `body` with these statuses in turn, and connections to it. */
async function served(count: number, statuses: readonly number[] = [200], body = LONG, headers = lengthOf(body)) {
  let asked = 0
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(statuses[asked++ % statuses.length] ?? 200, headers).end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const sockets = await connections((server.address() as AddressInfo).port, count)
  open.push(() => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  return { server, sockets, asked: () => asked }
}

describe('the load', () => {
  it('of a closed loop counts each answer once, by its status', async () => {
    const { sockets, asked } = await served(4, [200, 200, 503])
    const burst = await closedLoop(sockets, Array(30).fill(REQUEST), { seconds: 60, once: true })
    expect([burst.answered, burst.refused, asked()]).toEqual([20, 10, 30])
    expect(burst.latencies).toHaveLength(20)
  })

  it('of an open loop sends each request once, and waits for the last answer', async () => {
    const { sockets, asked } = await served(2)
    const burst = await openLoop(sockets, Array(30).fill(REQUEST), { seconds: 60, rate: 100_000 })
    expect([burst.answered, asked()]).toEqual([30, 30])
  })

  it('takes requests from a source without end until the time is over', async () => {
    const { sockets, asked } = await served(2)
    const endless = (function* () {
      for (;;) yield REQUEST
    })()
    const burst = await openLoop(sockets, endless, { seconds: 0.05, rate: 2000 })
    expect(burst.answered).toBe(asked())
    expect(burst.answered).toBeGreaterThan(0)
  })

  it('has the whole body of an answer', async () => {
    const { sockets } = await served(1)
    const [socket] = sockets
    expect(await socket?.ask(REQUEST)).toEqual({ status: 200, body: LONG })
  })

  it('does not guess where an answer ends', async () => {
    const { sockets } = await served(1, [200], LONG, {})
    await expect(sockets[0]?.send(REQUEST)).rejects.toThrow('Content-Length')
  })

  it('fails on a connection that the server has closed, and does not wait for ever', async () => {
    const { server, sockets } = await served(1, [200], 'ok')
    const [socket] = sockets
    await socket?.send(REQUEST)
    const closed = new Promise((resolve) => server.once('close', resolve))
    server.close()
    server.closeAllConnections()
    await closed
    await expect(
      (async () => {
        for (;;) await socket?.send(REQUEST)
      })(),
    ).rejects.toThrow()
  })
})
