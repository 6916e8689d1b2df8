import type { Stage } from '../core/stage.ts'
import { KINDS, type Kind } from '../core/value.ts'
import {
  type Change,
  convertClaims,
  copyClaims,
  dropClaims,
  keepClaims,
  renameClaims,
  setClaims,
} from './context-changes.ts'
import { assertConditions, assertRequired, type Check } from './context-checks.ts'
import { CONVERSIONS, type Conversion } from './convert.ts'
import { claimName, claimNames } from './schema.ts'

export interface ContextOptions {
  readonly require?: readonly (string | { readonly claim: string; readonly type?: Kind })[]
  readonly conditions?: readonly (string | { readonly expression: string; readonly description?: string })[]
  readonly keep?: '*' | readonly string[]
  readonly drop?: readonly string[]
  readonly rename?: { readonly [from: string]: string }
  readonly copy?: { readonly [claim: string]: string }
  readonly set?: { readonly [claim: string]: unknown }
  readonly types?: { readonly [claim: string]: Conversion }
}

/**
 * Changes what the token says beside who, for whom, how long: keeps, drops, renames, adds and converts claims, and
 * refuses tokens that do not fit.
 *
 * The order inside one stage is fixed, whatever the order in the file: require, conditions, keep, drop, rename, copy, set,
 * types. Does NOT write reserved claims, nor `acr`, `amr`, `auth_time` with another value than the subject token's.
 */
export const context: Stage<ContextOptions> = {
  name: 'context',
  phase: 'meaning',
  summary: 'Keeps, drops, renames, adds and converts claims, and refuses tokens that do not fit.',
  schema: {
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    properties: {
      require: {
        type: 'array',
        minItems: 1,
        description: 'Claims that the subject token must have, by name, or with the type that they must be of.',
        items: {
          anyOf: [
            claimName,
            {
              type: 'object',
              additionalProperties: false,
              required: ['claim'],
              properties: {
                claim: { ...claimName, description: 'Name of the claim.' },
                type: { enum: KINDS, description: 'The type that it must be of. Default: any.' },
              },
            },
          ],
        },
      },
      conditions: {
        type: 'array',
        minItems: 1,
        description: 'Expressions (CEL) that must all be true, beside everything that is checked anyway.',
        items: {
          anyOf: [
            { type: 'string', minLength: 1 },
            {
              type: 'object',
              additionalProperties: false,
              required: ['expression'],
              properties: {
                expression: { type: 'string', minLength: 1, description: 'The expression, true or false.' },
                description: {
                  type: 'string',
                  description: 'What it is for; stands in the audit record of a refusal.',
                },
              },
            },
          ],
        },
      },
      keep: {
        description:
          'Claims of the subject token to carry over, by name; or `*` for all of them but reserved ones, `may_act` and `authorization_details`. Every claim that no stage names is dropped.',
        anyOf: [{ const: '*' }, claimNames('Names of claims.')],
      },
      drop: claimNames('Claims to leave out again.'),
      rename: {
        type: 'object',
        minProperties: 1,
        additionalProperties: claimName,
        description: 'Old name to new name, of claims in the draft or else in the subject token.',
      },
      copy: {
        type: 'object',
        minProperties: 1,
        additionalProperties: { type: 'string', minLength: 1 },
        description:
          'Claim to the path of the value that it gets, such as `request.scope`, `request.forwarded.path`, `client.id`, `actor.sub` or `subject["kubernetes.io"].namespace`. What is not there is not copied.',
      },
      set: {
        type: 'object',
        minProperties: 1,
        description: 'Claim to the value that it gets: written out, or `{ cel: "…" }` for that of an expression.',
      },
      types: {
        type: 'object',
        minProperties: 1,
        additionalProperties: { enum: CONVERSIONS },
        description:
          'Claim to the type that it is converted to. A value that cannot be converted without loss refuses.',
      },
    },
  },
  prepare({ require, conditions, keep, drop, rename, copy, set, types }, setting) {
    const checks: Check[] = []
    if (require) checks.push(assertRequired(require))
    if (conditions) checks.push(assertConditions(conditions, setting))
    const changes: Change[] = []
    if (keep) changes.push(keepClaims(keep))
    if (drop) changes.push(dropClaims(drop))
    if (rename) changes.push(renameClaims(rename))
    if (copy) changes.push(copyClaims(copy))
    if (set) changes.push(setClaims(set, setting))
    if (types) changes.push(convertClaims(types))
    return {
      transform(draft, exchange) {
        for (const check of checks) check(draft, exchange)
        return changes.reduce((current, change) => change(current, exchange), draft)
      },
    }
  },
}
