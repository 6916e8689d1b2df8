import { createHash } from 'node:crypto'
import type { TokenRequest } from '../../src/core/exchange.ts'
import type { ProofTools } from '../../src/core/proof.ts'
import type { ReplayStore } from '../../src/core/stores.ts'
import { fakeReplay, request } from './fakes.ts'
import { compact, NOW, type TestKey } from './jwt.ts'

export const TOKEN_ENDPOINT = 'https://gw.example/token'

export const proofTools = (replay: ReplayStore = fakeReplay(), differs: Partial<ProofTools> = {}): ProofTools => ({
  now: NOW,
  clockSkew: 30,
  tokenEndpoint: TOKEN_ENDPOINT,
  replay,
  algorithms: ['ES256', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-87'],
  ...differs,
})

export interface ProofDifferences {
  readonly header?: { readonly [member: string]: unknown }
  readonly claims?: { readonly [claim: string]: unknown }
}

/** A DPoP proof that passes, and how it differs from that; `undefined` leaves a member out. */
export const dpopText = (key: TestKey, { header = {}, claims = {} }: ProofDifferences = {}): string =>
  compact(
    { typ: 'dpop+jwt', alg: key.algorithm.jose[0], jwk: key.publicKey.jwk, ...header },
    { jti: 'proof-1', htm: 'POST', htu: TOKEN_ENDPOINT, iat: NOW, ...claims },
    key,
  )

export const withProofs = (...dpop: readonly string[]): TokenRequest => request({ dpop })

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('base64url')
