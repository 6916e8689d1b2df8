import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Peer } from './compare.ts'
import { cpuOfAll, pinAll } from './machine.ts'

const HOME = process.env['DRAGOMAN_KEYCLOAK'] ?? join(import.meta.dirname, '../.cache/peers/keycloak')
const DAY = 86_400
// So many that no cache of parsed tokens has them all, and few enough to be had within seconds.
const TOKENS = 2000
const AT_ONCE = 16
// What a virtual machine for Java compiles, it compiles after thousands of calls.
const WARM_SECONDS = 20

/**
 * Keycloak's standard token exchange (RFC 8693), where there is a Keycloak.
 *
 * It takes access tokens of its own realm alone, here those of a service account that asks for itself, and issues one with
 * less scope and another audience, signed by ES256. It does less: no token of another issuer, no single use, no policy, no
 * account of claims, no other format; its events are off, as they are when it is installed. It does more: users, sessions,
 * realms and clients in a database (here in memory), with all that an administrator may change while it runs.
 */
export async function keycloak(port: number): Promise<Peer | undefined> {
  if (!existsSync(join(HOME, 'bin/kc.sh'))) {
    console.log(`Keycloak is not at ${HOME}, so that it is left out: DRAGOMAN_KEYCLOAK says where it is`)
    return undefined
  }
  const origin = `http://127.0.0.1:${port}`
  const password = randomBytes(16).toString('hex')
  const built = readdirSync(HOME).some((name) => name.startsWith('built-'))
  const child = spawn(
    join(HOME, 'bin/kc.sh'),
    [
      'start',
      ...(built ? ['--optimized'] : ['--db=dev-mem', '--cache=local']),
      ...['--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`, `--hostname=${origin}`],
    ],
    {
      env: { ...process.env, KC_BOOTSTRAP_ADMIN_USERNAME: 'admin', KC_BOOTSTRAP_ADMIN_PASSWORD: password },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  try {
    const version = await listening(child)
    await newRealm(origin, password)
    const subjects = await tokens(origin)
    const pid = child.pid ?? 0
    let next = 0
    return {
      server: { stop },
      about: `Keycloak ${version}`,
      case: {
        name: 'Keycloak, standard token exchange',
        request: () => exchangeRequest(port, subjects[next++ % subjects.length] ?? ''),
        claimed: { as: 'jwt', typ: 'at+jwt', audience: 'a', claims: ['sub', 'jti', 'scope', 'tenant'] },
        repeat: TOKENS,
        warm: WARM_SECONDS,
        server: () => ({
          cpu: () => cpuOfAll(pid),
          port,
          jwks: '/realms/bench/protocol/openid-connect/certs',
        }),
      },
      settle: () => pinAll(0, pid),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Resolves with its version when it says that it listens. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const hear = (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('Listening on:')) resolve(/Keycloak (\S+) on JVM/.exec(said)?.[1] ?? '')
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('close', () => reject(new Error(`Keycloak ended: ${said}`)))
  })
}

const basic = (client: string) => `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}`

/** A realm that signs by ES256, with one client that may exchange its own tokens for the target `a`. */
async function newRealm(origin: string, password: string): Promise<void> {
  const form = { grant_type: 'password', client_id: 'admin-cli', username: 'admin', password }
  const { access_token: operator } = await asked(`${origin}/realms/master/protocol/openid-connect/token`, {
    body: new URLSearchParams(form),
  })
  const mapper = (name: string, kind: string, config: object) => ({
    ...{ name, protocol: 'openid-connect', protocolMapper: `oidc-${kind}-mapper` },
    config: { 'access.token.claim': 'true', ...config },
  })
  const scope = (name: string, shown: boolean, protocolMappers: readonly object[] = []) => ({
    ...{ name, protocol: 'openid-connect', protocolMappers },
    attributes: { 'include.in.token.scope': String(shown) },
  })
  const realm = {
    realm: 'bench',
    enabled: true,
    defaultSignatureAlgorithm: 'ES256',
    accessTokenLifespan: DAY,
    components: {
      'org.keycloak.keys.KeyProvider': [
        {
          name: 'es256',
          providerId: 'ecdsa-generated',
          config: { ecdsaEllipticCurveKey: ['P-256'], priority: ['200'] },
        },
      ],
    },
    clientScopes: [
      scope('basic', false, [mapper('sub', 'sub', {})]),
      scope('kept', false, [
        mapper('a', 'audience', { 'included.client.audience': 'a' }),
        mapper('tenant', 'hardcoded-claim', {
          'claim.name': 'tenant',
          'claim.value': 'shop-eu-1',
          'jsonType.label': 'String',
        }),
      ]),
      scope('orders.read', true),
      scope('orders.write', true),
      scope('stock.read', true),
    ],
    clients: [
      {
        ...{ clientId: 'demo', secret: 'demo-secret', standardFlowEnabled: false, serviceAccountsEnabled: true },
        defaultClientScopes: ['basic', 'kept'],
        optionalClientScopes: ['orders.read', 'orders.write', 'stock.read'],
        attributes: { 'access.token.header.type.rfc9068': 'true', 'standard.token.exchange.enabled': 'true' },
      },
      { clientId: 'a', secret: 'a-secret', standardFlowEnabled: false },
    ],
  }
  await asked(`${origin}/admin/realms`, {
    headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json' },
    body: JSON.stringify(realm),
  })
}

/** Distinct access tokens of its own: it exchanges no others. */
async function tokens(origin: string): Promise<readonly string[]> {
  const made: string[] = []
  const ask = async () => {
    while (made.length < TOKENS) {
      const { access_token: token = '' } = await asked(`${origin}/realms/bench/protocol/openid-connect/token`, {
        headers: { authorization: basic('demo') },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders.read orders.write stock.read' }),
      })
      made.push(token)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, ask))
  return made
}

async function asked(url: string, request: RequestInit): Promise<{ readonly access_token?: string }> {
  const response = await fetch(url, { method: 'POST', ...request })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`)
  return text === '' ? {} : JSON.parse(text)
}

function exchangeRequest(port: number, token: string): Buffer {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: 'a',
    scope: 'orders.read',
  }).toString()
  return Buffer.from(
    `POST /realms/bench/protocol/openid-connect/token HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${basic('demo')}\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
  )
}
