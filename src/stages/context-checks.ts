import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Setting } from '../core/stage.ts'
import type { Draft } from '../core/token.ts'
import { claimOf } from '../core/token.ts'
import { isKind, type Kind } from '../core/value.ts'
import { evaluateAt, expressionAt, wrongOption } from './options.ts'

/** Refuses an exchange, or lets it pass. */
export type Check = (draft: Draft, exchange: Exchange) => void

interface Requirement {
  readonly claim: string
  readonly type?: Kind
}

/** The subject token has these claims. @throws {@link DragomanError} `ERR_PROFILE_REQUIRED` */
export function assertRequired(require: readonly (string | Requirement)[]): Check {
  const requirements = require.map((entry): Requirement => (typeof entry === 'string' ? { claim: entry } : entry))
  return (_, { subject }) => {
    for (const { claim, type } of requirements) {
      const value = claimOf(subject, claim)
      if (value === undefined || (type !== undefined && !isKind(value, type))) {
        throw new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim, expected: type ?? 'the claim' } })
      }
    }
  }
}

type Condition = string | { readonly expression: string; readonly description?: string }

/**
 * These expressions are all true. They add to the mandatory checks, which have been made before any stage runs.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_CONDITION`; `ERR_PROFILE_EXPRESSION` when one is neither true nor false
 */
export function assertConditions(conditions: readonly Condition[], setting: Setting): Check {
  const prepared = conditions.map((condition, index) => {
    const path = `conditions[${index}]`
    const { expression: source, description } =
      typeof condition === 'string' ? { expression: condition, description: undefined } : condition
    const expression = expressionAt(source, path, setting)
    if (expression.type !== undefined && expression.type !== 'bool' && expression.type !== 'dyn') {
      throw wrongOption(path, `an expression that is true or false, not ${expression.type}`)
    }
    return { path, expression, description }
  })
  return (draft, exchange) => {
    for (const { path, expression, description } of prepared) {
      const value = evaluateAt(expression, path, draft, exchange)
      if (value === true) continue
      if (value === false) throw new DragomanError('ERR_PROFILE_CONDITION', { detail: { path, description } })
      throw new DragomanError('ERR_PROFILE_EXPRESSION', { detail: { path, expected: 'true or false' } })
    }
  }
}
