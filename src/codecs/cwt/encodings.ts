import { DragomanError } from '../../core/errors.ts'
import type { ValueMap } from '../../core/value.ts'

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
} as const satisfies { readonly [option: string]: object }

export type Encoding = { readonly [Option in keyof typeof encodings]: (typeof encodings)[Option]['enum'][number] }

/** The encoding that a profile asks for. @throws `ERR_PROFILE_RENDERING` for an option or value that there is not */
export function encodingOf(options: ValueMap): Encoding {
  const unknown = Object.keys(options).find((option) => !Object.hasOwn(encodings, option))
  if (unknown !== undefined) {
    throw new DragomanError('ERR_PROFILE_RENDERING', {
      detail: { option: unknown, expected: `for format cwt one of: ${Object.keys(encodings).join(', ')}` },
    })
  }
  return {
    tag: chosen(options, 'tag', encodings.tag),
    cose: chosen(options, 'cose', encodings.cose),
    cose_ids: chosen(options, 'cose_ids', encodings.cose_ids),
    kid_in: chosen(options, 'kid_in', encodings.kid_in),
  }
}

interface Choice<T extends string> {
  readonly enum: readonly T[]
  readonly default: T
}

function chosen<T extends string>(options: ValueMap, option: string, choice: Choice<T>): T {
  const value = options[option] ?? choice.default
  const found = choice.enum.find((allowed) => allowed === value)
  if (found === undefined) {
    throw new DragomanError('ERR_PROFILE_RENDERING', {
      detail: { option, expected: `${option} as one of: ${choice.enum.join(', ')}` },
    })
  }
  return found
}
