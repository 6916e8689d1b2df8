import { TOKEN_EXCHANGE } from '../../core/types.ts'
import { type Found, placeIn, type Rules } from '../found.ts'
import { oneOf, shown, texts } from '../words.ts'

/** What was wrong with the form of a request: whoever sent it puts it right. */
export const requestRules: Rules = {
  ERR_REQUEST_MISSING: ({ detail }) => {
    const parameter = shown(detail['parameter'] ?? 'the parameter')
    return {
      expected: `the parameter ${parameter}, with a value`,
      found: 'none, or an empty one',
      remedies: [`send ${parameter}${MEANT[parameter] ?? ''}`],
    }
  },
  ERR_REQUEST_GRANT: ({ services }) => {
    const types = services.grants.map(({ type }) => type)
    return {
      expected: `grant_type=${oneOf(types)}`,
      found: 'another grant type',
      remedies: [`send grant_type=${types[0] ?? TOKEN_EXCHANGE}; no other grant is served here but those`],
    }
  },
  ERR_REQUEST_ACTOR: () => ({
    expected: 'actor_token and actor_token_type, or neither of them',
    found: 'one without the other',
    remedies: ['send the one that is missing', 'leave both out'],
  }),
  ERR_REQUEST_RESOURCE: () => ({
    expected: 'resource as an absolute URI without fragment (RFC 8707 section 2)',
    remedies: ['send an absolute URI, such as https://orders.example', 'send a logical name as `audience` instead'],
  }),
  ERR_REQUEST_SCOPE: () => ({
    expected: 'scope tokens with one space between them (RFC 6749 section 3.3)',
    remedies: ['send each scope token once, one space between two, none at the ends, no quotes and no backslash'],
  }),
  ERR_REQUEST_DETAILS: () => ({
    expected: 'no authorization_details',
    remedies: ['leave authorization_details out, and ask for `scope` and `audience` instead'],
  }),
  ERR_REQUEST_REPEATED: ({ detail }) => ({
    expected: 'each parameter once, but for audience and resource',
    found: `${shown(detail['parameter'] ?? 'a parameter')} twice`,
    remedies: [`send ${shown(detail['parameter'] ?? 'it')} once`],
  }),
  ERR_REQUEST_TOKEN_TYPE: tokenType,
  ERR_REQUEST_CSR: ({ detail }) => ({
    expected: `${shown(detail['expected'] ?? 'a PKCS#10 request')} in csr`,
    ...(detail['check'] !== undefined && { found: `a request that fails the check ${shown(detail['check'])}` }),
    remedies: [
      'make a new request with the key that the certificate is to be for: openssl req -new -key client.key -subj /',
      'use a P-256, P-384, P-521, Ed25519, RSA (2048 to 8192 bits) or ML-DSA key',
    ],
  }),
}

const MEANT: { readonly [parameter: string]: string | undefined } = {
  grant_type: `=${TOKEN_EXCHANGE}`,
  subject_token: ': the token to be exchanged',
  assertion: ': the grant to be redeemed',
  scope: ': what the transaction is to do, one scope or several of one row of `transactions`',
  audience: ': the trust domain that the token is for',
  requested_token_type: ': urn:ietf:params:oauth:token-type:txn_token, since it is a transaction that is asked for',
  Authorization: ': `Authorization: Bearer`, or `DPoP`, and the token',
  'Authorization: Bearer or DPoP': ', and the token; the proxy hands it on as it came',
  'client certificate': ': the proxy hands it on in the header field that `client_certificate` of the endpoint names',
  subject_token_type: ': what kind of token it is, such as urn:ietf:params:oauth:token-type:jwt',
}

function tokenType(found: Found) {
  const { detail, request, near } = found
  const actor = detail['parameter'] === 'actor_token_type' || detail['role'] === 'actor'
  const parameter = actor ? 'actor_token_type' : 'subject_token_type'
  const sent = actor ? request?.actor_token_type : request?.subject_token_type
  const supported = texts(detail['supported'])
  const role = actor ? 'actor' : 'subject'
  const path = `accept.${role}.types`
  const own = typeof detail['expected'] === 'string' ? [detail['expected']] : []
  const wanted = supported.length > 0 ? supported : own
  return {
    place: placeIn(near[0], path),
    expected: `${parameter}: ${oneOf(wanted)}`,
    ...(sent !== undefined && { found: shown(sent) }),
    remedies: [
      `send ${parameter}=${shown(wanted[0] ?? '')} if that is what the token is`,
      ...(supported.length > 1 ? [`or the one of ${oneOf(supported)} that it is`] : []),
      ...(sent !== undefined && supported.length > 0
        ? [`use a profile that takes ${shown(sent)}: the format of \`accept.${role}\` decides which types there can be`]
        : []),
    ],
  }
}
