import { cryptoKey, fits } from '../../core/algorithms.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Signer } from '../../core/keys.ts'
import { type Certificate, isSelfIssued, parseCertificate } from '../../wire/certificate.ts'
import { extension, extensionOids, type NameConstraints, purposes } from '../../wire/extensions.ts'
import { verifyX509Signature } from '../../wire/signature.ts'
import { authorityKeyIdentifier, spkiOf } from '../../wire/spki.ts'
import { identifies, issuerProblem, nonconformity } from './rules.ts'

/** An issuing authority, with everything that it puts into each certificate ready. */
export interface Authority {
  /** DER of its name. */
  readonly name: Buffer
  /** DER of the authority key identifier extension. */
  readonly keyIdentifier: Buffer
  /** Keys of the authorities of its chain: nobody else may be certified for one of them. */
  readonly keys: readonly Buffer[]
  /** Seconds since the epoch, of the whole chain. */
  readonly notBefore: number
  readonly notAfter: number
  /** DER of the certificates that go with a leaf: its own and those above, without a root. */
  readonly intermediates: readonly Buffer[]
  readonly constraints: readonly NameConstraints[]
  /** Whether every certificate of the chain leaves a certificate below it this purpose. */
  allows(purpose: string): boolean
}

const wrong = (expected: string, cause?: unknown) =>
  new DragomanError('ERR_KEY_CONFIG', { detail: { expected }, cause })

/**
 * The authority that a signer's certificates make it.
 *
 * Checks: that there are certificates, in order, each signed by the next; the first is that of the signer's own key,
 * and may issue (RFC 5280 §4.2.1.3, §4.2.1.9). Does NOT look at the time: what is issued ends with
 * {@link Authority.notAfter}.
 *
 * @throws {@link DragomanError} `ERR_KEY_CONFIG`
 */
export function authorityOf(signer: Signer): Authority {
  const [own, ...above] = signer.chain.map(readOwn)
  if (!own) throw wrong('a key with the certificate of an issuing authority: `certificates` or `self_signed`')
  if (!own.spki.equals(spkiOf(signer.publicKey))) throw wrong('a first certificate that is that of the key')
  const chain = [own, ...above]
  chain.forEach((certificate, at) => {
    const problem = issuerProblem(certificate, at) ?? nonconformity(certificate, 'anchor')
    if (problem) throw wrong(problem.expected)
    const issuer = chain[at + 1]
    if (issuer && !isSignedBy(certificate, issuer)) throw wrong('certificates in order, each signed by the next')
  })
  const { subjectKeyId } = own.extensions
  if (!subjectKeyId) throw wrong('a subject key identifier')
  return {
    name: own.subject.der,
    keyIdentifier: extension(extensionOids.authorityKeyIdentifier, false, authorityKeyIdentifier(subjectKeyId)),
    keys: chain.map(({ spki }) => spki),
    notBefore: Math.max(...chain.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...chain.map(({ notAfter }) => notAfter)),
    intermediates: chain.filter((certificate) => !isSelfIssued(certificate)).map(({ der }) => der),
    constraints: chain.flatMap(({ extensions }) => extensions.nameConstraints ?? []),
    allows: (purpose) =>
      chain.every(
        ({ extensions: { extendedKeyUsage: own } }) => !own || own.includes(purpose) || own.includes(purposes.any),
      ),
  }
}

function readOwn(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    throw wrong('certificates in strict DER', cause)
  }
}

function isSignedBy(subject: Certificate, issuer: Certificate): boolean {
  const { algorithm } = subject
  if (!algorithm || !subject.issuer.der.equals(issuer.subject.der) || !identifies(subject, issuer)) return false
  const { key } = issuer.publicKey
  return (
    fits(algorithm, key) &&
    verifyX509Signature(algorithm, cryptoKey(algorithm, key), subject.toBeSigned, subject.signature)
  )
}
