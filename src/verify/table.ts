import { isObject, membersOf, SCOPE_TOKEN, textsOf, wrong } from './option.ts'
import { type Pointer, pointerOf } from './pointer.ts'
import { type Target, targetOf } from './target.ts'

/**
 * What a service takes tokens for. The key is method and path, such as `POST /orders/:order_id/pay`, where `:name` stands
 * for one segment, whole.
 */
export interface RequestTable {
  readonly [methodAndPath: string]: RequestRule
}

export interface RequestRule {
  /** All of these must be in the token's scope. An empty list: none is needed. */
  readonly scope: string | readonly string[]
  /**
   * Members of `tctx`, each with the part of the request that must equal it. A name is one of the outermost object; for
   * one further inside, a JSON Pointer (RFC 6901) such as `/order/id`.
   */
  readonly tctx?: { readonly [member: string]: RequestPart }
}

/** One part of a request. `optional`: it may be missing, in request and token alike; in one of them alone it may not. */
export type RequestPart =
  | { readonly path: string; readonly optional?: boolean }
  | { readonly query: string; readonly optional?: boolean }
  | { readonly header: string; readonly optional?: boolean }
  | { readonly body: string; readonly optional?: boolean }

/** A rule, prepared. */
export interface Rule {
  /** The key that it has in the table. */
  readonly name: string
  readonly method: string
  readonly pattern: readonly Segment[]
  readonly scope: readonly string[]
  readonly comparisons: readonly Comparison[]
}

type Segment = { readonly literal: string } | { readonly parameter: string }

export interface Comparison {
  /** As written in the table. */
  readonly member: string
  readonly pointer: Pointer
  readonly from: 'path' | 'query' | 'header' | 'body'
  readonly name: string
  /** Of a body. */
  readonly inside: Pointer
  readonly optional: boolean
}

/** The rule for a request, and what its `:name`s stand for. */
export interface Match {
  readonly rule: Rule
  readonly parameters: ReadonlyMap<string, string>
}

export type Table = (method: string, target: Target | undefined) => Match | undefined

/**
 * Prepares a table of rules. Of several that match, the one with text where the others have `:name` counts.
 *
 * A request that no rule matches has none: paths are compared segment by segment, with case and without mercy.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` for what cannot work, and for two rules that match the same request
 * without one of them being the narrower
 */
export function prepareTable(table: RequestTable, path: string): Table {
  if (!isObject(table)) throw wrong(path, 'an object with a rule for each method and path')
  const rules = Object.entries(table).map(([name, rule]) => prepareRule(name, rule, `${path}[${JSON.stringify(name)}]`))
  if (rules.length === 0) throw wrong(path, 'at least one rule')
  for (const [index, rule] of rules.entries()) {
    const rival = rules.slice(0, index).find((other) => overlap(rule, other) && !ordered(rule, other))
    if (rival) throw wrong(path, `one rule for each request: "${rival.name}" and "${rule.name}" match the same`)
  }
  return (method, target) => {
    if (target === undefined) return undefined
    const matching = rules.filter((rule) => rule.method === method && matches(rule, target))
    const [first, ...others] = matching
    if (first === undefined) return undefined
    const rule = others.reduce((best, other) => (narrower(other, best) ? other : best), first)
    return { rule, parameters: parametersOf(rule, target) }
  }
}

const KEY = /^([A-Z][A-Z-]*) (\/\S*)$/
const PARAMETER = /^:[A-Za-z_][A-Za-z0-9_]*$/
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/

function prepareRule(name: string, rule: unknown, path: string): Rule {
  const [, method, route] = KEY.exec(name) ?? []
  const segments = route === undefined || route.includes('?') ? undefined : targetOf(route)?.segments
  if (method === undefined || segments === undefined) {
    throw wrong(path, 'a key with method and path, such as `GET /orders/:id`, without empty segments and query')
  }
  const pattern = segments.map((text): Segment => {
    if (!text.startsWith(':')) return { literal: text }
    if (!PARAMETER.test(text)) throw wrong(path, '`:name`s of letters, digits and `_`')
    return { parameter: text.slice(1) }
  })
  const parameters = pattern.flatMap((segment) => ('parameter' in segment ? segment.parameter : []))
  if (new Set(parameters).size < parameters.length) throw wrong(path, 'each `:name` once')
  const { scope, tctx = {} } = membersOf(rule, ['scope', 'tctx'], path)
  if (!isObject(tctx)) throw wrong(`${path}.tctx`, 'an object: member of tctx to part of the request')
  return {
    name,
    method,
    pattern,
    scope: textsOf(scope, `${path}.scope`, SCOPE_TOKEN, 'the scope that is needed, or a list; [] for none'),
    comparisons: Object.entries(tctx).map(([member, part]) =>
      prepareComparison(member, part, parameters, `${path}.tctx.${member}`),
    ),
  }
}

const PARTS = ['path', 'query', 'header', 'body'] as const

function prepareComparison(member: string, part: unknown, parameters: readonly string[], path: string): Comparison {
  const options = membersOf(part, [...PARTS, 'optional'], path)
  const given = PARTS.filter((from) => options[from] !== undefined)
  const [from, another] = given
  const name = from && options[from]
  const pointer = pointerOf(member)
  if (from === undefined || another !== undefined || typeof name !== 'string' || pointer === undefined) {
    throw wrong(path, `one of ${PARTS.join(', ')}`)
  }
  const { optional = false } = options
  if (typeof optional !== 'boolean') throw wrong(`${path}.optional`, 'true or false')
  const inside = from === 'body' ? pointerOf(name) : []
  if (inside === undefined) throw wrong(`${path}.body`, 'the name of a member, or a JSON Pointer')
  if (from === 'path' && !parameters.includes(name)) throw wrong(`${path}.path`, 'a `:name` of the path')
  if (from === 'query' && name === '') throw wrong(`${path}.query`, 'the name of a parameter')
  const field = name.toLowerCase()
  if (from === 'header' && !FIELD_NAME.test(field)) throw wrong(`${path}.header`, 'the name of a header field')
  return { member, pointer, from, name: from === 'header' ? field : name, inside, optional }
}

const matches = ({ pattern }: Rule, { segments }: Target): boolean =>
  pattern.length === segments.length &&
  pattern.every((segment, index) => 'parameter' in segment || segment.literal === segments[index])

const parametersOf = ({ pattern }: Rule, { segments }: Target): ReadonlyMap<string, string> =>
  new Map(
    pattern.flatMap((segment, index) => ('parameter' in segment ? [[segment.parameter, segments[index] ?? '']] : [])),
  )

const overlap = (left: Rule, right: Rule): boolean =>
  left.method === right.method &&
  left.pattern.length === right.pattern.length &&
  left.pattern.every((segment, index) => {
    const other = right.pattern[index]
    return !('literal' in segment) || !other || !('literal' in other) || segment.literal === other.literal
  })

/** Has text wherever the other has, and somewhere besides. */
const narrower = (left: Rule, right: Rule): boolean =>
  left.pattern.every((segment, index) => 'literal' in segment || !isLiteral(right.pattern[index])) &&
  left.pattern.some((segment, index) => 'literal' in segment && !isLiteral(right.pattern[index]))

const isLiteral = (segment: Segment | undefined): boolean => segment !== undefined && 'literal' in segment

const ordered = (left: Rule, right: Rule): boolean => narrower(left, right) || narrower(right, left)
