// What does an exchange cost, beside the signatures that it cannot do without?
//
// Unit: the pair, one ES256 verify and one ES256 sign by synchronous node:crypto, timed right before and after each burst on
// the processor that the server runs on. The server is the built package, as a process of its own, with every check on: an
// expression in each profile, single use, audit to a file, metrics. It is driven over loopback on kept connections with
// requests that were made before and differ. CPU is the operating system's accounting of the server's threads. Cases take
// turns, in reversed order each round, with a bare node:http reply among them. One answer of each is looked at first, and
// the gateway's own count of what it issued is held against the driver's.
//
//   npm run bench                     two minutes
//   npm run bench -- --full           less than nine; --write-docs puts the table into docs/performance.md
//   npm run bench -- --compare        other servers beside it, as far as they can be had
//   npm run bench -- --soak MINUTES   one long load instead, for the memory; 60 unless said otherwise
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { burst, look, type Place } from './burst.ts'
import { type Case, gatewayCases } from './cases.ts'
import { newPeers } from './compare.ts'
import { packageIn } from './configuration.ts'
import { freeRange, keepAwake, loadAverage, pin, residentOf, type Server, start } from './machine.ts'
import { type Figures, type Row, show, writeDocs } from './report.ts'
import * as scenes from './scenes.ts'
import { newBenchWorld } from './world.ts'

const full = process.argv.includes('--full')
const ROUNDS = full ? 5 : 3
const SECONDS = 1
const PORT = await freeRange()
const began = performance.now()

execFileSync('npm', ['run', '--silent', 'build'], { cwd: join(import.meta.dirname, '..'), stdio: 'inherit' })
const folder = mkdtempSync(join(tmpdir(), 'dragoman-bench-'))
const launcher = packageIn(folder)
const world = await newBenchWorld(folder, PORT)

const awake = keepAwake()
const bare = await start([join(import.meta.dirname, 'bare.ts'), String(PORT + 8)], 'listening')
const configuration = world.configuration('main', PORT, 'batch: { items: 100, body_bytes: 1048576 }\n')
const serve = (file: string, more: readonly string[] = []): Promise<Server> =>
  start([launcher, 'serve', '--config', file, ...more], 'listening')

const starts: number[] = []
for (let n = 0; n < (full ? 5 : 3); n += 1) {
  const server = await serve(configuration)
  starts.push(server.started)
  await server.stop()
}
const main = await serve(configuration)
const gateway: Place = { pid: main.pid, port: PORT }
const peers = process.argv.includes('--compare') ? await newPeers(PORT + 10, world) : []
for (const { pid } of [main, bare]) pin(0, pid)
for (const { settle } of peers) settle()
pin(1)

const floor: Case = {
  name: 'bare node:http reply',
  request: world.requests.bare,
  repeat: 100,
  server: () => ({ pids: () => [bare.pid], port: PORT + 8, jwks: '' }),
}
const all: readonly Case[] = [...gatewayCases(world), floor, ...peers.map((peer) => peer.case)]
const rows = new Map<string, Row[]>(all.map(({ name }) => [name, []]))

let answered = 0
try {
  for (const one of all) {
    await look(one, gateway)
    await burst(one, gateway, { seconds: one.warm ?? 0.5, requests: Math.min(1500, one.requests ?? 1500) })
  }
  const residentBefore = residentOf(main.pid)
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const one of round % 2 === 0 ? all : [...all].reverse()) {
      const row = await burst(one, gateway, { seconds: SECONDS })
      rows.get(one.name)?.push(row)
      if (!one.server) answered += row.answered
    }
  }
  const setting: scenes.Setting = { world, serve, port: PORT, full, main, bare: PORT + 8 }
  const figures: Figures = {
    full,
    date: new Date().toISOString(),
    node: process.version,
    load: loadAverage(),
    rounds: ROUNDS,
    rows: all.map(({ name, limit, times }) => ({ name, limit, times, rows: rows.get(name) ?? [] })),
    starts,
    memory: { before: residentBefore, after: residentOf(main.pid), answered },
    peers: peers.map(({ case: { name }, about }) => ({ name, about })),
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
  awake.stop()
  await Promise.allSettled([main.stop(), bare.stop(), ...peers.map((peer) => peer.server.stop())])
  rmSync(folder, { recursive: true })
}
