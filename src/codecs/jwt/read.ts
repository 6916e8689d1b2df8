import { hash } from 'node:crypto'
import type { Algorithm } from '../../core/algorithms.ts'
import { DragomanError } from '../../core/errors.ts'
import type { VerificationKey } from '../../core/keys.ts'
import { andThen } from '../../core/later.ts'
import { parseSpiffeId } from '../../core/spiffe.ts'
import type { Envelope, FormatRules, Token, Unverified } from '../../core/token.ts'
import type { TrustedIssuer } from '../../core/trust.ts'
import { tokenTypes } from '../../core/types.ts'
import type { ValueMap } from '../../core/value.ts'
import { parseJsonObject } from '../../wire/json.ts'
import { type HeaderReader, type Jws, parseCompact, parseJsonJws } from '../../wire/jws.ts'
import { readConfirmation } from './confirmation.ts'
import { type Kind, kindOf } from './kind.ts'
import { assertHeader, kindNamed } from './kinds.ts'
import { readClaims, text } from './read-claims.ts'
import { parseUnsigned } from './read-unsigned.ts'
import { verifyingKey } from './verifying-key.ts'

/** The token types of this format. */
export const types = [
  tokenTypes.jwt,
  tokenTypes.accessToken,
  tokenTypes.idToken,
  tokenTypes.txnToken,
  tokenTypes.selfSigned,
  tokenTypes.unsignedJson,
] as const

const MINE: ReadonlySet<string> = new Set(types)

/** RFC 7523 §2: an assertion is one JWT, by the letter. */
const COMPACT_ONLY: ReadonlySet<Envelope['role']> = new Set(['client', 'grant'])

/**
 * Reads a signed JWT (RFC 7519).
 *
 * Checks form: sizes, encoding, header and claims as JSON, nothing named twice, an algorithm that we know. See the
 * parts: `wire/jws.ts`, `wire/json.ts`. The JSON serialization is taken as well, except where it is an assertion
 * (RFC 7523). Encrypted tokens are refused.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_*`
 */
export function parse(envelope: Envelope, headers: HeaderReader): Unverified | undefined {
  if (!MINE.has(envelope.type)) return undefined
  if (envelope.type === tokenTypes.unsignedJson) return parseUnsigned(envelope)
  const compact = !envelope.raw.startsWith('{')
  if (!compact && COMPACT_ONLY.has(envelope.role)) throw notCompact()
  const jws = compact ? parseCompact(envelope.raw, { headers }) : parseJsonJws(envelope.raw, { headers })
  const { algorithm, kid } = jws.header
  if (algorithm === undefined) throw new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { expected: 'one we know' } })
  const set = parseJsonObject(jws.payload)
  const { sub } = set
  const hint = { kid, algorithm }
  return {
    issuer: text(set, 'iss'),
    hint,
    trustDomain: typeof sub === 'string' ? parseSpiffeId(sub)?.trustDomain : undefined,
    verify(issuer, rules) {
      const kind = kindFor(rules, compact)
      assertHeader(jws.header, kind)
      assertAllowed(algorithm, issuer)
      const finish = (keys: readonly VerificationKey[]): Token => {
        const key = verifyingKey(keys, algorithm, jws)
        return tokenOf(set, { envelope, issuer, kind, jws, key, algorithm })
      }
      return andThen(issuer.anchor.keys(hint, rules.now), finish)
    },
  }
}

const notCompact = (): DragomanError =>
  new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected: 'the compact serialization' } })

/** RFC 8725 §3.1: what an issuer may sign with is a list of ours, never the token's choice. */
function assertAllowed(algorithm: Algorithm, { algorithms }: TrustedIssuer): void {
  if (algorithms.includes(algorithm)) return
  throw new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { actual: algorithm.name } })
}

function kindFor(rules: FormatRules, compact: boolean): Kind {
  const kind = kindNamed(rules.kind)
  if (kind.compactOnly && !compact) throw notCompact()
  return kind
}

interface Origin {
  readonly envelope: Envelope
  readonly issuer: TrustedIssuer
  readonly kind: Kind
  readonly jws: Jws
  readonly key: VerificationKey
  readonly algorithm: Algorithm
}

function tokenOf(set: ValueMap, { envelope, issuer, kind, jws, key, algorithm }: Origin): Token {
  // Whoever chose the issuer to check against must have chosen the one that the token names.
  const named = kind.byIssuer === 'named' ? set['iss'] !== undefined : kind.byIssuer
  if (named && set['iss'] !== issuer.issuer) throw new DragomanError('ERR_TRUST_ISSUER')
  const sorted = readClaims(kind.current(set))
  kind.assertClaims(sorted, issuer)
  const { claims, validity, id } = sorted
  const { cnf } = set
  const digest = hash('sha256', jws.signingInput)
  return {
    claims,
    validity,
    confirmation: cnf === undefined ? undefined : readConfirmation(cnf),
    provenance: {
      format: 'jwt',
      type: envelope.type,
      issuer: issuer.issuer,
      trustDomain: issuer.trustDomain,
      algorithm: algorithm.name,
      keyThumbprint: key.publicKey.jkt,
      kind: kindOf(jws.header.typ),
      id,
      // By what the token is, or by what was signed: a signature has a twin, and so has its text.
      replayKey: id === undefined ? digest : hash('sha256', `${issuer.issuer}\0jwt\0${id}`),
      digest,
    },
  }
}
