import { actDepth } from '../../core/act.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Validity } from '../../core/token.ts'
import { type Claims, emptyRecord, isList, type Value, type ValueMap } from '../../core/value.ts'

// More audiences than any system of ours could want to serve with one token.
const MAX_AUDIENCES = 32

/** Claims that the neutral token holds apart from the others: RFC 7519 §4.1, RFC 8693 §4.2, RFC 7800 §3.1. */
export const heldApart: ReadonlySet<string> = new Set(['iss', 'exp', 'nbf', 'iat', 'aud', 'jti', 'scope', 'cnf'])

/** A claims set, sorted into the places of the neutral token. */
export interface ClaimsSet {
  readonly claims: Claims
  readonly validity: Validity
  readonly id: string | undefined
}

/**
 * Sorts a JWT's claims set, of which `iss` has been read.
 *
 * Checks the types of registered claims and the shape of `act`. Does NOT compare any time with the clock, nor any name
 * with what is configured, nor does it read `cnf`.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CLAIM`, `ERR_TOKEN_ACT`
 */
export function readClaims(set: ValueMap): ClaimsSet {
  text(set, 'sub')
  text(set, 'client_id')
  actDepth(set['act'])
  return {
    claims: others(set),
    validity: {
      issuedAt: time(set, 'iat'),
      notBefore: time(set, 'nbf'),
      expiresAt: time(set, 'exp'),
      audience: audience(set['aud']),
      scope: scope(set['scope']),
    },
    id: identifier(set),
  }
}

/** A claim that is a StringOrURI (RFC 7519 §2) where it is present. @throws `ERR_TOKEN_CLAIM` */
export function text(set: ValueMap, claim: string): string | undefined {
  const value = set[claim]
  if (value === undefined) return undefined
  return stringOrUri(claim, value)
}

const wrong = (claim: string, expected: string): DragomanError =>
  new DragomanError('ERR_TOKEN_CLAIM', { detail: { claim, expected } })

// RFC 7519 §2: with a colon it must be a URI. The field writes things like `repo:a/b:ref:c`, so that it has none of
// what no URI has is all that is asked.
const NOT_IN_URI = /[\s\p{Cc}]/u

function stringOrUri(claim: string, value: Value): string {
  if (typeof value !== 'string') throw wrong(claim, 'text')
  if (value.includes(':') && NOT_IN_URI.test(value)) throw wrong(claim, 'a URI, since it has a colon')
  return value
}

function others(set: ValueMap): Claims {
  const claims = emptyRecord()
  for (const name in set) {
    const value = set[name]
    if (value !== undefined && !heldApart.has(name)) claims[name] = value
  }
  return claims
}

function time(set: ValueMap, claim: 'exp' | 'nbf' | 'iat'): number | undefined {
  const value = set[claim]
  if (value === undefined || typeof value === 'number') return value
  throw wrong(claim, 'a NumericDate')
}

function audience(value: Value | undefined): readonly string[] {
  if (value === undefined) return []
  const list = isList(value) ? value : [value]
  if (list.length === 0 || list.length > MAX_AUDIENCES) throw wrong('aud', `one to ${MAX_AUDIENCES} values`)
  return list.map((entry) => {
    if (entry === '') throw wrong('aud', 'text that is not empty')
    return stringOrUri('aud', entry)
  })
}

// RFC 6749 §3.3: tokens of visible ASCII but `"` and `\`, one space between them.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

function scope(value: Value | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (value === '') return []
  if (typeof value !== 'string' || !SCOPE.test(value)) throw wrong('scope', 'scope tokens with one space between them')
  return value.split(' ')
}

function identifier(set: ValueMap): string | undefined {
  const { jti } = set
  if (jti === undefined) return undefined
  if (typeof jti !== 'string' || jti === '') throw wrong('jti', 'text that is not empty')
  return jti
}
