import { algorithmNames } from '../core/algorithms.ts'
import { errors } from '../core/errors.ts'
import { keySchema } from '../keys/index.ts'
import { issuerSchema } from '../trust/index.ts'
import { twinNames } from './twins/names.ts'

const text = (description: string) => ({ type: 'string', minLength: 1, description }) as const

const texts = (description: string) =>
  ({
    description,
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'array', items: { type: 'string', minLength: 1 }, uniqueItems: true },
    ],
  }) as const

const names = (description: string) =>
  ({ type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, uniqueItems: true, description }) as const

const seconds = (description: string) => ({ type: 'integer', description }) as const

const code = { enum: Object.keys(errors) } as const

const token = {
  type: 'object',
  additionalProperties: false,
  description:
    'A token, described by what it says. The harness makes it, and the keys it is signed with; of an assertion that is redeemed it is the same.',
  properties: {
    like: text('Name of another token of this file, which this one is but for what is said here.'),
    format: text('Its format: `jwt`, `cwt`, `x509`. Default: the one that the profile takes.'),
    kind: text('Its kind within the format, such as `at+jwt`. Default: the one that the profile takes.'),
    type: text('The token type URI it is presented under. Default: the first that fits.'),
    issuer: text(
      'Its issuer, by the name in the configuration; any other is an issuer that nobody trusts. Default: the first that the profile takes; of what a client says by itself, that client.',
    ),
    algorithm: {
      enum: [...algorithmNames],
      description: 'What it is signed with. Default: the first that both profile and issuer allow.',
    },
    claims: {
      type: 'object',
      description:
        'What it says: claims by their JWT names, `aud` and `scope` among them. `aud` is by default what the profile asks for; `self` in it is this gateway.',
    },
    without: names('Claims that it does not have, though the token it is `like` has.'),
    issued: seconds('When it was issued, in seconds from the clock. Default: 0, now.'),
    lifetime: {
      description:
        'Seconds from when it was issued until it expires; `never`: it has no expiry. Default: 3600, or what the profile takes at most.',
      anyOf: [{ type: 'integer' }, { const: 'never' }],
    },
    not_before: seconds('When it becomes valid, in seconds from the clock. Default: it does not say.'),
    cnf: {
      description: 'The key that it is bound to: a name of your choice, the same for the same key; `false`: to none.',
      anyOf: [{ type: 'string', minLength: 1 }, { const: false }],
    },
    cnf_by: {
      enum: ['key', 'certificate'],
      default: 'key',
      description: 'What it is bound by: the thumbprint of the key, or that of a certificate for it (RFC 8705).',
    },
    signed_by: text('Another issuer, whose key makes the signature. Default: its own issuer.'),
    usages: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      uniqueItems: true,
      description:
        'X.509: its extended key usages, `client_auth`, `server_auth` or OIDs; an empty list: it does not say what it is for. Default: those that the profile asks for.',
    },
    embeds: {
      type: 'object',
      minProperties: 1,
      additionalProperties: { type: 'string', minLength: 1 },
      description: 'Claim to the name of a token of this file that is its value.',
    },
  },
} as const

const tokenOrName = (description: string) => ({ description, anyOf: [{ type: 'string', minLength: 1 }, token] })

const proof = {
  description: 'A proof of possession.',
  anyOf: [
    { enum: ['dpop', 'mtls', 'pkcs10'] },
    {
      type: 'object',
      additionalProperties: false,
      required: ['method'],
      properties: {
        method: { enum: ['dpop', 'mtls', 'pkcs10'], description: 'What kind of proof.' },
        key: text('The key that it proves, by its name in `cnf`. Default: that of the subject token, or a new one.'),
      },
    },
  ],
} as const

const request = {
  type: 'object',
  additionalProperties: false,
  description: 'What is asked for.',
  properties: {
    client: {
      description: 'The client that asks, well authenticated; `false`: none. Default: the first of the profile.',
      anyOf: [{ type: 'string', minLength: 1 }, { const: false }],
    },
    subject: tokenOrName('The subject token: a name out of `tokens`, or the token itself.'),
    actor: tokenOrName('The actor token. Default: none.'),
    audience: texts(
      'Parameter `audience`. Default: the first target that the profile allows, unless `resource` is given.',
    ),
    resource: texts('Parameter `resource`.'),
    scope: texts('Parameter `scope`. Default: none is asked for.'),
    requested_token_type: text(
      'Parameter `requested_token_type`. Default: none; where the profile has a table of transactions, what it issues.',
    ),
    request_details: {
      type: 'object',
      description: 'Parameter `request_details`: what the client tells of the call that it has before it.',
    },
    request_context: {
      type: 'object',
      description: 'Parameter `request_context`: what the client tells of its surroundings.',
    },
    again: {
      const: true,
      description: 'The same tokens have been presented a moment before, in the same way: the second time counts.',
    },
    proofs: {
      type: 'array',
      items: proof,
      description:
        'Proofs of possession. Default: those that the tokens need: the certificate in the TLS handshake, or a DPoP proof by the key in `cnf`.',
    },
  },
} as const

const ledgerEntry = {
  enum: [
    ...['kept', 'renamed', 'narrowed', 'mapped', 'hashed', 'embedded'],
    ...['converted', 'replaced', 'dropped', 'lost', 'added'],
  ],
} as const

const issued = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  description: 'What is issued.',
  properties: {
    format: text('Its format.'),
    kind: text('Its kind, such as `at+jwt`.'),
    algorithm: { enum: [...algorithmNames], description: 'What it is signed with.' },
    type: text('The `issued_token_type` of the answer.'),
    begins: text('The text that it begins with, as it is written: its outermost form, such as a tag of CBOR.'),
    max_length: { type: 'integer', minimum: 1, description: 'Most characters that it has, as it is written.' },
    token_type: { enum: ['Bearer', 'DPoP', 'N_A'], description: 'The `token_type` of the answer.' },
    claims: {
      type: 'object',
      description: 'Claims that it has, each exactly so.',
    },
    only: {
      const: true,
      description: 'It has no claims but those of `claims`, `present` and `act`, and what every token of its kind has.',
    },
    present: names('Claims that it has, whatever they say.'),
    absent: names('Claims that it does not have.'),
    audience: texts('Its audience, whole, in any order.'),
    scope: texts('Its scope, whole, in any order; an empty list: none.'),
    lifetime: seconds('Seconds from the clock until it expires.'),
    not_before: seconds('When it becomes valid, in seconds from the clock.'),
    act: { type: 'object', description: 'The whole `act` claim.' },
    cnf: {
      description: 'The key that it is bound to, by its name; `false`: to none.',
      anyOf: [{ type: 'string', minLength: 1 }, { const: false }],
    },
  },
} as const

const expectation = {
  type: 'object',
  additionalProperties: false,
  description: 'What must come of it.',
  oneOf: [{ required: ['token'] }, { required: ['refused'] }],
  properties: {
    token: issued,
    refused: { ...code, description: 'The reason code of the refusal, as in the catalogue of errors.' },
    at: text(
      'Of a refusal: the step that refuses, such as `verify subject`, or the stage, such as `stages[0].subject`.',
    ),
    detail: {
      type: 'object',
      minProperties: 1,
      description: 'Of a refusal: members of its `detail` in the audit record, each exactly so.',
    },
    ledger: {
      type: 'object',
      minProperties: 1,
      additionalProperties: {
        anyOf: [
          ledgerEntry,
          {
            type: 'object',
            additionalProperties: false,
            required: ['became'],
            properties: {
              became: { ...ledgerEntry, description: 'What became of it.' },
              to: text('Under which name it stands in the output.'),
            },
          },
        ],
      },
      description: 'Claim to what the ledger says became of it.',
    },
    subject_in_audit: {
      enum: ['plain', 'hashed', 'absent'],
      description: 'How the subject stands in the audit record.',
    },
  },
} as const

const setup = {
  type: 'object',
  additionalProperties: false,
  description:
    'What stands in for a configuration when none is given. What it leaves out is made from what the profile asks for. Not used with `--config`.',
  properties: {
    issuer: text('The issuer identifier of the gateway. Default: `https://gateway.example`.'),
    clock_skew: { type: 'integer', minimum: 0, maximum: 300, description: 'Tolerance for clocks, in seconds.' },
    clients: {
      type: 'array',
      description: 'Clients, beside those that the profile names.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['client_id'],
        properties: {
          client_id: text('Its id.'),
          token_endpoint_auth_method: {
            enum: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth'],
            default: 'client_secret_basic',
            description: 'How it authenticates.',
          },
          dpop_bound_access_tokens: { type: 'boolean', default: false, description: 'As in a configuration.' },
        },
      },
    },
    issuers: {
      type: 'array',
      description: 'Issuers, beside those that the profile names. Their keys are made by the harness.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['issuer'],
        properties: {
          issuer: issuerSchema.properties.issuer,
          trust_domain: issuerSchema.properties.trust_domain,
          algorithms: issuerSchema.properties.algorithms,
          subjects: { ...issuerSchema.properties.subjects, default: ['*'] },
          history: issuerSchema.properties.history,
        },
      },
    },
    keys: {
      type: 'array',
      description: 'Signing keys, beside the one that the profile names.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'algorithm'],
        properties: {
          name: keySchema.properties.name,
          algorithm: keySchema.properties.algorithm,
          authority: { type: 'boolean', default: false, description: 'It has a certificate, to issue others.' },
        },
      },
    },
    secrets: names('Names of secrets, beside those that the profile names.'),
  },
} as const

/** JSON Schema (2020-12) of a `*.test.yaml`: for editors, and for the check when it is read. */
export const testSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Dragoman profile test',
  description: 'What a profile must issue and refuse: requests and tokens described by what they say.',
  type: 'object',
  additionalProperties: false,
  required: ['cases'],
  properties: {
    profile: text('The profile, relative to this file. Default: `name.yaml` for `name.test.yaml`.'),
    clock: {
      description: 'The time at which all of it happens: seconds since 1970, or as RFC 3339 writes it.',
      default: '2027-01-15T08:00:00Z',
      anyOf: [
        { type: 'integer', minimum: 0 },
        { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$' },
      ],
    },
    setup,
    tokens: {
      type: 'object',
      minProperties: 1,
      additionalProperties: token,
      description: 'Tokens by a name of your choice.',
    },
    cases: {
      type: 'array',
      minItems: 1,
      description: 'The cases, each by itself: nothing that one does is there for the next.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'request', 'expect'],
        properties: {
          name: text('The rule that it shows, as a sentence.'),
          request,
          expect: expectation,
          twins: {
            type: 'object',
            minProperties: 1,
            propertyNames: { enum: twinNames },
            additionalProperties: {
              anyOf: [
                code,
                {
                  type: 'object',
                  additionalProperties: false,
                  required: ['skip'],
                  properties: { skip: text('Why it is not tried.') },
                },
              ],
            },
            description:
              'Of a case that issues a token: negative twin to the reason code that it has instead of the usual one, or to the reason for which it is left out.',
          },
        },
      },
    },
    equivalent: {
      type: 'object',
      minProperties: 1,
      additionalProperties: { type: 'string', minLength: 1 },
      description:
        'Mutation of the profile, as `dragoman test --mutate` calls it, to the reason for which it changes nothing that could be tested.',
    },
  },
} as const
