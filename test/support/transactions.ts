import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocalJWKSet, type JWTPayload, type JWTVerifyResult, jwtVerify, SignJWT } from 'jose'
import { auditToMemory } from '../../src/audit/index.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { createGateway, type Gateway } from '../../src/compose.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import type { ExchangeResult, TokenRequest } from '../../src/core/exchange.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { map, type Value, type ValueMap } from '../../src/core/value.ts'
import { jwks } from '../../src/gateway/documents.ts'
import { watched } from './world.ts'

export const NOW = 1_800_000_000
export const TTS = 'http://127.0.0.1:8080/larkspur'
export const DOMAIN = 'larkspur.example'

/** The workloads of the scenario, each under the name of its service account. */
export const id = {
  'api-gateway': 'spiffe://larkspur.example/ns/edge/sa/api-gateway',
  'mail-in': 'spiffe://larkspur.example/ns/mail/sa/mail-in',
  'mail-scan': 'spiffe://larkspur.example/ns/mail/sa/mail-scan',
  tickets: 'spiffe://larkspur.example/ns/support/sa/tickets',
  purger: 'spiffe://larkspur.example/ns/batch/sa/purger',
  nightly: 'spiffe://larkspur.example/ns/report/sa/nightly',
} as const
export type Workload = keyof typeof id

/** What a workload asks for, beside the target domain and the type. */
export interface Ask extends Partial<Omit<TokenRequest, 'scope' | 'request_context' | 'request_details'>> {
  readonly token: string
  readonly type: string
  readonly scope?: string | undefined
  readonly details?: { readonly [member: string]: Value }
  readonly context?: { readonly [member: string]: Value }
  readonly tenant?: string
}

/** The scenario `transaction-tokens` in one process, with a clock that the test holds. */
export interface TransactionWorld {
  readonly gateway: Gateway
  readonly records: readonly AuditRecord[]
  now: number
  file(name: string): string
  certificate(name: string): readonly Uint8Array[]
  ask(workload: Workload, ask: Ask): Promise<ExchangeResult>
  /** From now on a gateway of its own answers, which has read the files after `edit`. */
  another(edit?: (folder: string) => void): Promise<void>
  /** What a workload signs of its own; `undefined` leaves a claim out. */
  signs(workload: 'mail-in' | 'purger', claims: Said, key?: string): Promise<string>
  /** A token of ours as another library reads it, its signature verified. */
  verified(
    result: ExchangeResult,
    tenant?: string,
  ): Promise<JWTVerifyResult<JWTPayload & { readonly [name: string]: unknown }>>
  last(): AuditRecord
  close(): Promise<void>
}

export type Said = { readonly [claim: string]: unknown }

export async function newTransactionWorld(edit?: (folder: string) => void): Promise<TransactionWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-txn-'))
  const at = { host: '127.0.0.1', port: 8080, tlsPort: 8443 }
  const { configuration } = await writeFolder(folder, at, NOW, 'transaction-tokens')
  edit?.(folder)
  const sink = watched(auditToMemory())
  let clock = NOW
  let serial = 0
  const start = () => createGateway(configuration, { clock: () => clock, audit: () => sink })
  let gateway = await start()
  const file = (name: string) => readFileSync(join(folder, name), 'utf8')
  const certificate = (name: string) => [new X509Certificate(file(`${name}.crt`)).raw]
  return {
    get gateway() {
      return gateway
    },
    records: sink.records,
    get now() {
      return clock
    },
    set now(seconds) {
      clock = seconds
    },
    file,
    async another(change) {
      const before = gateway
      change?.(folder)
      gateway = await start()
      await before.http.close()
    },
    certificate,
    ask: (workload, asked) =>
      gateway.exchange(
        { ...plain, ...certified(workload, certificate), ...requestOf(asked) },
        asked.tenant ?? 'larkspur',
      ),
    signs(workload, claims, key = `${workload}-says`) {
      serial += 1
      const all = { iss: id[workload], aud: TTS, iat: clock, exp: clock + 60, jti: `j-${serial}`, ...claims }
      const kept = Object.entries(all).filter(([, value]) => value !== undefined)
      const alg = key.endsWith('-says') ? 'EdDSA' : 'ES256'
      return new SignJWT(Object.fromEntries(kept))
        .setProtectedHeader({ alg })
        .sign(createPrivateKey(file(`${key}.key`)))
    },
    verified({ access_token }, tenant = 'larkspur') {
      const services = gateway.tenants.find(({ name }) => name === tenant)?.services
      if (services === undefined) throw new Error('no such tenant')
      const keys = createLocalJWKSet(JSON.parse(jwks(services)))
      return jwtVerify(access_token, keys, {
        audience: DOMAIN,
        typ: 'txntoken+jwt',
        currentDate: new Date(clock * 1000),
        requiredClaims: ['txn', 'sub', 'scope', 'req_wl'],
      })
    },
    last() {
      const record = sink.records.at(-1)
      if (record === undefined) throw new Error('no record')
      return record
    },
    async close() {
      await gateway.http.close()
      rmSync(folder, { recursive: true })
    },
  }
}

const plain: TokenRequest = {
  id: 'request',
  grant_type: TOKEN_EXCHANGE,
  subject_token: '',
  subject_token_type: '',
  actor_token: undefined,
  actor_token_type: undefined,
  requested_token_type: tokenTypes.txnToken,
  audience: [DOMAIN],
  resource: [],
  scope: undefined,
  csr: undefined,
  client_id: undefined,
  client_secret: undefined,
  client_assertion: undefined,
  client_assertion_type: undefined,
  authorization: undefined,
  dpop: [],
  certificates: undefined,
}

function requestOf({ token, type, scope, details, context, tenant: _, ...rest }: Ask): Partial<TokenRequest> {
  return {
    subject_token: token,
    subject_token_type: type,
    scope: scope?.split(' '),
    request_details: details && neutral(details),
    request_context: context && neutral(context),
    ...rest,
  }
}

const certified = (workload: Workload, certificate: (name: string) => readonly Uint8Array[]) => ({
  client_id: id[workload],
  certificates: certificate(workload),
})

const neutral = (members: { readonly [member: string]: Value }): ValueMap => map(Object.entries(members))
