import { dangers } from '../core/profile.ts'
import type { Path } from './problem.ts'
import { pathText } from './problem.ts'
import type { Report } from './report.ts'
import { alternatives, membersOf, type Schema } from './walk.ts'

/**
 * Every `danger_` option that is on, with the path where it first stands. Found by name in the whole document, so that
 * none is overlooked, whichever stage it belongs to.
 *
 * Reports a name that begins so where the schema has no such option: a claim could otherwise pass for one.
 */
export function dangersIn(document: unknown, schema: object, report: Report): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const visit = (value: unknown, schemas: readonly Schema[], path: Path): void => {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) {
      const items = schemas.flatMap((one) => one.items ?? []).flatMap(alternatives)
      for (const [index, item] of value.entries()) visit(item, items, [...path, index])
      return
    }
    for (const [name, member] of Object.entries(value)) {
      const here = [...path, name]
      const declared = schemas.some(({ properties = {} }) => Object.hasOwn(properties, name))
      if (!name.startsWith(PREFIX)) visit(member, membersOf(schemas, name), here)
      else if (!declared) {
        const message = `there is no such option here; those that there are: ${Object.keys(dangers).join(', ')}`
        report.add({ path: here, message, code: 'ERR_PROFILE_OPTION', atName: true })
      } else if (member === true && !found.has(name)) found.set(name, pathText(here))
    }
  }
  visit(document, alternatives(schema), [])
  return found
}

const PREFIX = 'danger_'
