import { DragomanError } from '../core/errors.ts'
import type { Exchange, TokenRequest } from '../core/exchange.ts'
import type { Draft } from '../core/token.ts'
import { isList, isMap, type Value } from '../core/value.ts'

/**
 * Refuses a draft in which a presented token stands, whole or with its signature: a client could have put it into what it
 * tells of its call (transaction tokens §13.4). Looked for where a client tells something, in every claim; in a transaction
 * token always, and in what is embedded too, which elsewhere is a stage's own doing.
 *
 * Found too where it was encoded once more, as logs and headers do: base64 and base64url at any offset, hex, folded into
 * lines. Does NOT find what somebody has hidden: turned around, in parts, encoded twice.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_WIDER`
 */
export function assertCarriesNone({ claims, embedded }: Draft, { request, transaction, profile }: Exchange): void {
  const told = request.request_context !== undefined || request.request_details !== undefined
  if (transaction === undefined && !told) return
  const presented = presentedIn(request)
  const inside = transaction === undefined ? [] : embedded.map(({ value }) => value)
  // A shorter text holds none of them, in whatever encoding: nearly always that is all there is to look at.
  const least = Math.min(...presented.map((one) => unfolded(one).length))
  const text = textsOf([claims, inside], least).join('\n')
  if (text === '' || !presented.some((one) => text.includes(one) || stands(one, text))) return
  throw new DragomanError('ERR_PROFILE_WIDER', {
    detail: {
      rule: 'presented',
      profile: profile.name,
      expected: 'no presented token, nor its signature, in any claim',
    },
  })
}

// A shorter text is no signature, and could stand anywhere by chance.
const MIN_SIGNATURE = 24

/** Every text in a value, names of members too, that has at least so many characters. */
function textsOf(value: Value, least: number): readonly string[] {
  if (typeof value === 'string') return value.length < least ? [] : [value]
  if (isList(value)) return value.flatMap((item) => textsOf(item, least))
  if (!isMap(value)) return []
  return Object.entries(value).flatMap(([name, item]) => [...textsOf(name, least), ...textsOf(item, least)])
}

/** In another encoding, or in lines; base64 has two alphabets, and JSON may have been put into a text once more. */
function stands(one: string, text: string): boolean {
  if (one.length < MIN_SIGNATURE) return false
  const plain = unfolded(text)
  if (plain.includes(unfolded(one)) || OFFSETS.some((offset) => plain.includes(base64At(offset, one)))) return true
  const lower = plain.toLowerCase()
  const hex = [Buffer.from(one), Buffer.from(one, 'base64url')].map((bytes) => bytes.toString('hex'))
  return hex.some((digits) => digits.length >= MIN_SIGNATURE && lower.includes(digits))
}

const unfolded = (text: string): string =>
  text
    .replace(/\\[nrt]|\s/g, '')
    .replaceAll('+', '-')
    .replaceAll(/\\?\//g, '_')

// Three bytes are four characters, so that a text looks like one of three wherever it begins.
const OFFSETS = [0, 1, 2] as const

/** The characters of base64url that are of this text alone, when as many bytes are before it. */
function base64At(offset: number, text: string): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]).toString('base64url')
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + Buffer.byteLength(text)) * 8) / 6))
}

/** What would give a presented token away: its signature where it has one at its end, or else all of it. */
function presentedIn({ subject_token, actor_token, client_assertion }: TokenRequest): readonly string[] {
  return [subject_token, actor_token, client_assertion].flatMap((raw) => {
    if (raw === undefined) return []
    const signature = raw.slice(raw.lastIndexOf('.') + 1)
    if (signature.length >= MIN_SIGNATURE && /^[\w-]+$/.test(signature)) return [signature]
    return [raw.trim()]
  })
}
