import { DragomanError } from '../core/errors.ts'
import { fromBase64 } from '../wire/base64url.ts'
import { parsePem } from '../wire/pem.ts'

/**
 * How a proxy writes the client certificate that it saw into a header field. `pem`: percent-encoded PEM (nginx
 * `$ssl_client_escaped_cert`). `base64`: base64 of the DER, a chain separated by commas (Traefik). `structured`: `:base64:`
 * (RFC 9440).
 */
export const CERTIFICATE_ENCODINGS = ['pem', 'base64', 'structured'] as const

export interface CertificateHeader {
  /** Lower case. */
  readonly header: string
  readonly encoding: (typeof CERTIFICATE_ENCODINGS)[number]
}

// What verifies a chain takes no more than eight certificates.
const MAX_CHAIN = 8

/**
 * The certificates in a header field, leaf first, in DER. `undefined`: there was no field, so none was shown.
 *
 * Does NOT look into them: who uses them does. Possession of the leaf's key is the proxy's word.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_FORWARDED`
 */
export function forwardedCertificates(
  text: string | undefined,
  { header, encoding }: CertificateHeader,
): readonly Uint8Array[] | undefined {
  if (text === undefined) return undefined
  const chain = READERS[encoding](text)
  if (chain === undefined || chain.length === 0 || chain.length > MAX_CHAIN) {
    const expected = `1 to ${MAX_CHAIN} certificates in the encoding \`${encoding}\``
    throw new DragomanError('ERR_REQUEST_FORWARDED', { detail: { field: header, expected } })
  }
  return chain
}

type Reader = (text: string) => readonly Uint8Array[] | undefined

const READERS: { readonly [encoding in CertificateHeader['encoding']]: Reader } = {
  pem(text) {
    try {
      const blocks = parsePem(decodeURIComponent(text), { comments: false })
      return blocks.every(({ label }) => label === 'CERTIFICATE') ? blocks.map(({ der }) => der) : undefined
    } catch {
      // What is wrong with it is said by whoever sent it.
      return undefined
    }
  },
  base64: (text) => all(text.split(',').map((part) => bytesOf(part))),
  structured(text) {
    const [, base64] = /^:([A-Za-z0-9+/=]+):$/.exec(text) ?? []
    return base64 === undefined ? undefined : all([bytesOf(base64)])
  },
}

function bytesOf(base64: string): Uint8Array | undefined {
  const bytes = fromBase64(base64)
  return bytes !== undefined && bytes.length > 0 ? bytes : undefined
}

const all = (chain: readonly (Uint8Array | undefined)[]): readonly Uint8Array[] | undefined =>
  chain.every((bytes) => bytes !== undefined) ? chain : undefined
