import { hash } from 'node:crypto'
import { DragomanError } from '../../core/errors.ts'
import type { Envelope, Unverified } from '../../core/token.ts'
import { type JsonLimits, parseJsonObject } from '../../wire/json.ts'
import { readClaims, text } from './read-claims.ts'

// A subject and a few facts about it.
const LIMITS: JsonLimits = { bytes: 4096, depth: 4, items: 256, text: 2048 }

/** Seconds for which a client's word holds where it says no `exp`: as long as the longest transaction should take. */
const UNSIGNED_LIFETIME = 300

/**
 * Reads JSON without a signature (draft-ietf-oauth-transaction-tokens-10 §11.2.2): the claims that a JWT would have.
 *
 * "Verified" means here that its issuer, the client that was authenticated, is one that is believed without a signature:
 * the profile says `danger_unsigned`, and the configuration `unsigned: true` of this client. It is bound to no key, and no
 * proof can be asked for.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_*`; `ERR_TRUST_ISSUER` for any issuer that is not such a client
 */
export function parseUnsigned({ raw, type, role }: Envelope): Unverified | undefined {
  if (role !== 'subject') return undefined
  const set = parseJsonObject(raw, LIMITS)
  const named = text(set, 'iss')
  return {
    issuer: named,
    hint: {},
    verify({ issuer, trustDomain, has }, { now }) {
      if (has.unsigned !== true || (named !== undefined && named !== issuer))
        throw new DragomanError('ERR_TRUST_ISSUER')
      if (set['cnf'] !== undefined) {
        throw new DragomanError('ERR_TOKEN_CONFIRMATION', { detail: { expected: 'no cnf without a signature' } })
      }
      const { claims, validity, id } = readClaims(set)
      const digest = hash('sha256', raw)
      return {
        claims,
        validity: {
          ...validity,
          issuedAt: validity.issuedAt ?? now,
          expiresAt: Math.min(validity.expiresAt ?? Infinity, now + UNSIGNED_LIFETIME),
        },
        confirmation: undefined,
        provenance: {
          ...{ format: 'jwt', type, issuer, trustDomain, algorithm: 'none', keyThumbprint: '', kind: undefined, id },
          ...{ replayKey: digest, digest },
        },
      }
    },
  }
}
