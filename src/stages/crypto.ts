import { algorithmNamed, algorithmNames } from '../core/algorithms.ts'
import type { Stage } from '../core/stage.ts'
import { map, type Value } from '../core/value.ts'
import { SIGNATURE_HEADER } from './names.ts'
import { neutral, wrongOption } from './options.ts'

export interface CryptoOptions {
  readonly key: string
  readonly algorithm?: string
  readonly kid?: boolean
  readonly header?: { readonly [name: string]: unknown }
}

/** How the output is signed. Whether there is such a key, and of this algorithm, is seen when the profile is loaded. */
export const crypto: Stage<CryptoOptions> = {
  name: 'crypto',
  phase: 'writing',
  summary: 'How the output is signed: with which key and algorithm, and what its header says.',
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['key'],
    properties: {
      key: { type: 'string', minLength: 1, description: 'Name of the key, as in the configuration.' },
      algorithm: {
        enum: [...algorithmNames, 'EdDSA'],
        description: 'The algorithm that the key must be of. Default: whichever it is of.',
      },
      kid: { type: 'boolean', default: true, description: 'Whether the header names the key.' },
      header: {
        type: 'object',
        description: 'Members to add to the protected header; none that say how the token is signed or read.',
      },
    },
  },
  prepare({ key, algorithm, kid = true, header = {} }) {
    const named = algorithm === undefined ? undefined : algorithmNamed(algorithm)
    if (algorithm !== undefined && named === undefined) {
      throw wrongOption('algorithm', `one of ${algorithmNames.join(', ')}`)
    }
    const members = Object.entries(header).map(([name, value]): [string, Value] => {
      if (SIGNATURE_HEADER.has(name)) throw wrongOption(`header.${name}`, 'another name: this one has a meaning')
      return [name, neutral(value, `header.${name}`)]
    })
    return {
      render: (rendering) => ({
        ...rendering,
        key,
        algorithm: named?.name,
        kid,
        header: map([...Object.entries(rendering.header), ...members]),
      }),
    }
  },
}
