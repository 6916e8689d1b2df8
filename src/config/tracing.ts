import { dirname, resolve } from 'node:path'
import { DragomanError } from '../core/errors.ts'
import type { Observer } from '../core/observer.ts'
import { version } from '../version.ts'
import { type Files, onDisk } from './files.ts'
import type { Configuration } from './types.ts'

const PACKAGES = ['api', 'core', 'exporter-trace-otlp-http', 'resources', 'sdk-trace']

type Log = (event: string, detail: { readonly [name: string]: unknown }) => void

/** What sends spans. */
export interface Tracing {
  readonly observer: Observer
  close(): Promise<void>
}

/**
 * Where a configuration wants spans, as a way to open it; `undefined`: nowhere. The packages are loaded only then, and
 * need not be there otherwise.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` for header fields that are none; when opened, for packages that are
 * not installed
 */
export function tracingOf(
  { file, tracing }: Pick<Configuration, 'file' | 'tracing'>,
  files: Files = onDisk,
): ((log: Log) => Promise<Tracing>) | undefined {
  if (tracing === undefined) return undefined
  const refuse = (path: string, expected: string, cause: unknown): DragomanError =>
    new DragomanError('ERR_PROFILE_OPTION', { cause, detail: { file, path, expected } })
  const { otlp_endpoint: endpoint, service_name: serviceName = 'dragoman', sample_ratio: ratio = 1 } = tracing
  const name = tracing.headers_file
  let headers: { readonly [name: string]: string } = {}
  try {
    if (name !== undefined) headers = headersIn(files.read(resolve(dirname(resolve(file)), name)).toString('utf8'))
  } catch (cause) {
    throw refuse('tracing.headers_file', 'a file with a JSON object of header fields, all text', cause)
  }
  return async (log) => {
    const { otlpTracing } = await import('../tracing/otlp.ts').catch((cause: unknown) => {
      const names = PACKAGES.map((one) => `@opentelemetry/${one}`).join(', ')
      throw refuse('tracing', `the packages ${names}, installed beside dragoman`, cause)
    })
    return otlpTracing({ endpoint, serviceName, serviceVersion: version(), ratio, headers, log })
  }
}

function headersIn(text: string): { readonly [name: string]: string } {
  const fields: unknown = JSON.parse(text)
  if (typeof fields !== 'object' || fields === null) throw new TypeError('an object')
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (typeof value !== 'string') throw new TypeError('text')
      return [name, value]
    }),
  )
}
