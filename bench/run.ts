// What does an exchange cost, beside the signatures that it cannot do without?
//
// Unit: the pair, one ES256 verify and one ES256 sign by synchronous node:crypto, timed right before and after each burst on
// the processor that the server runs on. The server is the built package, as a process of its own, with every check on: an
// expression in each profile, single use, audit to a file, metrics. It is driven over loopback on kept connections with
// requests that were made before and differ. CPU is the operating system's accounting of the server's threads. Cases take
// turns, in reversed order each round, with a bare node:http reply among them.
//
//   npm run bench                  a minute
//   npm run bench -- --full        less than eight; --write-docs puts the table into docs/performance.md
//   npm run bench -- --compare     oidc-provider beside it, where it is installed
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { newPeer } from './compare.ts'
import { type Burst, closedLoop, connections, type Shown } from './load.ts'
import { cpuOf, freeRange, loadAverage, pair, pin, residentOf, type Server, start } from './machine.ts'
import { type Figures, type Row, show, writeDocs } from './report.ts'
import * as scenes from './scenes.ts'
import { newBenchWorld, packageIn } from './world.ts'

const full = process.argv.includes('--full')
const ROUNDS = full ? 5 : 3
const SECONDS = 1
const CONNECTIONS = 16
// Beyond what a burst can use up.
const REQUESTS = 9000
const PORT = await freeRange()
const began = performance.now()

execFileSync('npm', ['run', '--silent', 'build'], { cwd: join(import.meta.dirname, '..'), stdio: 'inherit' })
const folder = mkdtempSync(join(tmpdir(), 'dragoman-bench-'))
const launcher = packageIn(folder)
const world = await newBenchWorld(folder, PORT)
const { requests } = world

interface Case {
  readonly name: string
  readonly request: () => Buffer | Promise<Buffer>
  /** Pairs at most; or times the first case. */
  readonly limit?: number
  readonly times?: number
  readonly shown?: readonly Shown[]
  /** Requests that may be sent more than once; absent: each is new. */
  readonly repeat?: number
  readonly server?: () => { readonly pid: number; readonly port: number }
}

const [mail] = world.shown
const cases: readonly Case[] = [
  { name: 'JWT to JWT, each token new, Basic', request: requests.distinct, limit: 2.1 },
  { name: 'the same, `private_key_jwt`', request: requests.assertion, limit: 3 },
  {
    name: 'the same, mTLS client, kept connection',
    request: requests.mtls,
    limit: 2.3,
    ...(mail && { shown: [mail] }),
  },
  { name: 'JWT to JWT, tokens that come again', request: requests.repeated, limit: 1.1, repeat: 500 },
  { name: 'JWT to CWT', request: requests.toCwt, times: 1.05 },
  { name: 'CWT to JWT', request: requests.fromCwt, times: 1.05 },
  { name: 'JWT to X.509, CSR (one verify more)', request: requests.toX509, times: 1.6 },
  { name: 'JWT to X.509, key shown by DPoP (one verify more)', request: requests.toX509Key, times: 1.6 },
  {
    name: 'X.509 chain of two, of the connection, to JWT',
    request: requests.fromX509,
    times: 1.4,
    shown: world.shown,
    repeat: 1,
  },
  { name: 'DPoP in and out', request: requests.dpop, limit: 3.2 },
  { name: 'JWT to JWT, ML-DSA-65 out', request: requests.mldsa, limit: 13 },
]

const bare = await start([join(import.meta.dirname, 'bare.ts'), String(PORT + 8)], 'listening')
const configuration = world.configuration('main', PORT)
const serve = (file: string, more: readonly string[] = []): Promise<Server> =>
  start([launcher, 'serve', '--config', file, ...more], 'listening')

const starts: number[] = []
for (let n = 0; n < (full ? 5 : 3); n += 1) {
  const server = await serve(configuration)
  starts.push(server.started)
  await server.stop()
}
const main = await serve(configuration)
const peer = process.argv.includes('--compare') ? await newPeer(PORT + 10, world) : undefined
for (const { pid } of [main, bare, ...(peer ? [peer.server] : [])]) pin(0, pid)
pin(1)

const floor: Case = {
  name: 'bare node:http reply',
  request: requests.bare,
  repeat: 100,
  server: () => ({ pid: bare.pid, port: PORT + 8 }),
}
const others: readonly Case[] = peer
  ? [
      {
        name: 'oidc-provider, exchange grant',
        request: peer.request,
        repeat: 2000,
        server: () => ({ pid: peer.server.pid, port: PORT + 10 }),
      },
    ]
  : []
const all: readonly Case[] = [...cases, floor, ...others]
const rows = new Map<string, Row[]>(all.map(({ name }) => [name, []]))

async function burst(one: Case, count: number, seconds: number): Promise<Row> {
  const { pid, port } = one.server?.() ?? { pid: main.pid, port: one.shown ? PORT + 1 : PORT }
  const made = await Promise.all(Array.from({ length: one.repeat ?? count }, () => one.request()))
  const sockets = await connections(port, CONNECTIONS, one.shown)
  const before = pair()
  const used = cpuOf(pid)
  const result: Burst = await closedLoop(sockets, made, { seconds, once: one.repeat === undefined })
  const cpu = cpuOf(pid) - used
  const unit = (before + pair()) / 2
  for (const socket of sockets) socket.destroy()
  if (result.refused > 0) throw new Error(`${one.name}: ${result.refused} requests were refused`)
  return {
    pairs: cpu / result.answered / unit,
    unit,
    rate: result.answered / result.seconds,
    answered: result.answered,
  }
}

let answered = 0
try {
  for (const one of all) await burst(one, 1500, 0.5)
  const residentBefore = residentOf(main.pid)
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const one of round % 2 === 0 ? all : [...all].reverse()) {
      const row = await burst(one, one.name.includes('ML-DSA') ? 2000 : REQUESTS, SECONDS)
      rows.get(one.name)?.push(row)
      if (!one.server) answered += row.answered
    }
  }
  const setting: scenes.Setting = { world, serve, port: PORT, full, main }
  const figures: Figures = {
    full,
    date: new Date().toISOString(),
    node: process.version,
    load: loadAverage(),
    rounds: ROUNDS,
    rows: all.map(({ name, limit, times }) => ({ name, limit, times, rows: rows.get(name) ?? [] })),
    starts,
    memory: { before: residentBefore, after: residentOf(main.pid), answered },
    peer: peer?.about,
    ...(await scenes.latency(setting)),
    ...(await scenes.beside(setting)),
    ...(await scenes.overload(setting)),
    ...(await scenes.workers(setting)),
    ...(full ? await scenes.many(setting) : {}),
    seconds: 0,
  }
  const done = { ...figures, seconds: (performance.now() - began) / 1000 }
  console.log(show(done))
  const results = join(import.meta.dirname, 'results')
  mkdirSync(results, { recursive: true })
  const name = join(results, `${done.date.replaceAll(/[:.]/g, '-')}.json`)
  writeFileSync(name, JSON.stringify(done, null, 2))
  console.log(`written to ${name}`)
  if (process.argv.includes('--write-docs')) writeDocs(join(import.meta.dirname, '../docs/performance.md'), done)
} finally {
  await Promise.allSettled([main.stop(), bare.stop(), peer?.server.stop()])
  rmSync(folder, { recursive: true })
}
