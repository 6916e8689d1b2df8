import { instant } from '../time.ts'

/** Said above everything that `inspect` prints. */
export const NOT_VERIFIED = 'read, NOT verified'

const TIMES = new Set(['exp', 'nbf', 'iat', 'auth_time', 'updated_at'])

/** One claim, with its time in words where it is one. */
export function claimLine(name: string, value: unknown, now: number): string {
  const shown =
    typeof value === 'string' ? value : value instanceof Uint8Array ? hex(value) : JSON.stringify(value, bytesAsText)
  const time = TIMES.has(name) && typeof value === 'number' ? `  ${instant(value, now)}` : ''
  return `  ${name.padEnd(18)} ${shown}${time}`
}

/** For JSON.stringify: bytes as `h'…'`, maps as objects, as CBOR's diagnostic notation has them. */
export function bytesAsText(_: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), item]))
  // Buffer has a toJSON of its own, which has already run here.
  if (isBufferJson(value)) return hex(Uint8Array.from(value.data))
  return value instanceof Uint8Array ? hex(value) : value
}

const isBufferJson = (value: unknown): value is { readonly data: readonly number[] } =>
  typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value

const hex = (bytes: Uint8Array): string => `h'${Buffer.from(bytes).toString('hex')}'`
