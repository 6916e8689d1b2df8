import { describe, expect, it } from 'vitest'
import { clientSecretBasic } from '../../src/clients/client_secret_basic.ts'
import { clientSecretPost } from '../../src/clients/client_secret_post.ts'
import { basic, clientTools, digestOf } from '../support/clients.ts'
import { anonymous, registered, request } from '../support/fakes.ts'

const none = request(anonymous)
const malformed = expect.objectContaining({ code: 'ERR_CLIENT_MALFORMED' })
const claimBasic = (authorization: string) => clientSecretBasic.claim({ ...none, authorization })

describe('client_secret_basic', () => {
  it.each([
    ['orders', 'secret'],
    ['svc-a', 'p%q+r s:t&u=v'],
    ['https://client.example/a?b', 'ä€😀'],
    ['id:with:colons', ':'],
  ])('C-01, TR-07: form-decodes id and secret after base64: %s', (id, secret) => {
    expect(claimBasic(basic(id, secret))).toEqual({ method: 'client_secret_basic', clientId: id, secret })
  })

  it('C-01: takes svc%2Da for svc-a', () => {
    const header = `Basic ${Buffer.from('svc%2Da:se%2Dcret').toString('base64')}`
    expect(claimBasic(header)).toMatchObject({ clientId: 'svc-a', secret: 'se-cret' })
  })

  it('takes the name of the scheme in any case', () => {
    for (const scheme of ['basic', 'BASIC', 'Basic ']) {
      expect(claimBasic(basic('a', 'b').replace('Basic', scheme))).toMatchObject({ clientId: 'a' })
    }
  })

  it('takes an empty secret for one that is wrong', () => {
    const claim = claimBasic(basic('orders', ''))
    expect(claim).toMatchObject({ clientId: 'orders', secret: '' })
  })

  it.each([
    ['no base64', 'Basic !!!'],
    ['base64 without padding', `Basic ${Buffer.from('a:bc').toString('base64url')}`],
    ['nothing', 'Basic'],
    ['nothing after the scheme', 'Basic '],
    ['no colon', `Basic ${Buffer.from('orders').toString('base64')}`],
    ['no id', `Basic ${Buffer.from(':secret').toString('base64')}`],
    ['malformed percent-encoding', `Basic ${Buffer.from('a:%zz').toString('base64')}`],
    ['percent-encoding that is no UTF-8', `Basic ${Buffer.from('a:%ff').toString('base64')}`],
    ['bytes that are no UTF-8', `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString('base64')}`],
    ['two credentials', `${basic('a', 'b')}, ${basic('c', 'd')}`],
  ])('refuses %s', (_what, header) => {
    expect(() => claimBasic(header)).toThrow(malformed)
  })

  it.each(['Bearer token', 'bearer', 'DPoP token'])('refuses an access token as credentials: %s', (header) => {
    expect(() => claimBasic(header)).toThrow(malformed)
  })

  it('leaves other schemes to others', () => {
    expect(claimBasic('Negotiate token')).toBeUndefined()
    expect(clientSecretBasic.claim(none)).toBeUndefined()
  })
})

describe('client_secret_post', () => {
  it('takes client_id and client_secret from the body', () => {
    const asked = { ...none, client_id: 'orders', client_secret: 'secret' }
    expect(clientSecretPost.claim(asked)).toEqual({
      method: 'client_secret_post',
      clientId: 'orders',
      secret: 'secret',
    })
  })

  it('is not there without a secret: client_id alone identifies', () => {
    expect(clientSecretPost.claim({ ...none, client_id: 'orders' })).toBeUndefined()
  })

  it('refuses a secret without client_id', () => {
    expect(() => clientSecretPost.claim({ ...none, client_secret: 'secret' })).toThrow(malformed)
  })
})

describe.each([clientSecretBasic, clientSecretPost])('the secret of $name', (method) => {
  const client = registered('orders', { secretDigests: [digestOf('new'), digestOf('old')] })
  const verify = (secret: string | undefined, who = client) =>
    method.verify({ method: method.name, clientId: 'orders', secret }, who, clientTools())
  const wrong = expect.objectContaining({ code: 'ERR_CLIENT_SECRET' })

  it('is any of those that are configured, so that it can be changed', () => {
    expect(() => verify('new')).not.toThrow()
    expect(() => verify('old')).not.toThrow()
  })

  it.each(['New', 'new ', '', undefined, digestOf('new').toString('latin1')])('is not %j', (secret) => {
    expect(() => verify(secret)).toThrow(wrong)
  })

  it('is none where none is configured, or where the digest is none', () => {
    expect(() => verify('new', registered('orders'))).toThrow(wrong)
    expect(() => verify('new', registered('orders', { secretDigests: [Buffer.from('new')] }))).toThrow(wrong)
  })
})
