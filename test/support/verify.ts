import type { VerifierIssuer, VerifierOptions } from '../../src/verify/index.ts'
import { createVerifier } from '../../src/verify/index.ts'
import type { ServiceRequest } from '../../src/verify/request.ts'
import { compact, type TestKey, testKey } from './jwt.ts'

export const NOW = 1_800_000_000
export const DOMAIN = 'larkspur.example'
export const TTS = 'https://tts.larkspur.example'
export const API = 'https://orders.example'

export interface Said {
  readonly [claim: string]: unknown
}

/** Keys of an issuer that a verifier trusts, by configuration. */
export function issuerWith(keys: readonly TestKey[], more: Partial<VerifierIssuer> = {}): VerifierIssuer {
  const jwks = {
    keys: keys.map(({ publicKey, signer, algorithm }) => ({
      ...publicKey.jwk,
      kid: signer.kid,
      alg: algorithm.jose[0],
    })),
  }
  return { issuer: TTS, jwks, ...more }
}

export const key = testKey('ES256', 'tts-1')

/** A transaction token that passes everything; `undefined` leaves a claim out. */
export const transactionToken = (claims: Said = {}, header: Said = {}, signedBy = key): string =>
  compact(
    { alg: signedBy.algorithm.jose[0], kid: signedBy.signer.kid, typ: 'txntoken+jwt', ...header },
    {
      iss: TTS,
      aud: DOMAIN,
      sub: 'u-501',
      txn: 'tx-1',
      scope: 'order.pay',
      req_wl: 'spiffe://larkspur.example/ns/edge/sa/gateway',
      tctx: { order_id: 'o-771', amount: 18.4 },
      rctx: { req_ip: '192.0.2.44' },
      iat: NOW - 1,
      exp: NOW + 45,
      ...claims,
    },
    signedBy,
  )

/** An access token that passes everything. */
export const accessToken = (claims: Said = {}, header: Said = {}, signedBy = key): string =>
  compact(
    { alg: signedBy.algorithm.jose[0], kid: signedBy.signer.kid, typ: 'at+jwt', ...header },
    {
      iss: TTS,
      aud: API,
      sub: 'u-501',
      client_id: 'web',
      scope: 'orders.read orders.write',
      jti: 'at-1',
      iat: NOW - 10,
      exp: NOW + 300,
      ...claims,
    },
    signedBy,
  )

export const PAY = {
  'POST /orders/:order_id/pay': {
    scope: 'order.pay',
    tctx: { order_id: { path: 'order_id' }, amount: { body: 'amount' } },
  },
} as const

/** A verifier of transaction tokens for the domain. */
export const transactionVerifier = (differs: Partial<VerifierOptions> = {}) =>
  createVerifier({
    issuers: [issuerWith([key])],
    audience: DOMAIN,
    kind: 'txntoken+jwt',
    requests: PAY,
    clock: () => NOW,
    ...differs,
  })

/** A verifier of access tokens for the API. */
export const accessVerifier = (differs: Partial<VerifierOptions> = {}) =>
  createVerifier({ issuers: [issuerWith([key])], audience: API, clock: () => NOW, ...differs })

/** The request that {@link transactionToken} is for. */
export const payment = (token: string | undefined, differs: Partial<ServiceRequest> = {}): ServiceRequest => ({
  method: 'POST',
  url: '/orders/o-771/pay',
  headers: { ...(token !== undefined && { 'txn-token': token }) },
  body: { amount: 18.4 },
  ...differs,
})

/** A request with an access token. */
export const call = (
  token: string,
  { scheme = 'Bearer', headers = {}, ...differs }: Partial<ServiceRequest> & { scheme?: string } = {},
): ServiceRequest => ({
  method: 'GET',
  url: '/orders?page=2',
  headers: { authorization: `${scheme} ${token}`, ...headers },
  ...differs,
})
