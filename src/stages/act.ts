import { prependActor } from '../core/act.ts'
import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Draft } from '../core/token.ts'
import type { ValueMap } from '../core/value.ts'
import { map, withMember } from '../core/value.ts'

/** Who acts: the party of the actor token, or the client that asks. */
export const ACTORS = ['actor_token', 'client'] as const
export type ActorSource = (typeof ACTORS)[number]

/**
 * The draft with one more actor, outermost; what the subject token says of earlier ones stands unchanged inside it
 * (RFC 8693 §4.1).
 *
 * The actor is who the verified actor token, or the authenticated client, is: nothing of it comes from a parameter. Two
 * histories cannot be put into one order and refuse, and so does a subject that acts for itself.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_ACTOR_MISSING`, `ERR_PROFILE_ACTOR_REFUSED`, `ERR_CLIENT_MISSING`, `ERR_TOKEN_ACT`
 */
export function delegate(draft: Draft, exchange: Exchange, from: ActorSource): Draft {
  const earlier = draft.claims['act']
  const act = prependActor(from === 'client' ? clientIn(exchange) : actorIn(exchange), earlier)
  return {
    ...draft,
    claims: withMember(draft.claims, 'act', act),
    notes: earlier === undefined ? draft.notes : [...draft.notes, { claim: 'act', became: 'embedded', to: 'act' }],
  }
}

function actorIn({ actor, subject }: Exchange): ValueMap {
  if (actor === undefined) {
    throw new DragomanError('ERR_PROFILE_ACTOR_MISSING', { detail: { expected: 'actor_token' } })
  }
  if (actor.claims['act'] !== undefined) {
    throw new DragomanError('ERR_TOKEN_ACT', { detail: { role: 'actor', expected: 'an actor token without act' } })
  }
  const iss = actor.provenance.issuer
  const sub = String(actor.claims['sub'])
  if (iss === subject.provenance.issuer && sub === subject.claims['sub']) throw actsForItself()
  return map([
    ['iss', iss],
    ['sub', sub],
  ])
}

function clientIn({ client, actor }: Exchange): ValueMap {
  if (actor !== undefined) {
    // It was asked for and verified: an answer that leaves it out would hide who acts.
    throw new DragomanError('ERR_PROFILE_ACTOR_REFUSED', { detail: { expected: 'no actor_token: the client acts' } })
  }
  if (client.method === 'none') throw new DragomanError('ERR_CLIENT_MISSING')
  if (client.method === 'subject_token') throw actsForItself()
  return map([['sub', client.id]])
}

const actsForItself = (): DragomanError =>
  new DragomanError('ERR_TOKEN_ACT', {
    detail: { rule: 'self-delegation', expected: 'an actor that is not the subject' },
  })
