import { createPublicKey, type KeyObject } from 'node:crypto'
import { algorithmNamed } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { KeyStore, Signer } from '../core/keys.ts'
import { parseCertificate, selfSignedAuthority } from '../wire/certificate.ts'
import { publicKey, sameKey } from '../wire/jwk.ts'
import { parsePem } from '../wire/pem.ts'
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
}

/**
 * The keys of one tenant, from files or made at start, in this process's memory.
 *
 * Checks each key against its algorithm, its certificate against the key, and that names and key ids are unique.
 *
 * @throws {@link DragomanError} `ERR_KEY_CONFIG`
 */
export async function createKeyStore(options: readonly KeyOptions[], tools: KeyStoreTools): Promise<KeyStore> {
  const pool = signingPool()
  const signers = new Map<string, Signer>()
  const kids = new Set<string>()
  for (const option of options) {
    const signer = await load(option, tools, pool)
    if (signers.has(option.name)) throw wrong(option, 'a name of its own')
    if (kids.has(signer.kid)) throw wrong(option, 'a key id of its own')
    signers.set(option.name, signer)
    kids.add(signer.kid)
  }
  const all = Object.freeze([...signers.values()])
  return { name: 'memory', signer: (name) => signers.get(name), all: () => all }
}

const wrong = ({ name }: KeyOptions, expected: string) =>
  new DragomanError('ERR_KEY_CONFIG', { detail: { key: name, expected } })

async function load(option: KeyOptions, tools: KeyStoreTools, pool: Pool): Promise<Signer> {
  const algorithm = algorithmNamed(option.algorithm)
  if (algorithm === undefined) throw wrong(option, 'an algorithm of the table')
  const key =
    option.file === undefined
      ? generatePrivateKey(algorithm)
      : readPrivateKey(readText(option, option.file, tools), algorithm, option.name)
  const { kid, certificates, selfSigned } = option
  if (certificates !== undefined) {
    return signerOf(key, algorithm, { kid, chain: chainOf(option, readText(option, certificates, tools), key), pool })
  }
  const signer = signerOf(key, algorithm, { kid, chain: [], pool })
  if (selfSigned === undefined) return signer
  const certificate = await selfSignedAuthority({
    signer,
    commonName: selfSigned.commonName,
    notBefore: tools.now - BACKDATED_SECONDS,
    notAfter: tools.now + selfSigned.lifetime,
  })
  return signerOf(key, algorithm, { kid, chain: [certificate], pool })
}

function chainOf(option: KeyOptions, text: string, key: KeyObject): readonly Uint8Array[] {
  const chain = parsePem(text)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ der }) => parseCertificate(der))
  const [own] = chain
  if (own === undefined) throw wrong(option, 'a PEM file with the certificate of this key')
  if (!sameKey(own.publicKey, publicKey(createPublicKey(key)))) {
    throw wrong(option, 'the certificate of this key as the first of the file')
  }
  if (own.extensions.basicConstraints?.ca !== true) throw wrong(option, 'a certificate with CA TRUE')
  return chain.map(({ der }) => der)
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
