import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Stage } from '../core/stage.ts'
import type { Draft } from '../core/token.ts'
import { lifetimeOf } from '../core/transaction.ts'
import { wrongOption } from './options.ts'
import { danger, scopeName, scopeNames } from './schema.ts'
import { type ScopeOptions, scopeIn } from './scope.ts'

export interface ValidityOptions {
  readonly lifetime?: number
  readonly danger_outlive_subject?: true
  readonly not_before?: 'keep' | 'now'
  readonly danger_start_earlier?: true
  readonly audience?: { readonly from: 'request' | 'subject' }
  readonly max_audiences?: number
  readonly scope?: ScopeOptions
}

/**
 * When, for whom and how far the output is valid. Narrows, unless a `danger_` option says otherwise.
 *
 * A draft comes in with the earliest of all expiries, the latest of all starts, the audience that was asked for as the
 * profile translates it, and the scope that was asked for and is held. Every number here is taken from the one reading of
 * the clock in the exchange.
 */
export const validity: Stage<ValidityOptions> = {
  name: 'validity',
  phase: 'meaning',
  summary: 'Says when, for whom and how far the output is valid; narrower than the input.',
  schema: {
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    properties: {
      lifetime: {
        type: 'integer',
        minimum: 1,
        description: 'Seconds from now after which the output expires, if the inputs do not expire sooner.',
      },
      danger_outlive_subject: danger(
        'The output may be valid longer than the tokens it was made from, up to `lifetime` and `max_lifetime`.',
      ),
      not_before: {
        enum: ['keep', 'now'],
        default: 'keep',
        description: 'When it becomes valid: as the inputs do, or, said explicitly, from `now` on.',
      },
      danger_start_earlier: danger('With `not_before: now`: from now on, even if an input becomes valid later.'),
      audience: {
        type: 'object',
        additionalProperties: false,
        required: ['from'],
        description: 'For whom.',
        properties: {
          from: {
            enum: ['request', 'subject'],
            description:
              'Whatever was asked for and `accept.targets` allows; or, of that, only what is in the audience of the `subject` token: anything else refuses.',
          },
        },
      },
      max_audiences: { type: 'integer', minimum: 1, description: 'Most targets at a time.' },
      scope: {
        type: 'object',
        additionalProperties: false,
        description: 'The scope: what was asked for, and the subject token has, and `allow` lists.',
        properties: {
          allow: scopeNames('What may be granted. Default: whatever the subject token has.'),
          default: {
            description:
              'What is granted when nothing is asked for; the word `subject`: all that may be granted. Default: nothing.',
            anyOf: [{ const: 'subject' }, scopeNames('Scopes.')],
          },
          map: {
            type: 'object',
            propertyNames: scopeName,
            additionalProperties: { anyOf: [scopeName, { ...scopeNames('Scopes.'), minItems: 1 }] },
            description: 'Scope of the subject token to the scope, or scopes, of the output that it stands for.',
          },
          strict: {
            type: 'boolean',
            default: false,
            description: 'Refuses when something that was asked for cannot be granted, instead of leaving it out.',
          },
          danger_widen_scope: danger('Grants what `allow` lists, whatever scope the subject token has.'),
        },
      },
    },
  },
  prepare(options) {
    const { audience, max_audiences, scope } = options
    if (options.danger_start_earlier && options.not_before !== 'now') {
      throw wrongOption('danger_start_earlier', '`not_before: now` with it')
    }
    const narrowScope = scope === undefined ? undefined : scopeIn(scope)
    return {
      scopes: narrowScope?.table,
      transform(draft, exchange) {
        if (audience?.from === 'subject') assertInSubjectAudience(draft, exchange)
        if (max_audiences !== undefined) assertCount(draft, max_audiences)
        const timed = withTimes(draft, exchange, options)
        return narrowScope === undefined ? timed : narrowScope.narrow(timed, exchange)
      },
    }
  },
}

function withTimes(draft: Draft, exchange: Exchange, options: ValidityOptions): Draft {
  const { now } = exchange
  const { notBefore } = draft.validity
  const expiresAt = Math.floor(Math.min(ceiling(draft, exchange, options), now + (options.lifetime ?? Infinity)))
  if (expiresAt <= now) {
    throw new DragomanError('ERR_TOKEN_EXPIRED', { detail: { expected: `after ${now}`, actual: expiresAt } })
  }
  const start = options.danger_start_earlier ? now : Math.max(notBefore ?? now, now)
  return {
    ...draft,
    validity: {
      ...draft.validity,
      issuedAt: now,
      notBefore: options.not_before === 'now' ? start : notBefore,
      expiresAt,
    },
  }
}

function ceiling({ validity }: Draft, exchange: Exchange, options: ValidityOptions): number {
  const { subject, actor, now } = exchange
  const drafted = validity.expiresAt ?? Infinity
  const inputs = Math.min(subject.validity.expiresAt ?? Infinity, actor?.validity.expiresAt ?? Infinity)
  const most = now + lifetimeOf(exchange)
  // What limits the draft more than the inputs do, such as the certificate of the signer, is not given up with them.
  if (options.danger_outlive_subject && drafted >= Math.floor(inputs)) return most
  return Math.min(drafted, most, options.danger_outlive_subject ? Infinity : inputs)
}

/** Down-scoping: the output is for some of those that the subject token is for, and for nobody else. */
function assertInSubjectAudience(draft: Draft, { subject }: Exchange): void {
  if (draft.validity.audience.every((value) => subject.validity.audience.includes(value))) return
  throw new DragomanError('ERR_PROFILE_TARGET', {
    detail: { expected: 'targets in the audience of the subject token' },
  })
}

function assertCount({ validity }: Draft, most: number): void {
  const actual = validity.audience.length
  if (actual <= most) return
  throw new DragomanError('ERR_PROFILE_TARGET_COUNT', { detail: { expected: `at most ${most} targets`, actual } })
}
