import { tags } from './der.ts'

/** One element: identifier, shortest length, the parts side by side. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  const octets = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 3
  const out = Buffer.allocUnsafe(2 + octets + length)
  out[0] = tag
  if (octets === 0) {
    out[1] = length
  } else {
    out[1] = 0x80 | octets
    out.writeUIntBE(length, 2, octets)
  }
  let at = 2 + octets
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(tags.sequence, ...parts)

/** SET OF: the elements in ascending order of their encodings (X.690 §11.6). */
export const setOf = (...parts: readonly Uint8Array[]): Buffer => der(tags.set, ...[...parts].sort(Buffer.compare))

export const octetString = (bytes: Uint8Array): Buffer => der(tags.octetString, bytes)

const NO_UNUSED_BITS = Uint8Array.of(0)

/** BIT STRING of whole octets. */
export const octetBits = (bytes: Uint8Array): Buffer => der(tags.bitString, NO_UNUSED_BITS, bytes)

/** BIT STRING of named bits, bit n of `named` for the bit named n; at most 16 bits (X.690 §11.2.2). */
export function namedBits(named: number): Buffer {
  if (named === 0) return der(tags.bitString, NO_UNUSED_BITS)
  const highest = 31 - Math.clz32(named)
  const octets = new Uint8Array((highest >> 3) + 2)
  octets[0] = 7 - (highest & 7)
  for (let bit = 0; bit <= highest; bit += 1) {
    const at = 1 + (bit >> 3)
    if ((named >> bit) & 1) octets[at] = (octets[at] ?? 0) | (0x80 >> (bit & 7))
  }
  return der(tags.bitString, octets)
}

export const boolean = (value: boolean): Buffer => der(tags.boolean, Uint8Array.of(value ? 0xff : 0))

export const nullValue = (): Buffer => der(tags.null)

/** INTEGER of unsigned big-endian octets: leading zeros left out, one put before a set first bit. */
export function unsignedInteger(octets: Uint8Array): Buffer {
  let from = 0
  while (from < octets.length - 1 && octets[from] === 0) from += 1
  const value = octets.subarray(from)
  if (value.length === 0 || (value[0] ?? 0) >= 0x80) return der(tags.integer, NO_UNUSED_BITS, value)
  return der(tags.integer, value)
}

/** INTEGER from 0 to 2^31-1. */
export const smallInteger = (value: number): Buffer =>
  unsignedInteger(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value))

const OID = /^[012](?:\.(?:0|[1-9]\d*))+$/

/** OBJECT IDENTIFIER from its dotted form, arcs of any size. @throws TypeError when it is not one */
export function oid(dotted: string): Buffer {
  const [first = 0n, second = 0n, ...rest] = OID.test(dotted) ? dotted.split('.').map(BigInt) : []
  if (!OID.test(dotted) || (first < 2n && second > 39n)) throw new TypeError('an OBJECT IDENTIFIER in dotted form')
  return der(tags.oid, Buffer.concat([first * 40n + second, ...rest].map(base128)))
}

function base128(arc: bigint): Buffer {
  const octets = [Number(arc & 0x7fn)]
  for (let left = arc >> 7n; left > 0n; left >>= 7n) octets.unshift(0x80 | Number(left & 0x7fn))
  return Buffer.from(octets)
}

export const utf8String = (text: string): Buffer => der(tags.utf8String, Buffer.from(text, 'utf8'))

/**
 * A time as RFC 5280 §4.1.2.5 wants it: UTCTime through 2049, GeneralizedTime from 2050, whole seconds.
 *
 * @throws TypeError outside 1950 to 9999
 */
export function time(seconds: number): Buffer {
  const date = new Date(seconds * 1000)
  const year = date.getUTCFullYear()
  if (!Number.isInteger(seconds) || !(year >= 1950 && year <= 9999)) throw new TypeError('whole seconds, 1950 to 9999')
  const short = year < 2050
  const out = Buffer.allocUnsafe(short ? 15 : 17)
  out[0] = short ? tags.utcTime : tags.generalizedTime
  out[1] = short ? 13 : 15
  let at = 2
  const two = (value: number): void => {
    out[at] = 0x30 + Math.floor(value / 10)
    out[at + 1] = 0x30 + (value % 10)
    at += 2
  }
  if (!short) two(Math.floor(year / 100))
  two(year % 100)
  two(date.getUTCMonth() + 1)
  two(date.getUTCDate())
  two(date.getUTCHours())
  two(date.getUTCMinutes())
  two(date.getUTCSeconds())
  out[at] = 0x5a
  return out
}
