import { DragomanError } from '../core/errors.ts'
import { isPathSegment, isTrustDomain, isWorkloadId } from '../core/spiffe.ts'
import type { ExpressionVariables } from '../core/stage.ts'
import { wrongOption } from './options.ts'
import { type Path, pathOf } from './path.ts'

/** Fills in the placeholders. @throws {@link DragomanError} `ERR_PROFILE_SUBJECT` when a value is absent or does not fit */
export type Template = (variables: ExpressionVariables) => string

/** Literal text, or a placeholder with what may stand in its place. */
type Part = string | { readonly name: string; readonly read: Path; readonly fill: Fill }

/** The text that stands for a value, or `undefined` when it does not fit. */
interface Fill {
  readonly expected: string
  write(value: string): string | undefined
}

const SPIFFE = 'spiffe://'

/**
 * A subject with placeholders: `spiffe://example.org/ns/{subject.namespace}/sa/{subject.name}`.
 *
 * A placeholder is a path into the variables, such as `{subject.email}` or `{subject["kubernetes.io"].namespace}`; short
 * for `{subject.trust_domain}` is `{trust_domain}`. Its value is text or a whole number, never absent, and cannot break
 * out of its place: in a SPIFFE ID it must be a path segment (or a trust domain) as it is, anywhere else all but
 * `A-Z a-z 0-9 - . _ ~` is percent-encoded (RFC 3986 §2.3). Different values never give the same subject: between two
 * placeholders there must be a character that no value can contain.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`
 */
export function templateOf(text: string, path: string): Template {
  const pieces = text.split(/\{([^{}]*)\}/)
  const spiffe = text.startsWith(SPIFFE)
  const parts: Part[] = []
  let written = ''
  pieces.forEach((piece, index) => {
    if (index % 2 === 0) {
      if (/[{}]/.test(piece)) throw wrongOption(path, 'each { with its }')
      assertSeparates(piece, index, pieces.length, spiffe, path)
      parts.push(piece)
    } else {
      parts.push({ name: piece, read: pathOf(withRoot(piece), path), fill: fillAfter(written, piece, spiffe, path) })
    }
    written += index % 2 === 0 ? piece : 'x'
    if (written === `${SPIFFE}x` && pieces[index + 1]?.startsWith('/') === false && index === 1) {
      throw wrongOption(path, 'a / after {trust_domain}')
    }
  })
  if (pieces.length === 1) throw wrongOption(path, 'a placeholder such as {subject.email}; `fixed` is for plain text')
  if (spiffe && !isWorkloadId(written))
    throw wrongOption(path, 'a SPIFFE ID with a path, without anything percent-encoded')
  return (variables) => parts.map((part) => (typeof part === 'string' ? part : filled(part, variables))).join('')
}

const withRoot = (name: string): string => (name === 'trust_domain' ? 'subject.trust_domain' : name)

function filled({ name, read, fill }: Exclude<Part, string>, variables: ExpressionVariables): string {
  const value = read(variables)
  const text = typeof value === 'string' ? value : Number.isSafeInteger(value) ? String(value) : undefined
  const written = text === undefined || text === '' ? undefined : fill.write(text)
  if (written === undefined) {
    throw new DragomanError('ERR_PROFILE_SUBJECT', { detail: { placeholder: name, expected: fill.expected } })
  }
  return written
}

/** Between two placeholders stands something that neither value can contain. */
function assertSeparates(piece: string, index: number, count: number, spiffe: boolean, path: string): void {
  const between = index > 0 && index < count - 1
  if (!between || (spiffe ? piece.includes('/') : /[^A-Za-z0-9._~%-]/.test(piece))) return
  throw wrongOption(path, 'a separator such as / or : between two placeholders')
}

const SEGMENT: Fill = {
  expected: 'a value of letters, digits, -, . and _, since it is a segment of a SPIFFE ID',
  write: (value) => (isPathSegment(value) ? value : undefined),
}

const TRUST_DOMAIN: Fill = {
  expected: 'a trust domain name',
  write: (value) => (isTrustDomain(value) ? value : undefined),
}

const ENCODED: Fill = {
  expected: 'a value that is not empty, nor . or ..',
  write: (value) => (value === '.' || value === '..' || !value.isWellFormed() ? undefined : percentEncoded(value)),
}

function fillAfter(written: string, name: string, spiffe: boolean, path: string): Fill {
  const host = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*$/.test(written)
  if (!host) return spiffe ? SEGMENT : ENCODED
  if (written === SPIFFE && name === 'trust_domain') return TRUST_DOMAIN
  // A host made of a claim would let whoever made the claim choose in whose name this speaks.
  throw wrongOption(path, 'no placeholder in the host of a URI; only {trust_domain} can be that of a SPIFFE ID')
}

/** RFC 3986 §2.1: everything but unreserved characters, as UTF-8. */
const percentEncoded = (value: string): string =>
  encodeURIComponent(value).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
