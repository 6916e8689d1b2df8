import type { Choice, Chosen } from '../../core/encodings.ts'

/** JSON Schema of what the `encoding` stage may set for a JWT. */
export const encodings = {
  serialization: {
    type: 'string',
    enum: ['compact', 'flattened', 'general'],
    default: 'compact',
    description:
      'The form of the signed token (RFC 7515 section 7): compact, which is the only one that RFC 7519 calls a JWT, or one of the two JSON forms.',
  },
  alg_names: {
    type: 'string',
    enum: ['classic', 'fully-specified'],
    default: 'classic',
    description:
      'Algorithm names: those that all libraries know, such as EdDSA, or those of RFC 9864 where there is one, such as Ed25519.',
  },
} as const satisfies { readonly [option: string]: Choice }

export type Encoding = Chosen<typeof encodings>
