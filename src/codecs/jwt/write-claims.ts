import type { Issuance, Loss } from '../../core/codec.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Draft, Validity } from '../../core/token.ts'
import { emptyRecord, type Value } from '../../core/value.ts'
import { writeConfirmation } from './confirmation.ts'
import { finite, jsonValue } from './json-value.ts'
import { heldApart } from './read-claims.ts'

/**
 * The claims set of a JWT, as JSON: whose it is and for whom first, then when, then the rest.
 *
 * A time between two seconds is cut so that the token is never valid for longer than the draft says. Bytes become
 * base64url text. A claim under a name that the codec writes itself is not written twice: it is lost. `losses` is told
 * of both.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SUBJECT`, `ERR_PROFILE_RENDERING`, `ERR_TOKEN_CONFIRMATION`,
 * `ERR_TOKEN_CLAIM` for a number that JSON cannot hold
 */
export function writeClaims(draft: Draft, { issuer, now }: Issuance, id: string, losses: Loss[]): string {
  const { claims, validity, confirmation } = draft
  const { issuedAt = now, notBefore, expiresAt } = validity
  const set = emptyRecord()
  set['iss'] = issuer
  putSubject(set, claims['sub'])
  putAudience(set, validity)
  // Only its place: it is written with the other claims.
  if (claims['client_id'] !== undefined) set['client_id'] = claims['client_id']
  set['iat'] = Math.floor(finite(issuedAt, 'iat'))
  if (notBefore !== undefined) set['nbf'] = Math.ceil(finite(notBefore, 'nbf'))
  if (expiresAt !== undefined) set['exp'] = Math.floor(finite(expiresAt, 'exp'))
  set['jti'] = id
  if (validity.scope !== undefined) set['scope'] = validity.scope.join(' ')
  if (confirmation !== undefined) set['cnf'] = writeConfirmation(confirmation)
  for (const claim in claims) {
    const value = claims[claim]
    if (value === undefined) continue
    if (heldApart.has(claim)) losses.push({ claim, became: 'lost', reason: 'the token says it by itself' })
    else set[claim] = jsonValue(value, claim, losses)
  }
  putEmbedded(set, draft, losses)
  return JSON.stringify(set)
}

function putSubject(set: Record<string, Value>, subject: Value | undefined): void {
  if (subject === undefined) return
  if (typeof subject !== 'string') {
    throw new DragomanError('ERR_PROFILE_SUBJECT', { detail: { expected: 'a subject as text' } })
  }
  set['sub'] = subject
}

function putAudience(set: Record<string, Value>, { audience }: Validity): void {
  const [first, another] = audience
  if (first !== undefined) set['aud'] = another === undefined ? first : audience
}

function putEmbedded(set: Record<string, Value>, { embedded }: Draft, losses: Loss[]): void {
  for (const { name, place, value } of embedded) {
    if (place !== 'claim') continue
    if (name in set || heldApart.has(name)) {
      throw new DragomanError('ERR_PROFILE_RENDERING', {
        detail: { claim: name, expected: 'another name for the embedded token, since the claim is there' },
      })
    }
    set[name] = jsonValue(value, name, losses)
  }
}
