import { at, atPlace, type Found, type Rules } from '../found.ts'
import { oneOf, shown, timeText } from '../words.ts'

/** Who asks: credentials that are missing, wrong, or somebody else's. */
export const clientRules: Rules = {
  ERR_CLIENT_MISSING: (found) => {
    const { near, configuration, stage, services } = found
    if (stage !== undefined) {
      return {
        expected: 'a client that authenticates, since it is to be named as the one that acts',
        found: 'nobody but the subject token',
        remedies: [`authenticate as a client of ${services.issuer}`],
      }
    }
    const open = near.filter(({ origin }) => origin !== undefined).slice(0, 3)
    return {
      place: configuration?.list('clients'),
      expected: 'credentials of a client that is configured',
      found: 'none',
      remedies: [
        `authenticate as one of the clients${atPlace(configuration?.list('clients'))}, by the method that it is registered for`,
        ...open.map(
          (profile) =>
            `where the subject token itself is to be enough: set \`subject_token_authenticates: true\` in accept${at({ ...found, profile }, 'accept')}`,
        ),
      ],
    }
  },
  ERR_CLIENT_SEVERAL: ({ detail }) => ({
    expected: 'credentials of one method (RFC 6749 section 2.3)',
    found: Array.isArray(detail['methods']) ? detail['methods'].map(shown).join(' and ') : 'more than one',
    remedies: ['send one of them, and leave the other out'],
  }),
  ERR_CLIENT_MALFORMED: ({ detail, request }) => ({
    expected: shown(detail['expected'] ?? 'credentials that can be read'),
    remedies: [
      ...(request?.client_assertion === undefined
        ? ['with Basic: form-encode id and secret, join them by a colon, then base64 (RFC 6749 section 2.3.1)']
        : []),
      ...(request?.authorization === undefined
        ? ['with an assertion: send one compact JWT as client_assertion, and its type as client_assertion_type']
        : []),
    ],
  }),
  ERR_CLIENT_UNKNOWN: ({ clientId, configuration }) => {
    const list = configuration?.list('clients')
    const name = clientId === undefined ? 'the client' : `\`${shown(clientId)}\``
    return {
      place: list,
      expected: 'the id of a client of this tenant',
      ...(clientId !== undefined && { found: shown(clientId) }),
      remedies: [`add ${name} to clients${atPlace(list)}`, 'or send the id that is there, letter for letter'],
    }
  },
  ERR_CLIENT_METHOD: (found) => {
    const { detail, clientId } = found
    const place = found.configuration?.client(clientId ?? '', 'token_endpoint_auth_method')
    return {
      place,
      expected: shown(detail['expected']),
      found: shown(detail['actual']),
      remedies: [
        `let ${who(clientId)} authenticate by ${shown(detail['expected'])}`,
        `or set its token_endpoint_auth_method to ${shown(detail['actual'])}${atPlace(place)}`,
      ],
    }
  },
  ERR_CLIENT_SECRET: ({ clientId, configuration }) => ({
    place: configuration?.client(clientId ?? ''),
    expected: `a secret of ${who(clientId)}`,
    found: 'another one',
    remedies: [
      `send the secret that is configured${atPlace(configuration?.client(clientId ?? ''))}; a line break at its end is part of what is sent`,
      'with Basic: form-encode the secret before base64, since it may hold characters such as + or %',
    ],
  }),
  ERR_CLIENT_ASSERTION: assertion,
  ERR_CLIENT_ASSERTION_REPLAYED: () => ({
    expected: 'an assertion that has not been used',
    remedies: ['make a new assertion, with a jti of its own, for each request'],
  }),
  ERR_CLIENT_CERTIFICATE: ({ detail, clientId, configuration }) => ({
    place: configuration?.client(clientId ?? ''),
    expected: shown(detail['expected'] ?? 'the certificate that is registered for the client'),
    ...(detail['check'] !== undefined && { found: `a certificate that fails the check ${shown(detail['check'])}` }),
    remedies: [
      `connect with the certificate of ${who(clientId)} to a listener with TLS, not through a proxy that ends it`,
      `or register the name that its certificate has${atPlace(configuration?.client(clientId ?? ''))}`,
    ],
  }),
}

const CHECKS: { readonly [check: string]: ((issuer: string, id: string) => string) | undefined } = {
  typ: () => 'leave `typ` out of its header, or make it client-authentication+jwt',
  aud: (issuer) => `make \`aud\` ${issuer}, the issuer identifier of this gateway, as the only value`,
  iss: (_, id) => `make \`iss\` and \`sub\` ${id}`,
  sub: (_, id) => `make \`iss\` and \`sub\` ${id}`,
  exp: () => 'make `exp` near: a minute ahead is enough; compare the clocks',
  nbf: () => 'make `nbf` the time of the request, or leave it out; compare the clocks',
  iat: () => 'make `iat` the time of the request; compare the clocks',
  jti: () => 'give each assertion a jti of its own',
}

/** What is wrong with an assertion whose signature, issuer or form is. */
const REASONS: { readonly [code: string]: string | undefined } = {
  ERR_TOKEN_SIGNATURE: 'one that no key of it made',
  ERR_TRUST_KEY: 'one that no key of it made',
  ERR_TRUST_ISSUER: 'one by another issuer',
  ERR_TOKEN_ALGORITHM: 'one with an algorithm that is not taken from it',
}

function assertion({ detail, services, clientId, configuration }: Found) {
  const place = configuration?.client(clientId ?? '')
  const check = typeof detail['check'] === 'string' ? detail['check'] : undefined
  const advice = CHECKS[check ?? '']?.(services.issuer, who(clientId))
  const expected = detail['expected']
  const reason = String(detail['reason'] ?? '')
  const bySignature = check === undefined || check === 'key'
  return {
    place,
    expected:
      bySignature || expected === undefined
        ? `an assertion by a key of ${who(clientId)}`
        : `an assertion with ${check}: ${shown(expected)}`.replace(/\b\d{9,}\b/, (seconds) => timeText(seconds)),
    found: bySignature
      ? (REASONS[reason] ?? `one that is refused${reason === '' ? '' : ` with ${shown(reason)}`}`)
      : `an assertion that fails on ${check}`,
    remedies: [
      ...(advice === undefined
        ? [`sign with a key of its ${oneOf(['jwks', 'jwks_file', 'jwks_uri'])}${atPlace(place)}`]
        : [advice]),
      `make a new one for each request: iss and sub ${who(clientId)}, aud ${services.issuer}, a jti, exp within ${MINUTES} minutes`,
    ],
  }
}

const MINUTES = 5

/** An id, as far as it is known: the record of an authentication that failed has none. */
const who = (clientId: string | undefined): string => (clientId === undefined ? 'the client' : shown(clientId))
