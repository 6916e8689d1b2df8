import { type Attributes, type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api'
import type { AuditRecord, TraceEntry } from '../core/audit.ts'
import type { Observation, Observer, TraceContext } from '../core/observer.ts'

/** Takes a parent out of trace headers: `W3CTraceContextPropagator.extract`, bound. */
export type Extract = (context: Context, carrier: { readonly [header: string]: string | undefined }) => Context

/**
 * A span for each exchange (`token_exchange`, kind server), with an event for each step. A refusal sets its status to error,
 * with the reason code as its message.
 *
 * A span says what an audit record says but for who: no subject, no actor, no token, no claim value, and no client id where
 * the subject token stood for it. Does NOT decide what is sampled: the tracer does.
 */
export function spanObserver(tracer: Tracer, extract: Extract): Observer {
  return {
    begin(id, tenant, context) {
      const span = tracer.startSpan(
        'token_exchange',
        { kind: SpanKind.SERVER, attributes: { 'dragoman.request_id': id, 'dragoman.tenant': tenant } },
        parentIn(context, extract),
      )
      if (!span.isRecording()) return undefined
      return {
        step: (entry) => void span.addEvent(entry.path ?? entry.step, eventOf(entry)),
        end(record) {
          span.setAttributes(attributesOf(record))
          if (record.result === 'refused') span.setStatus({ code: SpanStatusCode.ERROR, message: record.code ?? '' })
          span.end()
        },
      } satisfies Observation
    },
  }
}

const parentIn = (context: TraceContext | undefined, extract: Extract): Context =>
  context === undefined ? ROOT_CONTEXT : extract(ROOT_CONTEXT, { ...context })

function eventOf({ step, outcome, changed, detail }: TraceEntry): Attributes {
  const code = detail?.['code']
  return {
    'dragoman.step': step,
    'dragoman.outcome': outcome,
    ...(changed && changed.length > 0 && { 'dragoman.changed': [...changed] }),
    ...(typeof code === 'string' && { 'dragoman.code': code }),
  }
}

function attributesOf(record: AuditRecord): Attributes {
  const { result, code, error, client, client_method: method, profile, issued_token_type: type, scope } = record
  return {
    'dragoman.result': result,
    ...(code !== undefined && { 'dragoman.code': code }),
    ...(error !== undefined && { 'error.type': error }),
    ...(client !== undefined && method !== 'subject_token' && { 'dragoman.client': client }),
    ...(method !== undefined && { 'dragoman.client_method': method }),
    ...(profile !== undefined && { 'dragoman.profile': profile }),
    ...(type !== undefined && { 'dragoman.issued_token_type': type }),
    ...(record.audience && { 'dragoman.audience': [...record.audience] }),
    ...(scope && { 'dragoman.scope': [...scope] }),
  }
}
