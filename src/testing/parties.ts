import { hash, type KeyObject } from 'node:crypto'
import { algorithmNamed } from '../core/algorithms.ts'
import type { Codec } from '../core/codec.ts'
import type { PublicKey, Signer } from '../core/keys.ts'
import { map } from '../core/value.ts'
import { generatePrivateKey } from '../keys/index.ts'
import { fromBase64url } from '../wire/base64url.ts'
import { issue } from './issue.ts'
import { newAuthority, newKey, publicHalf } from './signers.ts'

/** An issuer outside the gateway, with keys made by the harness. */
export interface Party {
  readonly issuer: string
  /** Algorithms of the keys that it has published, the usual one first; one that the gateway does not trust has ES256. */
  readonly algorithms: readonly string[]
  signer(algorithm: string): Signer
  authority(algorithm: string): Promise<Signer>
}

/** Somebody who holds a key. */
export interface Holder {
  readonly privateKey: KeyObject
  readonly publicKey: PublicKey
  /** DER of a certificate for that key, of an authority that nobody trusts: what a TLS handshake shows. */
  certificate(): Promise<Buffer>
}

/** Everybody around the gateway. The same name is the same key, each time it is asked for. */
export interface Parties {
  issuer(name: string): Party
  holder(name: string): Holder
  /** Notes that a holder has a certificate, DER. */
  certified(name: string, certificate: Uint8Array): void
  /** Thumbprints of the certificates that a holder has. */
  certificatesOf(name: string): readonly string[]
}

// Certificates of an authority live as long as the longest token that a case could want.
const AUTHORITY_LIFETIME = 10 * 366 * 86_400

/**
 * Keys are made when they are first asked for.
 *
 * @param published algorithms by the issuers that are trusted; others have ES256
 */
export function newParties(
  clock: number,
  codecs: readonly Codec[],
  published: ReadonlyMap<string, readonly string[]>,
): Parties {
  const issuers = new Map<string, Party>()
  const holders = new Map<string, Holder>()
  const certificates = new Map<string, Set<string>>()
  return {
    issuer: (name) => known(issuers, name, () => newParty(name, published.get(name) ?? ['ES256'], clock)),
    holder: (name) => known(holders, name, () => newHolder(clock, codecs)),
    certified: (name, der) => void known(certificates, name, () => new Set()).add(hash('sha256', der, 'base64url')),
    certificatesOf: (name) => [...(certificates.get(name) ?? [])],
  }
}

function newParty(issuer: string, algorithms: readonly string[], clock: number): Party {
  const signers = new Map<string, Signer>()
  const authorities = new Map<string, Promise<Signer>>()
  const times = { notBefore: clock - AUTHORITY_LIFETIME, notAfter: clock + AUTHORITY_LIFETIME }
  const authority = async (algorithm: string) =>
    (await newAuthority(algorithm, commonNameFor(issuer, algorithm), times)).signer
  return {
    issuer,
    algorithms,
    signer: (algorithm) => known(signers, algorithm, () => newKey(algorithm).signer),
    authority: (algorithm) => known(authorities, algorithm, () => authority(algorithm)),
  }
}

/** Its own for each, and as short as a common name must be. */
const commonNameFor = (issuer: string, algorithm: string): string =>
  `${algorithm} ${hash('sha256', issuer, 'hex').slice(0, 16)}`

function newHolder(clock: number, codecs: readonly Codec[]): Holder {
  const algorithm = algorithmNamed('ES256')
  if (algorithm === undefined) throw new TypeError('ES256 is in the table')
  const privateKey = generatePrivateKey(algorithm)
  const publicKey = publicHalf(privateKey)
  let certificate: Promise<Buffer> | undefined
  return {
    privateKey,
    publicKey,
    certificate() {
      certificate ??= selfMade(publicKey, clock, codecs)
      return certificate
    },
  }
}

async function selfMade(publicKey: PublicKey, clock: number, codecs: readonly Codec[]): Promise<Buffer> {
  const times = { notBefore: clock - 86_400, notAfter: clock + 86_400 }
  const raw = await issue(codecs, {
    format: 'x509',
    kind: 'client',
    issuer: '',
    signer: (await newAuthority('ES256', 'Holders', times)).signer,
    claims: map([['sub', 'urn:example:holder']]),
    validity: { ...NO_VALIDITY, expiresAt: times.notAfter },
    confirmation: { publicKey },
    options: map([
      ['claims_extension', false],
      ['form', 'der'],
    ]),
    now: clock,
  })
  return fromBase64url(raw) ?? Buffer.alloc(0)
}

const NO_VALIDITY = {
  issuedAt: undefined,
  notBefore: undefined,
  expiresAt: undefined,
  audience: [],
  scope: undefined,
} as const

function known<T>(all: Map<string, T>, name: string, make: () => T): T {
  const value = all.get(name) ?? make()
  all.set(name, value)
  return value
}
