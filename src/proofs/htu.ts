import { isAbsoluteUri } from '../wire/general-name.ts'

/**
 * A URL in one form, without query and fragment (RFC 9449 §4.3, RFC 3986 §6.2.2 and §6.2.3): lower case where case has no
 * meaning, percent-encoding only where it must be, no dot segments, no default port, `/` for an empty path.
 * `undefined`: no absolute http or https URL, or one with user information.
 */
export function normalised(text: string): string | undefined {
  // The URL parser mends what it is given: backslashes, tabs, missing slashes. None of that is a URI.
  if (!isAbsoluteUri(text) || !/^https?:\/\/[^/?#]/i.test(text) || !URL.canParse(text)) return undefined
  const { protocol, host, pathname, username, password } = new URL(text)
  if (username !== '' || password !== '') return undefined
  return `${protocol}//${host}${pathname.replace(/%[0-9a-f]{2}/gi, plain)}`
}

const UNRESERVED = /[A-Za-z0-9._~-]/

function plain(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
  return UNRESERVED.test(character) ? character : encoded.toUpperCase()
}
