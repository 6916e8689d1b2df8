import { commentsIn } from '../profiles/comments.ts'

/** A finding that somebody decided to live with. */
export interface Silencing {
  readonly rule: string
  /** Empty: none is given. */
  readonly reason: string
  /** Where it stands. */
  readonly line: number
  readonly column: number
  /** The line whose finding it is for. */
  readonly on: number
}

const MARK = /^dragoman-lint-ignore\b(.*)$/

/**
 * The silencings of a file: `# dragoman-lint-ignore any-target: the demo has one service`. At the end of a line it is for
 * that line; alone on a line for the next one that is neither empty nor a comment.
 */
export function silencingsIn(text: string): readonly Silencing[] {
  const lines = text.split('\n')
  return commentsIn(text).flatMap(({ line, column, text: said, alone }): readonly Silencing[] => {
    const [, rest] = MARK.exec(said) ?? []
    if (rest === undefined) return []
    const [, rule = '', reason = ''] = /^\s*([^\s:]*)\s*:?\s*(.*)$/.exec(rest) ?? []
    const below = lines.findIndex((content, index) => index >= line && !/^\s*(?:#|$)/.test(content))
    return [{ rule, reason: reason.trim(), line, column, on: alone ? below + 1 : line }]
  })
}
