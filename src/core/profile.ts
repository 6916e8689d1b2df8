import type { Writer } from './codec.ts'
import type { Origin } from './place.ts'
import type { Expression, ScopeTable, Transform } from './stage.ts'
import type { Rendering, TokenType } from './token.ts'
import type { TransactionKind } from './transaction.ts'

/** Which tokens a profile takes in one role. */
export interface TokenAcceptance {
  readonly format: string
  readonly types: readonly TokenType[]
  /** The kind within the format; `undefined`: the plain kind only (an explicitly typed token of another kind refuses). */
  readonly kind: string | undefined
  /** Issuers, each one exact string; all must be in the tenant's trust. */
  readonly issuers: readonly string[]
  /** One of these must be in the token's audience; empty: the profile does not ask for one, by explicit setting. */
  readonly audience: readonly string[]
  /** Seconds. */
  readonly clockSkew: number
  /** Seconds from `iat` (or `nbf`); `undefined`: no limit beyond `exp`. */
  readonly maxAge: number | undefined
  /** Seconds ahead that `exp` may be; `undefined`: any. */
  readonly maxLifetime: number | undefined
  /** How the user must have authenticated; absent: in whatever way. */
  readonly authentication?: UserAuthentication | undefined
  /** The claim that names the client which may present it; `undefined`: any client that the profile names. */
  readonly forClient: string | undefined
  /** The claim that names the targets it may be used for; `undefined`: none does. */
  readonly limitedBy: string | undefined
  /** Claims that must be there. */
  readonly require: readonly string[]
  /** Each token is taken once, until it expires. */
  readonly singleUse: boolean
  /** `holder`: a bound token comes with its key's proof. `audience`: its resource server presents it, with its own key. */
  readonly presentedBy: 'holder' | 'audience'
  /** Access tokens of other issuers are taken as what they are; otherwise such a one comes as a JWT (RFC 8693 §3). */
  readonly foreignAccessTokens?: boolean | undefined
  readonly subjectFrom: string | undefined
  readonly extendedKeyUsage: readonly string[] | undefined
  /** Lowest acceptable signature algorithms; `undefined`: what the issuer is trusted with. */
  readonly algorithms: readonly string[] | undefined
}

/** How the user behind a token must have authenticated (RFC 9470). */
export interface UserAuthentication {
  /** One of these must be its `acr`; `undefined`: any, or none. */
  readonly acrValues: readonly string[] | undefined
  /** Seconds since its `auth_time`; `undefined`: any. */
  readonly maxAge: number | undefined
}

/** Who may use a profile, with what. */
export interface Acceptance {
  /** The `grant_type` that it serves. */
  readonly grant: string
  /** Client ids that it names. */
  readonly clients: readonly string[]
  /** The subject token stands for the authentication of its own workload, by explicit setting. */
  readonly subjectTokenAuthenticates: boolean
  readonly subject: TokenAcceptance
  /** `undefined`: an `actor_token` is refused. */
  readonly actor: TokenAcceptance | undefined
  readonly targets: Targets
}

/** What may be asked for in `audience` and `resource`, and what the output says for it. */
export interface Targets {
  /** Requested value → audience of the output. Exact strings. */
  readonly allowed: ReadonlyMap<string, string>
  /** When nothing was asked for. */
  readonly fallback: readonly string[]
  /**
   * What may be asked for in `resource` where that names something behind the target, which is an authorization server:
   * it is then no target, and stands in the claim `resource`. `undefined`: `resource` is a target like `audience`.
   */
  readonly resources?: ReadonlySet<string> | undefined
  /** Set by `danger_any_target`: any value passes as it is. */
  readonly open: boolean
}

/** One step of a profile, as listed. */
export interface Step {
  readonly stage: string
  /** Where it stands, such as `stages[2].validity`. */
  readonly path: string
  /** `undefined`: a writing stage, settled when the profile was loaded. */
  readonly transform: Transform | undefined
  /** The step is passed over when this is not true. */
  readonly when: Expression | undefined
  /** The scopes that it may put in place of others, settled when the profile was loaded. */
  readonly scopes?: ScopeTable | undefined
  /** The names that it may give to clients, settled likewise. */
  readonly clients?: ReadonlyMap<string, string> | undefined
}

/** A declared translation, checked whole, prepared and frozen. */
export interface Profile {
  readonly name: string
  readonly description: string | undefined
  /** SHA-256 in hex of the profile's text and of every file it read. */
  readonly digest: string
  readonly accepts: Acceptance
  readonly steps: readonly Step[]
  readonly rendering: Rendering
  readonly writer: Writer
  /** Name of the signing key. */
  readonly key: string
  /** Every `danger_` option that is on, with the path where it stands. */
  readonly dangers: ReadonlyMap<string, string>
  /** Claims which refuse the exchange when they are lost. */
  readonly mustKeep: readonly string[]
  /** Seconds: the ceiling on a token's lifetime. */
  readonly maxLifetime: number
  /** The transactions that may be started with it; `undefined`: it has no table of them. */
  readonly transactions?: readonly TransactionKind[] | undefined
  /** How the subject appears in the audit record. */
  readonly auditSubject: 'plain' | 'hashed' | 'absent'
  /** Where its parts stand; absent: it was not read from a file. */
  readonly origin?: Origin | undefined
}

/** Every exception to "never wider", and what else should be read twice. An option of this name must be set for it. */
export const dangers = {
  danger_outlive_subject: 'the output may be valid longer than the subject token, up to the profile ceiling',
  danger_start_earlier: 'the output may become valid before the subject token does',
  danger_any_target: 'any audience or resource may be asked for',
  danger_widen_scope: 'the output may carry scope that the subject token does not have',
  danger_drop_act: 'the delegation history of the subject token may be left out',
  danger_drop_confirmation: 'a sender-constrained token may become a bearer token',
  danger_unsigned: 'a subject token without any signature is taken at the word of the client that sends it',
  danger_embed_bearer: 'a subject token that is bound to no key may be carried whole inside the output',
} as const

export type Danger = keyof typeof dangers

/** The profiles of one tenant. */
export interface ProfileSet {
  readonly all: readonly Profile[]
  /** The profiles that name this client; for `undefined`, those whose subject token stands for authentication. */
  for(clientId: string | undefined): readonly Profile[]
  /**
   * Of {@link for}, those that could serve a request for this target; for `undefined`, one that names none. Found without
   * looking at the others, so that a tenant may have very many.
   */
  serving(clientId: string | undefined, target: string | undefined): readonly Profile[]
}
