import type { Algorithm, CryptoKey } from './algorithms.ts'
import type { ValueMap } from './value.ts'

/** A public key, with the forms other parts ask for. Made by `wire/jwk.ts`, which re-exports before it hashes. */
export interface PublicKey {
  readonly key: import('node:crypto').KeyObject
  /** Canonical JWK: only the members of RFC 7638 §3.2, re-exported from the parsed key, no `kid`, no `use`. */
  readonly jwk: ValueMap
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly jkt: string
  /** RFC 9679 SHA-256 thumbprint of the COSE_Key, base64url: another hash than {@link jkt}, over another encoding. */
  readonly ckt: string
}

/** A key that may verify, and with which algorithms: one key, one algorithm, unless RSA's owner did not say. */
export interface VerificationKey {
  readonly kid: string | undefined
  readonly algorithms: readonly Algorithm[]
  readonly publicKey: PublicKey
  /** The key as node:crypto wants it for `algorithm`; kept, because making it costs more than using it. */
  cryptoKey(algorithm: Algorithm): CryptoKey
}

/** What finds a key: everything here was chosen by whoever made the token, so it selects and never adds. */
export interface KeyHint {
  readonly kid?: string | undefined
  readonly algorithm?: Algorithm | undefined
  /** Of an X.509 chain: DER of the issuer name and authority key identifier of the last certificate presented. */
  readonly issuerName?: Uint8Array | undefined
  readonly authorityKeyId?: Uint8Array | undefined
}

/** Signs; the private key stays where it is. */
export interface Signer {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly publicKey: PublicKey
  /** DER certificates, the signer's own first, when the key belongs to a certification authority. */
  readonly chain: readonly Uint8Array[]
  /** JOSE/COSE form of the signature. A promise when the key is elsewhere or the algorithm is slow. */
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>
}

/** Where private keys live. None ever leaves its store; only a {@link Signer} does. */
export interface KeyStore {
  readonly name: string
  /** The signer in use under the configured key name, now. `undefined` when there is no such key. */
  signer(key: string): Signer | undefined
  /** Every key, current and still published, for JWKS, COSE key set and CA bundle. */
  all(): readonly Signer[]
}
