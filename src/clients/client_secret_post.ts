import type { ClientMethod } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import { verifySecret } from './secret.ts'

/** `client_id` and `client_secret` in the body (RFC 6749 §2.3.1, which prefers the header). */
export const clientSecretPost: ClientMethod = {
  name: 'client_secret_post',
  claim({ client_id, client_secret }) {
    if (client_secret === undefined) return undefined
    if (client_id === undefined) {
      throw new DragomanError('ERR_CLIENT_MALFORMED', { detail: { expected: 'client_id with client_secret' } })
    }
    return { method: 'client_secret_post', clientId: client_id, secret: client_secret }
  },
  verify: verifySecret,
}
