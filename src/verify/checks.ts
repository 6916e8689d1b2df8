import { cwt } from '../codecs/cwt/index.ts'
import { jwt } from '../codecs/jwt/index.ts'
import { TRANSACTION_TOKEN, tokenAcceptance } from '../core/acceptance.ts'
import type { Codec } from '../core/codec.ts'
import { DragomanError } from '../core/errors.ts'
import type { VerifiedBefore } from '../core/exchange.ts'
import type { ReplayStore } from '../core/stores.ts'
import type { Envelope, Token, TokenType, Verified } from '../core/token.ts'
import { tokenTypes } from '../core/types.ts'
import { verifyPresented } from '../exchange/present.ts'
import { verifiedStore } from '../stores/verified.ts'
import { createFetcher, createTrust, type IssuerStatus } from '../trust/index.ts'
import { assertAllowed, assertScope } from './compare.ts'
import { wrong } from './option.ts'
import { issuerEntries, kindOf, readFile, type VerifierOptions } from './options.ts'
import type { Presented, Scheme } from './presented.ts'
import type { Proofs } from './proofs.ts'
import type { ServiceRequest } from './request.ts'
import { readable, type VerifiedToken } from './result.ts'
import { prepareTable, type Table } from './table.ts'
import { targetOf } from './target.ts'

export interface Checks {
  /** @throws {@link DragomanError} */
  verify(presented: Presented, request: ServiceRequest | undefined, now: number): Promise<VerifiedToken>
  status(): readonly Omit<IssuerStatus, 'published'>[]
}

interface Tools {
  readonly clock: () => number
  readonly replay: ReplayStore
  readonly proofs: Proofs
}

// As much as a gateway allows for where nothing else is said.
const CLOCK_SKEW = 30

/**
 * Puts together what a verifier checks each token with: its issuers, the rules for its kind, the table of requests.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`, `ERR_TRUST_CONFIG`
 */
export function prepareChecks(options: VerifierOptions, { clock, replay, proofs }: Tools): Checks {
  const { format = 'jwt', requiredScopes = [] } = options
  const kind = kindOf(options)
  const codec = format === 'cwt' ? cwt : jwt()
  const type = typeOf(codec, options)
  const entries = issuerEntries(options.issuers)
  const trust = createTrust(entries, { fetch: options.fetcher ?? createFetcher(), clock, readFile })
  const table = tableOf(options, kind === TRANSACTION_TOKEN)
  const acceptance = tokenAcceptance(
    {
      format,
      types: [type],
      ...(kind !== undefined && { kind }),
      issuers: entries.map(({ issuer }) => issuer),
      audience: [options.audience].flat(),
      ...(options.maxAge !== undefined && { max_age: options.maxAge }),
      ...(options.authentication && { authentication: authenticationOf(options.authentication) }),
      require: options.requiredClaims ?? [],
      single_use: options.singleUse === true,
      ...(options.algorithms !== undefined && { algorithms: options.algorithms }),
    },
    { issuer: '', tokenEndpoint: '', clockSkew: options.clockSkew ?? CLOCK_SKEW, types: () => codec.tokenTypes },
    'options',
  )
  // It issues nothing, so that no token is its own.
  const services = { issuer: '', codecs: [codec], trust, verified: verifiedStore<VerifiedBefore>(), replay }

  return {
    async verify(presented, request, at) {
      const now = Math.floor(at)
      const envelope: Envelope = { raw: presented.raw, type, role: 'subject' }
      const judge = (token: Verified<Token>) => {
        assertScheme(presented.scheme, token)
        const verified = readable(token, kind)
        assertScope(requiredScopes, verified.scope)
        if (table !== undefined && request !== undefined) assertListed(table, verified, request)
        return verified
      }
      const shown = proofs.of(presented, request, now)
      try {
        return await verifyPresented(envelope, acceptance, { now, prove: shown.prove, judge }, services)
      } catch (error) {
        throw shown.failure !== undefined && isUnproved(error) ? shown.failure : error
      }
    },
    // What it knows of keys is of no use outside.
    status: () => trust.status().map(({ published: _, ...known }) => known),
  }
}

const authenticationOf = ({ acrValues, maxAge }: NonNullable<VerifierOptions['authentication']>) => ({
  ...(acrValues !== undefined && { acr_values: acrValues }),
  ...(maxAge !== undefined && { max_age: maxAge }),
})

/** The type under which the codec reads what is taken. */
function typeOf({ tokenTypes: [usual = ''] }: Codec, { kind, untagged }: VerifierOptions): TokenType {
  if (kind === TRANSACTION_TOKEN) return tokenTypes.txnToken
  if (untagged === undefined) return usual
  return untagged === 'sign' ? tokenTypes.cwtSign : tokenTypes.cwtSign1
}

function tableOf({ requests, danger_any_request: any }: VerifierOptions, transaction: boolean): Table | undefined {
  if (requests !== undefined) {
    if (any === true) throw wrong('options.danger_any_request', 'either this or `requests`')
    const compared = Object.entries(requests).find(([, rule]) => rule?.tctx !== undefined)
    if (compared && !transaction) {
      throw wrong(
        `options.requests[${JSON.stringify(compared[0])}].tctx`,
        `kind ${TRANSACTION_TOKEN}: no other has tctx`,
      )
    }
    return prepareTable(requests, 'options.requests')
  }
  if (transaction && any !== true) {
    throw wrong('options.requests', 'what transaction tokens are taken for; compared with nothing they allow all')
  }
  return undefined
}

function assertListed(table: Table, verified: VerifiedToken, request: ServiceRequest): void {
  const target = targetOf(request.url)
  const match = table(request.method, target)
  if (target === undefined || match === undefined) {
    throw new DragomanError('ERR_REQUEST_UNLISTED', { detail: { expected: 'a method and path of `requests`' } })
  }
  assertAllowed(match, verified, request, target)
}

const isUnproved = (error: unknown): boolean => error instanceof DragomanError && error.code === 'ERR_TOKEN_UNPROVED'

/** RFC 9449 §7.1: under the scheme `DPoP` the token is bound to the key of the proof; §7.2: under `Bearer` it is not. */
function assertScheme(scheme: Scheme, { confirmation }: Token): void {
  if (scheme === 'Bearer' && confirmation?.jkt !== undefined) {
    throw new DragomanError('ERR_TOKEN_UNPROVED', { detail: { expected: 'the scheme DPoP, with a proof' } })
  }
  const { publicKey, jkt, ckt } = confirmation ?? {}
  if (scheme === 'DPoP' && publicKey === undefined && jkt === undefined && ckt === undefined) {
    throw new DragomanError('ERR_PROOF_MISMATCH', { detail: { expected: 'a token that is bound to a key' } })
  }
}
