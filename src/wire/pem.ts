import { DragomanError } from '../core/errors.ts'
import { fromBase64, toBase64 } from './base64url.ts'
import { malformed } from './der.ts'

// A bundle of public authorities has about 150 certificates in 250 KiB.
const MAX_PEM_CHARACTERS = 1024 * 1024
const MAX_PEM_BLOCKS = 512

export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, … */
  readonly label: string
  readonly der: Buffer
}

const BEGIN = /^-----BEGIN ([A-Z0-9](?:[A-Z0-9 #]*[A-Z0-9])?)-----$/

/**
 * The PEM blocks of a text (RFC 7468), at least one.
 *
 * Checks: matching labels, lines of base64 only (so no encapsulated headers, as old encrypted keys have), canonical
 * padded base64, nothing empty, no block left open. Text outside the blocks, which key and bundle files often have, is
 * passed over unless `comments` is false. Does NOT look at what is inside a block.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_TOO_LARGE`
 */
export function parsePem(text: string, { comments = true }: { comments?: boolean } = {}): readonly PemBlock[] {
  if (text.length > MAX_PEM_CHARACTERS) throw tooLarge(`at most ${MAX_PEM_CHARACTERS} characters of PEM`)
  const blocks: PemBlock[] = []
  let label: string | undefined
  let body = ''
  for (const raw of text.split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (label === undefined) {
      const begin = BEGIN.exec(line)
      if (begin) {
        if (blocks.length === MAX_PEM_BLOCKS) throw tooLarge(`at most ${MAX_PEM_BLOCKS} blocks of PEM`)
        label = begin[1]
        body = ''
      } else if (line.includes('-----') || (!comments && line.trim() !== '')) {
        throw malformed('PEM blocks, each on lines of its own')
      }
    } else if (line === `-----END ${label}-----`) {
      const bytes = fromBase64(body)
      if (!bytes || bytes.length === 0) throw malformed('canonical base64 in each PEM block')
      blocks.push({ label, der: bytes })
      label = undefined
    } else {
      if (line.includes('-') || line.includes(':')) throw malformed('PEM blocks of base64 alone, each with its end')
      body += line
    }
  }
  if (label !== undefined) throw malformed('an end to each PEM block')
  if (blocks.length === 0) throw malformed('at least one PEM block')
  return blocks
}

const tooLarge = (expected: string) => new DragomanError('ERR_TOKEN_TOO_LARGE', { detail: { expected } })

/** One PEM block, in lines of 64 (RFC 7468 §2), with a line feed at its end. */
export function pem(label: string, der: Uint8Array): string {
  const base64 = toBase64(der)
  let lines = ''
  for (let at = 0; at < base64.length; at += 64) lines += `${base64.slice(at, at + 64)}\n`
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`
}
