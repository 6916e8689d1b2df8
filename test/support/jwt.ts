import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithmNamed, algorithms, cryptoKey, signSync } from '../../src/core/algorithms.ts'
import type { KeyHint, PublicKey, Signer, VerificationKey } from '../../src/core/keys.ts'
import type { Draft, Envelope, FormatRules, Rendering } from '../../src/core/token.ts'
import type { TrustedIssuer } from '../../src/core/trust.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map, type ValueMap } from '../../src/core/value.ts'
import { publicKey, verificationKey } from '../../src/wire/jwk.ts'

export const NOW = 1_800_000_000
export const ISSUER = 'https://cluster.example.com'
export const RULES: FormatRules = { now: NOW, clockSkew: 30 }

/** A key pair with everything the codec asks of either half. */
export interface TestKey {
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  readonly publicKey: PublicKey
  readonly signer: Signer
  readonly verifier: VerificationKey
}

export function algorithm(name: string): Algorithm {
  const row = algorithmNamed(name)
  if (!row) throw new TypeError(`no algorithm ${name}`)
  return row
}

export function testKey(name: string, kid = `key-${name}`): TestKey {
  const row = algorithm(name)
  const privateKey = generate(row)
  const pub = publicKey(createPublicKey(privateKey))
  const form = cryptoKey(row, privateKey)
  const verifier = verificationKey(pub, [row], { kid })
  if (!verifier) throw new TypeError(`the key is not for ${name}`)
  const signer: Signer = {
    kid,
    algorithm: row,
    publicKey: pub,
    chain: [],
    sign: (data) => signSync(row, form, data),
  }
  return { algorithm: row, privateKey, publicKey: pub, signer, verifier }
}

function generate({ keyType, curve }: Algorithm): KeyObject {
  switch (keyType) {
    case 'ec':
      return generateKeyPairSync('ec', { namedCurve: curve ?? '' }).privateKey
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey
    default:
      return generateKeyPairSync(keyType).privateKey
  }
}

/** An issuer with these keys, found by `kid` as a key set does; it remembers the hints it was asked with. */
export function trusted(
  keys: readonly VerificationKey[],
  options: Partial<TrustedIssuer> & { readonly late?: boolean } = {},
): TrustedIssuer & { readonly asked: KeyHint[] } {
  const asked: KeyHint[] = []
  const find = (hint: KeyHint) => {
    asked.push(hint)
    return keys.filter(({ kid }) => hint.kid === undefined || kid === undefined || kid === hint.kid)
  }
  return {
    issuer: ISSUER,
    trustDomain: undefined,
    algorithms,
    asserts: () => true,
    history: true,
    has: { keys: true, certificates: false },
    anchor: {
      keys: (hint) => (options.late ? Promise.resolve(find(hint)) : find(hint)),
      authorities: () => ({ anchors: [], intermediates: [] }),
      epoch: 1,
    },
    ...options,
    asked,
  }
}

export const base64url = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url')

/** A compact token of any header and payload, as text or as what JSON makes of it. */
export function compact(header: object | string, payload: object | string | Uint8Array, { signer }: TestKey): string {
  const json = (value: object | string) => (typeof value === 'string' ? value : JSON.stringify(value))
  const bytes = payload instanceof Uint8Array ? payload : json(payload)
  const input = `${base64url(json(header))}.${base64url(bytes)}`
  const signature = signer.sign(Buffer.from(input))
  if (signature instanceof Promise) throw new TypeError('test signers are synchronous')
  return `${input}.${base64url(signature)}`
}

export const subject = (raw: string, type: string = tokenTypes.jwt): Envelope => ({ raw, type, role: 'subject' })

/** A claims set that every plain rule accepts. */
export const CLAIMS = { iss: ISSUER, sub: 'alice', aud: 'https://gw.example', iat: NOW, exp: NOW + 300, jti: 'one' }

export const rendering = (options: Partial<Rendering> = {}): Rendering => ({
  format: 'jwt',
  kind: undefined,
  options: {},
  key: undefined,
  algorithm: undefined,
  header: {},
  kid: true,
  tokenType: undefined,
  ...options,
})

export const draft = (claims: ValueMap, rest: Partial<Draft> = {}): Draft => ({
  claims: map(Object.entries(claims)),
  validity: {
    issuedAt: NOW,
    notBefore: undefined,
    expiresAt: NOW + 300,
    audience: ['https://orders.example'],
    scope: undefined,
  },
  confirmation: undefined,
  embedded: [],
  notes: [],
  ...rest,
})
