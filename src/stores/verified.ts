import type { VerifiedStore } from '../core/stores.ts'

/** Default number of tokens: about 20 MB of claims. */
export const VERIFIED_CAPACITY = 10_000

/** Seconds for which a verification is taken for what it was: how long a revocation may go unseen that nobody told of. */
const MAX_AGE = 60

/**
 * Remembers tokens whose signature has been verified, by a digest of each; no token is kept. Bounded: the half that has not
 * been asked for longest goes first, without any order to be kept on a hit.
 */
export function verifiedStore<T>({ capacity = VERIFIED_CAPACITY }: { capacity?: number } = {}): VerifiedStore<T> {
  let recent = new Map<string, { readonly value: T; readonly until: number }>()
  let older: typeof recent = new Map()
  const half = Math.floor(capacity / 2)
  const put = (key: string, entry: { readonly value: T; readonly until: number }): void => {
    if (recent.size >= half) {
      older = recent
      recent = new Map()
    }
    recent.set(key, entry)
  }
  return {
    find(key, now) {
      const entry = recent.get(key) ?? older.get(key)
      if (entry === undefined || now >= entry.until) return undefined
      if (!recent.has(key)) put(key, entry)
      return entry.value
    },
    keep(key, value, now) {
      if (half > 0) put(key, { value, until: now + MAX_AGE })
    },
  }
}
