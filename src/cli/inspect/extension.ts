import { CLAIMS_EXTENSION, readClaims } from '../../codecs/x509/claims.ts'
import { map } from '../../core/value.ts'
import type { Certificate } from '../../wire/certificate.ts'
import { claimLine } from './lines.ts'

/** The claims in our own extension, where a certificate has one. */
export function claimsIn({ extensions }: Certificate, now: number): readonly string[] {
  const extension = extensions.all.get(CLAIMS_EXTENSION)
  if (extension === undefined) return []
  const { claims, audience, scope } = readClaims(extension, map())
  const lines = Object.entries(claims).map(([name, value]) => claimLine(name, value, now))
  if (audience.length > 0) lines.unshift(claimLine('aud', audience.join(', '), now))
  if (scope) lines.push(claimLine('scope', scope.join(' '), now))
  return ['claims extension', ...lines]
}
