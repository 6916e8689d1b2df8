import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { auditToFile, auditToStream } from './audit/index.ts'
import { builtin, extended } from './catalog.ts'
import { readConfiguration } from './config/read.ts'
import { createTenant, type Tenant } from './config/tenant.ts'
import type { Configuration, ListenerEntry, TenantEntry } from './config/types.ts'
import type { AuditSink } from './core/audit.ts'
import type { Catalog } from './core/catalog.ts'
import type { ExchangeResult, TokenRequest } from './core/exchange.ts'
import { exchangeToken, recordRefusal } from './exchange/exchange.ts'
import { createHttp } from './gateway/gateway.ts'
import { type ListenerSetting, type Listening, listen } from './gateway/listen.ts'
import { rollingNonces } from './proofs/index.ts'
import { createFetcher, type Fetch } from './trust/index.ts'
import { version } from './version.ts'

/** A gateway: its tenants, their HTTP side, and the exchange itself for who has no need of HTTP. */
export interface Gateway {
  readonly tenants: readonly Tenant[]
  /** What an operator should know before it starts, a sentence each. */
  readonly warnings: readonly string[]
  /** The HTTP side, for `inject` in tests. */
  readonly http: Awaited<ReturnType<typeof createHttp>>
  /** One exchange without HTTP. `tenant` is the only one by default. */
  exchange(request: TokenRequest, tenant?: string): Promise<ExchangeResult>
  /** Opens the configured listeners. Resolves with their base URLs. */
  listen(): Promise<readonly string[]>
  /** Opens audit files again, after a log rotation. */
  reopen(): void
  /** Answers what is under way, then ends. */
  close(): Promise<void>
}

/** What a gateway has from its surroundings. */
export interface GatewayOptions extends Partial<Catalog> {
  /** Seconds since the epoch. Default: the system's clock. */
  readonly clock?: () => number
  readonly random?: (bytes: number) => Uint8Array
  readonly fetch?: Fetch
  readonly env?: { readonly [name: string]: string | undefined }
  /** Where audit records go. Default: the file that the configuration names, else standard output. */
  readonly audit?: (tenant: string, file: string | undefined) => AuditSink
  /** Told of defects and of the process's own events. Default: nobody is. */
  readonly log?: (event: string, detail: { readonly [name: string]: unknown }) => void
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
  const read = typeof configuration === 'string' ? readConfiguration(configuration) : configuration
  const clock = options.clock ?? (() => Date.now() / 1000)
  const random = options.random ?? randomBytes
  const sinks: AuditSink[] = []
  const made: { tenant: Tenant; nonces: ReturnType<typeof rollingNonces> | undefined }[] = []
  for (const entry of read.tenants) {
    const nonces = entry.dpop_nonce === true ? rollingNonces(random(32)) : undefined
    const tenant = await createTenant(entry, read, {
      catalog: extended(builtin({ nonces, x509: x509Options(entry) }), options),
      clock,
      random,
      fetch: options.fetch ?? createFetcher(),
      env: options.env ?? process.env,
      audit(file) {
        const sink = options.audit?.(entry.name, file) ?? defaultAudit(file)
        sinks.push(sink)
        return sink
      },
    })
    made.push({ tenant, nonces })
  }
  const tenants = made.map(({ tenant }) => tenant)
  const mutualTls = read.listeners.some(({ tls }) => tls !== undefined)
  const http = await createHttp(
    made.map(({ tenant, nonces }) => ({
      services: tenant.services,
      limits: tenant.limits,
      mutualTls,
      nonces,
      issuers: tenant.issuers,
    })),
    { exchange: exchangeToken, recordRefusal, version: version(), log: options.log },
  )
  let listening: Listening | undefined
  return {
    tenants,
    warnings: [...tenants.flatMap(({ warnings }) => warnings), ...plainListeners(read.listeners)],
    http,
    exchange(request, name) {
      const tenant = name === undefined && tenants.length === 1 ? tenants[0] : tenants.find((one) => one.name === name)
      if (tenant === undefined) throw new TypeError('the name of a tenant')
      return exchangeToken(request, tenant.services)
    },
    async listen() {
      listening = await listen(http, settingsOf(read))
      return listening.addresses
    },
    reopen() {
      for (const sink of sinks) sink.reopen?.()
    },
    async close() {
      await (listening ? listening.close() : http.close())
      for (const sink of sinks) await sink.close?.()
    },
  }
}

const x509Options = ({ x509 = {} }: TenantEntry) => ({
  ...(x509.claims_extension !== undefined && { claimsExtension: x509.claims_extension }),
  ...(x509.conforming !== undefined && { conforming: x509.conforming }),
})

const defaultAudit = (file: string | undefined): AuditSink =>
  file === undefined ? auditToStream(process.stdout) : auditToFile(file)

function settingsOf({ file, listeners }: Configuration): readonly ListenerSetting[] {
  const folder = dirname(resolve(file))
  const text = (name: string) => readFileSync(resolve(folder, name), 'utf8')
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
