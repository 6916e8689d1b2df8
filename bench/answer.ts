import { createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto'
import { decode, encode, Tagged } from 'cborg'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'

/** What a case says that comes out. */
export interface Claimed {
  readonly as: 'jwt' | 'cwt' | 'x509'
  readonly alg?: string
  readonly typ?: string
  /** The member of `cnf` that it has. */
  readonly cnf?: string
  readonly audience?: string
  /** Claims that must be there. */
  readonly claims?: readonly string[]
  /** How many answers there are in one. */
  readonly items?: number
}

/** Where an answer came from. */
export interface Source {
  readonly port: number
  /** Path of its JWK Set. */
  readonly jwks: string
}

/**
 * Holds one answer against what its case says, by other libraries than those of the server: the signature by the keys that
 * the server publishes, format, algorithm, type, audience, binding.
 *
 * @throws Error that says what is not as it was claimed: a case that measures something else is worth nothing
 */
export async function assertAnswer(body: string, claimed: Claimed, { port, jwks }: Source): Promise<void> {
  const { access_token, results }: { access_token?: string; results?: readonly { access_token?: string }[] } =
    JSON.parse(body)
  const tokens = results?.map((result) => result.access_token) ?? [access_token]
  expect(tokens.length, claimed.items ?? 1, 'answers')
  const keys = (await (await fetch(`http://127.0.0.1:${port}${jwks}`)).json()) as JSONWebKeySet
  for (const token of tokens) await CHECKS[claimed.as](token ?? '', claimed, keys, port)
}

function expect(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, not ${String(expected)}`)
}

type Check = (token: string, claimed: Claimed, keys: JSONWebKeySet, port: number) => Promise<void>

const CHECKS: { readonly [as in Claimed['as']]: Check } = {
  async jwt(token, { alg = 'ES256', typ, cnf, audience, claims = [] }, keys) {
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms: [alg],
      ...(typ !== undefined && { typ }),
      ...(audience !== undefined && { audience }),
    })
    expect(protectedHeader.alg, alg, 'alg')
    if (cnf !== undefined) expect(Object.keys(payload['cnf'] ?? {}).join(), cnf, 'cnf')
    for (const name of claims) expect(name in payload, true, `a claim ${name}`)
  },

  async cwt(token, { audience, claims = [] }, keys) {
    let message = decode(Buffer.from(token, 'base64url'), { useMaps: true, tags: Tagged.preserve(SIGN1, CWT) })
    while (message instanceof Tagged) message = message.value
    const [head, , payload, signature]: [Uint8Array, unknown, Uint8Array, Uint8Array] = message
    const signed = encode(['Signature1', head, new Uint8Array(), payload])
    const key = { key: es256(keys), dsaEncoding: 'ieee-p1363' } as const
    expect(verify('sha256', signed, key, signature), true, 'the signature of the CWT')
    const said: Map<number | string, unknown> = decode(payload, { useMaps: true })
    if (audience !== undefined) expect([said.get(AUD)].flat().join(), audience, 'aud')
    for (const name of claims) expect(said.has(name), true, `a claim ${name}`)
  },

  async x509(chain, _claimed, _keys, port) {
    const certificate = new X509Certificate(chain)
    const authority = new X509Certificate(await (await fetch(`http://127.0.0.1:${port}/ca.pem`)).text())
    expect(certificate.verify(authority.publicKey), true, 'the signature of the certificate')
    expect(certificate.subjectAltName?.startsWith('URI:spiffe://alpha.example/'), true, 'the name in the certificate')
    expect(certificate.publicKey.equals(authority.publicKey), false, 'the key of the authority')
  },
}

// RFC 9052 §2, RFC 8392 §6, and the claim `aud`.
const SIGN1 = 18
const CWT = 61
const AUD = 3

/** The key of a set that ES256 signs with. */
function es256({ keys }: JSONWebKeySet): KeyObject {
  const jwk = keys.find(({ alg, kty }) => alg === 'ES256' && kty === 'EC')
  if (jwk === undefined) throw new Error('no key for ES256 is published')
  const { kty = '', crv = '', x = '', y = '' } = jwk
  return createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
}
