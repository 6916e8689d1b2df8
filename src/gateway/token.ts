import type { FastifyRequest } from 'fastify'
import { DragomanError, type ErrorCode } from '../core/errors.ts'
import type { TokenRequest } from '../core/exchange.ts'
import { type Attempt, claimOf, type ExchangeOptions } from './attempt.ts'
import { parseForm } from './form.ts'
import { type Answer, type AnswerContext, failure, success } from './reply.ts'
import { type RequestFacts, tokenRequest } from './request.ts'
import type { Site } from './tenant.ts'
import type { peerChains } from './tls.ts'
import { traceOf } from './trace.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'

/**
 * Answers the token endpoint: reads the form, lets the recipe work on it when its turn comes, and says what came of it.
 *
 * There is an audit record for each request that got here but those for which there is no room.
 */
export function tokenHandler(
  attempt: Attempt,
  { exchange, recordRefusal }: Pick<ExchangeOptions, 'exchange' | 'recordRefusal'>,
  chainOf: ReturnType<typeof peerChains>,
) {
  function read({ limits, services }: Site, { body, headers, raw }: FastifyRequest, id: string): TokenRequest {
    if (mediaType(headers['content-type']) !== FORM_TYPE || !(body instanceof Uint8Array)) {
      throw new DragomanError('ERR_REQUEST_MEDIA_TYPE', { detail: { expected: FORM_TYPE } })
    }
    // RFC 6749 §2.3.1: credentials never come in the URI, and nothing else is taken from it.
    if (raw.url?.includes('?')) {
      throw new DragomanError('ERR_REQUEST_FORM', { detail: { expected: 'parameters in the body' } })
    }
    const trace = traceOf(headers, services)
    const facts: RequestFacts = { id, ...credentialFields(raw.rawHeaders), trace, chain: chainOf(raw.socket) }
    return tokenRequest(parseForm(body, limits), facts, services.grants)
  }

  return async (site: Site, request: FastifyRequest): Promise<Answer | ErrorCode> => {
    const { services, tenant, host } = site
    const id = Buffer.from(services.random(16)).toString('base64url')
    const now = services.clock()
    const challenged = request.headers.authorization !== undefined
    const context: AnswerContext = { id, realm: host, challenged, authenticated: false }
    let asked: TokenRequest
    try {
      asked = read(site, request, id)
    } catch (error) {
      recordRefusal({ id }, error, services)
      return failure(error, context)
    }
    try {
      const arrival = { address: request.raw.socket.remoteAddress ?? '', now }
      const result = await attempt(site, asked, arrival, () => exchange(asked, services))
      return success(result, asked.dpop.length > 0 ? { ...context, nonce: tenant.nonces?.current(now) } : context)
    } catch (error) {
      const code = error instanceof DragomanError ? error.code : 'ERR_INTERNAL'
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

export const mediaType = (header: string | undefined): string | undefined =>
  header === FORM_TYPE ? header : header?.split(';', 1)[0]?.trim().toLowerCase()

/** The header fields that a token request is read from, as often as they were sent. */
export function credentialFields(raw: readonly string[]): Pick<RequestFacts, 'authorization' | 'dpop'> {
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
