import type { Algorithm } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { KeyHint, VerificationKey } from '../core/keys.ts'
import { isMap, type Value } from '../core/value.ts'
import { parseJson } from '../wire/json.ts'
import { type Fetch, FetchError, type Fetched } from './fetcher.ts'
import { type KeySet, keySet, keysOfJwks } from './key-set.ts'
import { FETCH_DEFAULTS, type FetchEntry } from './options.ts'

export interface RemoteOptions {
  readonly issuer: string
  /** `undefined`: found through the issuer's metadata. */
  readonly uri: string | undefined
  readonly options: FetchEntry
  readonly allowed: readonly Algorithm[]
}

/** An issuer's keys, fetched when needed and kept. */
export interface RemoteKeys {
  readonly epoch: number
  /** @throws {@link DragomanError} `ERR_TRUST_UNAVAILABLE` */
  find(hint: KeyHint, now: number): readonly VerificationKey[] | Promise<readonly VerificationKey[]>
  status(): {
    readonly ready: boolean
    readonly keys: number
    readonly fetchedAt: number | undefined
    readonly nextRefresh: number | undefined
    readonly lastError: string | undefined
  }
}

// Whatever the answer says: less would ask the issuer with every token, more would keep a removed key too long.
const MIN_FRESH = 60
const MAX_FRESH = 86_400
// At nine tenths of their time keys are fetched again in the background, so that no request waits for it.
const REFRESH_AHEAD = 0.9
/** Seconds between two fetches for the sake of an unknown `kid`: anybody can send one. */
const UNKNOWN_KID_INTERVAL = 30
/** Seconds without a new try after a failure: doubled each time, from the first to the last. */
const FIRST_COOLDOWN = 1
const LAST_COOLDOWN = 60

interface Known {
  readonly set: KeySet
  /** The set as fetched, to tell whether a new one differs. */
  readonly text: string
  readonly fetchedAt: number
  readonly freshUntil: number
  readonly etag: string | undefined
}

/**
 * The keys of an issuer behind a URL.
 *
 * Fresh keys are answered at once. Nearing their end they are fetched again in the background; one fetch serves all who
 * wait. An unknown `kid` fetches again, at most every 30 seconds. A failure, an empty set or a malformed one leaves the
 * good keys in place, for as long as `stale_limit` says; then, and where there never were any, it is
 * `ERR_TRUST_UNAVAILABLE` with the time after which a retry makes sense. Failures wait longer each time.
 *
 * Nothing runs between requests: there are no timers to hold a process or to fall asleep.
 */
export function remoteKeys(
  { issuer, uri, options, allowed }: RemoteOptions,
  tools: {
    readonly fetch: Fetch
    readonly clock: () => number
    readFile(name: string): Buffer
  },
): RemoteKeys {
  const { timeout = FETCH_DEFAULTS.timeout, max_bytes: maxBytes = FETCH_DEFAULTS.maxBytes } = options
  const { refresh = FETCH_DEFAULTS.refresh, stale_limit: staleLimit = FETCH_DEFAULTS.staleLimit } = options
  const authority = options.certificate_authority_file
  const fetchOptions = {
    timeout,
    maxBytes,
    certificateAuthority: authority === undefined ? undefined : tools.readFile(authority).toString('latin1'),
    allowPrivateAddresses: options.allow_private_addresses === true,
  }
  let known: Known | undefined
  let epoch = 0
  let underway: Promise<void> | undefined
  let failures = 0
  let retryAt = -Infinity
  let askedForKid = -Infinity
  let lastError: string | undefined
  let keysUri = uri

  async function fetchNow(): Promise<void> {
    try {
      keysUri ??= await discover(issuer, (url) => tools.fetch(url, fetchOptions))
      accept(await tools.fetch(keysUri, { ...fetchOptions, etag: known?.etag }))
      failures = 0
      lastError = undefined
    } catch (error) {
      failures += 1
      retryAt = tools.clock() + Math.min(LAST_COOLDOWN, FIRST_COOLDOWN * 2 ** (failures - 1))
      lastError = reasonOf(error)
      // An issuer that moved its keys says so in its metadata.
      if (uri === undefined) keysUri = undefined
    }
  }

  function accept({ status, body, etag, maxAge }: Fetched): void {
    const now = tools.clock()
    const fresh = Math.min(MAX_FRESH, Math.max(MIN_FRESH, maxAge ?? refresh))
    if (status === 304) {
      if (known === undefined) throw new FetchError('status')
      known = { ...known, fetchedAt: now, freshUntil: now + fresh }
      return
    }
    const text = body.toString('latin1')
    const changed = text !== known?.text
    // Throws for a set without a usable key, which then replaces nothing.
    const set = changed || !known ? keySet(keysOfJwks(parsed(body, maxBytes), allowed)) : known.set
    known = { set, text, fetchedAt: now, freshUntil: now + fresh, etag }
    if (changed) epoch += 1
  }

  function refreshOnce(): Promise<void> {
    underway ??= fetchNow().finally(() => {
      underway = undefined
    })
    return underway
  }

  const mayTry = (now: number): boolean => underway !== undefined || now >= retryAt

  function unavailable(now: number): DragomanError {
    const retryAfter = Math.max(1, Math.ceil(retryAt - now))
    return new DragomanError('ERR_TRUST_UNAVAILABLE', {
      detail: { issuer, reason: lastError ?? 'not fetched yet' },
      retryAfter,
    })
  }

  const usable = (now: number): Known | undefined =>
    known !== undefined && now < known.freshUntil + staleLimit ? known : undefined

  async function findLater(hint: KeyHint, now: number): Promise<readonly VerificationKey[]> {
    if (mayTry(now)) await refreshOnce()
    const current = usable(tools.clock())
    if (current === undefined) throw unavailable(tools.clock())
    return current.set.find(hint)
  }

  return {
    get epoch() {
      return epoch
    },
    find(hint, now) {
      const current = usable(now)
      if (current === undefined) return findLater(hint, now)
      const keys = current.set.find(hint)
      if (keys.length === 0 && now >= askedForKid + UNKNOWN_KID_INTERVAL && now > current.fetchedAt && mayTry(now)) {
        askedForKid = now
        return findLater(hint, now)
      }
      const { fetchedAt, freshUntil } = current
      if (now >= fetchedAt + (freshUntil - fetchedAt) * REFRESH_AHEAD && mayTry(now)) void refreshOnce()
      return keys
    },
    status: () => ({
      ready: usable(tools.clock()) !== undefined,
      keys: known?.set.size ?? 0,
      fetchedAt: known?.fetchedAt,
      nextRefresh: known && known.fetchedAt + (known.freshUntil - known.fetchedAt) * REFRESH_AHEAD,
      lastError,
    }),
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof FetchError ? error.failure : error instanceof DragomanError ? 'unusable key set' : 'failed'

/**
 * The `jwks_uri` in an issuer's metadata. RFC 8414 §3.1 puts the well-known path between host and path of the issuer;
 * OpenID Connect Discovery §4 appends it. The former is asked first. A document that names another issuer is refused.
 */
async function discover(issuer: string, fetch: (url: string) => Promise<Fetched>): Promise<string> {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]
  let failure: unknown
  for (const place of places) {
    try {
      const document = parsed((await fetch(place)).body, FETCH_DEFAULTS.maxBytes)
      const uri = isMap(document) && document['issuer'] === issuer ? document['jwks_uri'] : undefined
      if (typeof uri === 'string' && URL.canParse(uri)) return uri
      failure = new DragomanError('ERR_TRUST_CONFIG', {
        detail: { expected: 'metadata of this issuer, with jwks_uri' },
      })
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

function parsed(body: Buffer, maxBytes: number): Value {
  try {
    return parseJson(body, { bytes: maxBytes, depth: 16, items: 16_384, text: 16_384 })
  } catch {
    throw new FetchError('not JSON')
  }
}
