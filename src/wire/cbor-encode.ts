import { DragomanError } from '../core/errors.ts'
import type { Value } from '../core/value.ts'
import { type CborLabel, type CborValue, Float, Tagged } from './cbor.ts'

/** What can be written: neutral values, what the reader returns, and pieces that were encoded before. */
export type Encodable =
  | Value
  | CborValue
  | Encoded
  | readonly Encodable[]
  | ReadonlyMap<CborLabel, Encodable>
  | { readonly [name: string]: Encodable }

/** One CBOR item that is already encoded. The caller answers for its being one item, deterministically encoded. */
export class Encoded {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/**
 * Writes one item in core deterministic encoding (RFC 8949 §4.2.1): shortest heads, definite lengths, map keys in the
 * order of their encodings. A number without fraction becomes an integer, any other the shortest float that holds it.
 *
 * Checks that numbers are finite, integers within ±(2^53-1), text well-formed Unicode. Does NOT check depth.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CLAIM` for a value that CBOR, as we use it, cannot hold
 */
export function encodeCbor(value: Encodable): Uint8Array {
  return new CborWriter().value(value).done()
}

// Most claim sets and all classical tokens fit; a larger one doubles the buffer until it does.
const FIRST_SIZE = 1024
// Up to this length writing text character by character is cheaper than a call into the runtime.
const SHORT_TEXT = 40

/** Writes items one after the other; for arrays and maps the caller writes the head and then as many items. */
export class CborWriter {
  private buffer: Buffer
  private position = 0

  constructor(size: number = FIRST_SIZE) {
    this.buffer = Buffer.allocUnsafe(size)
  }

  /** What has been written, as a view of the writer's own memory. */
  done(): Buffer {
    return this.buffer.subarray(0, this.position)
  }

  /** Bytes that are CBOR already, as they are. */
  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.position)
    this.position += bytes.length
    return this
  }

  bytes(bytes: Uint8Array): this {
    return this.head(2, bytes.length).raw(bytes)
  }

  array(length: number): this {
    return this.head(4, length)
  }

  map(length: number): this {
    return this.head(5, length)
  }

  tag(tag: number): this {
    return this.head(6, tag)
  }

  integer(value: number): this {
    return value < 0 ? this.head(1, -1 - value) : this.head(0, value)
  }

  text(text: string): this {
    if (text.length <= SHORT_TEXT) {
      const start = this.position
      this.head(3, text.length)
      this.reserve(text.length)
      let at = 0
      for (; at < text.length; at += 1) {
        const code = text.charCodeAt(at)
        if (code > 0x7f) break
        this.buffer[this.position + at] = code
      }
      if (at === text.length) {
        this.position += at
        return this
      }
      this.position = start
    }
    const length = Buffer.byteLength(text)
    // A lone surrogate would be replaced by U+FFFD, and two texts would become one.
    if (length !== text.length && !text.isWellFormed()) throw unfit('well-formed Unicode')
    this.head(3, length)
    this.reserve(length)
    this.position += this.buffer.write(text, this.position)
    return this
  }

  value(value: Encodable): this {
    switch (typeof value) {
      case 'string':
        return this.text(value)
      case 'number':
        return this.number(value)
      case 'boolean':
        return this.raw(value ? TRUE : FALSE)
    }
    if (value === null) return this.raw(NULL)
    if (value instanceof Uint8Array) return this.bytes(value)
    if (Array.isArray(value)) return this.items(value)
    if (value instanceof Map) return this.entries([...value])
    if (value instanceof Encoded) return this.raw(value.bytes)
    if (value instanceof Float) return this.float(value.value)
    if (value instanceof Tagged) return this.tag(value.tag).value(value.value)
    return this.entries(Object.entries(value as { readonly [name: string]: Encodable }))
  }

  /** A map of these entries, sorted; the caller answers for their being of different labels. */
  entries(entries: (readonly [CborLabel, Encodable])[]): this {
    if (entries.length > 1) entries.sort(byEncodedLabel)
    this.map(entries.length)
    for (const [label, value] of entries) {
      if (typeof label === 'string') this.text(label)
      else this.integer(label)
      this.value(value)
    }
    return this
  }

  private items(items: readonly Encodable[]): this {
    this.array(items.length)
    for (const item of items) this.value(item)
    return this
  }

  private number(value: number): this {
    if (Number.isSafeInteger(value)) return this.integer(value)
    if (Number.isInteger(value) || !Number.isFinite(value)) throw unfit('finite numbers, integers within ±(2^53-1)')
    return this.float(value)
  }

  private float(value: number): this {
    this.reserve(9)
    const { buffer, position } = this
    if (Math.fround(value) !== value) {
      buffer[position] = 0xfb
      this.position = buffer.writeDoubleBE(value, position + 1)
      return this
    }
    buffer[position] = 0xfa
    this.position = buffer.writeFloatBE(value, position + 1)
    const half = halfOf(buffer.readUInt32BE(position + 1))
    if (half !== undefined) {
      buffer[position] = 0xf9
      this.position = buffer.writeUInt16BE(half, position + 1)
    }
    return this
  }

  private head(major: number, argument: number): this {
    this.reserve(9)
    const { buffer, position } = this
    const initial = major << 5
    if (argument < 24) {
      buffer[position] = initial | argument
      this.position = position + 1
    } else if (argument < 0x100) {
      buffer[position] = initial | 24
      buffer[position + 1] = argument
      this.position = position + 2
    } else if (argument < 0x1_0000) {
      buffer[position] = initial | 25
      this.position = buffer.writeUInt16BE(argument, position + 1)
    } else if (argument < 0x1_0000_0000) {
      buffer[position] = initial | 26
      this.position = buffer.writeUInt32BE(argument, position + 1)
    } else {
      buffer[position] = initial | 27
      buffer.writeUInt32BE(Math.floor(argument / 0x1_0000_0000), position + 1)
      this.position = buffer.writeUInt32BE(argument % 0x1_0000_0000, position + 5)
    }
    return this
  }

  private reserve(more: number): void {
    const needed = this.position + more
    if (needed <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2))
    larger.set(this.done())
    this.buffer = larger
  }
}

const FALSE = Uint8Array.of(0xf4)
const TRUE = Uint8Array.of(0xf5)
const NULL = Uint8Array.of(0xf6)

const unfit = (expected: string): DragomanError => new DragomanError('ERR_TOKEN_CLAIM', { detail: { expected } })

/** binary16 bits of a binary32 that loses nothing by it; `undefined` otherwise. */
function halfOf(single: number): number | undefined {
  const sign = (single >>> 16) & 0x8000
  const exponent = (single >>> 23) & 0xff
  const fraction = single & 0x7f_ffff
  if (exponent === 0 && fraction === 0) return sign
  if (exponent >= 113 && exponent <= 142) {
    return fraction & 0x1fff ? undefined : sign | ((exponent - 112) << 10) | (fraction >> 13)
  }
  if (exponent < 103 || exponent > 142) return undefined
  // Subnormal in binary16: a multiple of 2^-24.
  const whole = fraction | 0x80_0000
  const shift = 126 - exponent
  return whole & ((1 << shift) - 1) ? undefined : sign | (whole >> shift)
}

/** The order of the encodings: 0, 1, …, then -1, -2, …, then text, shorter first, then by its bytes. */
function byEncodedLabel([left]: readonly [CborLabel, unknown], [right]: readonly [CborLabel, unknown]): number {
  if (typeof left === 'string') return typeof right === 'string' ? byEncodedText(left, right) : 1
  if (typeof right === 'string') return -1
  if (left < 0 !== right < 0) return left < 0 ? 1 : -1
  return left < 0 ? right - left : left - right
}

const ASCII = /^[\0-\x7f]*$/

function byEncodedText(left: string, right: string): number {
  if (ASCII.test(left) && ASCII.test(right)) return left.length - right.length || (left < right ? -1 : 1)
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length - b.length || Buffer.compare(a, b)
}
