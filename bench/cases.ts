import type { Claimed } from './answer.ts'
import type { Shown } from './load.ts'
import type { BenchWorld } from './world.ts'

/** One kind of exchange, whose cost is measured. */
export interface Case {
  readonly name: string
  readonly request: () => Buffer | Promise<Buffer>
  /** What comes out, which is looked at before anything is measured. Absent: not a token. */
  readonly claimed?: Claimed
  /** Of the gateway: its own count of what it issued under this profile has to be what the driver counted. */
  readonly profile?: string
  /** Pairs at most; or times the first case. */
  readonly limit?: number
  readonly times?: number
  readonly shown?: readonly Shown[]
  /** Requests that may be sent more than once; absent: each is new. */
  readonly repeat?: number
  /** Exchanges in one request. Default: 1. */
  readonly items?: number
  readonly connections?: number
  /** Requests of a burst, where {@link BURST} is not what it can use up. */
  readonly requests?: number
  /** Seconds of load before the first burst that counts. Default: half a second. */
  readonly warm?: number
  /** Of another server than the gateway. */
  readonly server?: () => { readonly cpu: () => number; readonly port: number; readonly jwks: string }
}

const A = 'https://a.beta.example'
const KEPT = ['sub', 'jti', 'email', 'groups', 'tenant']
const AT = { as: 'jwt', typ: 'at+jwt', claims: KEPT } as const

/** The exchanges of the gateway, the one that all others are compared with first. */
export function gatewayCases({ requests, shown }: BenchWorld): readonly Case[] {
  const [mail] = shown
  return [
    {
      name: 'JWT to JWT, each token new, Basic',
      request: requests.distinct,
      profile: 'a',
      claimed: { ...AT, audience: A },
      limit: 2.1,
    },
    { name: 'the same, `private_key_jwt`', request: requests.assertion, profile: 'a', claimed: AT, limit: 3 },
    {
      name: 'the same, mTLS client, kept connection',
      request: requests.mtls,
      profile: 'a',
      claimed: AT,
      limit: 2.3,
      ...(mail && { shown: [mail] }),
    },
    {
      name: 'JWT to JWT, tokens that come again',
      request: requests.repeated,
      profile: 'again',
      claimed: AT,
      limit: 1.1,
      repeat: 500,
    },
    {
      name: 'JWT to JWT, in batches of 100, each',
      request: requests.batch,
      profile: 'a',
      claimed: { ...AT, audience: A, items: 100 },
      limit: 1.4,
      items: 100,
      // A tenant takes a thousand at once.
      connections: 4,
      requests: 120,
    },
    {
      name: 'JWT to transaction token',
      request: requests.txn,
      profile: 'txn',
      claimed: { as: 'jwt', typ: 'txntoken+jwt', claims: ['sub', 'txn', 'tctx', 'rctx', 'req_wl', 'scope'] },
      times: 1.1,
    },
    {
      name: 'JWT to CWT',
      request: requests.toCwt,
      profile: 'cwt',
      claimed: { as: 'cwt', audience: 'https://cwt.beta.example', claims: ['email'] },
      times: 1.05,
    },
    { name: 'CWT to JWT', request: requests.fromCwt, profile: 'from-cwt', claimed: AT, times: 1.05 },
    {
      // There is no cheaper way to bring a key: a certificate is only ever issued for one that was proved in the request.
      name: 'JWT to X.509, key of the TLS connection (no verify more)',
      request: requests.toX509Tls,
      profile: 'x509-tls',
      claimed: { as: 'x509' },
      times: 1.25,
      shown,
    },
    {
      name: 'JWT to X.509, CSR (one verify more)',
      request: requests.toX509,
      profile: 'x509',
      claimed: { as: 'x509' },
      times: 1.6,
    },
    {
      name: 'JWT to X.509, key shown by DPoP (one verify more)',
      request: requests.toX509Key,
      profile: 'x509-key',
      claimed: { as: 'x509' },
      times: 1.6,
    },
    {
      name: 'X.509 chain of two, of the connection, to JWT',
      request: requests.fromX509,
      profile: 'from-x509',
      claimed: { as: 'jwt', typ: 'at+jwt', cnf: 'x5t#S256' },
      times: 1.4,
      shown,
      repeat: 1,
    },
    {
      name: 'DPoP in and out',
      request: requests.dpop,
      profile: 'dpop',
      claimed: { ...AT, cnf: 'jkt' },
      limit: 3.2,
    },
    {
      name: 'JWT to JWT, ML-DSA-65 out',
      request: requests.mldsa,
      profile: 'pq',
      claimed: { as: 'jwt', typ: 'JWT', alg: 'ML-DSA-65', claims: KEPT },
      limit: 13,
      requests: 2000,
    },
  ]
}
