import type { Codec } from '../core/codec.ts'
import { cwt } from './cwt/index.ts'
import { jwt } from './jwt/index.ts'
import { x509Codec } from './x509/index.ts'

/** The built-in formats. Each call makes new ones, since they remember what they have seen. */
export const codecs = (): readonly Codec[] => [jwt(), x509Codec(), cwt]
