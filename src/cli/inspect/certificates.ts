import { type Certificate, parseCertificate, serialText } from '../../wire/certificate.ts'
import { parseCsr } from '../../wire/csr.ts'
import { keyUsages } from '../../wire/extensions.ts'
import { type GeneralName, ipText } from '../../wire/general-name.ts'
import { nameText } from '../../wire/name.ts'
import { instant } from '../time.ts'
import { claimsIn } from './extension.ts'
import { NOT_VERIFIED } from './lines.ts'

/** A certificate in DER. @throws {@link DragomanError} when it is not one */
export function readCertificate(der: Uint8Array, now: number): readonly string[] {
  const certificate = parseCertificate(der)
  const { extensions } = certificate
  return [
    `X.509 certificate, ${NOT_VERIFIED}`,
    line('subject', nameText(certificate.subject) || '(empty)'),
    line('issuer', nameText(certificate.issuer)),
    line('serial', serialText(certificate)),
    line('not before', instant(certificate.notBefore, now)),
    line('not after', instant(certificate.notAfter, now)),
    line('key', keyText(certificate)),
    line('signature', certificate.algorithm?.name ?? 'an algorithm that is not known here'),
    ...extensions.subjectAltNames.map((name) => line('alternative name', altName(name))),
    ...(extensions.basicConstraints?.ca ? [line('authority', 'CA')] : []),
    ...(extensions.keyUsage === undefined ? [] : [line('key usage', usages(extensions.keyUsage))]),
    ...(extensions.extendedKeyUsage ? [line('extended usage', extensions.extendedKeyUsage.join(', '))] : []),
    line('x5t#S256', certificate.thumbprint),
    ...claimsIn(certificate, now),
  ]
}

/** A certification request in DER. @throws {@link DragomanError} when it is not one, or not signed by its own key */
export function readRequest(der: Uint8Array): readonly string[] {
  const request = parseCsr(der)
  return [
    'PKCS#10 certification request, signed by the key in it',
    line('asks to be', nameText(request.subject) || '(empty)'),
    line('key', `${request.algorithm.name}, thumbprint ${request.publicKey.jkt}`),
    ...(request.requestsCa ? [line('asks for', 'a CA certificate, which is never granted')] : []),
    ...request.requestedExtensions.map((oid) => line('asks for', `extension ${oid}`)),
  ]
}

const line = (name: string, value: string): string => `  ${name.padEnd(18)} ${value}`

function keyText(certificate: Certificate): string {
  const { key, jkt } = certificate.publicKey
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  return `${[key.asymmetricKeyType, namedCurve ?? modulusLength].filter(Boolean).join(' ')}, thumbprint ${jkt}`
}

function altName(name: GeneralName): string {
  switch (name.kind) {
    case 'uri':
    case 'dns':
    case 'email':
      return `${name.kind} ${name.text}`
    case 'ip':
      return `ip ${ipText(name.octets)}`
    default:
      return name.kind
  }
}

const usages = (bits: number): string =>
  Object.entries(keyUsages)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name)
    .join(', ')
