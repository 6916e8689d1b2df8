import type { VerifiedStore } from '../core/stores.ts'

// One word each, 256 KiB: what came among the last tens of thousands of tokens is known again.
const SLOTS = 65_536
// FNV-1a, 32 bits. Keys are digests already, so that nothing better is asked of it.
const BASIS = 0x811c9dc5
const PRIME = 0x01000193

/**
 * Keeps what comes a second time. Most tokens come once: to keep their claims for a minute would cost the collector of
 * garbage more than the signatures that it saves of others. Of a first one 32 bits are remembered, and those of another
 * may take their place: then it is kept later, or at its first time, which is as good.
 */
export function whenAgain<T>(store: VerifiedStore<T>): VerifiedStore<T> {
  const seen = new Uint32Array(SLOTS)
  return {
    find: (key, now) => store.find(key, now),
    keep(key, value, now) {
      const word = wordOf(key)
      const slot = word % SLOTS
      if (seen[slot] === word) store.keep(key, value, now)
      else seen[slot] = word
    },
  }
}

function wordOf(key: string): number {
  let word = BASIS
  for (let at = 0; at < key.length; at += 1) word = Math.imul(word ^ key.charCodeAt(at), PRIME)
  return word >>> 0
}
