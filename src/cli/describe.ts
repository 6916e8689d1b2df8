import { DragomanError, errors } from '../core/errors.ts'

/** A failure in words for whoever sits at the terminal: what it is, what was expected, what would make it pass. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof DragomanError)) return error instanceof Error ? error.message : String(error)
  const { cause, cure } = errors[error.code]
  const detail = Object.entries(error.detail)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [`${error.code}: ${cause}`, ...detail, `  cure: ${cure}`].join('\n')
}
