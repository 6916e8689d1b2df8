import { DragomanError } from '../core/errors.ts'

// About 0.2 ms each: one flush holds the loop for some milliseconds, then sockets are read and written again.
const MAX_FLUSH = 32

export interface TurnLimits {
  /** Exchanges that wait to be started: what is beyond would wait longer than its client should. */
  readonly queued: number
  /** Exchanges begun and not answered: what waits for an issuer's keys holds memory, and not the processor. */
  readonly inFlight: number
}

/** Exchanges of one tenant that are begun and not answered, unless its configuration says otherwise. */
export const CONCURRENT_EXCHANGES = 1000

// 256 of 0.2 ms are 50 ms of work. In flight: 2,000 requests of 64 KiB are 128 MiB.
const TURN_LIMITS: TurnLimits = { queued: 256, inFlight: 2000 }

/** Runs jobs in groups, and refuses those for which there is no room. */
export interface Turns extends Lane {
  /** The same queue for a part of the jobs, with a bound of its own: whoever fills it leaves room for others. */
  lane(inFlight: number): Lane
}

export interface Lane {
  /** @throws {@link DragomanError} `ERR_OVERLOADED`, before the job is begun */
  run<T>(job: () => Promise<T>): Promise<T>
  /** Begun and not ended. */
  readonly inFlight: number
  /** What is run now is refused: known before a request is read. */
  readonly full: boolean
}

/**
 * Starts the exchanges that arrived in one turn of the event loop together.
 *
 * Their steps then alternate, since each goes on in a microtask: all authenticate, all verify, all sign, all are
 * answered. The processor does one thing many times instead of many things once, which costs about a third less.
 */
export function turns(limits: TurnLimits = TURN_LIMITS): Turns {
  const queue: (() => void)[] = []
  let inFlight = 0

  function flush(): void {
    const jobs = queue.splice(0, MAX_FLUSH)
    if (queue.length > 0) setImmediate(flush)
    for (const job of jobs) job()
  }

  function lane(most: number): Lane {
    let own = 0
    const isFull = () => own >= most || queue.length >= limits.queued || inFlight >= limits.inFlight
    const ended = () => {
      own -= 1
      inFlight -= 1
    }
    return {
      get inFlight() {
        return own
      },
      get full() {
        return isFull()
      },
      run(job) {
        if (isFull()) return Promise.reject(new DragomanError('ERR_OVERLOADED', { retryAfter: 1 }))
        own += 1
        inFlight += 1
        return new Promise((resolve, reject) => {
          queue.push(() => {
            job().then(
              (result) => {
                ended()
                resolve(result)
              },
              (error) => {
                ended()
                reject(error)
              },
            )
          })
          if (queue.length === 1) setImmediate(flush)
        })
      },
    }
  }

  const whole = lane(Number.POSITIVE_INFINITY)
  return {
    lane,
    run: (job) => whole.run(job),
    get inFlight() {
      return inFlight
    },
    get full() {
      return whole.full
    },
  }
}
