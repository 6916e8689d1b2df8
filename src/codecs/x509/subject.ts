import { DragomanError } from '../../core/errors.ts'
import { parseSpiffeId } from '../../core/spiffe.ts'
import type { Value } from '../../core/value.ts'
import { type GeneralName, isAbsoluteUri, isDnsName, mailboxHost } from '../../wire/general-name.ts'
import type { Encoding } from './encodings.ts'

// What SPIFFE allows, and more than any reader of the field needs.
const MAX_URI = 2048

// `system:serviceaccount:ns:name` and `repo:org/name` look like URIs and are none: only schemes that identify somebody.
const SCHEMES: ReadonlySet<string> = new Set(['https', 'http', 'spiffe', 'wimse', 'urn'])

const wrong = (expected: string) => new DragomanError('ERR_PROFILE_SUBJECT', { detail: { claim: 'sub', expected } })

/**
 * The alternative name that a subject becomes: exactly one.
 *
 * With a template it is always the template's, so that no subject which is a URI itself can pass for another one.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SUBJECT`, saying what would do
 */
export function subjectName(
  subject: Value | undefined,
  { subjectAs, template, svid }: Encoding,
): GeneralName & { readonly text: string } {
  if (typeof subject !== 'string' || subject === '') throw wrong('a subject that is text')
  if (subjectAs === 'san_dns') {
    if (!isDnsName(subject) || subject.startsWith('*')) throw wrong('a DNS name')
    return { kind: 'dns', text: subject }
  }
  if (subjectAs === 'san_email') {
    if (mailboxHost(subject) === undefined) throw wrong('an e-mail address')
    return { kind: 'email', text: subject }
  }
  const text = template === undefined ? subject : template.replace('{sub}', () => encoded(subject))
  if (text.length > MAX_URI) throw wrong(`a URI of at most ${MAX_URI} characters`)
  if (svid) {
    if (!parseSpiffeId(text)?.path) throw wrong('a SPIFFE ID with a path')
  } else if (!isAbsoluteUri(text) || !SCHEMES.has(text.slice(0, text.indexOf(':')))) {
    throw wrong(`a URI (${[...SCHEMES].join(', ')}), or the option san_template`)
  }
  return { kind: 'uri', text }
}

/** Refuses a template that makes no name of even the plainest subject. @throws `ERR_PROFILE_RENDERING` */
export function checkTemplate(encoding: Encoding): void {
  const { template, svid } = encoding
  if (template === undefined) return
  const fail = (cause?: unknown) =>
    new DragomanError('ERR_PROFILE_RENDERING', {
      cause,
      detail: { option: 'san_template', expected: `${svid ? 'a SPIFFE ID' : 'a URI'} with {sub} in it once` },
    })
  if (template.split('{sub}').length !== 2) throw fail()
  try {
    subjectName('a', encoding)
  } catch (cause) {
    throw fail(cause)
  }
}

/** Percent-encoded but for the unreserved characters of RFC 3986 §2.3. */
function encoded(text: string): string {
  if (!text.isWellFormed()) throw wrong('a subject in well-formed Unicode')
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
