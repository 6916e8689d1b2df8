import { DragomanError } from '../core/errors.ts'
import { fieldsOf, type ServiceRequest } from './request.ts'

/** How a token was sent: a scheme of `Authorization`, or the header field of transaction tokens. */
export type Scheme = 'Bearer' | 'DPoP' | 'Txn-Token'

export interface Presented {
  readonly raw: string
  readonly scheme: Scheme
}

// RFC 9110 §11.2, of which every JWT is made, and base64url.
const TOKEN68 = '[A-Za-z0-9._~+/-]+=*'
const ALONE = new RegExp(`^${TOKEN68}$`)
const CREDENTIALS = /^(bearer|dpop)(?: +(.*))?$/i

/**
 * The access token in `Authorization`, under the scheme `Bearer` (RFC 6750 §2.1) or `DPoP` (RFC 9449 §7.1).
 *
 * A token in the query or in a form is not looked for (RFC 6750 §5.3): it would stand in logs.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_MISSING`, `ERR_REQUEST_REPEATED`, `ERR_TOKEN_MALFORMED`
 */
export function accessTokenIn(request: ServiceRequest): Presented {
  const [field, another] = fieldsOf(request, 'authorization')
  if (another !== undefined) throw repeated('Authorization')
  const [, name, raw] = CREDENTIALS.exec(field ?? '') ?? []
  if (name === undefined) throw missing('Authorization')
  if (raw === undefined || !ALONE.test(raw)) throw malformed()
  return { raw, scheme: name.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer' }
}

/**
 * The transaction token in `Txn-Token` (draft-ietf-oauth-transaction-tokens-10 §12.1): one, in one field. `Authorization`
 * is not looked at, whatever is in it (§12).
 *
 * @throws {@link DragomanError} `ERR_REQUEST_MISSING`, `ERR_REQUEST_REPEATED`, `ERR_TOKEN_MALFORMED`
 */
export function transactionTokenIn(request: ServiceRequest): Presented {
  const [raw, another] = fieldsOf(request, 'txn-token')
  if (another !== undefined || raw?.includes(',')) throw repeated('Txn-Token')
  if (raw === undefined || raw === '') throw missing('Txn-Token')
  assertAlone(raw)
  return { raw, scheme: 'Txn-Token' }
}

/** A token that is one text without anything beside it. @throws {@link DragomanError} `ERR_TOKEN_MALFORMED` */
export function assertAlone(raw: string): void {
  if (!ALONE.test(raw)) throw malformed()
}

const missing = (parameter: string) => new DragomanError('ERR_REQUEST_MISSING', { detail: { parameter } })
const repeated = (parameter: string) => new DragomanError('ERR_REQUEST_REPEATED', { detail: { parameter } })
const malformed = () =>
  new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected: 'one token, and nothing beside it' } })
