import { DragomanError, type ErrorCode, errors } from '../core/errors.ts'
import { type Answer, printable, RETRY_AFTER, stepUp } from './reply.ts'

/** What a refusal to a proxy depends on beside what happened. */
export interface VerdictContext {
  readonly id: string
  /** The host of the issuer: the realm of a challenge. */
  readonly realm: string
  /** The token came, or should have come, with a DPoP proof. */
  readonly dpop: boolean
  /** JOSE names of the algorithms of DPoP proofs; empty: there are none. */
  readonly algorithms: readonly string[]
  /** What the endpoint asks for. */
  readonly scope: readonly string[] | undefined
  /** The DPoP nonce to be used next, where they are in use. */
  readonly nonce: string | undefined
}

/**
 * What a proxy hears when a request is not to pass: one of 401, 403, 503, since there is nothing else that every proxy
 * takes for a refusal. A proxy hands it on, so that it is written for the one who sent the request, not for the proxy.
 *
 * 401: another token would do (RFC 6750 §3, RFC 9449 §7.1). 403: this one is good, and not for this. 503: it cannot be
 * decided, which is so as well while the proxy itself is not known: whoever sent the request cannot mend that.
 */
export function refusal(error: unknown, context: VerdictContext): Answer {
  const known = error instanceof DragomanError ? error : undefined
  const code = known?.code ?? 'ERR_INTERNAL'
  const { status, error: name, description } = verdictOf(code)
  const again = stepUp(error)
  const challenge = challengeOf(code, status, name, description, context, again)
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-request-id': context.id,
      ...(challenge !== undefined && { 'www-authenticate': challenge }),
      ...(status === 503 && { 'retry-after': String(Math.ceil(known?.retryAfter ?? RETRY_AFTER)) }),
      ...(context.nonce !== undefined && { 'dpop-nonce': context.nonce }),
    },
    body: JSON.stringify({ error: name, error_description: description, ...again }),
  }
}

/** What a proxy hears of a reason code; it is another answer than that of the token endpoint. */
export function verdictOf(code: ErrorCode): {
  readonly status: 401 | 403 | 503
  readonly error: string
  readonly description: string
} {
  const status = statusOf(code)
  const description = printable(status === 503 ? 'it cannot be decided at the moment' : errors[code].description)
  return { status, error: nameOf(code, status), description }
}

function statusOf(code: ErrorCode): 401 | 403 | 503 {
  const { status } = errors[code]
  if (status >= 500 || code.startsWith('ERR_CLIENT_')) return 503
  if (code === 'ERR_REQUEST_MISSING' || code === 'ERR_REQUEST_REPEATED') return 401
  if (/^ERR_(?:REQUEST|PROFILE)_/.test(code) || code === 'ERR_TOKEN_MAY_ACT') return 403
  return 401
}

/** RFC 6750 §3.1, RFC 9449 §7.1, RFC 9470 §3; the last two are of RFC 6749. */
function nameOf(code: ErrorCode, status: 401 | 403 | 503): string {
  if (status === 503) return 'temporarily_unavailable'
  if (code === 'ERR_PROFILE_SCOPE') return 'insufficient_scope'
  if (code === 'ERR_TOKEN_AUTHENTICATION') return errors[code].error
  if (status === 403) return 'access_denied'
  if (code === 'ERR_REQUEST_MISSING' || code === 'ERR_REQUEST_REPEATED') return 'invalid_request'
  return code.startsWith('ERR_PROOF_') ? proofError(code) : 'invalid_token'
}

// A certificate is no DPoP proof; the token needs another presenter.
const proofError = (code: ErrorCode): string =>
  code === 'ERR_PROOF_DPOP' || code === 'ERR_PROOF_REPLAYED' || code === 'ERR_PROOF_NONCE'
    ? errors[code].error
    : 'invalid_token'

function challengeOf(
  code: ErrorCode,
  status: number,
  error: string,
  description: string,
  { realm, dpop, algorithms, scope }: VerdictContext,
  again: ReturnType<typeof stepUp>,
): string | undefined {
  if (status === 503 || (status === 403 && error !== 'insufficient_scope')) return undefined
  const algs = `algs="${algorithms.join(' ')}"`
  // RFC 6750 §3.1: who sent nothing hears no error.
  if (code === 'ERR_REQUEST_MISSING' && !dpop) {
    return `Bearer realm="${realm}"${algorithms.length > 0 ? `, DPoP realm="${realm}", ${algs}` : ''}`
  }
  const parts = [
    `realm="${realm}"`,
    `error="${error}"`,
    `error_description="${description}"`,
    ...(error === 'insufficient_scope' && scope ? [`scope="${scope.join(' ')}"`] : []),
    ...Object.entries(again).map(([parameter, value]) => `${parameter}="${value}"`),
    ...(dpop ? [algs] : []),
  ]
  return `${dpop ? 'DPoP' : 'Bearer'} ${parts.join(', ')}`
}
