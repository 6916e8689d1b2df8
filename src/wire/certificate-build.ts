import { hash } from 'node:crypto'
import type { Algorithm } from '../core/algorithms.ts'
import type { PublicKey, Signer } from '../core/keys.ts'
import { context } from './der.ts'
import { boolean, der, namedBits, octetBits, sequence, smallInteger, time, unsignedInteger } from './der-write.ts'
import { extension, extensionOids, keyUsages } from './extensions.ts'
import { commonName } from './name.ts'
import { signatureIdentifier, toX509Signature } from './signature.ts'
import { authorityKeyIdentifier, keyIdentifier, spkiOf, subjectKeyIdentifier } from './spki.ts'

/** What a certificate will say. */
export interface CertificateContent {
  /** Unsigned octets. At most 20, the first bit clear when there are 20 (RFC 5280 §4.1.2.2). */
  readonly serial: Uint8Array
  /** DER names. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** Whole seconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
  /** The key, or its SubjectPublicKeyInfo as `spkiOf` wrote it: never as somebody sent it. */
  readonly publicKey: PublicKey | Uint8Array
  /** DER of each extension, in the order in which they are written. */
  readonly extensions: readonly Uint8Array[]
  readonly algorithm: Algorithm
}

const VERSION_3 = der(context(0), smallInteger(2))

/**
 * Lays out a version 3 certificate (RFC 5280 §4.1): what is to be signed, and a function that puts the signature to it.
 *
 * `finish` takes the JOSE form of the signature. Does NOT check that the content makes sense.
 */
export function buildCertificate(content: CertificateContent): {
  toBeSigned: Uint8Array
  finish(signature: Uint8Array): Uint8Array
} {
  const algorithm = signatureIdentifier(content.algorithm)
  const toBeSigned = sequence(
    VERSION_3,
    unsignedInteger(content.serial),
    algorithm,
    content.issuer,
    sequence(time(content.notBefore), time(content.notAfter)),
    content.subject,
    content.publicKey instanceof Uint8Array ? content.publicKey : spkiOf(content.publicKey),
    ...(content.extensions.length > 0 ? [der(context(3), sequence(...content.extensions))] : []),
  )
  return {
    toBeSigned,
    finish: (signature) => sequence(toBeSigned, algorithm, octetBits(toX509Signature(content.algorithm, signature))),
  }
}

// RFC 5280 appendix A: ub-common-name.
const MAX_COMMON_NAME = 64

/**
 * A self-signed certificate for an issuing authority, in DER.
 *
 * The serial number is a digest of key and validity: unique for them, and no randomness is needed where nobody but the
 * operator chooses what is signed. Resolves at once where the signer signs at once.
 *
 * @throws TypeError for a common name that is empty or longer than 64 characters, or times that cannot be written
 */
export function selfSignedAuthority({
  signer,
  commonName: name,
  notBefore,
  notAfter,
  pathLength,
}: {
  readonly signer: Pick<Signer, 'algorithm' | 'sign' | 'publicKey'>
  readonly commonName: string
  readonly notBefore: number
  readonly notAfter: number
  /** How many authorities may stand between this one and an end entity; default none. */
  readonly pathLength?: number | undefined
}): Uint8Array | Promise<Uint8Array> {
  const length = [...name].length
  if (length === 0 || length > MAX_COMMON_NAME)
    throw new TypeError(`a common name of 1 to ${MAX_COMMON_NAME} characters`)
  const spki = spkiOf(signer.publicKey)
  const serial = hash('sha256', Buffer.concat([spki, time(notBefore), time(notAfter)]), 'buffer').subarray(0, 16)
  const id = keyIdentifier(spki)
  const subject = commonName(name)
  const { toBeSigned, finish } = buildCertificate({
    serial: positive(serial),
    issuer: subject,
    subject,
    notBefore,
    notAfter,
    publicKey: spki,
    algorithm: signer.algorithm,
    extensions: authorityExtensions(id, id, pathLength ?? 0),
  })
  const signature = signer.sign(toBeSigned)
  return signature instanceof Uint8Array ? finish(signature) : signature.then(finish)
}

/** The extensions of an issuing authority's certificate. */
export const authorityExtensions = (subjectKey: Uint8Array, issuerKey: Uint8Array, pathLength: number | undefined) => [
  extension(
    extensionOids.basicConstraints,
    true,
    pathLength === undefined ? sequence(boolean(true)) : sequence(boolean(true), smallInteger(pathLength)),
  ),
  extension(extensionOids.keyUsage, true, namedBits(keyUsages.keyCertSign | keyUsages.cRLSign)),
  extension(extensionOids.subjectKeyIdentifier, false, subjectKeyIdentifier(subjectKey)),
  extension(extensionOids.authorityKeyIdentifier, false, authorityKeyIdentifier(issuerKey)),
]

/** A serial number of 16 octets made positive and of full length: the first octet from 40 to 7f. */
export function positive(octets: Uint8Array): Uint8Array {
  const serial = Uint8Array.from(octets)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  return serial
}
