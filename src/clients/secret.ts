import { hash, timingSafeEqual } from 'node:crypto'
import type { ClientClaim, RegisteredClient } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'

/**
 * Compares the secret of a claim with those of the client: SHA-256 digests, in constant time, each of them whatever the
 * first says. Nothing but digests is kept, since a secret of a gateway is a random one and no password.
 *
 * @throws {@link DragomanError} `ERR_CLIENT_SECRET`
 */
export function verifySecret({ secret = '' }: ClientClaim, { secretDigests }: RegisteredClient): void {
  const digest = hash('sha256', secret, 'buffer')
  let matches = 0
  for (const expected of secretDigests) {
    if (expected.length === digest.length && timingSafeEqual(digest, expected)) matches += 1
  }
  if (matches === 0) throw new DragomanError('ERR_CLIENT_SECRET')
}
