/** Remembers a bounded number of values by text. */
export interface Recent<T> {
  /** What was kept last under this key; `undefined`: nothing, or not for long enough. */
  find(key: string): T | undefined
  keep(key: string, value: T): void
}

/**
 * A memory of at most `capacity` values. The half that has not been asked for longest goes first, without any order to be kept
 * on a hit. What is less than two keeps nothing.
 */
export function recent<T>(capacity: number): Recent<T> {
  const half = Math.floor(capacity / 2)
  let young = new Map<string, T>()
  let old = new Map<string, T>()
  const keep = (key: string, value: T): void => {
    if (half === 0) return
    if (young.size >= half) {
      old = young
      young = new Map()
    }
    young.set(key, value)
  }
  return {
    keep,
    find(key) {
      const found = young.get(key)
      if (found !== undefined) return found
      const older = old.get(key)
      if (older !== undefined) keep(key, older)
      return older
    },
  }
}
