import type { Grant } from '../core/grant.ts'
import { tokenTypes } from '../core/types.ts'
import { required } from './required.ts'

// Seconds. As far ahead as issuers of the field set the expiry of an assertion; a profile for grants that are made for
// one redemption says less.
const MAX_LIFETIME = 3600

/**
 * RFC 7523 §2.1: a JWT of another issuer as an authorization grant, such as one that its authorization server made for
 * this one (identity chaining, ID-JAG). `scope`, and beside it `audience` and `resource` (RFC 8707), say what is wanted.
 *
 * Taken once, unless the profile says otherwise: RFC 7523 §3 lets a server remember `jti`, and a grant that was
 * stolen on its way is worth nothing once it is redeemed.
 */
export const jwtBearer: Grant = {
  name: 'jwt-bearer',
  type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
  role: 'grant',
  refused: 'invalid_grant',
  present: (parameters) => ({
    subject_token: required(parameters, 'assertion'),
    subject_token_type: tokenTypes.jwt,
  }),
  rules: { types: [tokenTypes.jwt], singleUse: true, maxLifetime: MAX_LIFETIME, foreign: true },
  profiles: new Map([['oauth-id-jag+jwt', 'urn:ietf:params:oauth:grant-profile:id-jag']]),
}
