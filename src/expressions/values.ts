import { emptyRecord, isBytes, isList, map, type Value, type ValueMap } from '../core/value.ts'
import type { Use } from './inspect.ts'
import { MAX_ITEMS, MAX_LEVELS, MAX_TEXT, MAX_VALUES } from './limits.ts'

/** A value exceeds a limit, or cannot be said in a token. Names the limit, never the value. */
export class Unfit extends Error {
  readonly expected: string

  constructor(expected: string) {
    super(`expected ${expected}`)
    this.expected = expected
  }
}

type Cel = string | number | bigint | boolean | null | Uint8Array | Cel[] | { [name: string]: Cel }

/** Counts what has been seen, across all values of one evaluation. */
interface Count {
  values: number
}

/** The members of a variable that an expression reads, as CEL has them: integers are `int`, other numbers `double`. */
export function toCel(variable: ValueMap, use: Use, count: Count): Cel {
  if (use === 'whole') return celOf(variable, 0, count)
  const record = emptyRecord<Cel>()
  for (const name of use) {
    const value = variable[name]
    if (value !== undefined) record[name] = celOf(value, 1, count)
  }
  return record
}

function celOf(value: Value, level: number, count: Count): Cel {
  count.values += 1
  if (count.values > MAX_VALUES) throw new Unfit(`at most ${MAX_VALUES} values to be read`)
  if (typeof value === 'string') return ofLength(value, MAX_TEXT, 'a text of')
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (typeof value === 'boolean' || value === null) return value
  if (isBytes(value)) return ofLength(value, MAX_TEXT, 'a byte string of')
  if (level >= MAX_LEVELS) throw new Unfit(`at most ${MAX_LEVELS} levels of lists and maps`)
  if (isList(value)) return ofLength(value, MAX_ITEMS, 'a list of').map((item) => celOf(item, level + 1, count))
  const record = emptyRecord<Cel>()
  const names = ofLength(Object.keys(value), MAX_ITEMS, 'a map of')
  for (const name of names) record[name] = celOf(value[name] ?? null, level + 1, count)
  return record
}

/**
 * What an expression returned, as a neutral value.
 *
 * @throws {@link Unfit} for more than the limits, for an integer beyond ±(2^53-1), for infinity and NaN, and for what no
 * claim can be: a time, a duration, a type, an unsigned integer
 */
export const fromCel = (result: unknown): Value => neutral(result, 0, { values: 0 })

function neutral(value: unknown, level: number, count: Count): Value {
  count.values += 1
  if (count.values > MAX_VALUES || level > MAX_LEVELS) throw new Unfit(`a result of at most ${MAX_VALUES} values`)
  switch (typeof value) {
    case 'string':
      return ofLength(value, MAX_TEXT, 'a text of')
    case 'boolean':
      return value
    case 'bigint':
      return numeric(Number(value), Number.isSafeInteger(Number(value)))
    case 'number':
      return numeric(value, Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)))
    case 'object':
      return structure(value, level, count)
    default:
      throw new Unfit('a value that a claim can have')
  }
}

function numeric(value: number, fits: boolean): number {
  if (!fits) throw new Unfit('a finite number, and an integer within 2^53-1')
  // Minus zero is not a JSON integer that survives.
  return value === 0 ? 0 : value
}

function structure(value: object | null, level: number, count: Count): Value {
  if (value === null) return null
  if (value instanceof Uint8Array) return ofLength(value, MAX_TEXT, 'a byte string of')
  if (Array.isArray(value)) {
    return ofLength(value, MAX_VALUES, 'a list of').map((item) => neutral(item, level + 1, count))
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) throw new Unfit('a value that a claim can have')
  return map(Object.entries(value).map(([name, item]) => [name, neutral(item, level + 1, count)]))
}

function ofLength<T extends { readonly length: number }>(value: T, most: number, what: string): T {
  if (value.length > most) throw new Unfit(`${what} at most ${most}`)
  return value
}
