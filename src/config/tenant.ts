import { dirname, isAbsolute, join, resolve } from 'node:path'
import { algorithmNames } from '../core/algorithms.ts'
import type { AuditSink } from '../core/audit.ts'
import type { Carry } from '../core/carry.ts'
import type { Catalog } from '../core/catalog.ts'
import { DragomanError } from '../core/errors.ts'
import type { Services } from '../core/exchange.ts'
import type { Observer } from '../core/observer.ts'
import { atOnce, inSlices, newPace, type Pace, type Steps } from '../core/slices.ts'
import type { ReplayStore } from '../core/stores.ts'
import type { ConfigurationPlaces } from '../explain/found.ts'
import type { BatchLimits } from '../gateway/batch-request.ts'
import type { ForwardAuth } from '../gateway/forward-auth.ts'
import { createKeyStore, keyOptions } from '../keys/index.ts'
import type { Check } from '../profiles/check.ts'
import { loadingProfiles, type ProfileEnvironment } from '../profiles/load.ts'
import type { Path } from '../profiles/problem.ts'
import { type Report, reportOn } from '../profiles/report.ts'
import type { SourceFile } from '../profiles/source.ts'
import { whenAgain } from '../stores/again.ts'
import { verifiedStore } from '../stores/verified.ts'
import { creatingTrust, type Fetch, type IssuerStatus, selfIssuer } from '../trust/index.ts'
import { loadClients } from './clients.ts'
import { type Files, onDisk } from './files.ts'
import { loadForwardAuth } from './forward-auth.ts'
import { BATCH_DEFAULTS } from './schema.ts'
import { modeOf } from './secret-files.ts'
import { loadSecrets } from './secrets.ts'
import type { Configuration, TenantEntry } from './types.ts'
import { warningsOf } from './warnings.ts'

/** One tenant, put together. */
export interface Tenant {
  readonly name: string
  readonly services: Services
  /** What an operator should know of it, a sentence each: first of all every `danger_` option. */
  readonly warnings: readonly string[]
  readonly limits: { readonly bytes: number; readonly parameters: number; readonly parameterBytes: number }
  /** `undefined`: not said. */
  readonly concurrent: number | undefined
  /** `undefined`: no batches are taken. */
  readonly batch: BatchLimits | undefined
  /** Endpoints for proxies. */
  readonly forwardAuth: readonly ForwardAuth[]
  readonly dpopNonce: boolean
  /** Where its entries stand in the configuration, for explanations. */
  readonly places: ConfigurationPlaces | undefined
  issuers(): readonly IssuerStatus[]
}

/** What tenants share with their process, and tests replace. */
export interface TenantTools {
  readonly catalog: Catalog
  /** Checks profiles against the schema of the catalog. */
  readonly check: Check
  /** Seconds since the epoch. */
  readonly clock: () => number
  /** What outlives a reload of this tenant. */
  readonly carry: Carry
  /** The same for what is made at random at start: signing keys. */
  readonly made: Carry
  /** Gives the store of what was used once: the same one after a reload, whatever its capacity. */
  readonly replay: (options: { readonly capacity?: number } | undefined) => ReplayStore
  /** Default: the disk. */
  readonly files?: Files | undefined
  readonly random: (bytes: number) => Uint8Array
  readonly fetch: Fetch
  readonly env: { readonly [name: string]: string | undefined }
  /** Gives the audit stream of a tenant; `file` is already absolute. */
  readonly audit: (file: string | undefined) => AuditSink
  /** How it is put together beside exchanges that go on. */
  readonly pace?: Pace | undefined
  /** Watches exchanges. */
  readonly observer?: Observer | undefined
}

/**
 * Puts one tenant of the configuration together: keys, trust, clients, profiles, replay store, audit. It shares nothing
 * with another tenant but the process.
 *
 * @throws {@link DragomanError} for all that cannot work: first in the configuration and the files that it names, and when
 * nothing is wrong there in the profiles; `detail.problems` says where in which file
 */
export async function createTenant(
  entry: TenantEntry,
  configuration: Configuration,
  tools: TenantTools,
): Promise<Tenant> {
  const { pace = newPace() } = tools
  const report = configuration.reportFor?.(entry) ?? reportOn(undefined)
  const folder = dirname(resolve(configuration.file))
  const from = tools.files ?? onDisk
  const files = { readFile: (name: string) => from.read(resolve(folder, name)) }
  const { issuer, clock_skew: clockSkew = 30, issuers = [] } = entry
  const tokenEndpoint = `${issuer}/token`
  const keyTools = {
    readFile: (name: string) => files.readFile(name).toString('utf8'),
    now: Math.floor(tools.clock()),
    carry: tools.made,
  }
  const keys = await report.attemptLater(
    ['keys'],
    () => createKeyStore(entry.keys.map(keyOptions), keyTools),
    named('keys', ['name', 'key'], entry.keys),
  )
  const trustTools = { ...files, fetch: tools.fetch, clock: tools.clock, carry: tools.carry }
  await pace.rest()
  const own = keys === undefined ? [] : [selfIssuer(issuer, keys)]
  const trust = await report.attemptLater(
    ['issuers'],
    () => inSlices(creatingTrust(issuers, trustTools, own), pace),
    named('issuers', ['issuer', 'issuer'], issuers),
  )
  const secretTools = { ...trustTools, env: tools.env }
  const clients = loadClients(entry.clients ?? [], secretTools, report)
  const secret = loadSecrets(entry.secrets ?? [], secretTools, report)
  const subjectKey = entry.audit?.subject_key
  const auditKey =
    subjectKey === undefined ? undefined : report.attempt(['audit', 'subject_key'], () => secret(subjectKey))
  const profileSources = await inSlices(
    readingProfiles(entry.profiles, dirname(configuration.file), from, report),
    pace,
  )
  report.settle()
  if (keys === undefined || trust === undefined) throw new TypeError('a problem is reported')
  const environment: ProfileEnvironment = {
    issuer,
    tokenEndpoint,
    clockSkew,
    catalog: tools.catalog,
    check: tools.check,
    keys,
    keyNames: entry.keys.map(({ name }) => name),
    issuers: issuers.map((trusted) => trusted.issuer),
    trust,
    clients: clients.ids,
    readFile: (profile, name) => from.read(resolve(dirname(profile), name)).toString('utf8'),
    secret,
  }
  const profiles = await inSlices(loadingProfiles(profileSources, environment), pace)
  const forwardAuth = loadForwardAuth(entry.forward_auth ?? [], { profiles: profiles.all, clients }, report)
  report.settle()
  const { file } = entry.audit ?? {}
  const { catalog, clock, random } = tools
  return {
    name: entry.name,
    services: {
      tenant: entry.name,
      issuer,
      tokenEndpoint,
      clock,
      random,
      clockSkew,
      codecs: catalog.codecs,
      grants: catalog.grants,
      clientMethods: catalog.clientMethods,
      proofMethods: catalog.proofMethods,
      proofAlgorithms: algorithmNames,
      clients,
      profiles,
      trust,
      keys,
      replay: tools.replay(entry.replay),
      // Not carried over a reload: whatever was verified was so by the keys of before.
      verified: whenAgain(verifiedStore(entry.verification_cache)),
      auditKey,
      observer: tools.observer,
      audit: tools.audit(file === undefined ? undefined : resolve(folder, file)),
    },
    warnings: warningsOf(entry, profiles.all, configuration.listeners, (name) => modeOf(resolve(folder, name))),
    limits: {
      bytes: entry.limits?.body_bytes ?? 65_536,
      parameters: entry.limits?.parameters ?? 64,
      parameterBytes: entry.limits?.parameter_bytes ?? 32_768,
    },
    concurrent: entry.limits?.concurrent_exchanges,
    forwardAuth,
    batch: entry.batch && {
      items: entry.batch.items ?? BATCH_DEFAULTS.items,
      bytes: entry.batch.body_bytes ?? BATCH_DEFAULTS.bytes,
    },
    dpopNonce: entry.dpop_nonce === true,
    places: configuration.placesFor?.(entry),
    issuers: trust.status,
  }
}

/** Where the entry of a list stands that an error names, and in it the option or the file that it speaks of. */
const named =
  <Name extends string>(
    list: string,
    [own, name]: readonly [Name, string],
    entries: readonly { readonly [N in Name]: string }[],
  ) =>
  ({ detail }: DragomanError): Path | undefined => {
    const index = entries.findIndex((entry) => entry[own] === detail[name])
    if (index === -1) return undefined
    const members = Object.entries(entries[index] ?? {})
    const option = members.find(([name, value]) => name === detail['option'] || value === detail['file'])
    return option === undefined ? [list, index] : [list, index, option[0]]
  }

/**
 * The profile files of a tenant, in the order of their names, called as `folder` is. A folder that is missing or empty, or
 * a file that cannot be read, refuses: it never means "allow".
 */
export const profileFiles = (
  places: string | readonly string[],
  folder: string,
  files: Files,
  report: Report,
): readonly SourceFile[] => atOnce(readingProfiles(places, folder, files, report))

function* readingProfiles(
  places: string | readonly string[],
  folder: string,
  files: Files,
  report: Report,
): Steps<readonly SourceFile[]> {
  const sources: SourceFile[] = []
  for (const [index, place] of [places].flat().entries()) {
    const path = typeof places === 'string' ? ['profiles'] : ['profiles', index]
    const wrong = (file: string, expected: string) =>
      new DragomanError('ERR_PROFILE_OPTION', { detail: { option: 'profiles', file, expected } })
    const names = report.attempt(path, () => {
      const start = isAbsolute(place) ? place : join(folder, place)
      const found = profilesIn(start, files)
      if (found.length === 0) throw wrong(place, 'a folder with at least one profile')
      return found
    })
    for (const file of names ?? []) {
      const source = report.attempt(path, (): SourceFile => {
        try {
          return { file, text: files.read(file).toString('utf8') }
        } catch {
          throw wrong(file, 'a profile, or a folder of profiles, that can be read')
        }
      })
      // The first that cannot be read is told of.
      if (source === undefined) break
      sources.push(source)
      yield
    }
  }
  return sources
}

/** The profile files at a place: itself, or those in it when it is a folder; without `*.test.yaml`, which say what they do. */
export function profilesIn(place: string, files: Files): readonly string[] {
  const names = files.list(place)
  if (names === undefined) return [place]
  return names
    .filter((name) => /\.ya?ml$/.test(name) && !/\.test\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(place, name))
}
