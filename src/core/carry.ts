/**
 * What outlives a reload of the configuration: state that is not in any file, such as uses to be remembered, keys that
 * were fetched or made at start, and open streams.
 *
 * `take` gives what the configuration before had under the same name, and otherwise makes it. The name holds everything
 * that it was made of, so that what was changed is made anew.
 */
export interface Carry {
  take<T>(name: string, make: () => T): T
}

/** The carry of one configuration; `before`: that of the one it replaces. What is not taken from it is let go. */
export function newCarry(before?: Carry): Carry & { readonly taken: ReadonlyMap<string, unknown> } {
  const taken = new Map<string, unknown>()
  const known = before === undefined ? undefined : (before as Partial<ReturnType<typeof newCarry>>).taken
  return {
    taken,
    take<T>(name: string, make: () => T): T {
      const value = taken.get(name) ?? known?.get(name) ?? make()
      taken.set(name, value)
      // Under one name there is only ever what `make` of that name gave.
      return value as T
    },
  }
}
