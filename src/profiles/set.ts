import type { Profile, ProfileSet } from '../core/profile.ts'
import type { Steps } from '../core/slices.ts'
import { overlapsIn } from './overlap.ts'
import type { Problem } from './problem.ts'
import type { SourceFile } from './source.ts'

/** A profile, and the file it came from. */
interface Loaded {
  readonly profile: Profile
  readonly file: SourceFile
}

/** One thing that is wrong between profiles. */
export interface Clash {
  readonly file: SourceFile
  readonly problem: Problem
}

/** What is wrong between profiles, each told at the later one. */
export function* clashesIn(loaded: readonly Loaded[]): Steps<readonly Clash[]> {
  const names = new Map<string, SourceFile>()
  const clashes: Clash[] = []
  for (const { profile, file } of loaded) {
    const other = names.get(profile.name)
    if (other === undefined) names.set(profile.name, file)
    else {
      const message = `expected a name of its own: ${other.file} has it already`
      clashes.push({ file, problem: { path: ['name'], message, code: 'ERR_PROFILE_OPTION' } })
    }
  }
  const overlaps = yield* overlapsIn(loaded.map(({ profile }) => profile))
  for (const { first, second, request } of overlaps) {
    const [one, other] = [loaded[first], loaded[second]]
    // Of two by one name that is told already.
    if (!one || !other || one.profile.name === other.profile.name) continue
    const message = `the profile ${one.profile.name} serves the same request (${request}), so that neither would; give one of them another target, client or type`
    clashes.push({
      file: other.file,
      problem: { path: ['accept'], message, code: 'ERR_PROFILE_OPTION', atName: true },
    })
  }
  return clashes
}

/** The profiles of a tenant, found by client and target. */
export function* settingOf(all: readonly Profile[]): Steps<ProfileSet> {
  const byClient = new Map<string | undefined, Served>()
  const put = (client: string | undefined, profile: Profile) => {
    const served: Served = byClient.get(client) ?? { all: [], open: [], byTarget: new Map() }
    byClient.set(client, served)
    served.all.push(profile)
    const { open, allowed, fallback } = profile.accepts.targets
    if (open) served.open.push(profile)
    // What is open serves any target, and is found beside each list.
    for (const target of open ? [] : allowed.keys()) append(served.byTarget, target, profile)
    if (fallback.length > 0) append(served.byTarget, undefined, profile)
  }
  for (const profile of all) {
    for (const client of profile.accepts.clients) put(client, profile)
    if (profile.accepts.subjectTokenAuthenticates) put(undefined, profile)
    yield
  }
  for (const { all: list } of byClient.values()) Object.freeze(list)
  const none: readonly Profile[] = Object.freeze([])
  return Object.freeze({
    all: Object.freeze([...all]),
    for: (client: string | undefined) => byClient.get(client)?.all ?? none,
    serving(client: string | undefined, target: string | undefined) {
      const served = byClient.get(client)
      if (served === undefined) return none
      const named = served.byTarget.get(target) ?? none
      return target === undefined || served.open.length === 0 ? named : [...named, ...served.open]
    },
  })
}

/** The profiles of one client. */
interface Served {
  readonly all: Profile[]
  readonly open: Profile[]
  readonly byTarget: Map<string | undefined, Profile[]>
}

function append(lists: Map<string | undefined, Profile[]>, target: string | undefined, profile: Profile): void {
  const list = lists.get(target)
  if (list) list.push(profile)
  else lists.set(target, [profile])
}
