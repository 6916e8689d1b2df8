import { DragomanError, type ErrorCode, errors } from '../core/errors.ts'
import type { Scheme } from './presented.ts'

/** What a service answers instead of doing what it was asked. */
export interface Answer {
  readonly status: number
  /** A list stands for a field that is sent more than once. */
  readonly headers: { readonly [name: string]: string | string[] }
  readonly body: string
}

/** What an answer depends on beside what happened: how tokens are sent to this service. */
export interface Challenges {
  readonly schemes: readonly Scheme[]
  readonly realm: string | undefined
  /** Algorithms for DPoP proofs. */
  readonly algorithms: readonly string[]
  /** The DPoP nonce to be used next, where they are in use. */
  readonly nonce: string | undefined
}

/** What is said of every token that is refused, whatever was wrong with it. */
const WORDS = {
  invalid_request: 'the request does not carry one token in the one place for it',
  invalid_token: 'the token is not accepted here',
  invalid_dpop_proof: 'the DPoP proof is not accepted here',
  use_dpop_nonce: 'a DPoP nonce is required',
  insufficient_scope: 'the token is not for this request',
  insufficient_user_authentication: 'the user has to authenticate again, or in a stronger way',
  temporarily_unavailable: 'the token cannot be verified at the moment',
  server_error: 'the service failed',
} as const

type Word = keyof typeof WORDS

const STATUS: { readonly [word in Word]: number } = {
  invalid_request: 400,
  invalid_token: 401,
  invalid_dpop_proof: 401,
  use_dpop_nonce: 401,
  insufficient_scope: 403,
  insufficient_user_authentication: 401,
  temporarily_unavailable: 503,
  server_error: 500,
}

/**
 * The answer to a request whose token is refused (RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3).
 *
 * A function of the code alone: what exactly was wrong with a token is for the operator, and helps only those who try.
 * Added is what would be needed, from the service's own rules: the scope (RFC 6750 §3), how the user has to authenticate
 * (RFC 9470 §3).
 *
 * `Txn-Token` is no scheme of HTTP authentication, so there is no challenge for it, and without one no 401 (RFC 9110
 * §15.5.2): a bad or missing transaction token is 403.
 */
export function answerTo(error: unknown, scheme: Scheme | undefined, challenges: Challenges): Answer {
  const known = error instanceof DragomanError ? error : undefined
  const word = known === undefined ? 'server_error' : wordFor(known.code)
  const bare = known?.code === 'ERR_REQUEST_MISSING'
  const challenged = !challenges.schemes.includes('Txn-Token')
  const status = STATUS[word] === 401 && !challenged ? 403 : STATUS[word]
  const fields = challenged && status < 500 ? fieldsFor(word, bare, scheme, neededFor(word, known), challenges) : []
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(fields.length > 0 && { 'www-authenticate': fields }),
      ...(word === 'use_dpop_nonce' && challenges.nonce !== undefined && { 'dpop-nonce': challenges.nonce }),
      ...(status === 503 && { 'retry-after': String(Math.max(1, Math.ceil(known?.retryAfter ?? 1))) }),
    },
    // RFC 6750 §3.1: who sent no token hears no error code.
    body: bare && challenged ? '{}' : JSON.stringify({ error: word, error_description: WORDS[word] }),
  }
}

function fieldsFor(
  word: Word,
  bare: boolean,
  used: Scheme | undefined,
  needed: readonly string[],
  { schemes, realm, algorithms }: Challenges,
): string[] {
  return schemes.map((scheme) => {
    const about = !bare && scheme === (used ?? schemes[0])
    const parameters = [
      realm !== undefined && `realm="${realm}"`,
      about && `error="${word}"`,
      ...(about ? needed : []),
      scheme === 'DPoP' && `algs="${algorithms.join(' ')}"`,
    ].filter((parameter) => parameter !== false)
    return parameters.length === 0 ? scheme : `${scheme} ${parameters.join(', ')}`
  })
}

/** Parameters of the challenge that say what would do. */
function neededFor(word: Word, error: DragomanError | undefined): readonly string[] {
  const { scope, acr_values: values, max_age: age } = error?.detail ?? {}
  const listed = (name: string, list: unknown) =>
    Array.isArray(list) && list.length > 0 ? [`${name}="${list.join(' ')}"`] : []
  if (word === 'insufficient_scope') return listed('scope', scope)
  if (word !== 'insufficient_user_authentication') return []
  return [...listed('acr_values', values), ...(typeof age === 'number' ? [`max_age="${age}"`] : [])]
}

const PROOFS: ReadonlySet<ErrorCode> = new Set(['ERR_PROOF_DPOP', 'ERR_PROOF_REPLAYED', 'ERR_PROOF_REQUIRED'])

function wordFor(code: ErrorCode): Word {
  const { error, status } = errors[code]
  if (code === 'ERR_REQUEST_REPEATED') return 'invalid_request'
  if (code === 'ERR_PROOF_NONCE') return 'use_dpop_nonce'
  if (PROOFS.has(code)) return 'invalid_dpop_proof'
  if (error === 'insufficient_scope' || error === 'insufficient_user_authentication') return error
  if (status === 503) return 'temporarily_unavailable'
  return status >= 500 ? 'server_error' : 'invalid_token'
}
