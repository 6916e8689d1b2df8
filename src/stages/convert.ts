import type { Value } from '../core/value.ts'
import { isBytes, isList } from '../core/value.ts'
import { decodeBytes } from './bytes.ts'

/** What a claim can be converted to. */
export const CONVERSIONS = ['string', 'number', 'integer', 'boolean', 'list', 'bytes'] as const
export type Conversion = (typeof CONVERSIONS)[number]

/**
 * `value` as `to`, or `undefined` when something would be lost or guessed.
 *
 * Text and numbers are converted in their canonical decimal form only (`7`, not `07` or `7.0`), booleans as `true` and
 * `false`, bytes as base64url without padding; anything that is not a list becomes a list of one.
 */
export function convert(value: Value, to: Conversion): Value | undefined {
  switch (to) {
    case 'string':
      return textOf(value)
    case 'number':
      return numberOf(value)
    case 'integer': {
      const number = numberOf(value)
      return Number.isSafeInteger(number) ? number : undefined
    }
    case 'boolean':
      return typeof value === 'boolean' ? value : value === 'true' ? true : value === 'false' ? false : undefined
    case 'list':
      return isList(value) ? value : [value]
    case 'bytes':
      return decodeBytes(value, 'base64url')
  }
}

function textOf(value: Value): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return isBytes(value) ? Buffer.from(value).toString('base64url') : undefined
}

function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return undefined
  const number = Number(value)
  const fits = Number.isInteger(number) ? Number.isSafeInteger(number) : Number.isFinite(number)
  return fits && String(number) === value ? number : undefined
}
