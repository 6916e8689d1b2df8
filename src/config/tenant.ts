import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { algorithmNames } from '../core/algorithms.ts'
import type { AuditSink } from '../core/audit.ts'
import type { Carry } from '../core/carry.ts'
import type { Catalog } from '../core/catalog.ts'
import { DragomanError } from '../core/errors.ts'
import type { Services } from '../core/exchange.ts'
import { type Danger, dangers, type Profile } from '../core/profile.ts'
import { createKeyStore, keyOptions } from '../keys/index.ts'
import type { Check } from '../profiles/check.ts'
import { loadProfiles } from '../profiles/load.ts'
import type { SourceFile } from '../profiles/source.ts'
import { memoryReplay } from '../stores/memory.ts'
import { verifiedStore } from '../stores/verified.ts'
import { createTrust, type Fetch, type IssuerStatus, selfIssuer } from '../trust/index.ts'
import { loadClients } from './clients.ts'
import type { Configuration, SecretEntry, TenantEntry } from './types.ts'

/** One tenant, put together. */
export interface Tenant {
  readonly name: string
  readonly services: Services
  /** What an operator should know of it, a sentence each: first of all every `danger_` option. */
  readonly warnings: readonly string[]
  readonly limits: { readonly bytes: number; readonly parameters: number; readonly parameterBytes: number }
  readonly dpopNonce: boolean
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
  readonly random: (bytes: number) => Uint8Array
  readonly fetch: Fetch
  readonly env: { readonly [name: string]: string | undefined }
  /** Gives the audit stream of a tenant; `file` is already absolute. */
  readonly audit: (file: string | undefined) => AuditSink
}

// RFC 2104 §3: a key for HMAC-SHA-256 is at least as long as its output.
const MIN_SECRET_BYTES = 32

/**
 * Puts one tenant of the configuration together: keys, trust, clients, profiles, replay store, audit. It shares nothing
 * with another tenant but the process.
 *
 * @throws {@link DragomanError} for anything that cannot work, naming file and place
 */
export async function createTenant(
  entry: TenantEntry,
  configuration: Configuration,
  tools: TenantTools,
): Promise<Tenant> {
  const folder = dirname(resolve(configuration.file))
  const files = { readFile: (name: string) => readFileSync(resolve(folder, name)) }
  const { issuer, clock_skew: clockSkew = 30 } = entry
  const tokenEndpoint = `${issuer}/token`
  /** Gives what is wrong in a part its place in the file, by the name that the error has. */
  const placed = (error: unknown): unknown => {
    if (!(error instanceof DragomanError) || error.detail['problems'] !== undefined) return error
    const path = placeOf(entry, error)
    return path === undefined ? error : (configuration.place?.(entry, path, error) ?? error)
  }
  const part = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw placed(error)
    }
  }
  const keys = await createKeyStore(entry.keys.map(keyOptions), {
    readFile: (name) => files.readFile(name).toString('utf8'),
    now: Math.floor(tools.clock()),
    carry: tools.carry,
  }).catch((error: unknown) => {
    throw placed(error)
  })
  const trustTools = { ...files, fetch: tools.fetch, clock: tools.clock, carry: tools.carry }
  const trust = part(() => createTrust(entry.issuers ?? [], trustTools, [selfIssuer(issuer, keys)]))
  const clients = part(() => loadClients(entry.clients ?? [], { ...trustTools, env: tools.env }))
  const secrets = part(() => loadSecrets(entry.secrets ?? [], { ...files, env: tools.env }))
  const profiles = loadProfiles(
    part(() => profileFiles(entry.profiles, folder)),
    {
      issuer,
      tokenEndpoint,
      clockSkew,
      catalog: tools.catalog,
      check: tools.check,
      keys,
      keyNames: entry.keys.map(({ name }) => name),
      issuers: (entry.issuers ?? []).map((trusted) => trusted.issuer),
      clients: clients.ids,
      readFile: (profile, name) => readFileSync(resolve(dirname(profile), name), 'utf8'),
      secret: secrets,
    },
  )
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
      clientMethods: catalog.clientMethods,
      proofMethods: catalog.proofMethods,
      proofAlgorithms: algorithmNames,
      clients,
      profiles,
      trust,
      keys,
      // Carried whatever its capacity: what was used stays used.
      replay: tools.carry.take('replay', () => memoryReplay(entry.replay)),
      // Not carried over a reload: whatever was verified was so by the keys of before.
      verified: verifiedStore(entry.verification_cache),
      audit: tools.audit(file === undefined ? undefined : resolve(folder, file)),
    },
    warnings: [...profiles.all.flatMap(dangersOf), ...inlineSecrets(entry)],
    limits: {
      bytes: entry.limits?.body_bytes ?? 65_536,
      parameters: entry.limits?.parameters ?? 64,
      parameterBytes: entry.limits?.parameter_bytes ?? 32_768,
    },
    dpopNonce: entry.dpop_nonce === true,
    issuers: trust.status,
  }
}

/** Where an error of a part stands in the configuration: which key, issuer, client or secret it names. */
function placeOf(entry: TenantEntry, { detail }: DragomanError): readonly (string | number)[] | undefined {
  const { key, issuer, client, secret, option, file } = detail
  const at = (
    list: 'keys' | 'issuers' | 'clients' | 'secrets',
    members: readonly object[] = [],
    member: string,
    name: unknown,
  ) => {
    const index = members.findIndex((one) => (one as { [name: string]: unknown })[member] === name)
    if (index < 0) return undefined
    // The option that names the file, where one does.
    const [named] = Object.entries(members[index] ?? {}).find(([, value]) => value === file && file !== undefined) ?? []
    return [list, index, ...(named === undefined ? [] : [named])]
  }
  if (option === 'profiles') return ['profiles']
  if (key !== undefined) return at('keys', entry.keys, 'name', key)
  if (issuer !== undefined)
    return at('issuers', entry.issuers, 'issuer', issuer) ?? at('clients', entry.clients, 'client_id', issuer)
  if (client !== undefined) return at('clients', entry.clients, 'client_id', client)
  return secret === undefined ? undefined : at('secrets', entry.secrets, 'name', secret)
}

/** The profile files of a tenant, in the order of their names. A folder that is missing or empty refuses: it never means "allow". */
function profileFiles(places: string | readonly string[], folder: string): readonly SourceFile[] {
  const files = [places].flat().flatMap((place) => {
    const path = resolve(folder, place)
    const inside = isFolder(path) ? readdirSync(path).filter((name) => /\.ya?ml$/.test(name)) : undefined
    if (inside === undefined) return [path]
    const profiles = inside.filter((name) => !/\.test\.ya?ml$/.test(name)).sort()
    if (profiles.length === 0) throw missing(place, 'a folder with at least one profile')
    return profiles.map((name) => join(path, name))
  })
  return files.map((file) => {
    try {
      return { file, text: readFileSync(file, 'utf8') }
    } catch {
      throw missing(file, 'a profile, or a folder of profiles, that can be read')
    }
  })
}

const missing = (file: string, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', { detail: { option: 'profiles', file, expected } })

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

function loadSecrets(
  entries: readonly SecretEntry[],
  tools: { readFile(name: string): Buffer; readonly env: TenantTools['env'] },
): (name: string) => Uint8Array {
  const read = (file: string, secret: string): Buffer => {
    try {
      return tools.readFile(file)
    } catch (cause) {
      throw new DragomanError('ERR_PROFILE_OPTION', {
        cause,
        detail: { secret, file, expected: 'a file that can be read' },
      })
    }
  }
  const secrets = new Map<string, Uint8Array>()
  for (const { name, file, env, value } of entries) {
    const secret = file === undefined ? Buffer.from(value ?? tools.env[env ?? ''] ?? '', 'utf8') : read(file, name)
    if (secret.length < MIN_SECRET_BYTES || secrets.has(name)) {
      throw new DragomanError('ERR_PROFILE_OPTION', {
        detail: { secret: name, expected: secrets.has(name) ? 'each name once' : `at least ${MIN_SECRET_BYTES} bytes` },
      })
    }
    secrets.set(name, secret)
  }
  return (name) => {
    const secret = secrets.get(name)
    if (secret) return secret
    const known = [...secrets.keys()].join(', ') || 'none is configured'
    throw new DragomanError('ERR_PROFILE_OPTION', { detail: { expected: `the name of a secret: ${known}` } })
  }
}

const dangersOf = ({ name, dangers: on }: Profile): readonly string[] =>
  [...on].map(([danger, path]) => {
    const given = Object.hasOwn(dangers, danger) ? dangers[danger as Danger] : 'see the reference of the stage'
    return `profile ${name}: ${path}: ${given}`
  })

const inlineSecrets = ({ secrets = [], clients = [] }: TenantEntry): readonly string[] => [
  ...secrets
    .filter(({ value }) => value !== undefined)
    .map(({ name }) => `the secret ${name} stands in the configuration`),
  ...clients
    .filter(({ client_secret: secret }) => secret !== undefined)
    .map(({ client_id: id }) => `the secret of the client ${id} stands in the configuration`),
]
