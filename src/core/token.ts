import type { KeyHint, PublicKey } from './keys.ts'
import type { TrustedIssuer } from './trust.ts'
import type { Claims, Value, ValueMap } from './value.ts'

/** A token type URI (RFC 8693 §3). */
export type TokenType = string

/** A token as it arrived: nothing in it is believed. */
export interface Envelope {
  readonly raw: string
  /** The declared type. It decides which codec reads the token; no other is tried (RFC 8693 §2.1). */
  readonly type: TokenType
  readonly role: 'subject' | 'grant' | 'actor' | 'client' | 'embedded'
}

/** Read, not believed: only what finds its key can be seen. */
export interface Unverified {
  /** Who it says signed it, one exact string; `undefined` where the format cannot say (X.509). */
  readonly issuer: string | undefined
  readonly hint: KeyHint
  /** The trust domain of a SPIFFE ID in `sub`, which finds the issuer of a JWT-SVID. */
  readonly trustDomain?: string | undefined
  /**
   * Checks the signature, and everything in the format's own rules, against one issuer.
   *
   * Does NOT check time, audience, kind, subject space or proof of possession: `exchange/` does, for all formats.
   *
   * @throws {@link DragomanError} `ERR_TOKEN_*` or `ERR_TRUST_*`
   */
  verify(issuer: TrustedIssuer, rules: FormatRules): Token | Promise<Token>
}

/** What a profile asks of a format beyond its own rules. */
export interface FormatRules {
  /** Seconds since the epoch. */
  readonly now: number
  /** Tolerance for clocks, in seconds. */
  readonly clockSkew: number
  /** The kind of token within the format, such as `at+jwt`, `jwt-svid`, `x509-svid`; absent: the plain kind. */
  readonly kind?: string | undefined
  /** X.509: which name becomes `sub`. */
  readonly subjectFrom?: string | undefined
  /** X.509: extended key usage that the leaf must carry, as OIDs. */
  readonly extendedKeyUsage?: readonly string[] | undefined
}

/** Decoded, whatever format it came in. */
export interface Token {
  /** Everything it says but what {@link Validity} and {@link Confirmation} hold, and `iss`/`jti`: see provenance. */
  readonly claims: Claims
  readonly validity: Validity
  /** Who may present it (`cnf`, RFC 7800 and 8747); `undefined`: a bearer token. */
  readonly confirmation: Confirmation | undefined
  /** How we know. */
  readonly provenance: Provenance
}

/** When, for whom, how far. Times are seconds since the epoch, integers on output. */
export interface Validity {
  readonly issuedAt: number | undefined
  readonly notBefore: number | undefined
  readonly expiresAt: number | undefined
  readonly audience: readonly string[]
  /** `undefined`: the token has no scope at all, which is not the same as an empty one. */
  readonly scope: readonly string[] | undefined
}

/**
 * The key that a presenter must hold. Several members all name the same key.
 * A codec that finds a method it cannot express here refuses the token rather than drop it.
 */
export interface Confirmation {
  /** The key itself, when the token carries it or a proof has shown it. */
  readonly publicKey?: PublicKey | undefined
  /** RFC 7638 thumbprint (RFC 9449 §6.1), base64url. */
  readonly jkt?: string | undefined
  /** SHA-256 of a certificate (RFC 8705 §3.1), base64url. */
  readonly x5tS256?: string | undefined
  /** COSE key thumbprint (RFC 9679), base64url of the bytes. */
  readonly ckt?: string | undefined
  /** Names of what stands beside them and is no confirmation method that is known (RFC 7800 §3.1): not carried on. */
  readonly ignored?: readonly string[] | undefined
}

/** How we know what a token says. */
export interface Provenance {
  readonly format: string
  /** The token type URI it was presented under. */
  readonly type: TokenType
  readonly issuer: string
  readonly trustDomain: string | undefined
  readonly algorithm: string
  /** Thumbprint of the verifying key; for X.509 that of the leaf's issuer. */
  readonly keyThumbprint: string
  /** Its kind within the format: `typ` without `application/`, lower case; `undefined` when it has none. */
  readonly kind: string | undefined
  /** Its identifier as text: `jti` as is, `b64:` + base64url of a `cti`, `sn:` + hex of a serial number. */
  readonly id: string | undefined
  /** SHA-256 in hex of issuer, format and identifier, or of the signed bytes where there is no identifier. */
  readonly replayKey: string
  /** SHA-256 in hex of the bytes that were signed. */
  readonly digest: string
  /** X.509: DER of the leaf certificate. */
  readonly certificate?: Uint8Array | undefined
}

declare const verified: unique symbol

/** A value that passed its check. Only `exchange/` makes one; a plain object will not do. */
export type Verified<T> = T & { readonly [verified]: true }

/** Something carried inside the output: a whole token, or its digest. */
export interface Embedded {
  readonly name: string
  /** `claim`: among the claims, in whatever way the format has; `header`: in the protected header (JWT, CWT). */
  readonly place: 'claim' | 'header'
  readonly value: Value
}

/** What the output will say. Stages take one and return the next. */
export interface Draft {
  readonly claims: Claims
  readonly validity: Validity
  readonly confirmation: Confirmation | undefined
  readonly embedded: readonly Embedded[]
  /** What a comparison of input and output could not tell: renamed, hashed, mapped. */
  readonly notes: readonly Note[]
}

/** A stage's word on what became of one claim. */
export interface Note {
  readonly claim: string
  readonly became: 'renamed' | 'narrowed' | 'hashed' | 'embedded' | 'mapped' | 'converted'
  readonly to?: string | undefined
  /** Of a mapped scope: the scope it stands for. */
  readonly from?: string | undefined
}

/** How the output is written: settled when the profile is loaded, the same for each of its tokens. */
export interface Rendering {
  readonly format: string
  /** The kind within the format: `at+jwt`, `jwt`, `jwt-svid`, `cwt`, `client`, `server`, `x509-svid`. */
  readonly kind: string | undefined
  /** Options of the `format`, `encoding` stages that the codec understands; checked against its schema at load. */
  readonly options: ValueMap
  /** The name of the key that signs. */
  readonly key: string | undefined
  /** Expected algorithm name; the key must be of it. */
  readonly algorithm: string | undefined
  /** Header members to add, and whether `kid` is written. */
  readonly header: ValueMap
  readonly kid: boolean
  /** Token type URI answered as `issued_token_type`; `undefined`: the codec's own for this kind and encoding. */
  readonly tokenType: TokenType | undefined
}

/** What has been issued. */
export interface Issued {
  readonly raw: string
  readonly tokenType: TokenType
  /** `Bearer`, `DPoP` or `N_A` (RFC 8693 §2.2.1): how an access token is used. */
  readonly usage: 'access_token' | 'N_A'
  /** Its identifier, in the text form of {@link Provenance.id}. */
  readonly id: string
}

/** What a token says under a claim's name, wherever the neutral form keeps it. */
export function claimOf({ claims, validity, provenance }: Token, name: string): Value | undefined {
  switch (name) {
    case 'iss':
      return provenance.issuer
    case 'jti':
      return provenance.id
    case 'aud':
      return validity.audience.length > 0 ? validity.audience : undefined
    case 'exp':
      return validity.expiresAt
    case 'nbf':
      return validity.notBefore
    case 'iat':
      return validity.issuedAt
    case 'scope':
      return validity.scope
    default:
      return claims[name]
  }
}
