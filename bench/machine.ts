import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, cpus } from 'node:os'
import process from 'node:process'

/** Processors: the servers on the first, the driver on the second, where there are two and a way to say so. */
const processors = availableParallelism()
const pins = processors > 1 && spawnSync('taskset', ['--version']).status === 0

/** Puts this process, or another with all of its threads, on one processor; `undefined`: on any. */
export function pin(processor: number | undefined, pid = process.pid): void {
  if (!pins) return
  const set = processor === undefined ? `0-${processors - 1}` : String(processor)
  spawnSync('taskset', ['-a', '-cp', set, String(pid)])
}

/** Puts a process and all below it on one processor. */
export function pinAll(processor: number, pid: number): void {
  pin(processor, pid)
  for (const child of childrenOf(pid)) pinAll(processor, child)
}

/** What this run may use; asked before it puts itself on one of them. */
export const machine = `${processors} of ${cpus()[0]?.model.trim() ?? 'unknown'}`

/** A server that was started for this run. */
export interface Server {
  readonly pid: number
  /** Milliseconds from the start of the process to the line that says that it listens. */
  readonly started: number
  signal(name: NodeJS.Signals): void
  /** Resolves when standard error says so from here on. */
  says(text: string): Promise<void>
  stop(): Promise<void>
}

export async function start(args: readonly string[], ready: string): Promise<Server> {
  const began = performance.now()
  const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const says = (what: string, from: number) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!text.slice(from).includes(what)) return
        child.stderr.off('data', look)
        resolve()
      }
      child.stderr.on('data', look)
      look()
      void ended.then(() => reject(new Error(`a server ended: ${text}`)))
    })
  await says(ready, 0)
  return {
    pid: child.pid ?? 0,
    started: performance.now() - began,
    signal: (name) => void child.kill(name),
    says: (what) => says(what, text.length),
    stop: () => stopped(child, ended),
  }
}

async function stopped(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  await ended
}

// The kernel counts in hundredths of a second, whatever its own clock does.
const TICKS = 100

/** CPU seconds that all threads of a process have used, as the operating system counts them. */
export function cpuOf(pid: number): number {
  let nanoseconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  }
  return nanoseconds / 1e9
}

/**
 * The same of a process and all below it, threads that have ended since among them, in hundredths of a second: for servers
 * that are not of one process, or whose threads come and go.
 */
export function cpuOfAll(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // proc(5): utime is the fourteenth field, stime the next; the name, the second, may have blanks.
  const [utime = 0, stime = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return childrenOf(pid).reduce((sum, child) => sum + cpuOfAll(child), (utime + stime) / TICKS)
}

const childrenOf = (pid: number): readonly number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )

/** MiB of memory that a process has in the machine. */
export function residentOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1024
}

const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const signing = { key: key.privateKey, dsaEncoding: 'ieee-p1363' } as const
const verifying = { key: key.publicKey, dsaEncoding: 'ieee-p1363' } as const
// As long as what is signed of an access token.
const input = Buffer.alloc(648, 'a')
const signature = sign('sha256', input, signing)
const PAIRS = 1000

/** Seconds of CPU that one ES256 verify and one ES256 sign take, here and now, on the processor of the servers. */
export function pair(): number {
  pin(0)
  const started = process.cpuUsage()
  for (let at = 0; at < PAIRS; at += 1) {
    verify('sha256', input, verifying, signature)
    sign('sha256', input, signing)
  }
  const { user, system } = process.cpuUsage(started)
  pin(1)
  return (user + system) / 1e6 / PAIRS
}

/** The first of 50 ports in a row that nobody has. */
export async function freeRange(): Promise<number> {
  for (;;) {
    const first = 20_000 + 50 * Math.floor(Math.random() * 200)
    const taken = await Promise.all(Array.from({ length: 50 }, (_, at) => isTaken(first + at)))
    if (!taken.includes(true)) return first
  }
}

const isTaken = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(true))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)))
  })

const IDLE = new Set([3, 4])

/** Seconds that the processor of the servers has worked for anyone, and those that another machine has taken from it. */
export function workOf(processor = 0): number {
  const line = readFileSync('/proc/stat', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`cpu${processor} `))
  const [, ...ticks] = line?.split(' ') ?? []
  // user, nice, system, idle, iowait, irq, softirq, steal; those of guests are in user.
  const worked = ticks.slice(0, 8).filter((_, at) => !IDLE.has(at))
  return worked.reduce((sum, one) => sum + Number(one), 0) / TICKS
}

/**
 * Keeps the driver's processor awake with work that gives way to all other.
 *
 * A virtual processor without work is halted, and waking it for each answer costs the *server* some 50 microseconds: the
 * cost of a virtual machine, not of an exchange.
 */
export function keepAwake(): { stop(): void } {
  if (!pins) return { stop() {} }
  // Ends with who started it, however that ended.
  const work = `const { ppid } = process, pause = Atomics.pause ?? (() => {})
    while (process.ppid === ppid) for (let n = 0; n < 1e6; n += 1) pause()`
  const child = spawn('taskset', ['-c', '1', 'chrt', '--idle', '0', process.execPath, '-e', work], { stdio: 'ignore' })
  const stop = () => void child.kill('SIGKILL')
  process.once('exit', stop)
  child.once('error', () => console.log('without chrt, the processor of the driver sleeps between answers'))
  return { stop }
}

/** Load average of the last minute, of the whole machine. */
export const loadAverage = (): number => Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0])
