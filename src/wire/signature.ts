import { type Algorithm, algorithms, type CryptoKey, verifySignature } from '../core/algorithms.ts'
import { DerReader, inside, malformed, readDer, readInteger, tags } from './der.ts'
import { der, oid, sequence, smallInteger, unsignedInteger } from './der-write.ts'

const identifiers = new Map<Algorithm, Buffer>(
  algorithms.map((algorithm) => {
    const { oid: type, parameters } = algorithm.x509
    return [algorithm, parameters ? sequence(oid(type), parameters) : sequence(oid(type))]
  }),
)

/** DER `AlgorithmIdentifier` that certificates and requests signed with `algorithm` carry. */
export function signatureIdentifier(algorithm: Algorithm): Buffer {
  const identifier = identifiers.get(algorithm)
  if (!identifier) throw new TypeError('a row of the algorithm table')
  return identifier
}

/** RFC 4055 §2.1: the hash identifiers of RSASSA-PSS come with or without their NULL. */
function pssWithoutNull({ x509, saltLength = 0 }: Algorithm): Buffer {
  const hash = sequence(oid(`2.16.840.1.101.3.4.2.${saltLength / 16 - 1}`))
  const mask = sequence(oid('1.2.840.113549.1.1.8'), hash)
  return sequence(oid(x509.oid), sequence(der(0xa0, hash), der(0xa1, mask), der(0xa2, smallInteger(saltLength))))
}

const byIdentifier = new Map<string, Algorithm>()
for (const [algorithm, identifier] of identifiers) {
  byIdentifier.set(identifier.toString('latin1'), algorithm)
  if (algorithm.saltLength !== undefined) byIdentifier.set(pssWithoutNull(algorithm).toString('latin1'), algorithm)
}

/**
 * The algorithm that a DER `AlgorithmIdentifier` names; `undefined` for any that is not in the table (SHA-1, MD5, …) or
 * that has other parameters than it must have.
 */
export const algorithmIdentified = (identifier: Buffer): Algorithm | undefined =>
  byIdentifier.get(identifier.toString('latin1'))

/**
 * Whether `signature`, as X.509 carries it, is one over `data`: for ECDSA a strict DER sequence of r and s
 * (RFC 3279 §2.2.3), for the others the octets themselves. Malformed is `false`.
 */
export function verifyX509Signature(
  algorithm: Algorithm,
  key: CryptoKey,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const octets = algorithm.keyType === 'ec' ? ecdsaFromDer(signature, algorithm.signatureBytes ?? 0) : signature
  return octets !== undefined && verifySignature(algorithm, key, data, octets)
}

/** r and s side by side, `bytes` together; `undefined` when the DER is not strict or one of them does not fit. */
export function ecdsaFromDer(signature: Uint8Array, bytes: number): Buffer | undefined {
  const half = bytes / 2
  const out = Buffer.alloc(bytes)
  try {
    const reader = inside(readDer(signature, tags.sequence, 'an ECDSA signature'))
    for (const start of [0, half]) {
      const octets = positive(reader)
      if (octets.length > half) return undefined
      out.set(octets, start + half - octets.length)
    }
    reader.finish('an ECDSA signature')
  } catch {
    return undefined
  }
  return out
}

function positive(reader: DerReader): Buffer {
  const octets = readInteger(reader.take(tags.integer, 'r and s'))
  const first = octets[0] ?? 0
  if (first >= 0x80 || (octets.length === 1 && first === 0)) throw malformed('positive r and s')
  return first === 0 ? octets.subarray(1) : octets
}

/** A signature in its JOSE form as X.509 carries it. */
export function toX509Signature(algorithm: Algorithm, signature: Uint8Array): Uint8Array {
  if (algorithm.keyType !== 'ec') return signature
  const half = signature.length / 2
  return sequence(unsignedInteger(signature.subarray(0, half)), unsignedInteger(signature.subarray(half)))
}
