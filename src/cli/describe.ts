import { DragomanError, errors } from '../core/errors.ts'
import { exit } from './io.ts'

// They stand in the text of each problem already.
const IN_PROBLEMS: ReadonlySet<string> = new Set(['file', 'line', 'column', 'at', 'problems'])

/**
 * A failure in words for whoever sits at the terminal: what it is, what was expected, what would make it pass. Problems
 * of a file are told as they are, each with its place, the line and a caret.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof DragomanError)) return error instanceof Error ? error.message : String(error)
  const { cause, cure } = errors[error.code]
  const { problems } = error.detail
  if (Array.isArray(problems)) return [`${error.code}`, ...problems, ...detailLines(error, IN_PROBLEMS)].join('\n')
  const system =
    error.cause instanceof Error && 'syscall' in error.cause && 'code' in error.cause
      ? [`  reason: ${error.cause.code}`]
      : []
  // What it points to is told in the lines above.
  const pointer = /^See (?:`detail|the file)/.test(cure)
  return [`${error.code}: ${cause}`, ...detailLines(error), ...system, ...(pointer ? [] : [`  cure: ${cure}`])].join(
    '\n',
  )
}

const detailLines = ({ detail }: DragomanError, without: ReadonlySet<string> = new Set()): readonly string[] =>
  Object.entries(detail)
    .filter(([name, value]) => value !== undefined && !without.has(name))
    .map(([name, value]) => `  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)

/** The exit code of a failure. What is outside: an issuer, a store, a port, a file that the command line names. */
export function exitOf(error: unknown): number {
  if (!(error instanceof DragomanError) || error.code.endsWith('_UNAVAILABLE')) return exit.outside
  const { cause } = error
  const system = cause instanceof Error && 'syscall' in cause && error.detail['problems'] === undefined
  return system ? exit.outside : exit.refused
}
