import type { ClientMethod } from '../core/client.ts'
import { clientSecretBasic } from './client_secret_basic.ts'
import { clientSecretPost } from './client_secret_post.ts'
import { privateKeyJwt } from './private_key_jwt.ts'
import { tlsClientAuth } from './tls_client_auth.ts'

/** The built-in ways in which a client authenticates, in the order in which metadata lists them. */
export const clientMethods = (): readonly ClientMethod[] => [
  privateKeyJwt,
  tlsClientAuth(),
  clientSecretBasic,
  clientSecretPost,
]
