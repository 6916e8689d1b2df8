import { DragomanError } from '../../core/errors.ts'
import { plain } from '../../core/plain.ts'
import { fromBase64, fromBase64url } from '../../wire/base64url.ts'
import { parsePem } from '../../wire/pem.ts'
import { describeFailure } from '../describe.ts'
import { readCertificate, readRequest } from './certificates.ts'
import { readCose } from './cose.ts'
import { readCompact, readJsonSerialization } from './jose.ts'

/** What was made of a text: lines to print, and whether it was recognised and well-formed. */
export interface Reading {
  readonly lines: readonly string[]
  readonly known: boolean
}

/** One way to read: `undefined` when the text is nothing of its kind. */
type Reader = (text: string, now: number) => readonly string[] | undefined

const readers: readonly Reader[] = [fromAnswer, fromPem, fromChain, readJsonSerialization, readCompact, fromBytes]

/**
 * Reads `text` (latin1 where the input is binary) as the first kind that recognises it, and the tokens inside it. Verifies
 * nothing.
 */
export function read(text: string, now: number): Reading {
  const { lines, known } = readWhole(text, now)
  // Nobody has verified anything of it, and a terminal obeys what it is sent.
  return { known, lines: lines.flatMap((line) => withInside(line, now, MAX_INSIDE)).map(plain) }
}

// A token can hold another, and that one another: as many as are read anywhere, and no text that was made to go on.
const MAX_INSIDE = 8

// Shorter than any signed token, longer than a thumbprint.
const TOKEN_LINE = /^( {2}\S+ +)([\w-]{100,}|[\w-]+\.[\w-]+\.[\w-]{32,})$/

/** The line of a claim whose value is a token, followed by what that says. */
function withInside(line: string, now: number, depth: number): readonly string[] {
  const [, name = '', value = ''] = TOKEN_LINE.exec(line) ?? []
  if (value === '' || depth === 0) return [line]
  const { lines, known } = readWhole(value, now)
  if (!known) return [line]
  const [title = '', ...rest] = lines.flatMap((inner) => withInside(inner, now, depth - 1))
  return [`${name}${title}`, ...rest.map((inner) => `    ${inner}`)]
}

function readWhole(text: string, now: number): Reading {
  const trimmed = text.trim()
  try {
    for (const reader of readers) {
      const lines = reader(trimmed, now)
      if (lines) return { known: true, lines }
    }
    const binary = ofBytes(Buffer.from(text, 'latin1'), now)
    if (binary) return { known: true, lines: binary }
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    return { known: false, lines: ['recognised, and not well-formed:', ...describeFailure(error).split('\n')] }
  }
  return { known: false, lines: ['not a token of a known kind: JWT, JWS JSON, certificate or request (PEM, DER), CWT'] }
}

function fromPem(text: string, now: number): readonly string[] | undefined {
  if (!text.includes('-----BEGIN ')) return undefined
  return parsePem(text).flatMap(({ label, der }) => {
    if (label === 'CERTIFICATE') return readCertificate(der, now)
    if (label === 'CERTIFICATE REQUEST') return readRequest(der)
    return [`PEM ${label}: ${der.length} bytes, not shown`]
  })
}

/** The answer of a token endpoint (RFC 8693 §2.2.1): what it says, then the token inside. */
function fromAnswer(text: string, now: number): readonly string[] | undefined {
  const answer = jsonObject(text)
  if (typeof answer?.['error'] === 'string') return ['token endpoint refusal', ...Object.entries(answer).map(member)]
  const token = answer?.['access_token']
  if (answer === undefined || typeof token !== 'string') return undefined
  const { access_token: _, ...rest } = answer
  return ['token endpoint answer', ...Object.entries(rest).map(member), '', ...readWhole(token, now).lines]
}

/** JSON array of base64 DER, leaf first. */
function fromChain(text: string, now: number): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined
  const list = jsonValue(text)
  if (!Array.isArray(list)) return undefined
  return list.flatMap((item) => {
    const der = typeof item === 'string' ? fromBase64(item) : undefined
    return der ? readCertificate(der, now) : ['an entry that is not base64']
  })
}

function fromBytes(text: string, now: number): readonly string[] | undefined {
  const bytes = fromBase64url(text) ?? fromBase64(text.replace(/\s/g, ''))
  return bytes && bytes.length > 8 ? ofBytes(bytes, now) : undefined
}

function ofBytes(bytes: Buffer, now: number): readonly string[] | undefined {
  if (bytes[0] !== 0x30) return readCose(bytes, now)
  try {
    return readCertificate(bytes, now)
  } catch (error) {
    try {
      return readRequest(bytes)
    } catch {
      throw error
    }
  }
}

const member = ([name, value]: [string, unknown]): string =>
  `  ${name.padEnd(18)} ${typeof value === 'string' ? value : JSON.stringify(value)}`

function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function jsonObject(text: string): { readonly [name: string]: unknown } | undefined {
  if (!text.startsWith('{')) return undefined
  const value = jsonValue(text)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
}
