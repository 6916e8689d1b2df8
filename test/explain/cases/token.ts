import { DragomanError } from '../../../src/core/errors.ts'
import type { Signer } from '../../../src/core/keys.ts'
import type { ReplayStore } from '../../../src/core/stores.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { sequence } from '../../../src/wire/der-write.ts'
import { extension } from '../../../src/wire/extensions.ts'
import { pem } from '../../../src/wire/pem.ts'
import type { Office } from '../../support/explaining.ts'
import { ISSUER, NOW, said, WORKLOAD } from '../../support/world.ts'
import { authority, leaf, uri } from '../../support/x509.ts'
import { type Attempt, type Case, with_ } from './case.ts'
import { CWT, deskOf } from './desk.ts'

/** What an issuer writes wrong, and what cannot be fetched of one. */
export function tokenCases(office: Office): readonly Case[] {
  const { jwt, claims, validity, trustGamma, bound, held, take, proof } = deskOf(office)
  const good = { ...said, iss: 'https://id.alpha.example', aud: ISSUER, iat: NOW, exp: NOW + 600, jti: 'one' }
  const signed = (payload: string, more: object = {}, signer: Signer = office.alpha.signers.jwt) =>
    jws({ alg: 'ES256', kid: signer.kid, ...more }, payload, signer)
  const saying = async (over: object): Promise<Attempt> =>
    jwt({ subject_token: await signed(JSON.stringify({ ...good, ...over })) })
  const certificate = {
    subject_token_type: tokenTypes.x509,
    audience: 'https://x509-to-jwt.beta.example',
  }
  const strange = authority('Strange')
  const unknown = extension('1.3.6.1.4.1.32473.1', true, sequence())
  const marked = leaf(strange, { names: [uri(WORKLOAD)], more: [unknown] }).certificate
  return [
    {
      title: 'a claim of another type than its definition',
      code: 'ERR_TOKEN_CLAIM',
      ask: () => saying({ exp: 'soon' }),
      expected: 'exp: ',
      found: 'something else',
      remedy: 'have the issuer https://id.alpha.example write exp as its definition says',
      mend: () => saying({}),
    },
    {
      title: 'a confirmation that is not understood',
      code: 'ERR_TOKEN_CONFIRMATION',
      ask: () => saying({ cnf: { 'x5t#S1': 'AAAA' } }),
      expected: 'jwk, jkt or x5t#S256',
      remedy: 'have the issuer https://id.alpha.example bind the token by jkt, x5t#S256 or a public jwk',
      mend: () => saying({}),
    },
    {
      title: 'a confirmation with a member that is ignored, where all of it must be kept',
      code: 'ERR_PROFILE_LOSS',
      edit: () => office.edit('profiles/jwt-to-cwt.yaml', 'must_keep: [email]', 'must_keep: [email, cnf]'),
      ask: async () => ({
        ...(await saying({ cnf: { jkt: held.jkt, strength: 'hardware' } })),
        asking: { proved: held },
      }),
      place: ['profiles/jwt-to-cwt.yaml', '[email, cnf]'],
      expected: 'cnf.strength in the output',
      found: 'cnf.strength dropped (no confirmation method that is known)',
      remedy: /^have the issuer leave cnf\.strength out$/,
      mend: async () => ({ ...(await saying({ cnf: { jkt: held.jkt } })), asking: { proved: held } }),
    },
    {
      title: 'a claim that is there twice',
      code: 'ERR_TOKEN_DUPLICATE',
      ask: async () => jwt({ subject_token: await signed(JSON.stringify(good).replace('{', '{"sub":"somebody",')) }),
      expected: 'each member once in a JSON object',
      remedy: 'have the issuer mend it: two readers would not agree about which one counts',
      mend: () => saying({}),
    },
    {
      title: 'a critical header that is not understood',
      code: 'ERR_TOKEN_HEADER',
      ask: async () => jwt({ subject_token: await signed(JSON.stringify(good), { crit: ['exp'], exp: NOW }) }),
      expected: /crit/,
      found: 'the header member crit',
      remedy: /^have the issuer.* leave it out, or write it as its definition says$/,
      mend: () => saying({}),
    },
    {
      title: 'a user who authenticated too long ago',
      code: 'ERR_TOKEN_AUTHENTICATION',
      edit: () => take('authentication: { acr_values: [phr], max_age: 300 }'),
      ask: () => jwt({}, claims({ acr: 'phr', auth_time: NOW - 600 })),
      place: ['profiles/jwt-to-cwt.yaml', '{ acr_values'],
      expected: 'acr phr and auth_time at most 5 minutes ago',
      found: 'an auth_time that is longer ago, or none',
      remedy: /or ask for less in .* at .*jwt-to-cwt\.yaml:10:/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', 'max_age: 300 }', 'max_age: 900 }')
        return attempt
      },
    },
    {
      title: 'a token without subject',
      code: 'ERR_TOKEN_SUBJECT',
      ask: () => saying({ sub: undefined }),
      expected: 'a sub claim',
      found: 'none, or several',
      remedy: 'have the issuer https://id.alpha.example set sub',
      mend: () => saying({}),
    },
    {
      title: 'a certificate without the name that is asked for',
      code: 'ERR_TOKEN_SUBJECT',
      edit: () => office.edit('profiles/x509-to-jwt.yaml', 'subject_from: san_uri', 'subject_from: san_email'),
      ask: () => ({ parameters: { subject_token: office.file('client.pem'), ...certificate } }),
      place: ['profiles/x509-to-jwt.yaml', 'san_email'],
      expected: 'exactly one san_email',
      remedy:
        /^set accept\.subject\.subject_from to a name that the certificate has once at .*x509-to-jwt\.yaml:\d+:\d+/,
    },
    {
      title: 'a token that is too large',
      code: 'ERR_TOKEN_TOO_LARGE',
      ask: async () =>
        jwt({
          subject_token: await signed(
            `${JSON.stringify(good).slice(0, -1)},"deep":${'['.repeat(99)}${']'.repeat(99)}}`,
          ),
        }),
      expected: /at most/,
      remedy: 'have a smaller token issued: fewer claims, a shorter chain',
      mend: () => saying({ groups: ['g1'] }),
    },
    {
      title: 'a token of an issuer that cannot be reached',
      code: 'ERR_TRUST_UNAVAILABLE',
      edit: () => {
        trustGamma()
        office.edit(
          'dragoman.yaml',
          'jwks_file: alpha-jwks.json',
          'jwks_uri: https://127.0.0.1:9/keys\n    fetch: { allow_private_addresses: true }',
        )
        office.edit('profiles/jwt-to-cwt.yaml', '[https://id.alpha.example]', '[https://id.gamma.example]')
      },
      ask: () => jwt({}, { issuer: 'https://id.gamma.example' }),
      place: ['dragoman.yaml', 'issuer: https://id.gamma.example'],
      expected: 'the keys of https://id.gamma.example',
      found: /./,
      remedy: /^see that its host and port can be reached from here at .*dragoman\.yaml:\d+:\d+$/,
      mend: (attempt) => {
        office.edit('dragoman.yaml', /jwks_uri: .*\n.*fetch: .*/, 'jwks_file: alpha-jwks.json')
        return attempt
      },
    },
    {
      title: 'a certificate of another authority',
      code: 'ERR_TRUST_PATH',
      edit: () => office.edit('dragoman.yaml', 'certificates_file: alpha-ca.pem', 'certificates_file: tls-ca.pem'),
      ask: () => ({
        parameters: { subject_token: office.file('client.pem'), ...certificate },
        asking: { client: 'demo' },
      }),
      place: ['profiles/x509-to-jwt.yaml', '[https://ca.alpha.example]'],
      expected: /./,
      found: /a path that fails the check/,
      remedy:
        /put the authority that issued it into the certificates of https:\/\/ca\.alpha\.example at .*dragoman\.yaml/,
    },
    {
      title: 'an embedded token that is not there',
      code: 'ERR_PROFILE_EMBEDDED',
      edit: () =>
        office.edit(
          'profiles/jwt-to-cwt.yaml',
          'stages:\n',
          'stages:\n  - embedding: { unwrap: { claim: inner, accept: { format: jwt, issuers: [https://id.alpha.example] } } }\n',
        ),
      ask: () => saying({ email: 'orders@alpha.example' }),
      place: ['profiles/jwt-to-cwt.yaml', '{ claim: inner'],
      expected: 'a token in the claim inner',
      remedy: 'have the issuer put a token that passes into the claim inner',
      mend: async () => {
        const { parameters } = await saying({})
        return saying({ inner: parameters['subject_token'] })
      },
    },
    {
      title: 'an embedded token that fails its own rules',
      code: 'ERR_PROFILE_EMBEDDED',
      edit: () =>
        office.edit(
          'profiles/jwt-to-cwt.yaml',
          'stages:\n',
          'stages:\n  - embedding: { unwrap: { claim: inner, accept: { format: jwt, issuers: [https://id.alpha.example] } } }\n',
        ),
      ask: async () => {
        const { parameters } = await saying({ exp: NOW - 600 })
        return saying({ inner: parameters['subject_token'] })
      },
      expected: 'in the claim inner, a token that passes: after 2027-01-15T08:00:00Z',
      found: 'in the claim inner, a token refused with ERR_TOKEN_EXPIRED',
      remedy: 'get a fresh token; compare the clocks',
    },
    {
      title: 'a bearer token that would be carried inside',
      code: 'ERR_PROFILE_EMBEDDED',
      edit: () =>
        office.edit('profiles/jwt-to-cwt.yaml', 'stages:\n', 'stages:\n  - embedding: { token: { what: token } }\n'),
      ask: () => jwt({}),
      place: ['profiles/jwt-to-cwt.yaml', '{ what: token }'],
      expected: 'a subject token that is bound to a key, or is for the audience of the output only',
      remedy: 'have the subject token bound to a key (`cnf`), or issued for the audience of the output only',
      mend: async () => ({ ...(await jwt({}, bound())), asking: { proved: held } }),
    },
    {
      title: 'a subject that cannot be made',
      code: 'ERR_PROFILE_SUBJECT',
      edit: () =>
        office.edit(
          'profiles/jwt-to-cwt.yaml',
          'stages:\n',
          "stages:\n  - subject: { template: 'spiffe://beta.example/{subject.department}' }\n",
        ),
      ask: () => jwt({}),
      place: ['profiles/jwt-to-cwt.yaml', '{ template: '],
      expected: /./,
      found: 'no such value in {subject.department}',
      remedy: /have the issuer put .*department into the token/,
      mend: () => jwt({}, claims({ department: 'shop' })),
    },
    {
      title: 'two profiles that would do',
      code: 'ERR_PROFILE_AMBIGUOUS',
      edit: () => office.edit('profiles/jwt-to-cwt.yaml', `[${CWT}]`, `[${CWT}, https://jwt-resign-pq.beta.example]`),
      ask: () => jwt({ audience: 'https://jwt-resign-pq.beta.example' }),
      expected: 'one profile that serves the request',
      found: 'jwt-resign-pq and jwt-to-cwt',
      remedy: /^ask for requested_token_type=\S+, which only jwt-to-cwt issues$/,
      mend: (attempt) => with_(attempt, { requested_token_type: tokenTypes.cwt }),
    },
    {
      title: 'a token that is valid for too long',
      code: 'ERR_TOKEN_LIFETIME',
      edit: () => take('max_lifetime: 600'),
      ask: () => jwt({}, validity({ expiresAt: NOW + 3600 })),
      place: ['profiles/jwt-to-cwt.yaml', '600'],
      expected: 'an expiry at most 2027-01-15T08:10:30Z',
      found: '2027-01-15T09:00:00Z',
      remedy: /^or raise accept\.subject\.max_lifetime to 3600 or more at .*jwt-to-cwt\.yaml:10:19$/,
      mend: (attempt) => {
        office.edit('profiles/jwt-to-cwt.yaml', 'max_lifetime: 600', 'max_lifetime: 3600')
        return attempt
      },
    },

    // The form
    {
      title: 'a parameter that is there twice',
      code: 'ERR_REQUEST_REPEATED',
      ask: async () => ({ ...(await jwt({ scope: 'orders.read' })), asking: { raw: '&scope=orders.write' } }),
      expected: 'each parameter once, but for audience and resource',
      found: 'scope twice',
      remedy: 'send scope once',
      mend: () => jwt({ scope: 'orders.read' }),
    },
    {
      title: 'a form that is encoded badly',
      code: 'ERR_REQUEST_FORM',
      ask: async () => ({ ...(await jwt({})), asking: { raw: '&state=50%' } }),
      expected: 'percent-encoding of UTF-8',
      remedy: 'percent-encode each value once, as UTF-8',
      mend: async () => ({ ...(await jwt({})), asking: { raw: '&state=50%25' } }),
    },
    {
      title: 'a body that is too long',
      code: 'ERR_REQUEST_TOO_LARGE',
      ask: async () => ({ ...(await jwt({})), asking: { raw: `&state=${'a'.repeat(70_000)}` } }),
      expected: 'a body of at most 65536 bytes',
      remedy: /^or raise limits\.body_bytes, of a batch batch\.body_bytes at .*dragoman\.yaml:\d+:\d+$/,
      mend: () => jwt({}),
    },
    {
      title: 'a DPoP proof without the nonce that is asked for',
      code: 'ERR_PROOF_NONCE',
      edit: () => office.edit('dragoman.yaml', 'keys:\n', 'dpop_nonce: true\nkeys:\n'),
      ask: async () => ({ ...(await jwt({})), asking: { facts: { dpop: [proof({})] } } }),
      expected: 'a DPoP proof with a nonce of this gateway',
      found: 'none, or one that was given too long ago',
      remedy: 'take the value of the DPoP-Nonce header field of the answer, put it into `nonce` of a new proof',
      mend: (attempt) => {
        office.edit('dragoman.yaml', 'dpop_nonce: true\n', '')
        return attempt
      },
    },
    {
      title: 'a critical extension that is not understood',
      code: 'ERR_TOKEN_CRITICAL',
      edit: () => office.edit('alpha-ca.pem', /^.*$/s, pem('CERTIFICATE', strange.certificate)),
      ask: () => ({ parameters: { subject_token: pem('CERTIFICATE', marked), ...certificate } }),
      expected: /^no critical /,
      remedy: 'have the certificate issued without it, or with the extension not critical',
    },

    // What is wrong with the gateway itself
    {
      title: 'a store of uses that cannot be reached',
      code: 'ERR_STORE_UNAVAILABLE',
      edit: () => take('single_use: true'),
      ask: async () => ({ ...(await jwt({})), asking: { instead: () => ({ replay: full }) } }),
      place: ['dragoman.yaml', 'issuer: http'],
      expected: 'a store of uses that has room and can be reached',
      remedy: /^raise replay\.capacity at .*dragoman\.yaml:\d+:\d+, or restore the store/,
      mend: () => jwt({}),
    },
    {
      title: 'an audit stream that cannot be written',
      code: 'ERR_AUDIT_UNAVAILABLE',
      ask: async () => ({
        ...(await jwt({})),
        asking: { instead: ({ audit }) => ({ audit: { ...audit, healthy: () => false } }) },
      }),
      place: ['dragoman.yaml', '{ file: audit.jsonl }'],
      expected: 'an audit stream that can be written',
      remedy: /^let the file be written at .*dragoman\.yaml:\d+:\d+: its permissions, room on its disk/,
      mend: () => jwt({}),
    },
    {
      title: 'a key that cannot sign',
      code: 'ERR_KEY_UNAVAILABLE',
      ask: async () => ({
        ...(await jwt({})),
        asking: { instead: ({ keys }) => ({ keys: { ...keys, signer: () => undefined } }) },
      }),
      place: ['profiles/jwt-to-cwt.yaml', 'signing'],
      expected: 'the key signing',
      found: 'a key that cannot sign now',
      remedy: /^see to the key under keys at .*dragoman\.yaml:\d+:\d+/,
      mend: () => jwt({}),
    },
  ]
}

function unavailable(): never {
  throw new DragomanError('ERR_STORE_UNAVAILABLE', { detail: { store: 'replay' }, retryAfter: 60 })
}

const full: ReplayStore = {
  claim: () => unavailable(),
  claimed: () => unavailable(),
}

async function jws(header: object, payload: string, signer: Signer): Promise<string> {
  const input = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`
  const signature = await signer.sign(Buffer.from(input))
  return `${input}.${Buffer.from(signature).toString('base64url')}`
}
