import { DragomanError } from '../../core/errors.ts'
import { map, type ValueMap } from '../../core/value.ts'
import { type Certificate, serialText } from '../../wire/certificate.ts'
import { ipText } from '../../wire/general-name.ts'
import { COMMON_NAME, nameText, valuesOf } from '../../wire/name.ts'

const textsOf = ({ extensions }: Certificate, kind: 'uri' | 'dns' | 'email'): readonly string[] =>
  extensions.subjectAltNames.flatMap((name) => (name.kind === kind ? [name.text] : []))

export const urisOf = (certificate: Certificate): readonly string[] => textsOf(certificate, 'uri')

const ipsOf = ({ extensions }: Certificate): readonly string[] =>
  extensions.subjectAltNames.flatMap((name) => (name.kind === 'ip' ? [ipText(name.octets)] : []))

/** Which name of a certificate becomes `sub`: the values of `subject_from`. */
const SUBJECTS: { readonly [from: string]: (certificate: Certificate) => readonly string[] } = {
  san_uri: urisOf,
  san_dns: (certificate) => textsOf(certificate, 'dns'),
  san_email: (certificate) => textsOf(certificate, 'email'),
  san_ip: ipsOf,
  subject_cn: ({ subject }) => valuesOf(subject, COMMON_NAME),
  subject_dn: ({ subject }) => (subject.parts.length === 0 ? [] : [nameText(subject)]),
}

/**
 * The subject that a profile selects. The first of several is not taken: readers disagree about which one is first.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_SUBJECT` when there is none, it is blank, or there is more than one
 */
export function subjectOf(certificate: Certificate, from: string): string {
  const [subject, ...more] = Object.hasOwn(SUBJECTS, from) ? (SUBJECTS[from]?.(certificate) ?? []) : []
  if (subject === undefined || subject.trim() === '' || more.length > 0) {
    throw new DragomanError('ERR_TOKEN_SUBJECT', {
      detail: {
        rule: 'subject_from',
        expected: `exactly one ${from}`,
        actual: subject === undefined ? 0 : more.length + 1,
      },
    })
  }
  return subject
}

/** The claim `x509`: what the certificate says natively, for conditions and mappings. */
export const x509Claim = (certificate: Certificate, purposes: readonly string[] | undefined): ValueMap =>
  map([
    ['subject', nameText(certificate.subject)],
    ['issuer', nameText(certificate.issuer)],
    ['serial', serialText(certificate)],
    ['dns', textsOf(certificate, 'dns')],
    ['uris', urisOf(certificate)],
    ['emails', textsOf(certificate, 'email')],
    ['ips', ipsOf(certificate)],
    ['extended_key_usage', purposes ?? []],
    ['policies', certificate.extensions.policies],
  ])
