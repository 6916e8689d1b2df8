import { recent } from '../core/recent.ts'
import type { VerifiedStore } from '../core/stores.ts'

/** Default number of tokens: about 20 MB of claims. */
export const VERIFIED_CAPACITY = 10_000

/** Seconds for which a verification is taken for what it was: how long a revocation may go unseen that nobody told of. */
const MAX_AGE = 60

/**
 * Remembers tokens whose signature has been verified, by a digest of each; no token is kept. Bounded, as
 * {@link recent} is.
 */
export function verifiedStore<T>({ capacity = VERIFIED_CAPACITY }: { capacity?: number } = {}): VerifiedStore<T> {
  const known = recent<{ readonly value: T; readonly until: number }>(capacity)
  return {
    find(key, now) {
      const entry = known.find(key)
      return entry === undefined || now >= entry.until ? undefined : entry.value
    },
    keep: (key, value, now) => known.keep(key, { value, until: now + MAX_AGE }),
  }
}
