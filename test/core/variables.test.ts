import { describe, expect, it } from 'vitest'
import { map } from '../../src/core/value.ts'
import { variablesOf } from '../../src/core/variables.ts'
import { draftOf, exchangeOf, ISSUER, NOW, newKey, verified } from '../support/exchange.ts'

const variables = (parts: Parameters<typeof exchangeOf>[0] = {}) => {
  const exchange = exchangeOf(parts)
  return variablesOf(draftOf(exchange), exchange)
}

describe('variables', () => {
  it('have the claims of the subject token, and how we know them', () => {
    const subject = verified({ claims: { email: 'a' }, provenance: { kind: 'at+jwt' } })
    expect(variables({ subject }).subject).toEqual(
      map(
        Object.entries({
          sub: 'u-1',
          email: 'a',
          iss: ISSUER,
          aud: ['https://gw.example'],
          exp: NOW + 600,
          iat: NOW - 60,
          id: 'jti-1',
          format: 'jwt',
          kind: 'at+jwt',
          scope: ['read', 'write'],
          trust_domain: 'cluster.example.com',
        }),
      ),
    )
  })

  it('let no claim stand for what we know ourselves, even when we know nothing', () => {
    const claims = { iss: 'x', id: 'x', format: 'x509', kind: 'x', scope: 'x', trust_domain: 'evil.example', nbf: 1 }
    const subject = verified({
      claims,
      validity: { scope: undefined, notBefore: undefined },
      provenance: { id: undefined, kind: undefined, trustDomain: undefined },
    })
    const { subject: record } = variables({ subject })
    expect(record).toMatchObject({ iss: ISSUER, format: 'jwt' })
    for (const name of ['id', 'kind', 'scope', 'trust_domain', 'nbf']) expect(record).not.toHaveProperty(name)
  })

  it('have the actor, the client, the request and the draft', () => {
    const actor = verified({ claims: { sub: 'billing' } })
    const request = { audience: ['a'], resource: ['https://b.example'], requested_token_type: 'urn:x' }
    const { actor: acting, client, request: asked, claims, now } = variables({ actor, request })
    expect(acting).toMatchObject({ sub: 'billing' })
    expect(client).toEqual(map(Object.entries({ id: 'orders', method: 'client_secret_basic' })))
    expect(asked).toEqual(map(Object.entries(request)))
    expect(claims).toEqual(map([['sub', 'u-1']]))
    expect(now).toBe(NOW)
  })

  it('have what the client tells of its call, as it was sent', () => {
    const told = map([['order', map([['id', 'o-1']])]])
    const { request } = variables({ request: { request_details: told, request_context: map([['ip', '::1']]) } })
    expect(request['details']).toBe(told)
    expect(request['context']).toEqual(map([['ip', '::1']]))
    expect(variables().request).not.toHaveProperty('details')
  })

  it('have the request that a proxy asks about, as it says, and nothing of how it is answered', () => {
    const forwarded = {
      scheme: 'https' as const,
      ...{ method: 'GET', host: 'api.example', path: '/a', query: undefined },
      ...{ headers: map([['x-trace', 't']]), certificates: [new Uint8Array(1)], maxCharacters: 9 },
    }
    expect(variables({ request: { forwarded } }).request['forwarded']).toEqual(
      map(
        Object.entries({
          ...{ method: 'GET', scheme: 'https', host: 'api.example', path: '/a' },
          headers: map([['x-trace', 't']]),
        }),
      ),
    )
    expect(variables().request).not.toHaveProperty('forwarded')
  })

  it('have nothing of an actor or a proof that is not there', () => {
    expect(variables().actor).toEqual(map())
    expect(variables().proof).toEqual(map())
  })

  it('have the first proof, and the methods of all', () => {
    const publicKey = newKey()
    const proofs = [
      { method: 'dpop', publicKey },
      { method: 'mtls', publicKey: newKey() },
    ]
    expect(variables({ proofs }).proof).toEqual(
      map(Object.entries({ method: 'dpop', jkt: publicKey.jkt, methods: ['dpop', 'mtls'] })),
    )
  })

  it('are made once', () => {
    const made = variables()
    expect(made.subject).toBe(made.subject)
  })
})
