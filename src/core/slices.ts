/**
 * Work in steps, each done at once: `yield` stands where something else may come in between. It comes to what it returns, and
 * may throw at any step.
 */
export type Steps<T> = Generator<void, T, void>

/** Does all of it now. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** How work goes on beside the exchanges of this thread. */
export interface Pace {
  /** To be awaited between two steps: lets the event loop turn when the work has held it for long. */
  rest(): Promise<void> | undefined
}

// Milliseconds of one turn of the event loop. Beside it the turn has exchanges (see gateway/turn.ts: some 5), and collects
// garbage; all of it is to stay below 10.
const SLICE = 2

/** @param now milliseconds, of a clock that only goes on */
export function newPace({ slice = SLICE, now = () => performance.now() } = {}): Pace {
  let began = now()
  return {
    rest() {
      if (now() - began < slice) return undefined
      return new Promise((resolve) => {
        setImmediate(() => {
          began = now()
          resolve()
        })
      })
    },
  }
}

/** Does all of it, a slice in each turn of the event loop. */
export async function inSlices<T>(steps: Steps<T>, pace: Pace): Promise<T> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await pace.rest()
  }
}
