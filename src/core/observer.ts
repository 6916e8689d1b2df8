import type { AuditRecord, TraceEntry } from './audit.ts'

/** Where a request comes from, in somebody's distributed trace (W3C Trace Context), as sent: nothing in it is believed. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate: string | undefined
}

/** Watches exchanges as they go, for distributed tracing. It hears what is in audit records, and when. */
export interface Observer {
  /** An exchange begins; `undefined`: this one is not watched. */
  begin(id: string, tenant: string, context: TraceContext | undefined): Observation | undefined
}

/** One exchange that is watched. */
export interface Observation {
  step(entry: TraceEntry): void
  /** It is over, and this is its record. */
  end(record: AuditRecord): void
}
