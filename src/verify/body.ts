import { DragomanError } from '../core/errors.ts'
import { map, type Value } from '../core/value.ts'
import { parseJson } from '../wire/json.ts'

// As much as body parsers take by default. What is larger is no set of parameters.
const BODY_LIMITS = { bytes: 1_048_576, depth: 32, items: 65_536, text: 1_048_576 }

/**
 * A request body, to be looked into. Bytes are parsed as JSON, strictly: no repeated member, since of two the handler may
 * take the other one. What a body parser made stays as it is.
 *
 * @throws {@link DragomanError} as `wire/json.ts` says; callers say what they mean by it
 */
export function bodyOf(body: unknown): unknown {
  if (!(body instanceof Uint8Array)) return body
  return body.length === 0 ? undefined : parseJson(body, BODY_LIMITS)
}

/** A part of it as a neutral value, if it is what JSON can say. @throws {@link DragomanError} `ERR_TOKEN_MALFORMED` */
export function neutral(value: unknown, depth = BODY_LIMITS.depth): Value {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    // What is rounded here may not be in the next parser.
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) throw notJson()
    return value
  }
  if (typeof value !== 'object' || depth === 0) throw notJson()
  if (Array.isArray(value)) return value.map((item) => neutral(item, depth - 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) throw notJson()
  const members = Object.entries(value).filter(([, item]) => item !== undefined)
  return map(members.map(([name, item]) => [name, neutral(item, depth - 1)]))
}

const notJson = (): DragomanError =>
  new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected: 'what JSON can say' } })
