import { createPublicKey, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithmsFor, cryptoKey, fits, signSync } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { PublicKey } from '../core/keys.ts'
import {
  context,
  type Der,
  inside,
  listOf,
  malformed,
  readDer,
  readOctetBits,
  readOid,
  readSmallInteger,
  tags,
  wholeOf,
} from './der.ts'
import { der, octetBits, oid, sequence, setOf, smallInteger } from './der-write.ts'
import { readExtensions } from './extensions.ts'
import { publicKey } from './jwk.ts'
import { commonName, type Name, readName } from './name.ts'
import { algorithmIdentified, signatureIdentifier, toX509Signature, verifyX509Signature } from './signature.ts'
import { publicKeyFromSpki, spkiOf } from './spki.ts'

// A request for an ML-DSA-87 key has 7.5 KiB.
export const MAX_CSR_BYTES = 16 * 1024

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/** A certification request whose signature is its key's own: that much is proved, and nothing about who asks. */
export interface CertificationRequest {
  readonly publicKey: PublicKey
  readonly algorithm: Algorithm
  /** What it asks to be called. A wish: nothing may be taken from it into a certificate. */
  readonly subject: Name
  /** It asks for basic constraints with cA TRUE. */
  readonly requestsCa: boolean
  /** OIDs of the extensions that it asks for. */
  readonly requestedExtensions: readonly string[]
}

/**
 * Reads a PKCS#10 request (RFC 2986) and checks that it is signed by the key inside it.
 *
 * Checks: strict DER, size, version 0, a key of an accepted kind and size, a signature algorithm that fits the key, the
 * signature. Does NOT refuse a request for a CA certificate: {@link CertificationRequest.requestsCa} says so. A request
 * has no nonce, so it can be presented again and again by whoever has seen it.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_CSR`
 */
export function parseCsr(bytes: Uint8Array): CertificationRequest {
  try {
    return read(bytes)
  } catch (cause) {
    if (!(cause instanceof DragomanError) || cause.code === 'ERR_REQUEST_CSR') throw cause
    throw new DragomanError('ERR_REQUEST_CSR', { cause, detail: { ...cause.detail, check: cause.code } })
  }
}

const refuse = (expected: string) => new DragomanError('ERR_REQUEST_CSR', { detail: { expected } })

function read(bytes: Uint8Array): CertificationRequest {
  if (bytes.length > MAX_CSR_BYTES) throw refuse(`at most ${MAX_CSR_BYTES} bytes`)
  const outer = inside(readDer(bytes, tags.sequence, 'a certification request'))
  const info = outer.take(tags.sequence, 'a certificationRequestInfo')
  const algorithm = algorithmIdentified(wholeOf(outer.take(tags.sequence, 'a signature algorithm')))
  const signature = readOctetBits(outer.take(tags.bitString, 'a signature'))
  outer.finish('a certification request')

  const fields = inside(info)
  if (readSmallInteger(fields.take(tags.integer, 'a version')) !== 0) throw refuse('version 0')
  const subject = readName(fields.take(tags.sequence, 'a subject'))
  const publicKey = publicKeyFromSpki(wholeOf(fields.take(tags.sequence, 'a public key')))
  const attributes = readAttributes(fields.take(context(0), 'attributes'))
  fields.finish('attributes')

  if (!algorithm) throw refuse('a signature algorithm that is in use')
  if (!fits(algorithm, publicKey.key)) throw refuse('a signature algorithm that fits a key of accepted size')
  if (!verifyX509Signature(algorithm, cryptoKey(algorithm, publicKey.key), wholeOf(info), signature)) {
    throw refuse('a signature by the key in the request')
  }
  const wanted = attributes.get(EXTENSION_REQUEST)
  const extensions = wanted && readExtensions(single(wanted))
  return {
    publicKey,
    algorithm,
    subject,
    requestsCa: extensions?.basicConstraints?.ca === true,
    requestedExtensions: [...(extensions?.all.keys() ?? [])],
  }
}

/** Attributes by type. Values are looked at only where something is asked of them: a challenge password is not. */
function readAttributes(element: Der): ReadonlyMap<string, Der> {
  const attributes = new Map<string, Der>()
  const reader = inside(element)
  while (!reader.done) {
    const fields = inside(reader.take(tags.sequence, 'an attribute'))
    const type = readOid(fields.take(tags.oid, 'the type of an attribute'))
    if (attributes.has(type)) throw refuse('each attribute once')
    attributes.set(type, fields.take(tags.set, 'the values of an attribute'))
    fields.finish('an attribute')
  }
  return attributes
}

function single(values: Der): Der {
  const [value, ...more] = listOf(values, 'the values of an attribute')
  if (!value || more.length > 0 || value.tag !== tags.sequence) throw malformed('one list of extensions', values.start)
  return value
}

/** A PKCS#10 request in DER, signed on the calling thread. For the development command and for tests. */
export function buildCsr({
  privateKey,
  algorithm = algorithmsFor(privateKey)[0],
  subject = commonName('request'),
  extensions = [],
}: {
  readonly privateKey: KeyObject
  /** Default: the first in the table that fits the key. */
  readonly algorithm?: Algorithm | undefined
  /** DER name. */
  readonly subject?: Uint8Array
  /** DER of each extension asked for. */
  readonly extensions?: readonly Uint8Array[]
}): Buffer {
  if (!algorithm) throw new TypeError('a private key that an algorithm of the table fits')
  const wanted = extensions.length > 0 ? [sequence(oid(EXTENSION_REQUEST), setOf(sequence(...extensions)))] : []
  const spki = spkiOf(publicKey(createPublicKey(privateKey)))
  const info = sequence(smallInteger(0), subject, spki, der(context(0), ...wanted))
  const signature = signSync(algorithm, cryptoKey(algorithm, privateKey), info)
  return sequence(info, signatureIdentifier(algorithm), octetBits(toX509Signature(algorithm, signature)))
}
