import type { Profile } from '../../core/profile.ts'
import { at, atPlace, type Found, option, placeIn, type Rules, tokenName } from '../found.ts'
import { allOf, oneOf, shown, texts, timeText } from '../words.ts'

/** What is particular to transaction tokens, and to grants for another authorization server. */
export const transactionRules: Rules = {
  ERR_REQUEST_CONTEXT: ({ detail }) => ({
    expected: `${shown(detail['parameter'] ?? 'request_context and request_details')} as the text of one JSON object`,
    remedies: ['send the JSON itself, not base64url of it', 'send less of it: see docs/limits.md'],
  }),
  ERR_PROFILE_SUBJECT_TYPE: (found) => {
    const { detail, request, clientId, services } = found
    const type = request?.subject_token_type
    const takers = services.profiles.all.filter(
      ({ accepts }) => type !== undefined && accepts.subject.types.includes(type),
    )
    const names = (profile: Profile) => (profile.transactions === undefined ? 'accept.clients' : 'transactions')
    return {
      place: takers[0] && placeIn(takers[0], names(takers[0])),
      expected: `subject_token_type: ${oneOf(texts(detail['supported']))}`,
      ...(request && { found: shown(request.subject_token_type) }),
      remedies: [
        `present a token of a type that a profile of this client takes: ${oneOf(texts(detail['supported']))}`,
        ...takers
          .slice(0, MOST)
          .map(
            (profile) =>
              `or add the client \`${shown(clientId)}\` to ${names(profile)} of ${profile.name}${at({ ...found, profile }, names(profile))}`,
          ),
      ],
    }
  },
  ERR_PROFILE_TRANSACTION: (found) => {
    const { detail, clientId, profile, request } = found
    const name = detail['transaction']
    const path = rowOf(found)
    if (detail['rule'] === 'replacements') {
      return {
        path,
        expected: `${shown(detail['expected'])} replacements of the transaction ${shown(name)}`,
        found: 'a token that has been replaced as often',
        remedies: [
          'go on with the token that there is, or start another transaction',
          `or raise \`replacements\` of ${shown(name)}${at(found, path)}`,
        ],
      }
    }
    if (name === undefined) {
      return {
        path,
        expected: shown(detail['expected']),
        found: 'a certificate that says who the program is, and who sits before it',
        remedies: ['authenticate the program in another way than by the certificate that names its user'],
      }
    }
    const own = profile?.transactions?.filter(({ clients }) => clients.includes(clientId ?? '')) ?? []
    return {
      path,
      expected: `a client that may start ${shown(name)}: ${oneOf(texts(detail['expected']))}`,
      ...(clientId !== undefined && {
        found: `${shown(clientId)}${request ? `, with a token of the type ${shown(request.subject_token_type)}` : ''}`,
      }),
      remedies: [
        own.length > 0
          ? `ask for the scope of a transaction of your own: ${allOf(own.flatMap(({ scope }) => scope))}`
          : 'ask for the scope of a transaction that names this client',
        `or add the client to ${shown(name)}${at(found, path)}, with the type of token that it presents`,
      ],
    }
  },
  ERR_PROFILE_CONTEXT: (found) => {
    const { detail } = found
    const parameter = shown(detail['parameter'] ?? 'request_details')
    const member = detail['member']
    const path = `${rowOf(found)}${found.detail['transaction'] === undefined ? '' : `.${parameter === 'request_context' ? 'context' : 'details'}`}`
    return {
      path,
      expected:
        member === undefined
          ? `of ${parameter} no member but ${oneOf(texts(detail['expected']))}`
          : `${parameter}.${shown(member)}: ${shown(detail['expected'])}`,
      found: member === undefined ? 'another member beside them' : 'none, or something else',
      remedies: [
        member === undefined
          ? `leave the others out of ${parameter}`
          : `send ${shown(member)} in ${parameter}, as it is asked for`,
        `or change the row of the transaction${at(found, path)}`,
      ],
    }
  },
  ERR_PROFILE_FROZEN: (found) => {
    const { claim, member } = found.detail
    const name = member === undefined ? shown(claim) : `${shown(claim)}.${shown(member)}`
    const parameter = PARAMETERS[String(claim)]
    return {
      path: found.stage ?? 'stages',
      expected: `${name} as the subject token has it`,
      found: 'another value: a replacement can say more of its transaction, and no more than that',
      remedies: [
        parameter === undefined || member === undefined
          ? `take what changes ${name} out of the stages${at(found, 'stages')}, or out of the request`
          : `leave ${shown(member)} out of ${parameter}: it is in the token already`,
        'or start another transaction',
      ],
    }
  },
  ERR_PROFILE_CLIENT: (found) => {
    const path = `${found.stage ?? 'stages'}.client.map`
    return {
      path,
      expected: shown(found.detail['expected']),
      found: `none for ${shown(found.clientId ?? 'the client')}`,
      remedies: [
        `add ${shown(found.clientId ?? 'the client')} to sender_constraint.client.map${at(found, path)}, with the id that it has at the other authorization server`,
        'or, where a client is called there as here: set `default: same` beside the map',
      ],
    }
  },
  ERR_TOKEN_LIFETIME: (found) => ({
    path: option(found, 'max_lifetime'),
    expected: `an expiry ${shown(found.detail['expected']).replace(/\b\d{9,}\b/, (seconds) => timeText(seconds))}`,
    found: timeText(found.detail['actual']),
    remedies: [
      'have a token with a shorter life issued',
      `or raise ${option(found, 'max_lifetime')} to ${Math.ceil(Number(found.detail['actual']) - found.now)} or more${at(found, option(found, 'max_lifetime'))}`,
    ],
  }),
  ERR_TOKEN_CLIENT: (found) => ({
    path: option(found, 'for_client'),
    expected: `a ${tokenName(found)} whose ${shown(found.detail['claim'])} is ${shown(found.clientId ?? 'the client that asks')}`,
    found: 'one for another client, or for none that it names',
    remedies: [
      `have it issued for ${shown(found.clientId ?? 'the client that asks')}`,
      'or ask as the client that it was issued for',
    ],
  }),
  ERR_TOKEN_PATH: (found) => {
    const { detail, configuration } = found
    const issuer = detail['issuer']
    if (typeof issuer === 'string') {
      const place = configuration?.issuer(issuer, 'history')
      return {
        place,
        expected: shown(detail['expected']),
        found: `a trust_path from ${shown(issuer)}`,
        remedies: [
          `set \`history: true\` for ${shown(issuer)}${atPlace(place)}, if its word on earlier domains is to count`,
        ],
      }
    }
    const path = `${found.stage ?? 'stages'}.path`
    return {
      path,
      expected: shown(detail['expected'] ?? 'trust_path as a list of issuers'),
      found: detail['actual'] === undefined ? 'another way' : shown(detail['actual']),
      remedies: [
        'take a way that does not lead through a domain twice, and not through more of them than are taken',
        `or raise \`max\`, or set \`revisit: true\`, in embedding.path${at(found, path)}`,
      ],
    }
  },
}

// Profiles that a remedy is spelled out for: more would not be read.
const MOST = 3

/** The parameter that a claim of a transaction token is told by. */
const PARAMETERS: { readonly [claim: string]: string | undefined } = {
  tctx: 'request_details',
  rctx: 'request_context',
}

/** Where the row of the transaction in question stands. */
function rowOf({ detail, profile }: Found): string {
  const index = profile?.transactions?.findIndex(({ name }) => name === detail['transaction']) ?? -1
  return index < 0 ? 'transactions' : `transactions[${index}]`
}
