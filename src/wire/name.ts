import { contentOf, type Der, inside, listOf, malformed, readDer, readOid, tags, wholeOf } from './der.ts'
import { der, oid, sequence, utf8String } from './der-write.ts'

/** One attribute of a distinguished name. */
export interface NameAttribute {
  /** Dotted OID. */
  readonly type: string
  /** The value as text; `undefined` for a value that is not a character string. */
  readonly text: string | undefined
  /** DER of the value; `undefined` when the attribute was read from text. */
  readonly value: Buffer | undefined
}

export type RelativeName = readonly NameAttribute[]

/** A distinguished name as a certificate has it: the most general part first. */
export interface Name {
  readonly der: Buffer
  readonly parts: readonly RelativeName[]
}

// Names of the field have up to 10 parts; each more is work for a decoy.
const MAX_NAME_PARTS = 32

export const COMMON_NAME = '2.5.4.3'
export const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'

/** RFC 4514 §3: the types that have a short name there. */
const SHORT_NAMES: readonly (readonly [string, string])[] = [
  ['CN', COMMON_NAME],
  ['L', '2.5.4.7'],
  ['ST', '2.5.4.8'],
  ['O', '2.5.4.10'],
  ['OU', '2.5.4.11'],
  ['C', '2.5.4.6'],
  ['STREET', '2.5.4.9'],
  ['DC', '0.9.2342.19200300.100.1.25'],
  ['UID', '0.9.2342.19200300.100.1.1'],
]
const shortName = new Map(SHORT_NAMES.map(([name, type]) => [type, name]))
const typeNamed = new Map(SHORT_NAMES.map(([name, type]) => [name, type]))

/**
 * Reads a `Name` (RFC 5280 §4.1.2.4). May be empty.
 *
 * Checks structure, the order of attributes within a part, that character strings decode and hold no control
 * characters (an embedded NUL ends a name for some readers). Does NOT check lengths or which attributes there are.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`
 */
export function readName(element: Der): Name {
  const parts: RelativeName[] = []
  const reader = inside(element)
  while (!reader.done) parts.push(readPart(reader.take(tags.set, 'a SET in a name')))
  if (parts.length > MAX_NAME_PARTS) throw malformed(`at most ${MAX_NAME_PARTS} parts of a name`, element.start)
  return { der: wholeOf(element), parts }
}

/** {@link readName} for bytes that hold one name and nothing else. */
export const parseName = (bytes: Uint8Array): Name => readName(readDer(bytes, tags.sequence, 'a name'))

function readPart(element: Der): RelativeName {
  const attributes = listOf(element, 'a part of a name')
  for (let at = 1; at < attributes.length; at += 1) {
    const [before, after] = [attributes[at - 1], attributes[at]]
    if (before && after && Buffer.compare(wholeOf(before), wholeOf(after)) >= 0) {
      throw malformed('the attributes of a SET in order, each once', after.start)
    }
  }
  return attributes.map((attribute) => {
    if (attribute.tag !== tags.sequence) throw malformed('an attribute of a name', attribute.start)
    const reader = inside(attribute)
    const type = readOid(reader.take(tags.oid, 'the type of an attribute'))
    const value = reader.next()
    reader.finish('an attribute of a name')
    return { type, text: readText(value), value: wholeOf(value) }
  })
}

// C0 and C1 control characters and DEL.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

function readText(element: Der): string | undefined {
  const text = decodeText(element)
  if (text !== undefined && CONTROL.test(text)) throw malformed('no control characters in a name', element.start)
  return text
}

function decodeText(element: Der): string | undefined {
  const value = contentOf(element)
  switch (element.tag) {
    case tags.utf8String: {
      const text = value.toString('utf8')
      if (text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(value)) throw malformed('UTF-8', element.start)
      return text
    }
    case tags.printableString:
    case tags.ia5String:
    case NUMERIC_STRING:
      if (value.some((octet) => octet > 0x7e)) throw malformed('ASCII in a string of ASCII', element.start)
      return value.toString('latin1')
    case tags.teletexString:
      return value.toString('latin1')
    case tags.bmpString: {
      if (value.length % 2 !== 0) throw malformed('two octets for each character', element.start)
      const text = Buffer.from(value).swap16().toString('utf16le')
      if (!text.isWellFormed()) throw malformed('no lone surrogates in a name', element.start)
      return text
    }
    default:
      return undefined
  }
}
const NUMERIC_STRING = 0x12

/** The values of the attributes of one type, in order. */
export const valuesOf = (name: Name, type: string): readonly string[] =>
  name.parts.flatMap((part) => part.flatMap((a) => (a.type === type && a.text !== undefined ? [a.text] : [])))

/**
 * A name as RFC 4514 text: the most specific part first, types without a short name there as OID and `#` with the
 * hexadecimal DER of the value.
 */
export const nameText = (name: Name): string =>
  name.parts
    .toReversed()
    .map((part) => part.map(attributeText).join('+'))
    .join(',')

function attributeText({ type, text, value }: NameAttribute): string {
  const name = shortName.get(type)
  if (name !== undefined && text !== undefined) return `${name}=${escapeText(text)}`
  return `${name ?? type}=#${(value ?? utf8String(text ?? '')).toString('hex')}`
}

const escapeText = (text: string): string =>
  text
    .replace(/[\\"+,;<>]/g, '\\$&')
    .replace(/^[ #]/, '\\$&')
    .replace(/ $/, '\\ ')

/**
 * The parts of a name written as RFC 4514 text, the most general first; `undefined` when it cannot be parsed.
 *
 * Takes the short names of that RFC in any case, OIDs, escapes and hexadecimal values; white space around separators,
 * which the RFC forbids and people write, is passed over.
 */
export function parseNameText(text: string): readonly RelativeName[] | undefined {
  const parts: NameAttribute[][] = [[]]
  let at = 0
  if (text.trim() === '') return []
  for (;;) {
    const head = /\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)\s*=[ ]*/y
    head.lastIndex = at
    const found = head.exec(text)
    const key = found?.[1]
    const type = key === undefined ? undefined : /^[0-9]/.test(key) ? key : typeNamed.get(key.toUpperCase())
    if (!found || type === undefined) return undefined
    const value = attributeValue(text, at + found[0].length)
    if (!value) return undefined
    parts.at(-1)?.push({ type, text: value.text, value: value.der })
    at = value.end
    if (at === text.length) return parts.toReversed()
    if (text[at] === ',') parts.push([])
    else if (text[at] !== '+') return undefined
    at += 1
  }
}

function attributeValue(source: string, from: number): { text?: string; der?: Buffer; end: number } | undefined {
  const hex = /#((?:[0-9A-Fa-f]{2})+)[ ]*(?=[,+]|$)/y
  hex.lastIndex = from
  const found = hex.exec(source)
  if (found) return { der: Buffer.from(found[1] ?? '', 'hex'), end: from + found[0].length }
  if (source[from] === '#') return undefined
  const plain = /(?:[^\\",+;<>]|\\[\\"+,;<>#= ]|(?:\\[0-9A-Fa-f]{2})+)*/y
  plain.lastIndex = from
  const raw = plain.exec(source)?.[0] ?? ''
  const end = from + raw.length
  if (end < source.length && source[end] !== ',' && source[end] !== '+') return undefined
  // An escaped space at the end belongs to the value, a bare one does not.
  const trimmed = raw.replace(/(\\ |\\[0-9A-Fa-f]{2})? *$/, '$1')
  const text = trimmed
    .replace(/(?:\\[0-9A-Fa-f]{2})+/g, (octets) => Buffer.from(octets.replaceAll('\\', ''), 'hex').toString('utf8'))
    .replace(/\\([\\"+,;<>#= ])/g, '$1')
  return text.includes('\ufffd') ? undefined : { text, end }
}

/**
 * Whether two names are the same by distinguishedNameMatch (RFC 4517 §4.2.15): same parts in the same order, within a
 * part the same attributes, text compared without case and with white space collapsed (RFC 5280 §7.1).
 */
export const sameName = (left: readonly RelativeName[], right: readonly RelativeName[]): boolean =>
  left.length === right.length && startsWithName(left, right)

/** Whether `name` lies in the subtree of `base` (RFC 5280 §4.2.1.10, directoryName), compared as {@link sameName}. */
export const startsWithName = (name: readonly RelativeName[], base: readonly RelativeName[]): boolean =>
  base.length <= name.length && base.every((part, index) => samePart(part, name[index] ?? []))

function samePart(left: RelativeName, right: RelativeName): boolean {
  if (left.length !== right.length) return false
  return left.every((attribute) => right.some((other) => sameAttribute(attribute, other)))
}

function sameAttribute(left: NameAttribute, right: NameAttribute): boolean {
  if (left.type !== right.type) return false
  const [one, other] = [comparable(left), comparable(right)]
  if (typeof one === 'string' && typeof other === 'string') return fold(one) === fold(other)
  return Buffer.isBuffer(one) && Buffer.isBuffer(other) && one.equals(other)
}

/** The text of an attribute, also of one that was written as hexadecimal DER; its DER when it is no text. */
function comparable({ text, value }: NameAttribute): string | Buffer | undefined {
  if (text !== undefined || value === undefined) return text
  try {
    return decodeText(readDer(value, value[0] ?? 0, 'a value')) ?? value
  } catch {
    return value
  }
}

// Stands in for the string preparation of RFC 4518: compatibility forms, case, white space.
const fold = (text: string): string => text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')

/** DER of a name with one attribute in each part, as UTF8String, the most general first. Text is never parsed. */
export const nameOf = (attributes: readonly (readonly [type: string, text: string])[]): Buffer =>
  sequence(...attributes.map(([type, text]) => der(tags.set, sequence(oid(type), utf8String(text)))))

/** DER of the name with this common name alone. */
export const commonName = (text: string): Buffer => nameOf([[COMMON_NAME, text]])
