import type { Prepared } from '../compose.ts'

/** What is to be put in force next, while several threads find out whether all of them can. */
export interface Preparing {
  /** @throws Error where it was given up, or asked for anew, before it was ready */
  prepare(make: () => Promise<Prepared>): Promise<void>
  /** Puts in force what is ready, if anything is. */
  commit(): void
  /** Gives up what is ready, and what is being made. */
  abandon(): void
}

/** Making takes many turns of the event loop: what was given up in between is not ready when it ends. */
export function preparing(): Preparing {
  let asked = 0
  let ready: Prepared | undefined
  return {
    async prepare(make) {
      asked += 1
      const own = asked
      const made = await make()
      if (own !== asked) {
        made.abandon()
        throw new Error('it was given up')
      }
      ready = made
    },
    commit() {
      ready?.commit()
      ready = undefined
    },
    abandon() {
      asked += 1
      ready?.abandon()
      ready = undefined
    },
  }
}
