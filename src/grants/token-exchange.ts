import type { Grant } from '../core/grant.ts'
import { TOKEN_EXCHANGE } from '../core/types.ts'
import { required } from './required.ts'

/** RFC 8693 §2.1: the request says of what type its subject token is. */
export const tokenExchange: Grant = {
  name: 'token-exchange',
  type: TOKEN_EXCHANGE,
  role: 'subject',
  refused: 'invalid_request',
  present: (parameters) => ({
    subject_token: required(parameters, 'subject_token'),
    subject_token_type: required(parameters, 'subject_token_type'),
  }),
  rules: {},
}
