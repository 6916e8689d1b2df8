import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const FOLDER = process.env['DRAGOMAN_PEERS'] ?? fileURLToPath(new URL('../../.cache/peers', import.meta.url))

/** The programs in Go under test/interop, by the library that they are made of. */
type Library = 'zitadel' | 'fosite'

const programOf = (library: Library): string => `${FOLDER}/${library}-peer`

/** Whether it has been built on this machine. */
export const hasGoPeer = (library: Library): boolean => existsSync(programOf(library))

/** Why a test was passed over. */
export const NO_GO_PEER = 'the peers in Go are not there: test/interop/install-peers.sh builds them, and needs Go'

/** One of them in a process of its own, on loopback. */
export interface GoPeer {
  readonly issuer: string
  /** What its client, or its verifier, makes of us, where it has one; `error` where it refused or was refused. */
  ask(request: { readonly do: 'exchange' | 'verify'; readonly [name: string]: unknown }): Promise<GoAnswer>
  stop(): Promise<void>
}

type GoAnswer = { readonly [name: string]: unknown }

/** Starts it on a port; what else it is told, its `main.go` says. */
export async function startGoPeer(library: Library, port: number, ...told: readonly string[]): Promise<GoPeer> {
  const child = spawn(programOf(library), [String(port), ...told], { stdio: ['pipe', 'pipe', 'pipe'] })
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
