import type { AcceptanceDefaults } from './acceptance.ts'
import type { Exchange } from './exchange.ts'
import type { Draft, Rendering } from './token.ts'
import type { Value, ValueMap } from './value.ts'

/** What one stage does to the draft of one exchange. Returns a new draft; a throw refuses the exchange. */
export type Transform = (draft: Draft, exchange: Exchange) => Draft | Promise<Draft>

/**
 * One translation, chosen and configured by a profile.
 *
 * A stage of the `meaning` phase says what the token says and runs for every exchange. A stage of the `writing` phase
 * says how it is written; it runs once, when the profile is loaded, since nothing in it depends on the exchange.
 */
export interface Stage<Options = never> {
  readonly name: string
  readonly phase: 'meaning' | 'writing'
  /** One sentence for the reference page. */
  readonly summary: string
  /** JSON Schema of its options, each with a `description`, and a `default` where it has one. */
  readonly schema: object
  /**
   * Checks and settles everything that can be settled before the first exchange.
   *
   * @throws {@link DragomanError} `ERR_PROFILE_OPTION`, with the path of the option in `detail.path`
   */
  prepare(options: Options, setting: Setting): Prepared
}

/** What a prepared stage does: to the draft of each exchange, to the rendering once, or both. */
export interface Prepared {
  readonly transform?: Transform | undefined
  readonly render?: ((rendering: Rendering) => Rendering) | undefined
  /**
   * Scope of the subject token to the scopes of the output that it may stand for, as the options say. Whatever a
   * transform does later, no other scope than these, and those that the token has, gets out.
   */
  readonly scopes?: ScopeTable | undefined
  /** A client's id here to the id by which the output may name it: for another authorization server. */
  readonly clients?: ReadonlyMap<string, string> | undefined
}

/** Scope of the subject token to those of the output that it stands for. */
export type ScopeTable = ReadonlyMap<string, readonly string[]>

/** What a stage may ask for when it is prepared. */
export interface Setting {
  readonly profile: string
  /** This gateway's issuer identifier. */
  readonly issuer: string
  /** Names of the proofs of possession that there are. */
  readonly proofMethods: readonly string[]
  /** For a stage that takes tokens itself: what stands where its `accept` says nothing. */
  readonly acceptance: AcceptanceDefaults
  /** Reads a file named in the profile, relative to it. */
  readFile(name: string): string
  /** A keyed-hash secret from the configuration, at least 32 bytes. */
  secret(name: string): Uint8Array
  /** Compiles an expression (CEL), with its limits. */
  expression(source: string): Expression
}

/** A compiled expression: total cost bounded, no side effects. */
export interface Expression {
  readonly source: string
  /** The CEL type of its result as far as it is known without running it: `bool`, `string`, …, `dyn`. */
  readonly type?: string
  /** @throws {@link DragomanError} `ERR_PROFILE_EXPRESSION` when it cannot be evaluated on these variables */
  evaluate(variables: ExpressionVariables): Value
}

export interface ExpressionVariables {
  readonly claims: ValueMap
  readonly subject: ValueMap
  readonly actor: ValueMap
  readonly client: ValueMap
  readonly request: ValueMap
  readonly proof: ValueMap
  readonly now: number
}
