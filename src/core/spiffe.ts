/** A SPIFFE ID, taken apart. */
export interface SpiffeId {
  readonly trustDomain: string
  /** With its leading slash; empty in the ID of a trust domain, which no workload has. */
  readonly path: string
}

// SPIFFE-ID §2.3
const MAX_BYTES = 2048
const MAX_TRUST_DOMAIN_BYTES = 255

const TRUST_DOMAIN = /^[a-z0-9._-]+$/
const SEGMENT = /^[A-Za-z0-9._-]+$/
const SCHEME = 'spiffe://'

/** A trust domain name as credentials carry it: lower case, no port (SPIFFE-ID §2.1). */
export const isTrustDomain = (text: string): boolean => text.length <= MAX_TRUST_DOMAIN_BYTES && TRUST_DOMAIN.test(text)

/** One segment of the path of a SPIFFE ID: not empty, not `.` or `..`, nothing percent-encoded (SPIFFE-ID §2.2). */
export const isPathSegment = (text: string): boolean => SEGMENT.test(text) && text !== '.' && text !== '..'

/**
 * A SPIFFE ID in the one form that credentials carry it in, or `undefined` (SPIFFE-ID §2).
 *
 * Refuses upper case in scheme and trust domain instead of folding it, so that IDs can be compared as text; user
 * information, port, query, fragment and percent-encoding; empty and dot segments; a slash at the end.
 * Does NOT ask for a path: an ID without one names the trust domain.
 */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (text.length > MAX_BYTES || !text.startsWith(SCHEME)) return undefined
  const [trustDomain = '', ...segments] = text.slice(SCHEME.length).split('/')
  if (!isTrustDomain(trustDomain) || !segments.every(isPathSegment)) return undefined
  return { trustDomain, path: text.slice(SCHEME.length + trustDomain.length) }
}

/** A SPIFFE ID of a workload: one with a path. */
export const isWorkloadId = (text: string): boolean => Boolean(parseSpiffeId(text)?.path)
