import { actDepth } from '../../core/act.ts'
import type { Loss } from '../../core/codec.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Draft } from '../../core/token.ts'
import { type Claims, isBytes, isList, isMap, map, sameValue, type Value } from '../../core/value.ts'
import { toBase64url } from '../../wire/base64url.ts'
import { type CborValue, decodeCborMap, Float, isCborArray, isCborMap, Tagged } from '../../wire/cbor.ts'
import { encodeCbor } from '../../wire/cbor-encode.ts'
import { contentOf, inside, malformed, readDer, readSmallInteger, tags } from '../../wire/der.ts'
import { der, octetString, sequence, smallInteger } from '../../wire/der-write.ts'
import type { Extension } from '../../wire/extensions.ts'
import { parseJsonObject } from '../../wire/json.ts'

/**
 * OID of the claims extension: what a token says and a certificate has no field for. A UUID arc needs no registration.
 *
 * `SEQUENCE { version INTEGER (1), format ENUMERATED { cbor(0), json(1) }, data OCTET STRING }`. Either way `data` is
 * one record under JWT claim names as text: deterministic CBOR (RFC 8949 §4.2.1), or JSON in UTF-8.
 */
export const CLAIMS_EXTENSION = '2.25.186185075189989810386854512005693839154'

// A header field of 8 KiB has to hold the whole certificate in base64.
const MAX_EXTENSION_BYTES = 4096

const VERSION = 1
const FORMATS = { cbor: 0, json: 1 } as const
export type ClaimsFormat = keyof typeof FORMATS

/** Names that the certificate's own fields, or the certificate itself, stand for. */
const NATIVE: ReadonlySet<string> = new Set(['sub', 'iss', 'exp', 'nbf', 'iat', 'jti', 'cnf', 'x509'])

/** What a draft says beyond the fields of a certificate, by claim name; and what has no place there. */
export function extensionClaims(draft: Draft): { readonly claims: Claims; readonly losses: readonly Loss[] } {
  const { audience, scope } = draft.validity
  const losses: Loss[] = []
  const entries: [string, Value][] = []
  for (const [name, value] of Object.entries(draft.claims)) {
    if (!NATIVE.has(name)) entries.push([name, value])
    else if (name !== 'sub') losses.push({ claim: name, became: 'lost', reason: 'the certificate says this itself' })
  }
  if (audience.length > 0) entries.push(['aud', audience.length === 1 ? (audience[0] ?? '') : audience])
  if (scope) entries.push(['scope', scope.join(' ')])
  for (const { name, place, value } of draft.embedded) {
    if (place === 'header') losses.push({ claim: name, became: 'lost', reason: 'a certificate has no header' })
    else if (NATIVE.has(name) || entries.some(([taken]) => taken === name)) {
      throw new DragomanError('ERR_PROFILE_RENDERING', {
        detail: { claim: name, expected: 'another name for the embedded token' },
      })
    } else entries.push([name, value])
  }
  return { claims: map(entries), losses }
}

/**
 * The value of the claims extension. Bytes become base64url text where the format is JSON, which is a loss.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_TOO_LARGE`
 */
export function writeClaims(
  claims: Claims,
  format: ClaimsFormat,
): { readonly value: Buffer; readonly losses: readonly Loss[] } {
  const losses: Loss[] = []
  let data: Uint8Array
  if (format === 'cbor') {
    data = encodeCbor(claims)
  } else {
    const plain: [string, Value][] = Object.entries(claims).map(([claim, value]) => {
      if (!holdsBytes(value)) return [claim, value]
      losses.push({ claim, became: 'converted', reason: 'JSON has no bytes: they became base64url text' })
      return [claim, asText(value)]
    })
    data = Buffer.from(JSON.stringify(map(plain)), 'utf8')
  }
  const value = sequence(smallInteger(VERSION), der(tags.enumerated, Uint8Array.of(FORMATS[format])), octetString(data))
  if (value.length > MAX_EXTENSION_BYTES) {
    throw new DragomanError('ERR_TOKEN_TOO_LARGE', {
      detail: { expected: `claims of at most ${MAX_EXTENSION_BYTES} bytes`, actual: value.length },
    })
  }
  return { value, losses }
}

function holdsBytes(value: Value): boolean {
  if (isBytes(value)) return true
  if (isList(value)) return value.some(holdsBytes)
  return isMap(value) && Object.values(value).some(holdsBytes)
}

function asText(value: Value): Value {
  if (isBytes(value)) return toBase64url(value)
  if (isList(value)) return value.map(asText)
  return isMap(value) ? map(Object.entries(value).map(([name, item]) => [name, asText(item)] as const)) : value
}

/** What a claims extension says, sorted into the places of a token. */
export interface ExtensionClaims {
  readonly claims: Claims
  readonly audience: readonly string[]
  readonly scope: readonly string[] | undefined
}

/**
 * Reads a claims extension for a token.
 *
 * `native` holds what the fields of the certificate say: a claim of the same name must say the same.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_TOO_LARGE`, `ERR_TOKEN_DUPLICATE` also where the
 * extension contradicts the certificate, `ERR_TOKEN_CLAIM`, `ERR_TOKEN_ACT`
 */
export function readClaims(extension: Pick<Extension, 'value'>, native: Claims): ExtensionClaims {
  const { aud, scope, ...rest } = readExtension(extension)
  const contradiction = Object.keys(rest).find((name) => NATIVE.has(name) && !sameValue(rest[name], native[name]))
  if (contradiction !== undefined) {
    throw new DragomanError('ERR_TOKEN_DUPLICATE', {
      detail: { claim: contradiction, expected: 'no claim that the certificate itself makes' },
    })
  }
  actDepth(rest['act'])
  return {
    claims: map(Object.entries(rest).filter(([name]) => !NATIVE.has(name))),
    audience: audienceOf(aud),
    scope: scopeOf(scope),
  }
}

/**
 * The claims in a claims extension as they stand there, `aud` and `scope` among them.
 *
 * Does NOT compare them with the certificate: {@link readClaims} does.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_TOO_LARGE`, `ERR_TOKEN_DUPLICATE`
 */
function readExtension({ value }: Pick<Extension, 'value'>): Claims {
  if (value.length > MAX_EXTENSION_BYTES) {
    throw new DragomanError('ERR_TOKEN_TOO_LARGE', {
      detail: { expected: `claims of at most ${MAX_EXTENSION_BYTES} bytes` },
    })
  }
  const reader = inside(readDer(value, tags.sequence, 'a claims extension'))
  const version = readSmallInteger(reader.take(tags.integer, 'a version'))
  const format = contentOf(reader.take(tags.enumerated, 'a format'))
  const data = contentOf(reader.take(tags.octetString, 'claims'))
  reader.finish('a claims extension')
  if (version !== VERSION) throw malformed(`version ${VERSION} of the claims extension`)
  if (format.length === 1 && format[0] === FORMATS.json) return parseJsonObject(data)
  if (format.length !== 1 || format[0] !== FORMATS.cbor) throw malformed('claims in cbor(0) or json(1)')
  const claims = neutral(decodeCborMap(data))
  if (!isMap(claims)) throw malformed('a record of claims')
  return claims
}

// A record with such a member is not what it seems to code that does not expect it.
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

function neutral(value: CborValue): Value {
  if (value instanceof Float) return value.value
  if (value instanceof Tagged) throw malformed('claims without tags')
  if (isCborArray(value)) return value.map(neutral)
  if (!isCborMap(value)) return value
  return map(
    [...value].map(([name, item]) => {
      if (typeof name !== 'string' || FORBIDDEN.has(name)) throw malformed('claims under names')
      return [name, neutral(item)] as const
    }),
  )
}

const wrongType = (claim: string, expected: string) =>
  new DragomanError('ERR_TOKEN_CLAIM', { detail: { claim, expected } })

function audienceOf(aud: Value | undefined): readonly string[] {
  if (aud === undefined) return []
  const list = isList(aud) ? aud : [aud]
  return list.map((audience) => {
    if (typeof audience !== 'string') throw wrongType('aud', 'text, or a list of text')
    return audience
  })
}

function scopeOf(scope: Value | undefined): readonly string[] | undefined {
  if (scope === undefined) return undefined
  if (typeof scope !== 'string') throw wrongType('scope', 'text')
  return scope === '' ? [] : scope.split(' ')
}
