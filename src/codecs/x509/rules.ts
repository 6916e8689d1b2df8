import type { Certificate } from '../../wire/certificate.ts'
import { isSelfIssued } from '../../wire/certificate.ts'
import { keyUsages, extensionOids as oids } from '../../wire/extensions.ts'

/** What a certificate lacks: the check, and what would pass it. Never a name out of the certificate. */
export interface Problem {
  readonly check: string
  readonly expected: string
}

const problem = (check: string, expected: string): Problem => ({ check, expected })

// RFC 5280 §4.1.2.2.
const MAX_SERIAL_OCTETS = 20

// Every extension that is processed (RFC 5280 §4.2). Policy mappings, policy constraints and inhibitAnyPolicy are not:
// without a policy engine a certificate that insists on them cannot be honoured. Neither are CRLs.
const PROCESSED: ReadonlySet<string> = new Set([
  oids.keyUsage,
  oids.subjectAltName,
  oids.basicConstraints,
  oids.nameConstraints,
  oids.certificatePolicies,
  oids.extendedKeyUsage,
])

/** OID of a critical extension that is not processed (RFC 5280 §6.1.4 o, §6.1.5 f); `claims` names one of ours. */
export function unknownCritical({ extensions }: Certificate, claims?: string): string | undefined {
  for (const { oid, critical } of extensions.all.values()) {
    if (critical && !PROCESSED.has(oid) && oid !== claims) return oid
  }
  return undefined
}

/** Whether `now` lies within the validity, both ends included (RFC 5280 §4.1.2.5), give or take `skew` seconds. */
export const isTimely = ({ notBefore, notAfter }: Certificate, now: number, skew: number): boolean =>
  now >= notBefore - skew && Math.floor(now) <= notAfter + skew

/** Why a certificate may not stand as issuer in a path (RFC 5280 §6.1.4 k to n), or `undefined`. */
export function issuerProblem({ extensions }: Certificate, intermediatesBelow: number): Problem | undefined {
  const { basicConstraints, keyUsage } = extensions
  if (!basicConstraints?.ca) return problem('basic_constraints', 'cA TRUE in each issuing certificate')
  if (keyUsage !== undefined && !(keyUsage & keyUsages.keyCertSign)) {
    return problem('key_usage', 'keyCertSign in each issuing certificate')
  }
  const { pathLength } = basicConstraints
  if (pathLength !== undefined && intermediatesBelow > pathLength) {
    return problem('path_length', `at most ${pathLength} intermediates below`)
  }
  return undefined
}

/**
 * Where a certificate breaks what RFC 5280 §4 asks of those who issue, beyond what §6 processes; `undefined`: nowhere.
 * A certificate that breaks these was made by other means than a conforming authority.
 */
export function nonconformity(certificate: Certificate, place: 'leaf' | 'authority' | 'anchor'): Problem | undefined {
  const { serialNumber, subject, issuer, extensions, version } = certificate
  const { all, basicConstraints, keyUsage, nameConstraints, authorityKeyId, subjectKeyId } = extensions
  const wrong = (expected: string) => problem('conformance', expected)
  if (version !== 3) return wrong('version 3')
  if (place !== 'anchor') {
    if (serialNumber.length > MAX_SERIAL_OCTETS || (serialNumber[0] ?? 0) >= 0x80 || !serialNumber.some(Boolean)) {
      return wrong(`a positive serial number of at most ${MAX_SERIAL_OCTETS} octets`)
    }
    if (!authorityKeyId?.keyId && !isSelfIssued(certificate)) return wrong('an authority key identifier')
  }
  if (issuer.parts.length === 0) return wrong('an issuer that is not empty')
  if (basicConstraints?.ca) {
    if (!all.get(oids.basicConstraints)?.critical) return wrong('basic constraints marked critical')
    if (!subjectKeyId) return wrong('a subject key identifier in each authority')
    if (subject.parts.length === 0) return wrong('a subject in each authority')
    if (all.has(oids.noRevocationAvailable)) return wrong('noRevAvail in end entities only')
  } else {
    if (nameConstraints) return wrong('name constraints in authorities only')
    if (keyUsage !== undefined && keyUsage & keyUsages.keyCertSign) return wrong('keyCertSign in authorities only')
    if (basicConstraints?.pathLength !== undefined) return wrong('a path length in authorities only')
  }
  if (subject.parts.length === 0 && !all.get(oids.subjectAltName)?.critical) {
    return wrong('critical alternative names where the subject is empty')
  }
  if (NEVER_CRITICAL.some((oid) => all.get(oid)?.critical))
    return wrong('key identifiers and access information not critical')
  if (ALWAYS_CRITICAL.some((oid) => all.get(oid)?.critical === false))
    return wrong('policy constraints marked critical')
  return undefined
}

const NEVER_CRITICAL = [
  oids.authorityKeyIdentifier,
  oids.subjectKeyIdentifier,
  oids.authorityInformationAccess,
  oids.subjectInformationAccess,
  oids.freshestCrl,
  oids.noRevocationAvailable,
]

// Name constraints belong here too, but public authorities may leave them uncritical; they are processed either way.
const ALWAYS_CRITICAL = [oids.policyConstraints, oids.inhibitAnyPolicy]

/**
 * Whether the authority key identifier of `subject` can mean `issuer` (RFC 5280 §4.2.1.1). The text calls it a hint; a
 * mismatch refuses here, since a path with another key than the one named is not the path that was meant.
 */
export function identifies(subject: Certificate, issuer: Certificate): boolean {
  const { authorityKeyId } = subject.extensions
  if (!authorityKeyId) return true
  const { keyId, serialNumber, issuer: names } = authorityKeyId
  const { subjectKeyId } = issuer.extensions
  if (keyId && subjectKeyId && !keyId.equals(subjectKeyId)) return false
  if (serialNumber && !serialNumber.equals(issuer.serialNumber)) return false
  const directory = names?.find((name) => name.kind === 'directory')
  return !directory || directory.name.der.equals(issuer.issuer.der)
}
