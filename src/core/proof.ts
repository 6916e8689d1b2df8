import type { TokenRequest } from './exchange.ts'
import type { PublicKey } from './keys.ts'
import type { ReplayStore } from './stores.ts'

/** A key whose possession was shown in this request. */
export interface Proof {
  /** `dpop` (RFC 9449), `mtls` (RFC 8705), `pkcs10` (RFC 2986: the signature of a certification request). */
  readonly method: string
  readonly publicKey: PublicKey
  /** `mtls`: DER of the certificate shown in the handshake. */
  readonly certificate?: Uint8Array | undefined
  /** `mtls`: SHA-256 of that certificate, base64url. */
  readonly x5tS256?: string | undefined
}

/** One way to show possession of a key. */
export interface ProofMethod {
  readonly name: string
  /** `undefined`: no such proof in the request. @throws {@link DragomanError} `ERR_PROOF_*`: there is one, and wrong */
  prove(request: TokenRequest, tools: ProofTools): Proof | undefined | Promise<Proof | undefined>
}

export interface ProofTools {
  readonly now: number
  readonly clockSkew: number
  /** The URL that a proof must name, from the configuration, never from the request's headers. */
  readonly tokenEndpoint: string
  readonly replay: ReplayStore
  readonly algorithms: readonly string[]
}
