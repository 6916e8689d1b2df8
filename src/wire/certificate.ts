import { hash } from 'node:crypto'
import type { Algorithm } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { PublicKey } from '../core/keys.ts'
import {
  asBuffer,
  context,
  inside,
  malformed,
  readDer,
  readInteger,
  readOctetBits,
  readSmallInteger,
  readTime,
  tags,
  wholeOf,
} from './der.ts'
import { type Extensions, noExtensions, readExtensions } from './extensions.ts'
import { type Name, readName } from './name.ts'
import { algorithmIdentified } from './signature.ts'
import { publicKeyFromSpki } from './spki.ts'

export { buildCertificate, selfSignedAuthority } from './certificate-build.ts'

// The largest certificates of the field, self-signed ML-DSA-87 ones, have 7.5 KiB.
export const MAX_CERTIFICATE_BYTES = 16 * 1024
// 9999-12-31T23:59:59Z stands for "never" (RFC 5280 §4.1.2.5).
export const NO_EXPIRY = 253402300799

/** A certificate, read and not believed. Octets are views of {@link der}. */
export interface Certificate {
  readonly der: Buffer
  readonly toBeSigned: Buffer
  readonly version: 1 | 2 | 3
  /** Two's complement octets. Positive and at most 20 octets in certificates that conform; not checked here. */
  readonly serialNumber: Buffer
  /** `undefined`: the signature algorithm is none of the table's. */
  readonly algorithm: Algorithm | undefined
  readonly signature: Buffer
  readonly issuer: Name
  readonly subject: Name
  /** Seconds since the epoch, inclusive. */
  readonly notBefore: number
  readonly notAfter: number
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Buffer
  readonly extensions: Extensions
  /** The key, imported when first asked for. @throws {@link DragomanError} `ERR_TOKEN_ALGORITHM`: of another kind */
  readonly publicKey: PublicKey
  /** SHA-256 of the DER, base64url: `x5t#S256` (RFC 8705 §3.1). */
  readonly thumbprint: string
}

/**
 * Reads a certificate (RFC 5280 §4.1), strictly DER, with all extensions that are understood.
 *
 * Checks form: size, nothing after the end, version against what there is, the inner signature algorithm equal to the
 * outer one byte for byte, no extension twice, times in their one form. Does NOT check the signature, times against a
 * clock, nor any rule about who may issue what: path validation does.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_DUPLICATE`, `ERR_TOKEN_TOO_LARGE`
 */
export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) {
    throw new DragomanError('ERR_TOKEN_TOO_LARGE', {
      detail: { expected: `a certificate of at most ${MAX_CERTIFICATE_BYTES} bytes`, actual: bytes.length },
    })
  }
  const outer = inside(readDer(bytes, tags.sequence, 'a certificate'))
  const toBeSigned = outer.take(tags.sequence, 'a tbsCertificate')
  const algorithm = wholeOf(outer.take(tags.sequence, 'a signature algorithm'))
  const signature = readOctetBits(outer.take(tags.bitString, 'a signature'))
  outer.finish('a certificate')

  const fields = inside(toBeSigned)
  const versionField = fields.optional(context(0))
  const version = versionField ? readVersion(inside(versionField)) : 1
  const serialNumber = readInteger(fields.take(tags.integer, 'a serial number'))
  if (!wholeOf(fields.take(tags.sequence, 'a signature algorithm')).equals(algorithm)) {
    throw malformed('the same signature algorithm inside and outside')
  }
  const issuer = readName(fields.take(tags.sequence, 'an issuer'))
  const validity = inside(fields.take(tags.sequence, 'a validity'))
  const notBefore = readTime(validity.next())
  const notAfter = readTime(validity.next())
  validity.finish('a validity')
  const subject = readName(fields.take(tags.sequence, 'a subject'))
  const spki = wholeOf(fields.take(tags.sequence, 'a public key'))
  // Unique identifiers ([1], [2]) are left to fail here: RFC 5280 §4.1.2.8 has nobody make them.
  const extensions = fields.optional(context(3))
  fields.finish('a tbsCertificate without unique identifiers')
  if (extensions && version !== 3) throw malformed('version 3 where there are extensions')

  return new ParsedCertificate({
    der: asBuffer(bytes),
    toBeSigned: wholeOf(toBeSigned),
    version,
    serialNumber,
    algorithm: algorithmIdentified(algorithm),
    signature,
    issuer,
    subject,
    notBefore,
    notAfter,
    spki,
    extensions: extensions ? readWrapped(inside(extensions)) : noExtensions,
  })
}

type Fields = Omit<Certificate, 'publicKey' | 'thumbprint'>

/** A class, since a literal with getters keeps alive what they reach (see core/variables.ts). */
class ParsedCertificate implements Certificate {
  readonly der: Buffer
  readonly toBeSigned: Buffer
  readonly version: 1 | 2 | 3
  readonly serialNumber: Buffer
  readonly algorithm: Algorithm | undefined
  readonly signature: Buffer
  readonly issuer: Name
  readonly subject: Name
  readonly notBefore: number
  readonly notAfter: number
  readonly spki: Buffer
  readonly extensions: Extensions
  #key: PublicKey | undefined
  #thumbprint: string | undefined

  constructor(fields: Fields) {
    this.der = fields.der
    this.toBeSigned = fields.toBeSigned
    this.version = fields.version
    this.serialNumber = fields.serialNumber
    this.algorithm = fields.algorithm
    this.signature = fields.signature
    this.issuer = fields.issuer
    this.subject = fields.subject
    this.notBefore = fields.notBefore
    this.notAfter = fields.notAfter
    this.spki = fields.spki
    this.extensions = fields.extensions
  }

  get publicKey(): PublicKey {
    this.#key ??= publicKeyFromSpki(this.spki)
    return this.#key
  }

  get thumbprint(): string {
    this.#thumbprint ??= hash('sha256', this.der, 'base64url')
    return this.#thumbprint
  }
}

function readVersion(reader: ReturnType<typeof inside>): 2 | 3 {
  const version = readSmallInteger(reader.take(tags.integer, 'a version'))
  reader.finish('a version')
  // Version 1 is the default, which DER leaves out.
  if (version !== 1 && version !== 2) throw malformed('version 1, 2 or 3')
  return version === 1 ? 2 : 3
}

function readWrapped(reader: ReturnType<typeof inside>): Extensions {
  const extensions = readExtensions(reader.take(tags.sequence, 'extensions'))
  reader.finish('extensions')
  return extensions
}

/** A serial number as text: hexadecimal of its octets, lower case. */
export const serialText = ({ serialNumber }: Certificate): string => serialNumber.toString('hex')

/** Whether a certificate carries its own name as issuer. Says nothing about who signed it. */
export const isSelfIssued = ({ issuer, subject }: Certificate): boolean => issuer.der.equals(subject.der)
