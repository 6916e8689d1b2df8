import { hash } from 'node:crypto'
import type { TokenType } from './token.ts'

const oauth = (name: string): TokenType => `urn:ietf:params:oauth:token-type:${name}`

/** Token type URIs (RFC 8693 §3, and for the formats without a registered one our own). */
export const tokenTypes = {
  accessToken: oauth('access_token'),
  idToken: oauth('id_token'),
  jwt: oauth('jwt'),
  /** A transaction token (draft-ietf-oauth-transaction-tokens). */
  txnToken: oauth('txn_token'),
  /** A JWT that the client that asks has signed about a subject of its own (transaction tokens §11.2.1). */
  selfSigned: oauth('self_signed'),
  /** A JSON object with `sub`, and no signature: the client's word (transaction tokens §11.2.2). */
  unsignedJson: oauth('unsigned_json'),
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

/**
 * Types that mean something of their own, so that a profile takes them by name only: a replacement, and what a client says
 * by itself.
 */
export const TAKEN_BY_NAME: ReadonlySet<TokenType> = new Set([
  tokenTypes.txnToken,
  tokenTypes.selfSigned,
  tokenTypes.unsignedJson,
])

/** Types whose issuer is the client that asks, and nobody else. */
export const OF_THE_CLIENT: ReadonlySet<TokenType> = new Set([tokenTypes.selfSigned, tokenTypes.unsignedJson])

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/**
 * The digests of {@link Provenance}: of the signed bytes, and the replay key, which is over issuer, format and identifier
 * where there is one. Never over a token's text: an ECDSA signature has a twin that verifies too.
 */
export function tokenDigests(issuer: string, format: string, id: string | undefined, signed: Uint8Array) {
  const digest = hash('sha256', signed, 'hex')
  return { digest, replayKey: id === undefined ? digest : hash('sha256', `${issuer}\0${format}\0${id}`, 'hex') }
}
