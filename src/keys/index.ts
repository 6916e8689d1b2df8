import { createPublicKey, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithmNamed } from '../core/algorithms.ts'
import type { Carry } from '../core/carry.ts'
import { DragomanError } from '../core/errors.ts'
import type { KeyStore, Signer } from '../core/keys.ts'
import { type Certificate, parseCertificate, selfSignedAuthority } from '../wire/certificate.ts'
import { publicKey } from '../wire/jwk.ts'
import { parsePem } from '../wire/pem.ts'
import { spkiOf } from '../wire/spki.ts'
import type { KeyOptions } from './options.ts'
import { generatePrivateKey, readPrivateKey } from './private-key.ts'
import { type Pool, signerOf, signingPool } from './signer.ts'

export { type KeyEntry, type KeyOptions, keyOptions, keySchema } from './options.ts'
export { generatePrivateKey } from './private-key.ts'
export { signerOf, signingPool } from './signer.ts'

// A certificate that starts now is not yet valid for whoever's clock is behind.
const BACKDATED_SECONDS = 60

export interface KeyStoreTools {
  readFile(name: string): string
  /** Seconds since the epoch. */
  readonly now: number
  /** What outlives a reload; without one everything is made anew. */
  readonly carry?: Carry | undefined
}

/**
 * The keys of one tenant, from files or made at start, in this process's memory.
 *
 * Checks each key against its algorithm, its certificate against the key, that names and key ids are unique, and that no
 * key is used with two algorithms (RFC 8725 §3.1). Does NOT check certificates beyond the first: issuing with them does.
 *
 * @throws {@link DragomanError} `ERR_KEY_CONFIG`
 */
export async function createKeyStore(options: readonly KeyOptions[], tools: KeyStoreTools): Promise<KeyStore> {
  const pool = signingPool()
  const signers = new Map<string, Signer>()
  const kids = new Set<string>()
  const algorithms = new Map<string, Algorithm>()
  for (const option of options) {
    const signer = await load(option, tools, pool)
    if (signers.has(option.name)) throw wrong(option, 'a name of its own')
    if (kids.has(signer.kid)) throw wrong(option, 'a key id of its own')
    const { jkt } = signer.publicKey
    if ((algorithms.get(jkt) ?? signer.algorithm) !== signer.algorithm) throw wrong(option, 'one algorithm for one key')
    algorithms.set(jkt, signer.algorithm)
    signers.set(option.name, signer)
    kids.add(signer.kid)
  }
  const all = Object.freeze([...signers.values()])
  return { name: 'memory', signer: (name) => signers.get(name), all: () => all }
}

const wrong = ({ name }: KeyOptions, expected: string, cause?: unknown) =>
  new DragomanError('ERR_KEY_CONFIG', { detail: { key: name, expected }, cause })

async function load(option: KeyOptions, tools: KeyStoreTools, pool: Pool): Promise<Signer> {
  const algorithm = algorithmNamed(option.algorithm)
  if (algorithm === undefined) throw wrong(option, 'an algorithm of the table')
  if ((option.file !== undefined) === option.generate) throw wrong(option, 'either a file or generate')
  if (option.certificates !== undefined && option.selfSigned !== undefined) {
    throw wrong(option, 'either certificates or self_signed')
  }
  const make = () => materialOf(option, algorithm, tools)
  // A key made at start is nowhere but here: made anew, it would leave every token that it signed without a key.
  const { key, chain } = await (option.generate
    ? (tools.carry?.take(JSON.stringify(['key', option]), make) ?? make())
    : make())
  return signerOf(key, algorithm, { kid: option.kid, chain, pool })
}

/** A private key, and the certificates above it: what a signer is made of. */
interface Material {
  readonly key: KeyObject
  readonly chain: readonly Uint8Array[]
}

async function materialOf(option: KeyOptions, algorithm: Algorithm, tools: KeyStoreTools): Promise<Material> {
  const { file, kid, certificates, selfSigned } = option
  const key =
    file === undefined
      ? generatePrivateKey(algorithm)
      : readPrivateKey(readText(option, file, tools), algorithm, option.name)
  if (certificates !== undefined) return { key, chain: chainOf(option, readText(option, certificates, tools), key) }
  if (selfSigned === undefined) return { key, chain: [] }
  const signer = signerOf(key, algorithm, { kid, chain: [], pool: signingPool() })
  return { key, chain: [await selfSignedFor(option, selfSigned, signer, tools)] }
}

async function selfSignedFor(
  option: KeyOptions,
  { commonName, lifetime }: { readonly commonName: string; readonly lifetime: number },
  signer: Signer,
  { now }: KeyStoreTools,
): Promise<Uint8Array> {
  try {
    const notBefore = Math.floor(now) - BACKDATED_SECONDS
    return await selfSignedAuthority({ signer, commonName, notBefore, notAfter: Math.floor(now) + lifetime })
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw wrong(option, 'a common name of 1 to 64 characters, and a lifetime that ends before the year 10000', cause)
  }
}

function chainOf(option: KeyOptions, text: string, key: KeyObject): readonly Uint8Array[] {
  const chain = certificatesIn(option, text)
  const [own] = chain
  if (own === undefined) throw wrong(option, 'a PEM file with the certificate of this key')
  // Compared as they are encoded: a key of a kind that is not accepted is somebody else's in any case.
  if (!own.spki.equals(spkiOf(publicKey(createPublicKey(key))))) {
    throw wrong(option, 'the certificate of this key as the first of the file')
  }
  if (own.extensions.basicConstraints?.ca !== true) throw wrong(option, 'a certificate with CA TRUE')
  return chain.map(({ der }) => der)
}

function certificatesIn(option: KeyOptions, text: string): readonly Certificate[] {
  try {
    return parsePem(text)
      .filter(({ label }) => label === 'CERTIFICATE')
      .map(({ der }) => parseCertificate(der))
  } catch (cause) {
    throw wrong(option, 'a PEM file of certificates, each in strict DER', cause)
  }
}

function readText(option: KeyOptions, file: string, tools: KeyStoreTools): string {
  try {
    return tools.readFile(file)
  } catch (cause) {
    throw new DragomanError('ERR_KEY_CONFIG', {
      cause,
      detail: { key: option.name, file, expected: 'a file that can be read' },
    })
  }
}
