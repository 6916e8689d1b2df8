import { isIP } from 'node:net'
import { contentOf, context, type Der, inside, malformed, readOid, tags, wholeOf } from './der.ts'
import { der } from './der-write.ts'
import { type Name, readName } from './name.ts'

/** A `GeneralName` (RFC 5280 §4.2.1.6). Kinds that nobody here reads carry their DER alone. */
export type GeneralName =
  | { readonly kind: 'uri' | 'dns' | 'email'; readonly text: string }
  /** Octets: 4 or 16 of an address, 8 or 32 of an address and mask in a name constraint. */
  | { readonly kind: 'ip'; readonly octets: Buffer }
  | { readonly kind: 'directory'; readonly name: Name }
  | { readonly kind: 'other'; readonly type: string; readonly value: Buffer }
  | { readonly kind: 'registered' | 'x400' | 'edi'; readonly der: Buffer }

/**
 * Reads one `GeneralName`.
 *
 * Checks that text is visible ASCII: a NUL, a space or a control character makes readers disagree. Does NOT check the
 * syntax of the text, which differs between names and constraints.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`
 */
export function readGeneralName(element: Der): GeneralName {
  switch (element.tag) {
    case context(0): {
      const reader = inside(element)
      const type = readOid(reader.take(tags.oid, 'the type of an otherName'))
      const value = reader.take(context(0), 'the value of an otherName')
      reader.finish('an otherName')
      return { kind: 'other', type, value: contentOf(value) }
    }
    case context(1, false):
      return { kind: 'email', text: visible(element) }
    case context(2, false):
      return { kind: 'dns', text: visible(element) }
    case context(6, false):
      return { kind: 'uri', text: visible(element) }
    case context(7, false):
      return { kind: 'ip', octets: contentOf(element) }
    case context(4): {
      const reader = inside(element)
      const name = readName(reader.take(tags.sequence, 'a directoryName'))
      reader.finish('a directoryName')
      return { kind: 'directory', name }
    }
    case context(8, false):
      return { kind: 'registered', der: wholeOf(element) }
    case context(3):
      return { kind: 'x400', der: wholeOf(element) }
    case context(5):
      return { kind: 'edi', der: wholeOf(element) }
    default:
      throw malformed('a GeneralName', element.start)
  }
}

function visible(element: Der): string {
  const { bytes, content, end, start } = element
  for (let at = content; at < end; at += 1) {
    const octet = bytes[at] ?? 0
    if (octet < 0x21 || octet > 0x7e) throw malformed('visible ASCII in a name', start)
  }
  return bytes.toString('latin1', content, end)
}

// RFC 1034 §3.5 and RFC 1123 §2.1, with the underscore that service names have; one wildcard label in front.
const HOST = /^(?:\*\.)?(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*$/
const MAX_HOST = 253

/** Whether `text` is a DNS name as a certificate may carry it. */
export const isDnsName = (text: string): boolean => text.length <= MAX_HOST && HOST.test(text)

// A mailbox as RFC 5280 §4.2.1.6 has it: Local-part@Domain, no phrase, no angle brackets. Quoted local parts are legal.
const MAILBOX = /^(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}|"(?:[^"\\]|\\.){1,62}")@([^@]+)$/

/** The host of a mailbox; `undefined` when `text` is none. */
export function mailboxHost(text: string): string | undefined {
  const host = MAILBOX.exec(text)?.[1]
  return host !== undefined && isDnsName(host) && !host.startsWith('*') ? host : undefined
}

// RFC 3986 §3: scheme, then only characters that a URI may have, percent followed by two digits.
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/

/** Whether `text` is an absolute URI in ASCII (RFC 5280 §4.2.1.6: never relative). */
export const isAbsoluteUri = (text: string): boolean => URI.test(text)

/** The host of a URI with an authority; `undefined` when there is none, or an IP literal. */
export function uriHost(text: string): string | undefined {
  const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(text)?.[1]
  const host = authority?.replace(/^[^@]*@/, '').replace(/:\d*$/, '')
  return host !== undefined && isDnsName(host) && isIP(host) === 0 ? host : undefined
}

/** An address as text: dotted IPv4, or IPv6 as RFC 5952 writes it. */
export function ipText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  const groups = Array.from({ length: 8 }, (_, at) => ((octets[at * 2] ?? 0) << 8) | (octets[at * 2 + 1] ?? 0))
  let best = { at: 0, length: 0 }
  for (let at = 0; at < 8; at += 1) {
    let length = 0
    while (groups[at + length] === 0) length += 1
    if (length > best.length) best = { at, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.length < 2) return hex.join(':')
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.length).join(':')}`
}

/** DER of a `GeneralName` of one of the kinds that are written. */
export function generalName(kind: 'uri' | 'dns' | 'email' | 'ip', value: string | Uint8Array): Buffer {
  const octets = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
  return der(context({ email: 1, dns: 2, uri: 6, ip: 7 }[kind], false), octets)
}

/** {@link readGeneralName} for a list of them, at least one. */
export function readGeneralNames(element: Der): readonly GeneralName[] {
  const reader = inside(element)
  const names: GeneralName[] = []
  while (!reader.done) names.push(readGeneralName(reader.next()))
  if (names.length === 0) throw malformed('at least one name', element.start)
  return names
}
