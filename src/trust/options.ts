import { algorithmNames } from '../core/algorithms.ts'
import type { Value } from '../core/value.ts'

/** One trusted issuer of the configuration, already checked against {@link issuerSchema}. */
export interface IssuerEntry {
  readonly issuer: string
  readonly trust_domain?: string
  readonly jwks?: Value
  readonly jwks_file?: string
  readonly jwks_uri?: string
  readonly discovery?: true
  readonly cose_keys_file?: string
  readonly certificates?: string
  readonly certificates_file?: string
  readonly intermediates_file?: string
  readonly spiffe_bundle_file?: string
  readonly algorithms?: readonly string[]
  readonly subjects: readonly string[]
  readonly history?: boolean
  readonly unsigned?: true
  readonly fetch?: FetchEntry
}

export interface FetchEntry {
  readonly timeout?: number
  readonly max_bytes?: number
  readonly certificate_authority_file?: string
  readonly allow_private_addresses?: boolean
  readonly refresh?: number
  readonly max_refresh?: number
  readonly stale_limit?: number
}

/** Seconds and bytes of fetching, with their reasons. */
export const FETCH_DEFAULTS = {
  /** A key endpoint that takes longer is down for whoever waits for a token. */
  timeout: 5,
  /** A hundred RSA-4096 keys with certificates fit. */
  maxBytes: 65_536,
  /** How long keys are used before they are fetched anew, where the answer does not say. */
  refresh: 300,
  /** How long keys are used at most, whatever the answer says: so long a key that was taken away goes on working. */
  maxRefresh: 86_400,
  /** How long known keys go on working while their issuer cannot be reached: a day's outage. */
  staleLimit: 86_400,
} as const

const fetchSchema = {
  type: 'object',
  description: 'How keys are fetched, for `jwks_uri` and `discovery`.',
  additionalProperties: false,
  properties: {
    timeout: {
      type: 'number',
      minimum: 0.1,
      maximum: 30,
      default: FETCH_DEFAULTS.timeout,
      description: 'Seconds for the whole request.',
    },
    max_bytes: {
      type: 'integer',
      minimum: 1024,
      maximum: 1_048_576,
      default: FETCH_DEFAULTS.maxBytes,
      description: 'Largest answer.',
    },
    certificate_authority_file: {
      type: 'string',
      description: 'PEM file: the only authorities its TLS certificate may come from.',
    },
    allow_private_addresses: {
      type: 'boolean',
      default: false,
      description: 'Lets the host be at a private, loopback or link-local address, and at a loopback one without TLS.',
    },
    refresh: {
      type: 'integer',
      minimum: 60,
      maximum: 86_400,
      default: FETCH_DEFAULTS.refresh,
      description: 'Seconds after which keys are fetched anew, where the answer has no Cache-Control.',
    },
    max_refresh: {
      type: 'integer',
      minimum: 60,
      maximum: 86_400,
      default: FETCH_DEFAULTS.maxRefresh,
      description:
        'Seconds after which keys are fetched anew at the latest, whatever Cache-Control says: so long a key that its issuer took away goes on working.',
    },
    stale_limit: {
      type: 'integer',
      minimum: 0,
      maximum: 604_800,
      default: FETCH_DEFAULTS.staleLimit,
      description: 'Seconds for which known keys go on working while the issuer cannot be reached.',
    },
  },
} as const

/** JSON Schema of {@link IssuerEntry}. */
export const issuerSchema = {
  type: 'object',
  description: 'An issuer whose tokens may be accepted, where its keys come from, and of whom it may speak.',
  additionalProperties: false,
  required: ['issuer', 'subjects'],
  properties: {
    issuer: {
      type: 'string',
      minLength: 1,
      description: 'Its identifier: one exact string, compared character for character.',
    },
    trust_domain: {
      type: 'string',
      pattern: '^[a-z0-9._-]{1,255}$',
      description: 'Its SPIFFE trust domain. Required for JWT-SVIDs and X509-SVIDs.',
    },
    jwks: { type: 'object', description: 'Its keys: a JWK Set.' },
    jwks_file: { type: 'string', description: 'Its keys: a file with a JWK Set.' },
    jwks_uri: { type: 'string', format: 'uri', description: 'Its keys: the URL of a JWK Set.' },
    discovery: {
      const: true,
      description: 'Its keys: found through its metadata (RFC 8414, then OpenID Connect Discovery).',
    },
    cose_keys_file: { type: 'string', description: 'Its keys: a file with a COSE key set.' },
    spiffe_bundle_file: { type: 'string', description: 'Its keys and certificates: a SPIFFE trust bundle.' },
    certificates: { type: 'string', description: 'Its certificates: trust anchors in PEM.' },
    certificates_file: { type: 'string', description: 'Its certificates: a file with trust anchors in PEM.' },
    intermediates_file: { type: 'string', description: 'Certificates that need not be presented, in PEM.' },
    algorithms: {
      type: 'array',
      items: { enum: [...algorithmNames, 'EdDSA'] },
      minItems: 1,
      uniqueItems: true,
      description: 'Algorithms that it may sign with. Default: all that there are.',
    },
    subjects: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      description:
        'Subjects that it may speak of: exact ones, prefixes that end in `/*` (whole segments), or `*` for all.',
    },
    history: {
      type: 'boolean',
      default: false,
      description: 'Whether the `act` chain in its tokens is believed. Otherwise a token with `act` is refused.',
    },
    unsigned: {
      const: true,
      description:
        'It is a client of this name, and is believed without a signature where a profile says `danger_unsigned`. Needs no keys.',
    },
    fetch: fetchSchema,
  },
} as const
