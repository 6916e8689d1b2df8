import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Draft } from '../core/token.ts'
import { lifetimeOf } from '../core/transaction.ts'
import { sameValue } from '../core/value.ts'
import { isReplacement } from './frozen.ts'
import { fitsAll } from './members.ts'
import { CHAIN, chainOf } from './transaction.ts'

/**
 * Refuses a draft that says more than the row of its transaction lets it, whatever the stages were: another subject, more
 * scope, a longer life, members of `tctx` and `rctx` that the row does not have, lacks, or has of another type; another
 * `txn` or `req_wl`.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_SUBJECT_SPACE`, `ERR_PROFILE_SCOPE` when no scope is left, `ERR_PROFILE_WIDER`
 */
export function assertTransaction(draft: Draft, exchange: Exchange): void {
  const { transaction, client, subject, profile, now } = exchange
  if (transaction === undefined) return
  const { kind, txn } = transaction
  const { claims, validity } = draft
  const refuse = (expected: string): never => {
    throw new DragomanError('ERR_PROFILE_WIDER', { detail: { rule: 'transactions', transaction: kind.name, expected } })
  }
  const { sub } = claims
  if (typeof sub !== 'string' || !kind.about(sub)) {
    throw new DragomanError('ERR_TOKEN_SUBJECT_SPACE', {
      detail: { rule: 'transactions[].subjects', transaction: kind.name },
    })
  }
  const { scope = [], expiresAt = Infinity } = validity
  if (scope.length === 0) throw new DragomanError('ERR_PROFILE_SCOPE', { detail: { transaction: kind.name } })
  if (!scope.every((name) => kind.scope.includes(name))) refuse('scope that the transaction has')
  if (!(expiresAt <= now + lifetimeOf(exchange))) refuse(`exp within ${lifetimeOf(exchange)} seconds`)
  if (claims['txn'] !== txn) refuse('the txn of this transaction')
  if (claims['req_wl'] !== client.id) refuse('req_wl: the client that asks')
  if (!sameValue(claims[CHAIN], chainOf(transaction))) refuse(`${CHAIN}: those who have asked`)
  const earlier = isReplacement(subject, profile) ? subject.claims : undefined
  if (!fitsAll(claims['tctx'], kind.details, earlier?.['tctx'])) refuse('tctx with the members of `details`')
  if (!fitsAll(claims['rctx'], kind.context, earlier?.['rctx'])) refuse('rctx with the members of `context`')
}
