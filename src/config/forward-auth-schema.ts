import { FORWARDED_FROM } from '../gateway/forwarded.ts'
import { CERTIFICATE_ENCODINGS } from '../gateway/forwarded-certificate.ts'

/** RFC 9110 §5.6.2. */
const field = (description: string) =>
  ({ type: 'string', pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$", description }) as const

const names = (description: string) => ({
  type: 'array',
  items: { type: 'string', minLength: 1 },
  minItems: 1,
  uniqueItems: true,
  description,
})

// The response header of nginx is read into one buffer of 4 KiB by default, and what else is in it must fit too.
export const MAX_TOKEN_BYTES_DEFAULT = 3072

/** JSON Schema of one endpoint for proxies. */
export const forwardAuthSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'profile', 'client', 'request_from'],
  properties: {
    name: {
      type: 'string',
      pattern: '^[a-z0-9][a-z0-9-]*$',
      description: 'Its name: it is at `{issuer}/forward-auth/{name}`, on listeners with `forward_auth: true`.',
    },
    profile: { type: 'string', minLength: 1, description: 'The one profile that it exchanges under.' },
    client: {
      type: 'string',
      minLength: 1,
      description:
        'The client that the proxy is, with the method `client_secret_basic` or `tls_client_auth`. It authenticates in each request.',
    },
    client_header: {
      ...field('With `client_secret_basic`: the header field that has `Basic …` of the proxy.'),
      default: 'Client-Authorization',
    },
    request_from: {
      enum: FORWARDED_FROM,
      description:
        'Where the proxy says which request it asks about. `x-original`: X-Original-Method, X-Original-URI; `x-forwarded`: X-Forwarded-Method, X-Forwarded-Uri; both with X-Forwarded-Host and X-Forwarded-Proto. `path`: the method as it is, the path behind that of the endpoint, Host, X-Forwarded-Proto.',
    },
    headers: {
      type: 'array',
      items: field('A header field.'),
      minItems: 1,
      maxItems: 32,
      uniqueItems: true,
      description: 'Header fields of the request that the profile may read, as `request.forwarded.headers`.',
    },
    client_certificate: {
      type: 'object',
      additionalProperties: false,
      required: ['header', 'encoding'],
      description:
        'The proxy ends TLS and is trusted to say which client certificate it saw: it counts as shown, for tokens that are bound to it, and as the subject token where `subject_token_type` is that of a certificate.',
      properties: {
        header: field('The header field. The proxy must set it itself, also to nothing.'),
        encoding: {
          enum: CERTIFICATE_ENCODINGS,
          description:
            '`pem`: percent-encoded PEM (nginx). `base64`: base64 of DER, a chain separated by commas (Traefik). `structured`: `:base64:` (RFC 9440).',
        },
      },
    },
    subject_token_type: {
      type: 'string',
      minLength: 1,
      description: 'The type under which the token is presented. Default: the only one that the profile takes.',
    },
    audience: names('The audience that is asked for. Default: none, so that the profile must have one.'),
    resource: names('The resource that is asked for.'),
    scope: {
      ...names('The scope that is asked for.'),
      items: { type: 'string', pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$' },
    },
    result_header: {
      ...field(
        'The header field in which the token is handed back. In `Authorization` it has its scheme before it; that is for access tokens only.',
      ),
      default: 'Txn-Token',
    },
    max_token_bytes: {
      type: 'integer',
      minimum: 256,
      maximum: 16_384,
      default: MAX_TOKEN_BYTES_DEFAULT,
      description: 'A longer token is not handed back. Buffers of the proxy must have room for it.',
    },
  },
} as const
