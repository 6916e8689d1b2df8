import type { Codec } from '../core/codec.ts'
import { cwt } from './cwt/index.ts'
import { jwt } from './jwt/index.ts'
import { type X509Options, x509Codec } from './x509/index.ts'

/** The built-in formats. Each call makes new ones, since they remember what they have seen. */
export const codecs = (x509: X509Options = {}): readonly Codec[] => [jwt(), x509Codec(x509), cwt]
