import { createHash } from 'node:crypto'
import { clientMethods } from '../clients/index.ts'
import type { CertificateExpectation, RegisteredClient } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import type { Report } from '../profiles/report.ts'
import { clientIssuer } from '../trust/index.ts'
import { readText, type SecretTools, variableThatIsSet } from './secrets.ts'
import type { ClientEntry } from './types.ts'

// RFC 6749 §10.10 wants what cannot be guessed; this is the shortest that a person would not type.
const MIN_SECRET_CHARACTERS = 8

const EXPECTATIONS = ['subject_dn', 'san_dns', 'san_uri', 'san_ip', 'san_email'] as const

/**
 * The clients of one tenant. Secrets are digested here and kept nowhere else.
 *
 * Checks that each client has what its one method needs, and nothing of another.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` and `ERR_TRUST_CONFIG`, where `report` does not gather them
 */
export function loadClients(
  entries: readonly ClientEntry[],
  tools: SecretTools,
  report: Report,
): { find(id: string): RegisteredClient | undefined; readonly ids: readonly string[] } {
  const clients = new Map<string, RegisteredClient>()
  for (const [index, entry] of entries.entries()) {
    report.attempt(
      ['clients', index],
      () => {
        if (clients.has(entry.client_id)) throw wrong(entry, 'client_id', 'an id of its own')
        clients.set(entry.client_id, loadClient(entry, tools))
      },
      // What is wrong with keys or certificates is wrong where they come from.
      ({ code }) => (code.startsWith('ERR_TRUST_') ? ['clients', index, ...sourceOf(entry)] : undefined),
    )
  }
  return { find: (id) => clients.get(id), ids: entries.map(({ client_id: id }) => id) }
}

const SOURCES = ['jwks', 'jwks_file', 'jwks_uri', 'certificate_authorities'] as const
const sourceOf = (entry: ClientEntry): readonly string[] => {
  const source = SOURCES.find((name) => entry[name] !== undefined)
  return source === undefined ? [] : [source]
}

function loadClient(entry: ClientEntry, tools: SecretTools): RegisteredClient {
  const { client_id: id, token_endpoint_auth_method: method } = entry
  assertOnlyOwn(entry)
  const bySecret = has(entry, ['client_secret_basic', 'client_secret_post'], 'client_secret')
  const byKey = has(entry, ['private_key_jwt'], 'jwks')
  const byCertificate = has(entry, ['tls_client_auth'], 'certificate_authorities')
  return Object.freeze({
    id,
    method,
    secretDigests: bySecret ? secretDigests(entry, tools) : [],
    certificate: byCertificate ? expectation(entry) : undefined,
    issuer: byKey
      ? clientIssuer(id, keysOf(entry), tools)
      : byCertificate
        ? clientIssuer(id, { certificates_file: required(entry, 'certificate_authorities') }, tools)
        : undefined,
    assertion: {
      audience: entry.assertion_audience ?? 'issuer',
      maxLifetime: entry.assertion_max_lifetime ?? 300,
      requireJti: true,
    },
    dpopBound: entry.dpop_bound_access_tokens === true,
  })
}

const wrong = ({ client_id: client }: ClientEntry, path: string, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', { detail: { client, path, expected } })

/** The credentials of these methods; a method from outside has those that its clients are given. */
const has = (entry: ClientEntry, methods: readonly string[], prefix: string): boolean =>
  BUILT_IN.has(entry.token_endpoint_auth_method)
    ? methods.includes(entry.token_endpoint_auth_method)
    : Object.keys(entry).some((option) => option.startsWith(prefix))

const BUILT_IN: ReadonlySet<string> = new Set(clientMethods().map(({ name }) => name))

/** Which options belong to which method: one that is ignored would look as if it protected something. */
const OWN: readonly (readonly [prefix: string, methods: readonly string[]])[] = [
  ['client_secret', ['client_secret_basic', 'client_secret_post']],
  ['jwks', ['private_key_jwt']],
  ['fetch', ['private_key_jwt']],
  ['assertion_', ['private_key_jwt']],
  ['certificate_authorities', ['tls_client_auth']],
  ['tls_client_auth_', ['tls_client_auth']],
]

function assertOnlyOwn(entry: ClientEntry): void {
  if (!BUILT_IN.has(entry.token_endpoint_auth_method)) return
  for (const option of Object.keys(entry)) {
    const [, methods] = OWN.find(([prefix]) => option.startsWith(prefix)) ?? []
    if (methods && !methods.includes(entry.token_endpoint_auth_method)) {
      throw wrong(entry, option, `no such option: it is for ${methods.join(' and ')}`)
    }
  }
}

const SECRET = ['client_secret', 'client_secret_file', 'client_secret_env', 'client_secret_sha256'] as const

function secretDigests(entry: ClientEntry, tools: SecretTools): readonly Uint8Array[] {
  const [source, another] = SECRET.filter((name) => entry[name] !== undefined)
  if (source === undefined || another !== undefined) {
    throw wrong(entry, another ?? '', `exactly one of ${SECRET.join(', ')}`)
  }
  const { client_secret: inline, client_secret_file: file, client_secret_env: name } = entry
  const { client_secret_sha256: digests } = entry
  if (digests !== undefined) return [digests].flat().map((digest) => Buffer.from(digest, 'hex'))
  // An editor ends a file with a line break, which is no part of the secret.
  const read = file === undefined ? undefined : readText(file, source, tools).replace(/\r?\n$/, '')
  const secret = inline ?? read ?? tools.env[name ?? '']
  if (secret === undefined) throw wrong(entry, source, variableThatIsSet(name ?? ''))
  if (secret.length < MIN_SECRET_CHARACTERS) {
    throw wrong(entry, source, `a secret of at least ${MIN_SECRET_CHARACTERS} characters`)
  }
  return [createHash('sha256').update(secret).digest()]
}

function expectation(entry: ClientEntry): CertificateExpectation {
  const found = EXPECTATIONS.flatMap((kind) => {
    const value = entry[`tls_client_auth_${kind}`]
    return value === undefined ? [] : [{ kind, value }]
  })
  const [first, second] = found
  // RFC 8705 §2.1.2: exactly one of them.
  if (!first || second) {
    const path = second === undefined ? '' : `tls_client_auth_${second.kind}`
    throw wrong(entry, path, `exactly one of ${EXPECTATIONS.map((kind) => `tls_client_auth_${kind}`).join(', ')}`)
  }
  return first
}

function required(entry: ClientEntry, option: 'certificate_authorities'): string {
  const value = entry[option]
  if (value === undefined) throw wrong(entry, '', `\`${option}\` with ${entry.token_endpoint_auth_method}`)
  return value
}

const KEYS = ['jwks', 'jwks_file', 'jwks_uri'] as const

function keysOf(entry: ClientEntry) {
  const [source, another] = KEYS.filter((name) => entry[name] !== undefined)
  if (source === undefined || another !== undefined) {
    throw wrong(entry, another ?? '', `exactly one of ${KEYS.join(', ')} with private_key_jwt`)
  }
  return picked(entry, [...KEYS, 'fetch'])
}

function picked<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]]))) as Pick<
    T,
    K
  >
}
