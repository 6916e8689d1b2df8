import { isUtf8 } from 'node:buffer'
import { DragomanError, type ErrorCode } from '../core/errors.ts'

/** What {@link decodeCbor} returns. Bytes are views of the input, not copies. */
export type CborValue = string | number | boolean | null | Uint8Array | Float | Tagged | readonly CborValue[] | CborMap

/** A map whose keys are integers or text, as in a CWT, a COSE header or a COSE_Key. */
export type CborMap = ReadonlyMap<CborLabel, CborValue>
export type CborLabel = number | string

/**
 * A number that was written as a float and has no fraction. It is kept apart from the integer of the same value, so
 * that where an integer is asked for (a label, an algorithm, a curve) it is not taken for one.
 */
export class Float {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** A tagged item (RFC 8949 §3.4). */
export class Tagged {
  readonly tag: number
  readonly value: CborValue
  constructor(tag: number, value: CborValue) {
    this.tag = tag
    this.value = value
  }
}

export interface CborLimits {
  /** Arrays, maps and tags inside one another. */
  readonly depth: number
  /** Data items, map keys included. */
  readonly items: number
  /** Bytes of one text. */
  readonly text: number
}

// Tokens of the field nest 3 or 4 deep and hold some dozens of items; the rest is work for an attacker's token.
const CBOR_LIMITS: CborLimits = { depth: 16, items: 4096, text: 8192 }

/**
 * Reads one CBOR item (RFC 8949), strictly: one value has one encoding.
 *
 * Refuses indefinite lengths, heads that are longer than need be, repeated map keys, keys that are neither integer nor
 * text, UTF-8 that is not, bytes after the item, tags that are not in `tags`, `undefined` and unassigned simple values,
 * NaN and infinities, integers outside ±(2^53-1). Floats are read in all three widths, since encoders of the field
 * differ in them; -0 becomes 0. Does NOT ask that map keys are sorted.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_DUPLICATE` or `ERR_TOKEN_TOO_LARGE`
 */
export function decodeCbor(
  bytes: Uint8Array,
  { tags = [], limits = CBOR_LIMITS }: { tags?: readonly number[]; limits?: CborLimits } = {},
): CborValue {
  return new Reader(bytes, tags, limits).whole()
}

/** {@link decodeCbor} for bytes that hold a map. @throws `ERR_TOKEN_MALFORMED` for anything else */
export function decodeCborMap(
  bytes: Uint8Array,
  options: { tags?: readonly number[]; limits?: CborLimits } = {},
): CborMap {
  const value = decodeCbor(bytes, options)
  if (!isCborMap(value)) throw new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected: 'a CBOR map' } })
  return value
}

export const isCborMap = (value: CborValue | undefined): value is CborMap => value instanceof Map

export const isCborArray = (value: CborValue | undefined): value is readonly CborValue[] => Array.isArray(value)

/** Whether two decoded items are the same: text and numbers by value, bytes by content, maps whatever their order. */
export function sameCbor(left: CborValue | undefined, right: CborValue | undefined): boolean {
  if (left === right) return true
  if (left instanceof Uint8Array) return right instanceof Uint8Array && Buffer.compare(left, right) === 0
  if (left instanceof Float) return right instanceof Float && left.value === right.value
  if (left instanceof Tagged)
    return right instanceof Tagged && left.tag === right.tag && sameCbor(left.value, right.value)
  if (isCborArray(left)) {
    return isCborArray(right) && left.length === right.length && left.every((item, at) => sameCbor(item, right[at]))
  }
  if (!isCborMap(left) || !isCborMap(right) || left.size !== right.size) return false
  return [...left].every(([label, value]) => sameCbor(value, right.get(label)))
}

// Up to this length reading text character by character is cheaper than a call into the runtime.
const SHORT_TEXT = 12

class Reader {
  private readonly bytes: Buffer
  private readonly tags: readonly number[]
  private readonly limits: CborLimits
  private position = 0
  private items = 0

  constructor(bytes: Uint8Array, tags: readonly number[], limits: CborLimits) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.tags = tags
    this.limits = limits
  }

  whole(): CborValue {
    const value = this.item(0)
    if (this.position !== this.bytes.length) throw this.wrong('no bytes after the item')
    return value
  }

  private item(depth: number): CborValue {
    this.items += 1
    if (this.items > this.limits.items) throw this.tooLarge(`at most ${this.limits.items} items`)
    const initial = this.byte()
    const info = initial & 0x1f
    switch (initial >> 5) {
      case 0:
        return this.argument(info)
      case 1:
        return this.negative(info)
      case 2:
        return this.take(this.argument(info))
      case 3:
        return this.text(this.argument(info))
      case 4:
        return this.array(this.argument(info), depth + 1)
      case 5:
        return this.map(this.argument(info), depth + 1)
      case 6:
        return this.tagged(this.argument(info), depth + 1)
      default:
        return this.simple(info)
    }
  }

  private argument(info: number): number {
    if (info < 24) return info
    const { bytes, position } = this
    const width = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0
    if (width === 0) throw this.wrong('definite lengths and assigned heads')
    if (position + width > bytes.length) throw this.wrong('no end inside an item')
    this.position += width
    let value: number
    let least: number
    if (width === 1) {
      value = bytes.readUInt8(position)
      least = 24
    } else if (width === 2) {
      value = bytes.readUInt16BE(position)
      least = 0x100
    } else if (width === 4) {
      value = bytes.readUInt32BE(position)
      least = 0x1_0000
    } else {
      value = bytes.readUInt32BE(position) * 0x1_0000_0000 + bytes.readUInt32BE(position + 4)
      least = 0x1_0000_0000
    }
    if (value < least) throw this.wrong('the shortest form of each number and length')
    if (value > Number.MAX_SAFE_INTEGER) throw this.wrong('integers within ±(2^53-1)')
    return value
  }

  private negative(info: number): number {
    const value = this.argument(info)
    if (value === Number.MAX_SAFE_INTEGER) throw this.wrong('integers within ±(2^53-1)')
    return -1 - value
  }

  private take(length: number): Buffer {
    const start = this.position
    if (length > this.bytes.length - start) throw this.wrong('no end inside an item')
    this.position += length
    return this.bytes.subarray(start, this.position)
  }

  private text(length: number): string {
    const { bytes, position: start } = this
    if (length > bytes.length - start) throw this.wrong('no end inside an item')
    if (length > this.limits.text) throw this.tooLarge(`text of at most ${this.limits.text} bytes`)
    this.position += length
    if (length <= SHORT_TEXT) {
      let text = ''
      for (let at = start; at < this.position; at += 1) {
        const code = bytes[at] ?? 0
        if (code > 0x7f) return this.utf8(start)
        text += String.fromCharCode(code)
      }
      return text
    }
    return this.utf8(start)
  }

  private utf8(start: number): string {
    const text = this.bytes.toString('utf8', start, this.position)
    // Whatever is not UTF-8 was replaced by U+FFFD, so only a text that has one needs the closer look.
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(start, this.position))) throw this.wrong('valid UTF-8')
    return text
  }

  private array(length: number, depth: number): CborValue[] {
    this.enter(depth)
    // Nothing is made for `length` before its items are there: each takes a byte of the input.
    const array: CborValue[] = []
    for (let index = 0; index < length; index += 1) array.push(this.item(depth))
    return array
  }

  private map(length: number, depth: number): CborMap {
    this.enter(depth)
    const map = new Map<CborLabel, CborValue>()
    for (let index = 0; index < length; index += 1) {
      const key = this.item(depth)
      // A float without fraction is a Float, one with a fraction is no key either.
      if (typeof key !== 'string' && !(typeof key === 'number' && Number.isInteger(key))) {
        throw this.wrong('map keys that are integers or text')
      }
      if (map.has(key)) throw this.refusal('ERR_TOKEN_DUPLICATE', 'each map key once')
      map.set(key, this.item(depth))
    }
    return map
  }

  private tagged(tag: number, depth: number): Tagged {
    if (!this.tags.includes(tag)) throw this.wrong(`no tag ${tag} here`)
    this.enter(depth)
    return new Tagged(tag, this.item(depth))
  }

  private simple(info: number): CborValue {
    switch (info) {
      case 20:
        return false
      case 21:
        return true
      case 22:
        return null
      case 25:
        return this.float(half(this.take(2)))
      case 26:
        return this.float(this.take(4).readFloatBE())
      case 27:
        return this.float(this.take(8).readDoubleBE())
      default:
        throw this.wrong('true, false, null or a float')
    }
  }

  private float(value: number): CborValue {
    if (!Number.isFinite(value)) throw this.wrong('finite numbers')
    return Number.isInteger(value) ? new Float(value === 0 ? 0 : value) : value
  }

  private byte(): number {
    const byte = this.bytes[this.position]
    if (byte === undefined) throw this.wrong('no end inside an item')
    this.position += 1
    return byte
  }

  private enter(depth: number): void {
    if (depth > this.limits.depth) throw this.tooLarge(`at most ${this.limits.depth} levels`)
  }

  private wrong(expected: string): DragomanError {
    return this.refusal('ERR_TOKEN_MALFORMED', expected)
  }

  private tooLarge(expected: string): DragomanError {
    return this.refusal('ERR_TOKEN_TOO_LARGE', expected)
  }

  private refusal(code: ErrorCode, expected: string): DragomanError {
    return new DragomanError(code, { detail: { expected: `CBOR with ${expected}`, at: this.position } })
  }
}

/** IEEE 754 binary16: 1 sign bit, 5 of exponent with bias 15, 10 of fraction. */
function half(bytes: Buffer): number {
  const bits = bytes.readUInt16BE()
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return Number.NaN
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (fraction + 0x400) * 2 ** (exponent - 25)
  return bits & 0x8000 ? -magnitude : magnitude
}
