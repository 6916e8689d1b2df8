import { algorithmNames, joseNames } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { Proof } from '../core/proof.ts'
import type { ReplayStore } from '../core/stores.ts'
import { certificateProofs, proveDpop, rollingNonces } from '../proofs/index.ts'
import type { DpopSetting } from './options.ts'
import type { Presented } from './presented.ts'
import { fieldsOf, type ServiceRequest } from './request.ts'
import { targetOf } from './target.ts'

/** What shows, in a request, that whoever sent it holds a key. */
export interface Proofs {
  /** Algorithms for DPoP proofs, under each name that JOSE has for them. */
  readonly algorithms: readonly string[]
  /** The DPoP nonce to be used from now on, where they are in use. */
  nonce(now: number): string | undefined
  of(presented: Presented, request: ServiceRequest | undefined, now: number): Shown
}

export interface Shown {
  /** What may be used once is claimed from `replay`. @throws {@link DragomanError} `ERR_PROOF_*`, `ERR_TOKEN_UNPROVED` */
  prove(replay: ReplayStore): Promise<readonly Proof[]>
  /** Why the certificate of the connection is no proof. It may be there for the connection's sake, and matter to nobody. */
  readonly failure: unknown
}

/**
 * The proofs that a service takes: the certificate of the connection, and under the scheme `DPoP` a DPoP proof for this
 * method, this URL and this token (RFC 9449 §7). Does NOT compare their keys with the token's.
 */
export function prepareProofs(dpop: DpopSetting | undefined): Proofs {
  const nonces = dpop?.nonceSecret && rollingNonces(dpop.nonceSecret)
  const algorithms = dpop?.algorithms ?? algorithmNames
  const certificateProof = certificateProofs()

  async function dpopProof({ raw, scheme }: Presented, request: ServiceRequest | undefined, tools: Tools) {
    if (scheme !== 'DPoP') return []
    if (dpop === undefined || request === undefined) {
      throw new DragomanError('ERR_TOKEN_UNPROVED', { detail: { expected: 'the option `dpop`, and the request' } })
    }
    const target = targetOf(request.url)
    if (target === undefined) {
      throw new DragomanError('ERR_REQUEST_UNLISTED', { detail: { expected: 'a URL that can be read in one way' } })
    }
    const url = dpop.baseUrl.replace(/\/$/, '') + target.path
    const use = { method: request.method, url, token: raw, ath: 'required' } as const
    const proof = await proveDpop(fieldsOf(request, 'dpop'), use, { ...tools, algorithms }, { nonces })
    if (proof === undefined) throw new DragomanError('ERR_PROOF_REQUIRED', { detail: { expected: 'a DPoP proof' } })
    return [proof]
  }

  function certificateOf(request: ServiceRequest | undefined) {
    if (request?.certificate === undefined) return { proofs: [] }
    try {
      return { proofs: [certificateProof(request.certificate)] }
    } catch (failure) {
      return { proofs: [], failure }
    }
  }

  return {
    algorithms: joseNames(algorithms),
    nonce: (now) => nonces?.current(now),
    of(presented, request, now) {
      const { proofs, failure } = certificateOf(request)
      return {
        prove: async (replay) => [...(await dpopProof(presented, request, { now, replay })), ...proofs],
        failure,
      }
    },
  }
}

interface Tools {
  readonly now: number
  readonly replay: ReplayStore
}
