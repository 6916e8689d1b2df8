import { clientMethods } from '../clients/index.ts'
import { keySchema } from '../keys/index.ts'
import { issuerSchema } from '../trust/index.ts'
import { forwardAuthSchema } from './forward-auth-schema.ts'

const text = (description: string) => ({ type: 'string', minLength: 1, description }) as const

const listener = {
  type: 'object',
  description: 'An address to listen on.',
  additionalProperties: false,
  required: ['port'],
  properties: {
    host: { type: 'string', default: '127.0.0.1', description: 'Address to bind to.' },
    port: { type: 'integer', minimum: 0, maximum: 65_535, description: 'Port; 0 takes any free one.' },
    forward_auth: {
      type: 'boolean',
      default: false,
      description: 'Serves the endpoints of `forward_auth` here; no other listener does.',
    },
    operations: { type: 'boolean', default: true, description: 'Serves /livez, /readyz, /metrics and /version here.' },
    operators: {
      type: 'object',
      description:
        'A listener for operators: serves `POST /explain` to whoever shows the secret (`Authorization: Bearer`), and not what clients are served.',
      additionalProperties: false,
      oneOf: [{ required: ['secret_file'] }, { required: ['secret_env'] }],
      properties: {
        secret_file: text('A file with the secret, at least 32 characters.'),
        secret_env: text('An environment variable with it.'),
      },
    },
    tls: {
      type: 'object',
      description: 'TLS. Clients are asked for a certificate, and those without one are served too.',
      additionalProperties: false,
      required: ['certificate', 'key'],
      properties: {
        certificate: text('PEM file: the certificate of the listener, then its intermediates.'),
        key: text('PEM file: its private key.'),
        client_ca: text('PEM file: authorities named to clients, so that they pick the right certificate.'),
      },
    },
  },
} as const

const client = (methods: readonly string[]) => ({
  type: 'object',
  description: 'A client, and the one method by which it authenticates.',
  additionalProperties: false,
  required: ['client_id', 'token_endpoint_auth_method'],
  properties: {
    client_id: text('Its id.'),
    token_endpoint_auth_method: {
      enum: methods,
      description: 'The one method that it may use.',
    },
    client_secret: text('Its secret, in plain. Prefer one of the next three.'),
    client_secret_file: text('A file with its secret.'),
    client_secret_env: text('An environment variable with its secret.'),
    client_secret_sha256: {
      anyOf: [
        { type: 'string', pattern: '^[0-9a-f]{64}$' },
        { type: 'array', items: { type: 'string', pattern: '^[0-9a-f]{64}$' }, minItems: 1, maxItems: 4 },
      ],
      description: 'SHA-256 of its secret in hex; several during a change of secret.',
    },
    jwks: { type: 'object', description: '`private_key_jwt`: its keys, a JWK Set.' },
    jwks_file: text('`private_key_jwt`: a file with its JWK Set.'),
    jwks_uri: text('`private_key_jwt`: the URL of its JWK Set.'),
    fetch: { ...issuerSchema.properties.fetch, description: 'How `jwks_uri` is fetched.' },
    assertion_audience: {
      enum: ['issuer', 'legacy'],
      default: 'issuer',
      description:
        '`private_key_jwt`: `issuer` takes our issuer identifier as the only audience; `legacy` also the token endpoint, and others beside it.',
    },
    assertion_max_lifetime: {
      type: 'integer',
      minimum: 10,
      maximum: 3600,
      default: 300,
      description: '`private_key_jwt`: seconds ahead that `exp` may be.',
    },
    certificate_authorities: text('`tls_client_auth`: PEM file with the authorities of its certificate.'),
    tls_client_auth_subject_dn: text('`tls_client_auth`: its subject, as RFC 4514 writes it.'),
    tls_client_auth_san_dns: text('`tls_client_auth`: a DNS name in its certificate.'),
    tls_client_auth_san_uri: text('`tls_client_auth`: a URI in its certificate.'),
    tls_client_auth_san_ip: text('`tls_client_auth`: an IP address in its certificate.'),
    tls_client_auth_san_email: text('`tls_client_auth`: an e-mail address in its certificate.'),
    dpop_bound_access_tokens: {
      type: 'boolean',
      default: false,
      description: 'Nothing is issued to it without a DPoP proof.',
    },
  },
})

// 100 take 25 ms; with a subject token of 2 KiB and an actor token each they are 400 KiB.
export const BATCH_DEFAULTS = { items: 100, bytes: 1_048_576 } as const

/** What a tenant has of its own. */
const tenantProperties = (methods: readonly string[]) => ({
  issuer: {
    type: 'string',
    pattern: '^https?://[^?#]+$',
    description:
      'The issuer identifier: an https URL (http for loopback only). Its path is where the tenant is served.',
  },
  keys: { type: 'array', items: keySchema, minItems: 1, description: 'Signing keys.' },
  secrets: {
    type: 'array',
    description: 'Secrets for keyed hashes, such as pairwise subjects.',
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['name'],
      oneOf: [{ required: ['file'] }, { required: ['env'] }, { required: ['value'] }],
      properties: {
        name: text('What profiles call it.'),
        file: text('A file with at least 32 bytes.'),
        env: text('An environment variable with at least 32 bytes.'),
        value: text('The secret in plain. For development.'),
      },
    },
  },
  clients: { type: 'array', items: client(methods), description: 'Who may ask.' },
  issuers: { type: 'array', items: issuerSchema, description: 'Whose tokens may be taken.' },
  profiles: {
    description: 'The profiles: a folder of `.yaml` files, or a list of files and folders.',
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1 },
    ],
  },
  batch: {
    type: 'object',
    additionalProperties: false,
    description: 'Takes many exchanges in one request, at `{issuer}/token/batch`. Default: it does not.',
    properties: {
      items: {
        type: 'integer',
        minimum: 1,
        maximum: 1000,
        default: BATCH_DEFAULTS.items,
        description: 'Exchanges of one batch.',
      },
      body_bytes: {
        type: 'integer',
        minimum: 1024,
        maximum: 16_777_216,
        default: BATCH_DEFAULTS.bytes,
        description: 'Bytes of its body.',
      },
    },
  },
  forward_auth: {
    type: 'array',
    items: forwardAuthSchema,
    minItems: 1,
    description: 'Endpoints at which proxies ask before they let a request pass.',
  },
  limits: {
    type: 'object',
    additionalProperties: false,
    description: 'Bounds on what is read.',
    properties: {
      body_bytes: {
        type: 'integer',
        minimum: 1024,
        maximum: 1_048_576,
        default: 65_536,
        description: 'Bytes of a request body.',
      },
      parameters: { type: 'integer', minimum: 8, maximum: 1024, default: 64, description: 'Parameters of a request.' },
      parameter_bytes: {
        type: 'integer',
        minimum: 1024,
        maximum: 1_048_576,
        default: 32_768,
        description: 'Characters of one parameter.',
      },
      concurrent_exchanges: {
        type: 'integer',
        minimum: 1,
        // As many as wait for a slow signature at most: nobody is refused who has spent a token by then.
        maximum: 1024,
        default: 1000,
        description: 'Exchanges begun and not answered, of each worker; what comes beyond is refused at once (503).',
      },
    },
  },
  audit: {
    type: 'object',
    additionalProperties: false,
    description: 'Where the audit records go.',
    properties: {
      file: text('A file to append to, opened anew on SIGHUP. Default: standard output.'),
      subject_key: text(
        'The name of a secret: hashes of subjects are keyed with it (HMAC-SHA-256), so that nobody without it can try out subjects. Default: plain SHA-256.',
      ),
    },
  },
  verification_cache: {
    type: 'object',
    additionalProperties: false,
    description:
      'Tokens whose signature was verified in the last minute, by digest; nothing but the signature is skipped for them.',
    properties: {
      capacity: {
        type: 'integer',
        minimum: 0,
        maximum: 1_000_000,
        default: 10_000,
        description: 'Tokens remembered; 0: each is verified each time.',
      },
    },
  },
  replay: {
    type: 'object',
    additionalProperties: false,
    description: 'What may be used once.',
    properties: {
      capacity: {
        type: 'integer',
        minimum: 1,
        default: 1_000_000,
        description: 'Uses remembered; when full, requests that need one are refused.',
      },
    },
  },
  x509: {
    type: 'object',
    additionalProperties: false,
    description: 'How certificates are read.',
    properties: {
      claims_extension: {
        anyOf: [{ const: false }, { type: 'string', pattern: '^[0-2](\\.(0|[1-9][0-9]*))+$' }],
        description:
          'OID of the extension whose claims are read; `false`: none is. Default: the one written by default.',
      },
      conforming: {
        type: 'boolean',
        default: true,
        description:
          'Refuses certificates that RFC 5280 section 4 has no authority issue, such as those without key identifiers.',
      },
    },
  },
  dpop_nonce: {
    type: 'boolean',
    default: false,
    description: 'DPoP proofs must carry a nonce of ours (RFC 9449 section 8).',
  },
  clock_skew: {
    type: 'integer',
    minimum: 0,
    maximum: 300,
    default: 30,
    description: 'Tolerance for clocks, in seconds.',
  },
})

const REQUIRED = ['issuer', 'keys', 'profiles'] as const

/**
 * JSON Schema (2020-12) of the configuration: one tenant as it is, or several under `tenants`, each with all of its own.
 *
 * @param methods names of the client authentication methods that there are
 */
export const configurationSchemaWith = (methods: readonly string[]) => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Dragoman configuration',
  description: 'One gateway: its listeners and its tenant, or its tenants.',
  type: 'object',
  additionalProperties: false,
  oneOf: [{ required: REQUIRED }, { required: ['tenants'] }],
  properties: {
    listeners: { type: 'array', items: listener, minItems: 1, description: 'Default: 127.0.0.1:8080.' },
    tracing: {
      type: 'object',
      additionalProperties: false,
      required: ['otlp_endpoint'],
      description:
        'A span for each exchange, to an OpenTelemetry collector; needs the `@opentelemetry` packages that docs/operations.md names. Default: none.',
      properties: {
        otlp_endpoint: {
          type: 'string',
          pattern: '^https?://[^?#]+$',
          description: 'Where the collector takes traces over HTTP, such as `http://127.0.0.1:4318/v1/traces`.',
        },
        service_name: { ...text('`service.name` of the spans.'), default: 'dragoman' },
        sample_ratio: {
          type: 'number',
          minimum: 0,
          maximum: 1,
          default: 1,
          description: 'Which part of the traces that begin here is recorded. Of others, who began them decides.',
        },
        headers_file: text('A JSON file with header fields for the collector, such as its credentials.'),
      },
    },
    ...tenantProperties(methods),
    tenants: {
      type: 'array',
      minItems: 1,
      description: 'Several issuers in one process; they share nothing else.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', ...REQUIRED],
        properties: {
          name: {
            type: 'string',
            pattern: '^[a-z0-9][a-z0-9-]*$',
            description: 'Its name, as in audit records and metrics.',
          },
          ...tenantProperties(methods),
        },
      },
    },
  },
})

/** {@link configurationSchemaWith} the built-in methods: what editors and the reference are given. */
export const configurationSchema = configurationSchemaWith(
  clientMethods()
    .map(({ name }) => name)
    .sort(),
)
