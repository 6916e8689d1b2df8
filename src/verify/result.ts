import { TRANSACTION_TOKEN } from '../core/acceptance.ts'
import { DragomanError } from '../core/errors.ts'
import type { Confirmation, Token, Verified } from '../core/token.ts'
import { type Claims, freeze, isMap, type Value, type ValueMap, without } from '../core/value.ts'

/** A token that was verified, as a service reads it: wire names, whatever format it came in. Frozen. */
export interface VerifiedToken {
  readonly iss: string
  readonly sub: string
  readonly aud: readonly string[]
  /** Empty where the token has none. */
  readonly scope: readonly string[]
  /** Seconds since the epoch. */
  readonly exp: number
  readonly iat: number | undefined
  readonly jti: string | undefined
  readonly client_id: string | undefined
  /** Who acted, newest first (RFC 8693 §4.1); the first one is who acts now. Empty: the subject itself. */
  readonly actors: readonly ValueMap[]
  /** The key that the token is bound to; its proof was checked. `undefined`: a bearer token. */
  readonly cnf: Confirmation | undefined
  /** The transaction (draft-ietf-oauth-transaction-tokens); there in every transaction token. */
  readonly txn: string | undefined
  /** The workload that asked for the transaction token. It is not who calls: that is a matter of the connection. */
  readonly req_wl: string | undefined
  /** What the transaction is about; does not change on its way. */
  readonly tctx: ValueMap | undefined
  /** The circumstances under which it began. */
  readonly rctx: ValueMap | undefined
  /** Every claim of the token but those that stand above under another name. */
  readonly claims: Claims
  /** The token itself, with how it was verified. */
  readonly token: Verified<Token>
}

/**
 * A verified token in the words of a service. A transaction token has one trust domain as `aud`: what else it has to have
 * (draft -10 §9.2) the codec has checked.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_AUDIENCE`
 */
export function readable(token: Verified<Token>, kind: string | undefined): VerifiedToken {
  const { claims, validity, confirmation, provenance } = token
  if (kind === TRANSACTION_TOKEN && validity.audience.length !== 1) {
    throw new DragomanError('ERR_TOKEN_AUDIENCE', { detail: { expected: 'one trust domain, and no other audience' } })
  }
  const { sub, client_id, act, txn, req_wl, tctx, rctx } = claims
  return Object.freeze({
    iss: provenance.issuer,
    sub: textOf(sub) ?? '',
    aud: validity.audience,
    scope: validity.scope ?? Object.freeze([]),
    exp: validity.expiresAt ?? 0,
    iat: validity.issuedAt,
    jti: provenance.id,
    client_id: textOf(client_id),
    actors: Object.freeze(actorsOf(act)),
    cnf: confirmation,
    txn: textOf(txn),
    req_wl: textOf(req_wl),
    tctx: isMap(tctx) ? tctx : undefined,
    rctx: isMap(rctx) ? rctx : undefined,
    claims,
    token,
  })
}

const textOf = (value: Value | undefined): string | undefined => (typeof value === 'string' ? value : undefined)

function actorsOf(act: Value | undefined): ValueMap[] {
  const actors: ValueMap[] = []
  for (let link = act; isMap(link); link = link['act']) actors.push(freeze(without(link, ['act'])))
  return actors
}
