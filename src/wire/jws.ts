import { type Algorithm, algorithmNamed } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import { recent } from '../core/recent.ts'
import { isList, isMap, map, type Value, type ValueMap } from '../core/value.ts'
import { fromBase64url } from './base64url.ts'
import { JSON_LIMITS, type JsonLimits, parseJsonObject } from './json.ts'

/** The header of one signature: registered members have their types, and none is critical. */
export interface JwsHeader {
  /** Every member. `jwk`, `jku`, `x5u` and `x5c` among them find no key; see DPoP for the one that asks for `jwk`. */
  readonly members: ValueMap
  readonly alg: string
  /** The row for `alg`; `undefined`: none that we know, as for `none` and the symmetric ones. */
  readonly algorithm: Algorithm | undefined
  readonly kid: string | undefined
  /** As written. */
  readonly typ: string | undefined
}

/** A JSON Web Signature with one signature (RFC 7515), read and not believed. */
export interface Jws {
  readonly header: JwsHeader
  readonly signingInput: Buffer
  readonly payload: Buffer
  readonly signature: Buffer
}

export interface JwsOptions {
  /** Reads protected headers; by default each is read anew. */
  readonly headers?: HeaderReader | undefined
  readonly limits?: JwsLimits | undefined
}

export interface JwsLimits {
  /** Characters of the whole text. */
  readonly characters: number
  readonly header: JsonLimits
}

// The largest signature, 16 KiB of claims and a header with certificates fit; so does one request body.
const MAX_CHARACTERS = 65_536
// A chain of three ML-DSA certificates in `x5c` is the largest header of the field.
const HEADER_LIMITS: JsonLimits = { ...JSON_LIMITS, bytes: 32_768, depth: 8, items: 256, text: 16_384 }

export const JWS_LIMITS: JwsLimits = { characters: MAX_CHARACTERS, header: HEADER_LIMITS }

/**
 * Reads the compact serialization (RFC 7515 §7.1).
 *
 * Checks: exactly three parts, each the one base64url text of its bytes; the protected header as {@link JwsHeader}
 * says. Does NOT check the signature, nor that the algorithm is one we know, nor what the payload holds.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_DUPLICATE`, `ERR_TOKEN_TOO_LARGE`, `ERR_TOKEN_HEADER`
 */
export function parseCompact(text: string, { headers, limits = JWS_LIMITS }: JwsOptions = {}): Jws {
  assertLength(text, limits)
  const first = text.indexOf('.')
  const second = text.indexOf('.', first + 1)
  if (first < 0 || second < 0 || text.includes('.', second + 1)) {
    throw malformed('three parts with dots between them: a signed token, not an encrypted one')
  }
  const encoded = text.slice(0, first)
  return {
    header: headers ? headers(encoded) : protectedHeader(encoded, limits.header),
    payload: decoded(text.slice(first + 1, second), 'payload'),
    signature: decoded(text.slice(second + 1), 'signature'),
    // All of it is base64url by now, so one byte for each character.
    signingInput: Buffer.from(text.slice(0, second), 'latin1'),
  }
}

/**
 * Reads the JSON serialization (RFC 7515 §7.2), flattened or general, with exactly one signature: what several say
 * together is for whoever asks for them, since each can be taken off.
 *
 * What decides how the token is read (`alg`, `typ`, `cty`) must be protected. `kid` need not: it only selects.
 *
 * @throws {@link DragomanError} as {@link parseCompact}; `ERR_TOKEN_DUPLICATE` also for a member in both headers
 */
export function parseJsonJws(text: string, { headers, limits = JWS_LIMITS }: JwsOptions = {}): Jws {
  assertLength(text, limits)
  const { depth, items } = limits.header
  // One level for the token, one for its signatures, one for each of them.
  const outer: JsonLimits = { bytes: limits.characters, depth: depth + 3, items, text: limits.characters }
  const whole = parseJsonObject(text, outer)
  const part = onlySignature(whole)
  if (part['protected'] === undefined) throw wrongMember('alg', 'text, in the protected header')
  const encoded = base64urlMember(part, 'protected')
  const payload = base64urlMember(whole, 'payload')
  const header = headers ? headers(encoded) : protectedHeader(encoded, limits.header)
  return {
    header: part['header'] === undefined ? header : withUnprotected(header, part['header']),
    payload: decoded(payload, 'payload'),
    signature: decoded(base64urlMember(part, 'signature'), 'signature'),
    signingInput: Buffer.from(`${encoded}.${payload}`, 'latin1'),
  }
}

/** Gives the header that a protected part holds. @throws as {@link parseCompact} */
export type HeaderReader = (encoded: string) => JwsHeader

// An issuer has one header for each of its keys. Longer ones hold certificates or a key, and seldom come back.
const CACHED_HEADERS = 256
const CACHED_CHARACTERS = 1024

/**
 * A reader that remembers what it has read: tokens of one issuer and key have one header, and parsing it takes about
 * as long as parsing the claims. Nothing is believed for being remembered.
 */
export function headerReader(limits: JsonLimits = HEADER_LIMITS): HeaderReader {
  const known = recent<JwsHeader>(CACHED_HEADERS)
  return (encoded) => {
    const found = known.find(encoded)
    if (found) return found
    const header = protectedHeader(encoded, limits)
    if (encoded.length <= CACHED_CHARACTERS) known.keep(ownText(encoded), header)
    return header
  }
}

/** A copy of a part of a token, since a slice would keep the whole of it in memory. */
export const ownText = (part: string): string => Buffer.from(part, 'latin1').toString('latin1')

const malformed = (expected: string): DragomanError =>
  new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected } })

const wrongMember = (member: string, expected: string): DragomanError =>
  new DragomanError('ERR_TOKEN_HEADER', { detail: { member, expected } })

function assertLength(text: string, { characters }: JwsLimits): void {
  if (text.length <= characters) return
  throw new DragomanError('ERR_TOKEN_TOO_LARGE', { detail: { expected: `at most ${characters} characters` } })
}

function decoded(text: string, part: string): Buffer {
  const bytes = fromBase64url(text)
  if (!bytes) throw malformed(`the ${part} in base64url without padding, canonical`)
  return bytes
}

function protectedHeader(encoded: string, limits: JsonLimits): JwsHeader {
  return checkedHeader(parseJsonObject(decoded(encoded, 'protected header'), limits))
}

const isText = (value: Value): boolean => typeof value === 'string'
const isTextList = (value: Value): boolean => isList(value) && value.length > 0 && value.every(isText)

/** RFC 7515 §4.1: the types of registered members, those that select nothing here included. */
const TYPES: readonly (readonly [member: string, expected: string, fits: (value: Value) => boolean])[] = [
  ['kid', 'text', isText],
  ['typ', 'text', isText],
  ['cty', 'text', isText],
  ['jku', 'text', isText],
  ['x5u', 'text', isText],
  ['x5t', 'text', isText],
  ['x5t#S256', 'text', isText],
  ['x5c', 'an array of text', isTextList],
  ['jwk', 'an object', isMap],
]

function checkedHeader(members: ValueMap): JwsHeader {
  const { alg, kid, typ } = members
  if (typeof alg !== 'string') throw wrongMember('alg', 'text, in the protected header')
  assertTypes(members)
  // RFC 7515 §4.1.11: we understand no extension, so any critical one refuses, and so does an empty list.
  if (members['crit'] !== undefined) throw wrongMember('crit', 'no critical header')
  // RFC 7797 §7: a JWT is never signed over a payload that is not encoded.
  if (members['b64'] !== undefined && members['b64'] !== true) throw wrongMember('b64', 'an encoded payload')
  return { members, alg, algorithm: algorithmNamed(alg), kid: optionalText(kid), typ: optionalText(typ) }
}

function assertTypes(members: ValueMap): void {
  for (const [member, expected, fits] of TYPES) {
    const value = members[member]
    if (value !== undefined && !fits(value)) throw wrongMember(member, expected)
  }
}

const optionalText = (value: Value | undefined): string | undefined => (typeof value === 'string' ? value : undefined)

function onlySignature(whole: ValueMap): ValueMap {
  const { signatures } = whole
  if (signatures === undefined) return whole
  // RFC 7515 §7.2.2: the flattened form and the general one exclude each other.
  if (['signature', 'protected', 'header'].some((name) => whole[name] !== undefined)) {
    throw malformed('either signatures, or signature and its headers')
  }
  const [only, another] = isList(signatures) ? signatures : []
  if (!isMap(only) || another !== undefined) throw malformed('exactly one signature')
  return only
}

function base64urlMember(part: ValueMap, name: string): string {
  const text = part[name]
  if (typeof text !== 'string') throw malformed(`${name} as text`)
  return text
}

/** An altered one of these would change how the token is read, so it has to be signed. */
const PROTECTED_ONLY = ['alg', 'typ', 'cty', 'crit', 'b64']

function withUnprotected(header: JwsHeader, unprotected: Value): JwsHeader {
  if (!isMap(unprotected)) throw malformed('header as an object')
  const unsigned = PROTECTED_ONLY.find((name) => unprotected[name] !== undefined)
  if (unsigned !== undefined) throw wrongMember(unsigned, 'in the protected header')
  const twice = Object.keys(unprotected).find((name) => name in header.members)
  if (twice !== undefined) {
    throw new DragomanError('ERR_TOKEN_DUPLICATE', { detail: { member: twice, expected: 'in one of the two headers' } })
  }
  assertTypes(unprotected)
  const members = map([...Object.entries(header.members), ...Object.entries(unprotected)])
  return { ...header, members, kid: optionalText(members['kid']) }
}
