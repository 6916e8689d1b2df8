import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { type ReplayTable, releaseLocks, replayTable, sharedReplay } from '../../src/stores/shared.ts'
import { replayStoreContract } from './contract.ts'

const START = 1_800_000_000
const tables = new WeakMap<object, ReplayTable>()

function open(capacity = 1000) {
  const table = replayTable({ capacity })
  const store = sharedReplay(table, { owner: 1 })
  tables.set(store, table)
  return store
}

replayStoreContract('shared by threads', {
  open: () => open(),
  another(store) {
    const table = tables.get(store)
    if (!table) throw new Error('not one of these')
    return sharedReplay(table, { owner: 2 })
  },
  unavailable() {
    const store = open(1)
    store.claim('one', START + 3600, START)
    return store
  },
})

/** Claims these keys, in this order, in each of so many threads at once. Resolves with who won what. */
async function race(table: ReplayTable, threads: number, keys: readonly string[]): Promise<readonly number[][]> {
  const gate = new SharedArrayBuffer(4)
  const workers = Array.from(
    { length: threads },
    (_, index) =>
      new Worker(join(import.meta.dirname, '../support/claims.ts'), {
        workerData: { table, owner: index + 1, keys, gate, expires: START + 600, now: START },
      }),
  )
  const said = (worker: Worker) =>
    new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await Promise.all(workers.map(said))
  const won = workers.map(said)
  const started = new Int32Array(gate)
  Atomics.store(started, 0, 1)
  Atomics.notify(started, 0)
  return (await Promise.all(won)) as number[][]
}

describe('a replay store that threads share', () => {
  it('gives each of 20,000 keys that four threads claim at once to exactly one of them', async () => {
    const keys = Array.from({ length: 20_000 }, (_, n) => `token ${n}`)
    const table = replayTable({ capacity: 40_000 })
    const won = await race(table, 4, keys)
    const all = won.flat()
    expect(all).toHaveLength(keys.length)
    expect(new Set(all).size).toBe(keys.length)
    // More than one of them won something, or they did not meet.
    expect(won.filter((list) => list.length > 0).length).toBeGreaterThan(1)
  })

  it('holds as many keys as it says', () => {
    const store = open(10_000)
    for (let n = 0; n < 10_000; n += 1) expect(store.claim(`${n}`, START + 600, START)).toBe(true)
    for (let n = 0; n < 10_000; n += 1) expect(store.claim(`${n}`, START + 600, START)).toBe(false)
  })

  it('gives up nothing that has not expired when it is full, and has room again when it has', () => {
    const store = open(64)
    for (let n = 0; n < 64; n += 1) store.claim(`${n}`, START + 600, START)
    expect(() => store.claim('new', START + 600, START + 599)).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE', detail: { store: 'replay', capacity: 64 } }),
    )
    for (let n = 0; n < 64; n += 1) expect(store.claim(`${n}`, START + 600, START + 599)).toBe(false)
    expect(store.claim('new', START + 1200, START + 600)).toBe(true)
  })

  it('goes on when a thread has died in the middle of a claim', () => {
    const table = replayTable({ capacity: 1 })
    // As if thread 7 had been ended while it held every lock.
    new Int32Array(table.memory, 0, 256).fill(7)
    releaseLocks(table, 7)
    expect(sharedReplay(table, { owner: 1 }).claim('a', START + 60, START)).toBe(true)
  })

  it('leaves the locks of the living alone', () => {
    const table = replayTable({ capacity: 1 })
    const locks = new Int32Array(table.memory, 0, 256).fill(7)
    releaseLocks(table, 8)
    expect(locks.every((holder) => holder === 7)).toBe(true)
  })

  it('takes an end beyond what 32 bits can name for one that never comes', () => {
    const store = open()
    expect(store.claim('a', Number.POSITIVE_INFINITY, START)).toBe(true)
    expect(store.claim('a', START + 60, 4_200_000_000)).toBe(false)
  })

  it('counts what has not expired', () => {
    const store = open()
    const now = Date.now() / 1000
    store.claim('a', now + 600, now)
    store.claim('b', now - 600, now - 1200)
    expect(store.size).toBe(1)
  })

  it('keeps no key: 96 bits of a keyed hash are all there is', () => {
    const table = replayTable({ capacity: 1 })
    sharedReplay(table, { owner: 1 }).claim('token canary', START + 60, START)
    expect(Buffer.from(table.memory).includes('canary')).toBe(false)
    expect(replayTable().secret).not.toBe(table.secret)
  })
})
