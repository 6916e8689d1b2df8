import type { Envelope, TokenType } from './token.ts'

/** What a request presents as its subject token, under whatever names its grant has for it. */
export interface Presented {
  readonly subject_token: string
  readonly subject_token_type: TokenType
}

/**
 * One grant type of the token endpoint: where its form has the token, and what it calls a token that is refused. From
 * there on every grant is the same exchange.
 */
export interface Grant {
  /** What profiles call it: the last part of {@link type}. */
  readonly name: string
  /** The `grant_type` URI. */
  readonly type: string
  /** As what the token is read. A `grant` is in the compact serialization where its format has one. */
  readonly role: Envelope['role']
  /** What a client hears of a token that is refused (RFC 8693 §2.2.2, RFC 7523 §3.1). */
  readonly refused: 'invalid_request' | 'invalid_grant'
  /** @throws {@link DragomanError} `ERR_REQUEST_MISSING` */
  present(parameters: ReadonlyMap<string, string>): Presented
  /** What a profile of this grant takes where it says nothing, and what it cannot take whatever it says. */
  readonly rules: GrantRules
  /** By the kind of the token: the profile of the grant that metadata announces. */
  readonly profiles?: ReadonlyMap<string, string> | undefined
}

export interface GrantRules {
  /** The types that its token can have; absent: the request declares one. */
  readonly types?: readonly TokenType[] | undefined
  /** Default of `single_use`. */
  readonly singleUse?: boolean | undefined
  /** Seconds: default of `max_lifetime`. */
  readonly maxLifetime?: number | undefined
  /** Its tokens come from other issuers: one of this gateway would be redeemed where it was made. */
  readonly foreign?: boolean | undefined
}
