// SPIFFE-ID §2.3
const MAX_BYTES = 2048
const MAX_TRUST_DOMAIN_BYTES = 255

const TRUST_DOMAIN = /^[a-z0-9._-]+$/
const SEGMENT = /^[A-Za-z0-9._-]+$/

/** A trust domain name as credentials carry it: lower case, no port (SPIFFE-ID §2.1). */
export const isTrustDomain = (text: string): boolean => text.length <= MAX_TRUST_DOMAIN_BYTES && TRUST_DOMAIN.test(text)

/** One segment of the path of a SPIFFE ID: not empty, not `.` or `..`, nothing percent-encoded (SPIFFE-ID §2.2). */
export const isPathSegment = (text: string): boolean => SEGMENT.test(text) && text !== '.' && text !== '..'

/** A SPIFFE ID of a workload: with a path (SPIFFE-ID §2). */
export function isWorkloadId(text: string): boolean {
  if (text.length > MAX_BYTES || !text.startsWith('spiffe://')) return false
  const [trustDomain, ...segments] = text.slice('spiffe://'.length).split('/')
  return trustDomain !== undefined && isTrustDomain(trustDomain) && segments.length > 0 && segments.every(isPathSegment)
}
