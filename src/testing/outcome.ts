import { auditToMemory } from '../audit/index.ts'
import type { AuditRecord } from '../core/audit.ts'
import { DragomanError } from '../core/errors.ts'
import type { ExchangeResult, Services, TokenRequest } from '../core/exchange.ts'
import type { Token } from '../core/token.ts'
import { tokenTypes } from '../core/types.ts'
import { exchangeToken } from '../exchange/exchange.ts'
import { memoryReplay } from '../stores/memory.ts'
import type { Stand } from './stand.ts'

/** What became of one request. */
export type Outcome =
  | { readonly issued: Issue; readonly refusal?: undefined; readonly record: AuditRecord }
  | { readonly issued?: undefined; readonly refusal: DragomanError; readonly record: AuditRecord }

export interface Issue {
  readonly result: ExchangeResult
  /** What was issued, read back and verified with the gateway's own keys; an error: it could not be. */
  readonly token: Token | DragomanError
}

/** A gateway that remembers nothing from before: its stores are empty, and tokens are verified each time. */
export const freshServices = (services: Services): Services => ({
  ...services,
  replay: memoryReplay(),
  verified: undefined,
})

/** Runs one exchange, the real one. What is no {@link DragomanError} is a defect, and is thrown on. */
export async function exchanged(request: TokenRequest, stand: Stand, services: Services): Promise<Outcome> {
  const audit = auditToMemory()
  const last = (): AuditRecord => {
    const [record] = audit.records
    if (record === undefined) throw new TypeError('an exchange without a record')
    return record
  }
  try {
    const result = await exchangeToken(request, { ...services, audit })
    return { issued: { result, token: await readBack(result, stand, services) }, record: last() }
  } catch (refusal) {
    if (!(refusal instanceof DragomanError) || refusal.code === 'ERR_INTERNAL') throw refusal
    return { refusal, record: last() }
  }
}

/** What was issued, as whoever trusts the gateway reads it. */
async function readBack(
  { access_token: raw, issued_token_type: type }: ExchangeResult,
  { loaded: { rendering }, test: { clock } }: Stand,
  { codecs, trust, issuer }: Services,
): Promise<Token | DragomanError> {
  try {
    const codec = codecs.find(({ format }) => format === rendering.format)
    const self = trust.find(issuer)
    // What nobody presents under its own type, an ID-JAG, is read as the JWT that it is.
    const readable = codec?.tokenTypes.includes(type) ? type : tokenTypes.jwt
    const unverified = codec?.parse({ raw, type: readable, role: 'subject' })
    if (unverified === undefined || self === undefined) throw new DragomanError('ERR_REQUEST_TOKEN_TYPE')
    const from = rendering.options['subject_as']
    return await unverified.verify(self, {
      now: clock,
      clockSkew: 0,
      kind: rendering.kind,
      ...(typeof from === 'string' && { subjectFrom: from }),
    })
  } catch (error) {
    if (error instanceof DragomanError) return error
    throw error
  }
}
