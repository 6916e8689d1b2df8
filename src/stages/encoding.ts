import type { Stage } from '../core/stage.ts'
import { map, type Value } from '../core/value.ts'
import { neutral } from './options.ts'

/** Options as the codec of the target format offers them (`Codec.encodings`). */
export interface EncodingOptions {
  readonly [option: string]: unknown
}

/**
 * How the same content is encoded within the format. Checks only that the options are plain values: which there are, and
 * what they can be, is the codec's word, and it refuses what it does not know.
 */
export const encoding: Stage<EncodingOptions> = {
  name: 'encoding',
  phase: 'writing',
  summary: 'How the output is encoded within its format; each format has options of its own.',
  schema: { type: 'object', minProperties: 1, description: 'Options of the target format.' },
  prepare(options) {
    const entries = Object.entries(options).map(([name, value]): [string, Value] => [name, neutral(value, name)])
    return {
      render: (rendering) => ({ ...rendering, options: map([...Object.entries(rendering.options), ...entries]) }),
    }
  },
}
