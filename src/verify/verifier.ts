import { TRANSACTION_TOKEN } from '../core/acceptance.ts'
import { DragomanError } from '../core/errors.ts'
import { memoryReplay } from '../stores/memory.ts'
import type { IssuerStatus } from '../trust/index.ts'
import { type Answer, answerTo } from './challenge.ts'
import { prepareChecks } from './checks.ts'
import { accepted, type Decision, refused } from './decision.ts'
import { checkOptions, kindOf, type VerifierOptions } from './options.ts'
import { accessTokenIn, assertAlone, type Scheme, transactionTokenIn } from './presented.ts'
import { prepareProofs } from './proofs.ts'
import type { ServiceRequest } from './request.ts'
import type { VerifiedToken } from './result.ts'

/** Verifies the tokens that a service is sent. */
export interface Verifier {
  /**
   * Verifies one token.
   *
   * With `requests` in the options, or for a token that is bound to a key, it needs the request that the token came with.
   *
   * @throws {@link DragomanError}
   */
  verify(token: string, presentation?: TokenPresentation): Promise<VerifiedToken>
  /** Finds the token in a request, and verifies it for this request. @throws {@link DragomanError} */
  verifyRequest(request: ServiceRequest, options?: { readonly now?: number }): Promise<VerifiedToken>
  /** The same for whoever answers HTTP: a token, or the answer to give instead. Never throws; tells `log`. */
  admit(request: ServiceRequest): Promise<Admission>
  /** How the keys of the issuers stand, for a health check. */
  status(): readonly Omit<IssuerStatus, 'published'>[]
}

export interface TokenPresentation {
  /** Seconds since the epoch. */
  readonly now?: number
  readonly request?: ServiceRequest
  /** How it was sent. Default: `Bearer`, or `Txn-Token` for transaction tokens. `DPoP`: the proof is in the request. */
  readonly scheme?: 'Bearer' | 'DPoP'
}

/** One of the two. */
export type Admission =
  | { readonly token: VerifiedToken; readonly answer?: undefined }
  | { readonly token?: undefined; readonly answer: Answer }

/**
 * A verifier for one kind of token, with its own memory of keys, tokens and proofs. Make one when the service starts.
 *
 * Checks of each token what an exchange checks of a subject token: issuer, signature, kind, audience, time, subject space,
 * and the proof of the key that it is bound to; then its scope, and what it says of the request. Does NOT authenticate who
 * calls: a bearer token, and any transaction token, says nothing of that.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` or `ERR_TRUST_CONFIG` for options that cannot work
 */
export function createVerifier(options: VerifierOptions): Verifier {
  checkOptions(options)
  const { clock = () => Date.now() / 1000, replay = memoryReplay(), realm, log } = options
  const proofs = prepareProofs(options.dpop)
  const checks = prepareChecks(options, { clock, replay, proofs })
  const transaction = kindOf(options) === TRANSACTION_TOKEN
  const schemes: readonly Scheme[] = transaction ? ['Txn-Token'] : options.dpop ? ['Bearer', 'DPoP'] : ['Bearer']
  const presentedIn = (request: ServiceRequest) => (transaction ? transactionTokenIn(request) : accessTokenIn(request))

  function refusal(error: unknown, scheme: Scheme | undefined, now: number | undefined): Answer {
    const nonce = now === undefined ? undefined : proofs.nonce(Math.floor(now))
    return answerTo(error, scheme, { schemes, realm, algorithms: proofs.algorithms, nonce })
  }

  /** Whoever is told may fail: then nothing is admitted that left no trace. */
  function tell(decision: Decision): void {
    try {
      log?.(decision)
    } catch (cause) {
      if (decision.result === 'accepted') throw new DragomanError('ERR_AUDIT_UNAVAILABLE', { cause })
    }
  }

  return {
    async verify(raw, { now = clock(), request, scheme = 'Bearer' } = {}) {
      if (options.requests !== undefined && request === undefined) {
        throw new TypeError('the request that the token came with')
      }
      // What RFC 7519 calls a JWT is compact; RFC 7515 has other ways to write the same.
      if (transaction) assertAlone(raw)
      return checks.verify({ raw, scheme: transaction ? 'Txn-Token' : scheme }, request, now)
    },
    async verifyRequest(request, { now = clock() } = {}) {
      return checks.verify(presentedIn(request), request, now)
    },
    async admit(request) {
      const { method } = request
      let scheme: Scheme | undefined
      let now: number | undefined
      try {
        now = clock()
        const presented = presentedIn(request)
        scheme = presented.scheme
        const token = await checks.verify(presented, request, now)
        tell(accepted(method, token))
        return { token }
      } catch (error) {
        const answer = refusal(error, scheme, now)
        tell(refused(method, error, answer.status))
        return { answer }
      }
    },
    status: checks.status,
  }
}
