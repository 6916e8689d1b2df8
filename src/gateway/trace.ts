import type { IncomingHttpHeaders } from 'node:http'
import type { Services } from '../core/exchange.ts'
import type { TraceContext } from '../core/observer.ts'

// W3C Trace Context §3.2 and §3.3: what is longer is none.
const MAX_TRACEPARENT = 256
const MAX_TRACESTATE = 512

/** The trace that a request says it belongs to; where nobody watches, none is read. */
export function traceOf(
  { traceparent, tracestate }: IncomingHttpHeaders,
  { observer }: Pick<Services, 'observer'>,
): TraceContext | undefined {
  if (observer === undefined) return undefined
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT) return undefined
  const state = typeof tracestate === 'string' && tracestate.length <= MAX_TRACESTATE ? tracestate : undefined
  return { traceparent, tracestate: state }
}
