import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithmNamed, algorithms, cryptoKey, signSync } from '../../src/core/algorithms.ts'
import type { PublicKey, Signer } from '../../src/core/keys.ts'
import type { TrustedIssuer } from '../../src/core/trust.ts'
import { buildCertificate } from '../../src/wire/certificate.ts'
import { authorityExtensions, positive } from '../../src/wire/certificate-build.ts'
import { namedBits, oid, sequence } from '../../src/wire/der-write.ts'
import { extension, extensionOids, keyUsages, purposes } from '../../src/wire/extensions.ts'
import { generalName } from '../../src/wire/general-name.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { commonName } from '../../src/wire/name.ts'
import { authorityKeyIdentifier, keyIdentifier, spkiOf, subjectKeyIdentifier } from '../../src/wire/spki.ts'

/** Certificates of the tests are valid for an hour around this. */
export const NOW = 1_800_000_000

export interface TestKey {
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  readonly publicKey: PublicKey
  sign(data: Uint8Array): Uint8Array
}

const made = new Map<string, TestKey>()

export function algorithm(name: string): Algorithm {
  const row = algorithmNamed(name)
  if (!row) throw new TypeError(name)
  return row
}

/** A new key for an algorithm of the table. RSA keys, which take long, are made once for each number. */
export function testKey(name = 'ES256', number = 0): TestKey {
  const row = algorithm(name)
  if (row.keyType !== 'rsa') return makeKey(row)
  const known = made.get(`${name} ${number}`) ?? makeKey(row)
  made.set(`${name} ${number}`, known)
  return known
}

function makeKey(row: Algorithm): TestKey {
  const pair = generate(row)
  const form = cryptoKey(row, pair.privateKey)
  return {
    algorithm: row,
    privateKey: pair.privateKey,
    publicKey: publicKey(pair.publicKey),
    sign: (data) => signSync(row, form, data),
  }
}

function generate({ keyType, curve }: Algorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (keyType) {
    case 'ec':
      return generateKeyPairSync('ec', { namedCurve: curve ?? '' })
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ed25519':
      return generateKeyPairSync('ed25519')
    case 'ml-dsa-44':
      return generateKeyPairSync('ml-dsa-44')
    case 'ml-dsa-65':
      return generateKeyPairSync('ml-dsa-65')
    default:
      return generateKeyPairSync('ml-dsa-87')
  }
}

/** Somebody who can sign certificates. */
export interface TestAuthority {
  /** DER of its name. */
  readonly name: Buffer
  readonly key: TestKey
  readonly keyId: Buffer
  readonly certificate: Uint8Array
}

export interface CertificateOptions {
  readonly issuer: TestAuthority
  readonly key?: TestKey | undefined
  readonly subject?: Buffer
  readonly notBefore?: number
  readonly notAfter?: number
  readonly serial?: Uint8Array
  readonly extensions?: readonly Uint8Array[]
}

let serials = 0

/** A certificate with these extensions and nothing else. */
export function certificate({
  issuer,
  key = testKey(),
  subject = sequence(),
  notBefore = NOW - 1800,
  notAfter = NOW + 1800,
  serial = nextSerial(),
  extensions = [],
}: CertificateOptions): Uint8Array {
  const { toBeSigned, finish } = buildCertificate({
    serial,
    issuer: issuer.name,
    subject,
    notBefore,
    notAfter,
    publicKey: key.publicKey,
    algorithm: issuer.key.algorithm,
    extensions,
  })
  return finish(issuer.key.sign(toBeSigned))
}

function nextSerial(): Uint8Array {
  serials += 1
  return positive(Uint8Array.of(0, 0, 0, 0, serials >> 24, serials >> 16, serials >> 8, serials))
}

/** An authority, self-signed or under another. `extensions` replaces those that it would have. */
export function authority(
  text: string,
  options: Partial<CertificateOptions> & { pathLength?: number; more?: readonly Uint8Array[] } = {},
): TestAuthority {
  const key = options.key ?? testKey()
  const name = options.subject ?? commonName(text)
  const keyId = keyIdentifier(spkiOf(key.publicKey))
  const own = { name, key, keyId, certificate: new Uint8Array() }
  const issuer = options.issuer ?? own
  const extensions = options.extensions ?? [
    ...authorityExtensions(keyId, issuer.keyId, options.pathLength),
    ...(options.more ?? []),
  ]
  return { ...own, certificate: certificate({ ...options, issuer, key, subject: name, extensions }) }
}

/** The extensions that a good leaf has, by what they are for; a test replaces or leaves out the one it is about. */
export function leafExtensions(issuer: TestAuthority, key: TestKey, names: readonly Uint8Array[]) {
  return {
    keyUsage: extension(extensionOids.keyUsage, true, namedBits(keyUsages.digitalSignature)),
    extendedKeyUsage: usages(purposes.serverAuth, purposes.clientAuth),
    basicConstraints: extension(extensionOids.basicConstraints, true, sequence()),
    subjectKeyId: extension(
      extensionOids.subjectKeyIdentifier,
      false,
      subjectKeyIdentifier(keyIdentifier(spkiOf(key.publicKey))),
    ),
    authorityKeyId: extension(extensionOids.authorityKeyIdentifier, false, authorityKeyIdentifier(issuer.keyId)),
    altNames: altNames(true, ...names),
  }
}

export type LeafExtensions = ReturnType<typeof leafExtensions>

export const altNames = (critical: boolean, ...names: readonly Uint8Array[]): Buffer =>
  extension(extensionOids.subjectAltName, critical, sequence(...names))

export const usages = (...oids: readonly string[]): Buffer =>
  extension(extensionOids.extendedKeyUsage, false, sequence(...oids.map(oid)))

export const uri = (text: string): Buffer => generalName('uri', text)

export const SPIFFE_ID = 'spiffe://cluster.example/ns/orders/sa/web'

/** A leaf that a gateway takes, unless options say otherwise. `replace` with `undefined` leaves an extension out. */
export function leaf(
  issuer: TestAuthority,
  {
    names = [uri(SPIFFE_ID)],
    replace = {},
    more = [],
    ...options
  }: Partial<CertificateOptions> & {
    names?: readonly Uint8Array[]
    replace?: { readonly [K in keyof LeafExtensions]?: Buffer | undefined }
    more?: readonly Uint8Array[]
  } = {},
): { readonly certificate: Uint8Array; readonly key: TestKey } {
  const key = options.key ?? testKey()
  const extensions = Object.values({ ...leafExtensions(issuer, key, names), ...replace }).filter(
    (value) => value !== undefined,
  )
  return { key, certificate: certificate({ extensions: [...extensions, ...more], ...options, issuer, key }) }
}

/** A trusted issuer with these anchors. */
export function trustedIssuer(
  anchors: readonly Uint8Array[],
  {
    intermediates = [],
    ...rest
  }: Partial<Omit<TrustedIssuer, 'anchor'>> & { intermediates?: readonly Uint8Array[] } = {},
): TrustedIssuer {
  const authorities = { anchors, intermediates }
  return {
    issuer: 'https://cluster.example',
    trustDomain: 'cluster.example',
    anchor: { keys: () => [], authorities: () => authorities, epoch: 0 },
    algorithms,
    asserts: () => true,
    history: true,
    has: { keys: false, certificates: true },
    ...rest,
  }
}

/** A signer as a key store gives one. */
export const signerOf = (issuer: TestAuthority, ...above: readonly TestAuthority[]): Signer => ({
  kid: 'ca',
  algorithm: issuer.key.algorithm,
  publicKey: issuer.key.publicKey,
  chain: [issuer, ...above].map((one) => one.certificate),
  sign: (data) => issuer.key.sign(data),
})
