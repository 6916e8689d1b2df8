import { CONCURRENT_EXCHANGES } from '../gateway/turn.ts'
import type { Path } from '../profiles/problem.ts'
import type { Report } from '../profiles/report.ts'
import { BATCH_DEFAULTS } from './schema.ts'
import type { ListenerEntry, TenantEntry } from './types.ts'

/** The document of a configuration once its schema has passed it. */
interface ConfigurationDocument extends Partial<Omit<TenantEntry, 'name'>> {
  readonly listeners?: readonly ListenerEntry[]
  readonly tracing?: unknown
  readonly tenants?: readonly TenantEntry[]
}

/**
 * Reports what a schema cannot say: members of a tenant beside `tenants`; an issuer identifier that clients could not
 * compare or be led to; names that stand twice; tenants that would be served at one place; listeners at one address.
 */
export function checkDocument(document: ConfigurationDocument, report: Report): void {
  const { listeners = [], tracing: _, tenants, ...plain } = document
  for (const member of tenants === undefined ? [] : Object.keys(plain)) {
    const message = 'belongs to a tenant; put it under one of `tenants`'
    report.add({ path: [member], atName: true, message })
  }
  checkListeners(listeners, report)
  const all: readonly (readonly [Partial<TenantEntry>, Path])[] = tenants
    ? tenants.map((tenant, index) => [tenant, ['tenants', index]])
    : [[plain, []]]
  for (const [tenant, base] of all) checkTenant(tenant, base, report)
  unique(tenants?.map(({ name }) => name) ?? [], (index) => ['tenants', index, 'name'], report)
  checkForwardAuth(all, report)
  // Host and path are what a request can be told apart by.
  unique(tenants?.map(({ issuer }) => siteOf(issuer)) ?? [], (index) => ['tenants', index, 'issuer'], report)
}

/** A proxy does not ask under the host of the issuer, so that the path alone must tell whose endpoint it is. */
function checkForwardAuth(
  tenants: readonly (readonly [tenant: Partial<TenantEntry>, base: Path])[],
  report: Report,
): void {
  const endpoints = tenants.flatMap(([{ issuer, forward_auth: entries = [] }, base]) =>
    entries.map(({ name }, index) => {
      const place = issuer === undefined ? '' : URL.parse(issuer)?.pathname.replace(/\/$/, '')
      return { url: `${place} ${name}`, path: [...base, 'forward_auth', index, 'name'] }
    }),
  )
  unique(
    endpoints.map(({ url }) => url),
    (index) => endpoints[index]?.path ?? [],
    report,
  )
}

function checkListeners(listeners: readonly ListenerEntry[], report: Report): void {
  const addresses = listeners.map(({ host = '127.0.0.1', port }) => (port === 0 ? undefined : `${host} ${port}`))
  unique(addresses, (index) => ['listeners', index, 'port'], report)
}

function checkTenant(
  { issuer, keys, secrets, clients, issuers, batch, limits }: Partial<TenantEntry>,
  base: Path,
  report: Report,
): void {
  const { items = BATCH_DEFAULTS.items } = batch ?? {}
  const most = limits?.concurrent_exchanges ?? CONCURRENT_EXCHANGES
  if (batch !== undefined && items > most) {
    // Its items are under way together: one that is full would never find room.
    const message = `expected at most ${most}, which is \`limits.concurrent_exchanges\``
    report.add({ path: [...base, 'batch', 'items'], message, code: 'ERR_PROFILE_OPTION' })
  }
  const fault = issuer === undefined ? undefined : issuerFault(issuer)
  if (fault !== undefined) report.add({ path: [...base, 'issuer'], message: fault, code: 'ERR_PROFILE_OPTION' })
  const at = (list: string, member: string) => (index: number) => [...base, list, index, member]
  unique(
    keys?.map(({ name }) => name),
    at('keys', 'name'),
    report,
  )
  unique(
    secrets?.map(({ name }) => name),
    at('secrets', 'name'),
    report,
  )
  unique(
    clients?.map(({ client_id: id }) => id),
    at('clients', 'client_id'),
    report,
  )
  const names = issuers?.map((trusted) => trusted.issuer) ?? []
  unique(names, at('issuers', 'issuer'), report)
  for (const [index, name] of names.entries()) {
    if (name !== issuer && name !== 'self') continue
    const message = 'expected another issuer: profiles call this gateway `self`, and it trusts its own keys'
    report.add({ path: at('issuers', 'issuer')(index), message, code: 'ERR_PROFILE_OPTION' })
  }
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/** RFC 8414 §2. Clients compare it character by character, so there must be one way to write it. */
function issuerFault(issuer: string): string | undefined {
  const url = URL.parse(issuer)
  if (!url) return 'expected an absolute URL'
  if (url.protocol !== 'https:' && !LOOPBACK.has(url.hostname)) return 'expected https; http is for loopback only'
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return 'expected a URL without user, query and fragment (RFC 8414 section 2)'
  }
  if (issuer.endsWith('/')) return 'expected no slash at the end'
  const normal = url.href.replace(/\/$/, '')
  if (issuer !== normal) return `expected it as clients will write it: ${normal}`
  return url.pathname.includes('*') ? 'expected a path without *' : undefined
}

function siteOf(issuer: string): string | undefined {
  const url = URL.parse(issuer)
  return url === null ? undefined : `${url.host}${url.pathname}`
}

/** `undefined` is not compared. */
function unique(
  values: readonly (string | undefined)[] | undefined,
  path: (index: number) => Path,
  report: Report,
): void {
  const seen = new Set<string>()
  for (const [index, value] of values?.entries() ?? []) {
    if (value === undefined) continue
    if (seen.has(value)) {
      report.add({ path: path(index), message: 'is that of another entry too', code: 'ERR_PROFILE_OPTION' })
    }
    seen.add(value)
  }
}
