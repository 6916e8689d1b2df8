import { isUtf8 } from 'node:buffer'
import { DragomanError, type ErrorCode } from '../core/errors.ts'
import { emptyRecord, isMap, type Value, type ValueMap } from '../core/value.ts'

export interface JsonLimits {
  /** Bytes of the whole text. */
  readonly bytes: number
  /** Arrays and objects inside one another. */
  readonly depth: number
  /** Values, the outermost included, member names not. */
  readonly items: number
  /** Bytes of one text, names included. */
  readonly text: number
}

// Tokens of the field nest 3 or 4 deep and hold some dozens of items; the rest is work for an attacker's token.
export const JSON_LIMITS: JsonLimits = { bytes: 16_384, depth: 16, items: 4096, text: 8192 }

/**
 * Reads one JSON text (RFC 8259) within I-JSON (RFC 7493), strictly: readers do not disagree about what it says.
 *
 * Refuses UTF-8 that is not, a byte order mark, anything after the value, repeated member names, lone surrogates,
 * integers outside ±(2^53-1) and numbers that are not finite, such as 1e400; and the names `__proto__`, `constructor`
 * and `prototype`. -0 becomes 0. Objects have a null prototype. Limits bound the work before the value is looked at.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_DUPLICATE` or `ERR_TOKEN_TOO_LARGE`
 */
export function parseJson(input: Uint8Array | string, limits: JsonLimits = JSON_LIMITS): Value {
  return new Reader(typeof input === 'string' ? checked(input, limits) : decoded(input, limits), limits).whole()
}

/** {@link parseJson} for a text that holds an object. @throws `ERR_TOKEN_MALFORMED` for anything else */
export function parseJsonObject(input: Uint8Array | string, limits: JsonLimits = JSON_LIMITS): ValueMap {
  const value = parseJson(input, limits)
  if (!isMap(value)) throw malformed('a JSON object')
  return value
}

const refuse = (code: ErrorCode, expected: string): DragomanError => new DragomanError(code, { detail: { expected } })
const malformed = (expected: string): DragomanError => refuse('ERR_TOKEN_MALFORMED', expected)
const tooLarge = (expected: string): DragomanError => refuse('ERR_TOKEN_TOO_LARGE', expected)

function decoded(bytes: Uint8Array, { bytes: limit }: JsonLimits): string {
  if (bytes.length > limit) throw tooLarge(`at most ${limit} bytes of JSON`)
  if (!isUtf8(bytes)) throw malformed('JSON in UTF-8')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

function checked(text: string, { bytes: limit }: JsonLimits): string {
  if (text.length > limit || Buffer.byteLength(text) > limit) throw tooLarge(`at most ${limit} bytes of JSON`)
  if (!text.isWellFormed()) throw malformed('text without lone surrogates')
  return text
}

// A record with such a member is not what it seems to code that does not expect it.
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE

// UTF-16 code units need at most three bytes each in UTF-8.
const MAX_BYTES_PER_UNIT = 3

class Reader {
  readonly text: string
  readonly limits: JsonLimits
  at = 0
  depth = 0
  items = 0

  constructor(text: string, limits: JsonLimits) {
    this.text = text
    this.limits = limits
  }

  whole(): Value {
    const value = this.value()
    if (!Number.isNaN(this.peek())) throw malformed('nothing after the JSON value')
    return value
  }

  /** Recursion is no deeper than `limits.depth`. */
  value(): Value {
    this.items += 1
    if (this.items > this.limits.items) throw tooLarge(`at most ${this.limits.items} values`)
    const code = this.peek()
    switch (code) {
      case QUOTE:
        return this.string()
      case OPEN_OBJECT:
        return this.object()
      case OPEN_ARRAY:
        return this.array()
      case 0x74: // t
        return this.word('true', true)
      case 0x66: // f
        return this.word('false', false)
      case 0x6e: // n
        return this.word('null', null)
      default:
        if (code === MINUS || isDigit(code)) return this.number()
        throw malformed('a JSON value')
    }
  }

  /** The next character that is not white space, or NaN at the end. */
  peek(): number {
    let code = this.text.charCodeAt(this.at)
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
      this.at += 1
      code = this.text.charCodeAt(this.at)
    }
    return code
  }

  enter(): void {
    this.depth += 1
    if (this.depth > this.limits.depth) throw tooLarge(`at most ${this.limits.depth} levels`)
    this.at += 1
  }

  leave(): void {
    this.depth -= 1
    this.at += 1
  }

  object(): ValueMap {
    this.enter()
    const record = emptyRecord()
    if (this.peek() === CLOSE_OBJECT) {
      this.leave()
      return record
    }
    for (;;) {
      if (this.peek() !== QUOTE) throw malformed('a member name in quotes')
      const name = this.string()
      if (FORBIDDEN.has(name)) throw malformed('no member that names a prototype')
      if (name in record) throw refuse('ERR_TOKEN_DUPLICATE', 'each member once in a JSON object')
      if (this.peek() !== COLON) throw malformed('a colon after the member name')
      this.at += 1
      record[name] = this.value()
      if (this.endsWith(CLOSE_OBJECT)) return record
    }
  }

  array(): readonly Value[] {
    this.enter()
    const list: Value[] = []
    if (this.peek() === CLOSE_ARRAY) {
      this.leave()
      return list
    }
    for (;;) {
      list.push(this.value())
      if (this.endsWith(CLOSE_ARRAY)) return list
    }
  }

  endsWith(close: number): boolean {
    const code = this.peek()
    if (code === close) {
      this.leave()
      return true
    }
    if (code !== COMMA) throw malformed('a comma or the end of the array or object')
    this.at += 1
    return false
  }

  string(): string {
    const { text } = this
    const start = this.at + 1
    let end = start
    let escaped = false
    let code = text.charCodeAt(end)
    while (code !== QUOTE) {
      // At the end of the text the code is NaN, for which this comparison does not hold either.
      if (!(code >= 0x20)) throw malformed('a text that ends, without control characters')
      if (code === BACKSLASH) {
        escaped = true
        end += 1
      }
      end += 1
      code = text.charCodeAt(end)
    }
    this.at = end + 1
    const value = escaped ? unescaped(text.slice(start - 1, end + 1)) : text.slice(start, end)
    const limit = this.limits.text
    if (value.length * MAX_BYTES_PER_UNIT > limit && Buffer.byteLength(value) > limit) {
      throw tooLarge(`texts of at most ${limit} bytes`)
    }
    return value
  }

  number(): number {
    const { text } = this
    const start = this.at
    let at = start
    if (text.charCodeAt(at) === MINUS) at += 1
    const leading = text.charCodeAt(at)
    const whole = digits(text, at)
    if (whole === at || (leading === ZERO && whole > at + 1)) throw malformed('a number without leading zeros')
    at = whole
    if (text[at] === '.') at = someDigits(text, at + 1)
    if (text[at] === 'e' || text[at] === 'E') {
      at += 1
      if (text[at] === '+' || text[at] === '-') at += 1
      at = someDigits(text, at)
    }
    this.at = at
    const value = Number(text.slice(start, at))
    // Every number above 2^53 is an integer to a double, 1e300 as well.
    if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER)
      throw malformed('numbers within ±(2^53-1)')
    return value === 0 ? 0 : value
  }

  word<T extends boolean | null>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw malformed('a JSON value')
    this.at += word.length
    return value
  }
}

function digits(text: string, from: number): number {
  let at = from
  while (isDigit(text.charCodeAt(at))) at += 1
  return at
}

function someDigits(text: string, from: number): number {
  const at = digits(text, from)
  if (at === from) throw malformed('digits')
  return at
}

/** The text that a literal with escapes stands for. Its quotes are where {@link Reader.string} found them. */
function unescaped(literal: string): string {
  let text: unknown
  try {
    text = JSON.parse(literal)
  } catch {
    // The engine's message quotes what it read, which is not for the log.
    throw malformed('the escapes of JSON')
  }
  if (typeof text !== 'string' || !text.isWellFormed()) throw malformed('text without lone surrogates')
  return text
}
