import type { RegisteredClient } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { tokenTypes } from '../core/types.ts'
import type { ForwardAuth } from '../gateway/forward-auth.ts'
import { hint } from '../profiles/nearest.ts'
import type { Report } from '../profiles/report.ts'
import { MAX_TOKEN_BYTES_DEFAULT } from './forward-auth-schema.ts'
import type { ForwardAuthEntry } from './types.ts'

/** What endpoints for proxies may name. */
export interface ForwardAuthTools {
  readonly profiles: readonly Profile[]
  readonly clients: { find(id: string): RegisteredClient | undefined; readonly ids: readonly string[] }
}

/**
 * The endpoints for proxies of one tenant.
 *
 * Checks what would refuse every request, or let one in that should not be: the profile names the client, takes one kind of
 * token from its holder and no actor, serves what is asked for, and issues what fits into a header field; the client can
 * authenticate beside a token of somebody else's; fields that hold credentials are not among those that go into tokens.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`, where `report` does not gather it
 */
export function loadForwardAuth(
  entries: readonly ForwardAuthEntry[],
  tools: ForwardAuthTools,
  report: Report,
): readonly ForwardAuth[] {
  return entries.flatMap(
    (entry, index) => report.attempt(['forward_auth', index], () => endpointOf(entry, tools)) ?? [],
  )
}

const wrong = (path: keyof ForwardAuthEntry | `headers[${number}]`, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', { detail: { path, expected } })

function endpointOf(entry: ForwardAuthEntry, { profiles, clients }: ForwardAuthTools): ForwardAuth {
  const profile = profiles.find(({ name }) => name === entry.profile)
  if (profile === undefined) {
    const known = profiles.map(({ name }) => name)
    throw wrong('profile', `the name of a profile; ${hint(entry.profile, known, 'there are')}`)
  }
  const client = clients.find(entry.client)
  if (client === undefined) throw wrong('client', `the id of a client; ${hint(entry.client, clients.ids, 'there are')}`)
  const clientHeader = clientHeaderOf(entry, client)
  assertProfile(profile, entry)
  const subjectTokenType = typeOf(entry, profile)
  const { audience = [], resource = [], scope, result_header: resultHeader = 'Txn-Token' } = entry
  assertTargets(profile, [...audience, ...resource])
  assertResultHeader(resultHeader, profile)
  const certificate = entry.client_certificate && {
    ...entry.client_certificate,
    header: entry.client_certificate.header.toLowerCase(),
  }
  if (subjectTokenType === tokenTypes.mtls && certificate === undefined) {
    throw wrong('client_certificate', 'it, since the subject token is a certificate')
  }
  const headers = (entry.headers ?? []).map((name) => name.toLowerCase())
  const secrets = [...CREDENTIALS, ...(clientHeader === undefined ? [] : [clientHeader])]
  const secret = headers.findIndex((name) => secrets.includes(name))
  if (secret >= 0) throw wrong(`headers[${secret}]`, 'a field that holds no credentials')
  return {
    name: entry.name,
    profile: profile.name,
    client: client.id,
    clientHeader,
    from: entry.request_from,
    headers: [...new Set(headers)],
    certificate,
    subjectTokenType,
    audience,
    resource,
    scope,
    resultHeader,
    maxCharacters: entry.max_token_bytes ?? MAX_TOKEN_BYTES_DEFAULT,
  }
}

const CREDENTIALS: readonly string[] = ['authorization', 'proxy-authorization', 'cookie', 'dpop']

/** Neither a form nor the field of the token is free for the proxy's own credentials. */
function clientHeaderOf({ client_header: header }: ForwardAuthEntry, { method }: RegisteredClient): string | undefined {
  if (method === 'tls_client_auth') {
    if (header !== undefined) throw wrong('client_header', 'no such option: the client shows a certificate')
    return undefined
  }
  if (method !== 'client_secret_basic') throw wrong('client', 'one with client_secret_basic or tls_client_auth')
  const name = (header ?? 'Client-Authorization').toLowerCase()
  if (name === 'authorization') throw wrong('client_header', 'a field of its own: the token is in Authorization')
  return name
}

function assertProfile({ name, accepts }: Profile, { client }: ForwardAuthEntry): void {
  const profile = (expected: string) => wrong('profile', `${expected}; ${name} is another`)
  if (!accepts.clients.includes(client)) throw profile(`one with ${client} in accept.clients`)
  if (accepts.subjectTokenAuthenticates) throw profile('one without accept.subject_token_authenticates')
  if (accepts.actor !== undefined) throw profile('one without accept.actor, since no actor token is sent')
  // Whoever sends the request is to prove its key at the edge; behind it nobody asks again.
  if (accepts.subject.presentedBy !== 'holder') throw profile('one that takes tokens from their holder')
}

function typeOf({ subject_token_type: type }: ForwardAuthEntry, { accepts }: Profile): string {
  const { types } = accepts.subject
  const [only, another] = types
  if (type === undefined && only !== undefined && another === undefined) return only
  if (type === undefined || !types.includes(type)) throw wrong('subject_token_type', `one of ${types.join(', ')}`)
  return type
}

function assertTargets({ accepts }: Profile, asked: readonly string[]): void {
  const { allowed, fallback, open } = accepts.targets
  if (asked.length === 0 && fallback.length === 0) throw wrong('audience', 'it, or a default in the profile')
  const refused = asked.find((target) => !open && !allowed.has(target))
  if (refused !== undefined)
    throw wrong('audience', `what the profile allows; ${refused} is not in accept.targets.allow`)
}

/** Fields that mean something to whoever reads an answer: a token in them would change it. */
const TAKEN: readonly string[] = [
  ...['connection', 'content-length', 'content-type', 'transfer-encoding', 'upgrade', 'trailer', 'date', 'location'],
  ...['set-cookie', 'www-authenticate', 'cache-control', 'retry-after', 'x-request-id', 'dpop-nonce'],
]

function assertResultHeader(header: string, { writer }: Profile): void {
  const name = header.toLowerCase()
  if (TAKEN.includes(name)) throw wrong('result_header', `a field of its own; ${name} has a meaning in each answer`)
  // RFC 8693 §2.2.1: what is N_A is no access token.
  if (name === 'authorization' && writer.usage === 'N_A') {
    throw wrong('result_header', 'another field than Authorization: what the profile issues is no access token')
  }
  if (writer.tokenType === tokenTypes.x509) {
    throw wrong('profile', 'one whose output has no line breaks; `encoding: { form: der }` has none')
  }
}
