import { hash } from 'node:crypto'
import type { TokenType } from './token.ts'

const oauth = (name: string): TokenType => `urn:ietf:params:oauth:token-type:${name}`

/** Token type URIs (RFC 8693 §3, and for the formats without a registered one our own). */
export const tokenTypes = {
  accessToken: oauth('access_token'),
  idToken: oauth('id_token'),
  jwt: oauth('jwt'),
  /** An identity assertion JWT authorization grant: what is issued, never presented under this type. */
  idJag: oauth('id-jag'),
  /** JSON array of base64 DER certificates, leaf first, or the fixed string `mtls_client_certificate`. */
  mtls: oauth('mtls'),
  /** PEM certificates, leaf first. */
  x509: 'urn:dragoman:token-type:x509',
  /** One certificate: base64url of its DER, without padding. */
  x509Der: 'urn:dragoman:token-type:x509-der',
  /** base64url of the CBOR, without padding. */
  cwt: 'urn:dragoman:token-type:cwt',
  /** The same for a COSE_Sign1 without any tag: an array of four could be a COSE_Mac0, so the type has to say. */
  cwtSign1: 'urn:dragoman:token-type:cwt-sign1',
  /** The same for a COSE_Sign without any tag, which could be a COSE_Mac. */
  cwtSign: 'urn:dragoman:token-type:cwt-sign',
} as const

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/**
 * The digests of {@link Provenance}: of the signed bytes, and the replay key, which is over issuer, format and identifier
 * where there is one. Never over a token's text: an ECDSA signature has a twin that verifies too.
 */
export function tokenDigests(issuer: string, format: string, id: string | undefined, signed: Uint8Array) {
  const digest = hash('sha256', signed, 'hex')
  return { digest, replayKey: id === undefined ? digest : hash('sha256', `${issuer}\0${format}\0${id}`, 'hex') }
}
