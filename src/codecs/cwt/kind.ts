import { DragomanError } from '../../core/errors.ts'
import { type CoseHeaders, coseLabel } from '../../wire/cose.ts'

/** The kind of a CWT that says no more of itself than that. */
export const PLAIN = 'cwt'

/** CoAP content-format of application/cwt (RFC 8392 §9.3.1). */
const CWT_CONTENT_FORMAT = 61
const MAX_CONTENT_FORMAT = 65_535

const APPLICATION = 'application/'

const CONTENT_FORMAT = /^cf:(0|[1-9]\d{0,4})$/
// RFC 6838 §4.2: two restricted names; the first is left out when it is `application`.
const MEDIA_TYPE = /^(?:[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/)?[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/

const wrong = (expected: string): DragomanError =>
  new DragomanError('ERR_TOKEN_HEADER', { detail: { member: 'typ', expected } })

/**
 * The explicit type of a message (RFC 9596): a media type in lower case without `application/`, or `cf:` and the
 * number of a CoAP content-format; `cwt` for application/cwt in either form. `undefined` when it has none.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_HEADER` when it is unprotected or neither
 */
export function kindOf({ protected: map, unprotected }: CoseHeaders): string | undefined {
  if (unprotected.has(coseLabel.typ)) throw wrong('typ in the protected bucket')
  const typ = map.get(coseLabel.typ)
  if (typ === undefined) return undefined
  if (typ === CWT_CONTENT_FORMAT) return PLAIN
  if (typeof typ === 'number' && contentFormat(`cf:${typ}`) === typ) return `cf:${typ}`
  const kind = typeof typ === 'string' ? shortened(typ) : ''
  if (!MEDIA_TYPE.test(kind)) throw wrong('a media type or a content-format')
  return kind
}

function shortened(typ: string): string {
  const lower = typ.toLowerCase()
  return lower.startsWith(APPLICATION) ? lower.slice(APPLICATION.length) : lower
}

function contentFormat(kind: string): number | undefined {
  const number = CONTENT_FORMAT.exec(kind)?.[1]
  return number !== undefined && Number(number) <= MAX_CONTENT_FORMAT ? Number(number) : undefined
}

/** Whether a CWT can be of this kind. */
export const isKind = (kind: string): boolean => contentFormat(kind) !== undefined || MEDIA_TYPE.test(kind)

/** The value of the header parameter `typ` for a kind; `undefined`: the plain kind, which goes without. */
export function typOf(kind: string | undefined): string | number | undefined {
  if (kind === undefined || kind === PLAIN) return undefined
  return contentFormat(kind) ?? (kind.includes('/') ? kind : APPLICATION + kind)
}
