import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { DragomanError, type ErrorCode, errors } from '../core/errors.ts'
import type { ExchangeResult, Services, TokenRequest } from '../core/exchange.ts'
import type { TraceContext } from '../core/observer.ts'
import { parseForm } from './form.ts'
import { type Answer, type AnswerContext, failure, success } from './reply.ts'
import { type RequestFacts, tokenRequest } from './request.ts'
import type { Site } from './tenant.ts'
import { peerChains } from './tls.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'

export interface TokenOptions {
  /** The recipe: `exchangeToken`. It leaves an audit record whatever happens. */
  readonly exchange: (request: TokenRequest, services: Services) => Promise<ExchangeResult>
  /** Leaves the record of a request that never reached the recipe: `recordRefusal`. */
  readonly recordRefusal: (id: string, error: unknown, services: Services) => void
  /**
   * Told of each defect (`defect`: what failed without a reason code) and of what cannot be reached (`unavailable`, for each
   * reason at most once in ten seconds), never with what a request held. Default: nobody is.
   */
  readonly log?: ((event: string, detail: { readonly [name: string]: unknown }) => void) | undefined
}

/**
 * Answers the token endpoint: reads the form, lets the recipe work on it when its turn comes, and says what came of it.
 *
 * Slows down whoever guesses credentials, before anything is verified. There is an audit record for each request that
 * got here but those for which there is no room: a flood must not become one of records.
 */
export function tokenHandler(options: TokenOptions) {
  const { exchange, recordRefusal } = options
  const chainOf = peerChains()
  const unavailable = quietly(options.log)

  function read({ limits, services }: Site, { body, headers, raw }: FastifyRequest, id: string): TokenRequest {
    if (mediaType(headers['content-type']) !== FORM_TYPE || !(body instanceof Uint8Array)) {
      throw new DragomanError('ERR_REQUEST_MEDIA_TYPE', { detail: { expected: FORM_TYPE } })
    }
    // RFC 6749 §2.3.1: credentials never come in the URI, and nothing else is taken from it.
    if (raw.url?.includes('?')) {
      throw new DragomanError('ERR_REQUEST_FORM', { detail: { expected: 'parameters in the body' } })
    }
    const trace = services.observer === undefined ? undefined : traceOf(headers)
    const facts: RequestFacts = { id, ...fieldsOf(raw.rawHeaders), trace, chain: chainOf(raw.socket) }
    return tokenRequest(parseForm(body, limits), facts, services.grants)
  }

  return async (site: Site, request: FastifyRequest): Promise<Answer | ErrorCode> => {
    const { services, tenant, host, guesses, lane } = site
    const id = Buffer.from(services.random(16)).toString('base64url')
    const now = services.clock()
    const address = request.raw.socket.remoteAddress ?? ''
    const challenged = request.headers.authorization !== undefined
    const context: AnswerContext = { id, realm: host, challenged, authenticated: false }
    let asked: TokenRequest
    try {
      asked = read(site, request, id)
      if (!guesses.idle(now)) guesses.check(clientOf(asked, services), address, now)
    } catch (error) {
      recordRefusal(id, error, services)
      return failure(error, context)
    }
    try {
      const result = await lane.run(() => exchange(asked, services))
      return success(result, asked.dpop.length > 0 ? { ...context, nonce: tenant.nonces?.current(now) } : context)
    } catch (error) {
      const code = error instanceof DragomanError ? error.code : 'ERR_INTERNAL'
      if (GUESSES.has(code)) guesses.failed(clientOf(asked, services), address, now)
      if (code === 'ERR_INTERNAL') options.log?.('defect', { id, ...causeOf(error) })
      else if (errors[code].status === 503 && code !== 'ERR_OVERLOADED') unavailable(error, id, now)
      if (code === 'ERR_OVERLOADED') return code
      return failure(error, {
        ...context,
        grant: services.grants.find(({ type }) => type === asked.grant_type),
        authenticated: code === 'ERR_PROFILE_REQUESTED_TYPE' && claimOf(asked, services) !== undefined,
        nonce: code === 'ERR_PROOF_NONCE' ? tenant.nonces?.current(now) : undefined,
      })
    }
  }
}

/** Failures that a guess meets. A replayed assertion was a good one; malformed credentials are none. */
const GUESSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_CLIENT_UNKNOWN',
  'ERR_CLIENT_METHOD',
  'ERR_CLIENT_SECRET',
  'ERR_CLIENT_ASSERTION',
  'ERR_CLIENT_CERTIFICATE',
])

/** Who the request says its client is, where it has credentials that can be read. */
function claimOf(request: TokenRequest, { clientMethods }: Services): string | undefined {
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

// W3C Trace Context §3.2 and §3.3: what is longer is none.
const MAX_TRACEPARENT = 256
const MAX_TRACESTATE = 512

/** The trace that a request says it belongs to. */
function traceOf({ traceparent, tracestate }: IncomingHttpHeaders): TraceContext | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT) return undefined
  const state = typeof tracestate === 'string' && tracestate.length <= MAX_TRACESTATE ? tracestate : undefined
  return { traceparent, tracestate: state }
}

const mediaType = (header: string | undefined): string | undefined =>
  header === FORM_TYPE ? header : header?.split(';', 1)[0]?.trim().toLowerCase()

/** The header fields that a token request is read from, as often as they were sent. */
function fieldsOf(raw: readonly string[]): Pick<RequestFacts, 'authorization' | 'dpop'> {
  let authorization: string | undefined
  let dpop: string[] | undefined
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'dpop') {
      dpop ??= []
      dpop.push(raw[at + 1] ?? '')
    } else if (name.length === 13 && name.toLowerCase() === 'authorization') {
      // Node keeps the first of several in silence; a proxy in front may have looked at another.
      if (authorization !== undefined) throw new DragomanError('ERR_CLIENT_SEVERAL')
      authorization = raw[at + 1]
    }
  }
  return { authorization, dpop: dpop ?? [] }
}

// Seconds: whoever cannot be reached is not reached by a thousand requests a second either.
const QUIET = 10

/** Tells what cannot be reached and why, for each reason not more often than anybody reads, with how many were like it. */
function quietly(log: TokenOptions['log']) {
  const told = new Map<ErrorCode, { until: number; more: number }>()
  return (error: unknown, id: string, now: number): void => {
    if (log === undefined || !(error instanceof DragomanError)) return
    const { code, detail } = error
    const last = told.get(code)
    if (last !== undefined && now < last.until) {
      last.more += 1
      return
    }
    told.set(code, { until: now + QUIET, more: 0 })
    log('unavailable', { id, code, detail, ...causeOf(error), ...(last && last.more > 0 && { more: last.more }) })
  }
}

/**
 * A failure for the log: its class, the operating system's code, and where it was thrown. Not its message, which may quote
 * what was being read.
 */
export function causeOf(error: unknown): { readonly [name: string]: unknown } {
  const cause = error instanceof DragomanError ? (error.cause ?? error) : error
  if (!(cause instanceof Error)) return { name: typeof cause }
  const frames = cause.stack?.split('\n').filter((line) => /^\s+at /.test(line))
  const code = 'code' in cause && /^[A-Z][A-Z0-9_]*$/.test(String(cause.code)) ? String(cause.code) : undefined
  return { name: cause.name, ...(code !== undefined && { reason: code }), stack: frames?.map((line) => line.trim()) }
}
