import type { RegisteredClient } from '../core/client.ts'
import type { Services } from '../core/exchange.ts'

/** How a client counts that did not authenticate and is taken at its word, since nothing is issued. */
export const GIVEN = 'given'

/**
 * These services for whoever says that it is this client. Everything else of the client holds: its profiles, and whether
 * its tokens are to be bound.
 */
export function asClient(services: Services, id: string): Services {
  const method = { name: GIVEN, claim: () => ({ method: GIVEN, clientId: id }), verify() {} }
  const find = (asked: string): RegisteredClient | undefined => {
    const known = services.clients.find(asked)
    return known && { ...known, method: GIVEN }
  }
  return { ...services, clientMethods: [method], clients: { find } }
}
