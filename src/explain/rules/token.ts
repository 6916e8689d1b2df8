import { MAX_CLOCK_SKEW } from '../../core/acceptance.ts'
import {
  acceptanceOf,
  at,
  atPlace,
  type Found,
  option,
  parameterOf,
  placeIn,
  type Rules,
  tokenName,
  type Words,
} from '../found.ts'
import { allOf, oneOf, shown, spanText, texts, timeText } from '../words.ts'

/** What was presented: its form, its time, for whom it is, whom it speaks of. */
export const tokenRules: Rules = {
  ERR_TOKEN_MALFORMED: (found) => ({
    expected: `${parameterOf(found)} as ${shown(found.detail['expected'] ?? typeOf(found))}`,
    remedies: [
      `send the whole token, as it was issued: no quotes, no line breaks, no \`Bearer\` in front`,
      `or correct ${found.role}_token_type: it says ${shown(typeOf(found))}, and the token may be of another kind`,
    ],
  }),
  ERR_TOKEN_TOO_LARGE: ({ detail, ...found }) => ({
    expected: shown(detail['expected']),
    ...(detail['actual'] !== undefined && { found: shown(detail['actual']) }),
    remedies: [
      `have a smaller token issued: fewer claims, a shorter chain`,
      `or ask for less of it: fewer scopes (${tokenName({ detail, ...found })})`,
    ],
  }),
  ERR_TOKEN_DUPLICATE: (found) => ({
    expected: shown(found.detail['expected'] ?? 'each name once'),
    found: `${shown(found.detail['claim'] ?? found.detail['member'] ?? 'a name')} twice`,
    remedies: [`have the issuer${named(found)} mend it: two readers would not agree about which one counts`],
  }),
  ERR_TOKEN_ALGORITHM: algorithm,
  ERR_TOKEN_HEADER: (found) => ({
    expected: shown(found.detail['expected'] ?? 'a header that is understood'),
    ...(found.detail['member'] !== undefined && { found: `the header member ${shown(found.detail['member'])}` }),
    remedies: [`have the issuer${named(found)} leave it out, or write it as its definition says`],
  }),
  ERR_TOKEN_SIGNATURE: (found) => {
    const { hint, configuration } = found
    const issuer = hint?.issuer
    return {
      place: issuer === undefined ? undefined : configuration?.issuer(issuer),
      expected: `a signature by the key${hint?.kid === undefined ? '' : ` ${shown(hint.kid)}`}${issuer === undefined ? '' : ` of ${shown(issuer)}`}`,
      found: 'one that this key did not make',
      remedies: [
        'send the token as it was issued: one character that is changed, cut off or decoded breaks it',
        `or, where the issuer signs with a new key under the same \`kid\`: update its keys${atPlace(issuer === undefined ? undefined : configuration?.issuer(issuer))}`,
      ],
    }
  },
  ERR_TOKEN_CLAIM: (found) => ({
    expected: `${shown(found.detail['claim'] ?? 'the claim')}: ${shown(found.detail['expected'])}`,
    found: 'something else',
    remedies: [`have the issuer${named(found)} write ${shown(found.detail['claim'] ?? 'it')} as its definition says`],
  }),
  ERR_TOKEN_EXPIRED: expired,
  ERR_TOKEN_NOT_YET_VALID: early,
  ERR_TOKEN_TOO_OLD: (found) => {
    const { detail } = found
    const path = option(found, 'max_age')
    return {
      path,
      expected: `a ${tokenName(found)} issued ${shown(detail['expected'])} ago`,
      found: `issued ${spanText(Number(detail['actual']))} ago`,
      remedies: [
        `get a fresh token${from(found)}, and exchange it at once`,
        `or raise max_age to ${Math.ceil(Number(detail['actual']) || 0)} or more${at(found, path)}`,
      ],
    }
  },
  ERR_TOKEN_AUTHENTICATION: (found) => {
    const { detail } = found
    const path = option(found, 'authentication')
    const values = texts(detail['acr_values'])
    const asked = [
      ...(values.length > 0 ? [`acr ${oneOf(values)}`] : []),
      ...(typeof detail['max_age'] === 'number' ? [`auth_time at most ${spanText(detail['max_age'])} ago`] : []),
    ]
    return {
      path,
      expected: asked.join(' and '),
      found: detail['claim'] === 'acr' ? 'another acr, or none' : 'an auth_time that is longer ago, or none',
      remedies: [
        `have the user authenticate again${from(found)}, with the acr_values and max_age of the answer, and exchange the new token`,
        `or ask for less in ${path}${at(found, path)}`,
      ],
    }
  },
  ERR_TOKEN_NO_EXPIRY: (found) => ({
    expected: `exp in the ${tokenName(found)}`,
    found: 'a token that never expires',
    remedies: [`have the issuer${named(found)} set exp; there is no option that takes a token without it`],
  }),
  ERR_TOKEN_AUDIENCE: (found) => {
    const accepted = texts(found.detail['expected'])
    const path = option(found, 'audience')
    const held = found.token?.validity.audience
    return {
      path,
      expected: `aud with ${oneOf(accepted)}`,
      ...(held && { found: held.length === 0 ? 'no aud at all' : `aud ${allOf(held)}` }),
      remedies: [
        `the token's aud would have to have ${oneOf(accepted)}: ask${named(found)} for a token for this gateway`,
        `or list ${held && held.length > 0 ? oneOf(held) : 'its audience'} in ${path}${at(found, path)}, if such tokens are meant for this gateway`,
      ],
    }
  },
  ERR_TOKEN_KIND: (found) => {
    const path = option(found, 'kind')
    const kind = found.token?.provenance.kind
    const expected = texts(found.detail['expected'])
    return {
      path,
      expected: `a ${tokenName(found)} of the kind: ${oneOf(expected.length > 0 ? expected : ['that the profile takes'])}`,
      ...(kind !== undefined
        ? { found: `typ ${shown(kind)}` }
        : found.detail['actual'] !== undefined && { found: shown(found.detail['actual']) }),
      remedies: [
        `present the right kind of token: an ID token, an access token and a plain JWT of one issuer do not stand for each other`,
        `or set ${path}${kind === undefined ? '' : `: ${shown(kind)}`}${at(found, path)}`,
      ],
    }
  },
  ERR_TOKEN_REPLAYED: (found) => ({
    path: option(found, 'single_use'),
    expected: 'a token that has not been exchanged',
    found: 'one that has',
    remedies: [
      `get a fresh token${from(found)} for each exchange`,
      `or set single_use: false${at(found, option(found, 'single_use'))}`,
    ],
  }),
  ERR_TOKEN_SUBJECT_SPACE: (found) => {
    const issuer = String(found.detail['issuer'] ?? found.token?.provenance.issuer ?? found.hint?.issuer ?? '')
    const trustDomain = found.detail['rule'] === 'trust_domain' || found.detail['rule'] === 'issuers[].trust_domain'
    const name = trustDomain ? 'trust_domain' : 'subjects'
    const place = issuer === '' ? undefined : found.configuration?.issuer(issuer, name)
    return {
      place,
      expected: trustDomain
        ? `a SPIFFE ID in the trust domain ${shown(found.detail['expected'])}`
        : `a subject within \`subjects\` of ${shown(issuer)}`,
      found: 'another subject, which the token names in sub',
      remedies: [
        `if ${shown(issuer || 'the issuer')} is to speak of it, add the subject, or a prefix ending in /*, to ${name}${atPlace(place)}`,
        'if not, this is a token that should not have been issued: ask who issued it, and for whom',
      ],
    }
  },
  ERR_TOKEN_SUBJECT: (found) => ({
    path: option(found, 'subject_from'),
    expected: shown(found.detail['expected'] ?? 'one subject'),
    found: 'none, or several',
    remedies: [
      acceptanceOf(found)?.format === 'x509'
        ? `set ${option(found, 'subject_from')} to a name that the certificate has once${at(found, option(found, 'subject_from'))}: ${oneOf(SUBJECT_NAMES.filter((name) => name !== acceptanceOf(found)?.subjectFrom))}`
        : `have the issuer${named(found)} set sub`,
    ],
  }),
  ERR_TOKEN_ACT: act,
  ERR_TOKEN_MAY_ACT: (found) => {
    const member = found.detail['member']
    return {
      expected: `an acting party whose ${shown(member ?? 'name')} is the one in may_act of the subject token (RFC 8693 section 4.4)`,
      found: `${found.proofs.length >= 0 && found.request?.actor_token !== undefined ? 'the actor token' : `the client ${shown(found.clientId ?? '')}`}, whose ${shown(member ?? 'name')} is another`,
      remedies: [
        'let the party that may_act names do the exchange: as the client, or with its token as actor_token',
        `or have the subject token issued with a may_act that names ${found.request?.actor_token !== undefined ? 'the actor' : shown(found.clientId ?? 'the client')}, or without may_act`,
      ],
    }
  },
  ERR_TOKEN_CONFIRMATION: (found) => ({
    expected: shown(found.detail['expected'] ?? 'cnf with jkt, x5t#S256 or a public jwk'),
    remedies: [
      `have the issuer${named(found)} bind the token by jkt, x5t#S256 or a public jwk: one key, no private part`,
    ],
  }),
  ERR_TOKEN_UNPROVED: unproved,
  ERR_TOKEN_CRITICAL: (found) => ({
    expected: shown(found.detail['expected'] ?? 'no critical extension that is unknown here'),
    remedies: ['have the certificate issued without it, or with the extension not critical'],
  }),
}

const SUBJECT_NAMES = ['san_uri', 'san_dns', 'san_email', 'subject_cn', 'subject_dn']

const typeOf = ({ role, request }: Found): string =>
  (role === 'actor' ? request?.actor_token_type : request?.subject_token_type) ?? 'what its declared type says'

const issuerOf = ({ token, hint }: Found): string | undefined => token?.provenance.issuer ?? hint?.issuer
const named = (found: Found): string => {
  const issuer = issuerOf(found)
  return issuer === undefined ? '' : ` ${shown(issuer)}`
}
const from = (found: Found): string => {
  const issuer = issuerOf(found)
  return issuer === undefined ? '' : ` from ${shown(issuer)}`
}

function expired(found: Found): Words {
  const { detail, now, stage } = found
  const end = Number(detail['actual'])
  const late = now - end
  const path = stage ?? option(found, 'clock_skew')
  if (found.token !== undefined && stage !== undefined) {
    return {
      path: stage,
      expected: 'an output that is valid for a while',
      found: `an input that ends at ${timeText(end)}, within the clock skew`,
      remedies: [`get a fresh token${from(found)}`],
    }
  }
  return {
    path,
    expected: `exp after ${timeText(now)}`,
    found: `exp ${timeText(end)}, ${late >= 0 ? `${spanText(late)} ago` : 'too near'}`,
    remedies: [
      `get a fresh ${tokenName(found)}${from(found)}`,
      ...(late >= 0 && late < MAX_CLOCK_SKEW
        ? [
            `or, if clocks differ: mend them, or raise clock_skew above ${Math.ceil(late)}${at(found, path)} (${MAX_CLOCK_SKEW} at most)`,
          ]
        : []),
    ],
  }
}

function early(found: Found): Words {
  const { detail, now } = found
  const start = Number(detail['actual'])
  const ahead = start - now
  const path = option(found, 'clock_skew')
  return {
    path,
    expected: `nbf and iat ${shown(detail['expected'] ?? `at most ${now}`).replace(/\d{9,}/, (seconds) => timeText(seconds))}`,
    found: `${timeText(start)}, ${spanText(Math.max(0, ahead))} ahead`,
    remedies: [
      `wait until ${timeText(start)}`,
      ...(ahead <= MAX_CLOCK_SKEW
        ? [
            `or mend the clocks; or raise clock_skew to ${Math.ceil(Math.max(0, ahead))} or more${at(found, path)} (${MAX_CLOCK_SKEW} at most)`,
          ]
        : [
            `or compare the clock of the issuer${named(found)}: more than ${MAX_CLOCK_SKEW} seconds are never tolerated`,
          ]),
    ],
  }
}

function algorithm(found: Found): Words {
  const { detail, hint, configuration } = found
  const issuer = issuerOf(found)
  const actual = detail['actual'] ?? hint?.algorithm
  const byProfile = found.token !== undefined && acceptanceOf(found)?.algorithms !== undefined
  const place =
    byProfile || issuer === undefined
      ? placeIn(found.profile, option(found, 'algorithms'))
      : configuration?.issuer(issuer, 'algorithms')
  const allowed = byProfile
    ? (acceptanceOf(found)?.algorithms ?? [])
    : (found.services.trust.find(issuer ?? '')?.algorithms.map(({ name }) => name) ?? texts(detail['expected']))
  return {
    place,
    expected: allowed.length > 0 ? `an algorithm: ${oneOf(allowed)}` : 'an algorithm that is known here',
    ...(actual !== undefined && { found: shown(actual) }),
    remedies: [
      `have the issuer${named(found)} sign with ${oneOf(allowed.length > 0 ? allowed : ['an asymmetric algorithm such as ES256'])}`,
      ...(actual === undefined
        ? []
        : [`or allow ${shown(actual)} in algorithms${atPlace(place)}, if it is meant and the key is for it`]),
    ],
  }
}

function act(found: Found): Words {
  const { detail, stage, configuration } = found
  const issuer = String(detail['issuer'] ?? issuerOf(found) ?? '')
  const expected = shown(detail['expected'] ?? 'act that can be taken')
  if (detail['rule'] === 'self-delegation') {
    return {
      path: stage,
      expected,
      found: 'one party that would act for itself',
      remedies: ['send the token of the party that acts as actor_token, not the subject token again'],
    }
  }
  if (expected.includes('history')) {
    const place = configuration?.issuer(issuer, 'history')
    return {
      place,
      expected,
      found: `an act claim from ${shown(issuer)}`,
      remedies: [
        `if ${shown(issuer)} is trusted for who acted before: set \`history: true\` for it${atPlace(place)}`,
        'or present a token without act',
      ],
    }
  }
  return {
    path: stage,
    expected,
    remedies: [
      'present a token with fewer actors in its act claim: each hop adds one',
      `or have the issuer${named(found)} write act as an object that names an actor`,
    ],
  }
}

function unproved(found: Found): Words {
  const { token, detail } = found
  const { jkt, publicKey, x5tS256 } = token?.confirmation ?? {}
  const thumbprint = jkt ?? publicKey?.jkt
  const bound =
    x5tS256 !== undefined && thumbprint === undefined
      ? `the certificate with the SHA-256 ${shown(x5tS256)}`
      : thumbprint === undefined
        ? 'the key in its cnf'
        : `the key with the thumbprint ${shown(thumbprint)}`
  return {
    path: option(found, 'presented_by'),
    expected: `${shown(detail['expected'] ?? 'a proof')}: the ${tokenName(found)} is bound to ${bound}`,
    found: 'no proof of possession',
    remedies: [
      x5tS256 !== undefined && thumbprint === undefined
        ? 'connect to a listener with TLS, with that certificate'
        : 'send a DPoP proof (header field DPoP) signed with that key; for a certificate, or a key in one, connect with it',
      `or, where a resource server presents what it received: set presented_by: audience${at(found, option(found, 'presented_by'))}`,
    ],
  }
}
