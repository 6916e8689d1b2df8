import { at, atPlace, option, type Rules, tokenName } from '../found.ts'
import { oneOf, shown, texts, timeText } from '../words.ts'

/** What is particular to transaction tokens, and to grants for another authorization server. */
export const transactionRules: Rules = {
  ERR_REQUEST_CONTEXT: ({ detail }) => ({
    expected: `${shown(detail['parameter'] ?? 'request_context and request_details')} as the text of one JSON object`,
    remedies: ['send the JSON itself, not base64url of it', 'send less of it: see docs/limits.md'],
  }),
  ERR_PROFILE_SUBJECT_TYPE: ({ detail, request, clientId }) => ({
    expected: `subject_token_type: ${oneOf(texts(detail['supported']))}`,
    ...(request && { found: shown(request.subject_token_type) }),
    remedies: [
      'present a token of a type that a profile of this client takes',
      `or add the client \`${shown(clientId)}\` to the profile that takes this type`,
    ],
  }),
  ERR_PROFILE_TRANSACTION: (found) => {
    const { detail, clientId } = found
    const name = detail['transaction']
    const path = 'transactions'
    if (detail['rule'] === 'replacements') {
      return {
        path,
        expected: `${shown(detail['expected'])} replacements of the transaction ${shown(name)}`,
        remedies: [
          `go on with the token that there is`,
          `or raise \`replacements\` of ${shown(name)}${at(found, path)}`,
        ],
      }
    }
    if (name === undefined) {
      return {
        path,
        expected: shown(detail['expected']),
        remedies: ['authenticate the program in another way than by the certificate that names its user'],
      }
    }
    return {
      path,
      expected: `a client that may start ${shown(name)}: ${oneOf(texts(detail['expected']))}`,
      found: shown(clientId),
      remedies: [
        'ask for the scope of a transaction of your own',
        `or add the client to ${shown(name)}${at(found, path)}, with the type of token that it presents`,
      ],
    }
  },
  ERR_PROFILE_CONTEXT: (found) => {
    const { detail } = found
    const parameter = shown(detail['parameter'] ?? 'request_details')
    const member = detail['member']
    return {
      path: 'transactions',
      expected:
        member === undefined
          ? `of ${parameter} no member but ${oneOf(texts(detail['expected']))}`
          : `${parameter}.${shown(member)}: ${shown(detail['expected'])}`,
      remedies: [
        member === undefined
          ? `leave the others out of ${parameter}`
          : `send ${shown(member)} in ${parameter}, as it is asked for`,
        `or change the row of the transaction${at(found, 'transactions')}`,
      ],
    }
  },
  ERR_PROFILE_FROZEN: ({ detail }) => {
    const { claim, member } = detail
    const name = member === undefined ? shown(claim) : `${shown(claim)}.${shown(member)}`
    return {
      expected: `${name} as the subject token has it`,
      remedies: [`leave ${name} out of the request`, 'or start another transaction'],
    }
  },
  ERR_PROFILE_CLIENT: (found) => ({
    path: found.stage,
    expected: shown(found.detail['expected']),
    found: `none for ${shown(found.clientId)}`,
    remedies: [`add ${shown(found.clientId)} to sender_constraint.client.map${at(found, String(found.stage))}`],
  }),
  ERR_TOKEN_LIFETIME: (found) => ({
    path: option(found, 'max_lifetime'),
    expected: `an expiry ${shown(found.detail['expected'])}`,
    found: timeText(found.detail['actual']),
    remedies: [
      'have a token with a shorter life issued',
      `or raise ${option(found, 'max_lifetime')}${at(found, option(found, 'max_lifetime'))}`,
    ],
  }),
  ERR_TOKEN_CLIENT: (found) => ({
    path: option(found, 'for_client'),
    expected: `a ${tokenName(found)} whose ${shown(found.detail['claim'])} is ${shown(found.clientId)}`,
    remedies: [`have it issued for ${shown(found.clientId)}`, 'or ask as the client that it was issued for'],
  }),
  ERR_TOKEN_PATH: (found) => {
    const { detail, configuration } = found
    const issuer = detail['issuer']
    if (typeof issuer === 'string') {
      const place = configuration?.issuer(issuer, 'history')
      return {
        place,
        expected: shown(detail['expected']),
        remedies: [
          `set \`history: true\` for ${shown(issuer)}${atPlace(place)}, if its word on earlier domains is to count`,
        ],
      }
    }
    return {
      path: found.stage,
      expected: shown(detail['expected']),
      ...(detail['actual'] !== undefined && { found: shown(detail['actual']) }),
      remedies: ['take a way that does not lead through a domain twice', 'or see `embedding.path` of the profile'],
    }
  },
}
