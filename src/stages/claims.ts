import type { Value } from '../core/value.ts'
import { isBytes, isList, isMap } from '../core/value.ts'

/** Kinds of value that a profile can ask for. */
export const KINDS = ['string', 'number', 'integer', 'boolean', 'list', 'map', 'bytes'] as const
export type Kind = (typeof KINDS)[number]

/** Whether `value` is of `kind`. An integer is a number too. */
export function isKind(value: Value, kind: Kind): boolean {
  switch (kind) {
    case 'integer':
      return Number.isInteger(value)
    case 'list':
      return isList(value)
    case 'map':
      return isMap(value)
    case 'bytes':
      return isBytes(value)
    default:
      return typeof value === kind
  }
}
