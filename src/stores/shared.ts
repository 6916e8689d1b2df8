import { hash, randomBytes } from 'node:crypto'
import { DragomanError } from '../core/errors.ts'
import type { ReplayStore } from '../core/stores.ts'
import { REPLAY_CAPACITY } from './memory.ts'

/** The memory of a replay store that several threads work on at once. Passed to them as it is: none has a copy. */
export interface ReplayTable {
  readonly memory: SharedArrayBuffer
  /** Keys are hashed with it, so that nobody can choose ones that lie together. */
  readonly secret: string
  readonly capacity: number
}

// A slot is three words of a key's hash, and the second in which it expires; 0: never used.
const SLOT_WORDS = 4
const EXPIRY = 3
// A key lies somewhere in one bucket, which is read whole. Half full on average, one of 64 runs over once in 10 million.
const BUCKET_SLOTS = 64
const BUCKET_WORDS = BUCKET_SLOTS * SLOT_WORDS
// Threads seldom meet at one of so many locks, even with a core each.
const LOCKS = 256
// The last second that 32 bits can name: it stands for every later one, and never passes.
const NEVER = 0xffff_ffff
// Looking through so many takes a fifth of a millisecond.
const COUNTED_BUCKETS = 1024
// Milliseconds between two looks at a lock that somebody else has: what is done under it takes a microsecond.
const LOCK_INTERVAL = 1

/** Memory for `capacity` keys, 32 bytes each; taken from the machine as it is filled. */
export function replayTable({ capacity = REPLAY_CAPACITY }: { capacity?: number } = {}): ReplayTable {
  // What fits into one bucket is refused beyond exactly that number.
  const buckets = capacity <= BUCKET_SLOTS ? 1 : 2 ** Math.ceil(Math.log2((2 * capacity) / BUCKET_SLOTS))
  const words = LOCKS + buckets * BUCKET_WORDS
  return { memory: new SharedArrayBuffer(words * 4), secret: randomBytes(32).toString('base64url'), capacity }
}

/**
 * A replay store over memory that several threads share: a key claimed in one is claimed in all, at once.
 *
 * Nothing is kept of a key but 96 bits of a keyed hash. Each claim looks through one bucket of 64, under a lock of its own,
 * so that of two threads exactly one is first. A key that has not expired is never given up: when its bucket is full it is
 * refused, which happens at the earliest when about `capacity` keys are remembered. It is of one size from the start: nothing
 * grows or is collected while it fills.
 *
 * @param owner a number above 0 that no other thread has: whose locks {@link releaseLocks} frees when that thread is gone
 */
export function sharedReplay(
  { memory, secret, capacity }: ReplayTable,
  { owner, clock = () => Date.now() / 1000 }: { readonly owner: number; readonly clock?: () => number },
): ReplayStore {
  const words = new Uint32Array(memory)
  const locks = new Int32Array(memory, 0, LOCKS)
  const buckets = (words.length - LOCKS) / BUCKET_WORDS
  const usable = Math.min(capacity, BUCKET_SLOTS) * SLOT_WORDS

  const isKey = (slot: number, key: Uint32Array): boolean =>
    words[slot] === key[0] && words[slot + 1] === key[1] && words[slot + 2] === key[2]

  function claimIn(start: number, key: Uint32Array, expires: number, now: number): boolean {
    let free = -1
    for (let slot = start; slot < start + usable; slot += SLOT_WORDS) {
      if ((words[slot + EXPIRY] ?? 0) > now) {
        if (isKey(slot, key)) return false
      } else if (free < 0) free = slot
    }
    if (free < 0) {
      throw new DragomanError('ERR_STORE_UNAVAILABLE', { detail: { store: 'replay', capacity }, retryAfter: 60 })
    }
    // A thread that is ended in between leaves a slot that never counted: its last word makes it one.
    words[free + EXPIRY] = 0
    words.set(key.subarray(0, EXPIRY), free)
    words[free + EXPIRY] = expires
    return true
  }

  /** Works on the bucket of a key while no other thread does. */
  function alone<T>(key: string, work: (start: number, digest: Uint32Array) => T): T {
    const digest = digestOf(secret, key)
    const bucket = (digest[EXPIRY] ?? 0) % buckets
    const lock = bucket % LOCKS
    take(locks, lock, owner)
    try {
      return work(LOCKS + bucket * BUCKET_WORDS, digest)
    } finally {
      free(locks, lock)
    }
  }

  function holds(start: number, key: Uint32Array, now: number): boolean {
    for (let slot = start; slot < start + BUCKET_WORDS; slot += SLOT_WORDS) {
      const same = words[slot] === key[0] && words[slot + 1] === key[1] && words[slot + 2] === key[2]
      if (same && (words[slot + EXPIRY] ?? 0) > now) return true
    }
    return false
  }

  return {
    get size() {
      return countLive(words, buckets, clock())
    },
    claimed: (key, now) => alone(key, (start, digest) => holds(start, digest, now)),
    claim(key, expiresAt, now) {
      // Compares as neither past nor future, so that a key would be new each time.
      if (Number.isNaN(expiresAt) || Number.isNaN(now)) throw new TypeError('times in seconds')
      return alone(key, (start, digest) => claimIn(start, digest, secondOf(expiresAt), now))
    },
    release(key) {
      alone(key, (start, digest) => {
        for (let slot = start; slot < start + usable; slot += SLOT_WORDS) {
          if (isKey(slot, digest)) words[slot + EXPIRY] = 0
        }
      })
    },
  }
}

/** Frees what a thread that is no more held. Call it when the thread has ended, and not before. */
export function releaseLocks({ memory }: ReplayTable, owner: number): void {
  const locks = new Int32Array(memory, 0, LOCKS)
  for (let lock = 0; lock < LOCKS; lock += 1) {
    if (Atomics.compareExchange(locks, lock, owner, 0) === owner) Atomics.notify(locks, lock)
  }
}

function take(locks: Int32Array, lock: number, owner: number): void {
  for (;;) {
    const holder = Atomics.compareExchange(locks, lock, 0, owner)
    if (holder === 0) return
    Atomics.wait(locks, lock, holder, LOCK_INTERVAL)
  }
}

function free(locks: Int32Array, lock: number): void {
  Atomics.store(locks, lock, 0)
  Atomics.notify(locks, lock, 1)
}

/** Three words that stand for the key, and one that says where it lies. */
function digestOf(secret: string, key: string): Uint32Array {
  const digest = hash('sha256', secret + key, 'buffer')
  return Uint32Array.of(digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12))
}

const secondOf = (time: number): number => Math.max(0, Math.min(NEVER, Math.ceil(time)))

/** How many have not expired: of a large store estimated from some of its buckets, since all of them would take too long. */
function countLive(words: Uint32Array, buckets: number, now: number): number {
  const step = Math.max(1, Math.floor(buckets / COUNTED_BUCKETS))
  let live = 0
  for (let bucket = 0; bucket < buckets; bucket += step) {
    const start = LOCKS + bucket * BUCKET_WORDS
    for (let slot = start; slot < start + BUCKET_WORDS; slot += SLOT_WORDS) {
      if ((words[slot + EXPIRY] ?? 0) > now) live += 1
    }
  }
  return live * step
}
