/** A SPIFFE ID, taken apart. */
export interface SpiffeId {
  readonly trustDomain: string
  /** With its leading slash; empty in the ID of a trust domain, which no workload has. */
  readonly path: string
}

// SPIFFE-ID §2.3
const MAX_BYTES = 2048
const MAX_TRUST_DOMAIN_BYTES = 255

const SYNTAX = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)*)$/
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/

/**
 * A SPIFFE ID in the one form that credentials carry it in, or `undefined` (SPIFFE-ID §2).
 *
 * Refuses upper case in scheme and trust domain instead of folding it, so that IDs can be compared as text; user
 * information, port, query, fragment and percent-encoding; empty and dot segments; a slash at the end.
 * Does NOT ask for a path: an ID without one names the trust domain.
 */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (text.length > MAX_BYTES) return undefined
  const [, trustDomain, path] = SYNTAX.exec(text) ?? []
  if (trustDomain === undefined || path === undefined) return undefined
  if (trustDomain.length > MAX_TRUST_DOMAIN_BYTES || DOT_SEGMENT.test(path)) return undefined
  return { trustDomain, path }
}
