import { DragomanError, type ErrorCode, errors } from '../core/errors.ts'

/** Hears of what concerns whoever runs the process. */
export type Log = (event: string, detail: { readonly [name: string]: unknown }) => void

/** Tells of a failure of the exchange with this id, if whoever runs the process can do something about it. */
export type Tell = (error: unknown, id: string, now: number) => void

/** Tells of defects, each, and of what cannot be reached, now and then; everything else is in the audit record. */
export function teller(log: Log | undefined): Tell {
  if (log === undefined) return () => undefined
  const unavailable = quietly(log)
  return (error, id, now) => {
    const code = error instanceof DragomanError ? error.code : 'ERR_INTERNAL'
    if (code === 'ERR_INTERNAL') log('defect', { id, ...causeOf(error) })
    else if (errors[code].status === 503 && code !== 'ERR_OVERLOADED') unavailable(error, id, now)
  }
}

// Seconds: whoever cannot be reached is not reached by a thousand requests a second either.
const QUIET = 10

/** Tells what cannot be reached and why, for each reason not more often than anybody reads, with how many were like it. */
function quietly(log: Log) {
  const told = new Map<ErrorCode, { until: number; more: number }>()
  return (error: unknown, id: string, now: number): void => {
    if (!(error instanceof DragomanError)) return
    const { code, detail } = error
    const last = told.get(code)
    if (last !== undefined && now < last.until) {
      last.more += 1
      return
    }
    told.set(code, { until: now + QUIET, more: 0 })
    log('unavailable', { id, code, detail, ...causeOf(error), ...(last && last.more > 0 && { more: last.more }) })
  }
}

/**
 * A failure for the log: its class, the operating system's code, and where it was thrown. Not its message, which may quote
 * what was being read.
 */
export function causeOf(error: unknown): { readonly [name: string]: unknown } {
  const cause = error instanceof DragomanError ? (error.cause ?? error) : error
  if (!(cause instanceof Error)) return { name: typeof cause }
  const frames = cause.stack?.split('\n').filter((line) => /^\s+at /.test(line))
  const code = 'code' in cause && /^[A-Z][A-Z0-9_]*$/.test(String(cause.code)) ? String(cause.code) : undefined
  return { name: cause.name, ...(code !== undefined && { reason: code }), stack: frames?.map((line) => line.trim()) }
}
