import { readFileSync } from 'node:fs'
import { algorithmNames } from '../core/algorithms.ts'
import type { ReplayStore } from '../core/stores.ts'
import type { Value } from '../core/value.ts'
import { type Fetch, type FetchEntry, type IssuerEntry, issuerSchema } from '../trust/index.ts'
import { parseJson } from '../wire/json.ts'
import type { Decision } from './decision.ts'
import { isObject, membersOf, SCOPE_TOKEN, textsOf, wrong } from './option.ts'
import type { RequestTable } from './table.ts'

/** An issuer whose tokens are taken: the gateway, or another one. Its keys come from one place. */
export interface VerifierIssuer {
  /** Its identifier, one exact string: the `issuer` of the gateway's configuration. */
  readonly issuer: string
  /** The URL of its JWK Set, such as `https://gw.example/jwks`. */
  readonly jwks_uri?: string
  /** Its keys are found through its metadata (RFC 8414, OpenID Connect Discovery). */
  readonly discovery?: true
  /** A JWK Set. */
  readonly jwks?: { readonly keys: readonly object[] }
  readonly jwks_file?: string
  /** A file with a COSE key set. */
  readonly cose_keys_file?: string
  /** Algorithms that it may sign with. Default: all that there are. */
  readonly algorithms?: readonly string[]
  /** Subjects that it may speak of: exact ones, or prefixes that end in `/*`. Default: all. */
  readonly subjects?: readonly string[]
  /** Whether its `act` chain is believed. Default: yes, since it is the one who made it; else a token with `act` is refused. */
  readonly history?: boolean
  /** Its SPIFFE trust domain, for JWT-SVIDs. */
  readonly trust_domain?: string
  /** How keys are fetched: timeouts, refresh, what happens in an outage. */
  readonly fetch?: FetchEntry
}

/** For tokens that are bound by DPoP. */
export interface DpopSetting {
  /** Scheme, host and whatever stands before the path that the service sees, as clients see it: what `htu` begins with. */
  readonly baseUrl: string
  /** At least 32 bytes, the same in each process of the service: every proof must then carry a nonce of ours. */
  readonly nonceSecret?: Uint8Array
  /** Algorithms of proofs. Default: all that there are. */
  readonly algorithms?: readonly string[]
}

export interface VerifierOptions {
  readonly issuers: readonly VerifierIssuer[]
  /** One of these must be in `aud`. For transaction tokens: the trust domain. */
  readonly audience: string | readonly string[]
  /** Default: `jwt`. */
  readonly format?: 'jwt' | 'cwt'
  /**
   * The one kind that is taken: `at+jwt` (the default for JWTs), `txntoken+jwt`, another explicit type, or `jwt` for
   * tokens without one. For CWTs the default is one without explicit type.
   */
  readonly kind?: string
  /**
   * Takes CWTs without any tag as well, as `encoding: { tag: none }` writes them, of this COSE structure: without a tag
   * nothing in them says which it is. Default: CWTs with tags.
   */
  readonly untagged?: 'sign1' | 'sign'
  /** Signature algorithms that are taken. Default: all that the issuer may sign with. */
  readonly algorithms?: readonly string[]
  /** Seconds by which clocks may differ. Default: 30. */
  readonly clockSkew?: number
  /** Seconds since `iat` after which a token is too old. Default: no limit but its expiry. */
  readonly maxAge?: number
  /** How the user must have authenticated: otherwise the answer says what would do (RFC 9470). Default: in whatever way. */
  readonly authentication?: {
    /** One of these must be `acr`. */
    readonly acrValues?: readonly string[]
    /** Seconds since `auth_time`. */
    readonly maxAge?: number
  }
  /** Scopes that every token must have. */
  readonly requiredScopes?: readonly string[]
  /** Claims that every token must have. */
  readonly requiredClaims?: readonly string[]
  /** Each token is taken once. Default: no. */
  readonly singleUse?: boolean
  /** What the service takes tokens for; a request without a rule is refused. A transaction token has to have one. */
  readonly requests?: RequestTable
  /** Takes transaction tokens without comparing them with anything: any of them is then good for any request. */
  readonly danger_any_request?: boolean
  readonly dpop?: DpopSetting
  /** The realm in a challenge. Printable ASCII without `"` and `\`. */
  readonly realm?: string
  /** Told of each decision: the code and the detail of a refusal, which the client is not told. */
  readonly log?: (decision: Decision) => void
  /** Remembers what may be used once. Default: this process's memory; several processes need one between them. */
  readonly replay?: ReplayStore
  /** Seconds since the epoch. Default: the system's clock. */
  readonly clock?: () => number
  /** Fetches keys. Default: ours, with its limits on addresses, size and time. */
  readonly fetcher?: Fetch
}

const OPTIONS = [
  ...[
    'issuers',
    'audience',
    'format',
    'kind',
    'untagged',
    'algorithms',
    'clockSkew',
    'maxAge',
    'requiredScopes',
    'requiredClaims',
    'authentication',
  ],
  ...['singleUse', 'requests', 'danger_any_request', 'dpop', 'realm', 'log', 'replay', 'clock', 'fetcher'],
]

const ISSUER_OPTIONS = [
  ...['issuer', 'jwks_uri', 'discovery', 'jwks', 'jwks_file', 'cose_keys_file'],
  ...['algorithms', 'subjects', 'history', 'trust_domain', 'fetch'],
]
const NOT_EMPTY = /./s
const QUOTABLE = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/

// A JWK Set in a program is as much ours as one in a file.
const JWKS_LIMITS = { bytes: 1_048_576, depth: 16, items: 65_536, text: 65_536 }

/**
 * Checks options as far as types cannot, or were not asked to: their names, and what could be left out without being
 * missed.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` with the path of the option
 */
export function checkOptions(options: VerifierOptions): void {
  const { audience, format, untagged, requiredScopes = [], requiredClaims = [], realm, dpop } = options
  membersOf(options, OPTIONS, 'options')
  if (!['jwt', 'cwt', undefined].includes(format)) throw wrong('options.format', 'jwt or cwt')
  if (untagged !== undefined && !(format === 'cwt' && ['sign1', 'sign'].includes(untagged))) {
    throw wrong('options.untagged', 'sign1 or sign, with `format: cwt`')
  }
  if (textsOf(audience, 'options.audience', NOT_EMPTY, 'one text or several').length === 0) {
    throw wrong('options.audience', 'at least one: a token for anybody is for nobody')
  }
  kindOf(options)
  textsOf(requiredScopes, 'options.requiredScopes', SCOPE_TOKEN, 'scopes, each one text')
  textsOf(requiredClaims, 'options.requiredClaims', NOT_EMPTY, 'names of claims')
  if (realm !== undefined) textsOf(realm, 'options.realm', QUOTABLE, 'printable ASCII without quotes')
  for (const name of ['clockSkew', 'maxAge'] as const) {
    const seconds: unknown = options[name]
    if (
      seconds !== undefined &&
      !(Number.isSafeInteger(seconds) && Number(seconds) >= 0 && Number(seconds) <= MOST[name])
    ) {
      throw wrong(`options.${name}`, `whole seconds, at most ${MOST[name]}`)
    }
  }
  if (dpop !== undefined) checkDpop(dpop)
  if (options.authentication !== undefined) checkAuthentication(options.authentication)
}

// An explicit type as it stands in our messages: without `application/`, in lower case.
const KIND = /^(?!application\/)[a-z0-9][a-z0-9!#$&^_.+:/-]*$/

/** The kind that is taken; `undefined`: a CWT without explicit type. @throws {@link DragomanError} `ERR_PROFILE_OPTION` */
export function kindOf({ format = 'jwt', kind }: VerifierOptions): string | undefined {
  if (kind === undefined) return format === 'jwt' ? 'at+jwt' : undefined
  const other = format === 'jwt' ? /\+cwt$/ : /\+jwt$/
  if (typeof kind !== 'string' || !KIND.test(kind) || other.test(kind)) {
    throw wrong('options.kind', `a kind of ${format} in lower case, such as at+jwt, without application/`)
  }
  return kind
}

// The skew is that of profiles; an age beyond a year is no limit.
const MOST = { clockSkew: 300, maxAge: 31_536_000 }

function checkAuthentication(authentication: NonNullable<VerifierOptions['authentication']>): void {
  const { acrValues, maxAge } = membersOf(authentication, ['acrValues', 'maxAge'], 'options.authentication')
  if (acrValues === undefined && maxAge === undefined) throw wrong('options.authentication', 'acrValues or maxAge')
  const values =
    acrValues === undefined
      ? undefined
      : textsOf(acrValues, 'options.authentication.acrValues', SCOPE_TOKEN, 'texts without spaces')
  if (values?.length === 0) throw wrong('options.authentication.acrValues', 'at least one')
  if (maxAge !== undefined && !(Number.isSafeInteger(maxAge) && Number(maxAge) > 0 && Number(maxAge) <= MOST.maxAge)) {
    throw wrong('options.authentication.maxAge', `whole seconds, at most ${MOST.maxAge}`)
  }
}

function checkDpop(dpop: DpopSetting): void {
  membersOf(dpop, ['baseUrl', 'nonceSecret', 'algorithms'], 'options.dpop')
  const url = typeof dpop.baseUrl === 'string' ? URL.parse(dpop.baseUrl) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw wrong('options.dpop.baseUrl', 'an https URL without query and fragment')
  }
  const { nonceSecret: secret } = dpop
  if (secret !== undefined && !(secret instanceof Uint8Array && secret.length >= 32)) {
    throw wrong('options.dpop.nonceSecret', 'at least 32 bytes')
  }
  for (const name of dpop.algorithms ?? []) {
    if (!algorithmNames.includes(name)) throw wrong('options.dpop.algorithms', algorithmNames.join(', '))
  }
}

/** Issuers as the trust store takes them. @throws {@link DragomanError} `ERR_PROFILE_OPTION` */
export function issuerEntries(issuers: readonly VerifierIssuer[]): readonly IssuerEntry[] {
  if (!Array.isArray(issuers) || issuers.length === 0) throw wrong('options.issuers', 'a list of at least one issuer')
  return issuers.map((entry: VerifierIssuer, index) => {
    const path = `options.issuers[${index}]`
    membersOf(entry, ISSUER_OPTIONS, path)
    const { subjects = ['*'], history = true, jwks, algorithms = [], ...rest } = entry
    textsOf(entry.issuer, `${path}.issuer`, NOT_EMPTY, 'one exact string')
    if (textsOf(subjects, `${path}.subjects`, NOT_EMPTY, 'a list of texts').length === 0) {
      throw wrong(`${path}.subjects`, 'at least one')
    }
    for (const name of algorithms) {
      if (name !== 'EdDSA' && !algorithmNames.includes(name))
        throw wrong(`${path}.algorithms`, algorithmNames.join(', '))
    }
    if (entry.fetch !== undefined) membersOf(entry.fetch, FETCH_OPTIONS, `${path}.fetch`)
    return {
      ...rest,
      subjects,
      history,
      ...(algorithms.length > 0 && { algorithms }),
      ...(jwks !== undefined && { jwks: neutral(jwks, `${path}.jwks`) }),
    }
  })
}

const FETCH_OPTIONS = Object.keys(issuerSchema.properties.fetch.properties)

function neutral(jwks: unknown, path: string): Value {
  if (!isObject(jwks)) throw wrong(path, 'a JWK Set: an object with `keys`')
  try {
    return parseJson(JSON.stringify(jwks), JWKS_LIMITS)
  } catch {
    throw wrong(path, 'what JSON can say')
  }
}

/** A file beside the program, or wherever its path says. */
export const readFile = (name: string): Buffer => readFileSync(name)
