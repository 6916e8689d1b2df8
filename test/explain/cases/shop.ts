import { tokenTypes } from '../../../src/core/types.ts'
import { map } from '../../../src/core/value.ts'
import { publicKey } from '../../../src/wire/jwk.ts'
import type { Office } from '../../support/explaining.ts'
import { testKey } from '../../support/jwt.ts'
import { basicOf } from '../../support/live.ts'
import { ISSUER, NOW, WORKLOAD } from '../../support/world.ts'
import { type Case, with_ } from './case.ts'
import { CWT, DOWN, deskOf } from './desk.ts'

/** What a client of the two domains of `dragoman dev` meets most. */
export function shopCases(office: Office): readonly Case[] {
  const { jwt, validity, claims, held, other, take, trustGamma, bound, proof, addClient } = deskOf(office)
  return [
    // The request
    {
      title: 'a parameter is missing',
      code: 'ERR_REQUEST_MISSING',
      ask: () => jwt({ subject_token: undefined }),
      expected: 'the parameter subject_token',
      remedy: 'send subject_token: the token to be exchanged',
      mend: () => jwt({}),
    },
    {
      title: 'another grant',
      code: 'ERR_REQUEST_GRANT',
      ask: () => jwt({ grant_type: 'client_credentials' }),
      expected: 'grant_type=urn:ietf:params:oauth:grant-type:token-exchange',
      remedy: 'send grant_type=urn:ietf:params:oauth:grant-type:token-exchange',
      mend: (attempt) => with_(attempt, { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange' }),
    },
    {
      title: 'an actor token without its type',
      code: 'ERR_REQUEST_ACTOR',
      ask: async () => jwt({ actor_token: await office.token('jwt') }),
      expected: 'actor_token and actor_token_type, or neither of them',
      remedy: 'leave both out',
      mend: (attempt) => with_(attempt, { actor_token: undefined }),
    },
    {
      title: 'a resource that is no URI',
      code: 'ERR_REQUEST_RESOURCE',
      ask: () => jwt({ resource: 'orders' }),
      expected: 'resource as an absolute URI without fragment',
      remedy: 'send a logical name as `audience` instead',
      mend: (attempt) => with_(attempt, { resource: undefined }),
    },
    {
      title: 'a scope with two spaces',
      code: 'ERR_REQUEST_SCOPE',
      ask: () => jwt({ scope: 'orders.read  orders.write' }),
      expected: 'scope tokens with one space between them',
      remedy: 'one space between two',
      mend: (attempt) => with_(attempt, { scope: 'orders.read orders.write' }),
    },
    {
      title: 'authorization_details',
      code: 'ERR_REQUEST_DETAILS',
      ask: () => jwt({ authorization_details: '[]' }),
      expected: 'no authorization_details',
      remedy: 'leave authorization_details out',
      mend: (attempt) => with_(attempt, { authorization_details: undefined }),
    },
    {
      title: 'a token type that no profile of the client takes',
      code: 'ERR_REQUEST_TOKEN_TYPE',
      ask: () => jwt({ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }),
      expected: tokenTypes.jwt,
      found: 'urn:ietf:params:oauth:token-type:saml2',
      remedy: /^send subject_token_type=/,
      mend: (attempt) => with_(attempt, { subject_token_type: tokenTypes.jwt }),
    },

    // The client
    {
      title: 'nobody asks',
      code: 'ERR_CLIENT_MISSING',
      ask: async () => ({ ...(await jwt({})), asking: { client: null } }),
      place: ['dragoman.yaml', 'clients:'],
      expected: 'credentials of a client',
      found: 'none',
      remedy: /authenticate as one of the clients at .*dragoman\.yaml:\d+:1/,
      mend: (attempt) => ({
        ...attempt,
        asking: { client: null, facts: { authorization: basicOf('demo', 'demo-secret') } },
      }),
    },
    {
      title: 'a client that is not configured',
      code: 'ERR_CLIENT_UNKNOWN',
      ask: async () => ({ ...(await jwt({})), asking: { client: 'orders' } }),
      place: ['dragoman.yaml', 'clients:'],
      expected: 'the id of a client of this tenant',
      found: 'orders',
      remedy: /add `orders` to clients at .*dragoman\.yaml:\d+:1/,
      mend: (attempt) => {
        addClient('orders')
        office.edit('profiles/jwt-to-cwt.yaml', 'clients: [demo]', 'clients: [demo, orders]')
        return attempt
      },
    },
    {
      title: 'the secret of a client is wrong',
      code: 'ERR_CLIENT_SECRET',
      ask: async () => ({
        ...(await jwt({})),
        asking: { client: null, facts: { authorization: basicOf('demo', 'something-else') } },
      }),
      place: ['dragoman.yaml', '{ client_id: demo'],
      expected: 'a secret of demo',
      remedy: /send the secret that is configured at .*dragoman\.yaml/,
      mend: (attempt) => ({
        ...attempt,
        asking: { client: null, facts: { authorization: basicOf('demo', 'demo-secret') } },
      }),
    },
    {
      title: 'a client that uses another method than its own',
      code: 'ERR_CLIENT_METHOD',
      ask: async () => ({
        ...(await jwt({ client_id: 'demo', client_secret: 'demo-secret' })),
        asking: { client: null },
      }),
      place: ['dragoman.yaml', 'client_secret_basic'],
      expected: 'client_secret_basic',
      found: 'client_secret_post',
      remedy: /set its token_endpoint_auth_method to client_secret_post at/,
      mend: (attempt) => {
        office.edit('dragoman.yaml', 'client_secret_basic', 'client_secret_post')
        return attempt
      },
    },

    // Which profile
    {
      title: 'no profile names the client',
      code: 'ERR_PROFILE_NONE',
      edit: () => addClient('orders'),
      ask: async () => ({ ...(await jwt({})), asking: { client: 'orders' } }),
      place: ['profiles/jwt-to-cwt.yaml', '[demo]'],
      expected: 'a profile that names the client',
      remedy: /^add the client `orders` to accept\.clients of jwt-to-cwt at .*jwt-to-cwt\.yaml:6:12$/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', 'clients: [demo]', 'clients: [demo, orders]')
        return attempt
      },
    },
    {
      title: 'a target that nobody serves',
      code: 'ERR_PROFILE_TARGET',
      ask: () => jwt({ audience: 'https://nowhere.example' }),
      expected: CWT,
      found: 'https://nowhere.example',
      remedy: /add https:\/\/nowhere\.example to accept\.targets\.allow of jwt-delegate at .*jwt-delegate\.yaml:14:12/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', `[${CWT}]`, `[${CWT}, https://nowhere.example]`)
        return attempt
      },
    },
    {
      title: 'no target, and no default',
      code: 'ERR_PROFILE_TARGET_MISSING',
      ask: () => jwt({ audience: undefined, requested_token_type: tokenTypes.cwt }),
      place: ['profiles/jwt-to-cwt.yaml', 'targets:'],
      expected: CWT,
      found: 'no target',
      remedy: `ask for audience=${CWT}`,
      mend: (attempt) => with_(attempt, { audience: CWT }),
    },
    {
      title: 'a token type that is not issued',
      code: 'ERR_PROFILE_REQUESTED_TYPE',
      ask: () => jwt({ requested_token_type: 'urn:ietf:params:oauth:token-type:saml2' }),
      expected: tokenTypes.cwt,
      found: 'urn:ietf:params:oauth:token-type:saml2',
      remedy: 'or leave requested_token_type out: then the target decides',
      mend: (attempt) => with_(attempt, { requested_token_type: undefined }),
    },
    {
      title: 'two targets that no profile serves together',
      code: 'ERR_PROFILE_TARGET',
      ask: () => jwt({ audience: [CWT, DOWN] }),
      expected: 'a target of one profile',
      found: `${CWT} and ${DOWN}`,
      remedy: new RegExp(`^or add ${DOWN} to accept\\.targets\\.allow of jwt-to-cwt at .*jwt-to-cwt\\.yaml:\\d+:\\d+$`),
      mend: (attempt) => with_(attempt, { audience: DOWN }),
    },
    {
      title: 'two targets, where the output can be for one',
      code: 'ERR_PROFILE_TARGET_COUNT',
      ask: () => jwt({ audience: ['https://pairwise-a.beta.example', 'https://pairwise-b.beta.example'] }),
      place: ['profiles/pairwise-subject.yaml', '{ pairwise:'],
      expected: 'one target',
      found: '2 targets',
      remedy: 'ask once for each of https://pairwise-a.beta.example and https://pairwise-b.beta.example',
      mend: (attempt) => with_(attempt, { audience: 'https://pairwise-a.beta.example' }),
    },
    {
      title: 'an actor token that the profile does not take',
      code: 'ERR_PROFILE_ACTOR_REFUSED',
      ask: async () => jwt({ actor_token: await office.token('jwt'), actor_token_type: tokenTypes.jwt }),
      place: ['profiles/jwt-to-cwt.yaml', 'accept:'],
      expected: 'no actor_token',
      found: 'an actor token',
      remedy: 'leave actor_token and actor_token_type out',
      mend: (attempt) => with_(attempt, { actor_token: undefined, actor_token_type: undefined }),
    },
    {
      title: 'no actor token where one is to be in the output',
      code: 'ERR_PROFILE_ACTOR_MISSING',
      ask: () => jwt({ audience: 'https://jwt-delegate.beta.example' }),
      place: ['profiles/jwt-delegate.yaml', 'actor:\n'],
      expected: 'an actor token',
      found: 'none',
      remedy: `send actor_token, and actor_token_type=${tokenTypes.jwt}`,
      mend: async (attempt) =>
        with_(attempt, {
          actor_token: await office.token('jwt', claims({ sub: `${WORKLOAD}-2` })),
          actor_token_type: tokenTypes.jwt,
        }),
    },

    // The token
    {
      title: 'a token that is cut off',
      code: 'ERR_TOKEN_MALFORMED',
      ask: async () => jwt({ subject_token: (await office.token('jwt')).slice(0, 100) }),
      expected: 'subject_token as',
      remedy: 'send the whole token, as it was issued',
      mend: () => jwt({}),
    },
    {
      title: 'a token of another issuer, which is not configured',
      code: 'ERR_TRUST_ISSUER',
      ask: () => jwt({}, { issuer: 'https://id.gamma.example' }),
      place: ['profiles/jwt-to-cwt.yaml', '[https://id.alpha.example]'],
      expected: 'a subject token of https://id.alpha.example',
      found: 'one that says it is of https://id.gamma.example',
      remedy:
        /add https:\/\/id\.gamma\.example to accept\.subject\.issuers at .*jwt-to-cwt\.yaml:9:14, and to issuers at .*dragoman\.yaml:\d+:1/,
      mend: (attempt) => {
        trustGamma()
        office.edit(
          'profiles/jwt-to-cwt.yaml',
          '[https://id.alpha.example]',
          '[https://id.alpha.example, https://id.gamma.example]',
        )
        return attempt
      },
    },
    {
      title: 'a token of an issuer that the profile does not take',
      code: 'ERR_TRUST_ISSUER',
      edit: () => trustGamma(),
      ask: () => jwt({}, { issuer: 'https://id.gamma.example' }),
      place: ['profiles/jwt-to-cwt.yaml', '[https://id.alpha.example]'],
      expected: 'a subject token of https://id.alpha.example',
      found: 'https://id.gamma.example',
      remedy: /^or add https:\/\/id\.gamma\.example to accept\.subject\.issuers at .*jwt-to-cwt\.yaml:9:14; character/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', '[https://id.alpha.example]', '[https://id.gamma.example]')
        return attempt
      },
    },
    {
      title: 'a token signed with a key that the issuer does not have',
      code: 'ERR_TRUST_KEY',
      ask: () => jwt({}, { signer: office.alpha.signers.cwt }),
      place: ['dragoman.yaml', 'issuer: https://id.alpha.example'],
      expected: 'a key of https://id.alpha.example',
      found: /^kid .*, which is none of its keys$/,
      remedy: /compare kid with the keys that are configured, or published at .*dragoman\.yaml/,
      mend: (attempt) => {
        office.edit('dragoman.yaml', 'jwks_file: alpha-jwks.json', 'jwks_file: alpha-edge-jwks.json')
        return attempt
      },
    },
    {
      title: 'a token that was changed',
      code: 'ERR_TOKEN_SIGNATURE',
      ask: async () => {
        const [header, , signature] = (await office.token('jwt')).split('.')
        const [, payload] = (await office.token('jwt', claims({ email: 'someone@alpha.example' }))).split('.')
        return jwt({ subject_token: [header, payload, signature].join('.') })
      },
      place: ['dragoman.yaml', 'issuer: https://id.alpha.example'],
      expected: /^a signature by the key .* of https:\/\/id\.alpha\.example$/,
      remedy: 'send the token as it was issued',
      mend: () => jwt({}),
    },
    {
      title: 'an algorithm that the issuer is not trusted with',
      code: 'ERR_TOKEN_ALGORITHM',
      ask: () => jwt({}, { signer: testKey('Ed25519').signer }),
      place: ['dragoman.yaml', '[ES256]'],
      expected: 'an algorithm: ES256',
      found: 'Ed25519',
      remedy: /^have the issuer https:\/\/id\.alpha\.example sign with ES256$/,
      mend: () => jwt({}),
    },
    {
      title: 'an algorithm that the profile does not take',
      code: 'ERR_TOKEN_ALGORITHM',
      edit: () => take('algorithms: [ES384]'),
      ask: () => jwt({}),
      place: ['profiles/jwt-to-cwt.yaml', '[ES384]'],
      expected: 'an algorithm: ES384',
      found: 'ES256',
      remedy: /^or allow ES256 in algorithms at .*jwt-to-cwt\.yaml:10:17/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', '[ES384]', '[ES384, ES256]')
        return attempt
      },
    },
    {
      title: 'an expired token',
      code: 'ERR_TOKEN_EXPIRED',
      ask: () => jwt({}, validity({ expiresAt: NOW - 7200 })),
      place: ['profiles/jwt-to-cwt.yaml', 'subject:\n'],
      expected: 'exp after 2027-01-15T08:00:00Z',
      found: 'exp 2027-01-15T06:00:00Z, 2 hours ago',
      remedy: 'get a fresh subject token from https://id.alpha.example',
      mend: () => jwt({}),
    },
    {
      title: 'an expired token, by a clock that is a little ahead',
      code: 'ERR_TOKEN_EXPIRED',
      ask: () =>
        jwt({}, validity({ expiresAt: NOW + 600 })).then((attempt) => ({ ...attempt, asking: { at: NOW + 640 } })),
      expected: 'exp after',
      found: '40 seconds ago',
      remedy: /raise clock_skew above 40 at .*jwt-to-cwt\.yaml:7:3 \(300 at most\)/,
      mend: async () => ({ ...(await jwt({}, validity({ expiresAt: NOW + 600 }))), asking: { at: NOW + 590 } }),
    },
    {
      title: 'a token that is not valid yet',
      code: 'ERR_TOKEN_NOT_YET_VALID',
      ask: () => jwt({}, validity({ notBefore: NOW + 90 })),
      expected: 'nbf and iat at most 2027-01-15T08:00:30Z',
      found: '2027-01-15T08:01:30Z, 90 seconds ahead',
      remedy: /raise clock_skew to 90 or more at .*jwt-to-cwt\.yaml:7:3/,
      mend: (attempt) => {
        take('clock_skew: 90')
        return attempt
      },
    },
    {
      title: 'a token that was issued too long ago',
      code: 'ERR_TOKEN_TOO_OLD',
      edit: () => take('max_age: 60'),
      ask: () => jwt({}, validity({ issuedAt: NOW - 600, notBefore: NOW - 600 })),
      place: ['profiles/jwt-to-cwt.yaml', '60\n'],
      expected: 'a subject token issued at most 60 seconds ago',
      found: 'issued 10 minutes ago',
      remedy: /raise max_age to 600 or more at .*jwt-to-cwt\.yaml:10:14/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', 'max_age: 60', 'max_age: 600')
        return attempt
      },
    },
    {
      title: 'a token without expiry',
      code: 'ERR_TOKEN_NO_EXPIRY',
      ask: () => jwt({}, validity({ expiresAt: undefined })),
      expected: 'exp in the subject token',
      found: 'a token that never expires',
      remedy: 'have the issuer https://id.alpha.example set exp',
      mend: () => jwt({}),
    },
    {
      title: 'a token for somebody else',
      code: 'ERR_TOKEN_AUDIENCE',
      ask: () => jwt({}, validity({ audience: [DOWN] })),
      place: ['profiles/jwt-to-cwt.yaml', 'subject:\n'],
      expected: `aud with ${ISSUER} or ${ISSUER}/token`,
      found: `aud ${DOWN}`,
      remedy: /^or list https:\/\/orders\.beta\.example in accept\.subject\.audience at .*jwt-to-cwt\.yaml:7:3/,
      mend: (attempt) => {
        take(`audience: [${DOWN}]`)
        return attempt
      },
    },
    {
      title: 'a token of another kind',
      code: 'ERR_TOKEN_KIND',
      edit: () => take('kind: logout+jwt'),
      ask: () => jwt({}),
      place: ['profiles/jwt-to-cwt.yaml', 'logout+jwt'],
      expected: 'a subject token of the kind: logout+jwt',
      found: /jwt|no explicit type/i,
      remedy: /set accept\.subject\.kind.* at .*jwt-to-cwt\.yaml:10:11/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', 'kind: logout+jwt', 'kind: jwt')
        return attempt
      },
    },
    {
      title: 'a token that has been used',
      code: 'ERR_TOKEN_REPLAYED',
      edit: () => take('single_use: true'),
      ask: async () => ({ ...(await jwt({})), asking: { used: (key) => key.startsWith('token ') } }),
      place: ['profiles/jwt-to-cwt.yaml', 'true\n'],
      expected: 'a token that has not been exchanged',
      found: 'one that has',
      remedy: 'get a fresh token from https://id.alpha.example for each exchange',
      mend: () => jwt({}),
    },
    {
      title: 'a subject that is not of this issuer',
      code: 'ERR_TOKEN_SUBJECT_SPACE',
      ask: () => jwt({}, claims({ sub: 'spiffe://gamma.example/ns/shop' })),
      place: ['dragoman.yaml', '[spiffe://alpha.example/*]'],
      expected: 'a subject within `subjects` of https://id.alpha.example',
      remedy: /add the subject, or a prefix ending in \/\*, to subjects at .*dragoman\.yaml:\d+:15/,
      mend: (attempt) => {
        office.edit(
          'dragoman.yaml',
          '[spiffe://alpha.example/*]',
          '[spiffe://alpha.example/*, spiffe://gamma.example/*]',
        )
        return attempt
      },
    },
    {
      title: 'a history from an issuer that is not trusted for it',
      code: 'ERR_TOKEN_ACT',
      ask: () => jwt({}, claims({ act: map([['sub', 'someone']]) })),
      place: ['dragoman.yaml', 'issuer: https://id.alpha.example'],
      expected: 'an issuer with `history: true`',
      found: 'an act claim from https://id.alpha.example',
      remedy: /set `history: true` for it at .*dragoman\.yaml/,
      mend: (attempt) => {
        office.edit('dragoman.yaml', 'jwks_file: alpha-jwks.json', 'jwks_file: alpha-jwks.json\n    history: true')
        return attempt
      },
    },
    {
      title: 'another party than may_act names',
      code: 'ERR_TOKEN_MAY_ACT',
      ask: () => jwt({}, claims({ may_act: map([['sub', 'billing']]) })),
      expected: 'an acting party whose sub is the one in may_act',
      found: 'the client demo, whose sub is another',
      remedy: 'a may_act that names demo, or without may_act',
      mend: () => jwt({}, claims({ may_act: map([['sub', 'demo']]) })),
    },

    // What the stages ask for
    {
      title: 'a claim that the profile requires',
      code: 'ERR_PROFILE_REQUIRED',
      edit: () => office.edit('profiles/jwt-to-cwt.yaml', 'keep: [email]', 'require: [department], keep: [email]'),
      ask: () => jwt({}),
      place: ['profiles/jwt-to-cwt.yaml', '[department]'],
      expected: 'the claim department',
      found: 'the claims sub, email and groups',
      remedy: 'have https://id.alpha.example put department into its tokens',
      mend: () => jwt({}, claims({ department: 'shop' })),
    },
    {
      title: 'a condition that does not hold',
      code: 'ERR_PROFILE_CONDITION',
      edit: () =>
        office.edit(
          'profiles/jwt-to-cwt.yaml',
          'keep: [email]',
          `conditions: [{ expression: '"night-shift" in subject.groups', description: only the night shift }], keep: [email]`,
        ),
      ask: () => jwt({}),
      place: ['profiles/jwt-to-cwt.yaml', '{ expression:'],
      expected: 'the condition to be true: only the night shift',
      found: 'false',
      remedy: /for which the condition at .*jwt-to-cwt\.yaml:14:\d+ holds/,
      mend: () => jwt({}, claims({ groups: ['night-shift'] })),
    },
    {
      title: 'an expression that reads what is not there',
      code: 'ERR_PROFILE_EXPRESSION',
      edit: () =>
        office.edit(
          'profiles/jwt-to-cwt.yaml',
          'keep: [email]',
          `conditions: ['subject.department == "shop"'], keep: [email]`,
        ),
      ask: () => jwt({}),
      place: ['profiles/jwt-to-cwt.yaml', `'subject.department`],
      expected: /./,
      remedy: /guard it with has\(…\) at .*jwt-to-cwt\.yaml:14:\d+/,
      mend: (attempt) => {
        office.edit(
          'profiles/jwt-to-cwt.yaml',
          `'subject.department == "shop"'`,
          `'!has(subject.department) || subject.department == "shop"'`,
        )
        return attempt
      },
    },
    {
      title: 'a subject without a row in the table',
      code: 'ERR_PROFILE_LOOKUP',
      ask: async () => ({
        ...(await jwt(
          { audience: 'https://jwt-to-x509.beta.example', csr: office.file('client.csr') },
          claims({ sub: 'spiffe://alpha.example/ns/shop/sa/unknown' }),
        )),
      }),
      place: ['profiles/jwt-to-x509.yaml', 'tables/subjects.json'],
      expected: 'a row for this subject, under https://id.alpha.example, by its claim sub',
      remedy:
        /add the subject under https:\/\/id\.alpha\.example to the table that is named at .*jwt-to-x509\.yaml:15:32/,
      mend: (attempt) => {
        office.edit('profiles/tables/subjects.json', WORKLOAD, 'spiffe://alpha.example/ns/shop/sa/unknown')
        return attempt
      },
    },
    {
      title: 'a claim that must be kept and is dropped',
      code: 'ERR_PROFILE_LOSS',
      edit: () => office.edit('profiles/jwt-to-cwt.yaml', 'must_keep: [email]', 'must_keep: [email, groups]'),
      ask: () => jwt({}),
      place: ['profiles/jwt-to-cwt.yaml', '[email, groups]'],
      expected: 'groups in the output',
      found: 'groups dropped',
      remedy: /^add groups to context\.keep at .*jwt-to-cwt\.yaml:14:22$/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', 'keep: [email] }', 'keep: [email, groups] }')
        return attempt
      },
    },
    {
      title: 'scope that cannot be granted',
      code: 'ERR_PROFILE_SCOPE',
      ask: () => jwt({ scope: 'stock.read' }),
      place: ['profiles/jwt-to-cwt.yaml', '{ allow: [orders.read, orders.write] }'],
      expected: 'scope: some of orders.read and orders.write',
      found: 'stock.read',
      remedy: /^or add stock\.read to scope\.allow at .*jwt-to-cwt\.yaml:15:39$/,
      mend: (attempt) => {
        office.edit(
          'profiles/jwt-to-cwt.yaml',
          '[orders.read, orders.write]',
          '[orders.read, orders.write, stock.read]',
        )
        return attempt
      },
    },
    {
      title: 'scope that the token does not have',
      code: 'ERR_PROFILE_SCOPE',
      ask: () => jwt({ scope: 'orders.write' }, validity({ scope: ['orders.read'] })),
      expected: 'scope: some of orders.read',
      found: 'orders.write',
      remedy: 'have the subject token issued with the scope orders.write: it has orders.read',
      mend: () => jwt({ scope: 'orders.write' }),
    },
    {
      title: 'a target that the token is not for, where it is to be',
      code: 'ERR_PROFILE_TARGET',
      ask: () => jwt({ audience: 'https://stock.beta.example' }, validity({ audience: [ISSUER, DOWN] })),
      place: ['profiles/jwt-downscope.yaml', '{ from: subject }'],
      expected: 'targets in the audience of the subject token',
      found: 'https://stock.beta.example',
      remedy: 'have the subject token issued for https://stock.beta.example as well',
      mend: () => jwt({ audience: 'https://stock.beta.example' }),
    },
    {
      title: 'a history that the format cannot carry',
      code: 'ERR_PROFILE_WIDER',
      edit: () => {
        office.edit('dragoman.yaml', 'jwks_file: alpha-jwks.json', 'jwks_file: alpha-jwks.json\n    history: true')
        office.edit('profiles/jwt-to-x509.yaml', 'form: pem', 'form: pem, claims_extension: false')
      },
      ask: () =>
        jwt(
          { audience: 'https://jwt-to-x509.beta.example', csr: office.file('client.csr') },
          claims({ act: map([['sub', 'someone']]) }),
        ),
      place: ['profiles/jwt-to-x509.yaml', '{ to: x509'],
      expected: 'a format that can carry act',
      found: 'an output that breaks the rule danger_drop_act',
      remedy: 'or give the promise up, and say so: `danger_drop_act: true` in embedding',
      mend: (attempt) => {
        office.edit(
          'profiles/jwt-to-x509.yaml',
          'context: { keep: [email] }',
          'context: { keep: [email] }\n  - embedding: { danger_drop_act: true }',
        )
        return attempt
      },
    },

    // Keys that are to be proved
    {
      title: 'a bound token without its proof',
      code: 'ERR_TOKEN_UNPROVED',
      ask: () => jwt({}, bound()),
      expected: `bound to the key with the thumbprint ${held.jkt}`,
      found: 'no proof of possession',
      remedy: 'send a DPoP proof (header field DPoP) signed with that key',
      mend: (attempt) => ({ ...attempt, asking: { proved: held } }),
    },
    {
      title: 'a bound token with a proof by another key',
      code: 'ERR_PROOF_MISMATCH',
      ask: async () => ({ ...(await jwt({}, bound())), asking: { proved: publicKey(other.publicKey) } }),
      expected: held.jkt,
      found: /^a dpop proof by another key: /,
      remedy: 'sign the proof with the key that the token was issued for',
      mend: (attempt) => ({ ...attempt, asking: { proved: held } }),
    },
    {
      title: 'no proof where the output is to be bound',
      code: 'ERR_PROOF_REQUIRED',
      ask: () => jwt({ audience: 'https://jwt-to-x509.beta.example' }),
      place: ['profiles/jwt-to-x509.yaml', '{ mode: bind'],
      expected: 'a proof: pkcs10',
      found: 'no such proof',
      remedy: 'send csr: a PKCS#10 request signed with the key that the output is to be for',
      mend: (attempt) => with_(attempt, { csr: office.file('client.csr') }),
    },
    {
      title: 'a DPoP proof for another endpoint',
      code: 'ERR_PROOF_DPOP',
      ask: async () => ({
        ...(await jwt({})),
        asking: { facts: { dpop: [proof({ htu: 'https://gw.example/token' })] } },
      }),
      expected: `a DPoP proof with htu: ${ISSUER}/token`,
      found: 'one that fails on htu',
      remedy: `make htu ${ISSUER}/token`,
      mend: (attempt) => ({ ...attempt, asking: { facts: { dpop: [proof({})] } } }),
    },
    {
      title: 'a DPoP proof that has been used',
      code: 'ERR_PROOF_REPLAYED',
      ask: async () => ({
        ...(await jwt({})),
        asking: { facts: { dpop: [proof({})] }, used: (key) => key.startsWith('dpop ') },
      }),
      expected: 'a DPoP proof that has not been used',
      found: 'a jti that has',
      remedy: 'make a new proof, with a jti of its own, for each request',
      mend: (attempt) => ({ ...attempt, asking: { facts: { dpop: [proof({ jti: 'another' })] } } }),
    },
    {
      title: 'a certification request that is none',
      code: 'ERR_REQUEST_CSR',
      ask: () => jwt({ audience: 'https://jwt-to-x509.beta.example', csr: 'AAAA' }),
      expected: 'in csr',
      remedy: 'openssl req -new -key client.key',
      mend: (attempt) => with_(attempt, { csr: office.file('client.csr') }),
    },
  ]
}
