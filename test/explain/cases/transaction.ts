import { createPrivateKey, X509Certificate } from 'node:crypto'
import { SignJWT } from 'jose'
import { tokenTypes } from '../../../src/core/types.ts'
import { toBase64 } from '../../../src/wire/base64url.ts'
import type { Asking, Office } from '../../support/explaining.ts'
import { DOMAIN, id, TTS } from '../../support/transactions.ts'
import { NOW, type Parameters } from '../../support/world.ts'
import { type Attempt, type Case, with_ } from './case.ts'

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const { accessToken, selfSigned, txnToken, mtls } = tokenTypes

/** What is particular to transaction tokens, and to clients with certificates and assertions. */
export function transactionCases(office: Office): readonly Case[] {
  const asked = (client: string | null, more: Asking = {}): Asking => ({ tenant: 'larkspur', client, ...more })
  const details = (members: object) => ({ request_details: JSON.stringify(members) })
  const order = (over: Parameters = {}, asking = asked(id['api-gateway'])): Attempt => ({
    parameters: {
      ...{ subject_token: office.file('mira.at'), subject_token_type: accessToken, requested_token_type: txnToken },
      ...{ audience: DOMAIN, scope: 'order.pay', ...details({ order_id: 'o-771', amount: '18.40' }), ...over },
    },
    asking,
  })
  const sign = (claims: object, key: string, header: object = {}) =>
    new SignJWT({ iat: NOW, exp: NOW + 60, ...claims })
      .setProtectedHeader({ alg: key === 'login' ? 'ES256' : 'EdDSA', ...header })
      .sign(createPrivateKey(office.file(`${key}.key`)))
  const mail = async (client: string): Promise<Attempt> =>
    order(
      {
        subject_token: await sign({ iss: id['mail-in'], sub: 'user/7733', aud: TTS, jti: 'm1' }, 'mail-in-says'),
        ...{ subject_token_type: selfSigned, scope: 'mail.ingest' },
        ...details({ mailbox: 'help@larkspur.example', message_id: 'c1@peer.example', dmarc: 'pass' }),
        request_context: JSON.stringify({ req_ip: '203.0.113.9' }),
      },
      asked(client),
    )
  const replacement = async (over: Parameters, requesters: readonly string[] = []): Promise<Attempt> => {
    const chain = requesters.length > 1 ? { dragoman_chain: requesters } : {}
    const claims = {
      ...{ iss: TTS, aud: DOMAIN, sub: 'user/7733', txn: 't-1', jti: 'j-1', scope: 'blob.put mail.ingest' },
      ...{ req_wl: requesters.at(-1) ?? id['mail-in'], tctx: { blob_class: 'attachment' }, ...chain },
    }
    const token = await sign(claims, 'login', { typ: 'txntoken+jwt' })
    const more = { subject_token: token, subject_token_type: txnToken, scope: 'blob.put', request_details: undefined }
    return order({ ...more, ...over }, asked(id.tickets))
  }
  const keyOfFile = () =>
    office.edit(
      'dragoman.yaml',
      '{ name: signing, algorithm: ES256, generate: true }',
      '{ name: signing, algorithm: ES256, file: login.key }',
    )
  const chainOf = (name: string) => {
    const leaf = new X509Certificate(office.file(`${name}.crt`)).raw
    return { certificates: [leaf], leaf, token: JSON.stringify([toBase64(leaf)]) }
  }
  const shown = (name: string) => ({ authorization: undefined, dpop: [], chain: chainOf(name) })
  const asserted = async (claims: object, more: Asking = {}): Promise<Attempt> => {
    const cli = 'spiffe://larkspur.example/ns/tools/sa/ops-cli'
    const assertion = await sign({ iss: cli, sub: cli, aud: TTS, jti: 'a1', ...claims }, 'ops-cli')
    return order(
      {
        ...{ client_assertion: assertion, client_assertion_type: ASSERTION, scope: 'ops.read' },
        ...{ subject_token: 'mtls_client_certificate', subject_token_type: mtls },
        ...details({ target: 'db-1', change: 'chg-1' }),
      },
      asked(null, { facts: shown('dana'), ...more }),
    )
  }
  return [
    {
      title: 'request details that are no JSON',
      code: 'ERR_REQUEST_CONTEXT',
      ask: () => order({ request_details: Buffer.from('{"order_id":"o-771"}').toString('base64url') }),
      expected: 'request_details as the text of one JSON object',
      remedy: 'send the JSON itself, not base64url of it',
      mend: () => order(),
    },
    {
      title: 'a type of token that another client presents',
      code: 'ERR_PROFILE_SUBJECT_TYPE',
      ask: () => mail(id['api-gateway']),
      place: ['larkspur/self-signed.yaml', 'transactions:'],
      expected: `subject_token_type: ${accessToken}`,
      found: selfSigned,
      remedy:
        /^or add the client `spiffe:\/\/larkspur\.example\/ns\/edge\/sa\/api-gateway` to transactions of self-signed at .*self-signed\.yaml:\d+:\d+/,
      mend: () => mail(id['mail-in']),
    },
    {
      title: 'a transaction of another client',
      code: 'ERR_PROFILE_TRANSACTION',
      ask: async () => {
        const { parameters } = await mail(id['mail-in'])
        return order({ ...parameters, scope: 'user.delete' }, asked(id['mail-in']))
      },
      place: ['larkspur/self-signed.yaml', 'name: user-purge'],
      expected: `a client that may start user-purge: ${id.purger}`,
      found: id['mail-in'],
      remedy: 'ask for the scope of a transaction of your own: mail.ingest, ticket.append and blob.put',
      mend: (attempt) => with_(attempt, { scope: 'mail.ingest' }),
    },
    {
      title: 'a transaction token that was replaced often enough',
      code: 'ERR_PROFILE_TRANSACTION',
      edit: keyOfFile,
      ask: () => replacement({}, [id['mail-in'], id['mail-scan']]),
      place: ['larkspur/replace.yaml', 'name: store-attachment'],
      expected: 'at most 1 replacements of the transaction store-attachment',
      found: /./,
      remedy: /^or raise `replacements` of store-attachment at .*replace\.yaml:\d+:\d+$/,
      mend: (attempt) => {
        office.edit('larkspur/replace.yaml', 'lifetime: 120\n', 'lifetime: 120\n    replacements: 2\n')
        return attempt
      },
    },
    {
      title: 'a member that the transaction does not have',
      code: 'ERR_PROFILE_CONTEXT',
      ask: () => order(details({ order_id: 'o-771', amount: '18.40', discount: 'all' })),
      place: ['larkspur/api-gateway.yaml', '{ order_id'],
      expected: 'of request_details no member but order_id, amount or currency',
      remedy: 'leave the others out of request_details',
      mend: () => order(),
    },
    {
      title: 'scope that no transaction of the client has',
      code: 'ERR_PROFILE_SCOPE',
      ask: () => order({ scope: 'order.delete' }),
      place: ['larkspur/api-gateway.yaml', 'transactions:'],
      expected: 'scope of one transaction: order.create order.pay',
      found: 'order.delete',
      remedy: 'ask for scope=order.create order.pay, or some of it',
      mend: () => order(),
    },
    {
      title: 'a replacement with scope that the token has not',
      code: 'ERR_PROFILE_SCOPE',
      edit: keyOfFile,
      ask: () => replacement({ scope: 'ticket.append' }),
      expected: 'scope: some of blob.put and mail.ingest, which the token has that is to be replaced',
      found: 'ticket.append',
      remedy: 'ask for scope=blob.put mail.ingest, or less of it',
      mend: () => replacement({}),
    },
    {
      title: 'a member that is missing',
      code: 'ERR_PROFILE_CONTEXT',
      ask: () => order(details({ order_id: 'o-771' })),
      place: ['larkspur/api-gateway.yaml', '{ order_id'],
      expected: 'request_details.amount: string',
      remedy: 'send amount in request_details, as it is asked for',
      mend: () => order(),
    },
    {
      title: 'a replacement that says something else',
      code: 'ERR_PROFILE_FROZEN',
      edit: keyOfFile,
      ask: () => replacement(details({ blob_class: 'image' })),
      expected: 'tctx.blob_class as the subject token has it',
      remedy: 'leave blob_class out of request_details',
      mend: () => replacement({}),
    },

    // Clients that authenticate by what they hold
    {
      title: 'an assertion for somebody else',
      code: 'ERR_CLIENT_ASSERTION',
      ask: () => asserted({ aud: `${TTS}/token` }),
      place: ['dragoman.yaml', 'client_id: spiffe://larkspur.example/ns/tools/sa/ops-cli'],
      expected: `aud: ${TTS}`,
      found: 'an assertion that fails on aud',
      remedy: `make \`aud\` ${TTS}, the issuer identifier of this gateway, as the only value`,
      mend: () => asserted({}),
    },
    {
      title: 'an assertion that is over',
      code: 'ERR_CLIENT_ASSERTION',
      ask: () => asserted({ iat: NOW - 600, exp: NOW - 540 }),
      expected: 'exp: after 2027-01-15T08:00:00Z',
      found: 'an assertion that fails on exp',
      remedy: 'make `exp` near: a minute ahead is enough',
      mend: () => asserted({}),
    },
    {
      title: 'an assertion by another key',
      code: 'ERR_CLIENT_ASSERTION',
      edit: () => office.edit('dragoman.yaml', 'jwks_file: ops-cli-jwks.json', 'jwks_file: mail-in-says-jwks.json'),
      ask: () => asserted({}),
      expected: 'an assertion by a key of spiffe://larkspur.example/ns/tools/sa/ops-cli',
      found: /one that no key of it made/,
      remedy: /^sign with a key of its .*jwks_file.* at .*dragoman\.yaml/,
    },
    {
      title: 'an assertion that was used',
      code: 'ERR_CLIENT_ASSERTION_REPLAYED',
      ask: () => asserted({}, { used: (key) => key.startsWith('assertion ') }),
      expected: 'an assertion that has not been used',
      remedy: 'make a new assertion, with a jti of its own, for each request',
      mend: () => asserted({ jti: 'a2' }),
    },
    {
      title: 'an assertion that is no JWT',
      code: 'ERR_CLIENT_MALFORMED',
      ask: async () => with_(await asserted({}), { client_assertion: 'ops-cli' }),
      expected: /./,
      remedy: 'with an assertion: send one compact JWT as client_assertion, and its type as client_assertion_type',
      mend: () => asserted({}),
    },
    {
      title: 'an assertion and a secret',
      code: 'ERR_CLIENT_SEVERAL',
      ask: async () => with_(await asserted({}), { client_id: 'ops-cli', client_secret: 'guess' }),
      expected: 'credentials of one method (RFC 6749 section 2.3)',
      found: 'private_key_jwt and client_secret_post',
      remedy: 'send one of them, and leave the other out',
      mend: () => asserted({}),
    },
    {
      title: 'the certificate of another client',
      code: 'ERR_CLIENT_CERTIFICATE',
      ask: () => order({ client_id: id['api-gateway'] }, asked(null, { facts: shown('tickets') })),
      place: ['dragoman.yaml', 'client_id: spiffe://larkspur.example/ns/edge/sa/api-gateway'],
      expected: /./,
      found: /^a certificate that fails the check /,
      remedy:
        /connect with the certificate of spiffe:\/\/larkspur\.example\/ns\/edge\/sa\/api-gateway to a listener with TLS/,
      mend: () => order({ client_id: id['api-gateway'] }, asked(null, { facts: shown('api-gateway') })),
    },
    {
      title: 'a certificate that cannot be read',
      code: 'ERR_PROOF_CERTIFICATE',
      ask: () => {
        const leaf = Buffer.from('3003020100', 'hex')
        const chain = { certificates: [leaf], leaf, token: JSON.stringify([toBase64(leaf)]) }
        return order({}, asked(id['api-gateway'], { facts: { authorization: undefined, dpop: [], chain } }))
      },
      expected: 'strict DER and an accepted key',
      remedy: 'connect with a certificate in strict DER, with a P-256',
      mend: () => order(),
    },
  ]
}
