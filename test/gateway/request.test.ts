import { describe, expect, it } from 'vitest'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { parseForm } from '../../src/gateway/form.ts'
import { type RequestFacts, tokenRequest } from '../../src/gateway/request.ts'
import { grants } from '../../src/grants/index.ts'

const FACTS: RequestFacts = { id: 'r1', authorization: undefined, dpop: [], chain: undefined }

type Parameters = { readonly [name: string]: string | readonly string[] | undefined }

const usual: Parameters = { grant_type: TOKEN_EXCHANGE, subject_token: 'token', subject_token_type: tokenTypes.jwt }

function read(parameters: Parameters = {}, facts: Partial<RequestFacts> = {}) {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...usual, ...parameters })) {
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) form.append(name, one)
  }
  return tokenRequest(parseForm(Buffer.from(form.toString())), { ...FACTS, ...facts }, grants)
}

const code = (name: string) => expect.objectContaining({ code: name })

describe('tokenRequest', () => {
  it('gives the parameters as they are on the wire, and the facts beside them', () => {
    const request = read(
      {
        actor_token: 'acting',
        actor_token_type: tokenTypes.jwt,
        requested_token_type: tokenTypes.cwt,
        audience: ['a', 'b'],
        resource: 'https://r.example/?x=1',
        scope: 'one two',
        csr: 'c',
        client_id: 'id',
        client_secret: 'secret',
        client_assertion: 'jwt',
        client_assertion_type: 'type',
      },
      { authorization: 'Basic x', dpop: ['proof'] },
    )
    expect(request).toEqual({
      id: 'r1',
      grant_type: TOKEN_EXCHANGE,
      subject_token: 'token',
      subject_token_type: tokenTypes.jwt,
      actor_token: 'acting',
      actor_token_type: tokenTypes.jwt,
      requested_token_type: tokenTypes.cwt,
      audience: ['a', 'b'],
      resource: ['https://r.example/?x=1'],
      scope: ['one', 'two'],
      csr: 'c',
      client_id: 'id',
      client_secret: 'secret',
      client_assertion: 'jwt',
      client_assertion_type: 'type',
      authorization: 'Basic x',
      dpop: ['proof'],
      certificates: undefined,
    })
  })

  it.each(['grant_type', 'subject_token', 'subject_token_type'])(
    'TE-05: refuses a request without %s, or with it empty',
    (parameter) => {
      const refusal = expect.objectContaining({ code: 'ERR_REQUEST_MISSING', detail: { parameter } })
      expect(() => read({ [parameter]: undefined })).toThrow(refusal)
      expect(() => read({ [parameter]: '' })).toThrow(refusal)
    },
  )

  it('TE-36: refuses another grant type, and one that differs in case', () => {
    expect(() => read({ grant_type: 'client_credentials' })).toThrow(code('ERR_REQUEST_GRANT'))
    expect(() => read({ grant_type: TOKEN_EXCHANGE.toUpperCase() })).toThrow(code('ERR_REQUEST_GRANT'))
  })

  it('TE-06: refuses actor_token without its type, and the reverse', () => {
    expect(() => read({ actor_token: 'a' })).toThrow(code('ERR_REQUEST_ACTOR'))
    expect(() => read({ actor_token_type: tokenTypes.jwt })).toThrow(code('ERR_REQUEST_ACTOR'))
    expect(() => read({ actor_token: '', actor_token_type: tokenTypes.jwt })).toThrow(code('ERR_REQUEST_ACTOR'))
    expect(read({ actor_token: '', actor_token_type: '' }).actor_token).toBeUndefined()
  })

  it.each([
    'https://ledger.example',
    'https://ledger.example/v2/',
    'https://ledger.example/?q=1',
    'urn:example:ledger',
    'spiffe://example.org/ledger',
    'https://[2001:db8::1]:8443/a',
  ])('TE-07, RI-01: takes the absolute URI %s as it is', (resource) => {
    expect(read({ resource }).resource).toEqual([resource])
  })

  it.each([
    'ledger',
    '/v2',
    '//ledger.example',
    'https://ledger.example/#part',
    'https://ledger.example#',
    'https:',
    'https:ledger',
    'https:///path',
    'http://',
    'https://ledger.example/ä',
    'https://ledger.example/ x',
    'https://ledger.example/%zz',
    'https://ledger.example\\v2',
    'https://[::1',
    ' https://ledger.example',
    'https://ledger.example\n',
  ])('TE-07, EX-04: refuses the resource %j with invalid_target', (resource) => {
    expect(() => read({ resource: ['https://good.example', resource] })).toThrow(code('ERR_REQUEST_RESOURCE'))
  })

  it('C-02: takes any text as audience', () => {
    const audience = ['//iam.googleapis.com/projects/1', 'my service', 'x#y']
    expect(read({ audience }).audience).toEqual(audience)
  })

  it.each(['a', 'a b', 'urn:x:read', '!~[]^_`{|}'])('TR-10: takes the scope %j', (scope) => {
    expect(read({ scope }).scope).toEqual(scope.split(' '))
  })

  it.each([' ', 'a  b', ' a', 'a ', 'a\tb', 'a\nb', 'a"b', 'a\\b', 'ä', 'a\0b'])(
    'TR-10: refuses the scope %j',
    (scope) => {
      expect(() => read({ scope })).toThrow(code('ERR_REQUEST_SCOPE'))
    },
  )

  it('TR-10: takes a scope that is named twice once', () => {
    expect(read({ scope: 'a b a' }).scope).toEqual(['a', 'b'])
  })

  it('TR-11, TE-03: an empty scope is no scope', () => {
    expect(read({ scope: '' }).scope).toBeUndefined()
  })

  it('RA-02: refuses authorization_details, since a restriction must not be ignored', () => {
    expect(() => read({ authorization_details: '[]' })).toThrow(code('ERR_REQUEST_DETAILS'))
  })

  describe('with a certificate as token (XP-08, C-03)', () => {
    const leaf = Buffer.from('leaf certificate')
    const above = Buffer.from('intermediate')
    const token = JSON.stringify([leaf, above].map((der) => der.toString('base64')))
    const chain = { certificates: [leaf, above], leaf, token }
    const mtls = (subject_token: string, facts: Partial<RequestFacts> = { chain }) =>
      read({ subject_token, subject_token_type: tokenTypes.mtls }, facts).subject_token

    it('puts the chain of the handshake in the place of the fixed text', () => {
      expect(mtls('mtls_client_certificate')).toBe(token)
    })

    it('does the same for an actor token', () => {
      const actor = { actor_token: 'mtls_client_certificate', actor_token_type: tokenTypes.mtls }
      expect(read(actor, { chain }).actor_token).toBe(token)
    })

    it('refuses the fixed text where no certificate was shown', () => {
      expect(() => mtls('mtls_client_certificate', {})).toThrow(code('ERR_TOKEN_UNPROVED'))
    })

    it('takes an array that begins with the certificate of the handshake, as it was sent', () => {
      const sent = `[ "${leaf.toString('base64')}" ]`
      expect(mtls(sent)).toBe(sent)
      expect(mtls(token)).toBe(token)
    })

    it.each([
      ['another certificate first', JSON.stringify([above, leaf].map((der) => der.toString('base64')))],
      ['no certificate', '[]'],
      ['no text', '[1]'],
      ['no list', '{}'],
      ['another alphabet', JSON.stringify([Buffer.from('>>>???').toString('base64url')])],
    ])('refuses an array with %s', (_what, sent) => {
      expect(() => mtls(sent)).toThrow(code('ERR_TOKEN_UNPROVED'))
    })

    it('refuses what is no JSON', () => {
      expect(() => mtls('[')).toThrow(code('ERR_TOKEN_MALFORMED'))
    })

    it('leaves an array alone where no certificate was shown: a proof by its key is asked for later', () => {
      expect(mtls(token, {})).toBe(token)
    })

    it('leaves tokens of other types alone', () => {
      expect(read({ subject_token: 'mtls_client_certificate' }, { chain }).subject_token).toBe(
        'mtls_client_certificate',
      )
    })
  })
})

describe('request_context and request_details', () => {
  it('are JSON objects, as text', () => {
    const request = read({ request_context: '{"req_ip":"::1"}', request_details: '{"order":{"id":7}}' })
    expect(request.request_context).toEqual(map([['req_ip', '::1']]))
    expect(request.request_details).toEqual(map([['order', map([['id', 7]])]]))
    expect(Object.isFrozen(request.request_details)).toBe(true)
    expect(read({ request_context: '' })).toMatchObject({ request_context: undefined, request_details: undefined })
  })

  it.each([
    ['base64url of one, as in older drafts', Buffer.from('{"a":1}').toString('base64url')],
    ['no JSON', '{a:1}'],
    ['a list', '["a"]'],
    ['text', '"a"'],
    ['null', 'null'],
    ['a name twice', '{"a":1,"a":2}'],
    ['a name of the language', '{"__proto__":{"a":1}}'],
    ['more behind it', '{}{}'],
    ['a number out of range', '{"a":1e400}'],
    ['more than 4 KiB', JSON.stringify({ a: 'x'.repeat(2000), b: 'x'.repeat(2000), c: 'x'.repeat(200) })],
    ['a long text', JSON.stringify({ a: 'x'.repeat(2049) })],
    ['deeper than six', '{"a":[[[[[[1]]]]]]}'],
    ['more than 256 values', JSON.stringify({ a: Array(256).fill(1) })],
  ])('are refused as %s', (_, text) => {
    for (const parameter of ['request_context', 'request_details']) {
      expect(() => read({ [parameter]: text })).toThrow(
        expect.objectContaining({ code: 'ERR_REQUEST_CONTEXT', detail: expect.objectContaining({ parameter }) }),
      )
    }
  })

  it('are told in no refusal', () => {
    try {
      read({ request_details: '{"iban":"DE89 secret"' })
    } catch (error) {
      expect(JSON.stringify(error)).not.toContain('DE89')
      return
    }
    throw new Error('it is not refused')
  })
})
