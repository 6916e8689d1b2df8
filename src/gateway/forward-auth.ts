import type { FastifyRequest } from 'fastify'
import { joseNames } from '../core/algorithms.ts'
import { DragomanError, type ErrorCode } from '../core/errors.ts'
import type { ExchangeResult, TokenRequest } from '../core/exchange.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../core/types.ts'
import { toBase64 } from '../wire/base64url.ts'
import type { Arrival, Attempt, ExchangeOptions } from './attempt.ts'
import { type Fields, type ForwardedRules, fieldsOf, forwardedRequest } from './forwarded.ts'
import type { Answer } from './reply.ts'
import type { Site } from './tenant.ts'
import type { peerChains } from './tls.ts'
import { traceOf } from './trace.ts'
import { refusal, type VerdictContext } from './verdict.ts'

/** One endpoint for proxies, as configured. */
export interface ForwardAuth extends ForwardedRules {
  /** The end of its path. */
  readonly name: string
  /** The one profile that it exchanges under. */
  readonly profile: string
  /** The one client that may ask: the proxy. */
  readonly client: string
  /** Lower case: the field with the proxy's own credentials; `undefined`: it shows a certificate. */
  readonly clientHeader: string | undefined
  readonly subjectTokenType: string
  readonly audience: readonly string[]
  readonly resource: readonly string[]
  readonly scope: readonly string[] | undefined
  /** The field in which the token is handed back. */
  readonly resultHeader: string
}

/**
 * Answers a proxy that asks whether a request may pass, before it passes it on: verifies the token that the request
 * carries, exchanges it, and hands the result back in a header field, for the proxy to pass on in place of it.
 *
 * It is the exchange of the token endpoint with its parameters out of header fields and the configuration: the same
 * recipe, audit, replay store and limits. The proxy authenticates in each request, since whoever can ask gets tokens for
 * whatever was stolen elsewhere; an address is no proof, as every process on the machine has it. Never answers 2xx
 * without a token.
 */
export function forwardAuthHandler(
  attempt: Attempt,
  {
    exchange,
    recordRefusal,
    turnedAway,
  }: Pick<ExchangeOptions, 'exchange' | 'recordRefusal'> & { readonly turnedAway: (code: ErrorCode) => void },
  chainOf: ReturnType<typeof peerChains>,
) {
  return async (site: Site, endpoint: ForwardAuth, rest: string, { raw, headers }: FastifyRequest): Promise<Answer> => {
    const { services, tenant, host } = site
    const arrival: Arrival = { address: raw.socket.remoteAddress ?? '', now: services.clock() }
    const id = Buffer.from(services.random(16)).toString('base64url')
    const fields = fieldsOf(raw.rawHeaders)
    const proofs = services.proofMethods.some(({ name }) => name === 'dpop') ? services.proofAlgorithms : []
    const context: VerdictContext = {
      id,
      realm: host,
      dpop: /^dpop(?: |$)/i.test(fields.get('authorization')?.[0] ?? ''),
      algorithms: joseNames(proofs),
      scope: endpoint.scope,
      nonce: undefined,
    }
    let asked: TokenRequest
    try {
      const certificates = chainOf(raw.socket)?.certificates
      const said = { method: raw.method ?? '', rest, fields, certificates }
      asked = {
        ...tokenRequestOf(id, said, endpoint),
        // It is the one profile that is asked, and what that issues.
        requested_token_type: services.profiles.all.find(({ name }) => name === endpoint.profile)?.writer.tokenType,
        trace: traceOf(headers, services),
      }
    } catch (error) {
      recordRefusal({ id, endpoint: endpointOf(endpoint) }, error, services)
      return refusal(error, context)
    }
    try {
      return pass(await attempt(site, asked, arrival, () => exchange(asked, services)), endpoint, id)
    } catch (error) {
      const code = error instanceof DragomanError ? error.code : 'ERR_INTERNAL'
      if (code === 'ERR_OVERLOADED') turnedAway(code)
      const nonce = code === 'ERR_PROOF_NONCE' ? tenant.nonces?.current(arrival.now) : undefined
      return refusal(error, { ...context, nonce })
    }
  }
}

function pass({ access_token, token_type }: ExchangeResult, { resultHeader }: ForwardAuth, id: string): Answer {
  const credentials = /^authorization$/i.test(resultHeader) ? `${token_type} ${access_token}` : access_token
  return {
    status: 200,
    headers: { 'cache-control': 'no-store', 'x-request-id': id, [resultHeader]: credentials },
    body: '',
  }
}

const endpointOf = ({ name }: ForwardAuth): string => `forward-auth/${name}`

interface Asking {
  readonly method: string
  readonly rest: string
  readonly fields: Fields
  /** What the proxy itself showed in its handshake with us. */
  readonly certificates: readonly Uint8Array[] | undefined
}

function tokenRequestOf(id: string, asking: Asking, endpoint: ForwardAuth): TokenRequest {
  const { fields, certificates } = asking
  const forwarded = forwardedRequest(asking, endpoint)
  const { token, scheme } = presented(fields, endpoint, forwarded.certificates)
  const dpop = fields.get('dpop') ?? []
  if (scheme === 'dpop' && dpop.length === 0) {
    throw new DragomanError('ERR_PROOF_REQUIRED', { detail: { expected: 'a DPoP proof with the scheme DPoP' } })
  }
  return {
    id,
    grant_type: TOKEN_EXCHANGE,
    subject_token: token,
    subject_token_type: endpoint.subjectTokenType,
    actor_token: undefined,
    actor_token_type: undefined,
    requested_token_type: undefined,
    audience: endpoint.audience,
    resource: endpoint.resource,
    scope: endpoint.scope,
    csr: undefined,
    client_id: endpoint.client,
    client_secret: undefined,
    client_assertion: undefined,
    client_assertion_type: undefined,
    authorization: endpoint.clientHeader === undefined ? undefined : credentialsIn(endpoint.clientHeader, fields),
    // RFC 9449 §7.2: a token that is bound must not be taken as a bearer token, whatever comes beside it.
    dpop: scheme === 'dpop' ? dpop : [],
    certificates: endpoint.clientHeader === undefined ? certificates : undefined,
    endpoint: endpointOf(endpoint),
    profile: endpoint.profile,
    forwarded,
  }
}

interface Presented {
  readonly token: string
  readonly scheme: 'bearer' | 'dpop' | 'certificate'
}

/** RFC 6750 §2.1, RFC 9449 §7.1: the scheme, spaces, and characters that every kind of token here is made of. */
const CREDENTIALS = /^(bearer|dpop) +([A-Za-z0-9._~+/=-]+)$/i

function presented(
  fields: Fields,
  { subjectTokenType }: ForwardAuth,
  certificates: readonly Uint8Array[] | undefined,
): Presented {
  if (subjectTokenType === tokenTypes.mtls) {
    if (certificates === undefined) throw missing('client certificate')
    return { token: JSON.stringify(certificates.map(toBase64)), scheme: 'certificate' }
  }
  const header = once('authorization', fields)
  if (header === undefined) throw missing('Authorization')
  const [, scheme = '', token = ''] = CREDENTIALS.exec(header) ?? []
  // Basic credentials are a person's or another service's: to whoever has none of ours, it is as if there were none.
  if (token === '') throw missing('Authorization: Bearer or DPoP')
  return { token, scheme: scheme.toLowerCase() === 'dpop' ? 'dpop' : 'bearer' }
}

const missing = (parameter: string) => new DragomanError('ERR_REQUEST_MISSING', { detail: { parameter } })

/** What the proxy did not set alone, it did not set. */
function credentialsIn(header: string, fields: Fields): string | undefined {
  const [value, another] = fields.get(header) ?? []
  if (another !== undefined) throw new DragomanError('ERR_CLIENT_SEVERAL')
  return value
}

function once(field: string, fields: Fields): string | undefined {
  const [value, another] = fields.get(field) ?? []
  if (another !== undefined) throw new DragomanError('ERR_REQUEST_REPEATED', { detail: { parameter: field } })
  return value
}
