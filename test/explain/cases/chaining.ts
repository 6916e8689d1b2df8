import { createPrivateKey } from 'node:crypto'
import { CompactSign } from 'jose'
import { tokenTypes } from '../../../src/core/types.ts'
import { at } from '../../support/chaining.ts'
import type { Office } from '../../support/explaining.ts'
import { NOW, type Parameters } from '../../support/world.ts'
import { type Attempt, type Case, with_ } from './case.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** As meridian trusts it. */
const LARKSPUR = 'issuer: http://127.0.0.1:8080/larkspur\n        trust_domain: larkspur.example\n        jwks_file'

/** What is particular to grants for another authorization server, and to those that are redeemed. */
export function chainingCases(office: Office): readonly Case[] {
  const grant = async (over: object = {}): Promise<string> => {
    const said = {
      ...{ iss: at('larkspur'), sub: 'pw_x', aud: at('meridian'), client_id: 'larkspur-claims', jti: 'g-1' },
      ...{ iat: NOW, exp: NOW + 60, scope: 'claims.create', ...over },
    }
    return new CompactSign(Buffer.from(JSON.stringify(said)))
      .setProtectedHeader({ alg: 'ES256', typ: 'authorization-grant+jwt' })
      .sign(createPrivateKey(office.file('larkspur.key')))
  }
  const redeem = async (over: object = {}, client = 'larkspur-claims'): Promise<Attempt> => ({
    parameters: { grant_type: JWT_BEARER, assertion: await grant(over) },
    asking: { tenant: 'meridian', client },
  })
  const ask = (client: string, over: Parameters = {}): Attempt => ({
    parameters: {
      ...{ subject_token: office.file('txn.jwt'), subject_token_type: tokenTypes.txnToken },
      ...{ audience: at('meridian'), ...over },
    },
    asking: { tenant: 'larkspur', client },
  })
  const trusted = () =>
    office.edit('dragoman.yaml', LARKSPUR, LARKSPUR.replace('trust_domain', 'history: true\n        trust_domain'))
  return [
    {
      title: 'an assertion that is missing',
      code: 'ERR_REQUEST_MISSING',
      ask: async () => with_(await redeem(), { assertion: '', subject_token_type: undefined }),
      expected: 'the parameter assertion',
      remedy: 'send assertion: the grant to be redeemed',
      mend: () => redeem(),
    },
    {
      title: 'a client without a name at the target',
      code: 'ERR_PROFILE_CLIENT',
      edit: () => office.edit('larkspur/grant.yaml', 'clients: [intake]', 'clients: [intake, desk]'),
      ask: () => ask('desk'),
      place: ['larkspur/grant.yaml', '{ intake: larkspur-claims }'],
      expected: 'a row in sender_constraint.client.map',
      found: 'none for desk',
      remedy: /^add desk to sender_constraint\.client\.map at .*grant\.yaml:\d+:\d+/,
      mend: (attempt) => {
        office.edit(
          'larkspur/grant.yaml',
          '{ intake: larkspur-claims }',
          '{ intake: larkspur-claims, desk: larkspur-desk }',
        )
        return attempt
      },
    },
    {
      title: 'a grant that lives too long',
      code: 'ERR_TOKEN_LIFETIME',
      ask: () => redeem({ exp: NOW + 3600 }),
      place: ['meridian/redeem.yaml', '120'],
      expected: 'an expiry at most 2027-01-15T08:02:30Z',
      found: '2027-01-15T09:00:00Z',
      remedy: 'have a token with a shorter life issued',
      mend: () => redeem(),
    },
    {
      title: 'a grant for another client',
      code: 'ERR_TOKEN_CLIENT',
      ask: () => redeem({ client_id: 'larkspur-desk' }),
      place: ['meridian/redeem.yaml', 'client_id\n'],
      expected: 'a subject token whose client_id is larkspur-claims',
      found: /another/,
      remedy: 'have it issued for larkspur-claims',
      mend: () => redeem(),
    },
    {
      title: 'a way from an issuer that is not trusted for it',
      code: 'ERR_TOKEN_PATH',
      ask: () => redeem({ trust_path: ['https://elsewhere.example'] }),
      place: ['dragoman.yaml', LARKSPUR],
      expected: 'an issuer with `history: true`',
      remedy: /^set `history: true` for http:\/\/127\.0\.0\.1:8080\/larkspur at .*dragoman\.yaml/,
      mend: (attempt) => {
        trusted()
        return attempt
      },
    },
    {
      title: 'a way that leads through this gateway already',
      code: 'ERR_TOKEN_PATH',
      edit: () => trusted(),
      ask: () => redeem({ trust_path: [at('meridian'), 'https://elsewhere.example'] }),
      place: ['meridian/redeem.yaml', '{}'],
      expected: 'each trust domain once, and not this one',
      remedy: 'take a way that does not lead through a domain twice',
      mend: () => redeem({ trust_path: ['https://elsewhere.example'] }),
    },
  ]
}
