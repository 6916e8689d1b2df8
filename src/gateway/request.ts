import { DragomanError } from '../core/errors.ts'
import type { TokenRequest } from '../core/exchange.ts'
import type { Grant } from '../core/grant.ts'
import type { TraceContext } from '../core/observer.ts'
import { tokenTypes } from '../core/types.ts'
import { freeze, isList, type ValueMap } from '../core/value.ts'
import { fromBase64 } from '../wire/base64url.ts'
import { isAbsoluteUri } from '../wire/general-name.ts'
import { JSON_LIMITS, type JsonLimits, parseJson, parseJsonObject } from '../wire/json.ts'
import type { Form } from './form.ts'
import type { PeerChain } from './tls.ts'

/** What is known of a request beside its form. */
export interface RequestFacts {
  readonly id: string
  /** The `Authorization` header. */
  readonly authorization: string | undefined
  /** Every `DPoP` header field. */
  readonly dpop: readonly string[]
  /** `traceparent` and `tracestate`, where tracing is on. */
  readonly trace?: TraceContext | undefined
  /** What was shown in the TLS handshake. */
  readonly chain: PeerChain | undefined
}

/**
 * A form as a token request (RFC 8693 §2.1), of one of these grants.
 *
 * Checks: the grant type; that required parameters are there and `actor_token` with its type; the grammar of scope
 * (RFC 6749 §3.3) and of resource (RFC 8707 §2); that no `authorization_details` are asked for, since a restriction must
 * not be ignored; that a TLS certificate presented as a token is the one of the handshake. Unknown parameters are
 * ignored. Does NOT look into any token, nor at who asks.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_*`, or `ERR_TOKEN_UNPROVED` for a certificate that was not shown
 */
export function tokenRequest(
  { values, audience, resource }: Form,
  facts: RequestFacts,
  grants: readonly Grant[],
): TokenRequest {
  const grant_type = values.get('grant_type')
  if (grant_type === undefined) throw new DragomanError('ERR_REQUEST_MISSING', { detail: { parameter: 'grant_type' } })
  const grant = grants.find(({ type }) => type === grant_type)
  if (grant === undefined) {
    throw new DragomanError('ERR_REQUEST_GRANT', { detail: { expected: grants.map(({ type }) => type) } })
  }
  const { subject_token, subject_token_type } = grant.present(values)
  const actor_token = values.get('actor_token')
  const actor_token_type = values.get('actor_token_type')
  if ((actor_token === undefined) !== (actor_token_type === undefined)) throw new DragomanError('ERR_REQUEST_ACTOR')
  if (values.has('authorization_details')) throw new DragomanError('ERR_REQUEST_DETAILS')
  for (const uri of resource) if (!isTarget(uri)) throw new DragomanError('ERR_REQUEST_RESOURCE')
  return {
    id: facts.id,
    grant_type,
    subject_token: shown(subject_token, subject_token_type, facts.chain),
    subject_token_type,
    actor_token: actor_token && shown(actor_token, actor_token_type, facts.chain),
    actor_token_type,
    requested_token_type: values.get('requested_token_type'),
    audience,
    resource,
    scope: scopeOf(values.get('scope')),
    request_context: objectIn(values, 'request_context'),
    request_details: objectIn(values, 'request_details'),
    csr: values.get('csr'),
    client_id: values.get('client_id'),
    client_secret: values.get('client_secret'),
    client_assertion: values.get('client_assertion'),
    client_assertion_type: values.get('client_assertion_type'),
    trace: facts.trace,
    authorization: facts.authorization,
    dpop: facts.dpop,
    certificates: facts.chain?.certificates,
  }
}

// The parameters of one call and where it came from; the token that is made of them goes into a header field.
const TOLD_LIMITS: JsonLimits = { bytes: 4096, depth: 6, items: 256, text: 2048 }

/** A parameter that is a JSON object, as text (transaction tokens §11.1). What is empty is absent. */
function objectIn(values: ReadonlyMap<string, string>, parameter: string): ValueMap | undefined {
  const text = values.get(parameter)
  if (text === undefined) return undefined
  try {
    return freeze(parseJsonObject(text, TOLD_LIMITS))
  } catch (cause) {
    if (!(cause instanceof DragomanError)) throw cause
    throw new DragomanError('ERR_REQUEST_CONTEXT', { cause, detail: { parameter, ...cause.detail } })
  }
}

/** RFC 3986 §4.3 absolute-URI: no fragment. What has a host by its scheme has one. */
function isTarget(uri: string): boolean {
  if (!isAbsoluteUri(uri) || uri.includes('#') || !URL.canParse(uri)) return false
  return !/^https?:/i.test(uri) || /^https?:\/\/[^/?]/i.test(uri)
}

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

function scopeOf(scope: string | undefined): readonly string[] | undefined {
  if (scope === undefined) return undefined
  if (!SCOPE.test(scope)) throw new DragomanError('ERR_REQUEST_SCOPE')
  return [...new Set(scope.split(' '))]
}

/** The fixed text that stands for the certificate of the connection. */
const CLIENT_CERTIFICATE = 'mtls_client_certificate'

// A chain of ten ML-DSA-87 certificates is longer than a form may be.
const CHAIN_LIMITS = { ...JSON_LIMITS, bytes: 131_072, depth: 1, items: 32, text: 32_768 }

/**
 * A token of type `mtls` as the codec reads it: the fixed text gives way to the chain of the handshake, and a chain that
 * was sent begins with the certificate of the handshake, where there was one. Without one, nothing has proved the
 * certificate yet, and the exchange asks for a proof by its key.
 */
function shown(token: string, type: string | undefined, chain: PeerChain | undefined): string {
  if (type !== tokenTypes.mtls || token === chain?.token) return token
  if (token === CLIENT_CERTIFICATE) {
    if (chain === undefined) throw unproved('a certificate in the TLS handshake')
    return chain.token
  }
  if (chain !== undefined && firstOf(token)?.equals(chain.leaf) !== true) {
    throw unproved('the certificate of the TLS handshake first')
  }
  return token
}

const unproved = (expected: string) => new DragomanError('ERR_TOKEN_UNPROVED', { detail: { expected } })

function firstOf(token: string): Buffer | undefined {
  const list = parseJson(token, CHAIN_LIMITS)
  const first = isList(list) ? list[0] : undefined
  return typeof first === 'string' ? fromBase64(first) : undefined
}
