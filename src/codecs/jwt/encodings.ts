import { DragomanError } from '../../core/errors.ts'
import type { ValueMap } from '../../core/value.ts'

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
} as const satisfies { readonly [option: string]: object }

export type Encoding = { readonly [Option in keyof typeof encodings]: (typeof encodings)[Option]['enum'][number] }

/** The encoding that a profile asks for. @throws `ERR_PROFILE_RENDERING` for an option or value that there is not */
export function encodingOf(options: ValueMap): Encoding {
  const unknown = Object.keys(options).find((option) => !Object.hasOwn(encodings, option))
  if (unknown !== undefined) {
    throw new DragomanError('ERR_PROFILE_RENDERING', {
      detail: { option: unknown, expected: `for format jwt one of: ${Object.keys(encodings).join(', ')}` },
    })
  }
  return {
    serialization: chosen(options, 'serialization', encodings.serialization),
    alg_names: chosen(options, 'alg_names', encodings.alg_names),
  }
}

interface Choice<T extends string> {
  readonly enum: readonly T[]
  readonly default: T
}

function chosen<T extends string>(options: ValueMap, option: string, choice: Choice<T>): T {
  const value = options[option] ?? choice.default
  const found = choice.enum.find((allowed) => allowed === value)
  if (found !== undefined) return found
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: { option, expected: `${option} as one of: ${choice.enum.join(', ')}` },
  })
}
