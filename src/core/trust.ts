import type { Algorithm } from './algorithms.ts'
import type { KeyHint, VerificationKey } from './keys.ts'

/** What an issuer's signatures are checked against. */
export interface Anchor {
  /**
   * Keys that may verify a token with this hint; none: the issuer has no such key.
   *
   * @throws {@link DragomanError} `ERR_TRUST_UNAVAILABLE` when the keys cannot be had for now
   */
  keys(hint: KeyHint, now: number): readonly VerificationKey[] | Promise<readonly VerificationKey[]>
  /** DER of the X.509 trust anchors; none: this issuer has no certificates. */
  authorities(now: number): Authorities | Promise<Authorities>
  /** Changes whenever a key was added or removed, so that a cache can tell. */
  readonly epoch: number
}

export interface Authorities {
  readonly anchors: readonly Uint8Array[]
  /** Intermediates that need not be presented. */
  readonly intermediates: readonly Uint8Array[]
}

/** An issuer we were told to believe, and how far. */
export interface TrustedIssuer {
  /** One exact string: compared code point by code point, never normalised. */
  readonly issuer: string
  readonly trustDomain: string | undefined
  readonly anchor: Anchor
  /** The algorithms this issuer may sign with. */
  readonly algorithms: readonly Algorithm[]
  /** Whether this issuer may speak of `subject`. */
  asserts(subject: string): boolean
  /** Trusted for the history in `act` (RFC 8693 §4.1). */
  readonly history: boolean
  /** Has certificates, keys or both: what a codec can ask of {@link anchor}. */
  readonly has: {
    readonly keys: boolean
    readonly certificates: boolean
    /** A client that is believed without a signature; see `danger_unsigned`. */
    readonly unsigned?: boolean | undefined
  }
}

/** The issuers of one tenant. */
export interface TrustStore {
  find(issuer: string): TrustedIssuer | undefined
  all(): readonly TrustedIssuer[]
}
