/**
 * Bytes of a base64url text without padding (RFC 7515 §2), or `undefined` when it is not the one text that encodes them:
 * padding, white space, the other alphabet, an impossible length and non-zero trailing bits all refuse.
 */
export function fromBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  // Node reads whatever it is given; only the canonical text comes back, which costs less than looking at each character.
  return bytes.toString('base64url') === text ? bytes : undefined
}

export const toBase64url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')

/** Bytes of a standard, padded base64 text (RFC 4648 §4), or `undefined` when it is not canonical. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

export const toBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
