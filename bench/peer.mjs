// oidc-provider with a token-exchange grant that checks and issues what ours does in its plainest case. See compare.ts.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { createLocalJWKSet, jwtVerify } from 'jose'
import Provider, { errors } from 'oidc-provider'

const [, , port, keyFile, audience] = process.argv
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
const RESOURCE = 'https://a.beta.example'
const keys = createLocalJWKSet(JSON.parse(readFileSync(keyFile, 'utf8')))
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })

const resource = {
  scope: 'orders.read orders.write stock.read',
  audience: RESOURCE,
  accessTokenTTL: 300,
  accessTokenFormat: 'jwt',
  jwt: { sign: { alg: 'ES256' } },
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'demo',
      client_secret: 'demo-secret',
      grant_types: [GRANT],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'peer', alg: 'ES256', use: 'sig' }] },
  ttl: { ClientCredentials: 300 },
  scopes: ['orders.read', 'orders.write', 'stock.read'],
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      getResourceServerInfo: () => resource,
    },
  },
  // Claims that ours keeps.
  extraTokenClaims: (ctx) => ctx.kept,
})

provider.registerGrantType(
  GRANT,
  async (ctx) => {
    const { params, client } = ctx.oidc
    const { payload } = await jwtVerify(params.subject_token, keys, {
      issuer: 'https://id.alpha.example',
      audience,
      algorithms: ['ES256'],
      typ: 'JWT',
    }).catch(() => {
      throw new errors.InvalidRequest('the token cannot be verified')
    })
    const held = String(payload.scope).split(' ')
    const scope = String(params.scope)
      .split(' ')
      .filter((one) => held.includes(one))
    const { email, groups, given_name, family_name, locale, tenant } = payload
    ctx.kept = { email, groups, given_name, family_name, locale, tenant }
    const token = new provider.ClientCredentials({ client, scope: scope.join(' ') })
    token.resourceServer = new provider.ResourceServer(RESOURCE, resource)
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: token.expiration,
      scope: token.scope,
    }
  },
  ['subject_token', 'subject_token_type', 'scope', 'resource'],
  [],
)
provider.on('server_error', (_ctx, error) => process.stderr.write(`${error.stack}\n`))
provider.listen(Number(port), '127.0.0.1', () => process.stderr.write('listening\n'))
process.on('SIGTERM', () => process.exit(0))
