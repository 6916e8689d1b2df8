import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { auditToMemory } from '../audit/index.ts'
import { builtin, extended, x509Options } from '../catalog.ts'
import { onDisk } from '../config/files.ts'
import { createTenant, profilesIn } from '../config/tenant.ts'
import type { Configuration, TenantEntry } from '../config/types.ts'
import { newCarry } from '../core/carry.ts'
import type { Catalog } from '../core/catalog.ts'
import { DragomanError } from '../core/errors.ts'
import type { Services } from '../core/exchange.ts'
import type { Profile } from '../core/profile.ts'
import type { Check } from '../profiles/check.ts'
import type { ProfileDocument } from '../profiles/document.ts'
import { profileCheck } from '../profiles/load.ts'
import { readSource, type Source } from '../profiles/source.ts'
import { pooledRandom } from '../random.ts'
import { memoryReplay } from '../stores/memory.ts'
import { madeEntry, OTHER_TENANT, publishedBy, type Tested, testedEntry } from './configuration.ts'
import { newParties, type Parties } from './parties.ts'
import type { TestFile } from './read.ts'

/** What a test run is made with. */
export interface Workshop {
  /** Codecs, stages, client methods and proofs beside the built-in ones. */
  readonly more: Partial<Catalog>
  /** Those and the built-in ones: to make tokens with, and to know what a profile may say. */
  readonly catalog: Catalog
  readonly check: Check
  /** The configuration to take issuers, clients, keys and limits from; `undefined`: they are made from the profile. */
  readonly configuration: Configuration | undefined
}

/** A workshop with what is built in, and more beside it. */
export function newWorkshop(configuration?: Configuration, more: Partial<Catalog> = {}): Workshop {
  const catalog = extended(builtin(), more)
  return { more, catalog, check: profileCheck(catalog), configuration }
}

/** A profile under test: loaded into a tenant that is as the real one but for its keys, at a time that stands still. */
export interface Stand {
  readonly test: TestFile
  readonly workshop: Workshop
  /** The profile as it is written, whose promises are tested. */
  readonly profile: Profile
  readonly document: ProfileDocument
  /** What runs: the same, or a mutation of it, which is held to the same promises. */
  readonly loaded: Profile
  /** Of the profile. */
  readonly source: Source
  readonly entry: TenantEntry
  readonly parties: Parties
  readonly services: Services
  /** A second tenant of the same gateway: the same but for its issuer identifier and its keys. */
  other(): Promise<Services>
  /** The same stand, running another text of the profile. @throws {@link DragomanError} when it cannot be loaded */
  running(text: string): Promise<Stand>
}

/**
 * Sets a profile up for its test. Nothing is fetched, no real key or secret is read.
 *
 * @throws {@link DragomanError} when profile or configuration cannot be loaded, saying where
 */
export async function newStand(test: TestFile, workshop: Workshop): Promise<Stand> {
  const text = textOf(test)
  const { document } = readProfile(test.profile, text, workshop)
  const { configuration } = workshop
  const entry = configuration === undefined ? made(document, test) : tenantOf(configuration, test)
  const published = publishedBy(entry, document, test.document)
  const parties = newParties(test.clock, workshop.catalog.codecs, published)
  const tested = await testedEntry(entry, parties)
  return standWith(text, { test, workshop, parties, tested, carry: newCarry() })
}

const made = (document: ProfileDocument, { profile, document: { setup } }: TestFile): TenantEntry =>
  madeEntry(document, resolve(profile), setup)

function textOf({ profile, source }: TestFile): string {
  try {
    return readFileSync(profile, 'utf8')
  } catch (cause) {
    const message = `expected a profile that can be read: ${profile}`
    throw source.refuse([{ path: ['profile'], message, code: 'ERR_PROFILE_OPTION', cause }])
  }
}

function readProfile(file: string, text: string, { check }: Workshop) {
  const source = readSource({ file, text })
  const problems = check(source.value)
  if (problems.length > 0) throw source.refuse(problems)
  return { source, document: source.value as ProfileDocument }
}

/** The tenant of a configuration that has the profile. */
function tenantOf({ file, tenants }: Configuration, test: TestFile): TenantEntry {
  const folder = dirname(resolve(file))
  const wanted = resolve(test.profile)
  const found = tenants.find(({ profiles }) =>
    [profiles]
      .flat()
      .map((place) => (isAbsolute(place) ? place : join(folder, place)))
      .flatMap((place) => profilesIn(place, onDisk))
      .some((one) => resolve(one) === wanted),
  )
  if (found !== undefined) return found
  throw new DragomanError('ERR_PROFILE_OPTION', {
    detail: { file: test.file, path: 'profile', expected: `a profile of ${file}` },
    message: `${test.file}: the profile ${test.profile} is not one of ${file}`,
  })
}

interface Parts {
  readonly test: TestFile
  readonly workshop: Workshop
  readonly parties: Parties
  readonly tested: Tested
  readonly carry: ReturnType<typeof newCarry>
}

async function standWith(text: string, parts: Parts): Promise<Stand> {
  const { test, workshop, parties, tested, carry } = parts
  const { source, document } = readProfile(test.profile, text, workshop)
  const { services, loaded } = await running(text, document.name, parts)
  const stand = { test, workshop, profile: loaded, document, source, entry: tested.entry, parties }
  const standing = (now: Pick<Stand, 'services' | 'loaded'>, current: string): Stand => {
    let other: Promise<Services> | undefined
    return {
      ...stand,
      ...now,
      other() {
        other ??= tenantWith({ ...tested.entry, issuer: OTHER_TENANT }, current, parts, newCarry())
        return other
      },
      running: async (next) => {
        const { document: changed } = readProfile(test.profile, next, workshop)
        return standing(await running(next, changed.name, { ...parts, carry: newCarry(carry) }), next)
      },
    }
  }
  return standing({ services, loaded }, text)
}

async function running(text: string, name: string, parts: Parts): Promise<Pick<Stand, 'services' | 'loaded'>> {
  const services = await tenantWith(parts.tested.entry, text, parts, parts.carry)
  const loaded = services.profiles.all.find((profile) => profile.name === name)
  if (loaded === undefined) throw new TypeError('the profile was loaded')
  return { services, loaded }
}

async function tenantWith(
  entry: TenantEntry,
  text: string,
  { test, workshop, tested }: Parts,
  carry: ReturnType<typeof newCarry>,
): Promise<Services> {
  // Names of files are relative to the configuration, where there is one.
  const file = workshop.configuration?.file ?? test.profile
  const folder = dirname(resolve(file))
  const overlay = new Map([...tested.files].map(([name, content]) => [resolve(folder, name), content]))
  overlay.set(resolve(test.profile), Buffer.from(text))
  const { services } = await createTenant(
    entry,
    { file, listeners: [], tenants: [entry] },
    {
      catalog: extended(builtin({ x509: x509Options(entry) }), workshop.more),
      check: workshop.check,
      clock: () => test.clock,
      carry,
      made: carry,
      replay: memoryReplay,
      random: pooledRandom(),
      fetch: () => Promise.reject(new TypeError('nothing is fetched in a test')),
      env: {},
      files: { ...onDisk, read: (path) => overlay.get(resolve(path)) ?? onDisk.read(path) },
      audit: auditToMemory,
    },
  )
  return services
}
