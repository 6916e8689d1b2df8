import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Draft } from '../core/token.ts'
import { withMember } from '../core/value.ts'
import { faultOf } from './sub.ts'

export interface ClientOptions {
  readonly map?: { readonly [client: string]: string }
  readonly default?: 'same'
}

/** How the clients of a profile are called where its output goes. */
export type ClientNames = ReadonlyMap<string, string>

/**
 * Names the client in the output by the id that it has at another authorization server, which will ask for that client's
 * authentication (draft-ietf-oauth-identity-assertion-authz-grant §3.1). Only a client that has authenticated is named.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_CLIENT` for one that has no row where there is no default; `ERR_CLIENT_MISSING`
 */
export function nameClient({ map = {}, default: fallback }: ClientOptions): {
  readonly names: ClientNames
  readonly transform: (draft: Draft, exchange: Exchange) => Draft
} {
  const names: ClientNames = new Map(Object.entries(map))
  for (const [client, name] of names) {
    const fault = faultOf(name)
    if (fault === undefined) continue
    throw new DragomanError('ERR_PROFILE_OPTION', { detail: { path: `client.map.${client}`, expected: fault } })
  }
  return {
    names,
    transform(draft, { client }) {
      if (client.method === 'subject_token') throw new DragomanError('ERR_CLIENT_MISSING')
      const name = names.get(client.id) ?? (fallback === 'same' ? client.id : undefined)
      if (name === undefined) {
        throw new DragomanError('ERR_PROFILE_CLIENT', { detail: { expected: 'a row in sender_constraint.client.map' } })
      }
      const notes =
        name === client.id ? draft.notes : [...draft.notes, { claim: 'client_id', became: 'mapped' } as const]
      return { ...draft, claims: withMember(draft.claims, 'client_id', name), notes }
    },
  }
}
