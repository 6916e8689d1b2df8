import { randomBytes } from 'node:crypto'
import type { Client, ClientClaim, ClientMethod, ClientTools, RegisteredClient } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import type { Services, TokenRequest } from '../core/exchange.ts'
import type { Envelope, FormatRules, Token, Verified } from '../core/token.ts'
import type { TrustedIssuer } from '../core/trust.ts'
import { asVerified } from './verified.ts'

/**
 * Who asks, or `undefined` when the request carries no client credentials at all.
 *
 * Checks: credentials of one method only (RFC 6749 §2.3); a `client_id` beside them names the same client (RFC 7521
 * §4.2); the client is known and registered for this method; the method's own verification. An unknown client costs
 * about what a known one does. Does NOT decide what the client may do: {@link select} does.
 *
 * @throws {@link DragomanError} `ERR_CLIENT_*`
 */
export async function authenticate(
  request: TokenRequest,
  now: number,
  services: Services,
): Promise<Verified<Client> | undefined> {
  const presented = services.clientMethods.flatMap((method) => {
    const claim = method.claim(request)
    return claim ? [{ method, claim }] : []
  })
  const [first, second] = presented
  if (first === undefined) return undefined
  if (second !== undefined) {
    const methods = presented.map(({ method }) => method.name)
    throw new DragomanError('ERR_CLIENT_SEVERAL', { detail: { methods } })
  }
  const { method, claim } = first
  if (request.client_id !== undefined && request.client_id !== claim.clientId) {
    throw new DragomanError('ERR_CLIENT_MALFORMED', { detail: { expected: 'client_id names the same client' } })
  }
  const client = services.clients.find(claim.clientId)
  const tools = toolsFor(now, services)
  if (client === undefined) return refuseUnknown(method, claim, tools)
  if (client.method !== method.name) {
    throw new DragomanError('ERR_CLIENT_METHOD', { detail: { expected: client.method, actual: method.name } })
  }
  await method.verify(claim, client, tools)
  return asVerified({ id: client.id, method: method.name })
}

/** The client that a subject token stands for, where its profile lets it (RFC 8693 §2.1 leaves this to policy). */
export const clientOf = (subject: Verified<Token>): Verified<Client> =>
  asVerified({ id: String(subject.claims['sub']), method: 'subject_token' })

async function refuseUnknown(method: ClientMethod, claim: ClientClaim, tools: ClientTools): Promise<never> {
  try {
    await method.verify(claim, nobody(claim, method.name), tools)
  } catch {
    // It always fails: the work is done so that a wrong id takes as long as a wrong secret.
  }
  throw new DragomanError('ERR_CLIENT_UNKNOWN')
}

const nobody = (claim: ClientClaim, method: string): RegisteredClient => ({
  id: claim.clientId,
  method,
  secretDigests: [randomBytes(32)],
  issuer: undefined,
  certificate: undefined,
  assertion: { audience: 'issuer', maxLifetime: 0, requireJti: true },
  dpopBound: false,
})

function toolsFor(now: number, services: Services): ClientTools {
  return {
    now,
    clockSkew: services.clockSkew,
    issuer: services.issuer,
    tokenEndpoint: services.tokenEndpoint,
    replay: services.replay,
    async verify(envelope: Envelope, issuer: TrustedIssuer, rules: FormatRules) {
      const codec = services.codecs.find((candidate) => candidate.tokenTypes.includes(envelope.type))
      const unverified = codec?.parse(envelope)
      if (unverified === undefined) throw new DragomanError('ERR_CLIENT_MALFORMED')
      return unverified.verify(issuer, rules)
    },
  }
}
