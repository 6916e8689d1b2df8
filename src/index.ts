/**
 * Dragoman as a library: a gateway in someone else's process, or its parts.
 *
 * Types are those of `src/core/`; every value that a codec, a stage, a client method or a proof from outside needs is here.
 */
export { builtin } from './catalog.ts'
export { createGateway, type Gateway, type GatewayOptions } from './compose.ts'
export { readConfiguration } from './config/read.ts'
export type { Configuration } from './config/types.ts'
export type { Algorithm } from './core/algorithms.ts'
export { algorithmNamed, algorithms, coseAlgorithm, verifySignature } from './core/algorithms.ts'
export type { AuditRecord, AuditSink, TraceEntry } from './core/audit.ts'
export type { Catalog, Extension } from './core/catalog.ts'
export type { Client, ClientClaim, ClientMethod, ClientTools, RegisteredClient } from './core/client.ts'
export type { Codec, Issuance, KindRules, Layout, Loss, Writer } from './core/codec.ts'
export { DragomanError, type ErrorCode, errors } from './core/errors.ts'
export type { Exchange, ExchangeResult, Services, TokenRequest } from './core/exchange.ts'
export type { Grant, GrantRules, Presented } from './core/grant.ts'
export type { KeyHint, KeyStore, PublicKey, Signer, VerificationKey } from './core/keys.ts'
export type { Ledger, LedgerEntry } from './core/ledger.ts'
export { type Danger, dangers, type Profile, type TokenAcceptance } from './core/profile.ts'
export type { Proof, ProofMethod, ProofTools } from './core/proof.ts'
export type { Prepared, Setting, Stage, Transform } from './core/stage.ts'
export type { ReplayStore } from './core/stores.ts'
export type {
  Confirmation,
  Draft,
  Envelope,
  Issued,
  Rendering,
  Token,
  Unverified,
  Validity,
  Verified,
} from './core/token.ts'
export type { Anchor, TrustedIssuer, TrustStore } from './core/trust.ts'
export { tokenDigests, tokenTypes } from './core/types.ts'
export { type Claims, map, sameValue, type Value, type ValueMap, withMember, without } from './core/value.ts'
export { exchangeToken } from './exchange/exchange.ts'
export type { Explanation } from './explain/types.ts'
export { fromBase64url, toBase64url } from './wire/base64url.ts'
export { publicKey, publicKeyFromJwk } from './wire/jwk.ts'
