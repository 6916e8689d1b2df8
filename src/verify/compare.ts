import { DragomanError } from '../core/errors.ts'
import { sameValue, type Value, type ValueMap } from '../core/value.ts'
import { bodyOf, neutral } from './body.ts'
import { at, type Pointer } from './pointer.ts'
import { fieldsOf, type ServiceRequest } from './request.ts'
import type { Comparison, Match } from './table.ts'
import type { Target } from './target.ts'

/** What a token says of the request that it is for. */
export interface Allowed {
  readonly scope: readonly string[]
  readonly tctx: ValueMap | undefined
}

/**
 * Compares a token with the request that it came with.
 *
 * Checks that every scope of the rule is in the token, and that every member of `tctx` that the rule names equals its
 * part of the request. Text (path, query, header) equals a string that is the same, code unit by code unit, a number in
 * the one spelling that JSON would give it, `true` or `false`. A member of a JSON body equals a value of the same type:
 * text is no number. What is missing on one side is never equal; on both sides only where the rule says `optional`. What
 * was sent twice, or is read by the framework in another way than by us, is never equal to anything. All comparisons run,
 * whatever became of the first.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_INSUFFICIENT_SCOPE`, `ERR_REQUEST_ALTERED` with the names that differ, never
 * with a value
 */
export function assertAllowed({ rule, parameters }: Match, allowed: Allowed, request: ServiceRequest, target: Target) {
  assertScope(rule.scope, allowed.scope)
  const body = lazyBody(request)
  const differs = rule.comparisons.flatMap((comparison) => {
    const part = partOf(comparison, { request, target, parameters, body })
    const problem = difference(part, valueAt(allowed.tctx, comparison.pointer), comparison)
    const { member, from, name } = comparison
    return problem === undefined ? [] : [{ tctx: member, [from]: name, problem }]
  })
  if (differs.length === 0) return
  throw new DragomanError('ERR_REQUEST_ALTERED', {
    detail: { rule: rule.name, expected: 'a request that says what tctx says', differs },
  })
}

/** @throws {@link DragomanError} `ERR_REQUEST_INSUFFICIENT_SCOPE` */
export function assertScope(needed: readonly string[], held: readonly string[]): void {
  if (needed.every((scope) => held.includes(scope))) return
  throw new DragomanError('ERR_REQUEST_INSUFFICIENT_SCOPE', { detail: { scope: needed } })
}

/** Text or a JSON value of the request, nothing, or why it cannot be told. */
type Part = { readonly text: string } | { readonly json: Value } | { readonly problem: string } | undefined

interface Parts {
  readonly request: ServiceRequest
  readonly target: Target
  readonly parameters: ReadonlyMap<string, string>
  readonly body: () => unknown
}

function difference(part: Part, said: Value | undefined, { optional }: Comparison): string | undefined {
  if (part === undefined && said === undefined) return optional ? undefined : 'missing in both'
  if (part === undefined) return 'missing in the request'
  if ('problem' in part) return part.problem
  if (said === undefined) return 'missing in tctx'
  const same = 'text' in part ? sameText(part.text, said) : sameValue(part.json, said)
  return same ? undefined : 'not equal'
}

const sameText = (text: string, said: Value): boolean =>
  typeof said === 'string' || typeof said === 'number' || typeof said === 'boolean' ? text === String(said) : false

function partOf({ from, name, inside }: Comparison, { request, target, parameters, body }: Parts): Part {
  switch (from) {
    case 'path':
      return text(parameters.get(name))
    case 'query':
      return queryPart(name, request, target)
    case 'header': {
      const fields = fieldsOf(request, name)
      return fields.length > 1 ? { problem: 'sent more than once' } : text(fields[0])
    }
    case 'body':
      return bodyPart(inside, body)
  }
}

const text = (value: string | undefined): Part => (value === undefined ? undefined : { text: value })

/** The URL decides; a parser that made something else of it would let the handler see what was not compared. */
function queryPart(name: string, { query: made }: ServiceRequest, { query }: Target): Part {
  if (query === undefined) return { problem: 'malformed' }
  const values = query.filter(([key]) => key === name).map(([, value]) => value)
  if (values.length > 1) return { problem: 'sent more than once' }
  const [value] = values
  if (made !== undefined && memberOf(made, name) !== value) return { problem: 'read in another way by the framework' }
  return text(value)
}

const memberOf = (made: unknown, name: string): unknown =>
  typeof made === 'object' && made !== null && Object.hasOwn(made, name) ? Reflect.get(made, name) : undefined

function bodyPart(inside: Pointer, body: () => unknown): Part {
  try {
    const json = valueAt(body(), inside)
    return json === undefined ? undefined : { json }
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    return { problem: 'malformed' }
  }
}

function valueAt(document: unknown, pointer: Pointer): Value | undefined {
  const value = at(document, pointer)
  return value === undefined ? undefined : neutral(value)
}

function lazyBody({ body }: ServiceRequest): () => unknown {
  let read: { readonly value: unknown } | undefined
  return () => {
    read ??= { value: bodyOf(body) }
    return read.value
  }
}
