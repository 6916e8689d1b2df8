import type { IncomingMessage, ServerResponse } from 'node:http'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { threadId } from 'node:worker_threads'
import { auditToFile, auditToStream } from './audit/index.ts'
import { builtin, extended, x509Options } from './catalog.ts'
import { type Files, filesOf, marked, noting, onDisk, recorded, type Snapshot } from './config/files.ts'
import { listenersOf } from './config/listeners.ts'
import { operatorSecrets } from './config/operators.ts'
import { configurationCheck, readConfiguration } from './config/read.ts'
import { modeOf, processSecretsOf } from './config/secret-files.ts'
import { createTenant, type Tenant } from './config/tenant.ts'
import { type Tracing, tracingOf } from './config/tracing.ts'
import type { Configuration, ListenerEntry } from './config/types.ts'
import { readableOf } from './config/warnings.ts'
import type { AuditSink } from './core/audit.ts'
import { type Carry, newCarry } from './core/carry.ts'
import type { Catalog } from './core/catalog.ts'
import { DragomanError } from './core/errors.ts'
import type { ExchangeResult, TokenRequest } from './core/exchange.ts'
import type { Observer } from './core/observer.ts'
import { inSlices, newPace } from './core/slices.ts'
import { admit, exchangeToken, recordRefusal } from './exchange/exchange.ts'
import { type ExplainOptions, explainRequest, explainUnread } from './explain/request.ts'
import type { Explanation } from './explain/types.ts'
import { createHttp, type Http } from './gateway/gateway.ts'
import { type GuessLimiter, guessLimiter } from './gateway/guess.ts'
import { type ListenerSetting, type Listening, listen } from './gateway/listen.ts'
import { type Counters, type Measured, newCounters } from './gateway/metrics.ts'
import { createOperators, type OperatorsOptions } from './gateway/operators.ts'
import type { GatewayTenant } from './gateway/tenant.ts'
import type { Check } from './profiles/check.ts'
import { profileCheck } from './profiles/load.ts'
import { rollingNonces } from './proofs/index.ts'
import { pooledRandom } from './random.ts'
import { replayTable, sharedReplay } from './stores/shared.ts'
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
  /** What an exchange would come to, and why. Issues nothing, spends nothing, leaves no record. */
  explain(request: TokenRequest, options?: Pick<ExplainOptions, 'client'> & { tenant?: string }): Promise<Explanation>
  /** Opens the configured listeners, or others. Resolves with their base URLs. */
  listen(settings?: readonly ListenerSetting[]): Promise<readonly string[]>
  /** The configured listeners, their certificates read. */
  listeners(): readonly ListenerSetting[]
  /**
   * Reads the configuration and its profiles anew, checks them whole and puts them in force at once; exchanges under way
   * end as they began. What is remembered stays: uses, keys made at start, keys fetched from issuers.
   *
   * @throws {@link DragomanError} when anything in it cannot work; then what was in force stays in force, whole
   */
  reload(): Promise<void>
  /** The first half of {@link reload}: everything but putting it in force. `settled`: as another thread has read it. */
  prepare(settled?: Settled): Promise<Prepared>
  /** What gateways in other threads are to be made of; `undefined`: `threads` was not set. */
  settled(): Promise<Settled | undefined>
  /** Counts a failed authentication that another thread met. */
  guessed(guess: Guess): void
  measured(): Promise<Measured>
  /** Opens audit files again, after a log rotation. */
  reopen(): void
  /** Answers what is under way, then ends. */
  close(): Promise<void>
}

type Operators = Awaited<ReturnType<typeof createOperators>>

/** What gateways in several threads have from the first of them, so that they are one. Can be sent to another thread. */
export interface Settled {
  /** Configuration, profiles and all that they name, as the first one read them. */
  readonly snapshot: Snapshot
  /** What was made at random: keys, the secret of nonces, the memory of uses. */
  readonly made: ReadonlyMap<string, unknown>
  readonly generation: number
}

/** A reading of the configuration that has been checked whole and is not in force. */
export interface Prepared {
  /** For gateways in other threads; there where `shares` was set. */
  readonly settled: Settled | undefined
  commit(): void
  /** It comes to nothing: another thread cannot follow. */
  abandon(): void
}

/** What a gateway and those in other threads are to each other. */
export interface Threads {
  /** Absent: this one is the first, and settles for the others. */
  readonly settled?: Settled
  /** What `/metrics` shows. */
  readonly everywhere?: () => Promise<string>
  /** Told of each failed authentication here, for {@link Gateway.guessed} of the others. */
  readonly guessed?: (guess: Guess) => void
}

/** A failed authentication. */
export interface Guess {
  readonly issuer: string
  readonly client: string | undefined
  readonly address: string
  readonly now: number
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
  /** Watches exchanges, for distributed tracing. Default: what the configuration says under `tracing`. */
  readonly observer?: Observer
  /** Told of defects, of what cannot be reached, and of the process's own events. Default: nobody is. */
  readonly log?: (event: string, detail: { readonly [name: string]: unknown }) => void
  /** Set where gateways in several threads serve one configuration. Default: this one serves alone. */
  readonly threads?: Threads
}

/** One reading of the configuration, put together. */
interface Generation {
  readonly configuration: Configuration
  readonly listeners: readonly ListenerSetting[]
  readonly tenants: readonly Tenant[]
  readonly http: Http
  /** What is served on operators' listeners, by the index of the listener. */
  readonly operators: ReadonlyMap<number, Operators>
  readonly carries: ReadonlyMap<string, Carry>
  readonly made: Made
  /** As they were read; there where other threads are to read the same. */
  readonly snapshot: Snapshot | undefined
  readonly sinks: ReadonlySet<AuditSink>
  readonly guesses: ReadonlyMap<string, GuessLimiter>
}

type Made = ReturnType<typeof newCarry>

/**
 * Makes a gateway of a configuration, checked whole: what is wrong in it, or in a profile, is thrown here and never met by
 * a request. Codecs, stages, grants, client methods and proofs of your own go into `options`, beside the built-in ones.
 *
 * @throws {@link DragomanError} naming file, line, column and what would be right
 */
export async function createGateway(
  configuration: string | Configuration,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const { threads } = options
  const counters = newCounters(threads?.settled ? 'thread' : 'process')
  const catalog = extended(builtin(), options)
  const checks = { configuration: configurationCheck(catalog.clientMethods), profile: profileCheck(catalog) }
  const read = (files: Files) =>
    typeof configuration === 'string'
      ? readConfiguration(resolve(configuration), checks.configuration, files)
      : configuration
  /** What was read last, whatever came of it. */
  let seen = new Set<string>()
  let tracing: Tracing | undefined
  /** Who watches: opened once, where requests are answered. */
  async function observer(read: Configuration, files: Files): Promise<Observer | undefined> {
    const open = tracingOf(read, files)
    if (options.observer !== undefined || (threads && !threads.settled)) return options.observer
    tracing ??= await open?.(options.log ?? (() => {}))
    return tracing?.observer
  }
  /** Requests that came by a listener that is set aside for proxies. */
  const fromProxies = new WeakSet<IncomingMessage>()
  const build = async (settled: Settled | undefined, before: Generation | undefined) => {
    const reading = new Set<string>()
    const sinks = new Set<AuditSink>()
    const tools = { counters, check: checks.profile, settled, seen: reading, sinks, observer, fromProxies }
    try {
      return await generationOf(read, options, tools, before)
    } catch (error) {
      await closeUnused(sinks, before)
      throw error
    } finally {
      // Whole: whoever watches them may look while they are being read.
      seen = reading
    }
  }
  let current = await build(threads?.settled, undefined)
  let listening: Listening | undefined
  /** Audit streams that a reload put out of use. */
  const retired = new Set<AuditSink>()
  let reloading: Promise<unknown> = Promise.resolve()
  counters.generation(threads?.settled?.generation ?? 1)

  async function prepare(settled?: Settled): Promise<Prepared> {
    try {
      const next = await build(settled, current)
      // Listeners of other threads are those of the first one, whatever has become of the file.
      if (!settled) assertSameProcess(current.configuration, next.configuration)
      return {
        settled: await settledOf(next, counters.current + 1),
        commit() {
          const before = current
          current = next
          for (const [index, { tls }] of next.listeners.entries()) if (tls) listening?.renew(index, tls)
          counters.reloaded(true)
          // Not closed yet: exchanges that began under it are still to be recorded there.
          for (const sink of before.sinks) if (!current.sinks.has(sink)) retired.add(sink)
        },
        abandon() {
          counters.reloaded(false)
          void closeUnused(next.sinks, current)
        },
      }
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
      const keys = readableOf(processSecretsOf(now), (name) => modeOf(resolve(dirname(now.file), name)))
      return [...tenants.flatMap(({ warnings }) => warnings), ...keys, ...plainListeners(now.listeners)]
    },
    get http() {
      return current.http
    },
    get files() {
      return [...seen]
    },
    get generation() {
      return counters.current
    },
    async exchange(request, name) {
      return exchangeToken(request, tenantNamed(current, name).services)
    },
    async explain(request, { tenant: name, client } = {}) {
      const { services, places } = tenantNamed(current, name)
      return explainRequest(request, services, { client, configuration: places })
    },
    listeners: () => current.listeners,
    async listen(settings = current.listeners) {
      const served = {
        routing(request: IncomingMessage, response: ServerResponse, { forwardAuth }: ListenerSetting) {
          if (forwardAuth === true) fromProxies.add(request)
          current.http.routing(request, response)
        },
        operators: (listener: number, request: IncomingMessage, response: ServerResponse) =>
          current.operators.get(listener)?.routing(request, response),
        close: () => current.http.close(),
      }
      listening = await listen(served, settings)
      return listening.addresses
    },
    prepare,
    reload() {
      // One at a time, so that the last one asked for is the one in force.
      const replace = async () => (await prepare()).commit()
      const done = reloading.then(replace, replace)
      reloading = done
      return done
    },
    settled: () => settledOf(current, counters.current),
    guessed: ({ issuer, client, address, now }) => current.guesses.get(issuer)?.failed(client, address, now),
    measured: () => (threads && !threads.settled ? counters.registry.getMetricsAsJSON() : current.http.measured()),
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

/** What another thread makes the same generation of. */
async function settledOf({ made, snapshot }: Generation, generation: number): Promise<Settled | undefined> {
  if (snapshot === undefined) return undefined
  const ready = [...made.taken].map(async ([name, value]) => [name, await value] as const)
  return { snapshot, made: new Map(await Promise.all(ready)), generation }
}

/** What another thread made: it is there, or it is not the same configuration. */
const givenBy = ({ made }: Settled): Made => ({
  taken: made,
  take<T>(name: string): T {
    if (!made.has(name)) throw new TypeError('a configuration as the first thread has it')
    // Under one name there is only ever what one `make` gave.
    return made.get(name) as T
  },
})

function tenantNamed({ tenants }: Pick<Generation, 'tenants'>, name: string | undefined): Tenant {
  const tenant = name === undefined && tenants.length === 1 ? tenants[0] : tenants.find((one) => one.name === name)
  if (tenant === undefined) throw new TypeError('the name of a tenant')
  return tenant
}

/** Closes each, whatever becomes of another, and then throws what went wrong. */
async function closeAll(sinks: readonly AuditSink[]): Promise<void> {
  const closed = await Promise.allSettled(sinks.map((sink) => sink.close?.()))
  const failed = closed.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

/** Closes what a reading opened that is not in force. What cannot be closed is no reason to refuse anything. */
async function closeUnused(sinks: ReadonlySet<AuditSink>, inForce: Generation | undefined): Promise<void> {
  await Promise.allSettled([...sinks].filter((sink) => !inForce?.sinks.has(sink)).map((sink) => sink.close?.()))
}

async function generationOf(
  read: (files: Files) => Configuration,
  options: GatewayOptions,
  tools: {
    readonly counters: Counters
    readonly check: Check
    readonly settled: Settled | undefined
    /** Takes the paths of what is read. */
    readonly seen: Set<string>
    /** Takes the audit streams that it writes to. */
    readonly sinks: Set<AuditSink>
    readonly fromProxies: WeakSet<IncomingMessage>
    observer(configuration: Configuration, files: Files): Promise<Observer | undefined>
  },
  before: Generation | undefined,
): Promise<Generation> {
  const { counters, check, settled, sinks } = tools
  const { threads } = options
  const marks = before !== undefined && settled === undefined ? marked(onDisk) : undefined
  const recording = threads !== undefined && settled === undefined ? recorded(marks) : undefined
  const files = noting(settled ? filesOf(settled.snapshot) : (recording ?? marks ?? onDisk), tools.seen)
  const pace = newPace()
  const configuration = read(files)
  await pace.rest()
  const listeners = listenersOf(configuration, files)
  const observer = await tools.observer(configuration, files)
  const made = settled ? givenBy(settled) : newCarry(before?.made)
  const guesses = new Map<string, GuessLimiter>()
  const clock = options.clock ?? (() => Date.now() / 1000)
  const random = options.random ?? pooledRandom()
  const carries = new Map<string, Carry>()
  const mutualTls = configuration.listeners.some(({ tls }) => tls !== undefined)
  const tenants: Tenant[] = []
  const served: GatewayTenant[] = []
  for (const entry of configuration.tenants) {
    // By its issuer, so that a tenant that takes over the name of another inherits nothing of it.
    const carry = newCarry(before?.carries.get(entry.issuer))
    carries.set(entry.issuer, carry)
    const own: Carry = { take: (name, make) => made.take(JSON.stringify([entry.issuer, name]), make) }
    const nonces = entry.dpop_nonce === true ? rollingNonces(own.take('nonces', () => random(32))) : undefined
    const limiter = carry.take('guesses', () => guessLimiter())
    guesses.set(entry.issuer, limiter)
    const tenant = await createTenant(entry, configuration, {
      catalog: extended(builtin({ nonces, x509: x509Options(entry) }), options),
      check,
      clock,
      random,
      carry,
      made: own,
      files,
      // The same whatever its capacity: what was used stays used.
      replay: (setting) =>
        sharedReplay(
          own.take('replay', () => replayTable(setting)),
          { owner: threadId + 1, clock },
        ),
      fetch: options.fetch ?? createFetcher(),
      env: options.env ?? process.env,
      observer,
      pace,
      audit(file) {
        const make = () => options.audit?.(entry.name, file) ?? defaultAudit(file)
        const sink = carry.take(JSON.stringify(['audit', file]), make)
        sinks.add(sink)
        return sink
      },
    })
    tenants.push(tenant)
    const { services, limits, concurrent, issuers, forwardAuth, batch } = tenant
    served.push({
      services,
      limits,
      concurrent,
      mutualTls,
      nonces,
      guesses: told(limiter, entry.issuer, threads?.guessed),
      issuers,
      forwardAuth,
      batch,
    })
  }
  await pace.rest()
  const http = await createHttp(served, {
    exchange: exchangeToken,
    recordRefusal,
    admit,
    version: version(),
    log: options.log,
    counters,
    everywhere: threads?.everywhere,
    fromProxies: (request) => tools.fromProxies.has(request),
  })
  const operators = new Map<number, Operators>()
  const { grants } = extended(builtin(), options)
  for (const [index, secretDigest] of operatorSecrets(configuration, files, options.env ?? process.env)) {
    const names = tenants.map(({ name }) => name)
    operators.set(index, await createOperators({ secretDigest, tenants: names, grants, explain: explainerOf(tenants) }))
  }
  // A reload gives the exchanges their turns, and whoever writes the files too: half of one edition is none.
  const changed = marks && (await inSlices(marks.changed(), pace))
  if (changed !== undefined) {
    throw new DragomanError('ERR_PROFILE_SYNTAX', {
      detail: {
        file: changed,
        expected: 'a file that stays as it is while the configuration is read; reload once more',
      },
    })
  }
  const snapshot = recording?.snapshot
  return { configuration, listeners, tenants, http, operators, carries, made, snapshot, sinks, guesses }
}

const explainerOf =
  (tenants: readonly Tenant[]): OperatorsOptions['explain'] =>
  async (request, { tenant: name, at }) => {
    const { services, places: configuration } = tenantNamed({ tenants }, name)
    const timed = at === undefined ? services : { ...services, clock: () => at }
    return request instanceof DragomanError
      ? explainUnread(request, timed, { configuration })
      : explainRequest(request, timed, { configuration })
  }

/** A limiter that tells other threads what it counts; theirs is counted past it. */
function told(limiter: GuessLimiter, issuer: string, tell: Threads['guessed']): GuessLimiter {
  if (tell === undefined) return limiter
  return {
    ...limiter,
    failed(client, address, now) {
      limiter.failed(client, address, now)
      tell({ issuer, client, address, now })
    },
  }
}

/** Listeners and tracing are opened once: a reload cannot move them, and must not seem to. */
function assertSameProcess(before: Configuration, next: Configuration): void {
  for (const path of ['listeners', 'tracing'] as const) {
    if (JSON.stringify(before[path]) === JSON.stringify(next[path])) continue
    const expected = `${path} as at start; to change it, start anew`
    throw new DragomanError('ERR_PROFILE_OPTION', { detail: { file: next.file, path, expected } })
  }
}

const defaultAudit = (file: string | undefined): AuditSink =>
  file === undefined ? auditToStream(process.stdout) : auditToFile(file)

const plainListeners = (listeners: readonly ListenerEntry[]): readonly string[] =>
  listeners
    .filter(({ host = '127.0.0.1', tls }) => tls === undefined && !['127.0.0.1', '::1', 'localhost'].includes(host))
    .map(({ host, port }) => `${host}:${port} takes requests without TLS; a proxy in front of it must bring TLS`)
