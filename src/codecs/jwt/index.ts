import type { Codec } from '../../core/codec.ts'
import { headerReader } from '../../wire/jws.ts'
import { encodings } from './encodings.ts'
import { kindNamed, kinds } from './kinds.ts'
import { parse, types } from './read.ts'
import { prepare } from './write.ts'

/**
 * JSON Web Tokens (RFC 7519), signed: access tokens (RFC 9068), JWT-SVIDs, transaction tokens, and tokens of any explicit
 * type; and claims without a signature, as the word of the client that sends them.
 *
 * Each codec remembers the protected headers that it has read; it holds no other state.
 */
export function jwt(): Codec {
  const headers = headerReader()
  return {
    format: 'jwt',
    tokenTypes: types,
    kinds,
    kindRules: (kind) => kindNamed(kind).rules,
    encodings,
    timeless: true,
    parse: (envelope) => parse(envelope, headers),
    prepare,
  }
}
