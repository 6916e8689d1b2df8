import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Setting } from '../core/stage.ts'
import type { Draft, Note } from '../core/token.ts'
import type { Value } from '../core/value.ts'
import { copyOf, without } from '../core/value.ts'
import { variablesOf } from '../core/variables.ts'
import { type Conversion, convert } from './convert.ts'
import { assertFree, assertWritable, RESERVED, RIGHTS } from './names.ts'
import { celOf, evaluateAt, expressionAt, neutral, wrongOption } from './options.ts'
import { pathOf } from './path.ts'

/** Returns the draft with other claims, or the same draft. */
export type Change = (draft: Draft, exchange: Exchange) => Draft

/** Claims of the subject token, by name, or all that a stage may carry over. A claim that is not there is passed over. */
export function keepClaims(keep: '*' | readonly string[]): Change {
  if (keep === '*') {
    return (draft, { subject }) =>
      withClaims(
        draft,
        Object.entries(subject.claims).filter(([name]) => !RESERVED.has(name) && !RIGHTS.has(name)),
      )
  }
  keep.forEach((name, index) => {
    assertFree(name, `keep[${index}]`)
  })
  return (draft, { subject }) => {
    const claims = copyOf(draft.claims)
    for (const name of keep) {
      const value = subject.claims[name]
      if (value !== undefined) claims[name] = value
    }
    return { ...draft, claims }
  }
}

export function dropClaims(drop: readonly string[]): Change {
  drop.forEach((name, index) => {
    assertFree(name, `drop[${index}]`)
  })
  return (draft) =>
    drop.some((name) => draft.claims[name] !== undefined) ? { ...draft, claims: without(draft.claims, drop) } : draft
}

/** Reads all before it writes any, so that two names can change places. */
export function renameClaims(rename: { readonly [from: string]: string }): Change {
  const pairs = Object.entries(rename)
  for (const [from, to] of pairs) {
    assertFree(from, `rename.${from}`)
    assertWritable(to, `rename.${from}`)
    if (pairs.some(([other, name]) => other !== from && name === to)) {
      throw wrongOption(`rename.${from}`, `a name that nothing else is renamed to, not ${to}`)
    }
  }
  const sources = pairs.map(([from]) => from)
  return (draft, { subject }) => {
    const notes: Note[] = []
    const renamed = pairs.flatMap(([from, to]): [string, Value][] => {
      const held = draft.claims[from]
      const value = held === undefined ? subject.claims[from] : held
      if (value === undefined) return []
      notes.push({ claim: from, became: 'renamed', to })
      return [[to, value]]
    })
    if (renamed.length === 0) return draft
    const left = { ...draft, claims: without(draft.claims, sources), notes: [...draft.notes, ...notes] }
    return withClaims(left, renamed)
  }
}

export function copyClaims(copy: { readonly [claim: string]: string }): Change {
  const copies = Object.entries(copy).map(([claim, path]) => {
    assertWritable(claim, `copy.${claim}`)
    return { claim, read: pathOf(path, `copy.${claim}`) }
  })
  return (draft, exchange) => {
    const variables = variablesOf(draft, exchange)
    return withClaims(
      draft,
      copies.flatMap(({ claim, read }): [string, Value][] => {
        const value = read(variables)
        return value === undefined ? [] : [[claim, value]]
      }),
    )
  }
}

/** Every expression sees the draft as it was before the first of them. */
export function setClaims(set: { readonly [claim: string]: unknown }, setting: Setting): Change {
  const values = Object.entries(set).map(([claim, value]) => {
    const path = `set.${claim}`
    assertWritable(claim, path)
    return { claim, make: makerOf(value, path, setting) }
  })
  return (draft, exchange) =>
    withClaims(
      draft,
      values.map(({ claim, make }): [string, Value] => [claim, make(draft, exchange)]),
    )
}

function makerOf(value: unknown, path: string, setting: Setting): (draft: Draft, exchange: Exchange) => Value {
  const source = celOf(value)
  if (source !== undefined) {
    const expression = expressionAt(source, path, setting)
    return (draft, exchange) => evaluateAt(expression, path, draft, exchange)
  }
  if (typeof value === 'object' && value !== null && 'cel' in value) {
    throw wrongOption(path, '`cel` alone, and text')
  }
  const literal = neutral(value, path)
  return () => literal
}

/** @throws {@link DragomanError} `ERR_PROFILE_REQUIRED` when a value cannot be converted without loss */
export function convertClaims(types: { readonly [claim: string]: Conversion }): Change {
  const conversions = Object.entries(types)
  for (const [claim] of conversions) assertWritable(claim, `types.${claim}`)
  return (draft) => {
    const notes: Note[] = []
    const converted = conversions.flatMap(([claim, type]): [string, Value][] => {
      const value = draft.claims[claim]
      if (value === undefined) return []
      const result = convert(value, type)
      if (result === undefined) {
        throw new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim, expected: `convertible to ${type}` } })
      }
      if (result === value) return []
      notes.push({ claim, became: 'converted' })
      return [[claim, result]]
    })
    return converted.length === 0 ? draft : withClaims({ ...draft, notes: [...draft.notes, ...notes] }, converted)
  }
}

function withClaims(draft: Draft, entries: readonly (readonly [string, Value])[]): Draft {
  if (entries.length === 0) return draft
  const claims = copyOf(draft.claims)
  for (const [name, value] of entries) claims[name] = value
  return { ...draft, claims }
}
