import { createHash } from 'node:crypto'
import { clientMethods } from '../clients/index.ts'
import type { CertificateExpectation, RegisteredClient } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import { clientIssuer, type TrustTools } from '../trust/index.ts'
import type { ClientEntry } from './types.ts'

/** What loading clients and secrets needs of its surroundings. */
export interface SecretTools extends TrustTools {
  readonly env: { readonly [name: string]: string | undefined }
}

// RFC 6749 §10.10 wants what cannot be guessed; this is the shortest that a person would not type.
const MIN_SECRET_CHARACTERS = 8

const EXPECTATIONS = ['subject_dn', 'san_dns', 'san_uri', 'san_ip', 'san_email'] as const

/**
 * The clients of one tenant. Secrets are digested here and kept nowhere else.
 *
 * Checks that each client has what its one method needs, and nothing of another.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`, `detail.client` naming it
 */
export function loadClients(
  entries: readonly ClientEntry[],
  tools: SecretTools,
): { find(id: string): RegisteredClient | undefined; readonly ids: readonly string[] } {
  const clients = new Map<string, RegisteredClient>()
  for (const entry of entries) {
    if (clients.has(entry.client_id)) throw wrong(entry, 'each client_id once')
    clients.set(entry.client_id, loadClient(entry, tools))
  }
  return { find: (id) => clients.get(id), ids: [...clients.keys()] }
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
    issuer: byKey
      ? clientIssuer(id, picked(entry, ['jwks', 'jwks_file', 'jwks_uri', 'fetch']), tools)
      : byCertificate
        ? clientIssuer(id, { certificates_file: required(entry, 'certificate_authorities') }, tools)
        : undefined,
    certificate: byCertificate ? expectation(entry) : undefined,
    assertion: {
      audience: entry.assertion_audience ?? 'issuer',
      maxLifetime: entry.assertion_max_lifetime ?? 300,
      requireJti: true,
    },
    dpopBound: entry.dpop_bound_access_tokens === true,
  })
}

const wrong = ({ client_id: client }: ClientEntry, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', { detail: { client, expected } })

/** The credentials of these methods; a method from outside has those that its clients are given. */
const has = (entry: ClientEntry, methods: readonly string[], prefix: string): boolean =>
  BUILT_IN.has(entry.token_endpoint_auth_method)
    ? methods.includes(entry.token_endpoint_auth_method)
    : Object.keys(entry).some((option) => option.startsWith(prefix))

const BUILT_IN: ReadonlySet<string> = new Set(clientMethods.map(({ name }) => name))

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
      throw wrong(entry, `no ${option}, which is for ${methods.join(' and ')}`)
    }
  }
}

function secretDigests(entry: ClientEntry, tools: SecretTools): readonly Uint8Array[] {
  const {
    client_secret: inline,
    client_secret_file: file,
    client_secret_env: name,
    client_secret_sha256: digests,
  } = entry
  if ([inline, file, name, digests].filter((source) => source !== undefined).length !== 1) {
    throw wrong(entry, 'exactly one of client_secret, client_secret_file, client_secret_env, client_secret_sha256')
  }
  if (digests !== undefined) return [digests].flat().map((digest) => Buffer.from(digest, 'hex'))
  const secret =
    inline ??
    (file === undefined
      ? tools.env[name ?? '']
      : secretFile(entry, file, tools)
          .toString('utf8')
          .replace(/\r?\n$/, ''))
  if (secret === undefined || secret.length < MIN_SECRET_CHARACTERS) {
    throw wrong(entry, `a secret of at least ${MIN_SECRET_CHARACTERS} characters`)
  }
  return [createHash('sha256').update(secret).digest()]
}

function secretFile(entry: ClientEntry, file: string, tools: SecretTools): Buffer {
  try {
    return tools.readFile(file)
  } catch (cause) {
    const detail = { client: entry.client_id, file, expected: 'a file that can be read' }
    throw new DragomanError('ERR_PROFILE_OPTION', { cause, detail })
  }
}

function expectation(entry: ClientEntry): CertificateExpectation {
  const found = EXPECTATIONS.flatMap((kind) => {
    const value = entry[`tls_client_auth_${kind}`]
    return value === undefined ? [] : [{ kind, value }]
  })
  const [first, second] = found
  // RFC 8705 §2.1.2: exactly one of them.
  if (!first || second)
    throw wrong(entry, `exactly one of ${EXPECTATIONS.map((kind) => `tls_client_auth_${kind}`).join(', ')}`)
  return first
}

function required(entry: ClientEntry, option: 'certificate_authorities'): string {
  const value = entry[option]
  if (value === undefined) throw wrong(entry, option)
  return value
}

function picked<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]]))) as Pick<
    T,
    K
  >
}
