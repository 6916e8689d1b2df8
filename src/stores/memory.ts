import { DragomanError } from '../core/errors.ts'
import type { ReplayStore } from '../core/stores.ts'

/** Seconds covered by one bucket: a used-up key is forgotten at most this long after it expired. */
const BUCKET_SECONDS = 60

/** Default number of keys: about 100 MB, or half an hour of 500 single-use tokens a second. */
export const REPLAY_CAPACITY = 1_000_000

/**
 * A replay store in this process's memory.
 *
 * Keys lie in buckets by the minute in which they expire, so that forgetting the expired ones costs nothing on the way.
 * A key that has not expired is never given up for a new one: when the store is full it refuses.
 * Does NOT know of other processes: two gateways with a store each take one token twice.
 *
 * `claim` throws a TypeError for a time that is no number.
 */
export function memoryReplay({ capacity = REPLAY_CAPACITY }: { capacity?: number } = {}): ReplayStore {
  const expiries = new Map<string, number>()
  const buckets = new Map<number, string[]>()
  let sweptUntil = -Infinity

  function sweep(now: number): void {
    const due = Math.floor(now / BUCKET_SECONDS)
    if (due <= sweptUntil) return
    sweptUntil = due
    for (const [bucket, keys] of buckets) {
      if (bucket >= due) continue
      buckets.delete(bucket)
      // A key may have been claimed anew since, after it expired: then it lies in a later bucket as well.
      for (const key of keys) if ((expiries.get(key) ?? Infinity) <= now) expiries.delete(key)
    }
  }

  return {
    get size() {
      return expiries.size
    },
    claimed: (key, now) => (expiries.get(key) ?? -Infinity) > now,
    claim(key, expiresAt, now) {
      // Compares as neither past nor future, so that a key would be new each time.
      if (Number.isNaN(expiresAt) || Number.isNaN(now)) throw new TypeError('times in seconds')
      sweep(now)
      const known = expiries.get(key)
      if (known !== undefined && known > now) return false
      if (known === undefined && expiries.size >= capacity) {
        throw new DragomanError('ERR_STORE_UNAVAILABLE', { detail: { store: 'replay', capacity }, retryAfter: 60 })
      }
      expiries.set(key, expiresAt)
      const bucket = Math.floor(expiresAt / BUCKET_SECONDS)
      const keys = buckets.get(bucket)
      if (keys) keys.push(key)
      else buckets.set(bucket, [key])
      return true
    },
    release(key) {
      // It stays in its bucket, where a key that is not known any more costs nothing.
      expiries.delete(key)
    },
  }
}
