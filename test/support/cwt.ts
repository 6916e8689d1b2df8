import { cwt } from '../../src/codecs/cwt/index.ts'
import { type Algorithm, algorithms } from '../../src/core/algorithms.ts'
import type { VerificationKey } from '../../src/core/keys.ts'
import type { Draft, Rendering, Token, Unverified } from '../../src/core/token.ts'
import type { TrustedIssuer } from '../../src/core/trust.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map, type Value } from '../../src/core/value.ts'
import { toBase64url } from '../../src/wire/base64url.ts'
import type { CborLabel } from '../../src/wire/cbor.ts'
import { type Encodable, encodeCbor } from '../../src/wire/cbor-encode.ts'
import { verificationKey } from '../../src/wire/jwk.ts'
import { sign1, type TestSigner } from './cose.ts'

export const ISSUER = 'https://cluster.example.com'
export const NOW = 1_790_000_000
export const ID = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')

/** What an issuer's keys are found by, with the keys in memory. */
export function trusting(
  signers: readonly TestSigner[],
  {
    issuer = ISSUER,
    allowed = algorithms,
    asynchronous = false,
  }: { issuer?: string; allowed?: readonly Algorithm[]; asynchronous?: boolean } = {},
): TrustedIssuer {
  const keys = signers.flatMap(
    ({ publicKey, kid, algorithm }) => verificationKey(publicKey, algorithms, { kid, alg: algorithm.name }) ?? [],
  )
  return {
    issuer,
    trustDomain: 'cluster.example.com',
    algorithms: allowed,
    history: false,
    has: { keys: true, certificates: false },
    asserts: () => true,
    anchor: {
      epoch: 1,
      authorities: () => ({ anchors: [], intermediates: [] }),
      keys({ kid }) {
        const found: readonly VerificationKey[] = keys.filter((key) => kid === undefined || key.kid === kid)
        return asynchronous ? Promise.resolve(found) : found
      },
    },
  }
}

export const parse = (raw: string): Unverified => {
  const unverified = cwt.parse({ raw, type: tokenTypes.cwt, role: 'subject' })
  if (!unverified) throw new TypeError('the codec says that this is not its own')
  return unverified
}

export const verify = (raw: string, issuer: TrustedIssuer): Token => {
  const token = parse(raw).verify(issuer, { now: NOW, clockSkew: 0 })
  if (token instanceof Promise) throw new TypeError('verified asynchronously')
  return token
}

export type ClaimEntries = readonly (readonly [CborLabel, Encodable])[]

/** A claims set of a usual token, with these entries more, or instead. */
export const claimsSet = (...entries: ClaimEntries): Map<CborLabel, Encodable> =>
  new Map<CborLabel, Encodable>([[1, ISSUER], [2, 'spiffe://cluster.example.com/orders'], [4, NOW + 300], ...entries])

/** A CWT with these claims, as COSE_Sign1 under both tags, put together by hand. */
export const forge = (signer: TestSigner, claims: Encodable, options: Parameters<typeof sign1>[2] = {}): string =>
  toBase64url(sign1(signer, encodeCbor(claims), options))

export const rendering = (parts: Partial<Rendering> = {}): Rendering => ({
  format: 'cwt',
  kind: undefined,
  options: map(),
  key: 'edge',
  algorithm: undefined,
  header: map(),
  kid: true,
  tokenType: undefined,
  ...parts,
})

export const draft = (claims: { readonly [name: string]: Value } = {}, parts: Partial<Draft> = {}): Draft => ({
  claims: map([['sub', 'spiffe://cluster.example.com/orders'], ...Object.entries(claims)]),
  validity: {
    issuedAt: undefined,
    notBefore: undefined,
    expiresAt: NOW + 300,
    audience: ['https://orders.example'],
    scope: undefined,
  },
  confirmation: undefined,
  embedded: [],
  notes: [],
  ...parts,
})

/** Issues a CWT with our own writer. */
export function issue(signer: TestSigner, what: Draft = draft(), how: Rendering = rendering()): string {
  const layout = cwt.prepare(how).lay(what, { issuer: ISSUER, now: NOW, id: ID, signer })
  return layout.finish(signer.sign(layout.toBeSigned)).raw
}
