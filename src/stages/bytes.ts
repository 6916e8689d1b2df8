import type { Value } from '../core/value.ts'
import { isBytes } from '../core/value.ts'

/** How binary data stands in a claim. */
export const VALUE_ENCODINGS = ['bytes', 'base64url', 'base64', 'hex'] as const
export type ValueEncoding = (typeof VALUE_ENCODINGS)[number]

/** The bytes in a claim, or `undefined` when it is not in this encoding, canonically: base64url without padding, lower-case hex. */
export function decodeBytes(value: Value, from: ValueEncoding): Uint8Array | undefined {
  if (isBytes(value)) return value
  if (typeof value !== 'string' || from === 'bytes') return undefined
  const bytes = Buffer.from(value, from)
  return bytes.toString(from) === value ? new Uint8Array(bytes) : undefined
}

/** Bytes as a claim. */
export const encodeBytes = (bytes: Uint8Array, to: ValueEncoding): Value =>
  to === 'bytes' ? bytes : Buffer.from(bytes).toString(to)
