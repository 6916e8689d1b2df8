// One of several threads that claim the same keys at the same moment: what test/stores/shared.test.ts drives.
import { parentPort, workerData } from 'node:worker_threads'
import { type ReplayTable, sharedReplay } from '../../src/stores/shared.ts'

const { table, owner, keys, gate, expires, now } = workerData as {
  readonly table: ReplayTable
  readonly owner: number
  readonly keys: readonly string[]
  readonly gate: SharedArrayBuffer
  readonly expires: number
  readonly now: number
}
const store = sharedReplay(table, { owner })
const started = new Int32Array(gate)
parentPort?.postMessage('ready')
Atomics.wait(started, 0, 0)
const won: number[] = []
for (const [index, key] of keys.entries()) if (store.claim(key, expires, now) === true) won.push(index)
parentPort?.postMessage(won)
