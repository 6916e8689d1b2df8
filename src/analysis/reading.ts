import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { builtin, extended } from '../catalog.ts'
import { onDisk } from '../config/files.ts'
import { configurationCheck, configurationOf } from '../config/read.ts'
import { profileFiles, profilesIn } from '../config/tenant.ts'
import type { Configuration, TenantEntry } from '../config/types.ts'
import type { Catalog, Extension } from '../core/catalog.ts'
import { DragomanError } from '../core/errors.ts'
import type { KeyStore } from '../core/keys.ts'
import type { Profile } from '../core/profile.ts'
import { createKeyStore, type KeyEntry, keyOptions } from '../keys/index.ts'
import type { Check } from '../profiles/check.ts'
import { type Entry, entriesOf, type ProfileDocument, type ProfileEnvironment } from '../profiles/document.ts'
import { loadProfiles, profileCheck } from '../profiles/load.ts'
import { hint } from '../profiles/nearest.ts'
import type { Path } from '../profiles/problem.ts'
import { reportOn } from '../profiles/report.ts'
import { readSource, type Source, type SourceFile } from '../profiles/source.ts'

/** A profile as it is loaded, and as it is written. */
export interface ReadProfile {
  readonly profile: Profile
  readonly document: ProfileDocument
  readonly entries: readonly Entry[]
  readonly source: Source
}

/** A tenant of a configuration; or profiles without one, of which clients and issuers are known by name only. */
export interface ReadTenant {
  readonly name: string
  readonly issuer: string
  /** Absent: profiles alone. */
  readonly entry: TenantEntry | undefined
  /** Where the entry stands in the configuration. */
  readonly base: Path
  readonly profiles: readonly ReadProfile[]
}

/** What was read, checked whole. */
export interface Reading {
  readonly configuration: Configuration | undefined
  readonly source: Source | undefined
  readonly tenants: readonly ReadTenant[]
}

/** What a reading is made with; takes some 50 milliseconds to make, so that who reads twice keeps it. */
export interface AnalysisTools {
  readonly catalog: Catalog
  readonly check: Check
  readonly configurationCheck: Check
}

/** The tools for what is built in, and for what there is beside it. */
export function analysisTools(more: Extension = {}): AnalysisTools {
  const catalog = extended(builtin(), more)
  return { catalog, check: profileCheck(catalog), configurationCheck: configurationCheck(catalog.clientMethods) }
}

/** Stands for the gateway's own issuer where there is no configuration. */
export const NO_ISSUER = 'https://this-gateway.invalid'
// Longer than any profile's ceiling, so that the key never is what limits a lifetime.
const KEY_LIFETIME = 400 * 86_400

/**
 * Reads a configuration with its profiles, one profile, or a folder of profiles, as a start would, without any key or
 * secret: keys are made up, of the algorithm that is configured, so that it works where a change is reviewed. Fetches
 * nothing, and does NOT read key files, secrets or issuers' key sets: `validate` does.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_*`, with the place of all that is wrong
 */
export async function readForAnalysis(place: string, tools: AnalysisTools = analysisTools()): Promise<Reading> {
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory() === true) {
    return { configuration: undefined, source: undefined, tenants: [await alone(filesIn(place), tools)] }
  }
  const file = readText(place)
  if (isProfile(file)) return { configuration: undefined, source: undefined, tenants: [await alone([file], tools)] }
  const configuration = configurationOf(file, tools.configurationCheck)
  const inList = Object.hasOwn(Object(configuration.source?.value), 'tenants')
  const tenants: ReadTenant[] = []
  for (const [index, entry] of configuration.tenants.entries()) {
    tenants.push(await tenantOf(entry, inList ? ['tenants', index] : [], configuration, tools))
  }
  return { configuration, source: configuration.source, tenants }
}

/**
 * Told by its text, since what cannot be parsed has to be told as what it is: of a configuration no line is shown that could
 * hold a secret.
 */
const isProfile = ({ text }: SourceFile): boolean => /(?:^|[{,]\s*)["']?(?:accept|stages)["']?\s*:/m.test(text)

function readText(file: string): SourceFile {
  try {
    return { file, text: readFileSync(file, 'utf8') }
  } catch (cause) {
    throw new DragomanError('ERR_PROFILE_SYNTAX', {
      cause,
      detail: { file, expected: 'a configuration, a profile or a folder of profiles that can be read' },
    })
  }
}

function filesIn(folder: string): readonly SourceFile[] {
  const files = profilesIn(folder, onDisk)
  if (files.length > 0) return files.map(readText)
  throw new DragomanError('ERR_PROFILE_OPTION', {
    detail: { file: folder, expected: 'a folder with at least one profile' },
  })
}

async function tenantOf(
  entry: TenantEntry,
  base: Path,
  configuration: Configuration,
  tools: AnalysisTools,
): Promise<ReadTenant> {
  const { issuer, clock_skew: clockSkew = 30, issuers = [], clients = [], secrets = [] } = entry
  const report = configuration.reportFor?.(entry) ?? reportOn(undefined)
  const files = profileFiles(entry.profiles, dirname(configuration.file), onDisk, report)
  report.settle()
  const names = secrets.map(({ name }) => name)
  const environment = {
    ...(await surroundings(issuer, entry.keys, tools)),
    clockSkew,
    issuers: issuers.map((trusted) => trusted.issuer),
    clients: clients.map(({ client_id: id }) => id),
    secret(name: string): Uint8Array {
      if (names.includes(name)) return new Uint8Array(32)
      throw new DragomanError('ERR_PROFILE_OPTION', {
        detail: { expected: `there is no such secret; ${hint(name, names, 'there are')}` },
      })
    },
  }
  return { name: entry.name, issuer, entry, base, profiles: profilesOf(files, environment) }
}

/** Each for itself: what they name is taken to be there. */
async function alone(files: readonly SourceFile[], tools: AnalysisTools): Promise<ReadTenant> {
  const profiles: ReadProfile[] = []
  for (const file of files) {
    const document = readSource(file).value
    const environment = {
      ...(await surroundings(NO_ISSUER, keysNamedIn(document), tools)),
      clockSkew: 30,
      issuers: valuesOf(document, 'issuers'),
      clients: valuesOf(document, 'clients'),
      secret: () => new Uint8Array(32),
    }
    profiles.push(...profilesOf([file], environment))
  }
  return { name: 'default', issuer: NO_ISSUER, entry: undefined, base: [], profiles }
}

async function surroundings(issuer: string, entries: readonly KeyEntry[], { catalog, check }: AnalysisTools) {
  const keys: KeyStore = await createKeyStore(
    entries.map(({ name, algorithm, certificates, self_signed }) => {
      const authority = certificates !== undefined || self_signed !== undefined
      return keyOptions({
        name,
        algorithm,
        generate: true,
        ...(authority && { self_signed: { common_name: name, lifetime: KEY_LIFETIME } }),
      })
    }),
    { now: Math.floor(Date.now() / 1000), readFile: () => '' },
  )
  return {
    issuer,
    tokenEndpoint: `${issuer}/token`,
    catalog,
    check,
    keys,
    keyNames: entries.map(({ name }) => name),
    readFile: (profile: string, name: string) => readFileSync(resolve(dirname(profile), name), 'utf8'),
  }
}

function profilesOf(files: readonly SourceFile[], environment: ProfileEnvironment): readonly ReadProfile[] {
  const { all } = loadProfiles(files, environment)
  return all.map((profile, index) => {
    const source = readSource(files[index] ?? { file: '', text: '' })
    const document = source.value as ProfileDocument
    return { profile, document, source, entries: entriesOf(document, environment.catalog.stages, reportOn(source)) }
  })
}

/** The key that a profile names, of the algorithm that it names or else of a common one; it may issue certificates. */
function keysNamedIn(document: unknown): readonly KeyEntry[] {
  const stages = membersOf(document)['stages']
  const crypto = (Array.isArray(stages) ? stages : []).map((stage) => membersOf(membersOf(stage)['crypto']))
  const named = crypto.find(({ key, algorithm }) => key !== undefined || algorithm !== undefined) ?? {}
  const { key = 'signing', algorithm = 'ES256' } = named
  const self_signed = { common_name: 'any', lifetime: KEY_LIFETIME }
  return [{ name: String(key), algorithm: String(algorithm), generate: true, self_signed }]
}

/** All texts in lists by this name, wherever they stand in a document. */
function valuesOf(value: unknown, name: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => valuesOf(item, name))
  return Object.entries(membersOf(value)).flatMap(([key, member]) =>
    key === name && Array.isArray(member)
      ? member.filter((item): item is string => typeof item === 'string')
      : valuesOf(member, name),
  )
}

/** The members of a map; of anything else none. */
export const membersOf = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
