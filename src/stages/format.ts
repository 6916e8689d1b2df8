import type { Stage } from '../core/stage.ts'
import type { TokenType } from '../core/token.ts'

export interface FormatOptions {
  readonly to: string
  readonly kind?: string
  readonly token_type?: TokenType
}

/** The format that the output is written in. Whether there is a codec for it is seen when the profile is loaded. */
export const format: Stage<FormatOptions> = {
  name: 'format',
  phase: 'writing',
  summary: 'The format that the output is written in, and the kind of token within it.',
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['to'],
    properties: {
      to: {
        type: 'string',
        minLength: 1,
        description: 'The format: `jwt`, `x509`, `cwt`, or that of a codec of your own.',
      },
      kind: {
        type: 'string',
        minLength: 1,
        description:
          'The kind within the format, such as `at+jwt`, `jwt-svid`, `x509-svid`, `client`. Default: the plain kind.',
      },
      token_type: {
        type: 'string',
        minLength: 1,
        description: 'The token type URI that is answered. Default: that of the format, kind and encoding.',
      },
    },
  },
  prepare: ({ to, kind, token_type }) => ({
    render: (rendering) => ({ ...rendering, format: to, kind, tokenType: token_type }),
  }),
}
