import { DragomanError } from '../../core/errors.ts'
import type { PublicKey } from '../../core/keys.ts'
import type { Confirmation } from '../../core/token.ts'
import { isMap, map, type Value, type ValueMap } from '../../core/value.ts'
import { fromBase64url } from '../../wire/base64url.ts'
import { publicKeyFromJwk } from '../../wire/jwk.ts'

const JWK = 'jwk'
const JKT = 'jkt'
const X5T_S256 = 'x5t#S256'
/** The key's name says nothing that could be proved, so it may only stand beside what does. */
const KID = 'kid'

const METHODS: ReadonlySet<string> = new Set([JWK, JKT, X5T_S256, KID])
/** Registered, and bindings that cannot be carried on: an encrypted key, keys behind a URL, an OSCORE context. */
const NOT_CARRIED: ReadonlySet<string> = new Set(['jwe', 'jku', 'osc'])

const SHA256_BYTES = 32

const refuse = (expected: string): DragomanError =>
  new DragomanError('ERR_TOKEN_CONFIRMATION', { detail: { expected } })

/**
 * What a JWT's `cnf` says (RFC 7800 §3.1, RFC 8705 §3.1, RFC 9449 §6.1).
 *
 * Checks: there is a key or a thumbprint; the key is public; `jkt` is the thumbprint of the key; no registered method
 * stands beside it that cannot be carried on, since a binding that is passed over is a binding lost. Other members are
 * ignored, as RFC 7800 wants it, and named. Whether a certificate's thumbprint is of the same key cannot be seen here:
 * the presenter has to prove both.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CONFIRMATION`
 */
export function readConfirmation(cnf: Value): Confirmation {
  if (!isMap(cnf)) throw refuse('cnf as an object')
  if (Object.keys(cnf).some((method) => NOT_CARRIED.has(method))) {
    throw refuse('no confirmation method but jwk, jkt and x5t#S256')
  }
  const publicKey = cnf[JWK] === undefined ? undefined : publicJwk(cnf[JWK])
  const jkt = thumbprint(cnf, JKT)
  const x5tS256 = thumbprint(cnf, X5T_S256)
  if (publicKey === undefined && jkt === undefined && x5tS256 === undefined) throw refuse('jwk, jkt or x5t#S256')
  if (publicKey !== undefined && jkt !== undefined && jkt !== publicKey.jkt) throw refuse('jkt of the key in jwk')
  const ignored = Object.keys(cnf).filter((member) => !METHODS.has(member))
  return { publicKey, jkt: jkt ?? publicKey?.jkt, x5tS256, ...(ignored.length > 0 && { ignored }) }
}

function publicJwk(jwk: Value): PublicKey {
  try {
    return publicKeyFromJwk(jwk)
  } catch (error) {
    const expected = error instanceof DragomanError ? error.detail['expected'] : undefined
    throw refuse(typeof expected === 'string' ? expected : 'a public JWK')
  }
}

function thumbprint(cnf: ValueMap, method: string): string | undefined {
  const text = cnf[method]
  if (text === undefined) return undefined
  if (typeof text === 'string' && fromBase64url(text)?.length === SHA256_BYTES) return text
  throw refuse(`${method} as base64url of ${SHA256_BYTES} bytes`)
}

/**
 * `cnf` for a JWT: the thumbprint of the key where the key or its thumbprint is known, and that of the certificate.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CONFIRMATION` for a key known by its COSE thumbprint only: no JWT member
 * carries it, and a binding is never dropped
 */
export function writeConfirmation({ publicKey, jkt, x5tS256, ckt }: Confirmation): ValueMap {
  // RFC 8705 §3.1 knows a certificate's binding by one member; `jkt` beside it would ask for a DPoP proof as well.
  const thumbprintOfKey = jkt ?? (x5tS256 === undefined ? publicKey?.jkt : undefined)
  if (thumbprintOfKey === undefined && (ckt !== undefined || x5tS256 === undefined)) {
    throw refuse('a key, its JWK thumbprint or that of its certificate, to be written in a JWT')
  }
  const cnf: [string, string][] = []
  if (thumbprintOfKey !== undefined) cnf.push([JKT, thumbprintOfKey])
  if (x5tS256 !== undefined) cnf.push([X5T_S256, x5tS256])
  return map(cnf)
}
