import type { Exchange } from './exchange.ts'
import type { ExpressionVariables } from './stage.ts'
import type { TokenType } from './token.ts'
import type { Kind, Value } from './value.ts'

/** One kind of transaction: a row of a profile's table. Who may start it, and the most that a token for it can say. */
export interface TransactionKind {
  readonly name: string
  /** Ids of the clients that may. */
  readonly clients: readonly string[]
  /** Subject token types from which they may. */
  readonly types: readonly TokenType[]
  /** Whether a token for it may be about this subject. */
  about(subject: string): boolean
  /** The most scope. No client may have a scope from two kinds for one type, so that what is asked for names the kind. */
  readonly scope: readonly string[]
  /** Seconds: the longest life of a token for it. */
  readonly lifetime: number
  /** How often a token for it may have been replaced, this time included. */
  readonly replacements: number
  /** What `tctx` says, by member. */
  readonly details: ReadonlyMap<string, Member>
  /** What `rctx` says, by member. */
  readonly context: ReadonlyMap<string, Member>
}

/** One member of `tctx` or `rctx`. */
export interface Member {
  readonly type: Kind
  readonly required: boolean
  /** Values of which it must be one. */
  readonly among: readonly Value[] | undefined
  /** Makes its value, where that is not what the client sent under this name. */
  readonly make: ((variables: ExpressionVariables) => Value) | undefined
}

/** The transaction that a token is for, known before any stage runs. */
export interface Transaction {
  readonly kind: TransactionKind
  /** Its identifier: that of the token to be replaced, or a new one. */
  readonly txn: string
  /** Who has asked for a token of this transaction, oldest first, the client that asks last. */
  readonly requesters: readonly string[]
}

/** Seconds: the longest life of what an exchange gives out, whatever its stages say. */
export const lifetimeOf = ({ profile, transaction }: Pick<Exchange, 'profile' | 'transaction'>): number =>
  Math.min(profile.maxLifetime, transaction?.kind.lifetime ?? Infinity)
