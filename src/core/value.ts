/**
 * The format-neutral value: what a claim can be, whichever format it came in.
 *
 * JSON's kinds plus bytes, which CBOR has and JSON lacks. Records have a null prototype and unique names; numbers are
 * finite, and integers stay within ±(2^53-1) (I-JSON, RFC 7493 §2.2). A codec that meets anything else refuses it.
 */
export type Value = string | number | boolean | null | Uint8Array | readonly Value[] | ValueMap

export interface ValueMap {
  readonly [name: string]: Value
}

/** What a token says, under IANA JWT claim names, whatever format it came in. */
export type Claims = ValueMap

export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value)
}

export function isBytes(value: Value | undefined): value is Uint8Array {
  return value instanceof Uint8Array
}

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

/**
 * An empty record without a prototype, to be filled. Not `Object.create(null)`: the engine makes a hash table of that, which
 * costs twice as much to fill, to read and to write as JSON.
 */
export const emptyRecord = <T = Value>(): Record<string, T> => Object.setPrototypeOf({}, null)

/** A record without a prototype, so that no claim name can reach `Object.prototype`. */
export function map(entries: Iterable<readonly [string, Value]> = []): ValueMap {
  const record = emptyRecord()
  for (const [name, value] of entries) record[name] = value
  return record
}

/** A copy of `record` with one member set. */
export function withMember(record: ValueMap, name: string, value: Value): ValueMap {
  const copy = copyOf(record)
  copy[name] = value
  return copy
}

/** A copy of `record` that can be changed. */
export function copyOf(record: ValueMap): Record<string, Value> {
  const copy = emptyRecord()
  // A record has no prototype: everything in it is its own.
  for (const name in record) copy[name] = record[name] ?? null
  return copy
}

/** A copy of `record` without some members. */
export function without(record: ValueMap, names: ReadonlySet<string> | readonly string[]): ValueMap {
  const gone = names instanceof Set ? names : new Set(names)
  return map(Object.entries(record).filter(([name]) => !gone.has(name)))
}

/** Makes a value unchangeable, all the way down. Bytes stay as they are: JavaScript cannot freeze them. */
export function freeze<T extends Value>(value: T): T {
  if (typeof value !== 'object' || value === null || isBytes(value)) return value
  if (isList(value)) for (const item of value) freeze(item)
  else for (const name in value) freeze(value[name] ?? null)
  return Object.freeze(value)
}

/** Deep equality of neutral values: text by code unit, bytes by content, records whatever their order. */
export function sameValue(left: Value | undefined, right: Value | undefined): boolean {
  if (left === right) return true
  if (isBytes(left)) return isBytes(right) && Buffer.compare(left, right) === 0
  if (isList(left)) {
    return isList(right) && left.length === right.length && left.every((item, index) => sameValue(item, right[index]))
  }
  if (!isMap(left) || !isMap(right)) return false
  const names = Object.keys(left)
  return names.length === Object.keys(right).length && names.every((name) => sameValue(left[name], right[name]))
}
