import { isUtf8 } from 'node:buffer'
import type { ClientMethod } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import { fromBase64 } from '../wire/base64url.ts'
import { verifySecret } from './secret.ts'

/**
 * HTTP Basic (RFC 6749 §2.3.1): id and secret are each form-encoded, joined by a colon, and put into base64. Decoded in
 * the reverse order, so that a secret with `%`, `+` or `:` in it works.
 *
 * An access token in the header is refused rather than ignored: whoever sends one takes it for credentials. Other
 * schemes are left to methods from outside.
 */
export const clientSecretBasic: ClientMethod = {
  name: 'client_secret_basic',
  claim({ authorization }) {
    if (authorization === undefined) return undefined
    const space = authorization.indexOf(' ')
    const scheme = (space < 0 ? authorization : authorization.slice(0, space)).toLowerCase()
    if (TOKEN_SCHEMES.has(scheme)) throw malformed('client credentials, not an access token')
    if (scheme !== 'basic') return undefined
    const [id, secret] = credentials(authorization.slice(scheme.length).trim())
    return { method: 'client_secret_basic', clientId: id, secret }
  },
  verify: verifySecret,
}

const TOKEN_SCHEMES = new Set(['bearer', 'dpop'])

const malformed = (expected: string) => new DragomanError('ERR_CLIENT_MALFORMED', { detail: { expected } })

function credentials(base64: string): readonly [id: string, secret: string] {
  const bytes = fromBase64(base64)
  if (!bytes || !isUtf8(bytes)) throw malformed('base64 of UTF-8 after Basic')
  const text = bytes.toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1) throw malformed('an id, a colon and a secret')
  return [formDecoded(text.slice(0, colon)), formDecoded(text.slice(colon + 1))]
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw malformed('id and secret in form encoding')
  }
}
