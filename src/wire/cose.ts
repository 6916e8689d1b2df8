import { type Algorithm, coseAlgorithm } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import {
  type CborLabel,
  type CborMap,
  type CborValue,
  decodeCbor,
  decodeCborMap,
  isCborArray,
  isCborMap,
  Tagged,
} from './cbor.ts'

/** CBOR tags (RFC 9052 §2, RFC 8392 §6, and `uri` of RFC 8949 §3.4.5.3, as in the header parameter x5u). */
export const coseTag = { sign1: 18, sign: 98, cwt: 61, uri: 32 } as const

/** Header parameter labels (RFC 9052 §3.1, RFC 9596, RFC 9597). */
export const coseLabel = { alg: 1, crit: 2, contentType: 3, kid: 4, cwtClaims: 15, typ: 16 } as const

/** Both header buckets of one layer. No label is in both. */
export interface CoseHeaders {
  readonly protected: CborMap
  readonly unprotected: CborMap
  /** The protected bucket as received, or nothing where it is empty: what a signature covers (RFC 9052 §4.4). */
  readonly protectedBytes: Uint8Array
}

export interface CoseSignature {
  readonly headers: CoseHeaders
  readonly signature: Uint8Array
}

/** A COSE_Sign1 or COSE_Sign message, read and not believed. */
export interface CoseMessage {
  readonly kind: 'sign1' | 'sign'
  readonly headers: CoseHeaders
  readonly payload: Uint8Array
  /** In a COSE_Sign1 the one signature has the headers of the message. */
  readonly signatures: readonly [CoseSignature, ...CoseSignature[]]
}

export interface CoseRules {
  /** What an array without a tag is taken for; by default it is refused, since a COSE_Mac0 looks the same. */
  readonly untagged?: 'sign1' | 'sign'
  /**
   * By default a message with several signatures is refused: any one of them can be taken off, so what they say
   * together is for whoever asks for them. With `true` the caller has to verify every one.
   */
  readonly several?: boolean
  /** Labels that may stand in `crit`, since the caller acts on them. */
  readonly understood?: ReadonlySet<CborLabel>
}

// Each signature costs a verification; no token of the field has more than a classical and a post-quantum one.
const MAX_SIGNATURES = 4

const UNDERSTOOD: ReadonlySet<CborLabel> = new Set([coseLabel.alg, coseLabel.kid])

const malformed = (expected: string, detail: object = {}): DragomanError =>
  new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected, ...detail } })

const badHeader = (member: CborLabel, expected: string): DragomanError =>
  new DragomanError('ERR_TOKEN_HEADER', { detail: { member, expected } })

/**
 * Reads a COSE_Sign1 (tag 18) or COSE_Sign (tag 98), with or without the CWT tag 61 before it (RFC 9052 §4, RFC 8392 §6).
 *
 * Checks the structure, strictly as {@link decodeCbor} does; that no label is repeated or in both buckets; that
 * `crit`, where it is, is protected, not empty, and lists only labels that are protected and understood; that the
 * payload is there. Does NOT check the algorithm: {@link signatureAlgorithm} does; nor any signature.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_DUPLICATE`, `ERR_TOKEN_HEADER`, `ERR_TOKEN_TOO_LARGE`
 */
export function parseCose(bytes: Uint8Array, rules: CoseRules = {}): CoseMessage {
  const { kind, parts } = envelope(decodeCbor(bytes, { tags: Object.values(coseTag) }), rules.untagged)
  const [protectedBytes, unprotected, payload, last] = parts
  if (parts.length !== 4) throw malformed('an array of 4', { actual: parts.length })
  const understood = rules.understood ?? UNDERSTOOD
  const headers = buckets(protectedBytes, unprotected, understood)
  // RFC 9052 §4.1: nil means that the payload travels elsewhere. A token has it inside.
  if (!(payload instanceof Uint8Array)) throw malformed('a payload inside the message')
  if (kind === 'sign1') {
    if (!(last instanceof Uint8Array)) throw malformed('a signature as bytes')
    return { kind, headers, payload, signatures: [{ headers, signature: last }] }
  }
  if (!isCborArray(last)) throw malformed('an array of signatures')
  if (last.length > (rules.several ? MAX_SIGNATURES : 1)) {
    throw malformed(rules.several ? `at most ${MAX_SIGNATURES} signatures` : 'one signature', { actual: last.length })
  }
  const [first, ...others] = last.map((entry) => signature(entry, understood))
  if (!first) throw malformed('a signature')
  return { kind, headers, payload, signatures: [first, ...others] }
}

function envelope(
  outer: CborValue,
  untagged: 'sign1' | 'sign' | undefined,
): { kind: 'sign1' | 'sign'; parts: readonly CborValue[] } {
  let value = outer
  if (value instanceof Tagged && value.tag === coseTag.cwt) {
    // RFC 8392 §6: the CWT tag prefixes a tagged COSE message, never a bare one.
    value = value.value
    if (!(value instanceof Tagged)) throw malformed('a COSE tag after the CWT tag')
  }
  const kind = value instanceof Tagged ? kindOf(value.tag) : untagged
  const parts = value instanceof Tagged ? value.value : value
  if (!kind) throw malformed('COSE_Sign1 (tag 18) or COSE_Sign (tag 98)')
  if (!isCborArray(parts)) throw malformed('a COSE message as an array')
  return { kind, parts }
}

function kindOf(tag: number): 'sign1' | 'sign' | undefined {
  if (tag === coseTag.sign1) return 'sign1'
  return tag === coseTag.sign ? 'sign' : undefined
}

function signature(entry: CborValue, understood: ReadonlySet<CborLabel>): CoseSignature {
  if (!isCborArray(entry) || entry.length !== 3) throw malformed('each COSE_Signature as an array of 3')
  const [protectedBytes, unprotected, bytes] = entry
  if (!(bytes instanceof Uint8Array)) throw malformed('a signature as bytes')
  return { headers: buckets(protectedBytes, unprotected, understood), signature: bytes }
}

const EMPTY = new Uint8Array()
const NO_HEADERS: CborMap = new Map()

function buckets(
  bytes: CborValue | undefined,
  unprotected: CborValue | undefined,
  understood: ReadonlySet<CborLabel>,
): CoseHeaders {
  if (!(bytes instanceof Uint8Array)) throw malformed('the protected bucket as bytes')
  if (!isCborMap(unprotected)) throw malformed('the unprotected bucket as a map')
  const map = bytes.length === 0 ? NO_HEADERS : decodeCborMap(bytes, { tags: [coseTag.uri] })
  for (const member of unprotected.keys()) {
    if (map.has(member)) {
      throw new DragomanError('ERR_TOKEN_DUPLICATE', { detail: { member, expected: 'each label in one bucket' } })
    }
  }
  if (unprotected.has(coseLabel.crit)) throw badHeader('crit', 'crit in the protected bucket')
  checkCritical(map, understood)
  // RFC 9052 §3: a map without members may be sent as h'a0', what is signed then has the zero-length string.
  return { protected: map, unprotected, protectedBytes: map.size === 0 ? EMPTY : bytes }
}

function checkCritical(map: CborMap, understood: ReadonlySet<CborLabel>): void {
  const critical = map.get(coseLabel.crit)
  if (critical === undefined) return
  if (!isCborArray(critical) || critical.length === 0) throw badHeader('crit', 'an array with at least one label')
  for (const member of critical) {
    if (typeof member !== 'number' && typeof member !== 'string') throw badHeader('crit', 'labels')
    if (!map.has(member)) throw badHeader(member, 'critical parameters in the protected bucket')
    if (!understood.has(member)) throw badHeader(member, 'critical parameters that are understood')
  }
}

/**
 * The algorithm that a signature names. Believe it only as far as the key's own allows.
 *
 * Takes it from the protected bucket alone, which is stricter than RFC 9052: what is not signed must not choose.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_HEADER` when it is unprotected, `ERR_TOKEN_ALGORITHM` when it is absent or
 * not a signature algorithm that we know
 */
export function signatureAlgorithm({ headers }: CoseSignature): Algorithm {
  if (headers.unprotected.has(coseLabel.alg)) throw badHeader('alg', 'alg in the protected bucket')
  const id = headers.protected.get(coseLabel.alg)
  const algorithm = typeof id === 'number' ? coseAlgorithm(id) : undefined
  if (!algorithm) {
    const actual = typeof id === 'number' ? id : typeof id
    throw new DragomanError('ERR_TOKEN_ALGORITHM', { detail: { expected: 'a COSE signature algorithm', actual } })
  }
  return algorithm
}

/** The key identifier of a signature, from either bucket: a hint. @throws `ERR_TOKEN_HEADER` when it is not bytes */
export function keyId({ headers }: CoseSignature): Uint8Array | undefined {
  const kid = headers.protected.get(coseLabel.kid) ?? headers.unprotected.get(coseLabel.kid)
  if (kid === undefined || kid instanceof Uint8Array) return kid
  throw badHeader('kid', 'kid as bytes')
}

/** The bytes that a signature of this message is over (Sig_structure, RFC 9052 §4.4). */
export function signedBytes(message: CoseMessage, signature: CoseSignature, externalAad: Uint8Array = EMPTY): Buffer {
  const body = message.headers.protectedBytes
  const covered = message.kind === 'sign1' ? [body] : [body, signature.headers.protectedBytes]
  return Buffer.concat([signaturePrefix(covered, externalAad), byteHead(message.payload.length), message.payload])
}

const SIGNATURE1 = Buffer.from('846a5369676e617475726531', 'hex') // ["Signature1", …
const SIGNATURE = Buffer.from('85695369676e6174757265', 'hex') // ["Signature", …

/**
 * Everything of a Sig_structure that stands before the payload: the same for each token with these headers.
 *
 * `covered` is the protected bucket of a COSE_Sign1, or those of a COSE_Sign's body and signer; an empty bucket is
 * given as no bytes.
 */
export function signaturePrefix(covered: readonly Uint8Array[], externalAad: Uint8Array = EMPTY): Buffer {
  const strings = [...covered, externalAad].flatMap((bytes) => [byteHead(bytes.length), bytes])
  return Buffer.concat([covered.length === 1 ? SIGNATURE1 : SIGNATURE, ...strings])
}

/** The head of a byte string of this length: what stands before its bytes. */
export function byteHead(length: number): Buffer {
  if (length < 24) return Buffer.of(0x40 | length)
  if (length < 0x100) return Buffer.of(0x58, length)
  if (length < 0x1_0000) return Buffer.of(0x59, length >> 8, length & 0xff)
  const head = Buffer.of(0x5a, 0, 0, 0, 0)
  head.writeUInt32BE(length, 1)
  return head
}
