import { describe, expect, it } from 'vitest'
import type { TokenRequest } from '../../src/core/exchange.ts'
import type { Draft } from '../../src/core/token.ts'
import {
  actorToken,
  certificate,
  ISSUER,
  NOW,
  PLAIN,
  type ProfileOptions,
  profile,
  type Said,
  stage,
  subjectToken,
  TARGET,
  trusted,
  trustOf,
  world,
} from '../support/fakes.ts'

/** The draft that the first stage gets. */
async function start(
  token: Said = {},
  request: Partial<TokenRequest> = {},
  options: ProfileOptions = {},
): Promise<Draft> {
  const drafts: Draft[] = []
  const look = stage((draft) => {
    drafts.push(draft)
    return { ...draft, claims: { ...draft.claims, act: draft.claims['act'] ?? { sub: 'billing' } } }
  })
  const trust = trustOf(trusted(ISSUER, { history: true }))
  await world(profile({ ...options, steps: [look] }), { trust }).exchange({
    subject_token: subjectToken(token),
    ...request,
  })
  const [draft] = drafts
  if (draft === undefined) throw new TypeError('no draft')
  return draft
}

const acting = (differs: Said = {}) => ({ actor_token: actorToken(differs), actor_token_type: PLAIN })

describe('the draft that the first stage gets', () => {
  it('says who, through whom, and how the subject was authenticated, and nothing else of the subject token (S-10)', async () => {
    const carried = { sub: 'user-7', act: { sub: 'front' }, auth_time: 1, acr: 'high', amr: ['pwd'] }
    const more = { email: 'x@example.com', may_act: { sub: 'orders' }, client_id: 'x' }
    const { claims } = await start({ ...carried, ...more }, {}, { usage: 'N_A' })
    expect({ ...claims }).toEqual(carried)
  })

  it('of an access token says who asked for it (RFC 8693 §4.3), not who asked for the one that was presented', async () => {
    expect((await start({ client_id: 'another' })).claims['client_id']).toBe('orders')
  })

  it('is for what was asked for', async () => {
    expect((await start()).validity.audience).toEqual([TARGET])
  })

  it('is issued now', async () => {
    expect((await start({ iat: NOW - 500 })).validity.issuedAt).toBe(NOW)
  })

  it.each<[string, number, ...Parameters<typeof start>]>([
    ['the subject token', NOW + 100, { exp: NOW + 100 }],
    ['the actor token', NOW + 90, { exp: NOW + 100 }, acting({ exp: NOW + 90 }), { actor: {} }],
    ['the signing key', NOW + 80, { exp: NOW + 100 }, {}, { ceiling: NOW + 80 }],
    ['the ceiling of the profile', NOW + 70, { exp: NOW + 100 }, {}, { maxLifetime: 70 }],
    ['the second before a fraction', NOW + 100, { exp: NOW + 100.9 }],
  ])('ends with %s', async (_, expiresAt, ...given) => {
    expect((await start(...given)).validity.expiresAt).toBe(expiresAt)
  })

  it.each<[string, number | undefined, ...Parameters<typeof start>]>([
    ['whenever, where no token says', undefined],
    ['with the subject token', NOW - 5, { nbf: NOW - 5 }],
    ['with the actor token', NOW - 3, { nbf: NOW - 5 }, acting({ nbf: NOW - 3 }), { actor: {} }],
    ['the second after a fraction', NOW - 5, { nbf: NOW - 5.9 }],
  ])('begins %s', async (_, notBefore, ...given) => {
    expect((await start(...given)).validity.notBefore).toBe(notBefore)
  })

  it.each<[string, string[] | undefined, string[] | undefined, string[] | undefined]>([
    ['what was asked for and the subject has', ['read', 'admin'], ['read', 'write'], ['read']],
    ['none, where nothing was asked for', undefined, ['read'], undefined],
    ['none, where the subject has none', ['read'], undefined, undefined],
    ['an empty one, where nothing is left', ['admin'], ['read'], []],
  ])('has as scope %s', async (_, asked, held, expected) => {
    expect((await start({ scope: held }, { scope: asked })).validity.scope).toEqual(expected)
  })

  it.each<[string, object | undefined, ...Parameters<typeof start>]>([
    ['nothing, for a bearer token', undefined],
    ['nothing, for a bearer token and a certificate', undefined, {}, { certificates: certificate('k1', 'c1') }],
    ['the key of a DPoP proof, for a bearer token', { publicKey: 'k1', jkt: 'k1' }, {}, { dpop: ['k1'] }],
    [
      'the thumbprint and the key that the proof has shown',
      { publicKey: 'k1', jkt: 'k1' },
      { cnf: { jkt: 'k1' } },
      { dpop: ['k1'] },
    ],
    [
      'the certificate of the token',
      { x5tS256: 'c1' },
      { cnf: { x5t: 'c1' } },
      { certificates: certificate('k1', 'c1') },
    ],
    [
      'the key of the token, not that of a certificate beside it',
      { publicKey: 'k1' },
      { cnf: { jwk: 'k1' } },
      { dpop: ['k1'], certificates: certificate('k2', 'c2') },
    ],
    [
      'everything that the token names, where it names two',
      { publicKey: 'k1', jkt: 'k1', x5tS256: 'c1' },
      { cnf: { jwk: 'k1', jkt: 'k1', x5t: 'c1' } },
      { certificates: certificate('k1', 'c1') },
    ],
  ])('is bound to %s', async (_, expected, ...given) => {
    const { confirmation } = await start(...given)
    const named = confirmation && { ...confirmation, publicKey: confirmation.publicKey?.jkt }
    expect(named).toEqual(expected)
  })

  it('cannot be made when the certificate of the signing key has expired, which is not the fault of the token', async () => {
    for (const ceiling of [NOW, NOW - 1]) {
      await expect(start({}, {}, { ceiling })).rejects.toMatchObject({ code: 'ERR_KEY_UNAVAILABLE' })
    }
  })

  it('cannot be made when nothing is left of the lifetime', async () => {
    const late = start({ exp: NOW - 5 }, {}, { subject: { clockSkew: 30 } })
    await expect(late).rejects.toMatchObject({ code: 'ERR_TOKEN_EXPIRED' })
    await expect(start({ exp: NOW + 0.9 })).rejects.toMatchObject({ code: 'ERR_TOKEN_EXPIRED' })
  })
})
