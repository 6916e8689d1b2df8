import type { Codec } from '../../core/codec.ts'
import type { Signer } from '../../core/keys.ts'
import { tokenTypes } from '../../core/types.ts'
import { type Authority, authorityOf } from './authority.ts'
import { CLAIMS_EXTENSION } from './claims.ts'
import { encodings } from './encodings.ts'
import { newMemory } from './memory.ts'
import { kinds, parse } from './read.ts'
import { prepare } from './write.ts'

export interface X509Options {
  /** OID of the claims extension that is read; `false`: none is. Default: the one that is written by default. */
  readonly claimsExtension?: string | false
  /**
   * `bare`: an anchor is a name and a key, whatever its certificate says beside (RFC 5280 §6.1.1 d). Default
   * `enforced`: its dates, constraints and critical extensions count, as most readers have it.
   */
  readonly anchorRules?: 'enforced' | 'bare'
  /** Default true: certificates must also be such as RFC 5280 §4 has authorities issue them, with key identifiers. */
  readonly conforming?: boolean
}

/**
 * X.509 certificates (RFC 5280) as tokens.
 *
 * Remembers the authorities of chains that passed, so that each token costs one signature; a codec for each gateway.
 * Revocation lists are not read: certificates are to be short-lived, or their authority retired.
 */
export function x509Codec({
  claimsExtension = CLAIMS_EXTENSION,
  anchorRules = 'enforced',
  conforming = true,
}: X509Options = {}): Codec {
  const reading = { memory: newMemory(), claims: claimsExtension || undefined, anchorRules, conforming }
  const authorities = new WeakMap<Signer, Authority>()
  const authority = (signer: Signer): Authority => {
    const known = authorities.get(signer) ?? authorityOf(signer)
    authorities.set(signer, known)
    return known
  }
  return {
    format: 'x509',
    tokenTypes: [tokenTypes.mtls, tokenTypes.x509, tokenTypes.x509Der],
    kinds,
    encodings,
    parse: (envelope) => parse(envelope, reading),
    prepare: (rendering) => prepare(rendering, authority),
  }
}
