import { plain } from '../core/plain.ts'

// A terminal is about as wide; who needs more of a list has the profile.
const MAX_LISTED = 8
const MAX_TEXT = 160

/** Values from a configuration or a signed token, for a terminal: control characters are shown as U+FFFD, length bounded. */
export const shown = (value: unknown): string => {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const line = plain(text)
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line
}

/** `a`, `a or b`, `a, b or c`. */
export const oneOf = (values: readonly unknown[]): string => joined(values, 'or')

/** `a`, `a and b`, `a, b and c`; of nothing: `nothing`. */
export const allOf = (values: readonly unknown[]): string => joined(values, 'and')

function joined(values: readonly unknown[], word: string): string {
  const listed = values.slice(0, MAX_LISTED).map(shown)
  const more = values.length > listed.length ? [`${values.length - listed.length} more`] : []
  const all = [...listed, ...more]
  const last = all.pop()
  if (last === undefined) return 'nothing'
  return all.length === 0 ? last : `${all.join(', ')} ${word} ${last}`
}

/** A time as a person reads it, in UTC. */
export function timeText(seconds: unknown): string {
  const date = new Date(Number(seconds) * 1000)
  return Number.isNaN(date.getTime()) ? 'a time that is none' : date.toISOString().replace('.000Z', 'Z')
}

/** `90 seconds`, `5 minutes`, `2 hours`, `3 days`: as exact as is of use. */
export function spanText(seconds: number): string {
  const [size, unit] =
    seconds < 120
      ? ([1, 'second'] as const)
      : seconds < 7200
        ? ([60, 'minute'] as const)
        : seconds < 172_800
          ? ([3600, 'hour'] as const)
          : ([86_400, 'day'] as const)
  const count = Math.round(seconds / size)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** The value of a detail as a list of texts. */
export const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : typeof value === 'string' ? [value] : []
