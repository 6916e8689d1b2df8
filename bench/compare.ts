import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Case } from './cases.ts'
import { keycloak } from './keycloak.ts'
import { cpuOf, pin, type Server, start } from './machine.ts'
import type { BenchWorld } from './world.ts'

/** Another server that exchanges tokens, beside ours in the same run. */
export interface Peer {
  readonly server: Pick<Server, 'stop'>
  readonly case: Case
  /** Its name and version. */
  readonly about: string
  /** Puts it on the processor of the servers. */
  settle(): void
}

/** Those that can be had on this machine; says which cannot. */
export async function newPeers(port: number, world: BenchWorld): Promise<readonly Peer[]> {
  const peers = [await oidcProvider(port, world), await keycloak(port + 1)]
  return peers.filter((peer) => peer !== undefined)
}

/**
 * `oidc-provider` with a token-exchange grant.
 *
 * It verifies the same tokens by jose, checks issuer, audience and time, narrows the scope, and issues an ES256 `at+jwt`
 * for one resource. It does less: no audit record, no single use, no policy, no ledger, no metrics, no other format. It does
 * more of what an OpenID provider is for: events, models, a store behind an adapter (in memory here).
 */
async function oidcProvider(port: number, world: BenchWorld): Promise<Peer | undefined> {
  let version: string
  try {
    const require = createRequire(import.meta.url)
    version = (require('oidc-provider/package.json') as { version: string }).version
  } catch {
    console.log('oidc-provider is not installed, so that it is left out: npm install brings it')
    return undefined
  }
  const server = await start(
    [join(import.meta.dirname, 'peer.mjs'), String(port), join(world.folder, 'alpha.json'), world.self],
    'listening',
  )
  const request = () => {
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: world.subject(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      resource: 'https://a.beta.example',
      scope: 'orders.read',
    }).toString()
    return Buffer.from(
      `POST /token HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${world.basic}\r\n` +
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
    )
  }
  return {
    server,
    about: `oidc-provider ${version}`,
    case: {
      name: 'oidc-provider, exchange grant',
      request,
      claimed: { as: 'jwt', typ: 'at+jwt', audience: 'https://a.beta.example', claims: ['email', 'groups', 'tenant'] },
      repeat: 2000,
      server: () => ({ cpu: () => cpuOf(server.pid), port, jwks: '/jwks' }),
    },
    settle: () => pin(0, server.pid),
  }
}
