import { constants, sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto'

/**
 * One signature algorithm under all the names it has. Code is handed a row, never a name.
 *
 * `jose` and `cose` list every identifier accepted on input; the first is the one written. COSE keeps the identifiers
 * that RFC 9864 deprecates first, because no COSE library of the field writes the fully-specified ones yet.
 */
export interface Algorithm {
  readonly name: string
  readonly jose: readonly [string, ...string[]]
  readonly cose: readonly [number, ...number[]]
  /** `AlgorithmIdentifier` of the signature in X.509: OID and the DER of its parameters (`undefined`: absent). */
  readonly x509: { readonly oid: string; readonly parameters: Uint8Array | undefined }
  readonly keyType: 'ec' | 'ed25519' | 'rsa' | 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'
  /** Node's name of the curve, for `ec`. */
  readonly curve: string | undefined
  /** Length of a JOSE or COSE signature in bytes; `undefined` for RSA, where it is that of the modulus. */
  readonly signatureBytes: number | undefined
  /** Signing takes more than about 150 µs, so it goes to the thread pool instead of holding the event loop. */
  readonly slow: boolean
  readonly postQuantum: boolean
  /** Node's digest name, `null` where the algorithm takes the message whole. */
  readonly digest: string | null
  /** PSS salt length in bytes, for PS256/384/512 only. */
  readonly saltLength: number | undefined
}

// RFC 7518 §3.3 and RFC 8725 §3.5: RSA keys below 2048 bits are refused; above 8192 verification costs too much.
export const RSA_MIN_BITS = 2048
export const RSA_MAX_BITS = 8192
// A verification costs as much as the exponent is long. FIPS 186-5 appendix A.1.1 has it below 2^256.
const RSA_EXPONENT_LIMIT = 2n ** 256n

const NULL = Uint8Array.of(0x05, 0x00)

// RSASSA-PSS-params (RFC 4055 §3.1): hash and MGF1 with that hash, salt as long as the digest, trailer field default.
const pssParameters = (hashArc: number, salt: number): Uint8Array => {
  const hash = `300d06096086480165030402${hashArc.toString(16).padStart(2, '0')}0500`
  const mgf = `301a06092a864886f70d010108${hash}`
  return Buffer.from(`3034a00f${hash}a11c${mgf}a2030201${salt.toString(16).padStart(2, '0')}`, 'hex')
}

const row = (name: string, rest: Omit<Algorithm, 'name' | 'postQuantum'>): Algorithm =>
  Object.freeze({ name, postQuantum: rest.keyType.startsWith('ml-dsa'), ...rest })

const ec = (name: string, curve: string, cose: [number, number], arc: number, bytes: number, digest: string) =>
  row(name, {
    jose: [name],
    cose,
    x509: { oid: `1.2.840.10045.4.3.${arc}`, parameters: undefined },
    keyType: 'ec',
    curve,
    signatureBytes: bytes,
    slow: name !== 'ES256',
    digest,
    saltLength: undefined,
  })

const rsa = (name: string, cose: number, arc: number, digest: string) =>
  row(name, {
    jose: [name],
    cose: [cose],
    x509: { oid: `1.2.840.113549.1.1.${arc}`, parameters: NULL },
    keyType: 'rsa',
    curve: undefined,
    signatureBytes: undefined,
    slow: true,
    digest,
    saltLength: undefined,
  })

const pss = (name: string, cose: number, hashArc: number, digest: string, saltLength: number) =>
  row(name, {
    jose: [name],
    cose: [cose],
    x509: { oid: '1.2.840.113549.1.1.10', parameters: pssParameters(hashArc, saltLength) },
    keyType: 'rsa',
    curve: undefined,
    signatureBytes: undefined,
    slow: true,
    digest,
    saltLength,
  })

const mlDsa = (level: 44 | 65 | 87, cose: number, arc: number, bytes: number) =>
  row(`ML-DSA-${level}`, {
    jose: [`ML-DSA-${level}`],
    cose: [cose],
    x509: { oid: `2.16.840.1.101.3.4.3.${arc}`, parameters: undefined },
    keyType: `ml-dsa-${level}`,
    curve: undefined,
    signatureBytes: bytes,
    slow: true,
    digest: null,
    saltLength: undefined,
  })

/** Every signature algorithm Dragoman reads and writes: RFC 7518, 8037, 9053, 9864, 9964, 9881. */
export const algorithms: readonly Algorithm[] = [
  ec('ES256', 'prime256v1', [-7, -9], 2, 64, 'sha256'),
  ec('ES384', 'secp384r1', [-35, -51], 3, 96, 'sha384'),
  ec('ES512', 'secp521r1', [-36, -52], 4, 132, 'sha512'),
  row('Ed25519', {
    jose: ['EdDSA', 'Ed25519'],
    cose: [-8, -19],
    x509: { oid: '1.3.101.112', parameters: undefined },
    keyType: 'ed25519',
    curve: undefined,
    signatureBytes: 64,
    slow: false,
    digest: null,
    saltLength: undefined,
  }),
  rsa('RS256', -257, 11, 'sha256'),
  rsa('RS384', -258, 12, 'sha384'),
  rsa('RS512', -259, 13, 'sha512'),
  pss('PS256', -37, 1, 'sha256', 32),
  pss('PS384', -38, 2, 'sha384', 48),
  pss('PS512', -39, 3, 'sha512', 64),
  mlDsa(44, -48, 17, 2420),
  mlDsa(65, -49, 18, 3309),
  mlDsa(87, -50, 19, 4627),
]

export const algorithmNames: readonly string[] = algorithms.map((algorithm) => algorithm.name)

const byName = new Map(algorithms.flatMap((a) => [a.name, ...a.jose].map((name) => [name, a] as const)))
const byCose = new Map(algorithms.flatMap((a) => a.cose.map((id) => [id, a] as const)))

/** The row for a JOSE `alg` value or a name of ours, compared case-sensitively; `undefined` for anything else. */
export const algorithmNamed = (name: string): Algorithm | undefined => byName.get(name)

/** The JOSE `alg` values of these algorithms, each once, in their order; names that are none are left out. */
export const joseNames = (names: readonly string[]): readonly string[] => [
  ...new Set(names.flatMap((name) => algorithmNamed(name)?.jose ?? [])),
]

/** The row for a COSE algorithm identifier, deprecated or fully-specified. */
export const coseAlgorithm = (id: number): Algorithm | undefined => byCose.get(id)

/**
 * Whether `key` is of the type, curve and size that `algorithm` demands.
 *
 * Checks RSA keys for 2048 to 8192 bits and an odd exponent from 3 up to 2^256. Does NOT look at private or public.
 */
export function fits(algorithm: Algorithm, key: KeyObject): boolean {
  if (key.asymmetricKeyType !== algorithm.keyType) return false
  const { namedCurve, modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {}
  if (algorithm.keyType === 'ec') return namedCurve === algorithm.curve
  if (algorithm.keyType !== 'rsa') return true
  return (
    modulusLength !== undefined &&
    publicExponent !== undefined &&
    modulusLength >= RSA_MIN_BITS &&
    modulusLength <= RSA_MAX_BITS &&
    publicExponent >= 3n &&
    publicExponent < RSA_EXPONENT_LIMIT &&
    publicExponent % 2n === 1n
  )
}

/** The algorithms that `key` could be used with, in table order. */
export const algorithmsFor = (key: KeyObject): readonly Algorithm[] => algorithms.filter((a) => fits(a, key))

/** A key with what node:crypto wants beside it; made once for each key and kept. */
export type CryptoKey =
  | KeyObject
  | { key: KeyObject; dsaEncoding: 'ieee-p1363' }
  | { key: KeyObject; padding: number; saltLength: number }

/** The form of `key` that {@link signSync}, {@link signAsync} and {@link verifySignature} take. */
export function cryptoKey(algorithm: Algorithm, key: KeyObject): CryptoKey {
  if (algorithm.keyType === 'ec') return { key, dsaEncoding: 'ieee-p1363' }
  if (algorithm.saltLength !== undefined) {
    return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltLength }
  }
  return key
}

/** Signs on the calling thread. ECDSA signatures are r followed by s (RFC 7518 §3.4), never DER. */
export const signSync = (algorithm: Algorithm, key: CryptoKey, data: Uint8Array): Uint8Array =>
  cryptoSign(algorithm.digest, data, key)

/** Signs in the thread pool: same result as {@link signSync}, the event loop stays free. */
export const signAsync = (algorithm: Algorithm, key: CryptoKey, data: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    cryptoSign(algorithm.digest, data, key, (error, signature) => (error ? reject(error) : resolve(signature)))
  })

/**
 * Whether `signature` is one over `data` by `key`. A signature of another length than the algorithm's is `false`,
 * never an exception. Does NOT check that the key fits the algorithm: {@link fits} does, when the key is loaded.
 */
export function verifySignature(
  algorithm: Algorithm,
  key: CryptoKey,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (algorithm.signatureBytes !== undefined && signature.length !== algorithm.signatureBytes) return false
  return cryptoVerify(algorithm.digest, data, key, signature)
}
