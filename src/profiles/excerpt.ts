/** Part of a text, from its first character to behind its last. */
export type Range = readonly [start: number, end: number]

// A terminal is about as wide; a line that is longer is shown around its caret.
const MAX_WIDTH = 160
const BEFORE_CARET = 100

/**
 * The line that holds `offset`, indented, and a caret below the place.
 *
 * What lies in `hidden` is shown as `***`, whatever its length. Control characters are shown as U+FFFD, since the text
 * goes to a terminal.
 */
export function excerptAt(text: string, offset: number, hidden: readonly Range[]): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  const newline = text.indexOf('\n', offset)
  const end = newline === -1 ? text.length : newline
  let shown = ''
  let caret = offset - start
  let at = start
  for (const [from, to] of overlapping(hidden, start, end)) {
    if (to <= at) continue
    shown += text.slice(at, Math.max(at, from))
    if (offset >= to) caret -= to - Math.max(at, from) - MASK.length
    else if (offset > from) caret = shown.length
    shown += MASK
    at = to
  }
  shown = `${shown}${text.slice(at, end)}`.replace(/\r$/, '').replaceAll(/[^\t\P{Cc}]/gu, '\ufffd')
  const [line, column] = clipped(shown, Math.min(caret, shown.length))
  // A tab is as wide as the terminal likes, so the caret's line repeats it.
  return `  ${line}\n  ${line.slice(0, column).replace(/[^\t]/g, ' ')}^`
}

const MASK = '***'

function overlapping(ranges: readonly Range[], start: number, end: number): readonly Range[] {
  return ranges
    .filter(([from, to]) => from < end && to > start && to > from)
    .map(([from, to]): Range => [Math.max(from, start), Math.min(to, end)])
    .sort(([left], [right]) => left - right)
}

function clipped(line: string, caret: number): readonly [line: string, caret: number] {
  if (line.length <= MAX_WIDTH) return [line, caret]
  const from = Math.max(0, caret - BEFORE_CARET)
  const piece = line.slice(from, from + MAX_WIDTH)
  const [left, right] = [from > 0 ? '…' : '', from + MAX_WIDTH < line.length ? '…' : '']
  return [`${left}${piece}${right}`, caret - from + left.length]
}
