import { DragomanError } from './errors.ts'
import type { ValueMap } from './value.ts'

/** JSON Schema of one option of the `encoding` stage that is a choice between words. */
export interface Choice {
  readonly type: 'string'
  readonly enum: readonly string[]
  readonly default: string
  readonly description: string
}

type Choices = { readonly [option: string]: Choice }

/** What was chosen, of each option one of its words. */
export type Chosen<C extends Choices> = { readonly [Option in keyof C]: C[Option]['enum'][number] }

/**
 * The encoding that a profile asks for, with defaults for what it does not say.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_RENDERING` for an option or value that there is not
 */
export function chosenEncoding<C extends Choices>(format: string, choices: C, options: ValueMap): Chosen<C> {
  const unknown = Object.keys(options).find((option) => !Object.hasOwn(choices, option))
  if (unknown !== undefined) {
    throw new DragomanError('ERR_PROFILE_RENDERING', {
      detail: { option: unknown, expected: `for format ${format} one of: ${Object.keys(choices).join(', ')}` },
    })
  }
  const chosen = Object.entries(choices).map(([option, choice]) => [option, wordOf(options[option], option, choice)])
  return Object.fromEntries(chosen) as Chosen<C>
}

function wordOf(value: unknown = undefined, option: string, { enum: words, default: usual }: Choice): string {
  const found = words.find((word) => word === (value ?? usual))
  if (found !== undefined) return found
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: { option, expected: `${option} as one of: ${words.join(', ')}` },
  })
}
