import type { ASTNode } from '@marcbachmann/cel-js'
import { MAX_COST, MAX_ITEMS, MAX_NESTING } from './limits.ts'

/** The members of one variable that an expression reads, or all of it. */
export type Use = ReadonlySet<string> | 'whole'

/** What a walk over the source tells. */
export interface Inspection {
  readonly uses: ReadonlyMap<string, Use>
  /** The patterns given to `matches`, with the place of each in the source. */
  readonly patterns: readonly { readonly source: string; readonly position: number }[]
}

/** Something in the source that is not offered here. */
export class Refusal extends Error {
  readonly expected: string
  readonly position: number

  constructor(expected: string, position: number) {
    super(`expected ${expected} at ${position}`)
    this.expected = expected
    this.position = position
  }
}

/**
 * Functions and methods with handlers of our own, under the names that the library must not know: `matches` of the
 * library can take forever, `split` has no bound, `lowerAscii` folds more than ASCII, `int('')` is 0.
 */
const OURS: ReadonlyMap<string, string> = new Map([
  ['matches', 'linearMatches'],
  ['split', 'boundedSplit'],
  ['lowerAscii', 'foldLower'],
  ['upperAscii', 'foldUpper'],
  ['int', 'toInteger'],
])

const FUNCTIONS = new Set([
  'has',
  'size',
  'string',
  'int',
  'double',
  'bool',
  'bytes',
  'dyn',
  'type',
  'timestamp',
  'duration',
])
const METHODS = new Set([
  ...['size', 'contains', 'startsWith', 'endsWith', 'matches', 'lowerAscii', 'upperAscii', 'trim', 'indexOf'],
  ...['lastIndexOf', 'substring', 'split', 'join', 'hex', 'base64', 'string', 'at'],
  ...['getFullYear', 'getMonth', 'getDate', 'getDayOfMonth', 'getDayOfWeek', 'getHours', 'getMinutes', 'getSeconds'],
])
const COMPREHENSIONS = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])
const TYPE_NAMES = new Set(['bool', 'int', 'uint', 'double', 'string', 'bytes', 'list', 'map', 'type', 'null_type'])

/**
 * Walks over a parsed expression before it is checked and first run.
 *
 * Refuses functions that are not in the list above, deeper nesting than {@link MAX_NESTING}, patterns that are not
 * literals, and expressions whose greatest possible cost exceeds {@link MAX_COST}. Renames, in place, the functions that
 * have a handler of our own.
 *
 * @throws {@link Refusal}
 */
export function inspect(root: ASTNode, variables: readonly string[]): Inspection {
  const uses = new Map<string, Set<string> | 'whole'>()
  const patterns: { source: string; position: number }[] = []
  const walk: Walk = { variables: new Set(variables), uses, patterns }
  const { cost } = measure(root, { bound: new Set(), nesting: 0 }, walk)
  if (cost > MAX_COST) throw new Refusal(`an expression of at most ${MAX_COST} steps; this one can take ${cost}`, 0)
  return { uses, patterns }
}

interface Walk {
  readonly variables: ReadonlySet<string>
  readonly uses: Map<string, Set<string> | 'whole'>
  readonly patterns: { source: string; position: number }[]
}

interface Scope {
  /** Names of iteration variables, which hide variables of the same name. */
  readonly bound: ReadonlySet<string>
  readonly nesting: number
}

/** `cost`: the most steps it can take. `items`: the most elements that its value can have. */
interface Measure {
  readonly cost: number
  readonly items: number
}

function measure(node: ASTNode, scope: Scope, walk: Walk): Measure {
  switch (node.op) {
    case 'value':
      return { cost: 1, items: 0 }
    case 'id':
      readName(node.args, undefined, node.start, scope, walk)
      return { cost: 1, items: MAX_ITEMS }
    case '.':
    case '[]':
      return measureAccess(node, scope, walk)
    case 'list':
      return { cost: 1 + total(node.args, scope, walk), items: node.args.length }
    case 'map':
      return { cost: 1 + total(node.args.flat(), scope, walk), items: node.args.length }
    case 'call':
      return measureCall(node, scope, walk)
    case 'rcall':
      return measureMethod(node, scope, walk)
    case '!_':
    case '-_':
      return { cost: 1 + measure(node.args, scope, walk).cost, items: 0 }
    case '.?':
    case '[?]':
      throw new Refusal('no optional access; ask with has(...)', node.start)
    default:
      return measureOperator(node.op, node.args, scope, walk)
  }
}

const COPIED_PER_STEP = 32

function measureOperator(op: string, args: readonly ASTNode[], scope: Scope, walk: Walk): Measure {
  const parts = args.map((part) => measure(part, scope, walk))
  const cost = parts.reduce((sum, part) => sum + part.cost, 1)
  const items = parts.reduce((sum, part) => sum + part.items, 0)
  // Membership looks at each element. Joining lists copies them, which is quicker than a step for each. A comparison may
  // go through lists too, yet of all that is given there is MAX_VALUES only.
  if (op === 'in') return { cost: cost + (parts[1]?.items ?? 0), items: 0 }
  return { cost: op === '+' ? cost + Math.ceil(items / COPIED_PER_STEP) : cost, items }
}

type Access = Extract<ASTNode, { op: '.' | '[]' }>

function measureAccess(node: Access, scope: Scope, walk: Walk): Measure {
  const [record, key] = node.args
  const name = typeof key === 'string' ? key : key.op === 'value' && typeof key.args === 'string' ? key.args : undefined
  if (record.op === 'id' && name !== undefined) {
    readName(record.args, name, record.start, scope, walk)
    return { cost: 2, items: MAX_ITEMS }
  }
  const inner = typeof key === 'string' ? 0 : measure(key, scope, walk).cost
  return { cost: 1 + inner + measure(record, scope, walk).cost, items: MAX_ITEMS }
}

function readName(name: string, member: string | undefined, position: number, scope: Scope, walk: Walk): void {
  if (scope.bound.has(name)) return
  if (walk.variables.has(name)) {
    const use = walk.uses.get(name)
    if (use === 'whole') return
    if (member === undefined) walk.uses.set(name, 'whole')
    else if (use) use.add(member)
    else walk.uses.set(name, new Set([member]))
    return
  }
  if (TYPE_NAMES.has(name)) return
  throw new Refusal(`one of the variables ${[...walk.variables].join(', ')}`, position)
}

// A call costs some steps of the tree, and a pattern as many as it has states, or as the list has elements.
const CALL_COST = 4
const SEARCH_COST = 128

function measureCall(node: Extract<ASTNode, { op: 'call' }>, scope: Scope, walk: Walk): Measure {
  const [name, args] = node.args
  if (!FUNCTIONS.has(name)) throw new Refusal(`one of the functions ${[...FUNCTIONS].join(', ')}`, node.start)
  node.args[0] = OURS.get(name) ?? name
  return { cost: CALL_COST + total(args, scope, walk), items: MAX_ITEMS }
}

function measureMethod(node: Extract<ASTNode, { op: 'rcall' }>, scope: Scope, walk: Walk): Measure {
  const [name, receiver, args] = node.args
  if (COMPREHENSIONS.has(name)) return measureComprehension(node, scope, walk)
  if (!METHODS.has(name)) throw new Refusal(`one of the methods ${[...METHODS].join(', ')}`, node.start)
  node.args[0] = OURS.get(name) ?? name
  if (name === 'matches') walk.patterns.push(patternIn(args[0], node.start))
  const searching = name === 'matches' || name === 'join' || name === 'split'
  const cost = searching ? SEARCH_COST : CALL_COST
  return { cost: cost + measure(receiver, scope, walk).cost + total(args, scope, walk), items: MAX_ITEMS }
}

function measureComprehension(node: Extract<ASTNode, { op: 'rcall' }>, scope: Scope, walk: Walk): Measure {
  const [name, receiver, [variable, ...body]] = node.args
  if (scope.nesting >= MAX_NESTING) throw new Refusal(`${name} in at most ${MAX_NESTING - 1} other`, node.start)
  const range = measure(receiver, scope, walk)
  const bound = new Set(scope.bound)
  if (variable?.op === 'id') bound.add(variable.args)
  const each = total(body, { bound, nesting: scope.nesting + 1 }, walk)
  return { cost: 1 + range.cost + range.items * (1 + each), items: range.items }
}

function patternIn(argument: ASTNode | undefined, position: number): { source: string; position: number } {
  if (argument?.op === 'value' && typeof argument.args === 'string') {
    return { source: argument.args, position: argument.start }
  }
  // A pattern out of a token would let whoever made the token write the rule.
  throw new Refusal('matches with a pattern written out', position)
}

const total = (nodes: readonly ASTNode[], scope: Scope, walk: Walk): number =>
  nodes.reduce((sum, node) => sum + measure(node, scope, walk).cost, 0)
