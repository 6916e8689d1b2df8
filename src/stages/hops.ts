import { DragomanError } from '../core/errors.ts'
import { MAX_PATH, PATH_CLAIM, pathIn } from '../core/path.ts'
import type { Setting, Transform } from '../core/stage.ts'
import { withMember } from '../core/value.ts'

export interface PathOptions {
  readonly max?: number
  readonly revisit?: boolean
}

// Three domains in a row are two hops; who needs more says so.
const MAX_HOPS = 4

export const pathSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    'Adds the issuer of the subject token, if it is another than this gateway, to `trust_path`: the trust domains through which a token came.',
  properties: {
    max: { type: 'integer', minimum: 1, maximum: MAX_PATH, default: MAX_HOPS, description: 'Most issuers in it.' },
    revisit: {
      type: 'boolean',
      default: false,
      description:
        'Takes a token that has come through this gateway before, or twice through another; `max` still bounds how often.',
    },
  },
} as const

/**
 * Notes one more hop. A token that has been here before is refused, since whoever sends tokens in a circle renews them
 * without end; so is one from further away than the profile allows.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_PATH`
 */
export function addHop({ max = MAX_HOPS, revisit = false }: PathOptions, { issuer: own }: Setting): Transform {
  return (draft, { subject }) => {
    const earlier = pathIn(subject.claims[PATH_CLAIM])
    const { issuer } = subject.provenance
    const path = issuer === own ? earlier : [...earlier, issuer]
    if (!revisit && (path.includes(own) || new Set(path).size < path.length)) {
      throw new DragomanError('ERR_TOKEN_PATH', { detail: { expected: 'each trust domain once, and not this one' } })
    }
    if (path.length > max) {
      throw new DragomanError('ERR_TOKEN_PATH', { detail: { expected: `at most ${max} issuers`, actual: path.length } })
    }
    return path.length === 0 ? draft : { ...draft, claims: withMember(draft.claims, PATH_CLAIM, path) }
  }
}
