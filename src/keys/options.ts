import { algorithmNames } from '../core/algorithms.ts'

/** One key of the configuration. Exactly one of `file` and `generate` is given. */
export interface KeyOptions {
  readonly name: string
  readonly algorithm: string
  readonly kid: string | undefined
  /** PKCS#8 PEM or a private JWK. */
  readonly file: string | undefined
  /** Made at start, in memory, and gone with the process. */
  readonly generate: boolean
  /** PEM: the authority's own certificate first, then the ones above it. */
  readonly certificates: string | undefined
  /** A certificate of its own, made at start: the key becomes an issuing authority. */
  readonly selfSigned: { readonly commonName: string; readonly lifetime: number } | undefined
}

export const keySchema = {
  type: 'object',
  description: 'One signing key.',
  additionalProperties: false,
  required: ['name', 'algorithm'],
  oneOf: [{ required: ['file'] }, { required: ['generate'] }],
  properties: {
    name: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]*$', description: 'What profiles call it.' },
    algorithm: { enum: [...algorithmNames], description: 'The one algorithm it signs with.' },
    kid: {
      type: 'string',
      minLength: 1,
      description: 'Key id that is published. Default: the JWK thumbprint (RFC 7638).',
    },
    file: {
      type: 'string',
      description: 'Private key: PKCS#8 in PEM, or a private JWK. Relative to the configuration.',
    },
    generate: {
      const: true,
      description: 'Makes a key at start, in memory. For development: tokens of an earlier run no longer verify.',
    },
    certificates: {
      type: 'string',
      description: 'PEM file that makes the key an issuing authority: its certificate first, then those above it.',
    },
    self_signed: {
      type: 'object',
      description: 'Makes the key an issuing authority with a certificate of its own, at start. For development.',
      additionalProperties: false,
      required: ['common_name'],
      properties: {
        common_name: { type: 'string', minLength: 1, maxLength: 64, description: 'Common name of the authority.' },
        lifetime: {
          type: 'integer',
          minimum: 60,
          default: 86_400,
          description: 'Seconds that the certificate is valid.',
        },
      },
    },
  },
} as const

/** An entry of the configuration, already checked against {@link keySchema}. */
export interface KeyEntry {
  readonly name: string
  readonly algorithm: string
  readonly kid?: string
  readonly file?: string
  readonly generate?: true
  readonly certificates?: string
  readonly self_signed?: { readonly common_name: string; readonly lifetime?: number }
}

export const keyOptions = (entry: KeyEntry): KeyOptions => ({
  name: entry.name,
  algorithm: entry.algorithm,
  kid: entry.kid,
  file: entry.file,
  generate: entry.generate === true,
  certificates: entry.certificates,
  selfSigned: entry.self_signed && {
    commonName: entry.self_signed.common_name,
    lifetime: entry.self_signed.lifetime ?? 86_400,
  },
})
