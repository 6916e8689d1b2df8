/**
 * Remembers what may be used once. One per tenant; memory, or shared between gateways.
 */
export interface ReplayStore {
  /**
   * Claims `key` until `expiresAt` (seconds). `true`: first use. `false`: it was claimed before and has not expired.
   *
   * Atomic: of two calls with one key exactly one is `true`, wherever they run. Fails closed.
   *
   * @throws {@link DragomanError} `ERR_STORE_UNAVAILABLE` when it is full or cannot be reached
   */
  claim(key: string, expiresAt: number, now: number): boolean | Promise<boolean>
  /**
   * Gives back what this caller has just claimed, since nothing came of it: the key is new again. A store that cannot keeps
   * it claimed, and what was claimed for nothing stays used.
   */
  release?(key: string): void | Promise<void>
  /**
   * Whether `key` is claimed now. Claims nothing, and says nothing about a moment later: only {@link claim} decides.
   * Absent: this store cannot be asked.
   */
  claimed?(key: string, now: number): boolean | Promise<boolean>
  readonly size?: number
}

/** Remembers what has been verified, by a digest, for a bounded time and in a bounded number. */
export interface VerifiedStore<T> {
  /** `undefined`: not known, or no longer. `now` in seconds. */
  find(key: string, now: number): T | undefined
  keep(key: string, value: T, now: number): void
}
