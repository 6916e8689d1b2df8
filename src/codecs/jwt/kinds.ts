import { FORMER_TRANSACTION_TOKEN, TRANSACTION_TOKEN } from '../../core/acceptance.ts'
import type { Algorithm } from '../../core/algorithms.ts'
import { DragomanError } from '../../core/errors.ts'
import { parseSpiffeId } from '../../core/spiffe.ts'
import type { Draft } from '../../core/token.ts'
import { tokenTypes } from '../../core/types.ts'
import type { Value } from '../../core/value.ts'
import type { JwsHeader } from '../../wire/jws.ts'
import { isName, type Kind, kindOf, PLAIN, required } from './kind.ts'
import type { ClaimsSet } from './read-claims.ts'
import { FORMER_TXN_TOKEN, TXN_TOKEN } from './transaction-token.ts'

const typed = (kind: string) => (typ: string | undefined) => {
  if (kindOf(typ) !== kind) throw new DragomanError('ERR_TOKEN_KIND', { detail: { expected: kind } })
}

/** RFC 9068 */
const ACCESS_TOKEN: Kind = {
  ...PLAIN,
  typ: 'at+jwt',
  compactOnly: true,
  accessToken: true,
  tokenType: tokenTypes.accessToken,
  assertTyp: typed('at+jwt'),
  // §2.2; `iss` is how the token's keys were found.
  assertClaims({ claims, validity, id }) {
    const missing =
      ['sub', 'client_id'].find((claim) => claims[claim] === undefined) ??
      (validity.audience.length === 0 ? 'aud' : undefined) ??
      (validity.issuedAt === undefined ? 'iat' : undefined) ??
      (validity.expiresAt === undefined ? 'exp' : undefined) ??
      (id === undefined ? 'jti' : undefined)
    if (missing !== undefined) throw required(missing, 'RFC 9068 section 2.2')
  },
  // The writer adds `iss`, `iat` and `jti` itself.
  assertDraft({ claims, validity }) {
    const missing =
      ['sub', 'client_id'].find((claim) => !isName(claims[claim])) ??
      (validity.audience.length === 0 ? 'aud' : undefined) ??
      (validity.expiresAt === undefined ? 'exp' : undefined)
    if (missing !== undefined) throw required(missing, 'RFC 9068 section 2.2')
  },
}

/** Of what is redeemed once, at one server: which, until when, and by which name it is known again. */
function assertGrant({ claims, validity, id }: ClaimsSet, named: readonly string[], rule: string): void {
  const missing =
    named.find((claim) => !isName(claims[claim])) ??
    (validity.issuedAt === undefined ? 'iat' : undefined) ??
    (validity.expiresAt === undefined ? 'exp' : undefined) ??
    (id === undefined ? 'jti' : undefined)
  if (missing !== undefined) throw required(missing, rule)
  if (validity.audience.length === 1) return
  throw new DragomanError('ERR_TOKEN_AUDIENCE', { detail: { expected: 'one authorization server alone', rule } })
}

function assertGrantDraft({ claims, validity }: Draft, named: readonly string[], rule: string): void {
  const missing =
    named.find((claim) => !isName(claims[claim])) ?? (validity.expiresAt === undefined ? 'exp' : undefined)
  if (missing !== undefined) throw required(missing, rule)
  if (validity.audience.length !== 1) throw new DragomanError('ERR_PROFILE_TARGET_COUNT')
}

const CHAINING = 'identity chaining section 2.3.3'

/**
 * draft-ietf-oauth-identity-chaining: a grant for the authorization server of another domain. The draft registers no
 * type; this one tells it from an access token and an ID token of the same issuer.
 */
const GRANT: Kind = {
  ...PLAIN,
  typ: 'authorization-grant+jwt',
  compactOnly: true,
  grant: true,
  rules: { foreign: true },
  singleAudience: true,
  assertTyp: typed('authorization-grant+jwt'),
  assertClaims: (set) => assertGrant(set, ['sub'], CHAINING),
  assertDraft: (draft) => assertGrantDraft(draft, ['sub'], CHAINING),
}

const ID_JAG_CLAIMS = 'ID-JAG section 3.1'

/** draft-ietf-oauth-identity-assertion-authz-grant: an identity assertion JWT authorization grant. */
const ID_JAG: Kind = {
  ...GRANT,
  typ: 'oauth-id-jag+jwt',
  tokenType: tokenTypes.idJag,
  // §4.4.1
  rules: { foreign: true, audience: 'issuer', client: 'client_id', limit: 'resource' },
  assertTyp: typed('oauth-id-jag+jwt'),
  assertClaims: (set) => assertGrant(set, ['sub', 'client_id'], ID_JAG_CLAIMS),
  assertDraft: (draft) => assertGrantDraft(draft, ['sub', 'client_id'], ID_JAG_CLAIMS),
}

const SVID_TYPES: ReadonlySet<string | undefined> = new Set([undefined, 'JWT', 'JOSE'])

/** SPIFFE JWT-SVID */
const JWT_SVID: Kind = {
  ...PLAIN,
  compactOnly: true,
  // §2.1
  algorithms: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'],
  // §2
  members: new Set(['alg', 'kid', 'typ']),
  // §3: who signed it follows from the trust domain in `sub`.
  byIssuer: false,
  singleAudience: true,
  assertTyp(typ) {
    if (!SVID_TYPES.has(typ)) throw new DragomanError('ERR_TOKEN_KIND', { detail: { expected: 'typ JWT or JOSE' } })
  },
  assertClaims({ claims, validity }, { trustDomain }) {
    const id = workloadId(claims['sub'])
    if (id === undefined) throw new DragomanError('ERR_TOKEN_SUBJECT', { detail: { expected: WORKLOAD_ID } })
    if (id.trustDomain !== trustDomain) {
      throw new DragomanError('ERR_TOKEN_SUBJECT_SPACE', { detail: { expected: trustDomain, rule: 'trust_domain' } })
    }
    if (validity.audience.length === 0) throw required('aud', 'JWT-SVID section 3.2')
    if (validity.expiresAt === undefined) throw new DragomanError('ERR_TOKEN_NO_EXPIRY')
  },
  assertDraft({ claims, validity }) {
    if (workloadId(claims['sub']) === undefined) {
      throw new DragomanError('ERR_PROFILE_SUBJECT', { detail: { expected: WORKLOAD_ID } })
    }
    if (validity.audience.length === 0) throw required('aud', 'JWT-SVID section 3.2')
    if (validity.audience.length > 1) throw new DragomanError('ERR_PROFILE_TARGET_COUNT')
    if (validity.expiresAt === undefined) throw required('exp', 'JWT-SVID section 3.3')
  },
}

const WORKLOAD_ID = 'the SPIFFE ID of a workload'

/** An ID without a path is the trust domain's own, and no caller's. */
function workloadId(subject: Value | undefined) {
  const id = typeof subject === 'string' ? parseSpiffeId(subject) : undefined
  return id?.path === '' ? undefined : id
}

/** The kinds that are written; {@link FORMER} are read only. */
const NAMED: ReadonlyMap<string, Kind> = new Map([
  ['jwt', PLAIN],
  ['at+jwt', ACCESS_TOKEN],
  ['jwt-svid', JWT_SVID],
  ['authorization-grant+jwt', GRANT],
  ['oauth-id-jag+jwt', ID_JAG],
  [TRANSACTION_TOKEN, TXN_TOKEN],
])

const FORMER: ReadonlyMap<string, Kind> = new Map([[FORMER_TRANSACTION_TOKEN, FORMER_TXN_TOKEN]])

/** The kinds that have a name and rules of their own; any other explicit type will do as well. */
export const kinds: readonly string[] = [...NAMED.keys()]

/** The rules for tokens of a kind; a kind without rules of its own has those of the plain one. */
export const kindNamed = (name: string | undefined): Kind =>
  name === undefined ? PLAIN : (NAMED.get(name.toLowerCase()) ?? FORMER.get(name.toLowerCase()) ?? PLAIN)

// RFC 6838 §4.2, with a suffix (§4.2.8) as all explicit types have, which the kinds of other formats have not.
const EXPLICIT_TYPE =
  /^(?!application\/)(?:[a-z0-9][a-z0-9!#$&^_.+-]*\/)?[a-z0-9][a-z0-9!#$&^_.-]*\+[a-z0-9!#$&^_.+-]+$/i

/** The kind to write. @throws `ERR_PROFILE_RENDERING` for a name that cannot be an explicit type */
export function kindToWrite(name: string | undefined): Kind {
  const known = name === undefined ? PLAIN : NAMED.get(name.toLowerCase())
  if (known) return known
  if (name !== undefined && EXPLICIT_TYPE.test(name)) return { ...PLAIN, typ: name }
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: {
      option: 'kind',
      expected: `${kinds.join(', ')}, or an explicit type such as example+jwt, without application/`,
    },
  })
}

/** @throws `ERR_TOKEN_ALGORITHM`, `ERR_TOKEN_HEADER`, `ERR_TOKEN_KIND` for a header that this kind does not have */
export function assertHeader({ typ, members, algorithm }: JwsHeader, kind: Kind): void {
  kind.assertTyp(typ)
  if (!allows(kind, algorithm)) {
    throw new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { expected: kind.algorithms, actual: algorithm?.name } })
  }
  const extra = kind.members && Object.keys(members).find((name) => !kind.members?.has(name))
  if (extra !== undefined) {
    throw new DragomanError('ERR_TOKEN_HEADER', { detail: { member: extra, expected: 'alg, kid and typ only' } })
  }
}

/** @throws `ERR_PROFILE_RENDERING` for an algorithm with which this kind may not be signed */
export function assertAlgorithm(kind: Kind, algorithm: Algorithm | undefined): void {
  if (allows(kind, algorithm)) return
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: { option: 'algorithm', expected: `one of ${kind.algorithms?.join(', ')}`, actual: algorithm?.name },
  })
}

const allows = ({ algorithms }: Kind, algorithm: Algorithm | undefined): boolean =>
  algorithms === undefined || (algorithm !== undefined && algorithms.includes(algorithm.name))
