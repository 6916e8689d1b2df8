import { describe, expect, it } from 'vitest'
import type { TokenRequest } from '../../src/core/exchange.ts'
import { type Danger, dangers } from '../../src/core/profile.ts'
import type { Confirmation, Draft, Note, Validity } from '../../src/core/token.ts'
import { map, type Value } from '../../src/core/value.ts'
import {
  actorToken,
  certificate,
  ISSUER,
  key,
  NOW,
  PLAIN,
  type ProfileOptions,
  profile,
  type Said,
  stage,
  subjectToken,
  TARGET,
  targets,
  trusted,
  trustOf,
  world,
} from '../support/fakes.ts'

interface Case {
  readonly token?: Said
  readonly profile?: ProfileOptions
  readonly request?: Partial<TokenRequest>
  /** What the stages do to the draft. */
  readonly validity?: Partial<Validity>
  readonly draft?: Partial<Draft>
  readonly claims?: { readonly [name: string]: Value | undefined }
  /** Its table: scope of the subject token to those of the output. */
  readonly scopes?: { readonly [from: string]: readonly string[] }
  /** Its names for clients. */
  readonly clients?: { readonly [id: string]: string }
  readonly dangers?: readonly Danger[]
}

function exchange({ token, profile: options, request, validity, draft: members, claims, dangers, ...tables }: Case) {
  const change = stage(
    (draft) => ({
      ...draft,
      ...members,
      claims: map(
        Object.entries({ ...draft.claims, ...claims }).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value]],
        ),
      ),
      validity: { ...draft.validity, ...validity },
    }),
    {
      ...(tables.scopes && { scopes: new Map(Object.entries(tables.scopes)) }),
      ...(tables.clients && { clients: new Map(Object.entries(tables.clients)) }),
    },
  )
  const all = profile({ ...options, steps: [change], ...(dangers && { dangers }) })
  const trust = trustOf(trusted(ISSUER, { history: true }))
  return world(all, { trust }).exchange({ subject_token: subjectToken(token), ...request })
}

const passes = (differs: Case) => expect(exchange(differs)).resolves.toMatchObject({ issued_token_type: PLAIN })
const refuses = (differs: Case, rule: string) =>
  expect(exchange(differs)).rejects.toMatchObject({ code: 'ERR_PROFILE_WIDER', detail: { rule } })

/** What this refuses, the one option lets pass, and all the others together do not. */
async function onlyBy(danger: Danger, differs: Case) {
  await refuses(differs, danger)
  await passes({ ...differs, dangers: [danger] })
  const others = (Object.keys(dangers) as Danger[]).filter((name) => name !== danger)
  await refuses({ ...differs, dangers: others }, danger)
}

const ALL = Object.keys(dangers) as Danger[]

describe('lifetime', () => {
  it('ends with the subject token', async () => {
    await passes({ validity: { expiresAt: NOW + 600 } })
    await onlyBy('danger_outlive_subject', { validity: { expiresAt: NOW + 601 } })
  })

  it('ends with the actor token', async () => {
    const acting: Case = {
      profile: { actor: {} },
      request: { actor_token: actorToken({ exp: NOW + 60 }), actor_token_type: PLAIN },
      claims: { act: { sub: 'billing' } },
    }
    await passes({ ...acting, validity: { expiresAt: NOW + 60 } })
    await onlyBy('danger_outlive_subject', { ...acting, validity: { expiresAt: NOW + 61 } })
  })

  it('ends with the ceiling of the profile, whatever is allowed', async () => {
    const profile = { maxLifetime: 60 }
    await passes({ profile, validity: { expiresAt: NOW + 60 } })
    await refuses({ profile, dangers: ALL, validity: { expiresAt: NOW + 61 } }, 'max_lifetime')
  })

  it('ends with the certificate of the signing key, whatever is allowed', async () => {
    const profile = { ceiling: NOW + 60 }
    await passes({ profile, validity: { expiresAt: NOW + 60 } })
    await refuses({ profile, dangers: ALL, validity: { expiresAt: NOW + 61 } }, 'signing_key')
  })

  it.each([undefined, Number.NaN, Infinity, -Infinity, NOW + 1.5, NOW, NOW - 1, 2 ** 60])('is never %s', (expiresAt) =>
    refuses({ dangers: ALL, validity: { expiresAt } }, 'max_lifetime'),
  )

  it('begins no earlier than the subject token', async () => {
    const early: Case = { token: { nbf: NOW + 20 }, profile: { subject: { clockSkew: 30 } } }
    await passes(early)
    await passes({ ...early, validity: { notBefore: NOW + 21 } })
    await onlyBy('danger_start_earlier', { ...early, validity: { notBefore: NOW + 19 } })
    await onlyBy('danger_start_earlier', { ...early, validity: { notBefore: undefined } })
  })

  it('begins no earlier than the actor token', async () => {
    const acting: Case = {
      profile: { actor: { clockSkew: 30 } },
      request: { actor_token: actorToken({ nbf: NOW + 20 }), actor_token_type: PLAIN },
      claims: { act: { sub: 'billing' } },
    }
    await passes(acting)
    await onlyBy('danger_start_earlier', { ...acting, validity: { notBefore: undefined } })
  })

  it('needs no nbf once the subject token is valid anyway', () =>
    passes({ token: { nbf: NOW }, validity: { notBefore: undefined } }))

  it.each([Number.NaN, 0.5, -Infinity])('does not begin at %s', (notBefore) =>
    refuses({ dangers: ALL, validity: { notBefore } }, 'danger_start_earlier'),
  )

  it.each([Number.NaN, NOW + 1, 0.5])('was not issued at %s', (issuedAt) =>
    refuses({ dangers: ALL, validity: { issuedAt } }, 'issued_at'),
  )

  it.each([undefined, NOW, NOW - 1000])('may say that it was issued at %s', (issuedAt) =>
    passes({ validity: { issuedAt } }),
  )
})

describe('audience', () => {
  it('is only what was asked for, whatever is allowed', async () => {
    await refuses({ dangers: ALL, validity: { audience: ['https://other.example'] } }, 'targets')
    await refuses({ dangers: ALL, validity: { audience: [TARGET, 'https://other.example'] } }, 'targets')
  })

  it('is never empty: nobody in particular is everybody', () =>
    refuses({ dangers: ALL, validity: { audience: [] } }, 'targets'))

  it('may be less than what was asked for', async () => {
    const targets = {
      allowed: new Map([TARGET, 'rates'].map((name) => [name, name] as const)),
      fallback: [],
      open: false,
    }
    await passes({ profile: { targets }, request: { audience: [TARGET, 'rates'] }, validity: { audience: ['rates'] } })
  })

  it('is also held where any target may be asked for', async () => {
    const targets = { allowed: new Map<string, string>(), fallback: [], open: true }
    const open: Case = { profile: { targets }, request: { audience: ['anything'] }, dangers: ALL }
    await passes(open)
    await refuses({ ...open, validity: { audience: ['another'] } }, 'targets')
  })
})

describe('scope', () => {
  const token = { scope: ['read', 'write'] }

  it('is only what the subject token has', async () => {
    await passes({ token, validity: { scope: ['read'] } })
    await onlyBy('danger_widen_scope', { token, validity: { scope: ['read', 'admin'] } })
    await onlyBy('danger_widen_scope', { token: { scope: [] }, validity: { scope: ['read'] } })
  })

  it('is only what was asked for, where something was', async () => {
    await passes({ token, request: { scope: ['read'] }, validity: { scope: ['read'] } })
    await onlyBy('danger_widen_scope', { token, request: { scope: ['read'] }, validity: { scope: ['write'] } })
    await onlyBy('danger_widen_scope', { request: { scope: ['read'] }, validity: { scope: ['write'] } })
  })

  it('may be less, or none', async () => {
    await passes({ token, validity: { scope: [] } })
    await passes({ token, validity: { scope: undefined } })
  })

  it('is what the profile says, where the subject token has none at all (BD-43)', () =>
    passes({ validity: { scope: ['orders'] } }))

  it('may be another by the table of the profile, whose source the subject token has', async () => {
    const scope = ['orders:read']
    await passes({ token, validity: { scope }, scopes: { read: ['orders:read'] } })
    await passes({ token, request: { scope: ['read'] }, validity: { scope }, scopes: { read: ['orders:read'] } })
    await passes({ token, request: { scope }, validity: { scope }, scopes: { read: ['orders:read'] } })
  })

  it.each<[string, { readonly [from: string]: readonly string[] }, readonly string[] | undefined]>([
    ['from one that the subject token lacks', { admin: ['orders:read'] }, undefined],
    ['from nothing', {}, undefined],
    ['to another', { read: ['orders:write'] }, undefined],
    ['from one that was not asked for', { read: ['orders:read'] }, ['write']],
  ])('is not another %s', (_, scopes, scope) =>
    onlyBy('danger_widen_scope', { token, request: { scope }, validity: { scope: ['orders:read'] }, scopes }),
  )

  it('is not another because a stage says in the exchange that it stands for one', () => {
    const notes: readonly Note[] = [{ claim: 'scope', became: 'mapped', from: 'read', to: 'orders:read' }]
    return onlyBy('danger_widen_scope', { token, validity: { scope: ['orders:read'] }, draft: { notes } })
  })
})

describe('act', () => {
  const history = { sub: 'front', act: { sub: 'first' } }
  const token = { act: history }

  it('stands in the output as it came in, or inside a newer one', async () => {
    await passes({ token })
    await passes({ token, claims: { act: { sub: 'billing', act: history } } })
    await passes({ token, claims: { act: { sub: 'newest', act: { sub: 'billing', act: history } } } })
  })

  it.each<[string, Value | undefined]>([
    ['left out', undefined],
    ['replaced', { sub: 'billing' }],
    ['cut short', { sub: 'front' }],
    ['without its newest', { sub: 'first' }],
    ['changed inside', { sub: 'front', act: { sub: 'other' } }],
    ['added to', { sub: 'front', iss: ISSUER, act: { sub: 'first' } }],
    ['put elsewhere', { sub: 'billing', earlier: history }],
  ])('is not %s', (_, act) => onlyBy('danger_drop_act', { token, claims: { act } }))

  it.each<[string, Value]>([
    ['text', 'billing'],
    ['null', null],
    ['too big', { sub: 'x'.repeat(5000) }],
    ['malformed inside', { sub: 'billing', act: [history] }],
  ])('is never %s, whatever is allowed', (_, act) =>
    expect(exchange({ dangers: ALL, claims: { act } })).rejects.toMatchObject({ code: 'ERR_TOKEN_ACT' }),
  )

  it('shows that there was an actor token (S-01, S-14)', async () => {
    const acting: Case = { profile: { actor: {} }, request: { actor_token: actorToken(), actor_token_type: PLAIN } }
    await passes({ ...acting, token, claims: { act: { sub: 'billing', act: history } } })
    await onlyBy('danger_drop_act', acting)
    await onlyBy('danger_drop_act', { ...acting, token })
  })
})

describe('confirmation', () => {
  const bound: Case = { token: { cnf: { jkt: 'k1' } }, request: { dpop: ['k1'] } }
  const out = (confirmation: Confirmation | undefined): Partial<Case> => ({ draft: { confirmation } })

  it('goes out where one came in', async () => {
    await passes(bound)
    await onlyBy('danger_drop_confirmation', { ...bound, ...out(undefined) })
  })

  it('goes out where a DPoP proof came in (RFC 9449 §5)', async () => {
    const proved: Case = { request: { dpop: ['k1'] } }
    await passes(proved)
    await onlyBy('danger_drop_confirmation', { ...proved, ...out(undefined) })
  })

  it('does not have to for a certificate, which every client in a mesh shows', () =>
    passes({ request: { certificates: certificate('k1', 'c1') } }))

  it.each<[string, Partial<TokenRequest>, Confirmation]>([
    ['a DPoP proof', { dpop: ['k2'] }, { publicKey: key('k2'), jkt: 'k2' }],
    ['a certificate', { certificates: certificate('k2', 'c2') }, { publicKey: key('k2'), x5tS256: 'c2' }],
    ['the thumbprint of a certificate', { certificates: certificate('k2', 'c2') }, { x5tS256: 'c2' }],
    ['the COSE thumbprint of a DPoP proof', { dpop: ['k2'] }, { ckt: 'ckt-k2' }],
    ['a certification request', { csr: 'k2' }, { publicKey: key('k2') }],
    ['two proofs at once', { dpop: ['k3'], certificates: certificate('k2', 'c2') }, { jkt: 'k3', x5tS256: 'c2' }],
  ])('may be to the key of %s', (_, request, confirmation) => passes({ request, ...out(confirmation) }))

  it('may move to another key that was proved beside the one that the token is bound to', () =>
    passes({ ...bound, request: { dpop: ['k1'], csr: 'k2' }, ...out({ publicKey: key('k2') }) }))

  it.each<[string, Confirmation]>([
    ['another key', { publicKey: key('evil') }],
    ['another thumbprint', { jkt: 'evil' }],
    ['another certificate', { x5tS256: 'evil' }],
    ['another COSE thumbprint', { ckt: 'evil' }],
    ['a key that is proved, and the thumbprint of another', { publicKey: key('k1'), jkt: 'evil' }],
    ['a thumbprint that is proved, and another key', { publicKey: key('evil'), jkt: 'k1' }],
    ['a key that is proved, and the certificate of another', { jkt: 'k1', x5tS256: 'evil' }],
    ['a key that is proved, and the COSE thumbprint of another', { jkt: 'k1', ckt: 'evil' }],
    ['a name of another kind', { x5tS256: 'k1' }],
    ['nothing', {}],
  ])('is never to %s, whatever is allowed (S-08)', async (_, confirmation) => {
    await refuses({ ...bound, dangers: ALL, ...out(confirmation) }, 'proof')
    await refuses({ dangers: ALL, request: { dpop: ['k1'] }, ...out(confirmation) }, 'proof')
  })

  it('may be to the key that the actor proved', async () => {
    const acting: Case = {
      profile: { actor: {} },
      claims: { act: { sub: 'billing' } },
      request: {
        actor_token: actorToken({ cnf: { x5t: 'c1' } }),
        actor_token_type: PLAIN,
        certificates: certificate('k1', 'c1'),
      },
    }
    await passes({ ...acting, ...out({ x5tS256: 'c1' }) })
  })

  it('is not to the key of an actor token that its audience presents', async () => {
    const acting: Case = {
      profile: { actor: { presentedBy: 'audience' } },
      claims: { act: { sub: 'billing' } },
      request: { actor_token: actorToken({ cnf: { jkt: 'k1' } }), actor_token_type: PLAIN },
    }
    await refuses({ ...acting, dangers: ALL, ...out({ jkt: 'k1' }) }, 'proof')
  })
})

describe('a format that needs the key itself', () => {
  const profile = { needsKey: true }
  const unproved = { code: 'ERR_PROOF_REQUIRED' }

  it('gets one that was proved', async () => {
    await passes({ profile, request: { dpop: ['k1'] } })
    await passes({ profile, request: { csr: 'k1' }, draft: { confirmation: { publicKey: key('k1') } } })
    await passes({ profile, token: { cnf: { jkt: 'k1' } }, request: { certificates: certificate('k1', 'c1') } })
  })

  it('refuses without one, whatever is allowed', async () => {
    await expect(exchange({ profile, dangers: ALL })).rejects.toMatchObject(unproved)
    const thumbprint: Case = {
      profile,
      token: { cnf: { x5t: 'c1' } },
      request: { certificates: certificate('k1', 'c1') },
    }
    await expect(exchange({ ...thumbprint, dangers: ALL })).rejects.toMatchObject(unproved)
  })
})

describe('names that the stages have no say in', () => {
  it.each(['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope', 'cnf'])(
    '%s is no claim of a stage (BD-26)',
    async (name) => {
      await refuses({ dangers: ALL, claims: { [name]: 'x' } }, 'reserved')
      await refuses({ dangers: ALL, draft: { embedded: [{ name, place: 'claim', value: 'x' }] } }, 'reserved')
      await passes({ draft: { embedded: [{ name, place: 'header', value: 'x' }] } })
    },
  )
})

describe('client_id', () => {
  it('is that of the client that asks, whatever is allowed (AC-09)', async () => {
    await passes({ claims: { client_id: 'orders' } })
    await passes({ claims: { client_id: undefined } })
    await refuses({ dangers: ALL, claims: { client_id: 'other' } }, 'reserved')
    await refuses({ dangers: ALL, claims: { client_id: ['orders'] } }, 'reserved')
  })

  it('IJ-11: may be a name that the profile has for it, in what is for another server and no access token', async () => {
    const named: Case = { claims: { client_id: 'shop-7' }, clients: { orders: 'shop-7', other: 'x' } }
    await passes({ ...named, profile: { usage: 'N_A' } })
    await refuses({ ...named, dangers: ALL }, 'reserved')
    await refuses({ ...named, claims: { client_id: 'x' }, profile: { usage: 'N_A' }, dangers: ALL }, 'reserved')
  })
})

describe('what is behind the target', () => {
  const [api, other] = ['https://api.example', 'https://other.example']
  const behind = { targets: { ...targets(TARGET), resources: new Set([api, other]) } }
  const asking = (...resource: readonly string[]): Case => ({ profile: behind, request: { resource } })

  it('IJ-07: is what was asked for, or less', async () => {
    await passes(asking(api, other))
    await passes({ ...asking(api, other), claims: { resource: other } })
    await passes(asking())
  })

  it.each<[string, Value | undefined]>([
    ['left out', undefined],
    ['added to', [api, other]],
    ['another', other],
    ['emptied', []],
    ['no text', [1]],
  ])('is not %s, whatever is allowed', (_, resource) =>
    refuses({ ...asking(api), dangers: ALL, claims: { resource } }, 'targets'),
  )

  it('is not made up where nothing was asked for', async () => {
    await refuses({ ...asking(), dangers: ALL, claims: { resource: api } }, 'targets')
    await passes({ claims: { resource: api } })
  })
})

describe('the path of the token', () => {
  const token = { trust_path: ['https://a.example', 'https://b.example'] }

  it('goes on', async () => {
    await passes({ token })
    await passes({ token, claims: { trust_path: [...token.trust_path, ISSUER] } })
  })

  it.each([
    ['left out', undefined],
    ['cut', ['https://b.example']],
    ['changed', ['https://a.example', 'https://c.example']],
  ])('is not %s unless history may be dropped', (_, trust_path) =>
    onlyBy('danger_drop_act', { token, claims: { trust_path } }),
  )

  it('may only be lost where history may be dropped', () =>
    onlyBy('danger_drop_act', {
      token,
      profile: { losses: [{ claim: 'trust_path', became: 'lost', reason: 'no place' }] },
    }))
})

describe('what the format cannot carry', () => {
  const losing = (claim: string, became: 'lost' | 'converted') => ({ losses: [{ claim, became, reason: 'no place' }] })

  it('act may only be lost where it may be dropped', () =>
    onlyBy('danger_drop_act', { profile: losing('act', 'lost'), token: { act: { sub: 'front' } } }))

  it('cnf may only be lost where it may be dropped', () =>
    onlyBy('danger_drop_confirmation', {
      profile: losing('cnf', 'lost'),
      token: { cnf: { jkt: 'k1' } },
      request: { dpop: ['k1'] },
    }))

  it('anything else may be lost, and everything may be converted', async () => {
    await passes({ profile: losing('email', 'lost') })
    await passes({ profile: losing('act', 'converted'), token: { act: { sub: 'front' } } })
  })
})

describe('a token that a stage has found inside', () => {
  const unwrapping = (inside: Said, validity: Partial<Validity>, dangers: readonly Danger[] = []) => {
    const envelope = { raw: subjectToken({ jti: 'inside', ...inside }), type: PLAIN, role: 'embedded' } as const
    const unwrap = stage(async (draft, { verify, profile }) => {
      await verify(envelope, profile.accepts.subject)
      return { ...draft, validity: { ...draft.validity, ...validity } }
    })
    return world(profile({ steps: [unwrap], dangers, subject: { clockSkew: 30 } })).exchange()
  }

  it('bounds the lifetime like one that was presented', async () => {
    await expect(unwrapping({ exp: NOW + 60 }, { expiresAt: NOW + 60 })).resolves.toBeDefined()
    const longer = unwrapping({ exp: NOW + 60 }, { expiresAt: NOW + 61 })
    await expect(longer).rejects.toMatchObject({ detail: { rule: 'danger_outlive_subject' } })
    await expect(unwrapping({ exp: NOW + 60 }, {}, ['danger_outlive_subject'])).resolves.toBeDefined()
  })

  it('bounds the start like one that was presented', async () => {
    await expect(unwrapping({ nbf: NOW + 20 }, { notBefore: NOW + 20 })).resolves.toBeDefined()
    const sooner = unwrapping({ nbf: NOW + 20 }, {})
    await expect(sooner).rejects.toMatchObject({ detail: { rule: 'danger_start_earlier' } })
  })
})

describe('whatever the stages do', () => {
  it('no proof can be slipped in', async () => {
    const forge = stage((draft, { proofs }) => {
      ;(proofs as unknown[]).push({ method: 'dpop', publicKey: key('evil') })
      return { ...draft, confirmation: { jkt: 'evil' } }
    })
    await expect(world(profile({ steps: [forge] })).exchange()).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
  })

  it.each<[string, (draft: Draft) => void]>([
    ['the audience', ({ validity }) => (validity.audience as string[]).push('https://other.example')],
    ['the history', ({ claims }) => ((claims['act'] as { sub: string }).sub = 'other')],
  ])('does not move the mark by changing %s in place', async (_, mutate) => {
    const change = stage((draft) => {
      mutate(draft)
      return draft
    })
    const { exchange, records } = world(profile({ steps: [change] }), {
      trust: trustOf(trusted(ISSUER, { history: true })),
    })
    const asking = exchange({ subject_token: subjectToken({ act: { sub: 'front' } }) })
    await expect(asking).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
    expect(records).toHaveLength(1)
  })
})
