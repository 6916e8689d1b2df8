import type { KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { type Algorithm, cryptoKey, signAsync, signSync } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { Signer } from '../core/keys.ts'
import { publicKey } from '../wire/jwk.ts'

/**
 * Signatures of slow algorithms in flight at once. The thread pool has four threads by default and serves file system
 * and DNS too, so that one is left for them.
 */
const MAX_IN_POOL = 3
// At a millisecond each this is a second of work; who comes later is better told to come again.
const MAX_WAITING = 1024

/** Runs slow signatures in the thread pool, a few at a time, in the order in which they came. */
export interface Pool {
  run<T>(work: () => Promise<T>): Promise<T>
}

export function signingPool({ inPool = MAX_IN_POOL, waiting = MAX_WAITING } = {}): Pool {
  const queue: (() => void)[] = []
  let running = 0
  const next = () => {
    running -= 1
    queue.shift()?.()
  }
  return {
    async run(work) {
      if (running >= inPool) {
        if (queue.length >= waiting) throw new DragomanError('ERR_OVERLOADED', { detail: { waiting }, retryAfter: 1 })
        await new Promise<void>((resolve) => queue.push(resolve))
      }
      running += 1
      try {
        return await work()
      } finally {
        next()
      }
    },
  }
}

/**
 * A signer over a private key in this process. Fast algorithms sign at once, slow ones in `pool`.
 * The private key is in the closure alone: nothing returned leads back to it.
 */
export function signerOf(
  key: KeyObject,
  algorithm: Algorithm,
  { kid, chain, pool }: { kid?: string | undefined; chain: readonly Uint8Array[]; pool: Pool },
): Signer {
  const form = cryptoKey(algorithm, key)
  const shown = publicKey(createPublicKey(key))
  return Object.freeze({
    kid: kid ?? shown.jkt,
    algorithm,
    publicKey: shown,
    chain,
    sign: algorithm.slow
      ? (data: Uint8Array) => pool.run(() => signAsync(algorithm, form, data))
      : (data: Uint8Array) => signSync(algorithm, form, data),
  })
}
