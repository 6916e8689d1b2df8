import type { Profile, ProfileSet } from '../core/profile.ts'
import { overlapsOf } from './overlap.ts'
import type { Problem } from './problem.ts'
import type { Source } from './source.ts'

/** A profile, and the file it came from. */
export interface Loaded {
  readonly profile: Profile
  readonly source: Source
}

/** One thing that is wrong between profiles. */
export interface Clash {
  readonly source: Source
  readonly problem: Problem
}

/** What is wrong between profiles, each told at the later one. */
export function clashesIn(loaded: readonly Loaded[]): readonly Clash[] {
  const names = new Map<string, Source>()
  const clashes: Clash[] = []
  for (const { profile, source } of loaded) {
    const other = names.get(profile.name)
    if (other === undefined) names.set(profile.name, source)
    else {
      const message = `expected a name of its own: ${other.file} has it already`
      clashes.push({ source, problem: { path: ['name'], message, code: 'ERR_PROFILE_OPTION' } })
    }
  }
  for (const { first, second, request } of overlapsOf(loaded.map(({ profile }) => profile))) {
    const [one, other] = [loaded[first], loaded[second]]
    // Of two by one name that is told already.
    if (!one || !other || one.profile.name === other.profile.name) continue
    const message = `the profile ${one.profile.name} serves the same request (${request}), so that neither would; give one of them another target, client or type`
    clashes.push({
      source: other.source,
      problem: { path: ['accept'], message, code: 'ERR_PROFILE_OPTION', atName: true },
    })
  }
  return clashes
}

/** The profiles of a tenant, found by client. */
export function setOf(all: readonly Profile[]): ProfileSet {
  const byClient = new Map<string | undefined, Profile[]>()
  const put = (client: string | undefined, profile: Profile) => {
    const known = byClient.get(client)
    if (known) known.push(profile)
    else byClient.set(client, [profile])
  }
  for (const profile of all) {
    for (const client of profile.accepts.clients) put(client, profile)
    if (profile.accepts.subjectTokenAuthenticates) put(undefined, profile)
  }
  for (const list of byClient.values()) Object.freeze(list)
  const none: readonly Profile[] = Object.freeze([])
  return Object.freeze({
    all: Object.freeze([...all]),
    for: (client: string | undefined) => byClient.get(client) ?? none,
  })
}
