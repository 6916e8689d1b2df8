import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Answer, basicOf, send } from './live.ts'

const FOLDER = process.env['DRAGOMAN_PEERS'] ?? fileURLToPath(new URL('../../.cache/peers', import.meta.url))
const HOME = `${FOLDER}/keycloak`

/** Whether Keycloak is on this machine, built with the grants that are preview or experimental. */
export const hasKeycloak: boolean = isBuilt()

/** Why a test was passed over. */
export const NO_KEYCLOAK =
  'Keycloak is not there, or was built anew without its grants: test/interop/install-peers.sh fetches it, and needs Java and Maven'

/** The stamp is newer than what it stamps: any other start than an optimized one builds Keycloak anew, as it likes. */
function isBuilt(): boolean {
  try {
    return statSync(`${HOME}/built`).mtimeMs >= statSync(`${HOME}/lib/quarkus/generated-bytecode.jar`).mtimeMs
  } catch {
    return false
  }
}

/** A Keycloak in a process of its own, on loopback, with its data in memory. */
export interface Keycloak {
  readonly port: number
  issuer(realm: string): string
  /** Its token endpoint. */
  endpoint(realm: string): string
  /** Asks the token endpoint of a realm as a client, whose secret is its name and `-secret`. */
  token(realm: string, client: string, parameters: Form, headers?: Headers): Promise<Answer>
  /** Calls the administration interface; a path below `/admin/realms`. Throws unless it did what was asked. */
  admin(method: string, path: string, body?: unknown): Promise<Answer>
  stop(): Promise<void>
}

type Form = { readonly [name: string]: string }
type Headers = { readonly [name: string]: string }

/** Starts it. Takes half a minute on a busy machine. */
export async function startKeycloak(): Promise<Keycloak> {
  const password = randomBytes(16).toString('hex')
  // A port that it takes itself: one that is free now may not be so when it gets there.
  const options = ['--http-enabled=true', '--http-host=127.0.0.1', '--http-port=0', '--hostname-strict=false']
  const child = spawn(`${HOME}/bin/kc.sh`, ['start', '--optimized', ...options], {
    env: { ...process.env, KC_BOOTSTRAP_ADMIN_USERNAME: 'admin', KC_BOOTSTRAP_ADMIN_PASSWORD: password },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stop = () => child.kill('SIGTERM')
  // Also where a test run is over before it has started.
  process.once('exit', stop)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const origin = await ready(child)
  const issuer = (realm: string) => `${origin}/realms/${realm}`
  const endpoint = (realm: string) => `${issuer(realm)}/protocol/openid-connect/token`
  const form = (realm: string, parameters: Form, headers: Headers) =>
    send(endpoint(realm), {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams(parameters).toString(),
    })
  const operator = { grant_type: 'password', client_id: 'admin-cli', username: 'admin', password }
  return {
    port: Number(new URL(origin).port),
    issuer,
    endpoint,
    token: (realm, client, parameters, headers = {}) =>
      form(realm, parameters, { authorization: basicOf(client, `${client}-secret`), ...headers }),
    async admin(method, path, body) {
      // It lives a minute: a new one each time.
      const { body: signed } = await form('master', operator, {})
      const answer = await send(`${origin}/admin/realms${path}`, {
        method,
        headers: { authorization: `Bearer ${signed['access_token']}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
      return answer
    },
    async stop() {
      stop()
      await ended
      process.off('exit', stop)
    },
  }
}

/** Resolves with where it says that it listens. Rejects when it ends before. */
function ready(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const hear = (chunk: Buffer) => {
      said += chunk.toString('utf8')
      const origin = /Listening on: (http:\S+)\s/.exec(said)?.[1]
      if (origin !== undefined) resolve(origin)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('error', reject)
    child.once('close', () => reject(new Error(`Keycloak ended: ${said}`)))
  })
}
