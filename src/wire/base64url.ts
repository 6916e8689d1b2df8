const CANONICAL = /^[A-Za-z0-9_-]*$/

/**
 * Bytes of a base64url text without padding (RFC 7515 §2), or `undefined` when it is not the one text that encodes them:
 * padding, white space, the other alphabet, an impossible length and non-zero trailing bits all refuse.
 */
export function fromBase64url(text: string): Buffer | undefined {
  if (text.length % 4 === 1 || !CANONICAL.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  // Only the last character can hold unused bits, and only when the length is not a multiple of four.
  if (text.length % 4 !== 0 && bytes.toString('base64url').at(-1) !== text.at(-1)) return undefined
  return bytes
}

export const toBase64url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')

const PADDED = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Bytes of a standard, padded base64 text (RFC 4648 §4), or `undefined` when it is not canonical. */
export function fromBase64(text: string): Buffer | undefined {
  if (!PADDED.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

export const toBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
