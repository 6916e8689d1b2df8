import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditToMemory } from '../../src/audit/index.ts'
import { type Alpha, issue, type Wanted } from '../../src/cli/dev/alpha.ts'
import { SHIPPED_PROFILES } from '../../src/cli/dev/configuration.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { codecs } from '../../src/codecs/index.ts'
import { createGateway } from '../../src/compose.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { TokenRequest } from '../../src/core/exchange.ts'
import type { PublicKey } from '../../src/core/keys.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { explainRequest, explainUnread } from '../../src/explain/request.ts'
import type { Explanation } from '../../src/explain/types.ts'
import { parseForm } from '../../src/gateway/form.ts'
import { type RequestFacts, tokenRequest } from '../../src/gateway/request.ts'
import { rewrite } from './live.ts'
import { seen } from './watch.ts'
import { ISSUER, NOW, type Parameters, said, TOKEN_EXCHANGE } from './world.ts'

/** The two trust domains of `dragoman dev`, with profiles of their own that can be changed like the configuration. */
export interface Office {
  readonly folder: string
  readonly alpha: Alpha
  file(name: string): string
  /** `profiles/jwt-to-cwt.yaml`, changed. */
  edit(file: string, from: string | RegExp, to: string): void
  token(format: 'jwt' | 'cwt', over?: Partial<Wanted>): Promise<string>
  explain(parameters: Parameters, more?: Asking): Promise<Explanation>
  /** Everything as it was at first. */
  reset(): void
  close(): void
}

export interface Asking {
  /** Default: `demo`, taken as given; `null`: by what the request says. */
  readonly client?: string | null
  readonly at?: number
  readonly proved?: PublicKey
  readonly facts?: Partial<RequestFacts>
  /** Keys of the replay store that are claimed already. */
  readonly used?: (key: string) => boolean
}

export async function newOffice(): Promise<Office> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-explain-'))
  const { configuration, alpha } = await writeFolder(folder, { host: '127.0.0.1', port: 8080, tlsPort: 8443 }, NOW)
  rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: profiles')
  cpSync(SHIPPED_PROFILES, join(folder, 'profiles'), { recursive: true })
  const before = mkdtempSync(join(tmpdir(), 'dragoman-explain-'))
  cpSync(folder, before, { recursive: true })
  return {
    folder,
    alpha,
    file: (name) => readFileSync(join(folder, name), 'utf8'),
    edit: (file, from, to) => rewrite(folder, file, from, to),
    token: (format, over = {}) => issue(codecs(), { ...good(format, alpha), ...over }),
    async explain(parameters, asking = {}) {
      const memory = auditToMemory()
      const gateway = await createGateway(configuration, { audit: () => memory, clock: () => asking.at ?? NOW })
      const [tenant] = gateway.tenants
      if (tenant === undefined) throw new Error('no tenant')
      const { replay, proofMethods } = tenant.services
      const claims: string[] = []
      const services = {
        ...tenant.services,
        replay: {
          ...replay,
          claimed: (key: string) => asking.used?.(key) === true,
          claim: (key: string) => claims.push(key) > 0,
        },
        proofMethods: asking.proved
          ? [{ name: 'key', prove: () => ({ method: 'dpop', publicKey: asking.proved as PublicKey }) }, ...proofMethods]
          : proofMethods,
      }
      const { client = 'demo' } = asking
      const options = { configuration: tenant.places, ...(client !== null && { client }) }
      const explanation = await withRequest(parameters, asking, async (request) =>
        request instanceof DragomanError
          ? explainUnread(request, services, options)
          : explainRequest(request, services, options),
      )
      await gateway.http.close()
      seen(explanation)
      // Whatever came of it: nothing was kept.
      if (memory.records.length > 0 || claims.length > 0) throw new Error('an explanation left a mark')
      return explanation
    },
    reset() {
      rmSync(folder, { recursive: true })
      cpSync(before, folder, { recursive: true })
    },
    close() {
      for (const place of [folder, before]) rmSync(place, { recursive: true })
    },
  }
}

/** Where a text stands in a file: `line:column`, both from 1. */
export function placeOf(text: string, what: string): { readonly line: number; readonly column: number } {
  const offset = text.indexOf(what)
  if (offset === -1) throw new Error(`there is no ${what}`)
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

async function withRequest<T>(
  parameters: Parameters,
  { facts }: Asking,
  use: (request: TokenRequest | DragomanError) => Promise<T>,
): Promise<T> {
  const form = new URLSearchParams()
  const all: Parameters = { grant_type: TOKEN_EXCHANGE, subject_token_type: tokenTypes.jwt, ...parameters }
  for (const [name, value] of Object.entries(all)) for (const one of [value ?? []].flat()) form.append(name, one)
  const known: RequestFacts = { id: 'test', authorization: undefined, dpop: [], chain: undefined, ...facts }
  let request: TokenRequest | DragomanError
  try {
    request = tokenRequest(parseForm(Buffer.from(form.toString())), known)
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    request = error
  }
  return use(request)
}

const ISSUERS = { jwt: 'https://id.alpha.example', cwt: 'https://edge.alpha.example' } as const

const good = (format: 'jwt' | 'cwt', alpha: Alpha): Wanted => ({
  format,
  issuer: ISSUERS[format],
  signer: alpha.signers[format],
  claims: said,
  now: NOW,
  validity: {
    issuedAt: NOW,
    notBefore: NOW - 10,
    expiresAt: NOW + 3600,
    audience: [ISSUER, 'https://orders.beta.example', 'https://stock.beta.example'],
    scope: ['orders.read', 'orders.write', 'stock.read'],
  },
})
