import { acceptanceOf, at, atPlace, type Found, option, placeIn, type Rules, tokenName, type Words } from '../found.ts'
import { oneOf, shown, texts } from '../words.ts'

/** Whose signature it is, and what it is checked against; and what of our own is missing. */
export const trustRules: Rules = {
  ERR_TRUST_ISSUER: issuer,
  ERR_TRUST_KEY: (found) => {
    const { hint, configuration } = found
    const place = hint?.issuer === undefined ? undefined : configuration?.issuer(hint.issuer)
    return {
      place,
      expected: `a key of ${shown(hint?.issuer ?? 'the issuer')} for this token`,
      found:
        hint?.kid === undefined
          ? 'a token without kid, and no key that fits its algorithm'
          : `kid ${shown(hint.kid)}, which is none of its keys`,
      remedies: [
        `compare kid with the keys that are configured, or published${atPlace(place)}; put the new key there`,
        'or have the token issued anew, with the key that is in use',
      ],
    }
  },
  ERR_TRUST_PATH: (found) => ({
    path: option(found, 'issuers'),
    expected: shown(found.detail['expected'] ?? 'a certification path to a configured authority (RFC 5280)'),
    ...(found.detail['check'] !== undefined && {
      found: `a path that fails the check ${shown(found.detail['check'])}`,
    }),
    remedies: [
      'present the whole chain: the certificate first, then each intermediate',
      ...(acceptanceOf(found)?.issuers ?? [])
        .slice(0, 3)
        .map(
          (name) =>
            `or put the authority that issued it into the certificates of ${name}${atPlace(found.configuration?.issuer(name))}`,
        ),
    ],
  }),
  ERR_TRUST_UNAVAILABLE: (found) => {
    const { hint, detail, configuration } = found
    const place = hint?.issuer === undefined ? undefined : configuration?.issuer(hint.issuer)
    return {
      place,
      expected: `the keys of ${shown(hint?.issuer ?? 'the issuer')}`,
      found: `no answer that would do (${shown(detail['reason'] ?? 'not fetched yet')})`,
      remedies: [
        'try again: the token may well be good',
        `${FETCH[String(detail['reason']).replace(/^status \d+$/, 'status')] ?? 'see that its keys can be fetched from here'}${atPlace(place)}`,
        'or see what each fetch meets: `dragoman issuers --config FILE`',
      ],
    }
  },
  ERR_KEY_UNAVAILABLE: (found) => {
    const crypto = found.profile?.steps.find(({ stage }) => stage === 'crypto')?.path ?? 'stages'
    return {
      place: placeIn(found.profile, `${crypto}.key`),
      expected: shown(found.detail['expected'] ?? `the key ${shown(found.detail['key'] ?? '')}`),
      found: 'a key that cannot sign now',
      remedies: [
        `see to the key under keys${atPlace(found.configuration?.list('keys'))}: a certificate that has expired is to be renewed`,
      ],
    }
  },
  ERR_STORE_UNAVAILABLE: (found) => ({
    place: found.configuration?.list('replay'),
    expected: 'a store of uses that has room and can be reached',
    found: 'one that is full, or does not answer',
    remedies: [
      `raise replay.capacity${atPlace(found.configuration?.list('replay'))}, or restore the store; then ask again`,
    ],
  }),
  ERR_AUDIT_UNAVAILABLE: (found) => ({
    place: found.configuration?.list('audit'),
    expected: 'an audit stream that can be written',
    found: 'one that cannot, or is too far behind',
    remedies: [
      `let the file be written${atPlace(found.configuration?.list('audit'))}: its permissions, room on its disk; then ask again`,
      'or, where it goes to standard output: let its reader keep up',
    ],
  }),
  ERR_INTERNAL: () => ({
    expected: 'no defect',
    remedies: ['report it: standard error of the server has where, under the same request id'],
  }),
}

/** What to look at, by what the fetch met. */
const FETCH: { readonly [reason: string]: string | undefined } = {
  unreachable: 'see that its host and port can be reached from here',
  timeout: 'see that it answers within fetch.timeout',
  TLS: 'see that its certificate is for its host and not over, or name its authority in fetch.certificate_authority_file',
  'address not allowed': 'where it is inside your network: set fetch.allow_private_addresses',
  status: 'see that its keys are at this URL',
  redirect: 'name the URL that it redirects to',
  'not JSON': 'see that a JWK Set is at this URL',
  'not https': 'name a URL with https',
  'too large': 'raise fetch.max_bytes',
}

function issuer(found: Found): Words {
  const accepted =
    texts(found.detail['expected']).length > 0 ? texts(found.detail['expected']) : (acceptanceOf(found)?.issuers ?? [])
  const path = option(found, 'issuers')
  const says = found.hint?.issuer
  const trusted = says !== undefined && found.services.trust.find(says) !== undefined
  const list = found.configuration?.list('issuers')
  return {
    path,
    expected: `a ${tokenName(found)} of ${oneOf(accepted)}`,
    ...(says !== undefined && { found: `one that says it is of ${shown(says)}` }),
    remedies: [
      `present a token of ${oneOf(accepted)}`,
      ...(says === undefined
        ? []
        : [
            `or add ${shown(says)} to ${path}${at(found, path)}${trusted ? '' : `, and to issuers${atPlace(list)} with its keys`}; character for character, a slash at the end counts`,
          ]),
    ],
  }
}
