import { actDepth } from '../../core/act.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Validity } from '../../core/token.ts'
import { type Claims, emptyRecord, type Value, type ValueMap } from '../../core/value.ts'
import { type CborMap, type CborValue, Float, isCborArray, isCborMap, sameCbor, Tagged } from '../../wire/cbor.ts'
import { coseTag } from '../../wire/cose.ts'
import { assertMemberName, assertRegisteredType, claimKey, nameOfKey, ownKey } from './names.ts'

// More audiences than any system of ours could want to serve with one token.
const MAX_AUDIENCES = 32

/** A claims set under neutral names. */
export interface ClaimsSet {
  readonly issuer: string
  readonly claims: Claims
  readonly validity: Validity
  readonly cti: Uint8Array | undefined
  /** As it stands: reading the key in it is work that an unsigned token does not get. */
  readonly cnf: CborValue | undefined
}

const wrong = (claim: string | number, expected: string): DragomanError =>
  new DragomanError('ERR_TOKEN_CLAIM', { detail: { claim, expected } })

/**
 * The claims of a CWT (RFC 8392 §3), by name.
 *
 * `replica` is the protected header parameter CWT Claims (RFC 9597): a claim that is in both has to be the same, one
 * that is there alone counts, since it is signed as well. Checks the types of registered claims, that `iss` is there,
 * the shape of `act`, and that no name is produced twice. Dates are untagged (RFC 8392 §2). Does NOT compare any time
 * with the clock, nor does it look into `cnf`.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CLAIM`, `ERR_TOKEN_DUPLICATE`, `ERR_TOKEN_HEADER`, `ERR_TOKEN_ACT`
 */
export function readClaims(payload: CborMap, replica: CborMap | undefined): ClaimsSet {
  const set = replica ? merged(payload, replica) : payload
  const issuer = stringOrUri(set, 'iss')
  if (issuer === undefined) throw wrong('iss', 'an issuer')
  stringOrUri(set, 'sub')
  const claims = named(set)
  actDepth(claims['act'])
  return {
    issuer,
    claims,
    validity: {
      issuedAt: time(set, 'iat'),
      notBefore: time(set, 'nbf'),
      expiresAt: time(set, 'exp'),
      audience: audience(set.get(claimKey.aud)),
      scope: scope(set.get(claimKey.scope)),
    },
    cti: identifier(set.get(claimKey.cti)),
    cnf: set.get(claimKey.cnf),
  }
}

function merged(payload: CborMap, replica: CborMap): CborMap {
  for (const [key, value] of replica) {
    if (payload.has(key) && !sameCbor(payload.get(key), value)) {
      throw new DragomanError('ERR_TOKEN_HEADER', {
        detail: { member: 'CWT Claims', claim: key, expected: 'the same value as in the payload' },
      })
    }
  }
  return new Map([...payload, ...replica])
}

const HELD_APART: ReadonlySet<unknown> = new Set(Object.values(claimKey).filter((key) => key !== claimKey.sub))

function named(set: CborMap): Claims {
  const claims = emptyRecord()
  for (const [key, item] of set) {
    if (HELD_APART.has(key)) continue
    const own = ownKey(key)
    const name = key === claimKey.sub ? 'sub' : own !== undefined && set.has(own) ? undefined : nameOfKey(key)
    if (name === undefined || name in claims) {
      throw new DragomanError('ERR_TOKEN_DUPLICATE', { detail: { claim: key, expected: 'each claim under one key' } })
    }
    const value = neutral(item, name)
    assertRegisteredType(key, value)
    claims[name] = value
  }
  return claims
}

function neutral(item: CborValue, claim: string): Value {
  if (isCborArray(item)) return item.map((entry) => neutral(entry, claim))
  if (isCborMap(item)) return record(item, claim)
  if (item instanceof Float) {
    if (!Number.isSafeInteger(item.value)) throw wrong(claim, 'numbers within ±(2^53-1) or with a fraction')
    return item.value
  }
  if (item instanceof Tagged) {
    // RFC 8949 §3.4.5.3: a URI is text, which is all that a claim says of it. The reader lets no other tag pass.
    if (typeof item.value !== 'string') throw wrong(claim, 'a URI as text')
    return item.value
  }
  return item
}

function record(map: CborMap, claim: string): ValueMap {
  const members = emptyRecord()
  for (const [name, item] of map) {
    if (typeof name !== 'string') throw wrong(claim, 'text keys in a map')
    assertMemberName(name)
    members[name] = neutral(item, claim)
  }
  return members
}

function stringOrUri(set: CborMap, claim: 'iss' | 'sub'): string | undefined {
  const value = set.get(claimKey[claim])
  return value === undefined ? undefined : checkedStringOrUri(value, claim)
}

// RFC 8392 §2: with a colon it must be a URI. The field writes things like `repo:a/b:ref:c`, so that it has none of
// what no URI has is all that is asked.
const NOT_IN_URI = /[\s\p{Cc}]/u

function checkedStringOrUri(value: CborValue, claim: string): string {
  if (typeof value !== 'string') throw wrong(claim, 'text')
  if (value.includes(':') && NOT_IN_URI.test(value)) throw wrong(claim, 'a URI, since it has a colon')
  return value
}

function time(set: CborMap, claim: 'exp' | 'nbf' | 'iat'): number | undefined {
  const item = set.get(claimKey[claim])
  if (item === undefined) return undefined
  const seconds = item instanceof Float ? item.value : item
  if (typeof seconds !== 'number' || Math.abs(seconds) > Number.MAX_SAFE_INTEGER) throw wrong(claim, 'a NumericDate')
  return seconds
}

function audience(value: CborValue | undefined): readonly string[] {
  if (value === undefined) return []
  const list = isCborArray(value) ? value : [value]
  if (list.length === 0 || list.length > MAX_AUDIENCES) throw wrong('aud', `one to ${MAX_AUDIENCES} values`)
  return list.map((entry) => {
    if (entry === '') throw wrong('aud', 'text that is not empty')
    return checkedStringOrUri(entry, 'aud')
  })
}

// RFC 6749 §3.3: tokens of visible ASCII but `"` and `\`, one space between them.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

function scope(value: CborValue | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (value === '') return []
  // RFC 9200 §5.8.1 lets it be bytes, in a language of their own; that is not this one.
  if (typeof value !== 'string' || !SCOPE.test(value)) throw wrong('scope', 'scope tokens with one space between them')
  return value.split(' ')
}

function identifier(value: CborValue | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined
  if (!(value instanceof Uint8Array) || value.length === 0) throw wrong('cti', 'bytes')
  return value
}

/** The one tag that a claim may have. */
export const CLAIM_TAGS: readonly number[] = [coseTag.uri]
