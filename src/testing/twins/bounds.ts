import { DragomanError } from '../../core/errors.ts'
import type { Ask } from '../ask.ts'
import type { Difference } from '../compare.ts'
import { NEIGHBOUR } from '../configuration.ts'
import type { Issue } from '../outcome.ts'
import type { Stand } from '../stand.ts'
import { scopesOf } from '../tokens.ts'
import { formatOf, type Maker, type Part, partsOf, type Seed, withClaims, withToken } from './twin.ts'

/** What may be issued, but not as far as it would like to reach. */
export const boundTwins: readonly Maker[] = [
  (seed) =>
    partsOf(seed).map((part) => {
      const twin = { name: 'outlived', of: part.of } as const
      const { profile, test } = seed.stand
      if (profile.dangers.has('danger_outlive_subject')) {
        return { ...twin, reason: 'danger_outlive_subject: the output may live longer' }
      }
      const lifetime = Math.max(1, Math.floor(lifetimeOf(seed.issue, test.clock) / 2))
      const ask = withToken(seed.ask, part, { lifetime, issued: 0 })
      const judge = (issue: Issue): Difference | undefined => {
        const actual = lifetimeOf(issue, test.clock)
        if (actual <= lifetime) return undefined
        return { what: 'lifetime', expected: `at most ${lifetime}, as the token has`, actual: String(actual) }
      }
      return { ...twin, ask, judge }
    }),
  (seed) => {
    const twin = { name: 'widened_scope', of: '' } as const
    const [part] = partsOf(seed)
    const table = seed.stand.profile.transactions !== undefined
    const allows = table || scopeStages(seed.stand).some(({ allow }) => allow !== undefined)
    if (part === undefined || !allows) {
      return [{ ...twin, reason: 'the profile grants whatever scope the subject token has' }]
    }
    // A certificate has usually none, and may then be granted what the profile allows; and so where a table says the most.
    const none = formatOf(part) === 'x509' || (table && heldBy(part).length === 0)
    const held = none ? heldBy(part) : [...heldBy(part), NEIGHBOUR.scope]
    const scope = [...wantedBy(seed), NEIGHBOUR.scope]
    return [{ ...twin, ask: { ...holding(seed, part, held), scope }, judge: without(NEIGHBOUR.scope) }]
  },
  (seed) => {
    const twin = { name: 'scope_not_held', of: '' } as const
    const [part] = partsOf(seed)
    const { profile, entry } = seed.stand
    if (part === undefined || (formatOf(part) === 'x509' && entry.x509?.claims_extension === false)) {
      return [{ ...twin, reason: 'a certificate has no scope' }]
    }
    if (profile.dangers.has('danger_widen_scope')) {
      return [{ ...twin, reason: 'danger_widen_scope: the output may have scope that the token lacks' }]
    }
    const extra = allowedBy(seed.stand) ?? NEIGHBOUR.scope
    const held = heldBy(part).filter((scope) => scope !== extra)
    // Something it has to have: a token without any scope has no limit of its own.
    const other = extra === NEIGHBOUR.scope ? `${NEIGHBOUR.scope}:other` : NEIGHBOUR.scope
    const ask = holding(seed, part, held.length > 0 ? held : [other])
    return [{ ...twin, ask: { ...ask, scope: [...wantedBy(seed), extra] }, judge: without(extra) }]
  },
]

/** Seconds from the clock until what was issued expires. */
const lifetimeOf = ({ token, result }: Issue, clock: number): number =>
  token instanceof DragomanError ? result.expires_in : (token.validity.expiresAt ?? Infinity) - clock

const heldBy = ({ token }: Part): readonly string[] => scopesOf(token.claims?.['scope'] ?? '')

/** The same with this scope in the subject token. */
const holding = ({ ask }: Seed, part: Part, held: readonly string[]): Ask =>
  held.length === 0 ? ask : withClaims(ask, part, { scope: held.join(' ') })

/** What the case asked for, or was given without asking. */
const wantedBy = ({ ask, issue }: Seed): readonly string[] => ask.scope ?? issue.result.scope ?? []

interface ScopeOptions {
  readonly allow?: readonly string[]
  readonly map?: object
}

const scopeStages = ({ document }: Stand): readonly ScopeOptions[] =>
  document.stages.flatMap((stage) => {
    const { scope } = Object(stage['validity']) as { readonly scope?: ScopeOptions }
    return scope === undefined ? [] : [scope]
  })

/** A scope that the profile would grant to who has it. One that stands for another would not show who lacks it. */
function allowedBy(stand: Stand): string | undefined {
  const stages = scopeStages(stand)
  return stages.some(({ map }) => map !== undefined) ? undefined : stages.flatMap(({ allow = [] }) => allow).at(-1)
}

const without =
  (scope: string) =>
  ({ result }: Issue): Difference | undefined =>
    result.scope?.includes(scope) === true
      ? { what: 'scope', expected: `without ${scope}`, actual: result.scope.join(' ') }
      : undefined
