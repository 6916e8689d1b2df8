import { algorithmNamed, algorithmNames } from './algorithms.ts'
import type { KindRules } from './codec.ts'
import { DragomanError } from './errors.ts'
import type { GrantRules } from './grant.ts'
import type { TokenAcceptance, UserAuthentication } from './profile.ts'
import type { TokenType } from './token.ts'
import { TAKEN_BY_NAME, tokenTypes } from './types.ts'

// Clocks that are further apart than this are broken, and a wider window is a longer life for a stolen token.
export const MAX_CLOCK_SKEW = 300

/** Seconds: the age of a token that its client signs for one request, where a profile does not say. */
export const SELF_SIGNED_MAX_AGE = 60

/** Seconds that the expiry of such a token may be ahead: as much as that of a client assertion. It is remembered until then. */
export const SELF_SIGNED_MAX_LIFETIME = 300

/** The kinds of transaction tokens: of the draft, and of the time when it had other names. */
export const TRANSACTION_TOKEN = 'txntoken+jwt'
export const FORMER_TRANSACTION_TOKEN = 'txn_token'

/** What a profile says about the tokens it takes in one role, as written in the file. */
export interface AcceptanceOptions {
  readonly format: string
  readonly types?: readonly TokenType[]
  readonly kind?: string
  readonly issuers: readonly string[]
  readonly audience?: 'any' | readonly string[]
  readonly clock_skew?: number
  readonly max_age?: number
  readonly max_lifetime?: number
  readonly authentication?: { readonly acr_values?: readonly string[]; readonly max_age?: number }
  readonly for_client?: string
  readonly limited_by?: string
  readonly require?: readonly string[]
  readonly single_use?: boolean
  readonly presented_by?: 'holder' | 'audience'
  readonly danger_unsigned?: true
  readonly subject_from?: string
  readonly extended_key_usage?: readonly string[]
  readonly algorithms?: readonly string[]
}

/** What stands where a profile says nothing. */
export interface AcceptanceDefaults {
  /** This gateway's issuer identifier; the word `self` among issuers. */
  readonly issuer: string
  readonly tokenEndpoint: string
  /** Seconds. */
  readonly clockSkew: number
  /** The token types that the codec of this format reads; `undefined`: there is no such codec. */
  types(format: string): readonly TokenType[] | undefined
  /** What a kind within a format asks of whoever takes it; absent: nothing. */
  kindRules?(format: string, kind: string | undefined): KindRules | undefined
  /** Of the grant by which the token is presented; absent: nothing. */
  readonly grant?: GrantRules | undefined
  /** What is wrong with taking tokens of this format from this issuer, in words; absent: issuers are not looked at. */
  issuerFault?(issuer: string, format: string, types: readonly TokenType[]): string | undefined
}

/** Of the types that a codec reads those that are taken where a profile names none. */
export const defaultTypes = (readable: readonly TokenType[]): readonly TokenType[] =>
  readable.filter((type) => !TAKEN_BY_NAME.has(type))

/**
 * `accept.subject`, `accept.actor`, or the rules for an embedded token, as a {@link TokenAcceptance}.
 *
 * Checks what a schema cannot: the format is known, its types are ones that its codec reads, the issuers are trusted and
 * have what its signatures are checked against (`issuerFault`), algorithms and extended key usages are known, X.509
 * options stand with X.509 only, and a token that is made for another gateway is not taken by the one that made it.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`, with the path of the option in `detail.path`
 */
export function tokenAcceptance(
  options: AcceptanceOptions,
  defaults: AcceptanceDefaults,
  path: string,
): TokenAcceptance {
  const { format } = options
  const { grant = {} } = defaults
  const kind = defaults.kindRules?.(format, options.kind) ?? {}
  const certificate = format === 'x509'
  const read = defaults.types(format)
  if (read === undefined) throw wrong(path, 'format', 'the name of a codec')
  const readable = grant.types === undefined ? read : read.filter((type) => grant.types?.includes(type))
  if (readable.length === 0) throw wrong(path, 'format', 'a format that this grant can present')
  const types = options.types ?? defaultTypes(readable)
  if (types.some((type) => !readable.includes(type))) throw wrong(path, 'types', `some of ${readable.join(', ')}`)
  assertAlone(options, types, path)
  for (const name of certificate ? [] : (['subject_from', 'extended_key_usage'] as const)) {
    if (options[name] !== undefined) throw wrong(path, name, 'no such option: it is for certificates')
  }
  const issuers = options.issuers.map((issuer) => (issuer === 'self' ? defaults.issuer : issuer))
  for (const [index, issuer] of issuers.entries()) {
    const fault = defaults.issuerFault?.(issuer, format, types)
    if (fault !== undefined) throw wrong(path, `issuers[${index}]`, fault)
    // draft-ietf-oauth-identity-assertion-authz-grant §9.3: a grant of one's own is for another domain.
    if (issuer === defaults.issuer && (grant.foreign || kind.foreign)) {
      throw wrong(path, `issuers[${index}]`, 'another issuer than this gateway, which makes such tokens for others')
    }
  }
  const forClient = options.for_client ?? kind.client
  const own = types.includes(tokenTypes.selfSigned)
  const unsigned = types.includes(tokenTypes.unsignedJson)
  return {
    format,
    types,
    kind: options.kind ?? (types.includes(tokenTypes.txnToken) ? TRANSACTION_TOKEN : undefined),
    issuers,
    audience: audienceOf(options, defaults, certificate || unsigned || forClient === 'aud', kind),
    clockSkew: options.clock_skew ?? defaults.clockSkew,
    maxAge: options.max_age ?? (own ? SELF_SIGNED_MAX_AGE : undefined),
    maxLifetime: options.max_lifetime ?? grant.maxLifetime ?? (own ? SELF_SIGNED_MAX_LIFETIME : undefined),
    ...(options.authentication && { authentication: authenticationOf(options.authentication) }),
    forClient,
    limitedBy: options.limited_by ?? kind.limit,
    require: options.require ?? [],
    singleUse: options.single_use ?? grant.singleUse ?? own,
    presentedBy: options.presented_by ?? 'holder',
    ...(options.types?.includes(tokenTypes.accessToken) && { foreignAccessTokens: true }),
    subjectFrom: options.subject_from,
    extendedKeyUsage: options.extended_key_usage?.map((name) => usageOf(name, path)),
    algorithms: options.algorithms?.map((name) => {
      const algorithm = algorithmNamed(name)
      if (algorithm === undefined) throw wrong(path, 'algorithms', `some of ${algorithmNames.join(', ')}`)
      return algorithm.name
    }),
  }
}

const authenticationOf = ({
  acr_values: acrValues,
  max_age: maxAge,
}: NonNullable<AcceptanceOptions['authentication']>): UserAuthentication => ({ acrValues, maxAge })

/** A type with rules of its own stands alone, so that no other way of presenting the token goes past them. */
function assertAlone(options: AcceptanceOptions, types: readonly TokenType[], path: string): void {
  const special = types.find((type) => TAKEN_BY_NAME.has(type))
  const { kind = TRANSACTION_TOKEN, audience, single_use, danger_unsigned: unsigned } = options
  if (special !== undefined && types.length > 1) throw wrong(path, 'types', `${special} alone, in a profile of its own`)
  if (unsigned && special !== tokenTypes.unsignedJson) {
    throw wrong(path, 'danger_unsigned', `\`types: [${tokenTypes.unsignedJson}]\` with it`)
  }
  switch (special) {
    case tokenTypes.unsignedJson:
      if (path !== 'accept.subject')
        throw wrong(path, 'types', 'a type with a signature: only a subject is taken at a word')
      if (!unsigned) throw wrong(path, 'types', '`danger_unsigned: true` with a type that has no signature')
      if (single_use) throw wrong(path, 'single_use', 'no such option: without a signature one is like another')
      return
    case tokenTypes.selfSigned:
      if (audience === 'any') throw wrong(path, 'audience', 'this gateway: a self-signed token is for nobody else')
      if (single_use === false) throw wrong(path, 'single_use', 'true: a self-signed token is for one request')
      return
    case tokenTypes.txnToken:
      if (kind === TRANSACTION_TOKEN || kind === FORMER_TRANSACTION_TOKEN) return
      throw wrong(path, 'kind', `${TRANSACTION_TOKEN}, or ${FORMER_TRANSACTION_TOKEN} for the names of older drafts`)
    default:
      if (options.kind !== TRANSACTION_TOKEN) return
      throw wrong(path, 'types', `[${tokenTypes.txnToken}]: a transaction token is no other token (section 13.13)`)
  }
}

function audienceOf(
  { audience }: AcceptanceOptions,
  { issuer, tokenEndpoint }: AcceptanceDefaults,
  forOthers: boolean,
  kind: KindRules,
): readonly string[] {
  if (audience === 'any') return []
  // A certificate is for nobody in particular, its extended key usage says what for; an ID token is for its client; and what
  // has no signature is for whom it is sent to.
  return audience ?? (forOthers ? [] : kind.audience === 'issuer' ? [issuer] : [issuer, tokenEndpoint])
}

/** RFC 5280 §4.2.1.12, by the names that OpenSSL gave them, in our spelling. */
const USAGES: ReadonlyMap<string, string> = new Map([
  ['server_auth', '1.3.6.1.5.5.7.3.1'],
  ['client_auth', '1.3.6.1.5.5.7.3.2'],
  ['code_signing', '1.3.6.1.5.5.7.3.3'],
  ['email_protection', '1.3.6.1.5.5.7.3.4'],
  ['time_stamping', '1.3.6.1.5.5.7.3.8'],
  ['ocsp_signing', '1.3.6.1.5.5.7.3.9'],
])

const OID = /^[0-2](?:\.(?:0|[1-9][0-9]{0,9})){1,20}$/

function usageOf(name: string, path: string): string {
  const oid = USAGES.get(name) ?? (OID.test(name) ? name : undefined)
  if (oid === undefined) throw wrong(path, 'extended_key_usage', `${[...USAGES.keys()].join(', ')}, or an OID`)
  return oid
}

const wrong = (path: string, option: string, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', { detail: { path: `${path}.${option}`, expected } })

const names = (description: string) => ({
  type: 'array',
  description,
  items: { type: 'string', minLength: 1 },
  minItems: 1,
  uniqueItems: true,
})

/** JSON Schema of {@link AcceptanceOptions}. */
export const acceptanceSchema = {
  type: 'object',
  description: 'Which tokens are taken in this role.',
  additionalProperties: false,
  required: ['format', 'issuers'],
  properties: {
    format: { type: 'string', description: 'The format: `jwt`, `x509`, `cwt`, or that of a codec of your own.' },
    types: names(
      'Token type URIs it may be presented under. Default: all that the codec of the format reads, but for `txn_token`, `self_signed` and `unsigned_json`, which are taken by name and alone.',
    ),
    kind: {
      type: 'string',
      minLength: 1,
      description:
        'The kind within the format, such as `at+jwt`, `jwt-svid` or `x509-svid`. Default: the plain kind; a token that says it is of another is refused.',
    },
    issuers: names('Issuers whose tokens are taken, each one exact string; `self` is this gateway.'),
    audience: {
      description:
        'Values of which one must be in the audience of the token. Default: our issuer identifier and our token endpoint; of an ID-JAG the issuer identifier alone; nothing where `for_client` is `aud`. The word `any`: not asked for. A certificate has no audience, and none is asked of it by default.',
      anyOf: [{ const: 'any' }, names('Audience values, each one exact string.')],
    },
    clock_skew: {
      type: 'integer',
      minimum: 0,
      maximum: MAX_CLOCK_SKEW,
      description: 'Tolerance for clocks, in seconds. Default: that of the configuration.',
    },
    max_age: {
      type: 'integer',
      minimum: 1,
      description:
        'Seconds since it was issued after which it is too old. Default: no limit beyond its expiry; 60 for `self_signed`.',
    },
    max_lifetime: {
      type: 'integer',
      minimum: 1,
      description:
        'Seconds ahead that its expiry may be. Default: no limit; 3600 for an assertion of the `jwt-bearer` grant, 300 for `self_signed`.',
    },
    authentication: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      description:
        'How its user must have authenticated. Otherwise the client hears `insufficient_user_authentication`, with what would do (RFC 9470). Default: in whatever way.',
      properties: {
        acr_values: {
          ...names('One of these must be its `acr`.'),
          items: { type: 'string', pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$' },
        },
        max_age: {
          type: 'integer',
          minimum: 1,
          description: 'Seconds since its `auth_time` after which the user has to authenticate again.',
        },
      },
    },
    for_client: {
      type: 'string',
      minLength: 1,
      description:
        'The claim that names the client which may present it, such as `client_id`, or `aud` of an ID token: it must be the one that has authenticated. Default: not asked for; `client_id` of an ID-JAG.',
    },
    limited_by: {
      type: 'string',
      minLength: 1,
      description:
        'The claim that names what it may be used for, in the words of requests: other targets refuse, and a default is cut to it; a token without the claim is limited by nothing. Default: not looked at; `resource` of an ID-JAG.',
    },
    require: names('Names of claims that must be there.'),
    single_use: {
      type: 'boolean',
      description:
        'Each token is taken once only, until it expires. Default: `false`; `true` for an assertion of the `jwt-bearer` grant. Always so for `self_signed`.',
    },
    presented_by: {
      enum: ['holder', 'audience'],
      default: 'holder',
      description:
        'Who presents a token that is bound to a key: its `holder`, with a proof by that key; or its `audience`, a resource server that received it and has a key of its own.',
    },
    danger_unsigned: {
      const: true,
      description:
        'Danger: takes subject tokens of type `urn:ietf:params:oauth:token-type:unsigned_json`, JSON without a signature, at the word of the client that sends them. Each is an issuer of its own name with `unsigned: true`.',
    },
    subject_from: {
      enum: ['san_uri', 'san_dns', 'san_email', 'subject_cn', 'subject_dn'],
      description: 'X.509: the name in the certificate that is the subject.',
    },
    extended_key_usage: names(
      'X.509: extended key usages that the certificate must have: `client_auth`, `server_auth`, `code_signing`, `email_protection`, `time_stamping`, `ocsp_signing`, or an OID.',
    ),
    algorithms: {
      type: 'array',
      items: { enum: [...algorithmNames, 'EdDSA'] },
      minItems: 1,
      uniqueItems: true,
      description: 'Signature algorithms that are taken. Default: all that the issuer is trusted with.',
    },
  },
} as const
