import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Bytes at which the room for young objects grows no more, both of its halves together. */
const ENOUGH = 16 * 1024 * 1024

/**
 * Lets every object begin as a young one. V8 would put those of a place in the code that once made lasting ones among the old
 * at once: after a configuration of a thousand issuers, all that is parsed later, so that reading ten thousand profiles took
 * twice the memory, and a fifth more time to collect it. Holds for the process and its threads.
 */
export const beginYoung = (): void => setFlagsFromString('--no-allocation-site-pretenuring')

/**
 * Collects young objects in the thread that made them. Of what an exchange makes nearly nothing is left by then: waking other
 * threads to help costs more than they do, most of all where every processor has enough to do. Holds for the process.
 */
export const collectAlone = (): void => setFlagsFromString('--no-parallel-scavenge')

/**
 * Keeps V8 from giving young objects ever more room, up to 64 MiB. By measurement more than this saves no time, since what an
 * exchange makes goes with it, and each collection takes longer. Node takes a bound on the command line only; so the factor
 * by which it grows is one while it is large enough, and two when V8 has made it smaller in a quiet hour. The factor is the
 * process's: threads have bounds of their own (see workers/worker.ts).
 *
 * Looks after each collection, for as long as the process runs, and does not keep it running.
 */
export function boundYoung(): void {
  let factor = 2
  const look = () => {
    const right = youngBytes() < ENOUGH ? 2 : 1
    if (right === factor) return
    factor = right
    setFlagsFromString(`--semi-space-growth-factor=${factor}`)
  }
  look()
  new PerformanceObserver(look).observe({ entryTypes: ['gc'] })
}

export const youngBytes = (): number =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? Infinity
