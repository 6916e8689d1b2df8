import type { Codec } from '../../core/codec.ts'
import { tokenTypes } from '../../core/types.ts'
import { headerReader } from '../../wire/jws.ts'
import { encodings } from './encodings.ts'
import { kindNamed, kinds } from './kinds.ts'
import { parse } from './read.ts'
import { prepare } from './write.ts'

/**
 * JSON Web Tokens (RFC 7519), signed: access tokens (RFC 9068), JWT-SVIDs, and tokens of any explicit type.
 *
 * Each codec remembers the protected headers that it has read; it holds no other state.
 */
export function jwt(): Codec {
  const headers = headerReader()
  return {
    format: 'jwt',
    tokenTypes: [tokenTypes.jwt, tokenTypes.accessToken, tokenTypes.idToken],
    kinds,
    kindRules: (kind) => kindNamed(kind).rules,
    encodings,
    timeless: true,
    parse: (envelope) => parse(envelope, headers),
    prepare,
  }
}
