import type { Services, TokenRequest } from '../core/exchange.ts'
import { rehearse, rehearseUnread } from '../exchange/rehearse.ts'
import { type Explained, explain } from './explain.ts'
import { asClient } from './given.ts'
import type { Explanation } from './types.ts'

export interface ExplainOptions extends Pick<Explained, 'configuration' | 'notes'> {
  /** Taken as authenticated, whatever credentials the request has. Default: `client_id`, where there are none. */
  readonly client?: string | undefined
}

/** What an exchange of this request would come to, and why; issues nothing, spends nothing. */
export async function explainRequest(
  request: TokenRequest,
  services: Services,
  { client, ...more }: ExplainOptions = {},
): Promise<Explanation> {
  const named = claimed(request, services)
  const given = client ?? (named ? undefined : request.client_id)
  const now = Math.floor(services.clock())
  const asked = given === undefined ? services : asClient(services, given)
  const rehearsal = await rehearse(given === undefined ? request : { ...request, client_id: given }, {
    ...asked,
    clock: () => now,
  })
  const note = given === undefined ? [] : [`the client ${given} was taken as given: its credentials were not looked at`]
  const notes = [...note, ...(more.notes ?? []), NOTHING]
  return explain(rehearsal, { ...more, request, clientId: given ?? named?.id, services, now, notes })
}

/** Why this form is no token request. */
export function explainUnread(error: unknown, services: Services, options: ExplainOptions = {}): Explanation {
  const now = Math.floor(services.clock())
  const rehearsal = rehearseUnread('', error, services)
  return explain(rehearsal, {
    ...options,
    request: undefined,
    services,
    now,
    notes: [...(options.notes ?? []), NOTHING],
  })
}

const NOTHING = 'nothing was issued, and nothing is spent: the same request can be sent'

/**
 * Whom the credentials of a request name, good or bad; `undefined`: there are none. A certificate is one for a client that
 * authenticates by it; with any other client it may be there for the connection, or for a token that is bound to it.
 */
function claimed(
  request: TokenRequest,
  { clientMethods, clients }: Services,
): { readonly id: string | undefined } | undefined {
  const { authorization, client_secret, client_assertion } = request
  const sent = [authorization, client_secret, client_assertion].some((credential) => credential !== undefined)
  for (const method of clientMethods) {
    try {
      const claim = method.claim(request)
      if (claim && (sent || clients.find(claim.clientId)?.method === method.name)) return { id: claim.clientId }
    } catch {
      // They are there, and malformed: the exchange says so.
      return { id: request.client_id }
    }
  }
  return undefined
}
