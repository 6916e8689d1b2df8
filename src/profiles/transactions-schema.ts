import type { Kind } from '../core/value.ts'

/** The types of the members of `tctx` and `rctx`: JSON has no bytes. */
const TYPES: readonly Kind[] = ['string', 'number', 'integer', 'boolean', 'list', 'map']

const scalar = { type: ['string', 'number', 'boolean'] } as const

const members = (description: string) => ({
  type: 'object',
  description,
  minProperties: 1,
  propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,63}$' },
  additionalProperties: {
    anyOf: [
      { enum: TYPES },
      {
        type: 'object',
        additionalProperties: false,
        required: ['type'],
        properties: {
          type: { enum: TYPES, description: 'The type that it must be of.' },
          required: { type: 'boolean', default: true, description: 'Whether the request is refused without it.' },
          among: { type: 'array', items: scalar, minItems: 1, description: 'Values of which it must be one.' },
          value: { ...scalar, description: 'Its value, whatever the client sent.' },
          cel: {
            type: 'string',
            minLength: 1,
            description: 'An expression (CEL) whose value it has, whatever the client sent under this name.',
          },
        },
      },
    ],
  },
})

const names = (description: string) => ({
  type: 'array',
  description,
  items: { type: 'string', minLength: 1 },
  minItems: 1,
  uniqueItems: true,
})

// Minutes at the most (§13.1): a longer job asks for more tokens, not for longer ones.
const MAX_TRANSACTION_LIFETIME = 900

/** JSON Schema of the table. */
export const transactionsSchema = {
  type: 'array',
  minItems: 1,
  description:
    'Who may start which transaction: a row for each kind, and the most that a token for it can say. Which row it is follows from the client and the requested scope. The clients of the rows are those of the profile.',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'clients', 'subjects', 'scope', 'lifetime'],
    properties: {
      name: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]*$', description: 'Its name, as in audit records.' },
      clients: names('Ids of the clients that may start it; `req_wl` says which of them did.'),
      subject_token_types: names(
        'Subject token types from which it may be started. Default: all that the profile takes.',
      ),
      subjects: names(
        'Subjects that the token may be about: exact ones, prefixes that end in `/*` (whole segments), or `*` for all.',
      ),
      scope: {
        type: 'array',
        items: { type: 'string', pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$' },
        minItems: 1,
        uniqueItems: true,
        description: 'The most scope. What a subject token without scope may be exchanged for.',
      },
      lifetime: {
        type: 'integer',
        minimum: 1,
        maximum: MAX_TRANSACTION_LIFETIME,
        description: 'Seconds: the longest life of a token for it.',
      },
      replacements: {
        type: 'integer',
        minimum: 1,
        maximum: 8,
        default: 1,
        description: 'Where a transaction token is replaced: how often one may have been, this time included.',
      },
      details: members(
        'What `tctx` says, by member: a type, or a map. Made of `request_details`, in which there may be no other member.',
      ),
      context: members('What `rctx` says, by member. Made of `request_context`, of which other members are left out.'),
    },
  },
} as const
