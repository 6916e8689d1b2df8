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
  return {
    async run(work) {
      if (running < inPool) running += 1
      else {
        if (queue.length >= waiting) throw new DragomanError('ERR_OVERLOADED', { detail: { waiting }, retryAfter: 1 })
        await new Promise<void>((resolve) => queue.push(resolve))
      }
      try {
        return await work()
      } finally {
        // A place is handed over, not given up and taken again: nobody who comes meanwhile gets in between.
        const next = queue.shift()
        if (next) next()
        else running -= 1
      }
    },
  }
}

/**
 * A signer over a private key in this process. Fast algorithms sign at once, slow ones in `pool`.
 * The private key is in the closure alone: nothing returned leads back to it. Certificates are copied, each into memory
 * of its own, since small buffers share theirs with whatever else was read, a key file for one.
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
    chain: Object.freeze(chain.map((der) => Uint8Array.from(der))),
    sign: algorithm.slow
      ? (data: Uint8Array) => {
          // It may wait for its turn longer than its buffer stays as it is.
          const own = Uint8Array.from(data)
          return pool.run(() => signAsync(algorithm, form, own))
        }
      : (data: Uint8Array) => signSync(algorithm, form, data),
  })
}
