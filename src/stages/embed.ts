import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Draft } from '../core/token.ts'
import { assertWritable, SIGNATURE_HEADER } from './names.ts'
import { wrongOption } from './options.ts'

export const PLACES = ['claim', 'header'] as const
export const CONTENTS = ['digest', 'token'] as const

export interface EmbedOptions {
  readonly what: (typeof CONTENTS)[number]
  readonly place?: (typeof PLACES)[number]
  readonly name?: string
  readonly danger_embed_bearer?: true
}

// A token twice as large as that is refused by most servers in a header, and all that we issue has to travel there.
const MAX_EMBEDDED = 16_384

/**
 * Carries the subject token inside the output, whole or as the SHA-256 of what was signed in it (hex, as in the audit
 * record).
 *
 * A bearer token can be cut out and used by whoever reads the output. So a whole one is carried only when it is bound to a
 * key, or is meant for nobody but the audience of the output; else the option `danger_embed_bearer` must be set.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_EMBEDDED`
 */
export function embedSubject(options: EmbedOptions): (draft: Draft, exchange: Exchange) => Draft {
  const { what, place = 'claim', name = what === 'digest' ? 'src_digest' : 'src_token' } = options
  if (place === 'claim') assertWritable(name, 'token.name')
  else if (SIGNATURE_HEADER.has(name))
    throw wrongOption('token.name', `another header member than ${name}, which has a meaning`)
  if (what === 'digest' && options.danger_embed_bearer) {
    throw wrongOption('token.danger_embed_bearer', 'no such option: a digest is no token')
  }
  return (draft, exchange) => {
    const taken = place === 'claim' ? draft.claims[name] !== undefined : false
    if (taken || draft.embedded.some((embedded) => embedded.place === place && embedded.name === name)) {
      throw refused(name, 'a name that is not in use')
    }
    const value = what === 'digest' ? exchange.subject.provenance.digest : wholeToken(name, options, draft, exchange)
    return { ...draft, embedded: [...draft.embedded, { name, place, value }] }
  }
}

function wholeToken(name: string, options: EmbedOptions, draft: Draft, { request, subject }: Exchange): string {
  const { subject_token: raw } = request
  const { audience } = subject.validity
  const forTheSame = audience.length > 0 && audience.every((value) => draft.validity.audience.includes(value))
  if (subject.confirmation === undefined && !forTheSame && !options.danger_embed_bearer) {
    throw refused(name, 'a subject token that is bound to a key, or is for the audience of the output only')
  }
  // The fixed text stands for a certificate that is in the TLS handshake and not in the request (a type of this draft).
  if (raw === 'mtls_client_certificate') throw refused(name, 'a subject token that is in the request')
  if (raw.length > MAX_EMBEDDED) throw refused(name, `a subject token of at most ${MAX_EMBEDDED} characters`)
  return raw
}

const refused = (name: string, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_EMBEDDED', { detail: { name, expected } })
