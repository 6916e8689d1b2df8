import type { AuditSink } from './audit.ts'
import type { Client, ClientMethod, RegisteredClient } from './client.ts'
import type { Codec } from './codec.ts'
import type { Grant } from './grant.ts'
import type { KeyStore } from './keys.ts'
import type { Ledger } from './ledger.ts'
import type { Observer, TraceContext } from './observer.ts'
import type { Profile, ProfileSet, TokenAcceptance } from './profile.ts'
import type { Proof, ProofMethod } from './proof.ts'
import type { ReplayStore, VerifiedStore } from './stores.ts'
import type { Envelope, Token, TokenType, Verified } from './token.ts'
import type { Transaction } from './transaction.ts'
import type { TrustedIssuer, TrustStore } from './trust.ts'
import type { ValueMap } from './value.ts'

/**
 * A token request, parsed and checked for form; RFC 8693 parameters as on the wire. Of another grant the subject token is
 * what it presents in place of one. Nothing in it is believed.
 */
export interface TokenRequest {
  /** Ours, unique; told to the client in `X-Request-Id`, and in the audit record. */
  readonly id: string
  readonly grant_type: string
  readonly subject_token: string
  readonly subject_token_type: TokenType
  readonly actor_token: string | undefined
  readonly actor_token_type: TokenType | undefined
  readonly requested_token_type: TokenType | undefined
  readonly audience: readonly string[]
  readonly resource: readonly string[]
  readonly scope: readonly string[] | undefined
  /** What the client tells of its surroundings and of the call that it has before it (transaction tokens §11.1). */
  readonly request_context?: ValueMap | undefined
  readonly request_details?: ValueMap | undefined
  /** An extension of ours: a PKCS#10 request, PEM or base64url DER, whose key the output is to be bound to. */
  readonly csr: string | undefined
  readonly client_id: string | undefined
  readonly client_secret: string | undefined
  readonly client_assertion: string | undefined
  readonly client_assertion_type: string | undefined
  /** The `Authorization` header. */
  readonly authorization: string | undefined
  /** Every `DPoP` header field. */
  readonly dpop: readonly string[]
  /** The distributed trace that the request belongs to, where tracing is on. */
  readonly trace?: TraceContext | undefined
  /** DER of the certificates shown in the TLS handshake, leaf first; the leaf's key has been proved there. */
  readonly certificates: readonly Uint8Array[] | undefined
  /** Which endpoint was asked, where it is not the token endpoint: for the audit record. */
  readonly endpoint?: string | undefined
  /** The batch that it is one of, by the id of its HTTP request. */
  readonly batch?: string | undefined
  /** The one profile that may serve it, where the endpoint has one of its own. Never from the request itself. */
  readonly profile?: string | undefined
  /** What a proxy asks about, at an endpoint for proxies: the proofs above were made for that. */
  readonly forwarded?: ForwardedRequest | undefined
}

/**
 * The request that an authenticated proxy has before it and asks about. It is what the proxy says: nothing else vouches
 * for it.
 */
export interface ForwardedRequest {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Lower case, with its port if one was sent. */
  readonly host: string
  /** As sent, nothing decoded; it has no dot segments. */
  readonly path: string
  /** As sent, without the question mark; `undefined`: there is none. */
  readonly query: string | undefined
  /** The header fields that the configuration names, those that are there, by their names in lower case. */
  readonly headers: ValueMap
  /** DER of the certificates that the proxy saw in a handshake, leaf first, where it is trusted to say so. */
  readonly certificates: readonly Uint8Array[] | undefined
  /** Characters that the token may have, all of them visible ASCII: it is handed back in a header field. */
  readonly maxCharacters: number
}

/** What holds for several exchanges of one HTTP request: who asks, and the keys that were shown once for all of them. */
export interface Admission {
  readonly client: Verified<Client>
  readonly proofs: readonly Verified<Proof>[]
}

/** One request, from its parameters to its audit record. */
export interface Exchange {
  readonly id: string
  /** Seconds since the epoch, read once. */
  readonly now: number
  readonly request: TokenRequest
  readonly client: Verified<Client>
  readonly profile: Profile
  readonly subject: Verified<Token>
  readonly actor: Verified<Token> | undefined
  readonly proofs: readonly Verified<Proof>[]
  /** The transaction that the output is for, where the profile has a table of them. */
  readonly transaction?: Transaction | undefined
  /** Verifies one more token by rules of its own: one that was embedded in another. */
  verify(envelope: Envelope, acceptance: TokenAcceptance): Promise<Verified<Token>>
}

/** What a successful exchange gives back. */
export interface ExchangeResult {
  readonly access_token: string
  readonly issued_token_type: TokenType
  readonly token_type: 'Bearer' | 'DPoP' | 'N_A'
  /** Seconds. */
  readonly expires_in: number
  readonly scope: readonly string[] | undefined
  /** The confirmation inside the token, as JWT `cnf` members, where there is one. */
  readonly cnf: { readonly [method: string]: unknown } | undefined
  readonly ledger: Ledger
}

/** A token whose signature was verified, and by which keys it was: with others it has to be again. */
export interface VerifiedBefore {
  readonly token: Token
  readonly issuer: TrustedIssuer
  readonly epoch: number
}

/** Everything an exchange works with: one tenant's, shared with no other. */
export interface Services {
  readonly tenant: string
  /** The issuer identifier (RFC 8414). */
  readonly issuer: string
  /** The URL of the token endpoint as clients see it. */
  readonly tokenEndpoint: string
  /** Seconds since the epoch. */
  readonly clock: () => number
  readonly random: (bytes: number) => Uint8Array
  readonly clockSkew: number
  readonly codecs: readonly Codec[]
  readonly grants: readonly Grant[]
  readonly clientMethods: readonly ClientMethod[]
  readonly proofMethods: readonly ProofMethod[]
  /** Names of the algorithms accepted in proofs of possession. */
  readonly proofAlgorithms: readonly string[]
  readonly clients: { find(id: string): RegisteredClient | undefined }
  readonly profiles: ProfileSet
  readonly trust: TrustStore
  readonly keys: KeyStore
  readonly replay: ReplayStore
  /** Tokens whose signature has been verified lately; `undefined`: each is verified each time. */
  readonly verified?: VerifiedStore<VerifiedBefore> | undefined
  readonly audit: AuditSink
  /** Watches exchanges; absent: nobody does. */
  readonly observer?: Observer | undefined
  /** Hashes of subjects in audit records are keyed with it; absent: they are plain SHA-256. */
  readonly auditKey?: Uint8Array | undefined
}
