import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { createSecureContext } from 'node:tls'
import { auditToFile, auditToStream } from './audit/index.ts'
import { builtin, extended } from './catalog.ts'
import { configurationCheck, readConfiguration } from './config/read.ts'
import { createTenant, type Tenant } from './config/tenant.ts'
import type { Configuration, ListenerEntry, TenantEntry } from './config/types.ts'
import type { AuditSink } from './core/audit.ts'
import { type Carry, newCarry } from './core/carry.ts'
import type { Catalog } from './core/catalog.ts'
import { DragomanError } from './core/errors.ts'
import type { ExchangeResult, TokenRequest } from './core/exchange.ts'
import type { Observer } from './core/observer.ts'
import { exchangeToken, recordRefusal } from './exchange/exchange.ts'
import { createHttp } from './gateway/gateway.ts'
import { type ListenerSetting, type Listening, listen } from './gateway/listen.ts'
import { type Counters, newCounters } from './gateway/metrics.ts'
import type { GatewayTenant } from './gateway/tenant.ts'
import { type TlsSetting, tlsOptions } from './gateway/tls.ts'
import type { Check } from './profiles/check.ts'
import { profileCheck } from './profiles/load.ts'
import { rollingNonces } from './proofs/index.ts'
import { pooledRandom } from './random.ts'
import { createFetcher, type Fetch } from './trust/index.ts'
import { version } from './version.ts'

/** A gateway: its tenants, their HTTP side, and the exchange itself for who has no need of HTTP. */
export interface Gateway {
  readonly tenants: readonly Tenant[]
  /** What an operator should know of the configuration, a sentence each. */
  readonly warnings: readonly string[]
  /** The HTTP side, for `inject` in tests. */
  readonly http: Http
  /** Which reading of the configuration is in force: 1 at start, one more with each reload that succeeded. */
  readonly generation: number
  /** Files and folders that the configuration was last read from, whatever came of it: when one changes, it is time to reload. */
  readonly files: readonly string[]
  /** One exchange without HTTP. `tenant` is the only one by default. */
  exchange(request: TokenRequest, tenant?: string): Promise<ExchangeResult>
  /** Opens the configured listeners. Resolves with their base URLs. */
  listen(): Promise<readonly string[]>
  /**
   * Reads the configuration and its profiles anew, checks them whole and puts them in force at once; exchanges under way
   * end as they began. What is remembered stays: uses, keys made at start, keys fetched from issuers.
   *
   * @throws {@link DragomanError} when anything in it cannot work; then what was in force stays in force, whole
   */
  reload(): Promise<void>
  /** Opens audit files again, after a log rotation. */
  reopen(): void
  /** Answers what is under way, then ends. */
  close(): Promise<void>
}

type Http = Awaited<ReturnType<typeof createHttp>>

/** What a gateway has from its surroundings. */
export interface GatewayOptions extends Partial<Catalog> {
  /** Seconds since the epoch. Default: the system's clock. */
  readonly clock?: () => number
  readonly random?: (bytes: number) => Uint8Array
  readonly fetch?: Fetch
  readonly env?: { readonly [name: string]: string | undefined }
  /** Where audit records go. Default: the file that the configuration names, else standard output. */
  readonly audit?: (tenant: string, file: string | undefined) => AuditSink
  /** Watches exchanges, for distributed tracing. Default: what the configuration says under `tracing`. */
  readonly observer?: Observer
  /** Told of defects, of what cannot be reached, and of the process's own events. Default: nobody is. */
  readonly log?: (event: string, detail: { readonly [name: string]: unknown }) => void
}

/** One reading of the configuration, put together. */
interface Generation {
  readonly configuration: Configuration
  readonly tenants: readonly Tenant[]
  readonly http: Http
  readonly carries: ReadonlyMap<string, Carry>
  readonly sinks: ReadonlySet<AuditSink>
}

/**
 * Makes a gateway of a configuration, checked whole: what is wrong in it, or in a profile, is thrown here and never met by
 * a request. Codecs, stages, client methods and proofs of your own go into `options`, beside the built-in ones.
 *
 * @throws {@link DragomanError} naming file, line, column and what would be right
 */
export async function createGateway(
  configuration: string | Configuration,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const counters = newCounters()
  const catalog = extended(builtin(), options)
  const checks = { configuration: configurationCheck(catalog.clientMethods), profile: profileCheck(catalog) }
  const read = (seen: Set<string>): Configuration => {
    if (typeof configuration !== 'string') return configuration
    seen.add(resolve(configuration))
    return readConfiguration(configuration, checks.configuration)
  }
  const seen = new Set<string>()
  const first = read(seen)
  const tracing = await tracingOf(first, options, seen)
  const fixed = { counters, check: checks.profile, observer: options.observer ?? tracing?.observer }
  let current = await generationOf(first, options, { ...fixed, seen }, undefined)
  let files = seen
  let listening: Listening | undefined
  /** Audit streams that a reload put out of use. */
  const retired = new Set<AuditSink>()
  let reloading: Promise<void> = Promise.resolve()
  counters.generation(1)

  async function replace(): Promise<void> {
    const seen = new Set<string>()
    files = seen
    try {
      const next = read(seen)
      assertSameProcess(current.configuration, next)
      const settings = listening === undefined ? [] : settingsOf(next, seen)
      for (const { tls } of settings) if (tls) assertTls(tls, next)
      const before = current
      current = await generationOf(next, options, { ...fixed, seen }, before)
      for (const [index, { tls }] of settings.entries()) if (tls) listening?.renew(index, tls)
      counters.reloaded(true)
      // Not closed yet: exchanges that began under it are still to be recorded there.
      for (const sink of before.sinks) if (!current.sinks.has(sink)) retired.add(sink)
    } catch (error) {
      counters.reloaded(false)
      throw error
    }
  }

  return {
    get tenants() {
      return current.tenants
    },
    get warnings() {
      const { tenants, configuration: now } = current
      return [...tenants.flatMap(({ warnings }) => warnings), ...plainListeners(now.listeners)]
    },
    get http() {
      return current.http
    },
    get files() {
      return [...files]
    },
    get generation() {
      return counters.current
    },
    async exchange(request, name) {
      const { tenants } = current
      const tenant = name === undefined && tenants.length === 1 ? tenants[0] : tenants.find((one) => one.name === name)
      if (tenant === undefined) throw new TypeError('the name of a tenant')
      return exchangeToken(request, tenant.services)
    },
    async listen() {
      const served = {
        routing: (...call: Parameters<Http['routing']>) => current.http.routing(...call),
        close: () => current.http.close(),
      }
      listening = await listen(served, settingsOf(current.configuration, files))
      return listening.addresses
    },
    reload() {
      // One at a time, so that the last one asked for is the one in force.
      reloading = reloading.then(replace, replace)
      return reloading
    },
    reopen() {
      for (const sink of current.sinks) sink.reopen?.()
    },
    async close() {
      await (listening ? listening.close() : current.http.close())
      await closeAll([...current.sinks, ...retired])
      await tracing?.close()
    },
  }
}

/** Closes each, whatever becomes of another, and then throws what went wrong. */
async function closeAll(sinks: readonly AuditSink[]): Promise<void> {
  const closed = await Promise.allSettled(sinks.map((sink) => sink.close?.()))
  const failed = closed.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

/** What stays the same over all generations. */
interface Fixed {
  readonly counters: Counters
  readonly check: Check
  readonly observer: Observer | undefined
}

async function generationOf(
  configuration: Configuration,
  options: GatewayOptions,
  { counters, check, observer, seen }: Fixed & { readonly seen: Set<string> },
  before: Generation | undefined,
): Promise<Generation> {
  const clock = options.clock ?? (() => Date.now() / 1000)
  const random = options.random ?? pooledRandom()
  const sinks = new Set<AuditSink>()
  const carries = new Map<string, Carry>()
  const mutualTls = configuration.listeners.some(({ tls }) => tls !== undefined)
  const tenants: Tenant[] = []
  const served: GatewayTenant[] = []
  for (const entry of configuration.tenants) {
    // By its issuer, so that a tenant that takes over the name of another inherits nothing of it.
    const carry = newCarry(before?.carries.get(entry.issuer))
    carries.set(entry.issuer, carry)
    const nonces = entry.dpop_nonce === true ? carry.take('nonces', () => rollingNonces(random(32))) : undefined
    const tenant = await createTenant(entry, configuration, {
      catalog: extended(builtin({ nonces, x509: x509Options(entry) }), options),
      check,
      clock,
      random,
      carry,
      fetch: options.fetch ?? createFetcher(),
      env: options.env ?? process.env,
      seen: (path) => void seen.add(path),
      observer,
      audit(file) {
        const make = () => options.audit?.(entry.name, file) ?? defaultAudit(file)
        const sink = carry.take(JSON.stringify(['audit', file]), make)
        sinks.add(sink)
        return sink
      },
    })
    tenants.push(tenant)
    const { services, limits, issuers } = tenant
    served.push({ services, limits, mutualTls, nonces, issuers })
  }
  const http = await createHttp(served, {
    exchange: exchangeToken,
    recordRefusal,
    version: version(),
    log: options.log,
    counters,
  })
  return { configuration, tenants, http, carries, sinks }
}

/** A certificate that was renewed is shown from a reload on; one that does not go with its key is none. */
function assertTls(tls: TlsSetting, { file }: Configuration): void {
  try {
    createSecureContext(tlsOptions(tls))
  } catch (cause) {
    throw new DragomanError('ERR_PROFILE_OPTION', {
      cause,
      detail: { file, path: 'listeners', expected: 'a certificate and its private key, both in PEM' },
    })
  }
}

/** Where the configuration wants spans. The packages are loaded only then, and need not be there otherwise. */
async function tracingOf({ file, tracing }: Configuration, { log, observer }: GatewayOptions, seen: Set<string>) {
  if (tracing === undefined || observer !== undefined) return undefined
  const wrong = (path: string, expected: string, cause: unknown) =>
    new DragomanError('ERR_PROFILE_OPTION', { cause, detail: { file, path, expected } })
  const headersFile = tracing.headers_file && resolve(dirname(resolve(file)), tracing.headers_file)
  let headers: { readonly [name: string]: string } = {}
  if (headersFile) {
    seen.add(headersFile)
    try {
      headers = headersIn(readFileSync(headersFile, 'utf8'))
    } catch (cause) {
      throw wrong('tracing.headers_file', 'a file with a JSON object of header fields, all text', cause)
    }
  }
  const module = await import('./tracing/otlp.ts').catch((cause: unknown) => {
    throw wrong('tracing', `the packages ${TRACING_PACKAGES.join(', ')}, installed beside dragoman`, cause)
  })
  return module.otlpTracing({
    endpoint: tracing.otlp_endpoint,
    serviceName: tracing.service_name ?? 'dragoman',
    serviceVersion: version(),
    ratio: tracing.sample_ratio ?? 1,
    headers,
    log: log ?? (() => {}),
  })
}

const TRACING_PACKAGES = ['api', 'core', 'exporter-trace-otlp-http', 'resources', 'sdk-trace'].map(
  (name) => `@opentelemetry/${name}`,
)

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

/** Listeners and tracing are opened once: a reload cannot move them, and must not seem to. */
function assertSameProcess(before: Configuration, next: Configuration): void {
  for (const path of ['listeners', 'tracing'] as const) {
    if (JSON.stringify(before[path]) === JSON.stringify(next[path])) continue
    const expected = `${path} as at start; to change it, start anew`
    throw new DragomanError('ERR_PROFILE_OPTION', { detail: { file: next.file, path, expected } })
  }
}

const x509Options = ({ x509 = {} }: TenantEntry) => ({
  ...(x509.claims_extension !== undefined && { claimsExtension: x509.claims_extension }),
  ...(x509.conforming !== undefined && { conforming: x509.conforming }),
})

const defaultAudit = (file: string | undefined): AuditSink =>
  file === undefined ? auditToStream(process.stdout) : auditToFile(file)

function settingsOf({ file, listeners }: Configuration, seen: Set<string>): readonly ListenerSetting[] {
  const folder = dirname(resolve(file))
  const text = (name: string) => {
    const path = resolve(folder, name)
    seen.add(path)
    return readFileSync(path, 'utf8')
  }
  return listeners.map(({ host = '127.0.0.1', port, operations, tls }) => ({
    host,
    port,
    operations,
    tls: tls && {
      certificate: text(tls.certificate),
      key: text(tls.key),
      clientCa: tls.client_ca === undefined ? undefined : text(tls.client_ca),
    },
  }))
}

const plainListeners = (listeners: readonly ListenerEntry[]): readonly string[] =>
  listeners
    .filter(({ host = '127.0.0.1', tls }) => tls === undefined && !['127.0.0.1', '::1', 'localhost'].includes(host))
    .map(({ host, port }) => `${host}:${port} takes requests without TLS; a proxy in front of it must bring TLS`)
