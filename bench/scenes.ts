import { metric } from './burst.ts'
import { writeMany } from './configuration.ts'
import { closedLoop, connections, median, openLoop, quantile } from './load.ts'
import { cpuOf, pin, residentOf, type Server, workOf } from './machine.ts'
import { watched } from './watched.ts'
import type { BenchWorld } from './world.ts'
import { hasWrk, wrkLoop } from './wrk.ts'

/** What everything here works with. */
export interface Stage {
  readonly world: BenchWorld
  readonly serve: (file: string, more?: readonly string[]) => Promise<Server>
  readonly port: number
  readonly full: boolean
}

/** What the scenes beside the table work with. */
export interface Setting extends Stage {
  /** The server of the table, idle by now. */
  readonly main: Server
  /** Port of the bare reply. */
  readonly bare: number
}

const make = <T>(count: number, one: () => T): readonly T[] => Array.from({ length: count }, one)
const ms = (value: number) => Math.round(value * 100) / 100

// The histogram of Node counts from one tick of its timer, every ten milliseconds, to the next.
const TICK = 10
const PAUSE = 'nodejs_eventloop_lag_max_seconds'

/**
 * Open loop at half of what the server can do: how long answers take, and the longest that its loop stood still, without
 * and with a reload of the configuration; and beside it the bare reply at the same rate, which has of the waiting what is
 * the machine's and the driver's.
 */
export async function latency({ world, port, full, main, bare }: Setting) {
  const sockets = await connections(port, 64)
  const closed = await closedLoop(sockets, make(9000, world.requests.distinct), { seconds: 1, once: true })
  for (const socket of sockets) socket.destroy()
  const capacity = closed.answered / closed.seconds
  const rate = capacity / 2
  const seconds = full ? 8 : 2
  const count = Math.ceil(rate * seconds * 1.2)
  const open = async (to: number, meanwhile?: () => Promise<void>) => {
    const requests = make(count, world.requests.distinct)
    const on = await connections(to, 64)
    // Reading it begins a new interval.
    await metric(port, PAUSE)
    const load = openLoop(on, requests, { seconds, rate })
    await meanwhile?.()
    const { latencies, refused, stalled } = await load
    for (const socket of on) socket.destroy()
    if (refused > 0) throw new Error(`${refused} requests were refused at half capacity`)
    const pause = (await metric(port, PAUSE)) * 1000 - TICK
    return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), pause, stalled }
  }
  const rounds: { readonly [name in 'quiet' | 'reload' | 'floor']: Awaited<ReturnType<typeof open>> }[] = []
  for (let round = 0; round < (full ? 3 : 1); round += 1) {
    const quiet = await open(port)
    const reload = await open(port, async () => {
      const reloaded = main.says('is in force')
      main.signal('SIGHUP')
      await reloaded
    })
    rounds.push({ quiet, reload, floor: await open(bare) })
  }
  const of = (name: 'quiet' | 'reload' | 'floor') => ({
    p50: ms(median(rounds.map((round) => round[name].p50))),
    p99: ms(median(rounds.map((round) => round[name].p99))),
    pause: ms(Math.max(0, ...rounds.map((round) => round[name].pause))),
    stalled: ms(Math.max(...rounds.map((round) => round[name].stalled))),
  })
  return {
    capacity: Math.round(capacity),
    open: { rate: Math.round(rate), seconds, quiet: of('quiet'), reload: of('reload'), floor: of('floor') },
  }
}

/** ES256 exchanges at a third of the capacity, alone and beside ML-DSA ones. */
export async function beside({ world, port, full }: Setting) {
  const sockets = await connections(port, 32)
  const rate = 1000
  const seconds = full ? 4 : 2
  const made = () => make(Math.ceil(rate * seconds * 1.2), world.requests.distinct)
  const one = async (requests: readonly Buffer[]) =>
    quantile((await openLoop(sockets, requests, { seconds, rate })).latencies, 0.99)
  const alone: number[] = []
  const together: number[] = []
  for (let round = 0; round < (full ? 3 : 1); round += 1) {
    alone.push(await one(made()))
    const slowRequests = make(1500 * seconds, world.requests.mldsa)
    const requests = made()
    // Both are made by now: what the driver does meanwhile is time that answers wait for it.
    const slow = await connections(port, 4)
    const load = closedLoop(slow, slowRequests, { seconds, once: true })
    together.push(await one(requests))
    await load
    for (const socket of slow) socket.destroy()
  }
  for (const socket of sockets) socket.destroy()
  return { beside: { rate, alone: ms(median(alone)), together: ms(median(together)) } }
}

/**
 * Ten times what can be signed, of a slow algorithm, so that the driver can keep it up. What was refused has left nothing: as
 * many tokens are issued as are answered with.
 */
export async function overload({ world, port, full, serve }: Setting) {
  const at = port + 20
  const file = world.configuration('overload', at, 'limits: { concurrent_exchanges: 64 }\n')
  const server = await serve(file)
  pin(0, server.pid)
  const sockets = await connections(at, 16)
  const warm = await closedLoop(sockets, make(1500, world.requests.mldsa), { seconds: 1, once: true })
  const capacity = warm.answered / warm.seconds
  const many = await connections(at, 512)
  const seconds = full ? 4 : 2
  const requests = make(Math.ceil(capacity * 10 * seconds * 1.2), world.requests.mldsa)
  const issued = () => metric(at, 'dragoman_exchanges_total', ['result="issued"'])
  const before = await issued()
  await metric(at, PAUSE)
  const watching = await watched(at)
  const worked = workOf()
  const used = cpuOf(server.pid)
  const burst = await openLoop(many, requests, { seconds, rate: capacity * 10 })
  const own = cpuOf(server.pid) - used
  const foreign = Math.max(0, workOf() - worked - own) / burst.seconds
  const alive = await watching.stop()
  const pause = (await metric(at, PAUSE)) * 1000 - TICK
  const halves = (await issued()) - before - burst.answered
  if (halves !== 0) throw new Error(`${halves} tokens more were issued than were answered`)
  for (const socket of [...sockets, ...many]) socket.destroy()
  await server.stop()
  return {
    overload: {
      capacity: Math.round(capacity),
      offered: Math.round(capacity * 10),
      answered: Math.round(burst.answered / burst.seconds),
      acceptedP99: ms(quantile(burst.latencies, 0.99)),
      refusedP50: ms(quantile(burst.refusals, 0.5)),
      refusedP99: ms(quantile(burst.refusals, 0.99)),
      livezP99: ms(quantile(alive.livez, 0.99)),
      metricsP99: ms(quantile(alive.metrics, 0.99)),
      looked: alive.livez.length,
      pause: ms(Math.max(0, pause)),
      stalled: ms(burst.stalled),
      foreign: ms(foreign),
    },
  }
}

/** What two workers do against one, the driver on the same processors. */
export async function workers({ world, port, full, serve }: Setting) {
  pin(undefined)
  const at = port + 30
  const [one, two] = [
    await serve(world.configuration('one', at)),
    await serve(world.configuration('two', at + 2), ['--workers', '2']),
  ]
  const rates: { readonly one: number; readonly two: number; readonly cpuOne: number; readonly cpuTwo: number }[] = []
  const driver = hasWrk() ? 'wrk' : 'ours'
  const load = async (on: number, requests: readonly Buffer[], seconds: number) => {
    if (driver === 'wrk') return wrkLoop(on, requests, { seconds, connections: 64, folder: world.folder })
    const sockets = await connections(on, 64)
    const result = await closedLoop(sockets, requests, { seconds, once: true })
    for (const socket of sockets) socket.destroy()
    return result
  }
  const burst = async (server: Server, on: number, seconds: number) => {
    const requests = make(Math.ceil(18_000 * seconds), world.requests.distinct)
    const before = cpuOf(server.pid)
    const result = await load(on, requests, seconds)
    return { rate: result.answered / result.seconds, cpu: (cpuOf(server.pid) - before) / result.answered }
  }
  for (let round = full ? -3 : -1; round < (full ? 5 : 2); round += 1) {
    const first = round % 2 === 0 ? await burst(one, at, 1) : undefined
    const second = await burst(two, at + 2, 1)
    const alone = first ?? (await burst(one, at, 1))
    // The first rounds warm up.
    if (round >= 0) rates.push({ one: alone.rate, two: second.rate, cpuOne: alone.cpu, cpuTwo: second.cpu })
  }
  const resident = { one: Math.round(residentOf(one.pid)), two: Math.round(residentOf(two.pid)) }
  await Promise.all([one.stop(), two.stop()])
  const ratios = rates.map((row) => row.two / row.one)
  return {
    workers: {
      driver,
      one: Math.round(median(rates.map((row) => row.one))),
      two: Math.round(median(rates.map((row) => row.two))),
      ratio: ms(median(ratios)),
      range: [ms(Math.min(...ratios)), ms(Math.max(...ratios))],
      cpu: ms(median(rates.map((row) => row.cpuTwo / row.cpuOne))),
      resident,
    },
  }
}

/** 10,000 profiles and 1,000 issuers beside those of the cases, against none. */
export async function many({ world, port, full, serve }: Setting) {
  const at = port + 40
  const issuers = writeMany(world.folder, { profiles: 10_000, issuers: 1000 })
  const few = await serve(world.configuration('few', at))
  const large = await serve(world.configuration('large', at + 2, '', 'many', issuers))
  pin(1)
  pin(0, few.pid)
  pin(0, large.pid)
  const costs: { readonly few: number; readonly large: number }[] = []
  const cost = async (server: Server, on: number) => {
    const sockets = await connections(on, 16)
    const requests = make(9000, world.requests.distinct)
    const before = cpuOf(server.pid)
    const result = await closedLoop(sockets, requests, { seconds: 1, once: true })
    const used = (cpuOf(server.pid) - before) / result.answered
    for (const socket of sockets) socket.destroy()
    return used
  }
  for (let round = -1; round < (full ? 5 : 2); round += 1) {
    const first = round % 2 === 0 ? await cost(few, at) : undefined
    const second = await cost(large, at + 2)
    const row = { few: first ?? (await cost(few, at)), large: second }
    if (round >= 0) costs.push(row)
  }
  const resident = Math.round(residentOf(large.pid))
  await Promise.all([few.stop(), large.stop()])
  return {
    many: {
      ratio: ms(median(costs.map((row) => row.large / row.few))),
      started: Math.round(large.started),
      resident,
    },
  }
}
