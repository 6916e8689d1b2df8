import type { FastifyReply } from 'fastify'
import { DragomanError, type ErrorCode, errorHeard, errors } from '../core/errors.ts'
import type { ExchangeResult } from '../core/exchange.ts'
import type { Grant } from '../core/grant.ts'

/** One HTTP answer, ready to be written. */
export interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string | Buffer
}

/** What an answer depends on beside what happened. */
export interface AnswerContext {
  /** Ours, told to the client and in the audit record; `undefined`: there is no record. */
  readonly id: string | undefined
  /** The host of the issuer: the realm of a challenge. */
  readonly realm: string
  /** The request used the `Authorization` header. */
  readonly challenged: boolean
  /** The client has authenticated: it may hear what would be available to it. */
  readonly authenticated: boolean
  /** The grant that was asked by, which has a word of its own for a token that is refused; `undefined`: not known. */
  readonly grant?: Pick<Grant, 'refused'> | undefined
  /** The DPoP nonce to be used next, where they are in use. */
  readonly nonce?: string | undefined
}

// RFC 6749 §5.1 and §5.2: on whatever the token endpoint says.
const ALWAYS = { 'content-type': 'application/json', 'cache-control': 'no-store', pragma: 'no-cache' }

// Where an error does not say better: long enough for a flush of the queue, short enough for a client that waits.
export const RETRY_AFTER = 1
/** Statuses that say when to come again. */
const TEMPORARY = new Set([429, 503])

/** The answer to an exchange that issued a token (RFC 8693 §2.2.1). */
export function success(result: ExchangeResult, { id, nonce }: AnswerContext): Answer {
  const headers: Record<string, string> = { ...ALWAYS }
  if (id !== undefined) headers['x-request-id'] = id
  if (nonce !== undefined) headers['dpop-nonce'] = nonce
  return { status: 200, headers, body: JSON.stringify(issuedMembers(result)) }
}

/** RFC 8693 §2.2.1 */
export function issuedMembers(result: ExchangeResult): object {
  const { access_token, issued_token_type, token_type, expires_in, scope, cnf } = result
  return { access_token, issued_token_type, token_type, expires_in, scope: scope?.join(' '), cnf }
}

/**
 * What a client is told of a failure: a function of its code and the grant alone (RFC 6749 §5.2, 7523 §3.1), so that nothing of a token, a key or
 * another party's answer can get into it. Anything without a code is `server_error`.
 *
 * Two additions, both from the configuration: an authenticated client that asked for a token type hears which there are;
 * and one whose user has to authenticate again, how (RFC 9470 §3, here as members of the answer).
 */
export function failure(error: unknown, context: AnswerContext): Answer {
  const { status, retryAfter, members } = refusedMembers(error, context.authenticated, context.grant)
  return {
    status,
    headers: {
      ...ALWAYS,
      ...(context.id !== undefined && { 'x-request-id': context.id }),
      // RFC 6749 §5.2: of the scheme that the client used; Basic is the one there is.
      ...(status === 401 && context.challenged && { 'www-authenticate': `Basic realm="${context.realm}"` }),
      ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
      ...(context.nonce !== undefined && { 'dpop-nonce': context.nonce }),
    },
    body: JSON.stringify(members),
  }
}

/** The members of {@link failure}, the status beside them, and for temporary ones the seconds to wait. */
export function refusedMembers(error: unknown, authenticated: boolean, grant?: AnswerContext['grant']) {
  const known = error instanceof DragomanError ? error : undefined
  const code: ErrorCode = known?.code ?? 'ERR_INTERNAL'
  const { status, description } = errors[code]
  const available = authenticated && code === 'ERR_PROFILE_REQUESTED_TYPE' ? listed(known?.detail) : undefined
  return {
    status,
    retryAfter: TEMPORARY.has(status) ? Math.ceil(known?.retryAfter ?? RETRY_AFTER) : undefined,
    members: {
      error: errorHeard(code, grant),
      error_description: printable(available ?? description),
      ...stepUp(error),
    },
  }
}

/** What a user would have to authenticate with; nothing of any other failure. */
export function stepUp(error: unknown): { readonly acr_values?: string; readonly max_age?: number } {
  if (!(error instanceof DragomanError) || error.code !== 'ERR_TOKEN_AUTHENTICATION') return {}
  const { acr_values: values, max_age: age } = error.detail
  return {
    ...(Array.isArray(values) && { acr_values: quotable(values.join(' ')) }),
    ...(typeof age === 'number' && { max_age: age }),
  }
}

// As long as a line of a log; a client that needs more reads the metadata.
const MAX_DESCRIPTION = 500

/** The token types that would be available, as they are in the configuration. */
function listed(detail: DragomanError['detail'] | undefined): string | undefined {
  const available = detail?.['available']
  if (!Array.isArray(available)) return undefined
  const types = available.filter((type) => typeof type === 'string' && URL.canParse(type))
  return types.length === 0 ? undefined : `the requested token type is not available; available: ${types.join(' ')}`
}

/** RFC 6749 §5.2: `error_description` holds %x20-21, %x23-5B and %x5D-7E only. */
export const printable = (text: string): string => quotable(text.slice(0, MAX_DESCRIPTION))

/** What may stand between quotation marks in a header field, whole: half a name would be another. */
const quotable = (text: string): string => text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/gu, '?')

/** An answer that is no error, for nobody to keep. */
export const json = (status: number, content: object, headers: Answer['headers'] = {}): Answer => ({
  status,
  headers: { ...ALWAYS, ...headers },
  body: JSON.stringify(content),
})

/** A public document, and for how many seconds it may be kept. */
export const publicDocument = (body: string | Buffer, type: string, seconds: number): Answer => ({
  status: 200,
  headers: { 'content-type': type, 'cache-control': `public, max-age=${seconds}` },
  body,
})

/** Writes an answer past fastify's serializers and hooks: there are none, and the body is ready. */
export function send(reply: FastifyReply, { status, headers, body }: Answer): void {
  reply.hijack()
  const bytes = Buffer.byteLength(body)
  reply.raw.writeHead(status, { ...headers, 'content-length': bytes })
  // Text of ASCII alone is written as it is; anything else has to be encoded.
  reply.raw.end(body, bytes === body.length ? 'latin1' : 'utf8')
}
