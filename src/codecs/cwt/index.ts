import type { Codec } from '../../core/codec.ts'
import { tokenTypes } from '../../core/types.ts'
import { encodings } from './encodings.ts'
import { PLAIN } from './kind.ts'
import { parse } from './read.ts'
import { prepare } from './write.ts'

/** CBOR Web Tokens (RFC 8392), signed with COSE_Sign1 or COSE_Sign, as base64url text. */
export const cwt: Codec = {
  format: 'cwt',
  tokenTypes: [tokenTypes.cwt, tokenTypes.cwtSign1, tokenTypes.cwtSign],
  kinds: [PLAIN],
  encodings,
  timeless: true,
  parse,
  prepare,
}
