import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { auditToMemory } from '../../src/audit/index.ts'
import { type Alpha, issue, type Wanted } from '../../src/cli/dev/alpha.ts'
import { SHIPPED_PROFILES } from '../../src/cli/dev/configuration.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { codecs } from '../../src/codecs/index.ts'
import { createGateway } from '../../src/compose.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { Services, TokenRequest } from '../../src/core/exchange.ts'
import type { PublicKey } from '../../src/core/keys.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { exchangeToken, recordRefusal } from '../../src/exchange/exchange.ts'
import { asClient } from '../../src/explain/given.ts'
import { explainRecord } from '../../src/explain/record.ts'
import { explainRequest, explainUnread } from '../../src/explain/request.ts'
import { explanationSchema } from '../../src/explain/schema.ts'
import type { Explanation } from '../../src/explain/types.ts'
import { parseForm } from '../../src/gateway/form.ts'
import { type RequestFacts, tokenRequest } from '../../src/gateway/request.ts'
import { grants } from '../../src/grants/index.ts'
import { rewrite } from './live.ts'
import { seen } from './watch.ts'
import { ISSUER, NOW, type Parameters, said, TOKEN_EXCHANGE } from './world.ts'

/** The trust domains of `dragoman dev`, or of one of its scenarios, with profiles of their own that can be changed like the configuration. */
export interface Office {
  readonly folder: string
  readonly alpha: Alpha
  file(name: string): string
  /** `profiles/jwt-to-cwt.yaml`, changed. */
  edit(file: string, from: string | RegExp, to: string): void
  token(format: 'jwt' | 'cwt', over?: Partial<Wanted>): Promise<string>
  explain(parameters: Parameters, more?: Asking): Promise<Explanation>
  /** The same request exchanged, and explained from the record of its refusal. */
  afterwards(parameters: Parameters, more?: Asking): Promise<Explanation>
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
  /** Where there are several tenants. */
  readonly tenant?: string
  /** Put behind the form as it is. */
  readonly raw?: string
  /** What the gateway is made of otherwise than it is. */
  readonly instead?: (services: Services) => Partial<Services>
}

const fits = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(explanationSchema)

export async function newOffice(scenario?: string): Promise<Office> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-explain-'))
  const here = { host: '127.0.0.1', port: 8080, tlsPort: 8443 }
  const { configuration, alpha } = await writeFolder(folder, here, NOW, scenario)
  if (scenario === undefined) {
    rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: profiles')
    cpSync(SHIPPED_PROFILES, join(folder, 'profiles'), { recursive: true })
  }
  const before = mkdtempSync(join(tmpdir(), 'dragoman-explain-'))
  cpSync(folder, before, { recursive: true })
  return {
    folder,
    alpha,
    file: (name) => readFileSync(join(folder, name), 'utf8'),
    edit: (file, from, to) => rewrite(folder, file, from, to),
    token: (format, over = {}) => issue(codecs(), { ...good(format, alpha), ...over }),
    async explain(parameters, asking = {}) {
      const { gateway, memory, claims, services, options } = await opened(configuration, asking)
      const request = requestFor(parameters, asking)
      const explanation =
        request instanceof DragomanError
          ? explainUnread(request, services, options)
          : await explainRequest(request, services, options)
      await gateway.http.close()
      // Whatever came of it: nothing was kept.
      if (memory.records.length > 0 || claims.length > 0) throw new Error('an explanation left a mark')
      return checked(explanation)
    },
    async afterwards(parameters, asking = {}) {
      const { gateway, memory, services, options } = await opened(configuration, asking)
      const request = requestFor(parameters, asking)
      const given = options.client === undefined ? services : asClient(services, options.client)
      const claim = async (key: string) => !(await services.replay.claimed?.(key, NOW))
      const replay = asking.instead === undefined ? { replay: { claim } } : {}
      if (request instanceof DragomanError) recordRefusal({ id: 'after' }, request, services)
      else await exchangeToken(request, { ...given, ...replay }).catch(() => {})
      await gateway.http.close()
      const [record] = memory.records
      if (record === undefined) throw new Error('no record')
      return checked(explainRecord(record, services, options))
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

/** A gateway for one question, that can be asked whether anything was claimed of it. */
async function opened(configuration: string, asking: Asking) {
  const memory = auditToMemory()
  const gateway = await createGateway(configuration, { audit: () => memory, clock: () => asking.at ?? NOW })
  const tenant = gateway.tenants.find(({ name }) => name === (asking.tenant ?? 'default'))
  if (tenant === undefined) throw new Error('no tenant')
  const { proved, client = 'demo', instead } = asking
  const { proofMethods } = tenant.services
  const claims: string[] = []
  const services: Services = {
    ...tenant.services,
    replay: {
      claimed: (key) => asking.used?.(key) === true,
      claim: (key) => claims.push(key) > 0,
    },
    proofMethods: proved
      ? [{ name: 'key', prove: () => ({ method: 'dpop', publicKey: proved }) }, ...proofMethods]
      : proofMethods,
    ...instead?.(tenant.services),
  }
  const options = { configuration: tenant.places, client: client ?? undefined }
  return { gateway, memory, claims, services, options }
}

/** Added to what is searched for secrets, and held to its schema. */
function checked(explanation: Explanation): Explanation {
  seen(explanation)
  if (!fits(JSON.parse(JSON.stringify(explanation)))) throw new Error(JSON.stringify(fits.errors))
  return explanation
}

function requestFor(parameters: Parameters, { facts, raw = '' }: Asking): TokenRequest | DragomanError {
  const form = new URLSearchParams()
  const type = parameters['assertion'] === undefined ? { subject_token_type: tokenTypes.jwt } : {}
  const all: Parameters = { grant_type: TOKEN_EXCHANGE, ...type, ...parameters }
  for (const [name, value] of Object.entries(all)) for (const one of [value ?? []].flat()) form.append(name, one)
  const known: RequestFacts = { id: 'test', authorization: undefined, dpop: [], chain: undefined, ...facts }
  try {
    return tokenRequest(parseForm(Buffer.from(`${form}${raw}`)), known, grants)
  } catch (error) {
    if (error instanceof DragomanError) return error
    throw error
  }
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
