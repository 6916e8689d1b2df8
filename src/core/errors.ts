/** One reason for which an exchange, or a start, is refused. */
export interface Reason {
  /** What the client hears: RFC 6749 §5.2, 8693 §2.2.2, 8707, 9396, 9449. */
  readonly error: string
  readonly status: number
  /** What the client hears beside it. Printable ASCII without `"` and `\` (RFC 6749 §5.2). */
  readonly description: string
  /** For the operator: what is behind it. */
  readonly cause: string
  /** For the operator: what would make it pass. */
  readonly cure: string
  /** It is about the token: where that is a grant, the client hears the error of the grant (RFC 7523 §3.1). */
  readonly ofToken?: true
}

const reason = (error: string, status: number, description: string, cause: string, cure: string): Reason => ({
  error,
  status,
  description,
  cause,
  cure,
})

const badRequest = (description: string, cause: string, cure: string) =>
  reason('invalid_request', 400, description, cause, cure)

const badToken = (description: string, cause: string, cure: string): Reason => ({
  ...badRequest(description, cause, cure),
  ofToken: true,
})

// A refused token reads the same from outside whether its key is unknown or its signature wrong.
const UNTRUSTED = 'the token cannot be verified'
// So does a request that its token is not for.
const NOT_ALLOWED = 'the token is not for this request'

/**
 * Every reason code: the code is the contract. The prefix says whose fault it is: the request's, the client's, the
 * token's, the proof's, the profile's, the trust configuration's, a key's, a store's.
 */
export const errors = {
  // The request
  ERR_REQUEST_METHOD: reason(
    'invalid_request',
    405,
    'use POST',
    'The token endpoint was called with another method than POST.',
    'Send a POST request.',
  ),
  ERR_REQUEST_ENDPOINT: reason(
    'invalid_request',
    404,
    'no such endpoint',
    'No tenant has an endpoint at this path, or several share the path and none has this host.',
    'Take the URLs from the metadata of the issuer.',
  ),
  ERR_REQUEST_READ_ONLY: reason(
    'invalid_request',
    405,
    'use GET',
    'A published document was asked for with another method than GET.',
    'Send a GET request.',
  ),
  ERR_REQUEST_HTTP: badRequest(
    'the request cannot be read',
    'What arrived on the connection is not an HTTP request that can be answered.',
    'Send HTTP/1.1, to the listener that speaks TLS if it is to be HTTPS.',
  ),
  ERR_REQUEST_HEADERS: reason(
    'invalid_request',
    431,
    'the header fields are too large',
    'The header fields exceed the limit of the listener. A DPoP proof with an ML-DSA key alone takes 6 to 11 KiB.',
    'Send smaller header fields.',
  ),
  ERR_REQUEST_TIMEOUT: reason(
    'invalid_request',
    408,
    'the request took too long',
    'The request did not arrive whole within the time that the listener gives it.',
    'Send header and body without pause.',
  ),
  ERR_REQUEST_MEDIA_TYPE: badRequest(
    'the body must be application/x-www-form-urlencoded',
    'The request has another media type, often JSON.',
    'Send form parameters, as RFC 8693 asks.',
  ),
  ERR_REQUEST_TOO_LARGE: reason(
    'invalid_request',
    413,
    'the request is too large',
    'The body exceeds the limit of `limits.body_bytes`, or a batch that of `batch.body_bytes`.',
    'Send smaller tokens, or raise the limit.',
  ),
  ERR_REQUEST_FORM: badRequest(
    'the form cannot be parsed',
    'Percent-encoding or UTF-8 is malformed, or there are too many parameters, or one is too long.',
    'Encode the form as RFC 6749 appendix B says; see `detail` for the parameter.',
  ),
  ERR_REQUEST_REPEATED: badRequest(
    'a parameter is repeated',
    'A parameter other than `audience` and `resource` was sent twice.',
    'Send it once.',
  ),
  ERR_REQUEST_MISSING: badRequest(
    'a required parameter is missing',
    'A required parameter is absent or empty.',
    'Send the parameter that `detail.parameter` names.',
  ),
  ERR_REQUEST_ACTOR: badRequest(
    'actor_token and actor_token_type go together',
    'One of the two was sent without the other.',
    'Send both, or neither.',
  ),
  ERR_REQUEST_GRANT: reason(
    'unsupported_grant_type',
    400,
    'the grant type is not supported',
    '`grant_type` is not one that this gateway serves.',
    'Use one of `grant_types_supported` in the metadata.',
  ),
  ERR_REQUEST_RESOURCE: reason(
    'invalid_target',
    400,
    'resource must be an absolute URI without fragment',
    '`resource` is relative, unparseable or has a fragment (RFC 8707 section 2).',
    'Send an absolute URI, or use `audience` for a logical name.',
  ),
  ERR_REQUEST_SCOPE: reason(
    'invalid_scope',
    400,
    'the scope is malformed',
    '`scope` breaks the grammar of RFC 6749 section 3.3.',
    'Separate scope tokens by one space each.',
  ),
  ERR_REQUEST_DETAILS: reason(
    'invalid_authorization_details',
    400,
    'authorization_details are not supported',
    'The request carries `authorization_details`; no type of them is understood here, and a restriction must not be ignored.',
    'Leave the parameter out.',
  ),
  ERR_REQUEST_CONTEXT: badRequest(
    'request_context and request_details must be JSON objects',
    '`request_context` or `request_details` is no JSON object, or is larger or deeper than it may be.',
    'Send the text of one JSON object, not base64url of it.',
  ),
  ERR_REQUEST_TOKEN_TYPE: badRequest(
    'the token type is not supported',
    '`subject_token_type` or `actor_token_type` names a type that no codec reads, or that no profile accepts.',
    'Declare the type the token really has; `detail.supported` lists those that would do.',
  ),
  ERR_REQUEST_CSR: badRequest(
    'the certification request cannot be used',
    '`csr` is not a PKCS#10 request in strict DER, its signature does not verify, or its key is of a kind that is not accepted.',
    'Make it with `openssl req -new`; `detail` says what was wrong.',
  ),

  ERR_REQUEST_BATCH: badRequest(
    'the batch cannot be read',
    'The body is not a JSON object with a list of items within the limits, or their ids do not tell them apart; `detail` says what.',
    'See the how-to page on batches; split what is too large.',
  ),
  ERR_REQUEST_FORWARDED: badRequest(
    'the request that is asked about cannot be told',
    'A proxy asks, and what it says of the request before it is absent, said twice, or not of its form; `detail` says what.',
    'Have the proxy set the fields that `forward_auth[].request_from` names, and let no client set them.',
  ),

  // What a service was asked with a token: thrown by `dragoman/verify`, never by a gateway
  ERR_REQUEST_INSUFFICIENT_SCOPE: reason(
    'insufficient_scope',
    403,
    NOT_ALLOWED,
    'The token lacks a scope that the request needs.',
    'Get a token with the scope in `detail.scope`.',
  ),
  ERR_REQUEST_UNLISTED: reason(
    'insufficient_scope',
    403,
    NOT_ALLOWED,
    'No rule in `requests` is for this method and path, or the path can be read in more than one way.',
    'Add a rule; write the path without empty, dot and encoded-slash segments.',
  ),
  ERR_REQUEST_ALTERED: reason(
    'insufficient_scope',
    403,
    NOT_ALLOWED,
    'A part of the request is not what `tctx` of the token says, or one of the two is missing.',
    'Send what the transaction was started with; `detail.differs` names what differs.',
  ),

  // The client
  ERR_CLIENT_MISSING: reason(
    'invalid_client',
    401,
    'client authentication is required',
    'The request carries no client credentials, and no profile lets its subject token stand for them.',
    'Authenticate with the method the client is registered for.',
  ),
  ERR_CLIENT_SEVERAL: badRequest(
    'more than one client authentication method',
    'Credentials of two methods are in one request (RFC 6749 section 2.3).',
    'Send one kind only.',
  ),
  ERR_CLIENT_MALFORMED: reason(
    'invalid_client',
    401,
    'the client credentials are malformed',
    'The Authorization header or the client assertion cannot be parsed.',
    'Form-encode id and secret before base64 (RFC 6749 section 2.3.1); send one compact JWT as assertion.',
  ),
  ERR_CLIENT_UNKNOWN: reason(
    'invalid_client',
    401,
    'client authentication failed',
    'No client of this id is configured in this tenant.',
    'Add it under `clients`, or correct the id.',
  ),
  ERR_CLIENT_METHOD: reason(
    'invalid_client',
    401,
    'client authentication failed',
    'The client used another method than the one it is registered for.',
    'Use `token_endpoint_auth_method` as configured.',
  ),
  ERR_CLIENT_SECRET: reason(
    'invalid_client',
    401,
    'client authentication failed',
    'The secret is not one of the client.',
    'Send the current secret.',
  ),
  ERR_CLIENT_ASSERTION: reason(
    'invalid_client',
    401,
    'client authentication failed',
    'The client assertion fails: signature, issuer, subject, audience, time or type; `detail` says which.',
    'Make `iss` and `sub` the client id, `aud` the issuer identifier as the only value, and `exp` near.',
  ),
  ERR_CLIENT_ASSERTION_REPLAYED: reason(
    'invalid_client',
    401,
    'client authentication failed',
    'An assertion with this `jti` has been used.',
    'Make a new assertion for each request.',
  ),
  ERR_CLIENT_CERTIFICATE: reason(
    'invalid_client',
    401,
    'client authentication failed',
    'The TLS certificate does not lead to the authority configured for the client, or its name is not the registered one.',
    'Present the registered certificate to the TLS listener.',
  ),
  ERR_CLIENT_SLOWED: reason(
    'invalid_client',
    429,
    'too many failed attempts',
    'Too many failed authentications for this client within a minute.',
    'Wait as long as Retry-After says; look for someone guessing.',
  ),

  // Profiles: which translation, if any
  ERR_PROFILE_NONE: reason(
    'unauthorized_client',
    400,
    'the client may not use this grant',
    'No profile of this grant names this client.',
    'Add the client to `accept.clients` of a profile whose `accept.grant` it is.',
  ),
  ERR_PROFILE_SUBJECT_TYPE: reason(
    'unauthorized_client',
    400,
    'the client may not present this type of token',
    'There is a profile for this subject token type, and it does not name this client.',
    'Present one of `detail.supported`, or add the client to the profile.',
  ),
  ERR_PROFILE_REQUESTED_TYPE: badRequest(
    'the requested token type is not available',
    'No profile of the client issues `requested_token_type` from this subject token type.',
    'Ask for one of `detail.available`, or leave the parameter out.',
  ),
  ERR_PROFILE_TARGET: reason(
    'invalid_target',
    400,
    'the target is not available',
    'No profile of the client serves this audience or resource.',
    'Add it to `accept.targets`, or ask for one that is there.',
  ),
  ERR_PROFILE_TARGET_COUNT: reason(
    'invalid_target',
    400,
    'too many targets',
    'The output can be for one audience only: its format has room for one, or its subject is made for one.',
    'Ask for one target at a time.',
  ),
  ERR_PROFILE_TARGET_MISSING: reason(
    'invalid_target',
    400,
    'a target is required',
    'The request names no audience or resource, and the profile has no default.',
    'Send `audience` or `resource`, or set `accept.targets.default`.',
  ),
  ERR_PROFILE_AMBIGUOUS: badRequest(
    'more than one exchange would serve this request',
    'Several profiles match.',
    'Send `requested_token_type` or a target that only one of `detail.profiles` serves.',
  ),
  ERR_PROFILE_SCOPE: reason(
    'invalid_scope',
    400,
    'the scope exceeds what may be granted',
    'A requested scope is not in the subject token or not in the profile; nothing else was asked for, or the profile is strict.',
    'Ask for less. With `validity.scope.strict` off, what cannot be granted is left out as long as something can.',
  ),
  ERR_PROFILE_TRANSACTION: reason(
    'unauthorized_client',
    400,
    'the client may not start this transaction',
    'The scope belongs to a transaction of another client, comes from another type of token, or was replaced often enough.',
    'See `transactions` of the profile: the row, its clients, subject token types and replacements.',
  ),
  ERR_PROFILE_CONTEXT: badRequest(
    'what is told of the request does not fit this transaction',
    'A member of `request_details` or `request_context` is missing, is not one that the transaction has, or is of another type.',
    'Send the members that `details` and `context` of the transaction list; see `detail.member`.',
  ),
  ERR_PROFILE_FROZEN: badRequest(
    'a replacement does not change what the token says',
    'The output is of the same type as the subject token, which keeps what it says of the transaction; more can be added to it.',
    'Leave out the member that `detail` names, or start another transaction.',
  ),
  ERR_PROFILE_REQUIRED: badToken(
    'the token lacks what this exchange requires',
    'A claim that the profile requires is absent or of the wrong type.',
    'Have the issuer add it, or take it out of `require`.',
  ),
  ERR_PROFILE_CONDITION: badToken(
    'the token is not acceptable for this exchange',
    'A condition of the profile is false for this request.',
    'See the condition at `detail.path`.',
  ),
  ERR_PROFILE_EXPRESSION: badToken(
    'the token is not acceptable for this exchange',
    'An expression of the profile failed on this request: a claim it reads is absent or of another type, or it exceeds a limit.',
    'Guard it with `has(...)`, or require the claim.',
  ),
  ERR_PROFILE_CLIENT: reason(
    'unauthorized_client',
    400,
    'the client is not known at the target',
    'The profile has no name for this client at the authorization server that the token is for.',
    'Add a row to `sender_constraint.client.map`.',
  ),
  ERR_PROFILE_LOOKUP: badToken(
    'the subject is not known here',
    'The lookup table has no row for this subject.',
    'Add a row, or set a default.',
  ),
  ERR_PROFILE_SUBJECT: badToken(
    'the subject cannot be expressed',
    'The subject that the profile makes is empty, too long, or breaks the syntax of its kind.',
    'See `detail.expected`.',
  ),
  ERR_PROFILE_LOSS: badToken(
    'the exchange would lose what must be kept',
    'A claim listed in `must_keep` cannot be carried by the target format or was dropped by a stage.',
    'Carry it (a context stage, a claims extension), or take it out of `must_keep`.',
  ),
  ERR_PROFILE_WIDER: badToken(
    'the exchange would widen the token',
    'After the stages, the output would have more lifetime, audience, scope, or less history or binding than the input.',
    'Narrow the profile; `detail.rule` names the `danger_` option that would allow it.',
  ),
  ERR_PROFILE_HEADER: reason(
    'server_error',
    500,
    'the token does not fit into a header field',
    'What was issued for a proxy is longer than `forward_auth[].max_token_bytes`, or is not visible ASCII.',
    'Keep fewer claims or a shorter signature; or raise the limit, and the buffers of the proxy with it.',
  ),
  ERR_PROFILE_ACTOR_REFUSED: badRequest(
    'an actor token is not accepted here',
    'The request carries `actor_token`, and the profile has no `accept.actor`.',
    'Leave it out, or let the profile use it.',
  ),
  ERR_PROFILE_ACTOR_MISSING: badRequest(
    'an actor token is required',
    'The profile builds `act` from an actor token and the request has none.',
    'Send `actor_token` and `actor_token_type`.',
  ),
  ERR_PROFILE_EMBEDDED: badToken(
    'the embedded token is not acceptable',
    'The token to be taken out of the subject token is absent or fails its own rules; or the subject token may not be carried inside the output.',
    'See `detail` for the claim and the reason code inside, or for what is carried.',
  ),

  // Profiles and configuration, when they are loaded: these stop the start
  ERR_PROFILE_SYNTAX: reason(
    'server_error',
    500,
    'the gateway is misconfigured',
    'The file cannot be read, or is no YAML.',
    'See the file, or the line and column in it.',
  ),
  ERR_PROFILE_SCHEMA: reason(
    'server_error',
    500,
    'the gateway is misconfigured',
    'The profile or configuration does not fit its schema.',
    'See the path and what would be right there.',
  ),
  ERR_PROFILE_OPTION: reason(
    'server_error',
    500,
    'the gateway is misconfigured',
    'An option has the right shape and cannot work.',
    'See `detail.expected`.',
  ),
  ERR_PROFILE_ORDER: reason(
    'server_error',
    500,
    'the gateway is misconfigured',
    'The stages are listed in an order that cannot work.',
    'Put what the token says before how it is written.',
  ),
  ERR_PROFILE_RENDERING: reason(
    'server_error',
    500,
    'the gateway is misconfigured',
    'Format, encoding and crypto of the profile do not go together.',
    'See `detail.expected`.',
  ),

  // The token
  ERR_TOKEN_MALFORMED: badToken(
    'the token cannot be parsed',
    'The token is not well-formed for its declared type; `detail` says where.',
    'Check that the whole token was sent and that its type is right.',
  ),
  ERR_TOKEN_TOO_LARGE: badToken(
    'the token is too large',
    'The token exceeds a limit on bytes, depth or count.',
    'See `detail.expected`.',
  ),
  ERR_TOKEN_DUPLICATE: badToken(
    'the token names something twice',
    'A member, key, label, extension or claim is repeated.',
    'Have the issuer mend it: readers disagree about which one counts.',
  ),
  ERR_TOKEN_ALGORITHM: badToken(
    UNTRUSTED,
    "The algorithm is unknown, `none`, symmetric, not allowed for this issuer or profile, or not the key's.",
    'Allow it under `algorithms` of the issuer if it is meant.',
  ),
  ERR_TOKEN_HEADER: badToken(
    'the token has a header that is not accepted',
    'A critical header is not understood, a member has the wrong type, or one is not allowed in this kind of token.',
    'See `detail.member`.',
  ),
  ERR_TOKEN_SIGNATURE: badToken(
    UNTRUSTED,
    'The signature does not verify with the key found.',
    'The token was altered, or signed with another key under the same `kid`.',
  ),
  ERR_TOKEN_CLAIM: badToken(
    'the token has a claim of the wrong type',
    'A registered claim has another type than its definition says.',
    'See `detail.claim`.',
  ),
  ERR_TOKEN_EXPIRED: badToken(
    'the token has expired',
    'The current time is on or after `exp` (or notAfter), skew included.',
    'Get a fresh token; compare the clocks.',
  ),
  ERR_TOKEN_NOT_YET_VALID: badToken(
    'the token is not yet valid',
    'The current time is before `nbf` (or notBefore), or `iat` is in the future, skew included.',
    'Compare the clocks.',
  ),
  ERR_TOKEN_TOO_OLD: badToken(
    'the token is too old',
    'It was issued longer ago than the profile accepts.',
    'Get a fresh token, or raise `max_age`.',
  ),
  ERR_TOKEN_LIFETIME: badToken(
    'the token is valid for too long',
    'Its expiry is further ahead than the profile accepts.',
    'Get a token with a shorter life, or raise `max_lifetime`.',
  ),
  ERR_TOKEN_AUTHENTICATION: reason(
    'insufficient_user_authentication',
    400,
    'the user has to authenticate again, or in a stronger way',
    'The token is good, but says that its user authenticated too long ago, or in another way than the profile asks for (RFC 9470), or does not say how.',
    'Have the user authenticate with the `acr_values` and `max_age` of the answer, or see `authentication` of `accept.subject`.',
  ),
  ERR_TOKEN_CLIENT: badToken(
    'the token is for another client',
    'The claim that names the client which may present it is absent or names another.',
    'Have it issued for this client, or see `for_client` of `accept.subject`.',
  ),
  ERR_TOKEN_NO_EXPIRY: badToken(
    'the token has no expiry',
    'A token that never expires is not exchanged.',
    'Have the issuer set `exp`.',
  ),
  ERR_TOKEN_AUDIENCE: badToken(
    'the token is for another audience',
    'None of the audiences that the profile accepts is in the token.',
    'Have it issued for this gateway, or list its audience in `accept.subject.audience`.',
  ),
  ERR_TOKEN_KIND: badToken(
    'the token is of another kind',
    'Its explicit type (`typ`) is not the one the profile accepts.',
    'Present the right kind of token, or set `accept.subject.kind`.',
  ),
  ERR_TOKEN_REPLAYED: badToken(
    'the token has been used',
    'The profile takes each token once, and this one has been exchanged.',
    'Get a fresh token.',
  ),
  ERR_TOKEN_SUBJECT_SPACE: badToken(
    'the token is not acceptable',
    'The issuer is not trusted to speak of this subject.',
    'Correct `subjects` of the issuer if it is meant.',
  ),
  ERR_TOKEN_SUBJECT: badToken(
    'the token has no usable subject',
    'There is no subject, or several of the selected kind.',
    'See `detail`; for X.509 choose another `subject_from`.',
  ),
  ERR_TOKEN_ACT: badToken(
    'the act claim is not acceptable',
    '`act` is malformed, too deep, too large, or from an issuer that is not trusted for history.',
    'See `detail.expected`.',
  ),
  ERR_TOKEN_PATH: badToken(
    'the path of the token is not acceptable',
    '`trust_path` is malformed, longer than the profile takes, leads through this gateway already, or is from an issuer that is not trusted for history.',
    'See `detail.expected`; `embedding.path` of the profile says what is taken.',
  ),
  ERR_TOKEN_MAY_ACT: badToken(
    'the acting party is not permitted',
    '`may_act` of the subject token names another actor.',
    'Let the named party act, or have the token issued for this one.',
  ),
  ERR_TOKEN_CONFIRMATION: badToken(
    'the token is bound to a key in a way that is not understood',
    '`cnf` holds no method that is known here, one that cannot be carried on, more than one key, or private material.',
    'Use `jkt`, `x5t#S256` or a public `jwk`.',
  ),
  ERR_TOKEN_UNPROVED: badToken(
    'the key that the token is bound to was not proved',
    'The token is sender-constrained and no proof by its key came with the request.',
    'Send the DPoP proof, or connect with the certificate, that the token is bound to.',
  ),
  ERR_TOKEN_CRITICAL: badToken(
    'the certificate has a critical extension that is not understood',
    'An extension marked critical is unknown here.',
    'Use a certificate without it.',
  ),

  // Proofs of possession
  ERR_PROOF_DPOP: reason(
    'invalid_dpop_proof',
    400,
    'the DPoP proof is not acceptable',
    'The proof fails one of the checks of RFC 9449 section 4.3; `detail` says which.',
    'See `detail.check`.',
  ),
  ERR_PROOF_REPLAYED: reason(
    'invalid_dpop_proof',
    400,
    'the DPoP proof is not acceptable',
    'A proof with this `jti` has been used.',
    'Make a new proof for each request.',
  ),
  ERR_PROOF_NONCE: reason(
    'use_dpop_nonce',
    400,
    'a DPoP nonce is required',
    'The proof has no nonce, or one that was given too long ago (RFC 9449 section 8).',
    'Make a new proof with the value of the DPoP-Nonce header.',
  ),
  ERR_PROOF_CERTIFICATE: badRequest(
    'the client certificate cannot be used',
    'The certificate of the TLS handshake is not strict DER, or has a key of a kind that is not accepted.',
    'Connect with another certificate, or with none; `detail` says what was wrong.',
  ),
  ERR_PROOF_REQUIRED: badToken(
    'a proof of possession is required',
    'The profile, the format or the client demands a key whose possession was proved in this request.',
    'Send what `detail.expected` names: a DPoP proof, a client certificate, or `csr`.',
  ),
  ERR_PROOF_MISMATCH: badToken(
    'the proved key is not the one the token is bound to',
    'A good proof came, by another key than the one in `cnf`.',
    'Prove possession of the key that the token names.',
  ),

  // Trust in issuers
  ERR_TRUST_ISSUER: badToken(
    UNTRUSTED,
    'The issuer is not one that the profile accepts, or not one that is configured.',
    'Add it under `issuers` and to `accept.subject.issuers`, character for character.',
  ),
  ERR_TRUST_KEY: badToken(
    UNTRUSTED,
    'The issuer has no key that fits the token, also after asking it again.',
    'Check `kid` and the published keys; `detail` says when they were fetched.',
  ),
  ERR_TRUST_PATH: badToken(
    UNTRUSTED,
    'No certification path to a configured anchor passes RFC 5280; `detail` says what the best one lacked.',
    'Present the whole chain, or configure the intermediate.',
  ),
  ERR_TRUST_UNAVAILABLE: reason(
    'temporarily_unavailable',
    503,
    'the issuer of the token cannot be reached',
    "The issuer's keys are not known and could not be fetched; nothing is said about the token.",
    'Retry after the time given; `detail` says what the fetch met.',
  ),
  ERR_TRUST_CONFIG: reason(
    'server_error',
    500,
    'the gateway is misconfigured',
    "A trusted issuer's keys or certificates cannot be used.",
    'See `detail.expected`.',
  ),

  // Our own keys and stores
  ERR_KEY_CONFIG: reason(
    'server_error',
    500,
    'the gateway is misconfigured',
    'A key cannot be loaded, or does not fit its algorithm.',
    'See `detail.expected`.',
  ),
  ERR_KEY_UNAVAILABLE: reason(
    'temporarily_unavailable',
    503,
    'the gateway cannot sign at the moment',
    'The key store did not answer.',
    'Look at the key store; retry.',
  ),
  ERR_STORE_UNAVAILABLE: reason(
    'temporarily_unavailable',
    503,
    'the gateway cannot accept the request at the moment',
    'The replay store is full or cannot be reached, and a use that cannot be recorded is refused.',
    'Raise its capacity, or restore the store.',
  ),
  ERR_AUDIT_UNAVAILABLE: reason(
    'temporarily_unavailable',
    503,
    'the gateway cannot accept the request at the moment',
    'The audit stream cannot be written, and an exchange without a record is refused.',
    'Let the file be written; free the disk.',
  ),
  ERR_OVERLOADED: reason(
    'temporarily_unavailable',
    503,
    'the gateway is busy',
    'More requests are waiting than can be answered in time.',
    'Retry after the time given; add capacity.',
  ),
  ERR_INTERNAL: reason(
    'server_error',
    500,
    'the gateway failed',
    'Something failed that has no reason code: a defect.',
    'Report it with the request id.',
  ),
} as const satisfies Record<string, Reason>

export type ErrorCode = keyof typeof errors

/** What a client hears for a code, when what it presents is called as `grant` calls it. */
export function errorHeard(code: ErrorCode, grant: { readonly refused: string } | undefined): string {
  const { error, ofToken }: Reason = errors[code]
  return ofToken && grant ? grant.refused : error
}

/** What was expected and found. Names, numbers and rules only: never a token, a key, a secret. */
export type Detail = { readonly [name: string]: unknown }

/** The one class that Dragoman throws for what goes wrong; misuse of its API is a `TypeError`. */
export class DragomanError extends Error {
  override readonly name = 'DragomanError'
  readonly code: ErrorCode
  readonly detail: Detail
  /** Seconds after which a retry makes sense, for temporary failures. */
  readonly retryAfter: number | undefined

  /** `message`: in place of the catalogue's words, where there is more to say, such as the place in a file. */
  constructor(
    code: ErrorCode,
    options: { detail?: Detail; cause?: unknown; retryAfter?: number; message?: string } = {},
  ) {
    const { expected, path } = options.detail ?? {}
    const more = [path, expected].filter((part) => typeof part === 'string').join(': expected ')
    super(options.message ?? `${errors[code].cause}${more ? ` (${more})` : ''}`, { cause: options.cause })
    this.code = code
    this.detail = options.detail ?? {}
    this.retryAfter = options.retryAfter
  }
}
