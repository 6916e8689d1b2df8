import { randomBytes } from 'node:crypto'
import type { PublicKey, Signer } from '../core/keys.ts'
import { tokenTypes } from '../core/types.ts'
import { toBase64, toBase64url } from '../wire/base64url.ts'
import { buildCertificate, parseCertificate } from '../wire/certificate.ts'
import { positive } from '../wire/certificate-build.ts'
import { namedBits, oid, sequence } from '../wire/der-write.ts'
import { extension, extensionOids, keyUsages, purposes } from '../wire/extensions.ts'
import { generalName } from '../wire/general-name.ts'
import { commonName } from '../wire/name.ts'
import { pem } from '../wire/pem.ts'
import { authorityKeyIdentifier, keyIdentifier, spkiOf, subjectKeyIdentifier } from '../wire/spki.ts'

/** A certificate such as the gateway itself would not write. */
export interface CertificateWanted {
  readonly signer: Signer
  readonly publicKey: PublicKey
  readonly subject: string
  /** Where the subject stands, as `subject_from` of a profile says it. */
  readonly from: string
  /** Extended key usages by name or OID; none: the certificate does not say what it is for. */
  readonly usages: readonly string[]
  /** Seconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
  /** The type under which it is presented. */
  readonly type: string
}

const USAGES: { readonly [name: string]: string } = {
  client_auth: purposes.clientAuth,
  server_auth: purposes.serverAuth,
}

const ALTERNATIVE: { readonly [from: string]: 'uri' | 'dns' | 'email' } = {
  san_uri: 'uri',
  san_dns: 'dns',
  san_email: 'email',
}

/** Issues one end-entity certificate (RFC 5280 §4), in the form of its type: also one without extended key usage. */
export async function issueCertificate(wanted: CertificateWanted): Promise<string> {
  const { signer, publicKey, subject, from, usages, type } = wanted
  const [own] = signer.chain
  if (own === undefined) throw new TypeError('a signer with a certificate of its own')
  const authority = parseCertificate(own)
  const spki = spkiOf(publicKey)
  const kind = ALTERNATIVE[from]
  const { toBeSigned, finish } = buildCertificate({
    serial: positive(randomBytes(16)),
    issuer: authority.subject.der,
    subject: kind === undefined ? commonName(subject) : sequence(),
    notBefore: wanted.notBefore,
    notAfter: wanted.notAfter,
    publicKey: spki,
    algorithm: signer.algorithm,
    extensions: [
      extension(extensionOids.keyUsage, true, namedBits(keyUsages.digitalSignature)),
      extension(extensionOids.basicConstraints, true, sequence()),
      extension(extensionOids.subjectKeyIdentifier, false, subjectKeyIdentifier(keyIdentifier(spki))),
      extension(
        extensionOids.authorityKeyIdentifier,
        false,
        authorityKeyIdentifier(authority.extensions.subjectKeyId ?? keyIdentifier(authority.spki)),
      ),
      ...(kind === undefined
        ? []
        : [extension(extensionOids.subjectAltName, true, sequence(generalName(kind, subject)))]),
      ...(usages.length === 0
        ? []
        : [
            extension(
              extensionOids.extendedKeyUsage,
              false,
              sequence(...usages.map((usage) => oid(USAGES[usage] ?? usage))),
            ),
          ]),
    ],
  })
  const der = finish(await signer.sign(toBeSigned))
  if (type === tokenTypes.x509) return pem('CERTIFICATE', der)
  return type === tokenTypes.x509Der ? toBase64url(der) : JSON.stringify([toBase64(der)])
}
