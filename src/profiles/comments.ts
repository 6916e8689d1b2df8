import { Lexer } from 'yaml'

/** A comment of a YAML file. */
export interface Comment {
  /** From 1. */
  readonly line: number
  /** From 1, of its `#`. */
  readonly column: number
  /** Without the `#`, trimmed. */
  readonly text: string
  /** Nothing but the comment stands on its line. */
  readonly alone: boolean
}

// What the lexer puts in front of the text of a scalar, so that a `#` inside one is not taken for a comment.
const SCALAR = '\x1f'

/** The comments of a YAML text. A `#` inside a value is none. Does NOT check that the text is YAML. */
export function commentsIn(text: string): readonly Comment[] {
  const comments: Comment[] = []
  let offset = 0
  let before = ''
  for (const token of new Lexer().lex(text)) {
    // Control tokens are not part of the text, but for the byte order mark.
    const control = token === SCALAR || token === '\x02' || token === '\x18'
    if (!control && before !== SCALAR && token.startsWith('#')) comments.push(commentAt(text, offset, token))
    if (!control) offset += token.length
    before = token
  }
  return comments
}

function commentAt(text: string, offset: number, token: string): Comment {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  return {
    line: text.slice(0, offset).split('\n').length,
    column: offset - start + 1,
    text: token.slice(1).trim(),
    alone: text.slice(start, offset).trim() === '',
  }
}
