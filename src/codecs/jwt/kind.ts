import type { KindRules } from '../../core/codec.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Draft, TokenType } from '../../core/token.ts'
import type { TrustedIssuer } from '../../core/trust.ts'
import type { Value, ValueMap } from '../../core/value.ts'
import type { ClaimsSet } from './read-claims.ts'

/** What sets one kind of JWT apart (RFC 8725 §3.12), read and written. */
export interface Kind {
  /** Written in the header. */
  readonly typ: string
  /** Has the compact form only, as all that RFC 7519 calls a JWT; the rest is taken and given in JSON as well. */
  readonly compactOnly: boolean
  readonly accessToken: boolean
  /** An authorization grant for another authorization server (RFC 7523 §2.1). */
  readonly grant: boolean
  /** What only its receiver can check. */
  readonly rules: KindRules
  /** Names of the algorithms that it may be signed with; `undefined`: any. */
  readonly algorithms: readonly string[] | undefined
  /** Members that its header may have; `undefined`: any. */
  readonly members: ReadonlySet<string> | undefined
  /** `iss` says whom to trust: always, where it is there, or never. */
  readonly byIssuer: boolean | 'named'
  readonly singleAudience: boolean
  /** The token type that is answered; `undefined`: that of any JWT. */
  readonly tokenType: TokenType | undefined
  /** Claims that a token of this kind keeps when it is replaced by another. */
  readonly frozen: readonly string[] | undefined
  /** Its claims under the names that they have now. */
  current(set: ValueMap): ValueMap
  /** @throws `ERR_TOKEN_KIND` for an explicit type that this kind does not have */
  assertTyp(typ: string | undefined): void
  /** @throws `ERR_PROFILE_REQUIRED` and others for a token that lacks what the kind demands */
  assertClaims(set: ClaimsSet, issuer: TrustedIssuer): void
  /** @throws `ERR_PROFILE_REQUIRED` and others for a draft of which no valid token of this kind can be made */
  assertDraft(draft: Draft): void
}

/** A kind without rules of its own. */
export const PLAIN: Kind = {
  typ: 'JWT',
  compactOnly: false,
  accessToken: false,
  grant: false,
  rules: {},
  algorithms: undefined,
  members: undefined,
  byIssuer: true,
  singleAudience: false,
  tokenType: undefined,
  frozen: undefined,
  current: (set) => set,
  assertTyp: () => {},
  assertClaims: () => {},
  assertDraft: () => {},
}

/** A claim that the rules of a kind ask for is not there. */
export const required = (claim: string, rule: string): DragomanError =>
  new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim, rule } })

/** Whether a claim names somebody: text, and not empty. */
export const isName = (value: Value | undefined): boolean => typeof value === 'string' && value !== ''

const APPLICATION = 'application/'

/** A `typ` as the name of a kind: lower case, and without the `application/` that may be left out (RFC 7515 §4.1.9). */
export function kindOf(typ: string | undefined): string | undefined {
  const kind = typ?.toLowerCase()
  return kind?.startsWith(APPLICATION) ? kind.slice(APPLICATION.length) : kind
}
