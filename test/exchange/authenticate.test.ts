import { describe, expect, it, vi } from 'vitest'
import type { ClientMethod } from '../../src/core/client.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { ProofMethod } from '../../src/core/proof.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { authenticate } from '../../src/exchange/authenticate.ts'
import {
  anonymous,
  fakeAssertion,
  fakeSecret,
  key,
  NOW,
  PLAIN,
  plainToken,
  profile,
  registered,
  request,
  stage,
  subjectToken,
  trusted,
  world,
} from '../support/fakes.ts'

const refusal = (code: string) => expect.objectContaining({ code })

describe('authenticate', () => {
  it('gives the client and the method that it used', async () => {
    const client = await authenticate(request(), NOW, world().services)
    expect(client).toEqual({ id: 'orders', method: 'fake_secret' })
  })

  it('gives nobody when there are no credentials, whatever client_id says', async () => {
    const { services } = world()
    expect(await authenticate(request({ client_secret: undefined }), NOW, services)).toBeUndefined()
  })

  it('refuses credentials of two methods, even when both are good (RFC 6749 §2.3)', async () => {
    const two = authenticate(request({ client_assertion: 'orders' }), NOW, world().services)
    await expect(two).rejects.toThrow(refusal('ERR_CLIENT_SEVERAL'))
    await expect(two).rejects.toMatchObject({ detail: { methods: ['fake_secret', 'fake_assertion'] } })
  })

  it('refuses a client_id that names another client than the assertion', async () => {
    const { services } = world()
    const other = request({ client_id: 'other', client_secret: undefined, client_assertion: 'orders' })
    await expect(authenticate(other, NOW, services)).rejects.toThrow(refusal('ERR_CLIENT_MALFORMED'))
  })

  it('refuses a client that is not configured', async () => {
    const unknown = request({ client_id: 'nobody', client_secret: 'ydobon' })
    await expect(authenticate(unknown, NOW, world().services)).rejects.toThrow(refusal('ERR_CLIENT_UNKNOWN'))
  })

  it('does the work of the method for an unknown client too, and believes none of it', async () => {
    const verify = vi.fn<ClientMethod['verify']>()
    const { services } = world(undefined, { clientMethods: [{ ...fakeSecret, verify }] })
    const unknown = authenticate(request({ client_id: 'nobody' }), NOW, services)
    await expect(unknown).rejects.toThrow(refusal('ERR_CLIENT_UNKNOWN'))
    expect(verify).toHaveBeenCalledOnce()
    const [, nobody] = verify.mock.calls[0] ?? []
    expect(nobody).toMatchObject({ id: 'nobody', issuer: undefined, certificate: undefined })
    expect(nobody?.secretDigests[0]).toHaveLength(32)
  })

  it('gives an unknown client another digest each time, which no secret can be made for', async () => {
    const verify = vi.fn<ClientMethod['verify']>()
    const { services } = world(undefined, { clientMethods: [{ ...fakeSecret, verify }] })
    for (const client_id of ['nobody', 'nobody']) {
      await expect(authenticate(request({ client_id }), NOW, services)).rejects.toThrow(refusal('ERR_CLIENT_UNKNOWN'))
    }
    const [first, second] = verify.mock.calls.map(([, client]) => client.secretDigests[0])
    expect(first).not.toEqual(second)
  })

  it('refuses a method that the client is not registered for', async () => {
    const byAssertion = request({ client_id: undefined, client_secret: undefined, client_assertion: 'orders' })
    await expect(authenticate(byAssertion, NOW, world().services)).rejects.toThrow(refusal('ERR_CLIENT_METHOD'))
  })

  it('refuses with what the method says', async () => {
    const wrong = request({ client_secret: 'wrong' })
    await expect(authenticate(wrong, NOW, world().services)).rejects.toThrow(refusal('ERR_CLIENT_SECRET'))
  })

  it('waits for a method that takes its time', async () => {
    const slow: ClientMethod = {
      ...fakeSecret,
      verify: async () => {
        await Promise.resolve()
        throw new DragomanError('ERR_CLIENT_SECRET')
      },
    }
    const { services } = world(undefined, { clientMethods: [slow] })
    await expect(authenticate(request(), NOW, services)).rejects.toThrow(refusal('ERR_CLIENT_SECRET'))
  })

  it('hands a method the clock of this exchange, and a way to verify with the keys of the client alone', async () => {
    const issuer = trusted('orders')
    const byToken: ClientMethod = {
      ...fakeAssertion,
      async verify({ assertion = '' }, client, { now, clockSkew, verify }) {
        if (client.issuer === undefined) throw new DragomanError('ERR_CLIENT_ASSERTION')
        await verify({ raw: assertion, type: PLAIN, role: 'client' }, client.issuer, { now, clockSkew })
      },
      claim: ({ client_assertion: assertion }) =>
        assertion === undefined ? undefined : { method: 'fake_assertion', clientId: 'orders', assertion },
    }
    const clients = { find: (id: string) => registered(id, { method: 'fake_assertion', issuer }) }
    const { services } = world(undefined, { clientMethods: [byToken], clients })
    const asking = (client_assertion: string) =>
      authenticate(request({ ...anonymous, client_assertion }), NOW, services)
    await expect(asking(plainToken({ iss: 'orders' }))).resolves.toMatchObject({ id: 'orders' })
    await expect(asking(subjectToken())).rejects.toThrow(refusal('ERR_TOKEN_SIGNATURE'))
  })

  it('refuses an assertion of a type that no codec reads', async () => {
    const byToken: ClientMethod = {
      ...fakeAssertion,
      async verify({ assertion = '' }, _, { now, clockSkew, verify }) {
        await verify({ raw: assertion, type: tokenTypes.jwt, role: 'client' }, trusted(), { now, clockSkew })
      },
    }
    const clients = { find: (id: string) => registered(id, { method: 'fake_assertion' }) }
    const { services } = world(undefined, { clientMethods: [byToken], clients })
    const asking = authenticate(request({ ...anonymous, client_assertion: 'orders' }), NOW, services)
    await expect(asking).rejects.toThrow(refusal('ERR_CLIENT_MALFORMED'))
  })
})

describe('a subject token that stands for the client (C-05)', () => {
  const open = profile({ unauthenticated: true })

  it('is enough where the profile says so', async () => {
    const { exchange, records } = world(open)
    await expect(exchange(anonymous)).resolves.toMatchObject({ token_type: 'Bearer' })
    expect(records[0]?.client_method).toBe('subject_token')
  })

  it('is not enough where no profile says so (TE-11)', async () => {
    await expect(world().exchange(anonymous)).rejects.toThrow(refusal('ERR_CLIENT_MISSING'))
  })

  it('does not help bad credentials', async () => {
    const asking = world(open).exchange({ client_secret: 'wrong' })
    await expect(asking).rejects.toThrow(refusal('ERR_CLIENT_SECRET'))
  })

  it('gives a client that authenticates nothing but the profiles that name it', async () => {
    const other = { client_id: 'other', client_secret: 'rehto' }
    await expect(world(open).exchange(other)).rejects.toThrow(refusal('ERR_PROFILE_NONE'))
  })

  describe('with a proof that may be used once', () => {
    const proofMethods: readonly ProofMethod[] = [
      {
        name: 'dpop',
        async prove({ dpop: [name] }, { replay, now }) {
          if (name === undefined) return undefined
          if (!(await replay.claim(`dpop ${name}`, now + 60, now))) throw new DragomanError('ERR_PROOF_REPLAYED')
          return { method: 'dpop', publicKey: key(name) }
        },
      },
    ]
    const proved = { ...anonymous, dpop: ['k1'] }

    it('is remembered no sooner than the token is verified: nobody fills the store from outside', async () => {
      const { exchange, spent } = world(open, { proofMethods })
      await expect(exchange({ ...proved, subject_token: 'x' })).rejects.toThrow(refusal('ERR_TOKEN_MALFORMED'))
      expect(spent.size).toBe(0)
      await expect(exchange(proved)).resolves.toMatchObject({ token_type: 'DPoP' })
      expect([...spent.keys()]).toEqual(['dpop k1'])
      await expect(exchange(proved)).rejects.toThrow(refusal('ERR_PROOF_REPLAYED'))
    })

    it('stays used when the exchange is refused after that', async () => {
      const refusing = stage(() => {
        throw new DragomanError('ERR_PROFILE_CONDITION')
      })
      const { exchange } = world(profile({ unauthenticated: true, steps: [refusing] }), { proofMethods })
      await expect(exchange(proved)).rejects.toThrow(refusal('ERR_PROFILE_CONDITION'))
      await expect(exchange(proved)).rejects.toThrow(refusal('ERR_PROOF_REPLAYED'))
    })
  })

  it('never lets a bound token through as its own holder and its own audience', async () => {
    const loose = profile({ unauthenticated: true, subject: { presentedBy: 'audience' } })
    const bound = { ...anonymous, subject_token: subjectToken({ cnf: { jkt: 'k1' } }) }
    await expect(world(loose).exchange(bound)).rejects.toThrow(refusal('ERR_TOKEN_UNPROVED'))
  })
})
