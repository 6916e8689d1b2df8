import { randomFillSync } from 'node:crypto'

// Asking the operating system costs about the same for 16 bytes as for this many.
const POOL_BYTES = 4096

/** Random bytes out of a pool that is filled anew when it is used up. No byte is given twice. */
export function pooledRandom(): (bytes: number) => Uint8Array {
  const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
  let used = POOL_BYTES
  return (bytes) => {
    if (bytes > POOL_BYTES / 8) return randomFillSync(Buffer.allocUnsafeSlow(bytes))
    if (used + bytes > POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    // A copy: the caller may keep it, while the pool is written over.
    const taken = Buffer.allocUnsafe(bytes)
    pool.copy(taken, 0, used, used + bytes)
    pool.fill(0, used, used + bytes)
    used += bytes
    return taken
  }
}
