import { acceptanceSchema } from '../core/acceptance.ts'
import type { Catalog } from '../core/catalog.ts'
import { dangers } from '../core/profile.ts'
import { transactionsSchema } from './transactions-schema.ts'

/** Seconds: the default ceiling on what a profile issues, short enough that losing a token is a small loss. */
export const MAX_LIFETIME_DEFAULT = 3600
/** Seconds: the highest ceiling that a profile may set. Nothing that is issued here can be called back. */
export const MAX_LIFETIME = 86_400

const targets = (description: string) => ({
  type: 'array',
  description,
  minItems: 1,
  uniqueItems: true,
  items: {
    anyOf: [
      { type: 'string', minLength: 1 },
      {
        type: 'object',
        additionalProperties: false,
        required: ['request', 'audience'],
        properties: {
          request: { type: 'string', minLength: 1, description: 'What is asked for, in `audience` or `resource`.' },
          audience: { type: 'string', minLength: 1, description: 'What the output says for it in `aud`.' },
        },
      },
    ],
  },
})

/**
 * JSON Schema (2020-12) of a profile, with the stages, encodings and grants of this catalog: for editors, and for the check when
 * a profile is loaded. One schema for both, so that neither knows more than the other.
 */
export function profileSchema({ stages, codecs, grants }: Pick<Catalog, 'stages' | 'codecs' | 'grants'>): object {
  const encodings = Object.assign({}, ...codecs.map((codec) => codec.encodings)) as object
  const ofStage = (schema: object) => ('properties' in schema ? (schema.properties as object) : {})
  const stageSchema = (stage: Catalog['stages'][number]) =>
    stage.name === 'encoding'
      ? { ...stage.schema, description: stage.summary, properties: { ...ofStage(stage.schema), ...encodings } }
      : { description: stage.summary, ...stage.schema }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Dragoman profile',
    description:
      'A declared translation: who may ask, what they may present, for which targets, and what is made of it.',
    type: 'object',
    additionalProperties: false,
    required: ['name', 'accept', 'stages'],
    properties: {
      name: {
        type: 'string',
        pattern: '^[a-z0-9][a-z0-9-]*$',
        description: 'Its name, as in audit records and metrics.',
      },
      description: { type: 'string', description: 'What it is for, in a sentence.' },
      accept: {
        type: 'object',
        description: 'Who may use it, and with what.',
        additionalProperties: false,
        required: ['subject', 'targets'],
        properties: {
          grant: {
            enum: grants.map(({ name }) => name),
            default: grants[0]?.name,
            description:
              'The grant by which it is asked for: a token exchange (RFC 8693), or an assertion that is redeemed as an authorization grant (RFC 7523).',
          },
          clients: {
            type: 'array',
            items: { type: 'string', minLength: 1 },
            uniqueItems: true,
            description: 'Ids of the clients that may use it.',
          },
          subject_token_authenticates: {
            type: 'boolean',
            default: false,
            description:
              'A request without client authentication is taken: the subject token stands for its own workload.',
          },
          subject: { ...acceptanceSchema, description: 'Which subject tokens are taken.' },
          actor: {
            ...acceptanceSchema,
            description: 'Which actor tokens are taken. Without it, a request with one is refused.',
          },
          targets: {
            type: 'object',
            description: 'What may be asked for in `audience` and `resource`, which count alike.',
            additionalProperties: false,
            minProperties: 1,
            properties: {
              allow: targets(
                'What may be asked for: exact strings, or pairs of what is asked for and what the output says.',
              ),
              default: {
                type: 'array',
                items: { type: 'string', minLength: 1 },
                minItems: 1,
                uniqueItems: true,
                description: 'The audience of the output when nothing was asked for. Default: a target is required.',
              },
              resources: {
                type: 'array',
                items: { type: 'string', minLength: 1 },
                minItems: 1,
                uniqueItems: true,
                description:
                  'What may be asked for in `resource` where the target is an authorization server, such as the APIs behind it: these are no targets then, and stand in the claim `resource`. Default: `resource` counts like `audience`.',
              },
              danger_any_target: { const: true, description: `Danger: ${dangers.danger_any_target}.` },
            },
          },
        },
      },
      transactions: transactionsSchema,
      stages: {
        type: 'array',
        minItems: 1,
        description: 'The stages, in the order in which they run.',
        items: {
          type: 'object',
          additionalProperties: false,
          minProperties: 1,
          properties: {
            ...Object.fromEntries(stages.map((stage) => [stage.name, stageSchema(stage)])),
            when: {
              type: 'string',
              minLength: 1,
              description:
                'The stage is passed over unless this expression (CEL) is true. Not for format, encoding, crypto.',
            },
          },
        },
      },
      must_keep: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        uniqueItems: true,
        description:
          'Claims which refuse the exchange when they are lost on the way; `cnf` also when a member of it that is no known method is.',
      },
      max_lifetime: {
        type: 'integer',
        minimum: 1,
        maximum: MAX_LIFETIME,
        default: MAX_LIFETIME_DEFAULT,
        description: 'Ceiling on the lifetime of what is issued, in seconds, whatever the stages say.',
      },
      audit: {
        type: 'object',
        additionalProperties: false,
        default: { subject: 'hashed' },
        description: 'What the audit record shows.',
        properties: {
          subject: {
            enum: ['plain', 'hashed', 'absent'],
            default: 'hashed',
            description: 'The subject and the actor: as they are, as SHA-256 over issuer and subject, or not at all.',
          },
        },
      },
    },
  }
}
