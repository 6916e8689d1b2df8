import { join } from 'node:path'
import process from 'node:process'
import { burst, look, type Place } from './burst.ts'
import { type Case, gatewayCases } from './cases.ts'
import { newPeers } from './compare.ts'
import { cpuOf, loadAverage, pin, residentOf, type Server, start } from './machine.ts'
import type { Figures, Row } from './report.ts'
import * as scenes from './scenes.ts'

const SECONDS = 1

/** Everything that the page about performance shows: what each case costs, and the scenes beside it. */
export async function table(stage: scenes.Stage, compare: boolean): Promise<Figures> {
  const { world, port, full, serve } = stage
  const rounds = full ? 5 : 3
  const began = performance.now()
  const bare = await start([join(import.meta.dirname, 'bare.ts'), String(port + 8)], 'listening')
  const configuration = world.configuration('main', port, 'batch: { items: 100, body_bytes: 1048576 }\n')
  const starts: number[] = []
  for (let n = 0; n < (full ? 5 : 3); n += 1) {
    const server = await serve(configuration)
    starts.push(server.started)
    await server.stop()
  }
  const main = await serve(configuration)
  const peers = compare ? await newPeers(port + 10, world) : []
  for (const { pid } of [main, bare]) pin(0, pid)
  for (const { settle } of peers) settle()
  pin(1)

  try {
    const floor: Case = {
      name: 'bare node:http reply',
      request: world.requests.bare,
      repeat: 100,
      server: () => ({ cpu: () => cpuOf(bare.pid), port: port + 8, jwks: '' }),
    }
    const all: readonly Case[] = [...gatewayCases(world), floor, ...peers.map((peer) => peer.case)]
    const measured = await measure(all, { pid: main.pid, port }, { rounds, resident: () => residentOf(main.pid) })
    const setting: scenes.Setting = { ...stage, main, bare: port + 8 }
    return {
      full,
      date: new Date().toISOString(),
      node: process.version,
      load: loadAverage(),
      rounds,
      ...measured,
      starts,
      peers: peers.map(({ case: { name }, about }) => ({ name, about })),
      ...(await scenes.latency(setting)),
      ...(await scenes.beside(setting)),
      ...(await scenes.overload(setting)),
      ...(await scenes.workers(setting)),
      ...(full ? await scenes.many(setting) : {}),
      seconds: (performance.now() - began) / 1000,
    }
  } finally {
    const servers: readonly Pick<Server, 'stop'>[] = [main, bare, ...peers.map(({ server }) => server)]
    await Promise.allSettled(servers.map((server) => server.stop()))
  }
}

/** Each case in turn, in reversed order each round, after one look at what it comes to. */
async function measure(
  all: readonly Case[],
  gateway: Place,
  { rounds, resident }: { readonly rounds: number; readonly resident: () => number },
): Promise<Pick<Figures, 'rows' | 'memory'>> {
  const rows = new Map<string, Row[]>(all.map(({ name }) => [name, []]))
  let answered = 0
  for (const one of all) {
    await look(one, gateway)
    await burst(one, gateway, { seconds: one.warm ?? 0.5, requests: Math.min(1500, one.requests ?? 1500) })
  }
  const before = resident()
  for (let round = 0; round < rounds; round += 1) {
    for (const one of round % 2 === 0 ? all : [...all].reverse()) {
      const row = await burst(one, gateway, { seconds: SECONDS })
      rows.get(one.name)?.push(row)
      if (!one.server) answered += row.answered
    }
  }
  return {
    rows: all.map(({ name, limit, times }) => ({ name, limit, times, rows: rows.get(name) ?? [] })),
    memory: { before, after: resident(), answered },
  }
}
