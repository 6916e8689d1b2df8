import { coseAlgorithm } from '../../core/algorithms.ts'
import { DragomanError } from '../../core/errors.ts'
import { type CborLabel, type CborValue, decodeCbor, isCborMap } from '../../wire/cbor.ts'
import { coseTag, parseCose } from '../../wire/cose.ts'
import { claimLine, NOT_VERIFIED } from './lines.ts'

/** RFC 8392 §4, RFC 8747 §7, RFC 9200: the claim keys in words. */
const CLAIMS: { readonly [key: string]: string } = {
  1: 'iss',
  2: 'sub',
  3: 'aud',
  4: 'exp',
  5: 'nbf',
  6: 'iat',
  7: 'cti',
  8: 'cnf',
  9: 'scope',
}

const HEADERS: { readonly [label: string]: string } = {
  1: 'alg',
  2: 'crit',
  3: 'content type',
  4: 'kid',
  15: 'CWT claims',
  16: 'typ',
  33: 'x5chain',
  34: 'x5t',
}

/** A COSE message with a claims map, or another CBOR item. `undefined`: not CBOR. */
export function readCose(bytes: Uint8Array, now: number): readonly string[] | undefined {
  const first = bytes[0] ?? 0
  // Major types 4, 5 and 6: an array, a map or a tag. Anything else is not a token, and may be any text.
  if (first >> 5 < 4 || first >> 5 > 6) return undefined
  try {
    const message = parseCose(bytes, { untagged: 'sign1', several: true })
    const payload = decodeCbor(message.payload, { tags: [coseTag.uri] })
    return [
      `${message.kind === 'sign1' ? 'COSE_Sign1' : 'COSE_Sign'}, ${NOT_VERIFIED}`,
      ...message.signatures.flatMap(({ headers, signature }) => [
        'protected header',
        ...entries(headers.protected, HEADERS, now),
        ...(headers.unprotected.size > 0 ? ['unprotected header', ...entries(headers.unprotected, HEADERS, now)] : []),
        `signature: ${signature.length} bytes`,
      ]),
      ...(isCborMap(payload) ? ['claims', ...entries(payload, CLAIMS, now)] : ['payload: not a claims map']),
    ]
  } catch (error) {
    if (!(error instanceof DragomanError) || first >> 5 !== 5) throw error
    const item = decodeCbor(bytes, { tags: [coseTag.uri] })
    return isCborMap(item) ? ['CBOR map without a signature', ...entries(item, CLAIMS, now)] : undefined
  }
}

const entries = (
  items: ReadonlyMap<CborLabel, CborValue>,
  names: { readonly [label: string]: string },
  now: number,
): readonly string[] =>
  [...items].map(([label, value]) => claimLine(names[label] ?? String(label), shown(label, value, names), now))

function shown(label: CborLabel, value: CborValue, names: object): unknown {
  if (names === HEADERS && label === 1 && typeof value === 'number') return coseAlgorithm(value)?.name ?? value
  if (names === HEADERS && label === 4 && value instanceof Uint8Array) return text(value) ?? value
  return value
}

function text(bytes: Uint8Array): string | undefined {
  const decoded = Buffer.from(bytes).toString('utf8')
  return /^[\x21-\x7e]+$/.test(decoded) ? decoded : undefined
}
