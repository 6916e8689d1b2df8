import type { Profile } from '../core/profile.ts'
import type { Steps } from '../core/slices.ts'

/** Two profiles that would both serve one request, so that neither does. */
export interface Overlap {
  /** Where they stand in the list. */
  readonly first: number
  readonly second: number
  /** Such a request, in words. */
  readonly request: string
}

/**
 * The pairs of profiles of which a request of one client, with one subject token type, with or without an actor token, for
 * one issued type and one target, could never choose: it would be refused as ambiguous each time it is made.
 *
 * Issuers make no difference, since a profile is chosen before any token is looked at. Does NOT report profiles that a
 * request can tell apart by its target or by `requested_token_type`. Tells each pair once.
 */
export function* overlapsIn(profiles: readonly Profile[]): Steps<readonly Overlap[]> {
  const served = new Map<string, Served>()
  const overlaps = new Map<string, Overlap>()
  for (const [second, profile] of profiles.entries()) {
    for (const { key, says } of requestsOf(profile)) {
      const others = served.get(key) ?? { open: undefined, targets: new Map() }
      served.set(key, others)
      for (const [first, target] of taken(others, profile)) {
        const pair = `${first} ${second}`
        if (!overlaps.has(pair)) overlaps.set(pair, { first, second, request: `${says}, ${target}` })
      }
      put(others, profile, second)
    }
    yield
  }
  return [...overlaps.values()]
}

/** Who serves one combination of everything but the target: any target, or these; `undefined`: none at all. */
interface Served {
  open: number | undefined
  readonly targets: Map<string | undefined, number>
}

function taken({ open, targets }: Served, profile: Profile): readonly (readonly [number, string])[] {
  const found: [number, string][] = []
  const { accepts } = profile
  const wanted = targetsOf(profile)
  if (accepts.targets.open) {
    if (open !== undefined) found.push([open, 'any target'])
    for (const [target, other] of targets) if (target !== undefined) found.push([other, nameOf(target)])
  }
  for (const target of wanted) {
    const other = targets.get(target)
    if (other !== undefined) found.push([other, nameOf(target)])
    if (open !== undefined && target !== undefined) found.push([open, nameOf(target)])
  }
  return found
}

function put(served: Served, profile: Profile, index: number): void {
  if (profile.accepts.targets.open) served.open ??= index
  for (const target of targetsOf(profile)) if (!served.targets.has(target)) served.targets.set(target, index)
}

/** With a default, what is behind it can be asked for alone. */
function targetsOf({ accepts: { targets } }: Profile): readonly (string | undefined)[] {
  const { allowed, fallback, resources = [] } = targets
  return fallback.length > 0 ? [undefined, ...new Set([...allowed.keys(), ...resources])] : [...allowed.keys()]
}

const nameOf = (target: string | undefined): string => (target === undefined ? 'no target' : `target ${target}`)

function requestsOf({ accepts, writer }: Profile): readonly { readonly key: string; readonly says: string }[] {
  // The client of a request without client authentication is not known when its profile is chosen.
  const clients = accepts.subjectTokenAuthenticates ? [...accepts.clients, undefined] : accepts.clients
  return clients.flatMap((client) =>
    accepts.subject.types.flatMap((subject) =>
      (accepts.actor?.types ?? [undefined]).map((actor) => ({
        key: JSON.stringify([accepts.grant, client, subject, actor, writer.tokenType]),
        says: [
          client === undefined ? 'no client authentication' : `client ${client}`,
          `subject token ${subject}`,
          ...(actor === undefined ? [] : [`actor token ${actor}`]),
          `issued ${writer.tokenType}`,
        ].join(', '),
      })),
    ),
  )
}
