import type { TokenRequest } from './exchange.ts'
import type { ReplayStore } from './stores.ts'
import type { Envelope, FormatRules, Token } from './token.ts'
import type { TrustedIssuer } from './trust.ts'

/** Who asked, once authenticated. */
export interface Client {
  readonly id: string
  /** The registered name of the method (RFC 7591, 8705), `subject_token` where the token stood for it, or `none`. */
  readonly method: string
}

/** A client as configured. */
export interface RegisteredClient {
  readonly id: string
  /** The one method it may use. */
  readonly method: string
  /** SHA-256 digests of its secrets; more than one during a change of secret. */
  readonly secretDigests: readonly Uint8Array[]
  /** Its keys (`private_key_jwt`) or the authorities of its certificates (`tls_client_auth`). */
  readonly issuer: TrustedIssuer | undefined
  /** `tls_client_auth`: exactly one expectation (RFC 8705 §2.1.2). */
  readonly certificate: CertificateExpectation | undefined
  /** `aud` values that its assertions may carry; the sole value, or one of them for the older rule. */
  readonly assertion: AssertionRules
  /** Every token issued to it must be DPoP-bound (RFC 9449 §5.2). */
  readonly dpopBound: boolean
}

export interface CertificateExpectation {
  readonly kind: 'subject_dn' | 'san_dns' | 'san_uri' | 'san_ip' | 'san_email'
  readonly value: string
}

export interface AssertionRules {
  /** `issuer`: only our issuer identifier, as sole value (7523bis §4). `legacy`: also the token endpoint (RFC 7523 §3). */
  readonly audience: 'issuer' | 'legacy'
  /** Seconds: an `exp` further ahead is refused. */
  readonly maxLifetime: number
  readonly requireJti: boolean
}

/** One client authentication method. */
export interface ClientMethod {
  /** The registered name, as in metadata. */
  readonly name: string
  /**
   * `undefined`: these credentials are not in the request. Otherwise who they say it is; nothing is believed yet.
   *
   * @throws {@link DragomanError} `ERR_REQUEST_*` or `ERR_CLIENT_*` when they are there and malformed
   */
  claim(request: TokenRequest): ClientClaim | undefined
  /** Resolves when the credentials are `client`'s. @throws {@link DragomanError} `ERR_CLIENT_*` */
  verify(claim: ClientClaim, client: RegisteredClient, tools: ClientTools): Promise<void> | void
}

export interface ClientClaim {
  readonly method: string
  readonly clientId: string
  readonly secret?: string | undefined
  readonly assertion?: string | undefined
  readonly chain?: readonly Uint8Array[] | undefined
}

export interface ClientTools {
  readonly now: number
  readonly clockSkew: number
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly replay: ReplayStore
  /** Parses and verifies an assertion or a certificate chain against the client's own keys. */
  verify(envelope: Envelope, issuer: TrustedIssuer, rules: FormatRules): Promise<Token>
}
