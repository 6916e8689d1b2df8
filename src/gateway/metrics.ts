import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { AuditRecord } from '../core/audit.ts'
import type { ErrorCode } from '../core/errors.ts'
import { type Tally, type TallyCounter, tallyCounter } from './tally.ts'
import type { GatewayTenant } from './tenant.ts'
import type { Turns } from './turn.ts'

/** Counts of one process. No label holds what a caller chooses: tenants, profiles, codes and issuers are configured. */
export interface Metrics {
  /** One exchange, as its audit record has it. */
  exchanged(record: AuditRecord): void
  /** A request that came to no exchange and has no record: wrong path or method, no room. */
  turnedAway(code: ErrorCode): void
  /** What a proxy was answered, by the endpoint's name in the configuration. */
  forwarded(tenant: string, endpoint: string, status: number): void
  /** A batch, by the status of the whole; each of its exchanges counts by itself. */
  batched(tenant: string, status: number): void
  /** Prometheus text format. */
  text(): Promise<string>
  /** The same as values, to be put together with those of other threads. */
  measured(): Promise<Measured>
  readonly contentType: string
}

/** Metrics as values, each with how it is put together with another thread's. Plain data. */
export type Measured = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/** Metrics of several threads as one text. The first is asked for what all would say alike. */
export function together(measured: readonly Measured[]): Promise<string> {
  return AggregatorRegistry.aggregate([...measured]).metrics()
}

/** What the main thread counts of its workers. */
export function workerCounters(wanted: number, registry = new Registry()) {
  const registers = [registry]
  const serving = new Gauge({
    name: 'dragoman_workers',
    help: 'Threads that answer requests',
    labelNames: ['state'],
    registers,
  })
  const restarts = new Counter({
    name: 'dragoman_worker_restarts_total',
    help: 'Threads that ended of themselves and serve again',
    registers,
  })
  serving.set({ state: 'wanted' }, wanted)
  return {
    serving: (count: number) => serving.set({ state: 'serving' }, count),
    restarted: () => restarts.inc(),
    measured: (): Promise<Measured> => registry.getMetricsAsJSON(),
  }
}

// Seconds. An ES256 exchange takes 0.2 ms, an ML-DSA one some milliseconds, one that asks an issuer up to its timeout.
const BUCKETS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]
const MICROSECONDS = 1e6

/** What is counted as long as the process runs, whichever configuration is in force. */
export interface Counters {
  readonly registry: Registry
  readonly exchanges: TallyCounter<'tenant' | 'profile' | 'result' | 'code'>
  readonly tokens: TallyCounter<'tenant' | 'direction' | 'format' | 'algorithm'>
  readonly duration: Histogram<'tenant' | 'profile'>
  readonly away: Counter<'code'>
  readonly forwarded: Counter<'tenant' | 'endpoint' | 'status'>
  readonly batches: Counter<'tenant' | 'status'>
  /** Which reading of the configuration is in force. */
  readonly current: number
  generation(number: number): void
  /** A reload has succeeded, and there is one generation more; or it has failed. */
  reloaded(succeeded: boolean): void
}

/** @param surroundings what is measured of Node: this thread and its `process`, the `thread` alone, or `nothing` */
export function newCounters(surroundings: 'process' | 'thread' | 'nothing' = 'process'): Counters {
  const registry = new Registry()
  const registers = [registry]
  if (surroundings !== 'nothing') collectDefaultMetrics({ register: registry })
  if (surroundings === 'thread') {
    // Memory and processor are the process's: added up they would be counted once for each thread.
    for (const { name } of registry.getMetricsAsArray()) {
      if (name.startsWith('process_')) registry.removeSingleMetric(name)
    }
  }
  const generation = new Gauge({
    name: 'dragoman_config_generation',
    help: 'Which reading of the configuration is in force: 1 at start, one more with each reload',
    registers,
    aggregator: 'min',
  })
  const reloads = new Counter({
    name: 'dragoman_config_reloads_total',
    help: 'Reloads of the configuration, by how they ended; one that failed leaves the old one in force',
    labelNames: ['result'],
    registers,
    aggregator: 'max',
  })
  let current = 0
  const set = (number: number) => {
    current = number
    generation.set(number)
  }
  return {
    registry,
    exchanges: tallyCounter({
      name: 'dragoman_exchanges_total',
      help: 'Token exchanges, by how they ended; `profile` is empty where none was selected, `code` where a token was issued',
      labelNames: ['tenant', 'profile', 'result', 'code'],
      registers,
    }),
    tokens: tallyCounter({
      name: 'dragoman_tokens_total',
      help: 'Subject tokens that were taken in, and tokens that were issued for them, by signature algorithm',
      labelNames: ['tenant', 'direction', 'format', 'algorithm'],
      registers,
    }),
    duration: new Histogram({
      name: 'dragoman_exchange_duration_seconds',
      help: 'Time from the parsed request to its answer',
      labelNames: ['tenant', 'profile'],
      buckets: BUCKETS,
      registers,
    }),
    away: new Counter({
      name: 'dragoman_requests_turned_away_total',
      help: 'Requests that came to no exchange: wrong path or method, no room',
      labelNames: ['code'],
      registers,
    }),
    forwarded: new Counter({
      name: 'dragoman_forward_auth_total',
      help: 'Questions of proxies, by endpoint and answer: 200 passes, 401 and 403 refuse, 503 cannot be decided',
      labelNames: ['tenant', 'endpoint', 'status'],
      registers,
    }),
    batches: new Counter({
      name: 'dragoman_batches_total',
      help: 'Batches, by the status of the whole: 200 however its exchanges ended, each of which counts by itself',
      labelNames: ['tenant', 'status'],
      registers,
    }),
    get current() {
      return current
    },
    generation: set,
    reloaded(succeeded) {
      reloads.inc({ result: succeeded ? 'succeeded' : 'failed' })
      if (succeeded) set(current + 1)
    },
  }
}

export function metricsOf(
  tenants: readonly GatewayTenant[],
  turns: Turns,
  counters: Counters,
  everywhere?: () => Promise<string>,
): Metrics {
  const { exchanges, tokens, duration, away, forwarded, batches } = counters
  // What is read of this configuration's tenants ends with it.
  const registry = new Registry()
  collected(registry, tenants, turns)

  // Looking a child up by its labels costs more than counting.
  const children = new Map<string, { count: Tally; time: Histogram.Internal<string> }>()
  const signed = new Map<string, readonly Tally[]>()
  /** One for what came in, one for what went out. */
  function tokensOf(record: AuditRecord): readonly Tally[] {
    const { tenant, subject_format: from, subject_algorithm: by, issued_format: to, issued_algorithm: using } = record
    const key = `${tenant} ${from} ${by} ${to} ${using}`
    const known = signed.get(key)
    if (known !== undefined) return known
    const made = [
      tokens.tally(`in ${tenant} ${from} ${by}`, { tenant, direction: 'in', format: from ?? '', algorithm: by ?? '' }),
      tokens.tally(`out ${tenant} ${to} ${using}`, {
        tenant,
        direction: 'out',
        format: to ?? '',
        algorithm: using ?? '',
      }),
    ]
    signed.set(key, made)
    return made
  }

  return {
    exchanged(record) {
      const { tenant, profile = '', result, code = '', duration_us } = record
      const key = `${tenant} ${profile} ${code}`
      let child = children.get(key)
      if (child === undefined) {
        child = {
          count: exchanges.tally(key, { tenant, profile, result, code }),
          time: duration.labels({ tenant, profile }),
        }
        children.set(key, child)
      }
      child.count.more += 1
      child.time.observe(duration_us / MICROSECONDS)
      if (result === 'issued') for (const tally of tokensOf(record)) tally.more += 1
    },
    turnedAway: (code) => away.inc({ code }),
    batched: (tenant, status) => batches.inc({ tenant, status }),
    forwarded: (tenant, endpoint, status) => forwarded.inc({ tenant, endpoint, status }),
    text: everywhere ?? (async () => `${await counters.registry.metrics()}\n${await registry.metrics()}`),
    measured: async () => [...(await counters.registry.getMetricsAsJSON()), ...(await registry.getMetricsAsJSON())],
    contentType: registry.contentType,
  }
}

/** A metric of ours, as its reference has it. */
export interface Described {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: readonly string[]
}

/** Every metric that there can be, but for those of the process and of Node. */
export function describedMetrics(): readonly Described[] {
  const { registry } = newCounters('nothing')
  collected(registry, [], { inFlight: 0 })
  workerCounters(0, registry)
  return registry.getMetricsAsArray().map((metric) => {
    const { name, help, type } = metric
    return { name, help, type: String(type), labels: Reflect.get(metric, 'labelNames') as readonly string[] }
  })
}

/** What is read when somebody asks. */
function collected(registry: Registry, tenants: readonly GatewayTenant[], turns: Pick<Turns, 'inFlight'>): void {
  const registers = [registry]
  new Gauge({
    name: 'dragoman_exchanges_in_flight',
    help: 'Exchanges that have been taken in and not answered',
    registers,
    collect() {
      this.set(turns.inFlight)
    },
  })
  new Gauge({
    name: 'dragoman_replay_entries',
    help: 'Uses that are remembered until they expire',
    labelNames: ['tenant'],
    registers,
    aggregator: 'max',
    collect() {
      for (const { services } of tenants) {
        if (services.replay.size !== undefined) this.set({ tenant: services.tenant }, services.replay.size)
      }
    },
  })
  new Gauge({
    name: 'dragoman_issuer_ready',
    help: '1: the keys of an issuer are at hand; 0: they could not be fetched, or nobody has asked for them yet',
    labelNames: ['tenant', 'issuer'],
    registers,
    aggregator: 'max',
    collect() {
      for (const { services, issuers } of tenants) {
        for (const { issuer, ready } of issuers?.() ?? []) this.set({ tenant: services.tenant, issuer }, ready ? 1 : 0)
      }
    },
  })
  new Gauge({
    name: 'dragoman_issuer_fetched_timestamp_seconds',
    help: 'When the keys of an issuer were last fetched',
    labelNames: ['tenant', 'issuer'],
    registers,
    aggregator: 'max',
    collect() {
      for (const { services, issuers } of tenants) {
        for (const { issuer, fetchedAt } of issuers?.() ?? []) {
          if (fetchedAt !== undefined) this.set({ tenant: services.tenant, issuer }, fetchedAt)
        }
      }
    },
  })
}
