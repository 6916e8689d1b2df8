import { createHmac, timingSafeEqual } from 'node:crypto'

/** DPoP nonces of the server's (RFC 9449 §8): unpredictable, and the same in every process that has the secret. */
export interface Nonces {
  /** The nonce to be used from now on. */
  current(now: number): string
  accepts(nonce: string, now: number): boolean
}

// A client has this long, and up to twice as long, to use what it was given.
const PERIOD = 120

/**
 * Nonces that follow from the time and a secret of at least 32 bytes, so that there is nothing to store or to share.
 *
 * The current one and the one before it are accepted.
 */
export function rollingNonces(secret: Uint8Array, period = PERIOD): Nonces {
  if (secret.length < 32) throw new TypeError('a secret of at least 32 bytes')
  const at = (index: number) => createHmac('sha256', secret).update(`dpop nonce ${index}`).digest()
  return {
    current: (now) => at(Math.floor(now / period)).toString('base64url'),
    accepts(nonce, now) {
      const given = Buffer.from(nonce, 'base64url')
      const index = Math.floor(now / period)
      return [index, index - 1].some((candidate) => given.length === 32 && timingSafeEqual(given, at(candidate)))
    },
  }
}
