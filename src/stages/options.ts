import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Expression, Setting } from '../core/stage.ts'
import type { Draft } from '../core/token.ts'
import type { Value } from '../core/value.ts'
import { map } from '../core/value.ts'
import { variablesOf } from '../core/variables.ts'

/** An option that has the right shape and cannot work. `path`: from the options of the stage. */
export const wrongOption = (path: string, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', { detail: { path, expected } })

/** Compiles the expression at `path`. @throws {@link DragomanError} `ERR_PROFILE_OPTION`, `detail.path` saying where */
export function expressionAt(source: string, path: string, setting: Setting): Expression {
  try {
    return setting.expression(source)
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    throw new DragomanError(error.code, { detail: { ...error.detail, path }, cause: error })
  }
}

/** The secret of this name. @throws {@link DragomanError} `ERR_PROFILE_OPTION`, `detail.path` saying where it is asked for */
export function secretAt(name: string, path: string, setting: Setting): Uint8Array {
  try {
    return setting.secret(name)
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    throw new DragomanError(error.code, { detail: { ...error.detail, path }, cause: error })
  }
}

/** Evaluates the expression at `path`. @throws {@link DragomanError} `ERR_PROFILE_EXPRESSION`, `detail.path` saying where */
export function evaluateAt(expression: Expression, path: string, draft: Draft, exchange: Exchange): Value {
  try {
    return expression.evaluate(variablesOf(draft, exchange))
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    throw new DragomanError(error.code, { detail: { ...error.detail, path }, cause: error })
  }
}

/**
 * A value out of a profile as a neutral one.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` for what no claim can be, such as a date or an integer beyond 2^53-1
 */
export function neutral(value: unknown, path: string): Value {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      throw wrongOption(path, 'a finite number, and an integer within 2^53-1')
    }
    return value
  }
  if (Array.isArray(value)) return value.map((item, index) => neutral(item, `${path}[${index}]`))
  if (typeof value !== 'object' || (Object.getPrototypeOf(value) ?? Object.prototype) !== Object.prototype) {
    throw wrongOption(path, 'text, a number, true or false, null, a list or a map')
  }
  return map(Object.entries(value).map(([name, member]) => [name, neutral(member, `${path}.${name}`)]))
}

/** `{ cel: "…" }`: an expression where a literal could stand. */
export function celOf(value: unknown): string | undefined {
  const record = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  if (record === undefined || Object.keys(record).length !== 1) return undefined
  const source: unknown = 'cel' in record ? record.cel : undefined
  return typeof source === 'string' ? source : undefined
}
