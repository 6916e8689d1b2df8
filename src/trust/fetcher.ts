import { lookup as dnsLookup } from 'node:dns'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { getBuiltinModule } from 'node:process'
import { addressSpace } from './address.ts'

// Not imported by name, for the reason given in gateway/listen.ts.
const { request: httpRequest } = getBuiltinModule('node:http')

/** Why a fetch failed, in words that hold nothing of the answer. */
export type FetchFailure =
  | 'unreachable'
  | 'timeout'
  | 'too large'
  | 'redirect'
  | 'status'
  | 'address not allowed'
  | 'TLS'
  | 'not JSON'
  | 'not https'

/** `cause` is a code of the system or of the TLS library at most: their errors hold what the other side sent. */
export class FetchError extends Error {
  readonly failure: FetchFailure
  /** Of a `status` that would not do: which it was. */
  readonly status: number | undefined
  constructor(failure: FetchFailure, options: { cause?: string | undefined; status?: number } = {}) {
    super(`fetch failed: ${failure}`, options)
    this.failure = failure
    this.status = options.status
  }
}

export interface FetchOptions {
  /** Seconds for the whole request, redirects included. */
  readonly timeout: number
  readonly maxBytes: number
  /** PEM: the only authorities that the server's certificate may come from. */
  readonly certificateAuthority?: string | undefined
  readonly allowPrivateAddresses: boolean
  /** `ETag` of what is known, so that an unchanged answer is short. */
  readonly etag?: string | undefined
}

export interface Fetched {
  /** 200, or 304 for what has not changed. */
  readonly status: 200 | 304
  readonly body: Buffer
  readonly etag: string | undefined
  /** Seconds from `Cache-Control: max-age`, less those of `Age`; 0 for `no-store` and `no-cache`. */
  readonly maxAge: number | undefined
  /** What the server's clock says, in seconds since the epoch; not to be relied on. */
  readonly date?: number | undefined
}

export type Fetch = (url: string, options: FetchOptions) => Promise<Fetched>

// A key endpoint may have moved within its host; more hops are a loop.
const MAX_REDIRECTS = 2

// RFC 7517 §8.5 gave key sets a type of their own; some servers give it to nobody who has not asked for it.
const ACCEPT = 'application/json, application/jwk-set+json'

/**
 * A fetcher for the documents of configured issuers.
 *
 * Checks: https (http only to loopback, and only where private addresses are allowed); that the address connected to,
 * not one looked up before, is public, or private addresses are allowed; redirects within the origin only; the time for
 * all of it; the size; the server's certificate, whatever the environment says. Sends no cookies and no credentials, and
 * uses no proxy. What an answer held is in no error. A 304 counts only where an `ETag` was sent.
 * Does NOT check content type or content.
 */
export function createFetcher({
  lookup = dnsLookup as unknown as LookupFunction,
}: {
  lookup?: LookupFunction
} = {}): Fetch {
  return async (url, options) => {
    const deadline = AbortSignal.timeout(options.timeout * 1000)
    const start = URL.parse(url)
    if (!start) throw new FetchError('not https')
    let current = start
    for (let hop = 0; ; hop += 1) {
      const response = await send(current, options, lookup, deadline)
      const { statusCode = 0, headers } = response
      if (statusCode >= 300 && statusCode < 400 && statusCode !== 304) {
        response.destroy()
        const next: URL | null = URL.parse(headers.location ?? '', current)
        if (headers.location === undefined || !next || next.origin !== current.origin || hop >= MAX_REDIRECTS)
          throw new FetchError('redirect')
        current = next
        continue
      }
      if (statusCode !== 200 && !(statusCode === 304 && options.etag !== undefined)) {
        response.destroy()
        throw new FetchError('status', { status: statusCode })
      }
      const body = await read(response, options.maxBytes, deadline)
      return {
        status: statusCode === 304 ? 304 : 200,
        body,
        etag: headers.etag || undefined,
        maxAge: maxAgeOf(headers),
        date: dateOf(headers),
      }
    }
  }
}

function send(url: URL, options: FetchOptions, lookup: LookupFunction, signal: AbortSignal): Promise<IncomingMessage> {
  const plain = url.protocol === 'http:'
  if (url.protocol !== 'https:' && !(plain && options.allowPrivateAddresses)) throw new FetchError('not https')
  const permits = (address: string): boolean => {
    const space = addressSpace(address)
    return plain ? space === 'loopback' : options.allowPrivateAddresses || space === 'public'
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !permits(host)) throw new FetchError(plain ? 'not https' : 'address not allowed')
  const headers = { accept: ACCEPT, ...(options.etag !== undefined && { 'if-none-match': options.etag }) }
  return new Promise((resolve, reject) => {
    const request = (plain ? httpRequest : httpsRequest)(url, {
      method: 'GET',
      headers,
      signal,
      lookup: guarded(lookup, permits),
      agent: false,
      auth: null,
      rejectUnauthorized: true,
      ...(options.certificateAuthority !== undefined && { ca: options.certificateAuthority }),
    })
    request.on('response', resolve)
    request.on('error', (cause) => reject(failureOf(cause, signal)))
    // An answer that changes the protocol ends a request without response and without error.
    request.on('close', () => reject(failureOf(undefined, signal)))
    request.end()
  })
}

/** Asked at the moment of connecting, so that a name cannot answer one address to a check and another to the socket. */
function guarded(lookup: LookupFunction, permits: (address: string) => boolean): LookupFunction {
  return (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const list = Array.isArray(addresses) ? addresses : [{ address: addresses, family: isIP(addresses) }]
      const [first] = list
      if (!first || !list.every(({ address }) => permits(address))) {
        return callback(new FetchError('address not allowed') as NodeJS.ErrnoException, '', 0)
      }
      if (options.all) return callback(null, list)
      callback(null, first.address, first.family)
    })
  }
}

async function read(response: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes) throw new FetchError('too large')
      chunks.push(chunk)
    }
  } catch (error) {
    response.destroy()
    throw failureOf(error, signal)
  }
  return Buffer.concat(chunks)
}

function failureOf(cause: unknown, signal: AbortSignal): FetchError {
  if (cause instanceof FetchError) return cause
  if (signal.aborted) return new FetchError('timeout')
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
  const tls = code !== undefined && /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|EPROTO/.test(code)
  return new FetchError(tls ? 'TLS' : 'unreachable', { cause: code })
}

// RFC 9111 §4.2: what a cache on the way has kept has that much less time left.
function maxAgeOf({ 'cache-control': header, age = '' }: IncomingHttpHeaders): number | undefined {
  if (header === undefined) return undefined
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,])/i.test(header)) return 0
  const [, seconds] = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(header) ?? []
  if (seconds === undefined) return undefined
  return Math.max(0, Number(seconds) - (/^\d{1,9}$/.test(age) ? Number(age) : 0))
}

function dateOf({ date }: IncomingHttpHeaders): number | undefined {
  const milliseconds = Date.parse(date ?? '')
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000
}
