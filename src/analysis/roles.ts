import type { AcceptanceOptions } from '../core/acceptance.ts'
import type { TokenAcceptance } from '../core/profile.ts'
import type { Path } from '../profiles/problem.ts'
import { membersOf, type Reading, type ReadProfile, type ReadTenant } from './reading.ts'

/** The tokens that a profile takes, in which role, and where it says so. */
export interface Taken {
  readonly role: 'subject' | 'actor'
  readonly options: AcceptanceOptions
  readonly accepts: TokenAcceptance
  readonly path: Path
}

/** Each profile with its tenant. */
export const profilesIn = ({ tenants }: Reading): readonly (ReadProfile & { readonly tenant: ReadTenant })[] =>
  tenants.flatMap((tenant) => tenant.profiles.map((one) => ({ ...one, tenant })))

/** Subject and actor of a profile. */
export function takenBy({ document, profile }: ReadProfile): readonly Taken[] {
  const { subject, actor } = profile.accepts
  return [
    { role: 'subject', options: document.accept.subject, accepts: subject, path: ['accept', 'subject'] },
    ...(actor && document.accept.actor
      ? [{ role: 'actor', options: document.accept.actor, accepts: actor, path: ['accept', 'actor'] } as const]
      : []),
  ]
}

/** The options of each entry of one stage, with the path of each and whether it runs always. */
export const entriesNamed = ({ entries }: ReadProfile, stage: string) =>
  entries
    .filter((entry) => entry.stage.name === stage)
    .map(({ options, path, when }) => ({ options: membersOf(options), path, always: when === undefined }))

/** Every member by this name with this value, wherever it stands. */
export function placesOf(value: unknown, wanted: (name: string, value: unknown) => boolean): readonly Path[] {
  const found: Path[] = []
  const visit = (node: unknown, path: Path): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, member] of Object.entries(node)) {
      const here = [...path, Array.isArray(node) ? Number(key) : key]
      if (!Array.isArray(node) && wanted(key, member)) found.push(here)
      visit(member, here)
    }
  }
  visit(value, [])
  return found
}

/** Expressions of a profile, each with its place and what is made of it. */
export interface Written {
  readonly text: string
  readonly path: Path
  readonly as: 'condition' | 'when' | 'value'
  /** Which entry of `stages` it stands in. */
  readonly index: number
}

/** Every expression (CEL) in the stages that ship. */
export function expressionsIn({ entries }: ReadProfile): readonly Written[] {
  return entries.flatMap(({ options, when, path }): readonly Written[] => {
    const index = Number(path[1])
    const { conditions, set, cel } = membersOf(options)
    const listed: readonly unknown[] = Array.isArray(conditions) ? conditions : []
    return [
      ...(when === undefined ? [] : [{ text: when, path: [...path.slice(0, 2), 'when'], as: 'when', index } as const]),
      ...listed.flatMap((condition, at) => {
        const text = typeof condition === 'string' ? condition : membersOf(condition)['expression']
        const place = [...path, 'conditions', at, ...(typeof condition === 'string' ? [] : ['expression'])]
        return typeof text === 'string' ? [{ text, path: place, as: 'condition', index } as const] : []
      }),
      ...Object.entries(membersOf(set)).flatMap(([claim, value]) => {
        const text = membersOf(value)['cel']
        return typeof text === 'string'
          ? [{ text, path: [...path, 'set', claim, 'cel'], as: 'value', index } as const]
          : []
      }),
      ...(typeof cel === 'string' ? [{ text: cel, path: [...path, 'cel'], as: 'value', index } as const] : []),
    ]
  })
}
