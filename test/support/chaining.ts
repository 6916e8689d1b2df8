import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditToMemory } from '../../src/audit/index.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/compose.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { basicOf, freePorts } from './live.ts'
import { seen } from './watch.ts'
import { NOW, type Parameters, type Reply, TOKEN_EXCHANGE, watched } from './world.ts'

/** The domains of the scenario `identity-chaining`, on a clock that the test holds, reached by `inject`. */
export interface Domains {
  readonly gateway: Gateway
  readonly folder: string
  now: number
  file(name: string): string
  /** Asks `tenant` as `client`, whose secret is its name and `-secret`. */
  exchange(tenant: string, client: string, parameters: Parameters, headers?: Headers): Promise<Told>
  redeem(tenant: string, client: string, assertion: string, more?: Parameters, headers?: Headers): Promise<Told>
  close(): Promise<void>
}

/** An answer, and the record that it left. */
export interface Told extends Reply {
  readonly record: AuditRecord
  /** The token; throws where there is none. */
  readonly token: string
}

type Headers = { readonly [name: string]: string }

export const at = (tenant: string): string => `http://127.0.0.1:8080/${tenant}`

export async function newDomains(edit?: (folder: string) => void, options: GatewayOptions = {}): Promise<Domains> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-chain-'))
  const here = { host: '127.0.0.1', port: 8080, tlsPort: 8443 }
  const { configuration } = await writeFolder(folder, here, NOW, 'identity-chaining')
  edit?.(folder)
  const sink = watched(auditToMemory())
  let clock = NOW
  const gateway = await createGateway(configuration, { clock: () => clock, audit: () => sink, ...options })
  const post = async (tenant: string, client: string, parameters: Parameters, headers: Headers = {}): Promise<Told> => {
    const reply = await gateway.http.inject({
      method: 'POST',
      url: `/${tenant}/token`,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}`,
        ...headers,
      },
      payload: formOf(parameters).toString(),
    })
    if (reply.statusCode >= 400) seen(reply.body)
    const record = sink.records.at(-1)
    if (!record) throw new Error('no record')
    const body: Reply['body'] = reply.json()
    return {
      status: reply.statusCode,
      headers: reply.headers,
      body,
      record,
      get token() {
        if (typeof body['access_token'] === 'string') return body['access_token']
        throw new Error(`${record.code} ${JSON.stringify(record.trace.at(-1))}`)
      },
    }
  }
  return {
    gateway,
    folder,
    get now() {
      return clock
    },
    set now(seconds) {
      clock = seconds
    },
    file: (name) => readFileSync(join(folder, name), 'utf8'),
    exchange: (tenant, client, parameters, headers) =>
      post(tenant, client, { grant_type: TOKEN_EXCHANGE, ...parameters }, headers),
    redeem: (tenant, client, assertion, more, headers) =>
      post(tenant, client, { grant_type: jwtBearer.type, assertion, ...more }, headers),
    async close() {
      await gateway.http.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** The same domains behind a socket, on the clock of the machine, for client libraries and peers. */
export interface LiveDomains {
  readonly records: readonly AuditRecord[]
  /** Its file. */
  readonly configuration: string
  issuer(tenant: string): string
  file(name: string): string
  close(): Promise<void>
}

export async function newLiveDomains(edit?: (folder: string) => void): Promise<LiveDomains> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-chain-'))
  const [port = 0, tlsPort = 0] = await freePorts(2)
  const { configuration } = await writeFolder(
    folder,
    { host: '127.0.0.1', port, tlsPort },
    undefined,
    'identity-chaining',
  )
  edit?.(folder)
  return liveIn(folder, configuration, port)
}

/** A gateway of a configuration in a folder, which is removed in the end; its issuers name the port. */
export async function liveIn(
  folder: string,
  configuration: string,
  port: number,
  options: GatewayOptions = {},
): Promise<LiveDomains> {
  const sink = watched(auditToMemory())
  const gateway = await createGateway(configuration, { audit: () => sink, ...options })
  await gateway.listen()
  return {
    records: sink.records,
    configuration,
    issuer: (tenant) => `http://127.0.0.1:${port}/${tenant}`,
    file: (name) => readFileSync(join(folder, name), 'utf8'),
    async close() {
      await gateway.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** A second gateway of the same configuration, reached by `inject`, whose clock can be ahead of the machine's. */
export interface Later {
  /** Seconds. */
  ahead: number
  post(tenant: string, client: string, parameters: Parameters): Promise<{ status: number; code: string | undefined }>
  close(): Promise<void>
}

export async function newLater({ configuration }: Pick<LiveDomains, 'configuration'>): Promise<Later> {
  const sink = watched(auditToMemory())
  let ahead = 0
  const clock = () => Math.floor(Date.now() / 1000) + ahead
  const gateway = await createGateway(configuration, { clock, audit: () => sink })
  return {
    get ahead() {
      return ahead
    },
    set ahead(seconds) {
      ahead = seconds
    },
    async post(tenant, client, parameters) {
      const { statusCode: status } = await gateway.http.inject({
        ...{ method: 'POST', url: `/${tenant}/token`, payload: formOf(parameters).toString() },
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: basicOf(client, `${client}-secret`),
        },
      })
      return { status, code: sink.records.at(-1)?.code }
    },
    close: () => gateway.http.close(),
  }
}

function formOf(parameters: Parameters): URLSearchParams {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value ?? []].flat()) form.append(name, one)
  }
  return form
}
