import { DragomanError } from '../../core/errors.ts'
import type { PublicKey } from '../../core/keys.ts'
import type { Confirmation } from '../../core/token.ts'
import { fromBase64url, toBase64url } from '../../wire/base64url.ts'
import { type CborLabel, type CborMap, type CborValue, isCborMap } from '../../wire/cbor.ts'
import type { Encodable } from '../../wire/cbor-encode.ts'
import { publicKeyFromCoseKey } from '../../wire/cose-key.ts'
import { coseKeyOf, coseThumbprint } from '../../wire/cose-key-write.ts'

/**
 * Confirmation methods (RFC 8747 §3.1, RFC 9679 §6, CTA-5007 for `jkt`). A certificate's thumbprint has none, so it
 * goes under the JWT name (RFC 8705 §3.1), as bytes; some write `jkt` that way too, as text.
 */
const COSE_KEY = 1
const KID = 3
const CKT = 5
const JKT = 323
const JKT_TEXT = 'jkt'
const X5T_S256 = 'x5t#S256'

const METHODS: ReadonlySet<CborLabel> = new Set([COSE_KEY, KID, CKT, JKT, JKT_TEXT, X5T_S256])
/**
 * Bindings that cannot be carried on: an encrypted key (2), an OSCORE context (4), and those under the names that they
 * have in a JWT.
 */
const NOT_CARRIED: ReadonlySet<CborLabel> = new Set([2, 4, 'jwk', 'jwe', 'jku', 'osc'])

const refuse = (expected: string, cause?: unknown): DragomanError =>
  new DragomanError('ERR_TOKEN_CONFIRMATION', { cause, detail: { expected } })

/**
 * What a CWT's `cnf` says.
 *
 * Checks: there is a key or a thumbprint, since a key's name alone is known to its issuer only; the key is public;
 * thumbprints fit the key; no registered method stands beside them that cannot be carried on. Other members are ignored,
 * as RFC 8747 wants it, and named. Several thumbprints without the key cannot be compared: the presenter then has to
 * prove each.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CONFIRMATION`
 */
export function readConfirmation(cnf: CborValue): Confirmation {
  if (!isCborMap(cnf)) throw refuse('cnf as a map')
  // A binding that is passed over is a binding lost.
  if ([...cnf.keys()].some((method) => NOT_CARRIED.has(method))) {
    throw refuse('no confirmation methods but those we carry on')
  }
  const publicKey = keyIn(cnf.get(COSE_KEY))
  const jkt = thumbprint(cnf, JKT)
  const jktText = textThumbprint(cnf.get(JKT_TEXT))
  const confirmation: Confirmation = {
    publicKey,
    jkt: jkt ?? jktText ?? publicKey?.jkt,
    ckt: thumbprint(cnf, CKT),
    x5tS256: thumbprint(cnf, X5T_S256),
  }
  if (jkt !== undefined && jktText !== undefined && jkt !== jktText) throw refuse('one key')
  if (!Object.values(confirmation).some((method) => method !== undefined)) throw refuse('a key or its thumbprint')
  if (publicKey) assertSameKey(confirmation, publicKey)
  const ignored = [...cnf.keys()].filter((member) => !METHODS.has(member)).map(String)
  return ignored.length === 0 ? confirmation : { ...confirmation, ignored }
}

function keyIn(value: CborValue | undefined): PublicKey | undefined {
  if (value === undefined) return undefined
  try {
    return publicKeyFromCoseKey(value)
  } catch (cause) {
    const expected = cause instanceof DragomanError ? cause.detail['expected'] : undefined
    throw refuse(typeof expected === 'string' ? expected : 'a public COSE_Key', cause)
  }
}

function thumbprint(cnf: CborMap, method: CborLabel): string | undefined {
  const bytes = cnf.get(method)
  if (bytes === undefined) return undefined
  if (!(bytes instanceof Uint8Array) || bytes.length !== 32) throw refuse(`method ${method} as 32 bytes`)
  return toBase64url(bytes)
}

function textThumbprint(text: CborValue | undefined): string | undefined {
  if (text === undefined) return undefined
  if (typeof text !== 'string' || fromBase64url(text)?.length !== 32) throw refuse('jkt as base64url of 32 bytes')
  return text
}

function assertSameKey({ jkt, ckt }: Confirmation, key: PublicKey): void {
  if (jkt !== undefined && jkt !== key.jkt) throw refuse('one key')
  if (ckt !== undefined && ckt !== coseThumbprint(key)) throw refuse('one key')
}

/**
 * `cnf` for a CWT. A known key goes whole, which says all that its thumbprints would; a certificate's thumbprint always
 * goes too, since it binds to more than the key.
 */
export function writeConfirmation({ publicKey, jkt, ckt, x5tS256 }: Confirmation): Map<CborLabel, Encodable> {
  const cnf = new Map<CborLabel, Encodable>()
  if (publicKey) cnf.set(COSE_KEY, coseKeyOf(publicKey))
  if (!publicKey && jkt !== undefined) cnf.set(JKT, Buffer.from(jkt, 'base64url'))
  if (!publicKey && ckt !== undefined) cnf.set(CKT, Buffer.from(ckt, 'base64url'))
  if (x5tS256 !== undefined) cnf.set(X5T_S256, Buffer.from(x5tS256, 'base64url'))
  return cnf
}
