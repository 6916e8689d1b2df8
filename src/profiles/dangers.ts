import { DragomanError } from '../core/errors.ts'
import { dangers } from '../core/profile.ts'
import type { Stage } from '../core/stage.ts'

/**
 * Every `danger_` option that is on, with the path where it stands. Found by name in the whole document, so that none
 * is overlooked, whichever stage it belongs to.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` for a name that no rule and no stage knows
 */
export function dangersIn(document: object, stages: readonly Stage[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const declared = new Set(stages.flatMap(({ schema }) => namesIn(schema)))
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, `${path}[${index}]`)
      return
    }
    if (typeof value !== 'object' || value === null) return
    for (const [name, member] of Object.entries(value)) {
      const at = path === '' ? name : `${path}.${name}`
      if (!name.startsWith('danger_')) visit(member, at)
      else if (member === true) {
        if (!Object.hasOwn(dangers, name) && !declared.has(name)) {
          throw new DragomanError('ERR_PROFILE_OPTION', {
            detail: { path: at, expected: Object.keys(dangers).join(', ') },
          })
        }
        found.set(name, at)
      }
    }
  }
  visit(document, '')
  return found
}

/** Names of `danger_` options in a schema. */
function namesIn(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  return Object.entries(schema).flatMap(([name, value]) => [
    ...(name.startsWith('danger_') ? [name] : []),
    ...namesIn(value),
  ])
}
