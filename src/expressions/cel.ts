import { TypeError as CheckError, Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js'
import { DragomanError } from '../core/errors.ts'
import type { Expression, ExpressionVariables } from '../core/stage.ts'
import { emptyRecord, type Value } from '../core/value.ts'
import { type Inspection, inspect, Refusal, type Use } from './inspect.ts'
import { MAX_DEPTH, MAX_ITEMS, MAX_MATCHED, MAX_NODES, MAX_SOURCE } from './limits.ts'
import { compilePattern, PatternError } from './pattern.ts'
import { fromCel, toCel, Unfit } from './values.ts'

const RECORDS = ['claims', 'subject', 'actor', 'client', 'request', 'proof'] as const
const VARIABLES = [...RECORDS, 'now'] as const

/**
 * An expression in CEL, checked and ready to run.
 *
 * Checks: length, size and nesting of the source; variables, functions and types; patterns of `matches`; the greatest
 * cost that it can have. What it is run on is limited too (see `limits.ts`), so an evaluation takes milliseconds at most,
 * whatever is in the token. Whole numbers are `int`: `subject.level + 1` and `now + 60` are written as they stand.
 * Does NOT have a say in any mandatory check: those come before the first expression and after the last.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`, with `expected` and `position`
 * @see [CEL](https://github.com/google/cel-spec/blob/master/doc/langdef.md)
 */
export function compileExpression(source: string): Expression {
  if (Buffer.byteLength(source) > MAX_SOURCE) {
    throw refused({ expected: `an expression of at most ${MAX_SOURCE} bytes`, position: MAX_SOURCE }, '')
  }
  const { program, type, uses } = compile(source)
  return {
    source,
    type,
    evaluate: (variables) => evaluate(source, program, uses, variables),
  }
}

type Program = (context: { [name: string]: unknown }) => unknown

interface Compiled {
  readonly program: Program
  readonly type: string
  readonly uses: readonly (readonly [name: (typeof VARIABLES)[number], use: Use])[]
}

function compile(source: string): Compiled {
  try {
    // Once as written, so that what is wrong with it is said in its own words; then with the functions of our own.
    const asWritten = vocabulary.check(source)
    if (!asWritten.valid) throw asWritten.error
    const patterns = new Map<string, (text: string) => boolean>()
    const environment = withPatterns(patterns)
    const program = environment.parse(source)
    const inspection = inspect(program.ast, VARIABLES)
    for (const pattern of inspection.patterns) patterns.set(pattern.source, patternAt(pattern))
    const { valid, error, type } = program.check()
    if (!valid) throw error
    return { program, type: type ?? 'dyn', uses: usesOf(inspection) }
  } catch (error) {
    if (error instanceof Refusal) throw refused(error, source)
    if (error instanceof ParseError || error instanceof CheckError || error instanceof EvaluationError) {
      throw refused(
        { expected: `an expression that can be read: ${error.summary}`, position: error.range?.start },
        source,
      )
    }
    throw error
  }
}

const usesOf = ({ uses }: Inspection): Compiled['uses'] =>
  VARIABLES.flatMap((name) => {
    const use = uses.get(name)
    return use === undefined ? [] : [[name, use] as const]
  })

function evaluate(source: string, program: Program, uses: Compiled['uses'], variables: ExpressionVariables): Value {
  try {
    const context = emptyRecord<unknown>()
    const count = { values: 0 }
    for (const [name, use] of uses) {
      context[name] = name === 'now' ? BigInt(variables.now) : toCel(variables[name], use, count)
    }
    return fromCel(program(context))
  } catch (error) {
    throw failed(error, source)
  }
}

/** Neither the library's message nor its error goes along: they may quote a value out of the token. */
function failed(error: unknown, source: string): DragomanError {
  if (error instanceof Unfit) {
    return new DragomanError('ERR_PROFILE_EXPRESSION', { detail: { expected: error.expected, expression: source } })
  }
  const { rule, position } =
    error instanceof EvaluationError
      ? { rule: error.code, position: error.range?.start }
      : { rule: 'failed', position: undefined }
  return new DragomanError('ERR_PROFILE_EXPRESSION', { detail: { rule, position, expression: source } })
}

const refused = (
  { expected, position }: { readonly expected: string; readonly position: number | undefined },
  expression: string,
): DragomanError => new DragomanError('ERR_PROFILE_OPTION', { detail: { expected, position, expression } })

function patternAt({ source, position }: { readonly source: string; readonly position: number }) {
  try {
    return compilePattern(source)
  } catch (error) {
    if (error instanceof PatternError) {
      throw new Refusal(`a pattern that is supported: ${error.expected}, at ${error.position} of it`, position)
    }
    throw error
  }
}

const vocabulary = new Environment({
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: MAX_NODES, maxDepth: MAX_DEPTH, maxListElements: MAX_ITEMS, maxMapEntries: MAX_ITEMS },
})
for (const name of RECORDS) vocabulary.registerVariable(name, 'map')
vocabulary.registerVariable('now', 'int')

const SYNC = { async: false }

/** The vocabulary with functions of our own; `inspect` says why. */
function withPatterns(patterns: ReadonlyMap<string, (text: string) => boolean>): Environment {
  return vocabulary
    .clone()
    .registerFunction(
      'string.linearMatches(string): bool',
      (text: string, pattern: string) => {
        if (text.length > MAX_MATCHED) throw new Unfit(`a text of at most ${MAX_MATCHED} for matches`)
        return patterns.get(pattern)?.(text) ?? false
      },
      SYNC,
    )
    .registerFunction(
      'string.boundedSplit(string): list<string>',
      (text: string, separator: string) => splitAt(text, separator),
      SYNC,
    )
    .registerFunction(
      'string.foldLower(): string',
      (text: string) => text.replace(/[A-Z]+/g, (upper) => upper.toLowerCase()),
      SYNC,
    )
    .registerFunction(
      'string.foldUpper(): string',
      (text: string) => text.replace(/[a-z]+/g, (lower) => lower.toUpperCase()),
      SYNC,
    )
    .registerFunction('toInteger(int): int', (value: bigint) => value, SYNC)
    .registerFunction('toInteger(double): int', (value: number) => integer(String(Math.trunc(value))), SYNC)
    .registerFunction('toInteger(string): int', (value: string) => integer(value), SYNC)
}

function splitAt(text: string, separator: string): readonly string[] {
  // One more than fits, so that too many are noticed without making them all.
  const parts = text.split(separator, MAX_ITEMS + 1)
  if (parts.length > MAX_ITEMS) throw new Unfit(`at most ${MAX_ITEMS} parts of a split`)
  return parts
}

function integer(text: string): bigint {
  // CEL: decimal digits with an optional minus, within 64 bits.
  const value = /^-?[0-9]{1,19}$/.test(text) ? BigInt(text) : undefined
  if (value === undefined || BigInt.asIntN(64, value) !== value) throw new Unfit('a whole number for int()')
  return value
}
