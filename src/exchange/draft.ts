import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Signer } from '../core/keys.ts'
import type { Draft } from '../core/token.ts'
import type { Value } from '../core/value.ts'
import { map } from '../core/value.ts'

/**
 * What a translation keeps unless a stage says otherwise: who, through whom, and how the subject was authenticated
 * (RFC 9068 §2.2.1: unchanged when the token is exchanged). Every other claim is kept by name or not at all.
 */
const CARRIED = ['sub', 'act', 'auth_time', 'acr', 'amr'] as const

/**
 * The draft that the first stage gets.
 *
 * Audience: what was asked for, as the profile translates it. Expiry: the earliest of subject, actor, signing CA and the
 * profile's ceiling. Not before: the subject's and the actor's. Scope: what was asked for and the subject has; a subject
 * token without scope gives none, and nothing asked for is not everything.
 */
export function startDraft(exchange: Exchange, audience: readonly string[], signer: Signer): Draft {
  const { subject, actor, now, profile, request } = exchange
  const ends = [
    subject.validity.expiresAt,
    actor?.validity.expiresAt,
    profile.writer.ceiling(signer),
    now + profile.maxLifetime,
  ]
  const starts = [subject.validity.notBefore, actor?.validity.notBefore].filter((time) => time !== undefined)
  const expiresAt = Math.floor(Math.min(...ends.filter((time) => time !== undefined)))
  const notBefore = starts.length > 0 ? Math.ceil(Math.max(...starts)) : undefined
  if (expiresAt <= now) {
    // Possible within the clock skew: what would be issued is dead already.
    throw new DragomanError('ERR_TOKEN_EXPIRED', { detail: { expected: `after ${now}`, actual: expiresAt } })
  }
  return {
    claims: map(
      CARRIED.flatMap((name): [string, Value][] => {
        const value = subject.claims[name]
        return value === undefined ? [] : [[name, value]]
      }),
    ),
    validity: {
      issuedAt: now,
      notBefore,
      expiresAt,
      audience,
      scope: startScope(request.scope, subject.validity.scope),
    },
    confirmation: subject.confirmation,
    embedded: [],
    notes: [],
  }
}

function startScope(requested: readonly string[] | undefined, held: readonly string[] | undefined) {
  if (requested === undefined || held === undefined) return undefined
  return requested.filter((scope) => held.includes(scope))
}
