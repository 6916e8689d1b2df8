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

/** A time as date and as distance from now. */
export function instant(seconds: number, now: number): string {
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return 'not a time'
  const distance = Math.abs(seconds - now)
  const words =
    distance < 120
      ? `${Math.round(distance)} seconds`
      : distance < 7200
        ? `${Math.round(distance / 60)} minutes`
        : distance < 172_800
          ? `${Math.round(distance / 3600)} hours`
          : `${Math.round(distance / 86_400)} days`
  return `${date.toISOString().replace('.000Z', 'Z')}, ${seconds >= now ? `in ${words}` : `${words} ago`}`
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
