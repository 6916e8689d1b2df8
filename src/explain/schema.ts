const text = (description: string) => ({ type: 'string', description }) as const
const texts = (description: string) => ({ type: 'array', items: { type: 'string' }, description }) as const
const object = (description: string, required: readonly string[], properties: object) =>
  ({ type: 'object', description, additionalProperties: false, required, properties }) as const

const place = object('Where it stands in a file.', ['file', 'line', 'column', 'path'], {
  file: text('The file.'),
  line: { type: 'integer', minimum: 1, description: 'The line, from 1.' },
  column: { type: 'integer', minimum: 1, description: 'The column, from 1.' },
  path: text('What stands there, such as `accept.subject.audience`.'),
})

const told = {
  place,
  expected: text('What the rule expects.'),
  found: text('What was there instead, where that may be said.'),
  remedies: texts('What would make it pass, each by itself, the most usual first.'),
}

/** JSON Schema (2020-12) of an {@link Explanation}, for whoever reads one by program. */
export const explanationSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Dragoman explanation',
  description:
    'What an exchange would come to, or came to, and why. Holds no token, key, secret and no value of a personal claim. Members may be added.',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'result', 'time', 'tenant', 'steps', 'not_chosen', 'notes'],
  properties: {
    version: { const: 1, description: 'Of this shape.' },
    result: {
      enum: ['would_pass', 'issued', 'refused'],
      description: 'What it would come to; of an exchange that has taken place, what it came to.',
    },
    time: text('The moment it was judged by, in UTC.'),
    tenant: text('The tenant.'),
    request_id: text('Of an exchange that has taken place: the id that the client was given.'),
    client: object('Who asks.', ['id', 'method'], {
      id: text('Its id.'),
      method: text('How it authenticated; `given`: it was taken at its word.'),
    }),
    profile: object('The profile that was chosen.', ['name', 'digest'], {
      name: text('Its name.'),
      digest: text('SHA-256 in hex of it and the tables it reads.'),
      place,
    }),
    refusal: object('The rule that refused.', ['code', 'error', 'description', 'step', 'cause', 'remedies'], {
      code: text('The reason code.'),
      error: text('What the client is told: an OAuth error code.'),
      description: text('What it is told beside it.'),
      step: text('Where in the recipe.'),
      cause: text('What is behind the reason code.'),
      ...told,
    }),
    steps: {
      type: 'array',
      description: 'What was gone through, in order.',
      items: object('A step.', ['step', 'outcome'], {
        step: text('Its name; of a stage, that of the stage.'),
        outcome: { enum: ['passed', 'changed', 'unchanged', 'refused', 'skipped'], description: 'How it went.' },
        place,
        changed: texts('Names of what it changed.'),
      }),
    },
    not_chosen: {
      type: 'array',
      description: 'Profiles that could have been meant and were not chosen, the nearest first.',
      items: object('A profile, and one reason.', ['profile', 'code', 'remedies'], {
        profile: text('Its name.'),
        code: text('The reason code that it would refuse with.'),
        ...told,
      }),
    },
    output: object('What would be issued.', ['issued_token_type', 'format', 'key', 'audience', 'claims'], {
      issued_token_type: text('Its type.'),
      format: text('Its format.'),
      kind: text('The kind within the format.'),
      algorithm: text('The algorithm of its signature.'),
      key: text('The name of the key that would sign.'),
      audience: texts('For whom.'),
      scope: texts('What would be granted.'),
      expires_at: { type: 'integer', description: 'Until when, in seconds since 1970.' },
      expires_in: { type: 'integer', description: 'For how many seconds.' },
      claims: {
        type: 'object',
        additionalProperties: { type: 'string' },
        description: 'Names of its claims, and of each what kind of value it has.',
      },
      bound_by: texts('Confirmation methods; absent: a bearer token.'),
    }),
    ledger: {
      type: 'array',
      description: 'What becomes of each claim.',
      items: object('A claim.', ['claim', 'became'], {
        claim: text('Its name.'),
        became: text('What becomes of it.'),
        to: text('Its name there.'),
        reason: text('Why.'),
      }),
    },
    notes: texts('What to bear in mind.'),
  },
} as const
