import { DragomanError } from '../../core/errors.ts'
import type { ReadProfile, ReadTenant } from '../reading.ts'
import { type Change, changeAt, list } from './fact.ts'

/** Any target; and none named. */
const ANY = { target: 'any' } as const
const NONE = { target: 'none' } as const
type Target = string | typeof ANY | typeof NONE

/** What one client can ask for, and which profile serves it. */
export interface Access {
  /** `undefined`: whoever has a subject token. */
  readonly client: string | undefined
  readonly target: Target
  readonly one: ReadProfile
}

/** Two profiles that serve the same request, then and now. */
export interface Pair {
  readonly before: ReadProfile
  readonly now: ReadProfile
}

export interface AccessChanges {
  readonly changes: readonly Change[]
  readonly pairs: readonly Pair[]
  /** Profiles of now that serve nothing that was served before. */
  readonly fresh: readonly ReadProfile[]
}

/**
 * Who can ask for what in one tenant and could not before, and the reverse. A request is known by its client, the formats
 * that go in and out and the target, whatever the profile that serves it is called and wherever it stands.
 */
export function accessChanges(before: ReadTenant | undefined, now: ReadTenant | undefined): AccessChanges {
  const [old, later] = [accessIn(before), accessIn(now)]
  const gained = [...later].filter(([key, access]) => served(old, key, access) === undefined).map(([, one]) => one)
  const lost = [...old].filter(([key, access]) => served(later, key, access) === undefined).map(([, one]) => one)
  const pairs = new Map<string, Pair>()
  const put = (one: Access | undefined, other: Access | undefined) => {
    if (one === undefined || other === undefined) return
    const [was, is] = [one.one, other.one]
    pairs.set(JSON.stringify([was.profile.name, is.profile.name]), { before: was, now: is })
  }
  for (const [key, access] of later) put(served(old, key, access), access)
  for (const [key, access] of old) put(access, served(later, key, access))
  const known = new Set([...pairs.values()].map((pair) => pair.now))
  return {
    changes: [
      ...told(gained, (who, what) => `${who} can now get tokens ${what}`, 'gained', later, old),
      ...told(lost, (who, what) => `${who} can no longer get tokens ${what}`, 'lost', old, later),
    ],
    pairs: [...pairs.values()],
    fresh: (now?.profiles ?? []).filter((one) => !known.has(one)),
  }
}

/** Beside the target: what tells requests of one client apart. */
const kindOf = ({ profile: { accepts, writer } }: ReadProfile): readonly unknown[] => [
  accepts.subject.format,
  accepts.actor?.format,
  writer.tokenType,
]

function accessIn(tenant: ReadTenant | undefined): ReadonlyMap<string, Access> {
  const found = new Map<string, Access>()
  for (const one of tenant?.profiles ?? []) {
    const { clients, subjectTokenAuthenticates, targets } = one.profile.accepts
    const all: readonly Target[] = [
      ...(targets.open ? [ANY] : []),
      ...targets.allowed.keys(),
      ...(targets.fallback.length > 0 ? [NONE] : []),
    ]
    for (const client of [...clients, ...(subjectTokenAuthenticates ? [undefined] : [])]) {
      for (const target of all) {
        const access = { client, target, one }
        let key = keyOf(access)
        // Two of them take different types of the same format.
        while (found.has(key)) key += '+'
        found.set(key, access)
      }
    }
  }
  return found
}

const keyOf = ({ client, target, one }: Access): string =>
  JSON.stringify([client ?? null, typeof target === 'string' ? `= ${target}` : target.target, ...kindOf(one)])

/** The access that serves the same request: this target, or any. */
function served(among: ReadonlyMap<string, Access>, key: string, access: Access): Access | undefined {
  const same = among.get(key)
  if (same !== undefined || typeof access.target !== 'string') return same
  return among.get(keyOf({ ...access, target: ANY }))
}

type Words = (who: string, what: string) => string

function told(
  accesses: readonly Access[],
  words: Words,
  direction: 'gained' | 'lost',
  all: ReadonlyMap<string, Access>,
  others: ReadonlyMap<string, Access>,
): readonly Change[] {
  const elsewhere = new Set([...others.values()].map(({ client, target }) => JSON.stringify([client, target])))
  return [...Map.groupBy(accesses, ({ one }) => one)].flatMap(([one, own]) => {
    const byClient = [...Map.groupBy(own, ({ client }) => client)]
    // Those who gain the same are told together.
    const groups = Map.groupBy(byClient, ([, some]) => JSON.stringify(some.map(({ target }) => target)))
    return [...groups.values()].map((group): Change => {
      const [[client, some] = [undefined, []]] = group
      const who = group.map(([name]) => (name === undefined ? 'whoever has a subject token' : `client ${name}`))
      const whole = some.length === [...all.values()].filter((a) => a.one === one && a.client === client).length
      const path = whole && client !== undefined ? clientPath(one, client) : targetPath(one, some[0]?.target)
      const { file, line } = changeAt(one.source, path, direction, '')
      // Where the same can be had in another way, the way is what differs.
      const another = some.some(({ target }) => elsewhere.has(JSON.stringify([client, target])))
      const what = `${targetWords(some)}${another ? kindWords(one) : ''}`
      const says = `${words(joined(who), what)} under profile ${one.profile.name} (${file}:${line})`
      return changeAt(one.source, path, direction, says)
    })
  })
}

const joined = (who: readonly string[]): string =>
  who.every((one) => one.startsWith('client ')) && who.length > 1
    ? `clients ${list(who.map((one) => one.slice('client '.length)))}`
    : list(who)

function targetWords(accesses: readonly Access[]): string {
  const named = accesses.flatMap(({ target }) => (typeof target === 'string' ? [target] : []))
  const parts = [
    ...(accesses.some(({ target }) => target === ANY) ? ['any target'] : []),
    ...named,
    ...accesses.flatMap(({ target, one }) =>
      target === NONE ? [`${list(one.profile.accepts.targets.fallback)} without naming a target`] : [],
    ),
  ]
  return `for ${list(parts)}`
}

function kindWords({ profile: { accepts, rendering } }: ReadProfile): string {
  const actor = accepts.actor === undefined ? '' : ` with an actor token (${accepts.actor.format})`
  return `, ${rendering.format} for ${accepts.subject.format}${actor},`
}

const clientPath = ({ document }: ReadProfile, client: string) => [
  ...['accept', 'clients'],
  (document.accept.clients ?? []).indexOf(client),
]

function targetPath({ document }: ReadProfile, target: Target | undefined) {
  const { allow = [] } = document.accept.targets
  const at = allow.findIndex((one) => (typeof one === 'string' ? one : one.request) === target)
  if (at !== -1) return ['accept', 'targets', 'allow', at]
  return ['accept', 'targets', target === NONE ? 'default' : target === ANY ? 'danger_any_target' : 'allow']
}

/** What a request for the same target gets another audience for, then and now. */
export function audienceChanges({ before, now }: Pair, where: string): readonly Change[] {
  const [was, is] = [before.profile.accepts.targets, now.profile.accepts.targets]
  const mapped = [...is.allowed].flatMap(([target, audience]): readonly Change[] => {
    const old = was.allowed.get(target) ?? (was.open ? target : undefined)
    if (old === undefined || old === audience) return []
    return [
      changeAt(
        now.source,
        targetPath(now, target),
        'both',
        `a request for ${target} now gets a token for ${audience}, was ${old}${where}`,
      ),
    ]
  })
  const [some, others] = [was.fallback.toSorted().join(' '), is.fallback.toSorted().join(' ')]
  if (some === others || some === '' || others === '') return mapped
  const says = `a request without target now gets a token for ${list(is.fallback)}, was ${list(was.fallback)}${where}`
  return [...mapped, changeAt(now.source, targetPath(now, NONE), 'both', says)]
}

/** Refuses what cannot be compared. */
export function assertComparable(before: readonly ReadTenant[], now: readonly ReadTenant[]): void {
  if ((before[0]?.entry === undefined) === (now[0]?.entry === undefined)) return
  throw new DragomanError('ERR_PROFILE_OPTION', {
    detail: { expected: 'two configurations, or two profiles or folders of profiles' },
  })
}
