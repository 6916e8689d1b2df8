import type { TokenRequest } from '../core/exchange.ts'
import type { Grant } from '../core/grant.ts'
import { toBase64 } from '../wire/base64url.ts'
import { parsePem } from '../wire/pem.ts'
import type { Form } from './form.ts'
import { tokenRequest } from './request.ts'
import type { PeerChain } from './tls.ts'

/**
 * The form of an explanation as the token request that it is about, with the checks that such a request meets.
 *
 * What comes beside the form of a token request comes in it here: `dpop`, the value of the header field; `certificate`,
 * PEM, the leaf first, as if it had been shown in the TLS handshake; `authorization`, the value of that header field.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_*`; `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_TOO_LARGE` for a certificate that is none
 */
export function rehearsedRequest(form: Form, id: string, grants: readonly Grant[]): TokenRequest {
  const { values } = form
  const dpop = values.get('dpop')
  const certificate = values.get('certificate')
  const facts = {
    id,
    authorization: values.get('authorization'),
    dpop: dpop === undefined ? [] : [dpop],
    chain: certificate === undefined ? undefined : chainIn(certificate),
  }
  return tokenRequest(form, facts, grants)
}

function chainIn(text: string): PeerChain {
  const certificates = parsePem(text).map(({ der }) => Buffer.from(der))
  return {
    certificates,
    leaf: certificates[0] ?? Buffer.alloc(0),
    token: JSON.stringify(certificates.map(toBase64)),
  }
}
