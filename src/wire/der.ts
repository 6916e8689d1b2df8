import { DragomanError } from '../core/errors.ts'

/** Identifier octets that occur in certificates (X.690 §8.1.2). */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** The identifier octet of context tag `number`, such as `[3]`. */
export const context = (number: number, constructed = true): number => (constructed ? 0xa0 : 0x80) | number

// The longest identifiers in use are UUID arcs of 20 bytes.
const MAX_OID_BYTES = 64
// Three octets of length reach 16 MiB; nothing here is allowed to be that large.
const MAX_LENGTH_OCTETS = 3

/** One element: where it starts, where its value starts, where it ends. Nothing is copied. */
export interface Der {
  readonly tag: number
  readonly bytes: Buffer
  readonly start: number
  readonly content: number
  readonly end: number
}

/** The value octets of an element, a view. */
export const contentOf = ({ bytes, content, end }: Der): Buffer => bytes.subarray(content, end)

/** The element with its identifier and length, a view. */
export const wholeOf = ({ bytes, start, end }: Der): Buffer => bytes.subarray(start, end)

export const malformed = (expected: string, offset?: number): DragomanError =>
  new DragomanError('ERR_TOKEN_MALFORMED', { detail: offset === undefined ? { expected } : { expected, offset } })

/**
 * The one element in `bytes`, strictly DER (X.690 §10, §11): one value has one encoding.
 *
 * Checks its identifier, that its length is definite and as short as can be, and that nothing follows. Does NOT look
 * inside: {@link inside} does, a level at a time, so that depth is bounded by the code that reads.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`
 */
export function readDer(bytes: Uint8Array, tag: number, what: string): Der {
  const reader = new DerReader(asBuffer(bytes), 0, bytes.length)
  const element = reader.take(tag, what)
  reader.finish(what)
  return element
}

/** A reader over the elements inside a constructed element. */
export const inside = ({ bytes, content, end }: Der): DerReader => new DerReader(bytes, content, end)

/** Walks elements that stand side by side. Every method throws `ERR_TOKEN_MALFORMED`. */
export class DerReader {
  private readonly bytes: Buffer
  private readonly end: number
  private position: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes
    this.position = start
    this.end = end
  }

  get done(): boolean {
    return this.position === this.end
  }

  /** The next element, whatever it is. */
  next(): Der {
    const { bytes, position: start, end: limit } = this
    if (start + 2 > limit) throw malformed('a whole element', start)
    const tag = bytes[start] ?? 0
    if ((tag & 0x1f) === 0x1f) throw malformed('a tag number below 31', start)
    let length = bytes[start + 1] ?? 0
    let content = start + 2
    if (length >= 0x80) {
      const octets = length & 0x7f
      if (octets === 0) throw malformed('a definite length', start)
      if (octets > MAX_LENGTH_OCTETS || content + octets > limit) throw malformed('a whole element', start)
      length = bytes.readUIntBE(content, octets)
      // The short form holds up to 127, n octets hold up to 256^n - 1.
      if (length < (octets === 1 ? 0x80 : 256 ** (octets - 1))) throw malformed('the shortest length', start)
      content += octets
    }
    const end = content + length
    if (end > limit) throw malformed('a whole element', start)
    this.position = end
    return { tag, bytes, start, content, end }
  }

  /** The next element, which must have this identifier. */
  take(tag: number, what: string): Der {
    if (this.bytes[this.position] !== tag || this.done) throw malformed(what, this.position)
    return this.next()
  }

  /** The next element if it has this identifier. */
  optional(tag: number): Der | undefined {
    return !this.done && this.bytes[this.position] === tag ? this.next() : undefined
  }

  /** Says that nothing may be left. */
  finish(what: string): void {
    if (!this.done) throw malformed(`nothing after ${what}`, this.position)
  }
}

/** All elements inside `element`; at least one. */
export function listOf(element: Der, what: string): readonly Der[] {
  const reader = inside(element)
  const list: Der[] = []
  while (!reader.done) list.push(reader.next())
  if (list.length === 0) throw malformed(`${what} that is not empty`, element.start)
  return list
}

/** A BOOLEAN: 00 or FF, nothing else (X.690 §11.1). */
export function readBoolean({ bytes, content, end, start }: Der): boolean {
  const octet = bytes[content]
  if (end - content !== 1 || (octet !== 0 && octet !== 0xff)) throw malformed('a BOOLEAN of 00 or FF', start)
  return octet === 0xff
}

/** The octets of an INTEGER in two's complement, as few as can be (X.690 §8.3.2). */
export function readInteger(element: Der): Buffer {
  const { bytes, content, end, start } = element
  const first = bytes[content] ?? 0
  const second = bytes[content + 1] ?? 0
  if (end === content) throw malformed('an INTEGER with a value', start)
  if (end - content > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw malformed('the shortest INTEGER', start)
  }
  return contentOf(element)
}

/** An INTEGER from 0 to 2^31-1. */
export function readSmallInteger(element: Der): number {
  const octets = readInteger(element)
  if (octets.length > 4 || (octets[0] ?? 0) >= 0x80) throw malformed('a small non-negative INTEGER', element.start)
  return octets.readUIntBE(0, octets.length)
}

/** The octets of a BIT STRING that holds whole octets, as keys and signatures do. */
export function readOctetBits(element: Der): Buffer {
  const { bytes, content, end, start } = element
  if (end === content || bytes[content] !== 0) throw malformed('a BIT STRING without unused bits', start)
  return bytes.subarray(content + 1, end)
}

/**
 * A BIT STRING of named bits as a number, bit n of it for the bit named n: trailing zero bits left out (X.690 §11.2.2),
 * at most 16 bits.
 */
export function readNamedBits({ bytes, content, end, start }: Der): number {
  const unused = bytes[content] ?? 8
  const octets = end - content - 1
  if (octets < 0 || octets > 2 || unused > 7) throw malformed('a BIT STRING of named bits', start)
  if (octets === 0) {
    if (unused !== 0) throw malformed('no unused bits in an empty BIT STRING', start)
    return 0
  }
  const last = bytes[end - 1] ?? 0
  if ((last & ((1 << (unused + 1)) - 1)) !== 1 << unused) throw malformed('no trailing zero bits', start)
  let named = 0
  for (let index = 0; index < octets * 8; index += 1) {
    if (((bytes[content + 1 + (index >> 3)] ?? 0) >> (7 - (index & 7))) & 1) named |= 1 << index
  }
  return named
}

export function readNull({ content, end, start }: Der): void {
  if (end !== content) throw malformed('a NULL without value', start)
}

/**
 * An OBJECT IDENTIFIER in dotted form. Arcs may be of any size, as those below 2.25 are (X.667): up to 2^53 they are
 * counted as numbers, above as bigint.
 */
export function readOid({ bytes, content, end, start }: Der): string {
  if (end === content || end - content > MAX_OID_BYTES) throw malformed('an OBJECT IDENTIFIER', start)
  if ((bytes[end - 1] ?? 0) >= 0x80) throw malformed('an OBJECT IDENTIFIER that ends', start)
  let text = ''
  let arc = 0n
  let small = 0
  let octets = 0
  for (let at = content; at < end; at += 1) {
    const octet = bytes[at] ?? 0
    if (octets === 0 && octet === 0x80) throw malformed('the shortest arcs', start)
    octets += 1
    // Seven octets hold 49 bits.
    if (octets <= 7) small = small * 128 + (octet & 0x7f)
    else arc = (octets === 8 ? BigInt(small) : arc) * 128n + BigInt(octet & 0x7f)
    if (octet >= 0x80) continue
    const value = octets > 7 ? arc : BigInt(small)
    if (text === '') {
      const first = value < 40n ? 0n : value < 80n ? 1n : 2n
      text = `${first}.${value - first * 40n}`
    } else {
      text += `.${octets > 7 ? arc : small}`
    }
    small = 0
    octets = 0
  }
  return text
}

/**
 * UTCTime or GeneralizedTime in the one form that RFC 5280 §4.1.2.5 allows (seconds, `Z`, no fraction, UTCTime through
 * 2049), in seconds since the epoch.
 */
export function readTime({ tag, bytes, content, end, start }: Der): number {
  const short = tag === tags.utcTime
  if (!short && tag !== tags.generalizedTime) throw malformed('UTCTime or GeneralizedTime', start)
  if (end - content !== (short ? 13 : 15) || bytes[end - 1] !== 0x5a) throw malformed('a time in seconds and Z', start)
  const two = (at: number): number => {
    const tens = (bytes[at] ?? 0) - 0x30
    const ones = (bytes[at + 1] ?? 0) - 0x30
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw malformed('digits in a time', start)
    return tens * 10 + ones
  }
  const rest = content + (short ? 2 : 4)
  let year = two(content)
  if (short) year += year < 50 ? 2000 : 1900
  else year = year * 100 + two(content + 2)
  if (!short && year >= 1950 && year < 2050) throw malformed('UTCTime through 2049', start)
  const month = two(rest)
  const day = two(rest + 2)
  const hour = two(rest + 4)
  const minute = two(rest + 6)
  const second = two(rest + 8)
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59) {
    throw malformed('a time that exists', start)
  }
  return daysSinceEpoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
}

const daysIn = (year: number, month: number): number =>
  month === 2 ? (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28) : 30 + ((month + (month >> 3)) & 1)

// Date.UTC takes the years 0 to 99 for 1900 to 1999, so years are counted by hand: days before March 1st of `year`.
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1
  const era = Math.floor(y / 400)
  const ofEra = y - era * 400
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719468
}

/** `bytes` as a Buffer over the same memory. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
