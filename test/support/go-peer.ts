import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = process.env['DRAGOMAN_GO_PEER'] ?? fileURLToPath(new URL('../../.cache/peers/go-peer', import.meta.url))

/** Whether the program in test/interop/go has been built on this machine. */
export const hasGoPeer: boolean = existsSync(PROGRAM)

/** Why a test was passed over. */
export const NO_GO_PEER = 'the peer in Go is not there: test/interop/install-peers.sh builds it, and needs Go'

/** The program of test/interop/go in a process of its own: a server of another domain, and a client of ours. */
export interface GoPeer {
  readonly issuer: string
  /** What its client, or its verifier, makes of us; `error` where it refused or was refused. */
  ask(request: { readonly do: 'exchange' | 'verify'; readonly [name: string]: unknown }): Promise<GoAnswer>
  stop(): Promise<void>
}

export type GoAnswer = { readonly [name: string]: unknown }

/** Starts it on a port. It redeems grants of the issuer `trusted`, and issues tokens for `audience`. */
export async function startGoPeer(port: number, trusted: string, audience: string): Promise<GoPeer> {
  const child = spawn(PROGRAM, [String(port), trusted, audience], { stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const next = async (): Promise<GoAnswer> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the peer in Go ended: ${said}`)
    return JSON.parse(value)
  }
  const { issuer } = await next()
  return {
    issuer: String(issuer),
    ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      return next()
    },
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
