import { DragomanError, type ErrorCode } from '../core/errors.ts'
import type { Admission, ExchangeResult, Services, TokenRequest } from '../core/exchange.ts'
import type { Log, Tell } from './tell.ts'
import type { Site } from './tenant.ts'

/** What an endpoint that exchanges tokens is given. */
export interface ExchangeOptions {
  /** The recipe: `exchangeToken`. It leaves an audit record whatever happens. */
  readonly exchange: (request: TokenRequest, services: Services, admitted?: Admission) => Promise<ExchangeResult>
  /** Leaves the record of a request that never reached the recipe: `recordRefusal`. */
  readonly recordRefusal: (
    request: { readonly id: string } & Partial<TokenRequest>,
    error: unknown,
    services: Services,
    admitted?: Admission,
  ) => void
  /** What holds for all exchanges of one batch: `admit`. It leaves a record when it refuses. */
  readonly admit?: ((request: TokenRequest, services: Services, url: string) => Promise<Admission>) | undefined
  /**
   * Told of each defect (`defect`: what failed without a reason code) and of what cannot be reached (`unavailable`, for each
   * reason at most once in ten seconds), never with what a request held. Default: nobody is.
   */
  readonly log?: Log | undefined
}

/** Where a request came from, and when. */
export interface Arrival {
  readonly address: string
  /** Seconds since the epoch. */
  readonly now: number
}

/**
 * Lets the recipe work on one request when its turn comes: the one way into it over HTTP, whichever endpoint was asked.
 *
 * Slows down whoever guesses credentials, before anything is verified. There is an audit record for each request that
 * gets here but those for which there is no room: a flood must not become one of records. `action` is what is done with
 * the credentials of the request; it leaves a record of its own.
 *
 * @throws what `action` throws, `ERR_CLIENT_SLOWED` or `ERR_OVERLOADED`
 */
export function attempter({ recordRefusal }: Pick<ExchangeOptions, 'recordRefusal'>, tell: Tell) {
  return async <T>(
    site: Site,
    asked: TokenRequest,
    { address, now }: Arrival,
    action: () => Promise<T>,
  ): Promise<T> => {
    const { services, guesses, lane } = site
    try {
      if (!guesses.idle(now)) guesses.check(clientOf(asked, services), address, now)
    } catch (error) {
      recordRefusal(asked, error, services)
      throw error
    }
    try {
      return await lane.run(action)
    } catch (error) {
      const code = error instanceof DragomanError ? error.code : 'ERR_INTERNAL'
      if (GUESSES.has(code)) guesses.failed(clientOf(asked, services), address, now)
      tell(error, asked.id, now)
      throw error
    }
  }
}

export type Attempt = ReturnType<typeof attempter>

/** Failures that a guess meets. A replayed assertion was a good one; malformed credentials are none. */
const GUESSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_CLIENT_UNKNOWN',
  'ERR_CLIENT_METHOD',
  'ERR_CLIENT_SECRET',
  'ERR_CLIENT_ASSERTION',
  'ERR_CLIENT_CERTIFICATE',
])

/** Who the request says its client is, where it has credentials that can be read. */
export function claimOf(request: TokenRequest, { clientMethods }: Services): string | undefined {
  for (const method of clientMethods) {
    try {
      const claim = method.claim(request)
      if (claim) return claim.clientId
    } catch {
      return undefined
    }
  }
  return undefined
}

/** The same, if there is such a client: what a caller makes up is no key. */
function clientOf(request: TokenRequest, services: Services): string | undefined {
  const id = claimOf(request, services)
  return id === undefined ? undefined : services.clients.find(id)?.id
}
