import { defaultTextMapGetter } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Observer } from '../core/observer.ts'
import { spanObserver } from './observer.ts'

export interface OtlpOptions {
  /** The collector's URL for traces over HTTP, such as `http://127.0.0.1:4318/v1/traces`. */
  readonly endpoint: string
  readonly serviceName: string
  readonly serviceVersion: string
  /** Which part of the traces that begin here is recorded, 0 to 1; of others who began them decides. */
  readonly ratio: number
  readonly headers: { readonly [name: string]: string }
  /** Told when spans cannot be handed over, and when they can again. */
  readonly log: (event: string, detail: { readonly [name: string]: unknown }) => void
}

// Milliseconds for a collector to take a batch, retries included: the end of the process waits for the last one.
const PATIENCE = 5000

/**
 * Sends spans to an OpenTelemetry collector (OTLP over HTTP), in batches and in the background. A collector that cannot be
 * reached costs spans, never an exchange. `close` sends what waits.
 */
export function otlpTracing(options: OtlpOptions): { readonly observer: Observer; close(): Promise<void> } {
  const { endpoint, serviceName, serviceVersion, ratio, headers, log } = options
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': serviceVersion }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: telling(new OTLPTraceExporter({ url: endpoint, headers, timeoutMillis: PATIENCE }), log),
        exportTimeoutMillis: PATIENCE,
      }),
    ],
  })
  const propagator = new W3CTraceContextPropagator()
  const tracer = provider.getTracer('dragoman', serviceVersion)
  return {
    observer: spanObserver(tracer, (context, carrier) => propagator.extract(context, carrier, defaultTextMapGetter)),
    // What could not be sent has been told of, and is no reason not to end.
    close: () => provider.shutdown().catch(() => {}),
  }
}

/** The same exporter, which tells when it fails and when it works again, once each. */
function telling(exporter: SpanExporter, log: OtlpOptions['log']): SpanExporter {
  let failing = false
  return {
    export(spans, done) {
      exporter.export(spans, (result: ExportResult) => {
        const failed = result.code !== ExportResultCode.SUCCESS
        // The error may quote the collector's answer: its class says enough.
        if (failed !== failing) log('tracing', { sent: !failed, ...(failed && { name: result.error?.name }) })
        failing = failed
        done(result)
      })
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  }
}
