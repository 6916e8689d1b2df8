import type { FastifyRequest } from 'fastify'
import { DragomanError, type ErrorCode } from '../core/errors.ts'
import type { Admission, ExchangeResult, TokenRequest } from '../core/exchange.ts'
import type { Attempt, ExchangeOptions } from './attempt.ts'
import { type Batch, type BatchItem, type BatchLimits, batchCredentials, readBatch } from './batch-request.ts'
import { type Answer, type AnswerContext, failure, issuedMembers, json, refusedMembers } from './reply.ts'
import { type RequestFacts, tokenRequest } from './request.ts'
import type { Tell } from './tell.ts'
import type { Site } from './tenant.ts'
import type { peerChains } from './tls.ts'
import { credentialFields, mediaType } from './token.ts'
import { traceOf } from './trace.ts'

const JSON_TYPE = 'application/json'
const ENDPOINT = 'token/batch'

export type BatchOptions = ExchangeOptions & {
  readonly admit: NonNullable<ExchangeOptions['admit']>
  readonly tell: Tell
}

/**
 * Answers the batch endpoint, an extension of ours: many exchanges in one authenticated request, each answered on its own.
 *
 * The client authenticates once, and one DPoP proof stands for all. Each item then goes through the whole recipe by itself,
 * with a record of its own under the id of the batch, and one that is refused is nothing to the others; of two that present
 * one single-use token, one wins. A batch counts in the limits on what is under way as its items. Answers are in the order of
 * the items.
 */
export function batchHandler(
  attempt: Attempt,
  { exchange, recordRefusal, admit, tell }: BatchOptions,
  chainOf: ReturnType<typeof peerChains>,
) {
  return async (site: Site, { body, headers, raw }: FastifyRequest): Promise<Answer | ErrorCode> => {
    const { services, tenant, host, limits, lane } = site
    const id = newId(site)
    const now = services.clock()
    const challenged = headers.authorization !== undefined
    const context: AnswerContext = { id, realm: host, challenged, authenticated: false }
    let facts: RequestFacts
    let batch: Batch
    let asking: TokenRequest
    try {
      facts = {
        ...{ id, ...credentialFields(raw.rawHeaders) },
        ...{ trace: traceOf(headers, services), chain: chainOf(raw.socket) },
      }
      batch = readBatch(bodyOf(body, headers['content-type']), batchLimitsOf(site), limits)
      asking = { ...batchCredentials(batch.shared, facts), endpoint: ENDPOINT, batch: id }
    } catch (error) {
      recordRefusal({ id, endpoint: ENDPOINT, batch: id }, error, services)
      return failure(error, context)
    }
    const url = `${services.tokenEndpoint}/batch`
    const nonce = asking.dpop.length > 0 ? tenant.nonces?.current(now) : undefined
    let admitted: Admission
    let results: readonly PromiseSettledResult<ExchangeResult>[]
    const requests = batch.items.map((item): Asked => ({ item, id: newId(site) }))
    try {
      const arrival = { address: raw.socket.remoteAddress ?? '', now }
      admitted = await attempt(site, asking, arrival, () => admit(asking, services, url))
      results = await lane.runAll(requests.map((asked) => () => one(asked, admitted)))
    } catch (error) {
      const code = error instanceof DragomanError ? error.code : 'ERR_INTERNAL'
      if (code === 'ERR_OVERLOADED') return code
      return failure(error, { ...context, nonce: code === 'ERR_PROOF_NONCE' ? nonce : undefined })
    }
    const answers = results.map((result, at) => answerOf(requests[at], result))
    return json(200, { batch: id, results: answers }, { 'x-request-id': id, ...(nonce && { 'dpop-nonce': nonce }) })

    async function one({ item, id: own }: Asked, client: Admission): Promise<ExchangeResult> {
      const place = { id: own, endpoint: ENDPOINT, batch: id }
      let asked: TokenRequest
      try {
        asked = {
          ...tokenRequest(item.form(), { ...facts, id: own, authorization: undefined, dpop: [] }, services.grants),
          ...place,
        }
      } catch (error) {
        recordRefusal(place, error, services, client)
        throw error
      }
      try {
        return await exchange(asked, services, client)
      } catch (error) {
        tell(error, own, now)
        throw error
      }
    }
  }
}

/** An item, and the id of its own exchange. */
interface Asked {
  readonly item: BatchItem
  readonly id: string
}

const newId = ({ services }: Site): string => Buffer.from(services.random(16)).toString('base64url')

function bodyOf(body: unknown, type: string | undefined): Uint8Array {
  if (mediaType(type) === JSON_TYPE && body instanceof Uint8Array) return body
  throw new DragomanError('ERR_REQUEST_BATCH', { detail: { expected: `a body of type ${JSON_TYPE}` } })
}

function batchLimitsOf({ tenant }: Site): BatchLimits {
  if (tenant.batch === undefined) throw new TypeError('a tenant that takes batches')
  return tenant.batch
}

/** RFC 8693 §2.2.1, or RFC 6749 §5.2 with the status that it would have had alone. */
function answerOf(asked: Asked | undefined, result: PromiseSettledResult<ExchangeResult>): object {
  const head = { id: asked?.item.id, request_id: asked?.id }
  if (result.status === 'fulfilled') return { ...head, ...issuedMembers(result.value) }
  const { status, retryAfter, members } = refusedMembers(result.reason, true)
  return { ...head, status, ...members, ...(retryAfter !== undefined && { retry_after: retryAfter }) }
}
