import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { onTestFinished } from 'vitest'
import { seen } from './watch.ts'

const launcher = join(import.meta.dirname, '../../bin/dragoman.mjs')

/** `dragoman serve` as a process of its own, killed when the test is over if it is not by then. */
export interface Served {
  readonly child: ChildProcess
  /** What it has written to standard error, and to standard output, so far. */
  readonly stderr: string
  readonly stdout: string
  /** Base URLs that it says it listens on. */
  readonly addresses: readonly string[]
  /** Resolves when a line of standard error, from here on, matches. Rejects when the process ends before. */
  says(pattern: RegExp): Promise<void>
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>
}

export function serve(configuration: string, env: NodeJS.ProcessEnv = {}, more: readonly string[] = []): Served {
  const child = spawn(process.execPath, [launcher, 'serve', '--config', configuration, ...more], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  let stdout = ''
  const waiting = new Set<() => void>()
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
    seen(chunk.toString('utf8'))
    for (const look of waiting) look()
  })
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8')
    seen(chunk.toString('utf8'))
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    get stderr() {
      return stderr
    },
    get stdout() {
      return stdout
    },
    get addresses() {
      return [...stderr.matchAll(/^listening on (\S+)$/gm)].map(([, address = '']) => address)
    },
    says(pattern) {
      const from = stderr.length
      return new Promise((resolve, reject) => {
        const look = () => {
          if (!pattern.test(stderr.slice(from))) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
        void ended.then((code) => reject(new Error(`it ended with ${code}: ${stderr}`)))
      })
    },
    ended,
  }
}
