import type { Loss } from '../../core/codec.ts'
import { DragomanError } from '../../core/errors.ts'
import { isBytes, isList, map, type Value } from '../../core/value.ts'
import { toBase64url } from '../../wire/base64url.ts'

/**
 * `value` as JSON can hold it: bytes become base64url text, of which `losses` is told once for each claim.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CLAIM` for a number that is not finite, or beyond ±(2^53-1)
 */
export function jsonValue(value: Value, claim: string, losses: Loss[]): Value {
  if (typeof value === 'number') return finite(value, claim)
  if (typeof value !== 'object' || value === null) return value
  if (isBytes(value)) {
    if (losses.at(-1)?.claim !== claim) {
      losses.push({ claim, became: 'converted', reason: 'JSON has no bytes: base64url text' })
    }
    return toBase64url(value)
  }
  if (isList(value)) return value.map((item) => jsonValue(item, claim, losses))
  return map(Object.entries(value).map(([name, item]) => [name, jsonValue(item, claim, losses)]))
}

/** JSON has no word for a number that is not finite: `null` would be written, which is another claim. */
export function finite(value: number, claim: string): number {
  if (Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value
  throw new DragomanError('ERR_TOKEN_CLAIM', { detail: { claim, expected: 'numbers within ±(2^53-1)' } })
}
