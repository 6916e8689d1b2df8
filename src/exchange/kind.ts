import { DragomanError } from '../core/errors.ts'
import type { TokenAcceptance } from '../core/profile.ts'
import type { Token } from '../core/token.ts'

/** Kinds that a format's own rules tell apart, not an explicit type in the header. */
const BY_RULES = new Set(['jwt', 'cwt', 'jwt-svid', 'id_token', 'client', 'server', 'x509-svid'])

/** What an untyped token may still say: RFC 7519 §5.1 recommends `JWT`, SPIFFE JWT-SVID §2.3 allows `JOSE`. */
const UNTYPED = new Set<string | undefined>([undefined, 'jwt', 'jose', 'cwt'])

/**
 * Refuses a token of another kind than the profile takes (RFC 8725 §3.11 and §3.12).
 *
 * A profile that names no kind takes untyped tokens only: an access token, a DPoP proof or an introspection answer of
 * the same issuer, all explicitly typed, cannot pass for one.
 */
export function assertKind({ provenance }: Token, { kind, format }: TokenAcceptance): void {
  if (format === 'x509') return
  const untyped = kind === undefined || BY_RULES.has(kind)
  if (untyped ? UNTYPED.has(provenance.kind) : provenance.kind === kind.toLowerCase()) return
  throw new DragomanError('ERR_TOKEN_KIND', {
    detail: {
      expected: untyped ? 'no explicit type' : kind,
      actual: UNTYPED.has(provenance.kind) ? 'no explicit type' : 'another',
    },
  })
}
