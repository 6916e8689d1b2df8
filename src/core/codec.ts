import type { Signer } from './keys.ts'
import type { Draft, Envelope, Issued, Rendering, TokenType, Unverified } from './token.ts'

/** One token format. Reads with {@link parse}, writes with what {@link prepare} returns. */
export interface Codec {
  /** `jwt`, `x509`, `cwt`. */
  readonly format: string
  /** The `subject_token_type` URIs that it reads. */
  readonly tokenTypes: readonly TokenType[]
  /** JSON Schema of the options that the `format` and `encoding` stages may set, and of the kinds it writes. */
  readonly kinds: readonly string[]
  readonly encodings: { readonly [option: string]: object }
  /** What a kind asks of whoever takes it, where a profile says nothing else. Absent: no kind asks for anything. */
  kindRules?(kind: string | undefined): KindRules | undefined
  /**
   * What `verify` finds depends on the token, the issuer's keys and the rules alone, not on the time: then a token that
   * was verified a moment ago need not be again. Not so for certificates, whose issuers expire too. Default: no.
   */
  readonly timeless?: boolean | undefined
  /**
   * `undefined`: not mine. A throw: mine, and wrong.
   *
   * Checks form only: sizes, encoding, structure, repeated names. Believes nothing.
   */
  parse(envelope: Envelope): Unverified | undefined
  /**
   * Settles everything that is the same for each token of a profile. Called once, when the profile is loaded.
   *
   * @throws {@link DragomanError} `ERR_PROFILE_RENDERING` when this rendering cannot work, saying what would
   */
  prepare(rendering: Rendering): Writer
}

/** What tokens of one kind have in common that only their receiver can check. */
export interface KindRules {
  /** They name their receiver by its issuer identifier, never by its token endpoint. */
  readonly audience?: 'issuer' | undefined
  /** The claim that names the client which may present them. */
  readonly client?: string | undefined
  /** The claim that names what they may be used for. */
  readonly limit?: string | undefined
  /** They are made for another gateway than the one that makes them. */
  readonly foreign?: boolean | undefined
}

/** Writes the tokens of one profile. */
export interface Writer {
  readonly tokenType: TokenType
  /** The output is an access token that its bearer can send to a resource server. */
  readonly usage: 'access_token' | 'N_A'
  /** The output is an authorization grant: for the authorization server of another domain. */
  readonly grant?: boolean | undefined
  /** At most one audience fits (RFC 8693 §2.1.1: several are then `invalid_target`). */
  readonly singleAudience: boolean
  /** The draft must be bound to a proved key, whole (X.509: the key goes into the certificate). */
  readonly needsKey: boolean
  /**
   * Claims that a token keeps when it is exchanged for another of its own type: such a token is replaced, not translated.
   * In a claim that is a map every member stays as it is, and others may be added. Absent: its type has no such rule.
   */
  readonly frozen?: readonly string[] | undefined
  /** Lays the token out: what is to be signed, and which claims the format could not carry. */
  lay(draft: Draft, issuance: Issuance): Layout
  /** Until when `signer` can sign for this format, in seconds; the CA's own notAfter for X.509. */
  ceiling(signer: Signer): number | undefined
}

/** What the gateway adds of its own to a token. */
export interface Issuance {
  readonly issuer: string
  readonly now: number
  /** 16 random bytes: `jti`, `cti`, or the serial number. */
  readonly id: Uint8Array
  readonly signer: Signer
}

export interface Layout {
  /** Claims that the format cannot carry, or carries changed. */
  readonly losses: readonly Loss[]
  readonly toBeSigned: Uint8Array
  finish(signature: Uint8Array): Issued
}

/** One claim that did not make it into the target format as it was. */
export interface Loss {
  readonly claim: string
  readonly became: 'lost' | 'converted'
  readonly reason: string
}
