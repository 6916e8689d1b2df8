import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditToMemory } from '../../src/audit/index.ts'
import { type Alpha, issue, type Wanted } from '../../src/cli/dev/alpha.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { codecs } from '../../src/codecs/index.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/compose.ts'
import type { AuditRecord, AuditSink } from '../../src/core/audit.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { type Claims, map } from '../../src/core/value.ts'
import { seen } from './watch.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const NOW = 1_800_000_000
export const WORKLOAD = 'spiffe://alpha.example/ns/shop/sa/orders'
export const ISSUER = 'http://127.0.0.1:8080'

/** Two trust domains as `dragoman dev` makes them, with a clock that the test holds, reached by `inject`. */
export interface World {
  readonly gateway: Gateway
  readonly alpha: Alpha
  readonly folder: string
  readonly records: readonly AuditRecord[]
  now: number
  file(name: string): string
  /** A token of alpha, by default a good one; `over` replaces what it says. */
  token(format: 'jwt' | 'cwt' | 'x509', over?: Partial<Wanted>): Promise<string>
  /** Posts to the token endpoint as client `demo`; `undefined` leaves a parameter out. */
  post(parameters: Parameters, headers?: { readonly [name: string]: string }): Promise<Reply>
  last(): AuditRecord
  close(): Promise<void>
}

export type Parameters = { readonly [name: string]: string | readonly string[] | undefined }

export interface Reply {
  readonly status: number
  readonly headers: { readonly [name: string]: unknown }
  readonly body: { readonly [name: string]: unknown }
}

export async function newWorld(options: GatewayOptions & { edit?: (folder: string) => void } = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-test-'))
  const { configuration, alpha } = await writeFolder(folder, { host: '127.0.0.1', port: 8080, tlsPort: 8443 }, NOW)
  options.edit?.(folder)
  const sink = watched(auditToMemory())
  let clock = NOW
  const gateway = await createGateway(configuration, { clock: () => clock, audit: () => sink, ...options })
  const basic = `Basic ${Buffer.from('demo:demo-secret').toString('base64')}`
  const world: World = {
    gateway,
    alpha,
    folder,
    records: sink.records,
    get now() {
      return clock
    },
    set now(seconds) {
      clock = seconds
    },
    file: (name) => readFileSync(join(folder, name), 'utf8'),
    token: (format, over = {}) => issue(codecs(), { ...good(format, alpha, world.now), ...over }),
    async post(parameters, headers = {}) {
      const form = new URLSearchParams()
      const all: Parameters = { grant_type: TOKEN_EXCHANGE, subject_token_type: tokenTypes.jwt, ...parameters }
      for (const [name, value] of Object.entries(all)) for (const one of [value ?? []].flat()) form.append(name, one)
      const reply = await gateway.http.inject({
        method: 'POST',
        url: '/token',
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: basic, ...headers },
        payload: form.toString(),
      })
      if (reply.statusCode >= 400) seen(reply.body)
      return { status: reply.statusCode, headers: reply.headers, body: reply.json() }
    },
    last() {
      const record = sink.records.at(-1)
      if (!record) throw new Error('no record')
      return record
    },
    async close() {
      await gateway.http.close()
      rmSync(folder, { recursive: true })
    },
  }
  return world
}

/** The same sink, with each record among what the suite wrote. */
export function watched<T extends AuditSink>(sink: T): T {
  const { write } = sink
  return {
    ...sink,
    write(record: AuditRecord) {
      seen(record)
      write(record)
    },
  }
}

const ISSUERS = {
  jwt: 'https://id.alpha.example',
  cwt: 'https://edge.alpha.example',
  x509: 'https://ca.alpha.example',
} as const

function good(format: 'jwt' | 'cwt' | 'x509', alpha: Alpha, now: number): Wanted {
  return {
    format,
    issuer: ISSUERS[format],
    signer: alpha.signers[format],
    claims: said,
    now,
    validity: {
      issuedAt: now,
      notBefore: now - 10,
      expiresAt: now + 3600,
      audience: [ISSUER, 'https://orders.beta.example', 'https://stock.beta.example'],
      scope: ['orders.read', 'orders.write', 'stock.read'],
    },
  }
}

export const said: Claims = map([
  ['sub', WORKLOAD],
  ['email', 'orders@alpha.example'],
  ['groups', ['shop']],
])
