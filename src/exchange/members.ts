import type { Member } from '../core/transaction.ts'
import { isKind, isMap, map, sameValue, type Value } from '../core/value.ts'

/** Whether a value, or the absence of one, is what a row says of this member. */
export function fits(value: Value | undefined, { type, required, among }: Member): boolean {
  if (value === undefined) return !required
  return isKind(value, type) && (among?.some((one) => sameValue(one, value)) ?? true)
}

/** What a member is to be, for a refusal. */
export const memberOf = ({ type, among }: Member): string => (among ? `one of ${JSON.stringify(among)}` : type)

/** Whether a claim has the members of a row and no others, but for those that it had before, as they were. */
export function fitsAll(
  claim: Value | undefined,
  members: ReadonlyMap<string, Member>,
  before: Value | undefined,
): boolean {
  if (claim !== undefined && !isMap(claim)) return false
  const earlier = isMap(before) ? before : map()
  const known = Object.keys(claim ?? map()).every((name) => members.has(name) || earlier[name] !== undefined)
  return known && [...members].every(([name, member]) => earlier[name] !== undefined || fits(claim?.[name], member))
}
