import { DragomanError } from '../core/errors.ts'
import type { Stage, Transform } from '../core/stage.ts'
import { copyOf, map, type Value, type ValueMap } from '../core/value.ts'
import { decodeBytes, encodeBytes, VALUE_ENCODINGS, type ValueEncoding } from './bytes.ts'
import { assertFree } from './names.ts'
import { neutral } from './options.ts'

/** Options as the codec of the target format offers them (`Codec.encodings`), and how single claims are encoded. */
export interface EncodingOptions {
  readonly claims?: { readonly [claim: string]: { readonly from?: ValueEncoding; readonly to: ValueEncoding } }
  readonly [option: string]: unknown
}

/**
 * How the same content is encoded within the format, and single claims within it.
 *
 * Of the codec's options checks only that they are plain values: which there are, and what they can be, is the codec's
 * word, and it refuses what it does not know. A claim is decoded from the encoding that it is in, canonical form only,
 * and encoded in the other; what is not there is passed over.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_REQUIRED` for a claim that is not in the encoding that the profile says
 */
export const encoding: Stage<EncodingOptions> = {
  name: 'encoding',
  phase: 'writing',
  summary: 'How the output is encoded within its format; each format has options of its own.',
  schema: {
    type: 'object',
    minProperties: 1,
    description: 'Options of the target format.',
    properties: {
      claims: {
        type: 'object',
        minProperties: 1,
        description: 'Claims that hold binary data, and how: the name, what it is in now, what it is to be in.',
        additionalProperties: {
          type: 'object',
          additionalProperties: false,
          required: ['to'],
          properties: {
            from: {
              enum: VALUE_ENCODINGS,
              default: 'base64url',
              description: 'What it is encoded in, where it is text. Bytes are bytes.',
            },
            to: { enum: VALUE_ENCODINGS, description: 'What it is to be encoded in; `bytes` is for CWT.' },
          },
        },
      },
    },
  },
  prepare({ claims, ...options }) {
    const entries = Object.entries(options).map(([name, value]): [string, Value] => [name, neutral(value, name)])
    return {
      render: (rendering) => ({ ...rendering, options: map([...Object.entries(rendering.options), ...entries]) }),
      transform: claims && reencode(Object.entries(claims)),
    }
  },
}

type Wanted = readonly (readonly [string, { readonly from?: ValueEncoding; readonly to: ValueEncoding }])[]

function reencode(wanted: Wanted): Transform {
  for (const [claim] of wanted) assertFree(claim, `claims.${claim}`)
  return (draft) => {
    const claims = copyOf(draft.claims)
    const changed: string[] = []
    for (const [claim, { from = 'base64url', to }] of wanted) {
      const value = claims[claim]
      if (value === undefined) continue
      const bytes = decodeBytes(value, from)
      if (bytes === undefined) throw new DragomanError('ERR_PROFILE_REQUIRED', { detail: { claim, expected: from } })
      claims[claim] = encodeBytes(bytes, to)
      changed.push(claim)
    }
    if (changed.length === 0) return draft
    const notes = changed.map((claim) => ({ claim, became: 'converted' as const }))
    return { ...draft, claims: claims as ValueMap, notes: [...draft.notes, ...notes] }
  }
}
