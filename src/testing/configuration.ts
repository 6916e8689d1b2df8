import { hash } from 'node:crypto'
import type { ClientEntry, SecretEntry, TenantEntry } from '../config/types.ts'
import { algorithmNamed, algorithmNames } from '../core/algorithms.ts'
import type { KeyEntry } from '../keys/index.ts'
import type { ProfileDocument } from '../profiles/document.ts'
import type { IssuerEntry } from '../trust/index.ts'
import { parseJson } from '../wire/json.ts'
import { pem } from '../wire/pem.ts'
import type { SetupDocument, TestDocument } from './document.ts'
import type { Parties } from './parties.ts'
import { jwksOf } from './signers.ts'

/** Trusted by the tenant and named by no profile: what it may not do shows that a profile looks. */
export const NEIGHBOUR = {
  issuer: 'https://neighbour.dragoman-test.example',
  trustDomain: 'neighbour.dragoman-test.example',
  client: 'dragoman-test-neighbour',
  target: 'https://neighbour.dragoman-test.example/target',
  scope: 'dragoman-test:neighbour',
} as const

/** The issuer identifier of the second tenant, which is as the first but for that and its keys. */
export const OTHER_TENANT = 'https://other-tenant.dragoman-test.example'

const GATEWAY = 'https://gateway.example'

/**
 * A tenant for one profile, made of what the profile names and the test says in `setup`. Keys, secrets and credentials
 * are still to be put in: {@link testedEntry} does.
 */
export function madeEntry(profile: ProfileDocument, file: string, setup: SetupDocument = {}): TenantEntry {
  const { issuer = GATEWAY, clock_skew } = setup
  const issuers = setup.issuers ?? []
  const clients = setup.clients ?? []
  const known = new Set([...issuers.map((one) => one.issuer), 'self', issuer])
  const named = namesUnder(profile, 'issuers').filter((name) => !known.has(name))
  const ids = new Set(clients.map(({ client_id: id }) => id))
  const source = profile.accept.subject.danger_unsigned === true ? { unsigned: true as const } : ANY_SOURCE
  return {
    name: 'default',
    issuer,
    ...(clock_skew !== undefined && { clock_skew }),
    keys: keysFor(profile, setup),
    secrets: [...new Set([...(setup.secrets ?? []), ...namesUnder(profile, 'secret')])].map((name) => ({ name })),
    clients: [
      ...clients.map((client) => ({
        ...client,
        token_endpoint_auth_method: client.token_endpoint_auth_method ?? BASIC,
      })),
      ...namesUnder(profile, 'clients')
        .filter((id) => !ids.has(id))
        .map((id) => ({ client_id: id, token_endpoint_auth_method: BASIC })),
    ],
    issuers: [
      ...issuers.map((one) => ({ ...one, subjects: one.subjects ?? ['*'], ...source })),
      ...named.map((name) => ({ issuer: name, subjects: ['*'], ...source })),
    ],
    profiles: [file],
  }
}

const BASIC = 'client_secret_basic'

/** Marks that stand for keys and certificates. */
const ANY_SOURCE = { jwks: {}, certificates: '' } as const

function keysFor(profile: ProfileDocument, { keys = [] }: SetupDocument): readonly KeyEntry[] {
  const crypto = stageOf(profile, 'crypto')
  const { key = 'signing', algorithm = 'ES256' } = crypto as { readonly key?: string; readonly algorithm?: string }
  const { to } = stageOf(profile, 'format') as { readonly to?: string }
  const asked = { name: key, algorithm, authority: to === 'x509' }
  const all = keys.some(({ name }) => name === key) ? keys : [asked, ...keys]
  return all.map(({ name, algorithm: signs, authority }) => ({
    name,
    algorithm: signs,
    generate: true,
    ...(authority === true && { self_signed: { common_name: name } }),
  }))
}

const stageOf = ({ stages }: ProfileDocument, name: string): object => {
  const options = stages.find((stage) => Object.hasOwn(stage, name))?.[name]
  return typeof options === 'object' && options !== null ? options : {}
}

/** Every name that stands under members of this name, wherever in the document. */
function namesUnder(value: unknown, member: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  const found = Object.entries(value).flatMap(([name, inner]): readonly string[] => {
    if (name === member) return [inner].flat().filter((one) => typeof one === 'string')
    return namesUnder(inner, member)
  })
  return [...new Set(found)]
}

/** What is cheap to make and usual. */
const USUAL = ['ES256', 'ES384', 'Ed25519'] as const

/** The algorithms that each trusted issuer has a key for: the usual ones, and what the profile and the test name. */
export function publishedBy(
  { issuers = [] }: TenantEntry,
  profile: ProfileDocument,
  test: TestDocument,
): ReadonlyMap<string, readonly string[]> {
  const asked = [...namesUnder(profile, 'algorithms'), ...namesUnder([test.tokens, test.cases], 'algorithm')]
  return new Map(
    [...issuers, { issuer: NEIGHBOUR.issuer, algorithms: undefined }].map(({ issuer, algorithms }) => {
      const allowed = (algorithms ?? algorithmNames).flatMap((name) => algorithmNamed(name)?.name ?? [])
      const wanted = [...USUAL, ...asked].filter((name) => allowed.includes(name))
      return [issuer, [...new Set(wanted.length > 0 ? wanted : allowed.slice(0, 1))]]
    }),
  )
}

/** A tenant as a test runs it, and the files that it reads beside those on the disk. */
export interface Tested {
  readonly entry: TenantEntry
  /** By name, as the entry has them. */
  readonly files: ReadonlyMap<string, Buffer>
}

/**
 * The same tenant with keys of the harness's own: every signing key made anew, every secret one that is derived from its
 * name, every issuer with keys of a {@link Parties}, every client with credentials that the harness has. Names, limits,
 * algorithms, subject spaces and all that the profiles see stay as they are. A neighbour is added: an issuer and a client
 * that no profile names.
 */
export async function testedEntry(entry: TenantEntry, parties: Parties): Promise<Tested> {
  const issuers = await Promise.all((entry.issuers ?? []).map((one) => testedIssuer(one, parties)))
  const neighbour = await testedIssuer(
    { issuer: NEIGHBOUR.issuer, trust_domain: NEIGHBOUR.trustDomain, subjects: ['*'], ...ANY_SOURCE },
    parties,
  )
  const authorities = await certificatesOf(
    [CLIENT_ISSUER, ...(entry.issuers ?? []).map(({ issuer }) => issuer)],
    parties,
  )
  return {
    entry: {
      name: entry.name,
      issuer: entry.issuer,
      keys: entry.keys.map(testedKey),
      secrets: (entry.secrets ?? []).map(testedSecret),
      clients: [
        ...(entry.clients ?? []).map((client) => testedClient(client, parties)),
        testedClient({ client_id: NEIGHBOUR.client, token_endpoint_auth_method: BASIC }, parties),
      ],
      issuers: [...issuers, neighbour],
      profiles: entry.profiles,
      ...(entry.x509 !== undefined && { x509: entry.x509 }),
      ...(entry.clock_skew !== undefined && { clock_skew: entry.clock_skew }),
    },
    files: new Map([[CLIENT_AUTHORITIES, Buffer.from(authorities)]]),
  }
}

function testedKey({ name, algorithm, kid, certificates, self_signed }: KeyEntry): KeyEntry {
  const authority = certificates !== undefined || self_signed !== undefined
  return {
    name,
    algorithm,
    generate: true,
    ...(kid !== undefined && { kid }),
    ...(authority && { self_signed: { common_name: 'Test', lifetime: AUTHORITY_LIFETIME } }),
  }
}

// Longer than any profile may let a certificate live.
const AUTHORITY_LIFETIME = 366 * 86_400

/** The same text each time, so that a hash made with it can be expected. */
const testedSecret = ({ name }: SecretEntry): SecretEntry => ({ name, value: secretFor(name) })

/** The value of a secret in a test: SHA-256 in hex of a fixed text and its name. */
export const secretFor = (name: string): string => hash('sha256', `dragoman test secret ${name}`, 'hex')

async function testedIssuer(entry: IssuerEntry, parties: Parties): Promise<IssuerEntry> {
  const { issuer, trust_domain, algorithms, subjects, history } = entry
  const party = parties.issuer(issuer)
  const bundle = entry.spiffe_bundle_file !== undefined
  const sources = [entry.jwks, entry.jwks_file, entry.jwks_uri, entry.discovery, entry.cose_keys_file]
  const keys = bundle || sources.some((source) => source !== undefined)
  const certificates = bundle || entry.certificates !== undefined || entry.certificates_file !== undefined
  return {
    issuer,
    subjects,
    ...(trust_domain !== undefined && { trust_domain }),
    ...(algorithms !== undefined && { algorithms }),
    ...(history !== undefined && { history }),
    ...(entry.unsigned !== undefined && { unsigned: entry.unsigned }),
    ...(keys && { jwks: parseJson(JSON.stringify(jwksOf(party.algorithms.map(party.signer)))) }),
    ...(certificates && { certificates: await certificatesOf([issuer], parties) }),
  }
}

async function certificatesOf(issuers: readonly string[], parties: Parties): Promise<string> {
  const all = issuers.map((name) => parties.issuer(name))
  const authorities = await Promise.all(all.flatMap(({ algorithms, authority }) => algorithms.map(authority)))
  return authorities.flatMap(({ chain }) => chain.map((der) => pem('CERTIFICATE', der))).join('')
}

/** Who certifies clients that have no certificate of an issuer. */
export const CLIENT_ISSUER = 'dragoman-test-clients'

/** The file with the authorities of clients: that of the harness, and the issuers, whose certificates may be used so. */
const CLIENT_AUTHORITIES = 'dragoman-test-clients.pem'

function testedClient(client: ClientEntry, parties: Parties): ClientEntry {
  const { client_id, token_endpoint_auth_method: method, dpop_bound_access_tokens } = client
  const base = {
    client_id,
    token_endpoint_auth_method: method,
    ...(dpop_bound_access_tokens !== undefined && { dpop_bound_access_tokens }),
  }
  switch (method) {
    case 'private_key_jwt':
      return { ...base, jwks: parseJson(JSON.stringify(jwksOf([parties.issuer(client_id).signer('ES256')]))) }
    case 'tls_client_auth':
      return { ...base, certificate_authorities: CLIENT_AUTHORITIES, ...expectedName(client) }
    default:
      return { ...base, client_secret: secretFor(client_id) }
  }
}

/** The name in its certificate, where the harness can make one with that name; else another in its place. */
function expectedName(client: ClientEntry): Partial<ClientEntry> {
  const { tls_client_auth_san_uri: uri, tls_client_auth_san_dns: dns, tls_client_auth_san_email: email } = client
  if (dns !== undefined) return { tls_client_auth_san_dns: dns }
  if (email !== undefined) return { tls_client_auth_san_email: email }
  return { tls_client_auth_san_uri: uri ?? `urn:example:client:${encodeURIComponent(client.client_id)}` }
}
