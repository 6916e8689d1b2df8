import { isUtf8 } from 'node:buffer'
import { DragomanError } from '../core/errors.ts'

export interface FormLimits {
  /** Bytes of the whole body. */
  readonly bytes: number
  /** Parameters, unknown ones included. */
  readonly parameters: number
  /** Characters of one parameter as it was sent, name and percent-encoding included. */
  readonly parameterBytes: number
}

// Two tokens with certificates in them fit; a request of the field has under 8 KiB and about ten parameters.
export const FORM_LIMITS: FormLimits = { bytes: 65_536, parameters: 64, parameterBytes: 32_768 }

/** The parameters of a form, decoded. One that was sent without a value is absent (RFC 6749 §3.2). */
export interface Form {
  readonly values: ReadonlyMap<string, string>
  /** RFC 8693 §2.1: these two may be repeated. */
  readonly audience: readonly string[]
  readonly resource: readonly string[]
}

/**
 * Reads `application/x-www-form-urlencoded` (RFC 6749 appendix B), strictly: no two readers differ about what it says.
 *
 * Refuses invalid UTF-8, malformed percent-encoding, a repeated parameter other than `audience` and `resource`, known
 * or not, with a value or without, and anything beyond the limits. Does NOT know which parameters there are.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_TOO_LARGE`, `ERR_REQUEST_FORM`, `ERR_REQUEST_REPEATED`
 */
export function parseForm(body: Uint8Array, limits: FormLimits = FORM_LIMITS): Form {
  if (body.length > limits.bytes) {
    throw new DragomanError('ERR_REQUEST_TOO_LARGE', { detail: { expected: `at most ${limits.bytes} bytes` } })
  }
  if (!isUtf8(body)) throw malformed('UTF-8')
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')
  const values = new Map<string, string>()
  const repeatable = { audience: [] as string[], resource: [] as string[] }
  const names = new Set<string>()
  let count = 0
  for (let start = 0; start < text.length; ) {
    const separator = text.indexOf('&', start)
    const end = separator < 0 ? text.length : separator
    if (end > start) {
      count += 1
      if (count > limits.parameters) throw malformed(`at most ${limits.parameters} parameters`)
      if (end - start > limits.parameterBytes) {
        throw malformed(`parameters of at most ${limits.parameterBytes} characters`)
      }
      const equals = text.indexOf('=', start)
      const middle = equals < 0 || equals > end ? end : equals
      const name = decode(text.slice(start, middle))
      const value = decode(text.slice(middle + 1, end))
      if (name === 'audience' || name === 'resource') {
        if (value !== '') repeatable[name].push(value)
      } else {
        if (names.has(name)) throw repeated(name)
        names.add(name)
        if (value !== '') values.set(name, value)
      }
    }
    start = end + 1
  }
  return { values, ...repeatable }
}

// Tokens are base64url and dots, so that most of a body is not encoded at all.
function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    // The engine's error says nothing more.
    throw malformed('percent-encoding of UTF-8')
  }
}

const malformed = (expected: string) => new DragomanError('ERR_REQUEST_FORM', { detail: { expected } })

// The name is the caller's text: only those that mean something here are repeated in a log.
const repeated = (name: string) =>
  new DragomanError('ERR_REQUEST_REPEATED', { detail: { parameter: /^[a-z_]{1,32}$/.test(name) ? name : 'unknown' } })
