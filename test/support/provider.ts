import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import Provider, { errors } from 'oidc-provider'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'

/** `oidc-provider` as the authorization server of another domain, over HTTP. */
export interface Peer {
  readonly issuer: string
  close(): Promise<void>
}

export const API = 'https://api.peer.example'

/**
 * Starts one with a client `service`, which gets access tokens for itself, and may redeem grants of `trusted`, our gateway:
 * the provider does what an authorization server does, and jose verifies the grant, by the keys that the gateway publishes.
 */
export async function newPeer(trusted: () => string): Promise<Peer> {
  const server = createServer((request, response) => answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const issuer = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const resourceServer = (audience: string) => ({
    ...{ scope: 'claims.create', audience, accessTokenTTL: 60, accessTokenFormat: 'jwt' },
    jwt: { sign: { alg: 'ES256' } },
  })
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'peer-1', alg: 'ES256', use: 'sig' }] },
    clients: [
      {
        ...{ client_id: 'service', client_secret: 'service-secret', redirect_uris: [], response_types: [] },
        grant_types: ['client_credentials', jwtBearer.type],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    ttl: { AccessToken: 60, ClientCredentials: 60 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, resource: string) => resourceServer(resource),
      },
    },
  })
  provider.registerGrantType(
    jwtBearer.type,
    async (context) => {
      const { client, params } = context.oidc
      const keys = createRemoteJWKSet(new URL(`${trusted()}/jwks`))
      const { payload } = await jwtVerify(params['assertion'] ?? '', keys, {
        ...{ issuer: trusted(), audience: issuer, typ: 'authorization-grant+jwt', algorithms: ['ES256'] },
        requiredClaims: ['sub', 'exp', 'jti', 'client_id'],
      }).catch((error: unknown) => {
        throw new errors.InvalidGrant(String(error))
      })
      const { sub, jti = '', exp = 0, client_id, scope } = payload
      if (client_id !== client.clientId) throw new errors.InvalidGrant('the grant is for another client')
      if (!(await provider.ReplayDetection.unique(trusted(), jti, exp))) throw new errors.InvalidGrant('used before')
      const token = new provider.AccessToken({ accountId: sub, client, scope, gty: 'jwt-bearer' })
      token.resourceServer = new provider.ResourceServer(API, resourceServer(API))
      context.body = {
        ...{ access_token: await token.save(), expires_in: token.expiration, token_type: token.tokenType },
        scope: token.scope,
      }
    },
    ['assertion', 'scope'],
  )
  const answer = provider.callback()
  return {
    issuer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
