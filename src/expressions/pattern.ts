import { type Assertion, automatonOf, MAX_STATES, type Node, type Ranges, TooManyStates } from './automaton.ts'

// A pattern for a claim fits on a line.
const MAX_PATTERN = 256

// RE2 has the same bound; a larger count is a length, which `size()` asks for.
const MAX_REPEAT = 1000

/** A pattern that is not understood, and where. */
export class PatternError extends Error {
  readonly expected: string
  readonly position: number

  constructor(expected: string, position: number) {
    super(`expected ${expected} at ${position}`)
    this.expected = expected
    this.position = position
  }
}

/**
 * A regular expression, as a function that looks for it in a text, in time linear in the text.
 *
 * The syntax is the part of RE2 that claims need: characters, `.`, classes, `\d \w \s \b` and their opposites, `^ $`,
 * groups, `|`, `* + ?` and `{n,m}`. No back-references and no look-around, which RE2 lacks too; no flags, no Unicode
 * classes. Refused beyond that: branches of an outermost `|` that are not anchored alike, such as `^a|b$`, since they
 * are almost always meant as `^(?:a|b)$`.
 *
 * @throws {@link PatternError}
 */
export function compilePattern(source: string): (text: string) => boolean {
  if (source.length > MAX_PATTERN) throw new PatternError(`at most ${MAX_PATTERN} characters`, MAX_PATTERN)
  const reader = { characters: Array.from(source), at: 0 }
  const tree = readChoice(reader)
  if (reader.at < reader.characters.length) throw new PatternError('no unmatched )', reader.at)
  if (tree.kind === 'choice') assertAnchoredAlike(tree.branches)
  try {
    return automatonOf(tree)
  } catch (error) {
    if (error instanceof TooManyStates) throw new PatternError(`a pattern of at most ${MAX_STATES} states`, 0)
    throw error
  }
}

/** What a pattern that can be compiled leaves open. */
export interface PatternFacts {
  /** Every text that it finds begins where the pattern does, and ends there. */
  readonly start: boolean
  readonly end: boolean
  /** Where dots stand between letters or digits, as in a host name: they stand for any character. */
  readonly dots: readonly number[]
}

/** Describes a pattern. @throws {@link PatternError} */
export function describePattern(source: string): PatternFacts {
  const tree = readChoice({ characters: Array.from(source), at: 0 })
  // Inside a class a dot is a dot.
  const outside = source.replace(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]/g, (part) => ' '.repeat(part.length))
  const dots = [...outside.matchAll(/(?<=[A-Za-z0-9])\.(?=[A-Za-z0-9])/g)].map(({ index }) => index)
  return { start: isAnchored(tree, 'start'), end: isAnchored(tree, 'end'), dots }
}

/** Whether each way through the pattern has the assertion at its edge. */
function isAnchored(node: Node | undefined, assertion: 'start' | 'end'): boolean {
  if (node === undefined) return false
  if (node.kind === 'choice') return node.branches.every((branch) => isAnchored(branch, assertion))
  if (node.kind === 'sequence') {
    return isAnchored(assertion === 'start' ? node.items[0] : node.items.at(-1), assertion)
  }
  return isAssertion(node, assertion)
}

interface Reader {
  readonly characters: readonly string[]
  at: number
}

function readChoice(reader: Reader): Node {
  const branches = [readSequence(reader)]
  while (take(reader, '|')) branches.push(readSequence(reader))
  const [only, another] = branches
  return only !== undefined && another === undefined ? only : { kind: 'choice', branches }
}

function readSequence(reader: Reader): Node {
  const items: Node[] = []
  for (let next = peek(reader); next !== undefined && next !== '|' && next !== ')'; next = peek(reader)) {
    items.push(readRepeat(reader))
  }
  return { kind: 'sequence', items }
}

function readRepeat(reader: Reader): Node {
  const start = reader.at
  const item = readAtom(reader)
  const count = readCount(reader)
  if (count === undefined) return item
  if (item.kind === 'assert') throw new PatternError('something that can be repeated', start)
  // Greedy or not is the same for a yes or no.
  take(reader, '?')
  if (readCount(reader) !== undefined) throw new PatternError('one repetition, not two', reader.at - 1)
  return { kind: 'repeat', item, min: count[0], max: count[1] }
}

function readCount(reader: Reader): readonly [number, number] | undefined {
  if (take(reader, '*')) return [0, Infinity]
  if (take(reader, '+')) return [1, Infinity]
  if (take(reader, '?')) return [0, 1]
  if (!take(reader, '{')) return undefined
  const start = reader.at
  const [, low, comma, high] =
    /^(\d{1,4})(,?)(\d{0,4})\}/.exec(reader.characters.slice(start, start + 12).join('')) ?? []
  if (low === undefined || (comma === '' && high !== ''))
    throw new PatternError('{n}, {n,} or {n,m}; or \\{', start - 1)
  reader.at += low.length + (comma?.length ?? 0) + (high?.length ?? 0) + 1
  const min = Number(low)
  const max = comma === '' ? min : high === '' ? Infinity : Number(high)
  if (max < min || min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT)) {
    throw new PatternError(`counts from low to high, at most ${MAX_REPEAT}`, start)
  }
  return [min, max]
}

function readAtom(reader: Reader): Node {
  const start = reader.at
  const character = next(reader, 'a pattern')
  switch (character) {
    case '(':
      return readGroup(reader, start)
    case '[':
      return readClass(reader, start)
    case '.':
      return { kind: 'set', ranges: [[10, 10]], negated: true }
    case '^':
      return { kind: 'assert', assertion: 'start' }
    case '$':
      return { kind: 'assert', assertion: 'end' }
    case '\\':
      return readEscape(reader, start)
    case '*':
    case '+':
    case '?':
    case '{':
      throw new PatternError('something to repeat', start)
    default:
      return literal(character)
  }
}

function readGroup(reader: Reader, start: number): Node {
  if (take(reader, '?') && !take(reader, ':')) {
    throw new PatternError('( or (?: ; no flags, names or look-around', start)
  }
  const inner = readChoice(reader)
  if (!take(reader, ')')) throw new PatternError('a ) for this (', start)
  return inner
}

const ASSERTIONS: ReadonlyMap<string, Assertion> = new Map([
  ['b', 'boundary'],
  ['B', 'inside'],
  ['A', 'start'],
  ['z', 'end'],
])

function readEscape(reader: Reader, start: number): Node {
  const assertion = ASSERTIONS.get(peek(reader) ?? '')
  if (assertion !== undefined) {
    reader.at += 1
    return { kind: 'assert', assertion }
  }
  return { kind: 'set', ranges: readEscaped(reader, start), negated: false }
}

const LAST = 0x10ffff
const DIGIT: Ranges = [[48, 57]]
const WORD: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
]
// RE2: tab, line feed, form feed, carriage return, space.
const SPACE: Ranges = [
  [9, 10],
  [12, 13],
  [32, 32],
]

const ESCAPED: ReadonlyMap<string, Ranges> = new Map<string, Ranges>([
  ['d', DIGIT],
  ['D', complement(DIGIT)],
  ['w', WORD],
  ['W', complement(WORD)],
  ['s', SPACE],
  ['S', complement(SPACE)],
  ['t', [[9, 9]]],
  ['n', [[10, 10]]],
  ['v', [[11, 11]]],
  ['f', [[12, 12]]],
  ['r', [[13, 13]]],
])

function readEscaped(reader: Reader, start: number): Ranges {
  const character = next(reader, 'a character after \\')
  const known = ESCAPED.get(character)
  if (known) return known
  if (character === 'x') return [readHex(reader, start)]
  // Letters and digits are reserved for what they mean elsewhere: \1 is a back-reference, \p a Unicode class.
  if (/[A-Za-z0-9]/.test(character)) {
    throw new PatternError('an escape that is supported; no back-references, no Unicode classes', start)
  }
  return one(character)
}

function readHex(reader: Reader, start: number): readonly [number, number] {
  const rest = reader.characters.slice(reader.at, reader.at + 8).join('')
  const [all, short, long] = /^(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(rest) ?? []
  const code = Number.parseInt(short ?? long ?? '', 16)
  if (all === undefined || code > LAST) throw new PatternError('\\xhh or \\x{hhhhhh}', start)
  reader.at += all.length
  return [code, code]
}

function readClass(reader: Reader, start: number): Node {
  const negated = take(reader, '^')
  const ranges: (readonly [number, number])[] = []
  while (ranges.length === 0 || peek(reader) !== ']') {
    if (peek(reader) === undefined) throw new PatternError('a ] for this [', start)
    ranges.push(...readRange(reader))
  }
  reader.at += 1
  return { kind: 'set', ranges, negated }
}

function readRange(reader: Reader): Ranges {
  const start = reader.at
  const low = readMember(reader)
  // A hyphen at the end of the class is a hyphen.
  if (peek(reader) !== '-' || reader.characters[reader.at + 1] === ']') return low
  reader.at += 1
  const high = readMember(reader)
  const from = low[0]
  const to = high[0]
  if (from?.[0] !== from?.[1] || to?.[0] !== to?.[1] || low.length > 1 || high.length > 1 || !from || !to) {
    throw new PatternError('single characters on both sides of -', start)
  }
  if (to[0] < from[0]) throw new PatternError('a range from low to high', start)
  return [[from[0], to[0]]]
}

function readMember(reader: Reader): Ranges {
  const start = reader.at
  const character = next(reader, 'a character')
  if (character === '\\') return readEscaped(reader, start)
  if (character === '[' && peek(reader) === ':') throw new PatternError('no POSIX class', start)
  return one(character)
}

function complement(ranges: Ranges): Ranges {
  const gaps: (readonly [number, number])[] = []
  let from = 0
  for (const [low, high] of ranges) {
    if (low > from) gaps.push([from, low - 1])
    from = high + 1
  }
  gaps.push([from, LAST])
  return gaps
}

function assertAnchoredAlike(branches: readonly Node[]): void {
  const anchors = branches.map((branch) => {
    const items = branch.kind === 'sequence' ? branch.items : [branch]
    return `${isAssertion(items[0], 'start')} ${isAssertion(items.at(-1), 'end')}`
  })
  if (new Set(anchors).size > 1) throw new PatternError('a group around the alternatives: ^(?:a|b)$', 0)
}

const isAssertion = (node: Node | undefined, assertion: Assertion): boolean =>
  node?.kind === 'assert' && node.assertion === assertion

function one(character: string): Ranges {
  const code = character.codePointAt(0) ?? 0
  return [[code, code]]
}

const literal = (character: string): Node => ({ kind: 'set', ranges: one(character), negated: false })

const peek = ({ characters, at }: Reader): string | undefined => characters[at]

function take(reader: Reader, character: string): boolean {
  if (peek(reader) !== character) return false
  reader.at += 1
  return true
}

function next(reader: Reader, expected: string): string {
  const character = peek(reader)
  if (character === undefined) throw new PatternError(expected, reader.at)
  reader.at += 1
  return character
}
