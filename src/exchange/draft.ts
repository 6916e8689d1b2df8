import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import { PATH_CLAIM } from '../core/path.ts'
import type { Confirmation, Draft, Token } from '../core/token.ts'
import { lifetimeOf } from '../core/transaction.ts'
import { emptyRecord } from '../core/value.ts'
import { startTransaction } from './transaction.ts'

/**
 * What a translation keeps unless a stage says otherwise: who, through whom, and how the subject was authenticated
 * (RFC 9068 §2.2.1: unchanged when the token is exchanged). Every other claim is kept by name or not at all.
 */
const CARRIED = ['sub', 'act', PATH_CLAIM, 'auth_time', 'acr', 'amr'] as const

/** What bounds a token, beside the exchange itself. */
export interface Bounds {
  /** What was asked for, as the profile translates it. */
  readonly audience: readonly string[]
  /** Until when the signing key can sign, in seconds; `undefined`: no such end. */
  readonly ceiling: number | undefined
  /** Every token that was verified so far: subject, actor, and those that a stage found inside. */
  readonly inputs: readonly Token[]
}

/**
 * The draft that the first stage gets.
 *
 * Audience: what was asked for. Expiry: the earliest of subject, actor, signing CA and the profile's ceiling. Not before:
 * the subject's and the actor's. Scope: what was asked for and the subject has; a subject token without scope gives
 * none, and nothing asked for is not everything. `resource`: what was asked for behind the target, where the profile has
 * such. Confirmation: the subject's, or without one that of a DPoP proof.
 */
export function startDraft(exchange: Exchange, { audience, ceiling, inputs }: Bounds): Draft {
  const { subject, now, profile, request } = exchange
  if (ceiling !== undefined && ceiling <= now) {
    throw new DragomanError('ERR_KEY_UNAVAILABLE', {
      detail: { key: profile.key, expected: 'a signing certificate that has not expired' },
    })
  }
  let end = Math.min(ceiling ?? Infinity, now + lifetimeOf(exchange))
  let start = -Infinity
  for (const { validity } of inputs) {
    end = Math.min(end, validity.expiresAt ?? Infinity)
    start = Math.max(start, validity.notBefore ?? -Infinity)
  }
  const expiresAt = Math.floor(end)
  const notBefore = start === -Infinity ? undefined : Math.ceil(start)
  if (expiresAt <= now) {
    // Possible within the clock skew: what would be issued is dead already.
    throw new DragomanError('ERR_TOKEN_EXPIRED', { detail: { expected: `after ${now}`, actual: expiresAt } })
  }
  const claims = emptyRecord()
  for (const name of CARRIED) {
    const value = subject.claims[name]
    if (value !== undefined) claims[name] = value
  }
  // RFC 8693 §4.3, RFC 9068 §2.2: an access token names the client that asked for it.
  if (profile.writer.usage === 'access_token') claims['client_id'] = exchange.client.id
  const behind = profile.accepts.targets.resources === undefined ? [] : request.resource
  if (behind.length > 0) claims['resource'] = behind.length === 1 ? (behind[0] ?? '') : behind
  const draft: Draft = {
    claims,
    validity: {
      issuedAt: now,
      notBefore,
      expiresAt,
      audience,
      // A transaction has a scope of its own, for what comes without any.
      scope: startScope(request.scope, subject.validity.scope ?? exchange.transaction?.kind.scope),
    },
    confirmation: startConfirmation(exchange),
    embedded: [],
    notes: [],
  }
  return startTransaction(draft, exchange)
}

function startScope(requested: readonly string[] | undefined, held: readonly string[] | undefined) {
  if (requested === undefined || held === undefined) return undefined
  return requested.filter((scope) => held.includes(scope))
}

/**
 * A certificate goes on as what was proved: itself in the handshake, or else its key (RFC 8705 §3.1, RFC 9449 §6.1).
 * A thumbprint goes on with its key where a proof has shown it, since some formats can only carry that.
 */
function startConfirmation({ subject, proofs, profile }: Exchange): Confirmation | undefined {
  const { confirmation, provenance } = subject
  if (confirmation === undefined || profile.accepts.subject.presentedBy === 'audience') {
    // RFC 9449 §5: who sends a DPoP proof asks for a token that is bound to it.
    const dpop = proofs.find(({ method }) => method === 'dpop')
    return dpop ? { publicKey: dpop.publicKey, jkt: dpop.publicKey.jkt } : confirmation
  }
  const { publicKey, jkt, x5tS256 } = confirmation
  if (provenance.format === 'x509' && publicKey !== undefined) {
    return x5tS256 !== undefined && proofs.some((proof) => proof.x5tS256 === x5tS256)
      ? { publicKey, x5tS256 }
      : { publicKey, jkt: publicKey.jkt }
  }
  const shown = publicKey ?? proofs.find((proof) => proof.publicKey.jkt === jkt)?.publicKey
  return shown === publicKey ? confirmation : { ...confirmation, publicKey: shown }
}
