import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Bytes at which the room for young objects grows no more, both of its halves together. */
const ENOUGH = 8 * 1024 * 1024
// Milliseconds between two looks at it, while it is smaller.
const INTERVAL = 20

/**
 * Lets every object begin as a young one. V8 would put those of a place in the code that once made lasting ones among the old
 * at once: after a configuration of a thousand issuers, all that is parsed later, so that reading ten thousand profiles took
 * twice the memory, and a fifth more time to collect it. Holds for the process and its threads.
 */
export const beginYoung = (): void => setFlagsFromString('--no-allocation-site-pretenuring')

/**
 * Keeps V8 from giving young objects ever more room, up to 64 MiB. By measurement more than this saves no time, since what an
 * exchange makes goes with it, and each collection takes longer. Node takes a bound on the command line only; so the factor
 * by which it grows is set to one. It is the process's: threads have bounds of their own (see workers/worker.ts).
 *
 * Looks until it is large enough, and ends with that. Keeps no process alive.
 */
export function boundYoung(): void {
  const look = () => {
    if (youngBytes() < ENOUGH) return false
    setFlagsFromString('--semi-space-growth-factor=1')
    return true
  }
  if (look()) return
  const timer = setInterval(() => {
    if (look()) clearInterval(timer)
  }, INTERVAL)
  timer.unref()
}

export const youngBytes = (): number =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? Infinity
