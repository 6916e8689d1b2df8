import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithmNamed, cryptoKey, signSync } from '../../src/core/algorithms.ts'
import type { Signer } from '../../src/core/keys.ts'
import type { CborLabel } from '../../src/wire/cbor.ts'
import { CborWriter, type Encodable, encodeCbor } from '../../src/wire/cbor-encode.ts'
import { signaturePrefix } from '../../src/wire/cose.ts'
import { publicKey } from '../../src/wire/jwk.ts'

/** The row of an algorithm by name. */
export function algorithm(name: string): Algorithm {
  const row = algorithmNamed(name)
  if (!row) throw new TypeError(`no algorithm ${name}`)
  return row
}

/** A new key pair for an algorithm. */
function keyPair({ keyType, curve }: Algorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (keyType === 'ec') return generateKeyPairSync('ec', { namedCurve: curve ?? '' })
  if (keyType === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  switch (keyType) {
    case 'ed25519':
      return generateKeyPairSync('ed25519')
    case 'ml-dsa-44':
      return generateKeyPairSync('ml-dsa-44')
    case 'ml-dsa-65':
      return generateKeyPairSync('ml-dsa-65')
    case 'ml-dsa-87':
      return generateKeyPairSync('ml-dsa-87')
  }
}

export interface TestSigner extends Signer {
  readonly privateKey: KeyObject
  sign(data: Uint8Array): Uint8Array
}

/** A signer with a new key. */
export function makeSigner(name: string, kid = `kid-of-${name}`): TestSigner {
  const row = algorithm(name)
  const pair = keyPair(row)
  const form = cryptoKey(row, pair.privateKey)
  return {
    kid,
    algorithm: row,
    publicKey: publicKey(pair.publicKey),
    privateKey: pair.privateKey,
    chain: [],
    sign: (data) => signSync(row, form, data),
  }
}

type Bucket = ReadonlyMap<CborLabel, Encodable>

/** A COSE_Sign1 put together by hand, so that it can be wrong in any way; signed as it stands. */
export function sign1(
  signer: TestSigner,
  payload: Uint8Array,
  {
    protectedMap = new Map<CborLabel, Encodable>([[1, signer.algorithm.cose[0]]]),
    protectedBytes,
    unprotected = new Map<CborLabel, Encodable>([[4, Buffer.from(signer.kid)]]),
    tags = [61, 18],
  }: {
    protectedMap?: Bucket
    protectedBytes?: Uint8Array
    unprotected?: Bucket | Uint8Array
    tags?: readonly number[]
  } = {},
): Buffer {
  const bucket = protectedBytes ?? (protectedMap.size === 0 ? new Uint8Array() : encodeCbor(protectedMap))
  const signed = new CborWriter()
    .raw(signaturePrefix([bucket]))
    .bytes(payload)
    .done()
  const writer = new CborWriter()
  for (const tag of tags) writer.tag(tag)
  writer.array(4).bytes(bucket)
  if (unprotected instanceof Uint8Array) writer.raw(unprotected)
  else writer.value(unprotected)
  return writer.bytes(payload).bytes(signer.sign(signed)).done()
}
