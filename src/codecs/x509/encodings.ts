import { DragomanError } from '../../core/errors.ts'
import { isList, isMap, type Value, type ValueMap } from '../../core/value.ts'
import { oid } from '../../wire/der-write.ts'
import { purposes } from '../../wire/extensions.ts'
import { CLAIMS_EXTENSION, type ClaimsFormat } from './claims.ts'

/** Extended key usages by name. */
const USAGES: ReadonlyMap<string, string> = new Map([
  ['client_auth', purposes.clientAuth],
  ['server_auth', purposes.serverAuth],
])

const FORMS = ['pem', 'der', 'json'] as const
const SUBJECTS = ['san_uri', 'san_dns', 'san_email'] as const
const CLAIMS_FORMATS = ['cbor', 'json'] as const

const OID_PATTERN = '^[0-2](\\.(0|[1-9][0-9]*))+$'
const claimsDefault = { oid: CLAIMS_EXTENSION, format: 'cbor', critical: false } as const

/** JSON Schema of what the `encoding` stage may set for a certificate. */
export const encodings = {
  form: {
    type: 'string',
    enum: FORMS,
    default: 'pem',
    description:
      'How the certificate is handed out: `pem`, with the intermediates that lead to the root; `json`, the same as a JSON array of base64; `der`, the certificate alone as base64url.',
  },
  claims_extension: {
    description:
      'The extension that carries what a certificate has no field for: audience, scope, act and every other claim. `false`: they are lost.',
    default: claimsDefault,
    anyOf: [
      { const: false },
      {
        type: 'object',
        additionalProperties: false,
        properties: {
          oid: { type: 'string', pattern: OID_PATTERN, default: claimsDefault.oid, description: 'Its OID.' },
          format: {
            type: 'string',
            enum: CLAIMS_FORMATS,
            default: claimsDefault.format,
            description: 'What is in it.',
          },
          critical: {
            type: 'boolean',
            default: claimsDefault.critical,
            description: 'Readers that do not know it refuse the certificate, as most TLS libraries then do.',
          },
        },
      },
    ],
  },
  subject_as: {
    type: 'string',
    enum: SUBJECTS,
    default: 'san_uri',
    description: 'Which kind of name the subject becomes.',
  },
  san_template: {
    type: 'string',
    pattern: '^[^{}]*\\{sub\\}[^{}]*$',
    description:
      'A URI with `{sub}` in it, which stands for the subject, percent-encoded: for subjects that are no URI themselves.',
  },
  extended_key_usage: {
    type: 'array',
    minItems: 1,
    uniqueItems: true,
    items: { type: 'string' },
    description: '`client_auth`, `server_auth` or OIDs. Default: that of the kind.',
  },
} as const

/** Purposes of each kind where a profile does not say. */
const KINDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['client', [purposes.clientAuth]],
  ['server', [purposes.serverAuth]],
  ['x509-svid', [purposes.serverAuth, purposes.clientAuth]],
])

export interface Encoding {
  readonly form: (typeof FORMS)[number]
  /** `undefined`: no claims extension. */
  readonly claims: { readonly oid: string; readonly format: ClaimsFormat; readonly critical: boolean } | undefined
  readonly subjectAs: (typeof SUBJECTS)[number]
  readonly template: string | undefined
  /** OIDs. */
  readonly extendedKeyUsage: readonly string[]
  /** One SPIFFE ID and nothing else is the subject. */
  readonly svid: boolean
}

const wrong = (option: string, expected: string) =>
  new DragomanError('ERR_PROFILE_RENDERING', { detail: { option, expected } })

/** The encoding that a profile asks for. @throws `ERR_PROFILE_RENDERING` for what cannot work, saying what would */
export function encodingOf(kind: string, options: ValueMap): Encoding {
  const usual = KINDS.get(kind)
  if (!usual) throw wrong('kind', `one of: ${[...KINDS.keys()].join(', ')}`)
  const unknown = Object.keys(options).find((option) => !Object.hasOwn(encodings, option))
  if (unknown !== undefined) throw wrong(unknown, `for format x509 one of: ${Object.keys(encodings).join(', ')}`)
  const svid = kind === 'x509-svid'
  const subjectAs = chosen(options, 'subject_as', SUBJECTS, 'san_uri')
  const template = options['san_template']
  if (svid && subjectAs !== 'san_uri') throw wrong('subject_as', 'san_uri for an X.509-SVID')
  if (template !== undefined && (typeof template !== 'string' || subjectAs !== 'san_uri')) {
    throw wrong('san_template', 'a text, with subject_as san_uri')
  }
  const extendedKeyUsage = usagesOf(options['extended_key_usage']) ?? usual
  if (svid && usual.some((usage) => !extendedKeyUsage.includes(usage))) {
    throw wrong('extended_key_usage', 'client_auth and server_auth for an X.509-SVID')
  }
  return {
    form: chosen(options, 'form', FORMS, 'pem'),
    claims: claimsOf(options['claims_extension']),
    subjectAs,
    template,
    extendedKeyUsage,
    svid,
  }
}

function chosen<T extends string>(options: ValueMap, option: string, allowed: readonly T[], fallback: T): T {
  const value = options[option] ?? fallback
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw wrong(option, `one of: ${allowed.join(', ')}`)
  return found
}

function claimsOf(value: Value | undefined): Encoding['claims'] {
  if (value === false) return undefined
  if (value === undefined) return claimsDefault
  if (!isMap(value)) throw wrong('claims_extension', 'false, or an object with oid, format and critical')
  const { oid: type = claimsDefault.oid, critical = claimsDefault.critical } = value
  if (typeof type !== 'string' || !isOid(type)) throw wrong('claims_extension.oid', 'an OID in dotted form')
  if (typeof critical !== 'boolean') throw wrong('claims_extension.critical', 'true or false')
  return { oid: type, format: chosen(value, 'format', CLAIMS_FORMATS, claimsDefault.format), critical }
}

function usagesOf(value: Value | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (!isList(value) || value.length === 0) throw wrong('extended_key_usage', 'a list of usages')
  return value.map((name) => {
    const usage = typeof name === 'string' ? (USAGES.get(name) ?? name) : ''
    // anyExtendedKeyUsage would undo every restriction that somebody relies on.
    if (!isOid(usage) || usage === purposes.any) {
      throw wrong('extended_key_usage', `${[...USAGES.keys()].join(', ')} or OIDs, not anyExtendedKeyUsage`)
    }
    return usage
  })
}

function isOid(text: string): boolean {
  try {
    return oid(text).length > 0
  } catch {
    return false
  }
}
