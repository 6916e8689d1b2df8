import type { Choice, Chosen } from '../../core/encodings.ts'

/** JSON Schema of what the `encoding` stage may set for a CWT. */
export const encodings = {
  tag: {
    type: 'string',
    enum: ['cwt', 'cose', 'none'],
    default: 'cwt',
    description:
      'CBOR tags before the message: the CWT tag 61 and the COSE tag, the COSE tag alone, or none, for a reader that knows from elsewhere what it gets.',
  },
  cose: {
    type: 'string',
    enum: ['sign1', 'sign'],
    default: 'sign1',
    description: 'The COSE structure: COSE_Sign1, or COSE_Sign with one signature.',
  },
  cose_ids: {
    type: 'string',
    enum: ['classic', 'fully-specified'],
    default: 'classic',
    description:
      'Algorithm identifiers: those of RFC 9053, which all libraries know, or those of RFC 9864 where there is one.',
  },
  kid_in: {
    type: 'string',
    enum: ['protected', 'unprotected'],
    default: 'protected',
    description: 'The header bucket in which the key identifier goes; some readers look in one of them only.',
  },
} as const satisfies { readonly [option: string]: Choice }

export type Encoding = Chosen<typeof encodings>
