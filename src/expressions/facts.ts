import { type ASTNode, Environment, serialize } from '@marcbachmann/cel-js'
import { describePattern, type PatternFacts } from './pattern.ts'

/** What an expression asks of one value, as far as it can be known without running it. */
export interface Atom {
  /** `subject.sub`, `request.audience`. */
  readonly path: string
  readonly asks:
    | { readonly is: 'one of' | 'none of'; readonly values: readonly Literal[] }
    | { readonly is: 'begins' | 'ends' | 'holds'; readonly text: string }
    | { readonly is: 'at least' | 'at most' | 'above' | 'below'; readonly number: number }
  readonly position: number
}

export type Literal = string | number | boolean | null

/** What can be said of an expression by looking at it. */
export interface ExpressionFacts {
  /** Values that all must be so for the expression to be true. What is not understood is left out. */
  readonly atoms: readonly Atom[]
  /** It reads no variable: its value is the same each time. */
  readonly constant: boolean
  /** One of the parts that all must be true is the word `false`. */
  readonly never: boolean
  /** Every member that it reads: `['subject', 'x509', 'serial']`. */
  readonly reads: readonly { readonly path: readonly string[]; readonly position: number }[]
  /** The patterns of `matches`. */
  readonly patterns: readonly (PatternFacts & { readonly source: string; readonly position: number })[]
}

/**
 * Looks at an expression that {@link compileExpression} has taken.
 *
 * Reads `&&` of comparisons with literals, `in`, `startsWith`, `endsWith`; everything else is passed over, so that what
 * it says is true, and never all there is.
 */
export function expressionFacts(source: string): ExpressionFacts {
  const root = parser.parse(source).ast
  const reads: { path: readonly string[]; position: number }[] = []
  const patterns: { source: string; position: number; start: boolean; end: boolean; dots: readonly number[] }[] = []
  walk(root, new Set(), reads, patterns)
  const parts = conjuncts(root)
  return {
    atoms: parts.flatMap(atomsOf),
    constant: reads.length === 0,
    never: parts.some((part) => part.op === 'value' && part.args === false),
    reads,
    patterns,
  }
}

/**
 * What an expression asks: a list of demands that must all be met, each with the ways to meet it, of which one is enough.
 *
 * Parts joined by `&&` are demands, parts of those joined by `||` are ways; in one spelling each, sorted. One that has all
 * ways of another and more is met by whatever meets the other: in CEL a part that is true makes up for one that fails.
 */
export const demandsOf = (source: string): readonly (readonly string[])[] =>
  conjuncts(parser.parse(source).ast).map((part) => [...new Set(disjuncts(part).map(serialize))].toSorted())

const parser = new Environment()

type Reads = { path: readonly string[]; position: number }[]
type Patterns = (PatternFacts & { source: string; position: number })[]

const COMPREHENSIONS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])

function walk(node: ASTNode, bound: ReadonlySet<string>, reads: Reads, patterns: Patterns): void {
  const path = pathOf(node)
  if (path !== undefined) {
    if (!bound.has(path[0] ?? '')) reads.push({ path, position: node.start })
    return
  }
  if (node.op === 'rcall') {
    const [name, receiver, args] = node.args
    const [pattern] = args
    if (name === 'matches' && pattern?.op === 'value' && typeof pattern.args === 'string') {
      patterns.push({ ...describePattern(pattern.args), source: pattern.args, position: pattern.start })
    }
    walk(receiver, bound, reads, patterns)
    const [variable] = args
    const over = COMPREHENSIONS.has(name) && variable?.op === 'id'
    const inside = over ? new Set([...bound, variable.args]) : bound
    for (const part of over ? args.slice(1) : args) walk(part, inside, reads, patterns)
    return
  }
  for (const part of partsOf(node)) walk(part, bound, reads, patterns)
}

/** Everything below a node that is a node. */
function partsOf(node: ASTNode): readonly ASTNode[] {
  const found: ASTNode[] = []
  const look = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) look(item)
    else if (isNode(value)) found.push(value)
  }
  look(node.args)
  return found
}

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value

function pathOf(node: ASTNode): readonly string[] | undefined {
  if (node.op === 'id') return [node.args]
  if (node.op !== '.' && node.op !== '[]') return undefined
  const [record, key] = node.args
  const name = typeof key === 'string' ? key : key.op === 'value' && typeof key.args === 'string' ? key.args : undefined
  const above = pathOf(record)
  return above === undefined || name === undefined ? undefined : [...above, name]
}

function conjuncts(node: ASTNode): readonly ASTNode[] {
  return node.op === '&&' ? node.args.flatMap(conjuncts) : [node]
}

function disjuncts(node: ASTNode): readonly ASTNode[] {
  return node.op === '||' ? node.args.flatMap(disjuncts) : [node]
}

/** `<` and its like, and what they are with the sides exchanged. */
const ORDER = {
  '<': ['below', 'above'],
  '<=': ['at most', 'at least'],
  '>': ['above', 'below'],
  '>=': ['at least', 'at most'],
} as const

function atomsOf(node: ASTNode): readonly Atom[] {
  const position = node.start
  if (node.op === 'rcall') {
    const [name, receiver, [argument]] = node.args
    const path = pathOf(receiver)?.join('.')
    const text = argument === undefined ? undefined : literalOf(argument)
    if (path === undefined || typeof text !== 'string') return []
    if (name === 'startsWith') return [{ path, asks: { is: 'begins', text }, position }]
    return name === 'endsWith' ? [{ path, asks: { is: 'ends', text }, position }] : []
  }
  if (node.op === '==' || node.op === '!=') {
    const [left, right] = node.args
    const [path, value] = [pathOf(left) ?? pathOf(right), literalOf(left) ?? literalOf(right)]
    if (path === undefined || value === undefined) return []
    return [{ path: path.join('.'), asks: { is: node.op === '==' ? 'one of' : 'none of', values: [value] }, position }]
  }
  if (node.op === 'in') {
    const [needle, list] = node.args
    const path = pathOf(needle)
    if (path !== undefined && list.op === 'list') {
      const values = list.args.flatMap((item) => literalOf(item) ?? [])
      return values.length === list.args.length
        ? [{ path: path.join('.'), asks: { is: 'one of', values }, position }]
        : []
    }
    const [text, within] = [literalOf(needle), pathOf(list)]
    return typeof text === 'string' && within !== undefined
      ? [{ path: within.join('.'), asks: { is: 'holds', text }, position }]
      : []
  }
  if (node.op === '<' || node.op === '<=' || node.op === '>' || node.op === '>=') {
    const [left, right] = node.args
    const [is, turned] = ORDER[node.op]
    const [path, number] = [pathOf(left), literalOf(right)]
    if (path !== undefined && typeof number === 'number')
      return [{ path: path.join('.'), asks: { is, number }, position }]
    const [behind, first] = [pathOf(right), literalOf(left)]
    return behind !== undefined && typeof first === 'number'
      ? [{ path: behind.join('.'), asks: { is: turned, number: first }, position }]
      : []
  }
  return []
}

function literalOf(node: ASTNode): Literal | undefined {
  if (node.op === '-_') {
    const inner = literalOf(node.args)
    return typeof inner === 'number' ? -inner : undefined
  }
  if (node.op !== 'value') return undefined
  const value: unknown = node.args
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null
    ? value
    : undefined
}
