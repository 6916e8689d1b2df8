import type { Algorithm } from '../core/algorithms.ts'
import { algorithmNamed, algorithms as allAlgorithms } from '../core/algorithms.ts'
import type { Carry } from '../core/carry.ts'
import { DragomanError } from '../core/errors.ts'
import type { KeyHint, KeyStore, VerificationKey } from '../core/keys.ts'
import { atOnce, type Steps } from '../core/slices.ts'
import { subjectSpace } from '../core/subjects.ts'
import type { Anchor, Authorities, TrustedIssuer, TrustStore } from '../core/trust.ts'
import type { Value } from '../core/value.ts'
import { isList, isMap, map } from '../core/value.ts'
import { fromBase64 } from '../wire/base64url.ts'
import { parseCertificate } from '../wire/certificate.ts'
import { verificationKeysFromCoseKeySet } from '../wire/cose-key-set.ts'
import { parseJson } from '../wire/json.ts'
import { verificationKey } from '../wire/jwk.ts'
import { parsePem } from '../wire/pem.ts'
import type { Fetch } from './fetcher.ts'
import { keySet, keysOfJwks } from './key-set.ts'
import type { IssuerEntry } from './options.ts'
import { type RemoteKeys, remoteKeys } from './remote.ts'

export { createFetcher, type Fetch, type FetchOptions } from './fetcher.ts'
export { type FetchEntry, type IssuerEntry, issuerSchema } from './options.ts'

export interface TrustTools {
  readonly fetch: Fetch
  /** Seconds since the epoch. */
  readonly clock: () => number
  readFile(name: string): Buffer
  /** What outlives a reload; without one everything is made anew. */
  readonly carry?: Carry | undefined
}

/** How the keys of one issuer stand. */
export interface IssuerStatus {
  readonly issuer: string
  readonly ready: boolean
  readonly keys: number
  /** The keys themselves. */
  readonly published: readonly VerificationKey[]
  /** Seconds since the epoch; `undefined`: nothing is fetched for this issuer. */
  readonly fetchedAt?: number | undefined
  readonly nextRefresh?: number | undefined
  /** Why the last fetch failed, in a word of ours. */
  readonly lastError?: string | undefined
}

export interface Trust extends TrustStore {
  status(): readonly IssuerStatus[]
}

// Key files may be larger than token claims; still they are ours, so the limit only stops an accident.
const FILE_LIMITS = { bytes: 1_048_576, depth: 16, items: 65_536, text: 65_536 }

/**
 * The issuers of one tenant, from its configuration.
 *
 * Keys and certificates given inline or as files are read now, once; those behind a URL when first needed.
 *
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG`, `detail.issuer` naming the entry
 */
export const createTrust = (
  entries: readonly IssuerEntry[],
  tools: TrustTools,
  own: readonly TrustedIssuer[] = [],
): Trust => atOnce(creatingTrust(entries, tools, own))

/** {@link createTrust} in steps, an issuer each. */
export function* creatingTrust(
  entries: readonly IssuerEntry[],
  tools: TrustTools,
  own: readonly TrustedIssuer[] = [],
): Steps<Trust> {
  const loaded: Loaded[] = []
  for (const entry of entries) {
    loaded.push(named(entry.issuer, () => load(entry, tools)))
    yield
  }
  const issuers = new Map<string, TrustedIssuer>()
  for (const issuer of [...own, ...loaded.map(({ trusted }) => trusted)]) {
    if (issuers.has(issuer.issuer)) {
      throw new DragomanError('ERR_TRUST_CONFIG', { detail: { issuer: issuer.issuer, expected: 'each issuer once' } })
    }
    issuers.set(issuer.issuer, issuer)
  }
  const all = [...issuers.values()]
  return { find: (issuer) => issuers.get(issuer), all: () => all, status: () => loaded.map(({ status }) => status()) }
}

/**
 * This gateway as an issuer of the tokens it takes back: its own keys, any subject, its own history. Its certificates are
 * those that its own authorities issued: not what else there is below a root that it shares with others.
 */
export function selfIssuer(issuer: string, store: KeyStore): TrustedIssuer {
  const signers = store.all()
  const keys = signers.flatMap(
    ({ publicKey, algorithm, kid }) => verificationKey(publicKey, [algorithm], { kid, alg: algorithm.name }) ?? [],
  )
  const anchors = signers.flatMap(({ chain }) => chain[0] ?? [])
  return trusted(issuer, fixed(keys, { anchors, intermediates: [] }), {
    algorithms: allAlgorithms,
    subjects: ['*'],
    history: true,
    trustDomain: undefined,
    has: { keys: keys.length > 0, certificates: anchors.length > 0 },
  })
}

/** A client as an issuer of its own assertions, or of its certificates: it speaks of itself, where it speaks of anyone. */
export function clientIssuer(
  clientId: string,
  entry: Omit<IssuerEntry, 'issuer' | 'subjects'>,
  tools: TrustTools,
): TrustedIssuer {
  return named(clientId, () => load({ ...entry, issuer: clientId, subjects: ['*'] }, tools).trusted)
}

interface Loaded {
  readonly trusted: TrustedIssuer
  status(): IssuerStatus
}

function load(entry: IssuerEntry, tools: TrustTools): Loaded {
  const algorithms = entry.algorithms?.flatMap((name) => algorithmNamed(name) ?? []) ?? allAlgorithms
  const authorities = authoritiesOf(entry, tools)
  const sources = [
    entry.jwks,
    entry.jwks_file,
    entry.jwks_uri,
    entry.discovery,
    entry.cose_keys_file,
    entry.spiffe_bundle_file,
  ]
  const given = sources.filter((source) => source !== undefined).length
  if (given > 1) throw wrong('keys from one place')
  const remote = remoteFor(entry, algorithms, tools)
  const keys = remote ? [] : localKeys(entry, algorithms, tools)
  const unsigned = entry.unsigned === true
  if (!remote && keys.length + authorities.anchors.length === 0 && !unsigned) throw wrong('keys or certificates')
  const anchor = remote ? fetched(remote, authorities) : fixed(keys, authorities)
  const { issuer } = entry
  return {
    trusted: trusted(issuer, anchor, {
      algorithms,
      subjects: entry.subjects,
      history: entry.history === true,
      trustDomain: entry.trust_domain,
      has: {
        keys: remote !== undefined || keys.length > 0,
        certificates: authorities.anchors.length > 0,
        ...(unsigned && { unsigned }),
      },
    }),
    status: () =>
      remote ? { issuer, ...remote.status() } : { issuer, ready: true, keys: keys.length, published: keys },
  }
}

function remoteFor(entry: IssuerEntry, allowed: readonly Algorithm[], tools: TrustTools): RemoteKeys | undefined {
  const { jwks_uri: uri, discovery, issuer, fetch: options = {} } = entry
  if (uri === undefined && discovery === undefined) {
    if (entry.fetch !== undefined) throw wrong('`fetch` with jwks_uri or discovery only')
    return undefined
  }
  const url = URL.parse(uri ?? issuer)
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && options.allow_private_addresses === true)) {
    throw wrong(`${uri === undefined ? 'an issuer, for discovery, that' : 'a jwks_uri that'} is an https URL`)
  }
  if (url.username !== '' || url.password !== '') throw wrong('a URL without credentials: none are sent')
  // RFC 8414 §2: an issuer identifier has neither, and there is no place for them in the URL of its metadata.
  if (uri === undefined && /[?#]/.test(issuer)) throw wrong('an issuer, for discovery, without query and fragment')
  const file = options.certificate_authority_file
  const certificateAuthority = file === undefined ? undefined : read(file, tools).toString('latin1')
  if (certificateAuthority !== undefined) certificatesIn(certificateAuthority)
  // Keys that were fetched go on working when the configuration is read anew while their issuer cannot be reached.
  const name = JSON.stringify(['remote keys', issuer, uri, options, certificateAuthority, allowed.map((a) => a.name)])
  const make = () => remoteKeys({ issuer, uri, options, certificateAuthority, allowed }, tools)
  return tools.carry?.take(name, make) ?? make()
}

function localKeys(entry: IssuerEntry, allowed: readonly Algorithm[], tools: TrustTools): readonly VerificationKey[] {
  if (entry.jwks !== undefined) return keysOfJwks(entry.jwks, allowed)
  if (entry.jwks_file !== undefined) return keysOfJwks(json(entry.jwks_file, tools), allowed)
  if (entry.cose_keys_file !== undefined) {
    const keys = verificationKeysFromCoseKeySet(read(entry.cose_keys_file, tools), allowed)
    if (keys.length === 0) throw wrong('at least one key that verifies with an algorithm of this issuer')
    return keys
  }
  if (entry.spiffe_bundle_file === undefined) return []
  // A bundle without JWT keys is one of a domain that issues certificates only. What has no `use` is for nothing (§4.2.2).
  const keys = bundleEntries(json(entry.spiffe_bundle_file, tools), 'jwt-svid')
  if (keys.some((jwk) => !isMap(jwk) || typeof jwk['kid'] !== 'string')) throw wrong('kid in every jwt-svid key')
  return keys.length > 0 ? keysOfJwks(map([['keys', keys]]), allowed) : []
}

function authoritiesOf(entry: IssuerEntry, tools: TrustTools): Authorities {
  const anchors = [
    ...(entry.certificates === undefined ? [] : certificatesIn(entry.certificates)),
    ...(entry.certificates_file === undefined
      ? []
      : certificatesIn(read(entry.certificates_file, tools).toString('latin1'))),
    ...(entry.spiffe_bundle_file === undefined ? [] : bundleCertificates(json(entry.spiffe_bundle_file, tools))),
  ]
  const intermediates =
    entry.intermediates_file === undefined
      ? []
      : certificatesIn(read(entry.intermediates_file, tools).toString('latin1'))
  if (anchors.length === 0 && intermediates.length > 0) throw wrong('certificates beside `intermediates_file`')
  for (const der of [...anchors, ...intermediates]) {
    if (parseCertificate(der).extensions.basicConstraints?.ca !== true) throw wrong('certificates with CA TRUE')
  }
  return { anchors, intermediates }
}

function certificatesIn(pem: string): readonly Uint8Array[] {
  const certificates = parsePem(pem).filter(({ label }) => label === 'CERTIFICATE')
  if (certificates.length === 0) throw wrong('at least one certificate in PEM')
  return certificates.map(({ der }) => der)
}

/** SPIFFE trust bundle §4.2: `x5c` of the keys for X509-SVIDs. The key members beside it are not trusted, nor read. */
function bundleCertificates(bundle: Value): readonly Uint8Array[] {
  return bundleEntries(bundle, 'x509-svid').map((jwk) => {
    const chain = isMap(jwk) ? jwk['x5c'] : undefined
    const [only, another] = isList(chain) ? chain : []
    const der = typeof only === 'string' && another === undefined ? fromBase64(only) : undefined
    if (der === undefined) throw wrong('x5c with one certificate in every x509-svid key')
    return der
  })
}

function bundleEntries(bundle: Value, use: string): readonly Value[] {
  const keys = isMap(bundle) ? bundle['keys'] : undefined
  if (!isList(keys)) throw wrong('a SPIFFE trust bundle: an object with `keys`')
  return keys.filter((jwk) => isMap(jwk) && jwk['use'] === use)
}

function fixed(keys: readonly VerificationKey[], authorities: Authorities): Anchor {
  const set = keySet(keys)
  return { epoch: 0, keys: (hint) => set.find(hint), authorities: () => authorities }
}

function fetched(remote: RemoteKeys, authorities: Authorities): Anchor {
  return {
    get epoch() {
      return remote.epoch
    },
    keys: (hint: KeyHint, now: number) => remote.find(hint, now),
    authorities: () => authorities,
  }
}

function trusted(
  issuer: string,
  anchor: Anchor,
  options: {
    readonly algorithms: readonly Algorithm[]
    readonly subjects: readonly string[]
    readonly history: boolean
    readonly trustDomain: string | undefined
    readonly has: TrustedIssuer['has']
  },
): TrustedIssuer {
  const { algorithms, subjects, history, trustDomain, has } = options
  return { issuer, trustDomain, anchor, algorithms, asserts: subjectSpace(subjects), history, has }
}

const wrong = (expected: string): DragomanError => new DragomanError('ERR_TRUST_CONFIG', { detail: { expected } })

function read(name: string, tools: TrustTools): Buffer {
  try {
    return tools.readFile(name)
  } catch (cause) {
    throw new DragomanError('ERR_TRUST_CONFIG', { cause, detail: { file: name, expected: 'a file that can be read' } })
  }
}

const json = (name: string, tools: TrustTools): Value => parseJson(read(name, tools), FILE_LIMITS)

/** Puts the issuer's name on what goes wrong with it. */
function named<T>(issuer: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    throw new DragomanError('ERR_TRUST_CONFIG', {
      cause: error,
      detail: { issuer, reason: error.code, ...error.detail },
    })
  }
}
