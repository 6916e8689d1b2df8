import type { Signer } from '../../core/keys.ts'
import type { Value } from '../../core/value.ts'
import type { CborLabel } from '../../wire/cbor.ts'
import { CborWriter, type Encodable } from '../../wire/cbor-encode.ts'
import { coseLabel, coseTag, signaturePrefix } from '../../wire/cose.ts'
import { kidBytes } from '../../wire/cose-key.ts'
import type { Encoding } from './encodings.ts'
import { typOf } from './kind.ts'

/** What stands around the claims of a CWT, encoded. */
export interface Frame {
  /** Of what is signed: all before the payload. */
  readonly prefix: Uint8Array
  /** Of the token: all before the payload … */
  readonly head: Uint8Array
  /** … and all between payload and signature. */
  readonly middle: Uint8Array
}

export interface Shape {
  readonly kind: string | undefined
  /** Whether `kid` is written. */
  readonly kid: boolean
  readonly encoding: Encoding
}

/** The frame of every token that this signer signs in this shape, with these members in its protected header. */
export function frame(
  signer: Signer,
  { kind, kid, encoding }: Shape,
  members: readonly (readonly [string, Value])[],
): Frame {
  const [classic, fullySpecified] = signer.algorithm.cose
  const kidProtected = encoding.kid_in === 'protected'
  const kidEntry: Bucket = kid ? [[coseLabel.kid, kidBytes(signer.kid)]] : []
  const alg = encoding.cose_ids === 'classic' ? classic : (fullySpecified ?? classic)
  const forSigner: Bucket = [[coseLabel.alg, alg], ...(kidProtected ? kidEntry : [])]
  const unprotected = new CborWriter().entries(kidProtected ? [] : kidEntry).done()
  const typ = typOf(kind)
  const forContent: Bucket = [...members, ...(typ === undefined ? [] : [[coseLabel.typ, typ] as const])]

  if (encoding.cose === 'sign1') {
    const bucket = protectedBucket([...forSigner, ...forContent])
    const head = tags(encoding).array(4).bytes(bucket).raw(unprotected).done()
    return { prefix: signaturePrefix([bucket]), head, middle: new Uint8Array() }
  }
  const body = protectedBucket(forContent)
  const own = protectedBucket(forSigner)
  return {
    prefix: signaturePrefix([body, own]),
    head: tags(encoding).array(4).bytes(body).map(0).done(),
    middle: new CborWriter().array(1).array(3).bytes(own).raw(unprotected).done(),
  }
}

type Bucket = (readonly [CborLabel, Encodable])[]

// RFC 9052 §3: a protected bucket without members is the zero-length string.
const protectedBucket = (entries: Bucket): Uint8Array =>
  entries.length === 0 ? new Uint8Array() : new CborWriter().entries(entries).done()

function tags({ tag, cose }: Encoding): CborWriter {
  const writer = new CborWriter()
  if (tag === 'none') return writer
  if (tag === 'cwt') writer.tag(coseTag.cwt)
  return writer.tag(coseTag[cose])
}
