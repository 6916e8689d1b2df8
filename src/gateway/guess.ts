import { DragomanError } from '../core/errors.ts'

export interface GuessLimits {
  /** Failures for one client from one address within a minute. */
  readonly perAddress: number
  /** Failures for one client from everywhere within a minute. */
  readonly perClient: number
}

// A client that is set up wrong retries for a while; a secret of 128 bits takes longer than that. The second number is
// higher, since whoever reaches it keeps the client itself out too.
const GUESS_LIMITS: GuessLimits = { perAddress: 10, perClient: 100 }

// Seconds.
const WINDOW = 60
// Entries of one table. What is added when it is full puts the oldest out.
const MAX_ENTRIES = 20_000

/**
 * Slows down whoever guesses client credentials (RFC 6749 §2.3.1).
 *
 * Failures are counted for a client that exists, by the address they come from and together; for others by address
 * alone, which then slows only requests for clients that do not exist. So no caller chooses the key, and behind one
 * proxy one client's failures are not another's.
 */
export interface GuessLimiter {
  /** @throws {@link DragomanError} `ERR_CLIENT_SLOWED` with the seconds to wait */
  check(client: string | undefined, address: string, now: number): void
  failed(client: string | undefined, address: string, now: number): void
  /** Nothing was counted of late: {@link check} has nothing to say. */
  idle(now: number): boolean
}

export function guessLimiter({ perAddress, perClient }: GuessLimits = GUESS_LIMITS): GuessLimiter {
  const addresses = slidingCounts()
  const pairs = slidingCounts()
  const clients = slidingCounts()
  let last = Number.NEGATIVE_INFINITY
  return {
    idle: (now) => now - last > 2 * WINDOW,
    check(client, address, now) {
      const place = network(address)
      const wait =
        client === undefined
          ? addresses.wait(place, perAddress, now)
          : Math.max(pairs.wait(`${client}\0${place}`, perAddress, now), clients.wait(client, perClient, now))
      if (wait > 0) throw new DragomanError('ERR_CLIENT_SLOWED', { retryAfter: wait, detail: { client } })
    },
    failed(client, address, now) {
      const place = network(address)
      last = now
      if (client === undefined) return addresses.add(place, now)
      pairs.add(`${client}\0${place}`, now)
      clients.add(client, now)
    },
  }
}

interface Count {
  window: number
  before: number
  current: number
}

/** Counts within the last minute: those of this clock minute, and of the one before as far as it still reaches. */
function slidingCounts() {
  const counts = new Map<string, Count>()

  function at(key: string, now: number): Count | undefined {
    const count = counts.get(key)
    if (count === undefined) return undefined
    const passed = Math.floor(now / WINDOW) - count.window
    if (passed > 0) {
      count.before = passed === 1 ? count.current : 0
      count.current = 0
      count.window += passed
    }
    return count
  }

  return {
    /** Seconds until there are fewer than `limit`; 0: there are. */
    wait(key: string, limit: number, now: number): number {
      const count = at(key, now)
      if (count === undefined) return 0
      const elapsed = now % WINDOW
      const total = count.current + count.before * (1 - elapsed / WINDOW)
      if (total < limit) return 0
      return Math.max(1, Math.ceil(WINDOW - elapsed))
    },
    add(key: string, now: number): void {
      const count = at(key, now)
      if (count !== undefined) {
        count.current += 1
        return
      }
      for (const oldest of counts.keys()) {
        if (counts.size < MAX_ENTRIES) break
        counts.delete(oldest)
      }
      counts.set(key, { window: Math.floor(now / WINDOW), before: 0, current: 1 })
    },
  }
}

/** An IPv4 address, or the /64 of an IPv6 one: whoever has one of its addresses has them all. */
export function network(address: string): string {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('%')[0]?.split('::') ?? []
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, 4).join(':')
}
