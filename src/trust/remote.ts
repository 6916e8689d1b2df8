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
  /** PEM: the only authorities that the server's certificate may come from. */
  readonly certificateAuthority: string | undefined
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
    readonly published: readonly VerificationKey[]
    readonly fetchedAt: number | undefined
    readonly nextRefresh: number | undefined
    readonly lastError: string | undefined
  }
}

// Whatever the answer says: less would ask the issuer with every token.
const MIN_FRESH = 60
// At nine tenths of their time keys are fetched again in the background, so that no request waits for it.
const REFRESH_AHEAD = 0.9
/** Seconds between two fetches for the sake of an unknown `kid`: anybody can send one. */
const UNKNOWN_KID_INTERVAL = 30
/** Seconds without a new try after a failure: doubled each time, from the first to the last. */
const FIRST_COOLDOWN = 1
const LAST_COOLDOWN = 60

interface Known {
  readonly set: KeySet
  /** Where it is from: an `ETag` means nothing elsewhere. */
  readonly uri: string
  /** The set as fetched, to tell whether a new one differs. */
  readonly text: string
  readonly fetchedAt: number
  readonly freshUntil: number
  readonly etag: string | undefined
}

/**
 * The keys of an issuer behind a URL.
 *
 * Fresh keys are answered at once. Nearing their end they are fetched again in the background; past it a request waits
 * for the fetch. One fetch serves all who wait. An unknown `kid` fetches again, at most every 30 seconds. A failure, an
 * empty set or a malformed one leaves the good keys in place, without waiting once it is noticed, for as long as
 * `stale_limit` says; then, and where there never were any, it is `ERR_TRUST_UNAVAILABLE` with the time after which a retry
 * makes sense. So it is for an unknown `kid` meanwhile: the issuer may have got a new key. Failures wait longer each time.
 *
 * Nothing runs between requests: there are no timers to hold a process or to fall asleep.
 */
export function remoteKeys(
  { issuer, uri, options, certificateAuthority, allowed }: RemoteOptions,
  tools: { readonly fetch: Fetch; readonly clock: () => number },
): RemoteKeys {
  const { timeout = FETCH_DEFAULTS.timeout, max_bytes: maxBytes = FETCH_DEFAULTS.maxBytes } = options
  const {
    refresh = FETCH_DEFAULTS.refresh,
    max_refresh: most = FETCH_DEFAULTS.maxRefresh,
    stale_limit: staleLimit = FETCH_DEFAULTS.staleLimit,
  } = options
  const allowPrivateAddresses = options.allow_private_addresses === true
  const fetchOptions = { timeout, maxBytes, certificateAuthority, allowPrivateAddresses }
  let known: Known | undefined
  let epoch = 0
  let underway: Promise<void> | undefined
  let failures = 0
  let retryAt = -Infinity
  let askedForKid = -Infinity
  let lastError: string | undefined

  async function fetchNow(): Promise<void> {
    try {
      // Asked for each time: keys that moved away leave an address behind that somebody else may get.
      const from = uri ?? (await discover(issuer, maxBytes, (url) => tools.fetch(url, fetchOptions)))
      const etag = known?.uri === from ? known.etag : undefined
      accept(from, await tools.fetch(from, { ...fetchOptions, etag }))
      failures = 0
      lastError = undefined
    } catch (error) {
      failures += 1
      retryAt = tools.clock() + Math.min(LAST_COOLDOWN, FIRST_COOLDOWN * 2 ** (failures - 1))
      lastError = reasonOf(error)
    }
  }

  function accept(from: string, { status, body, etag, maxAge }: Fetched): void {
    const now = tools.clock()
    const freshUntil = now + Math.min(most, Math.max(MIN_FRESH, maxAge ?? refresh))
    if (status === 304) {
      if (known === undefined) throw new FetchError('status', { status })
      known = { ...known, fetchedAt: now, freshUntil }
      return
    }
    const text = body.toString('latin1')
    const changed = text !== known?.text
    // Throws for a set without a usable key, which then replaces nothing.
    const set = changed || !known ? keySet(keysOfJwks(parsed(body, maxBytes), allowed, 'skipped')) : known.set
    known = { set, uri: from, text, fetchedAt: now, freshUntil, etag }
    if (changed) epoch += 1
  }

  function refreshOnce(): Promise<void> {
    underway ??= fetchNow().finally(() => {
      underway = undefined
    })
    return underway
  }

  const mayTry = (now: number): boolean => underway !== undefined || now >= retryAt

  const usable = (now: number): Known | undefined =>
    known !== undefined && now < known.freshUntil + staleLimit ? known : undefined

  // Noticed lately, that is: after a night without requests the issuer is asked before old keys are used.
  const isOutage = (now: number): boolean => failures > 0 && now < retryAt + LAST_COOLDOWN

  /** Whether to wait for a fetch on account of a key that is not there. */
  function mayAppear(now: number, { fetchedAt }: Known): boolean {
    if (underway !== undefined) return true
    if (now < askedForKid + UNKNOWN_KID_INTERVAL || now <= fetchedAt || now < retryAt) return false
    askedForKid = now
    return true
  }

  function among({ set }: Known, hint: KeyHint): readonly VerificationKey[] {
    const keys = set.find(hint)
    if (keys.length === 0 && failures > 0) throw unavailable()
    return keys
  }

  function unavailable(): DragomanError {
    return new DragomanError('ERR_TRUST_UNAVAILABLE', {
      detail: { issuer, reason: lastError ?? 'not fetched yet' },
      retryAfter: Math.max(1, Math.ceil(retryAt - tools.clock())),
    })
  }

  async function findLater(hint: KeyHint, now: number): Promise<readonly VerificationKey[]> {
    if (mayTry(now)) await refreshOnce()
    const current = usable(tools.clock())
    if (current === undefined) throw unavailable()
    return among(current, hint)
  }

  return {
    get epoch() {
      return epoch
    },
    find(hint, now) {
      const current = usable(now)
      if (current === undefined || (now >= current.freshUntil && !isOutage(now))) return findLater(hint, now)
      const keys = current.set.find(hint)
      if (keys.length === 0) return mayAppear(now, current) ? findLater(hint, now) : among(current, hint)
      if (now >= refreshAt(current) && mayTry(now)) void refreshOnce()
      return keys
    },
    status: () => ({
      ready: usable(tools.clock()) !== undefined,
      keys: known?.set.size ?? 0,
      published: known?.set.keys ?? [],
      fetchedAt: known?.fetchedAt,
      nextRefresh: known && refreshAt(known),
      lastError,
    }),
  }
}

const refreshAt = ({ fetchedAt, freshUntil }: Known): number => fetchedAt + (freshUntil - fetchedAt) * REFRESH_AHEAD

/** In words of ours: what was expected of a document is a rule, never something that it held. */
function reasonOf(error: unknown): string {
  if (error instanceof FetchError)
    return error.status === undefined ? error.failure : `${error.failure} ${error.status}`
  return error instanceof DragomanError ? `expected ${error.detail['expected']}` : 'failed'
}

/**
 * The `jwks_uri` in an issuer's metadata. RFC 8414 §3.1 puts the well-known path between host and path of the issuer;
 * OpenID Connect Discovery §4 appends it. The former is asked first. A document that names another issuer is refused.
 */
async function discover(issuer: string, maxBytes: number, fetch: (url: string) => Promise<Fetched>): Promise<string> {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]
  let failure: unknown
  for (const place of places) {
    try {
      return keysUriOf(parsed((await fetch(place)).body, maxBytes), issuer)
    } catch (error) {
      // Of two, the one that says more than that nothing is there.
      if (!(failure instanceof DragomanError)) failure = error
    }
  }
  throw failure
}

function keysUriOf(document: Value, issuer: string): string {
  const uri = isMap(document) && document['issuer'] === issuer ? document['jwks_uri'] : undefined
  if (typeof uri === 'string' && URL.canParse(uri)) return uri
  throw new DragomanError('ERR_TRUST_CONFIG', { detail: { expected: 'metadata of this issuer, with jwks_uri' } })
}

function parsed(body: Buffer, maxBytes: number): Value {
  try {
    return parseJson(body, { bytes: maxBytes, depth: 16, items: 16_384, text: 16_384 })
  } catch {
    throw new FetchError('not JSON')
  }
}
