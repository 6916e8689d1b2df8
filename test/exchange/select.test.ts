import { describe, expect, it } from 'vitest'
import type { TokenRequest } from '../../src/core/exchange.ts'
import type { Profile, Targets } from '../../src/core/profile.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { audienceFor, targetsOf } from '../../src/exchange/select.ts'
import {
  actorToken,
  PLAIN,
  type ProfileOptions,
  profile,
  request,
  said,
  setting,
  stage,
  subjectToken,
  TARGET,
  targets,
  world,
} from '../support/fakes.ts'

const refusal = (code: string) => expect.objectContaining({ code })
const acting = { actor_token: actorToken(), actor_token_type: PLAIN }
const withAct = stage((draft) => ({ ...draft, claims: { ...draft.claims, act: { sub: 'billing' } } }))

/** A second profile for the same client. */
const second = (options: ProfileOptions): Profile => profile({ name: 'second', ...options })

describe('select', () => {
  it('refuses a client that no profile names', async () => {
    const other = { client_id: 'other', client_secret: 'rehto' }
    await expect(world().exchange(other)).rejects.toThrow(refusal('ERR_PROFILE_NONE'))
  })

  it('refuses when there are no profiles at all (S-06)', async () => {
    await expect(world([]).exchange()).rejects.toThrow(refusal('ERR_PROFILE_NONE'))
  })

  it('keeps to the profile that an endpoint has of its own, and to those that name the client', async () => {
    const two = world([profile(), second({})])
    await expect(two.exchange()).rejects.toThrow(refusal('ERR_PROFILE_AMBIGUOUS'))
    await two.exchange({ profile: 'second' })
    expect(two.records.at(-1)).toMatchObject({ profile: 'second' })
    await expect(two.exchange({ profile: 'third' })).rejects.toThrow(refusal('ERR_PROFILE_NONE'))
    const foreign = world([profile(), second({ clients: ['other'] })])
    await expect(foreign.exchange({ profile: 'second' })).rejects.toThrow(refusal('ERR_PROFILE_NONE'))
  })

  it('refuses a declared type that no profile takes, naming those that would do (TE-34)', async () => {
    const asking = world([profile(), second({ subject: { types: [tokenTypes.jwt] } })]).exchange({
      subject_token_type: tokenTypes.cwt,
    })
    await expect(asking).rejects.toThrow(refusal('ERR_REQUEST_TOKEN_TYPE'))
    await expect(asking).rejects.toMatchObject({ detail: { supported: [PLAIN, tokenTypes.jwt] } })
  })

  it('tries no other type than the declared one (TE-08)', async () => {
    const asking = world(profile({ subject: { types: [PLAIN, tokenTypes.jwt] } })).exchange({
      subject_token_type: tokenTypes.jwt,
    })
    await expect(asking).rejects.toThrow(refusal('ERR_REQUEST_TOKEN_TYPE'))
  })

  it('refuses an actor token where no profile takes one (S-14)', async () => {
    await expect(world().exchange(acting)).rejects.toThrow(refusal('ERR_PROFILE_ACTOR_REFUSED'))
  })

  it('refuses a request without the actor token that the profile is about (S-01)', async () => {
    await expect(world(profile({ actor: {} })).exchange()).rejects.toThrow(refusal('ERR_PROFILE_ACTOR_MISSING'))
  })

  it('refuses an actor token of a type that no profile takes', async () => {
    const asking = world(profile({ actor: {} })).exchange({ ...acting, actor_token_type: tokenTypes.jwt })
    await expect(asking).rejects.toThrow(refusal('ERR_REQUEST_TOKEN_TYPE'))
    await expect(asking).rejects.toMatchObject({ detail: { parameter: 'actor_token_type', supported: [PLAIN] } })
  })

  it.each([
    ['actor_token', { actor_token: actorToken() }],
    ['actor_token_type', { actor_token_type: PLAIN }],
  ])('refuses %s alone, with and without a profile for actors (TE-06)', async (_, half) => {
    await expect(world().exchange(half)).rejects.toThrow(refusal('ERR_REQUEST_ACTOR'))
    await expect(world(profile({ actor: {} })).exchange(half)).rejects.toThrow(refusal('ERR_REQUEST_ACTOR'))
  })

  it('chooses between two profiles by whether there is an actor token', async () => {
    const { exchange, records } = world([profile(), second({ actor: {}, steps: [withAct] })])
    await exchange()
    await exchange(acting)
    expect(records.map((record) => record.profile)).toEqual(['plain-to-plain', 'second'])
  })

  it('refuses a requested type that no profile issues, naming those that there are (EX-05)', async () => {
    const asking = world().exchange({ requested_token_type: tokenTypes.cwt })
    await expect(asking).rejects.toThrow(refusal('ERR_PROFILE_REQUESTED_TYPE'))
    await expect(asking).rejects.toMatchObject({ detail: { available: [PLAIN] } })
  })

  it('chooses by the requested type, and answers with no other (BD-21)', async () => {
    const { exchange } = world([profile(), second({ tokenType: tokenTypes.cwt, usage: 'N_A' })])
    const answer = await exchange({ requested_token_type: tokenTypes.cwt })
    expect(answer).toMatchObject({ issued_token_type: tokenTypes.cwt, token_type: 'N_A' })
  })

  it('refuses a target that no profile serves (TE-33)', async () => {
    await expect(world().exchange({ audience: ['https://other.example'] })).rejects.toThrow(
      refusal('ERR_PROFILE_TARGET'),
    )
  })

  it.each([
    `${TARGET}/`,
    'https://ORDERS.example',
    'https://orders.example:443',
    'https://orders.example.evil.example',
  ])('compares targets as exact strings: %s is another (TE-15, S-07)', async (target) => {
    await expect(world().exchange({ audience: [target] })).rejects.toThrow(refusal('ERR_PROFILE_TARGET'))
  })

  it('refuses when one of several targets is not served', async () => {
    const both = { audience: [TARGET, 'https://other.example'] }
    await expect(world().exchange(both)).rejects.toThrow(refusal('ERR_PROFILE_TARGET'))
  })

  it('holds resource to the same list as audience (S-03)', async () => {
    const { exchange } = world()
    await expect(exchange({ audience: [], resource: [TARGET] })).resolves.toBeDefined()
    const asking = exchange({ audience: [TARGET], resource: ['https://other.example'] })
    await expect(asking).rejects.toThrow(refusal('ERR_PROFILE_TARGET'))
  })

  it('refuses a request without target where there is no default', async () => {
    await expect(world().exchange({ audience: [] })).rejects.toThrow(refusal('ERR_PROFILE_TARGET_MISSING'))
    const open = profile({ targets: { ...targets(), open: true } })
    await expect(world(open).exchange({ audience: [] })).rejects.toThrow(refusal('ERR_PROFILE_TARGET_MISSING'))
  })

  it('takes the default where nothing was asked for', async () => {
    const withDefault = profile({ targets: { ...targets(TARGET), fallback: [TARGET] } })
    const { access_token } = await world(withDefault).exchange({ audience: [] })
    expect(said(access_token)['aud']).toEqual([TARGET])
  })

  it('refuses two targets where the format carries one audience (TE-16)', async () => {
    const two = [TARGET, 'https://rates.example']
    const single = profile({ targets: targets(...two), singleAudience: true })
    await expect(world(single).exchange({ audience: two })).rejects.toThrow(refusal('ERR_PROFILE_TARGET_COUNT'))
    await expect(world(single).exchange({ audience: [TARGET, TARGET] })).resolves.toBeDefined()
  })

  it('refuses a request that two profiles serve, whatever their order', async () => {
    for (const profiles of [
      [profile(), second({})],
      [second({}), profile()],
    ]) {
      await expect(world(profiles).exchange()).rejects.toThrow(refusal('ERR_PROFILE_AMBIGUOUS'))
    }
  })

  it('chooses between two profiles by the target', async () => {
    const { exchange, records } = world([profile(), second({ targets: targets('rates') })])
    await exchange({ audience: ['rates'] })
    expect(records[0]?.profile).toBe('second')
  })

  it('does not look into any token', async () => {
    const asking = world([profile(), second({})]).exchange({ subject_token: 'no token at all' })
    await expect(asking).rejects.toThrow(refusal('ERR_PROFILE_AMBIGUOUS'))
  })
})

describe('a client with very many profiles', () => {
  const many = Array.from({ length: 2000 }, (_, n) =>
    profile({ name: `p${n}`, targets: targets(`https://t${n}.example`) }),
  )

  it('is answered by looking at those alone that its target is found in', async () => {
    const { services, exchange } = world(many)
    let looked = 0
    for (const one of many) {
      const { accepts } = one
      Object.defineProperty(one, 'accepts', {
        get() {
          looked += 1
          return accepts
        },
      })
    }
    await exchange({ audience: ['https://t1999.example'] })
    expect(services.profiles.serving('orders', 'https://t1999.example')).toHaveLength(1)
    expect(looked).toBeLessThan(50)
  })

  it('hears the same refusal as one with few, and the record names some of them only', async () => {
    const asking = world(many).exchange({ audience: ['https://nowhere.example'] })
    await expect(asking).rejects.toMatchObject({ code: 'ERR_PROFILE_TARGET', detail: { profiles: { length: 20 } } })
  })

  it('is refused what would be ambiguous between a named target and any target', async () => {
    const open = profile({ name: 'open', targets: { ...targets(), open: true } })
    const asking = world([...many, open]).exchange({ audience: ['https://t7.example'] })
    await expect(asking).rejects.toMatchObject({
      code: 'ERR_PROFILE_AMBIGUOUS',
      detail: { profiles: ['p7', 'open'] },
    })
  })
})

describe('the audience of the output', () => {
  it('is translated from the default like from what was asked for', async () => {
    const allowed = new Map([['rates', 'https://rates.example']])
    const withDefault = profile({ targets: { allowed, fallback: ['rates', TARGET], open: false } })
    const { access_token } = await world(withDefault).exchange({ audience: [] })
    expect(said(access_token)['aud']).toEqual(['https://rates.example', TARGET])
  })

  it('is what the profile says for what was asked for', async () => {
    const mapped = profile({ targets: { ...targets(), allowed: new Map([['rates', 'https://rates.example']]) } })
    const { access_token } = await world(mapped).exchange({ audience: ['rates'] })
    expect(said(access_token)['aud']).toEqual(['https://rates.example'])
  })

  it('is the union of audience and resource, each once (TE-14)', async () => {
    const two = profile({ targets: targets(TARGET, 'rates') })
    const { access_token } = await world(two).exchange({ audience: [TARGET, 'rates'], resource: [TARGET] })
    expect(said(access_token)['aud']).toEqual([TARGET, 'rates'])
    expect(targetsOf(request({ audience: ['a', 'a'], resource: ['b', 'a'] }), targets())).toEqual(['a', 'b'])
    expect(targetsOf(request({ audience: ['a', 'a'] }), targets())).toEqual(['a'])
  })

  describe('behind which there is a resource', () => {
    const behind = (...resources: readonly string[]) =>
      world(profile({ targets: { ...targets(TARGET), resources: new Set(resources) } }))

    it('IJ-03: is named by audience alone; the resource goes along', async () => {
      const asked = behind('https://api.example', 'https://other.example')
      const one = said((await asked.exchange({ audience: [TARGET], resource: ['https://api.example'] })).access_token)
      expect(one).toMatchObject({ aud: [TARGET], resource: 'https://api.example' })
      const two = { audience: [TARGET], resource: ['https://api.example', 'https://other.example'] }
      const { access_token } = await behind(...two.resource).exchange({
        ...two,
        subject_token: subjectToken({ jti: 's2' }),
      })
      expect(said(access_token)).toMatchObject({ aud: [TARGET], resource: two.resource })
    })

    it('can be named alone where there is a default, and stands in no other output', async () => {
      const resources = new Set(['https://api.example'])
      const both = [
        profile({ targets: { ...targets(), fallback: [TARGET], resources } }),
        second({ targets: targets('https://x.example') }),
      ]
      const asking = (resource: string, jti: string) =>
        world(both).exchange({ audience: [], resource: [resource], subject_token: subjectToken({ jti }) })
      const behindDefault = said((await asking('https://api.example', 's3')).access_token)
      expect(behindDefault).toMatchObject({ aud: [TARGET], resource: 'https://api.example' })
      const target = said((await asking('https://x.example', 's4')).access_token)
      expect(target).toMatchObject({ aud: ['https://x.example'] })
      expect(target).not.toHaveProperty('resource')
    })

    it('is ambiguous where it is a target of another profile', async () => {
      const resources = new Set(['https://api.example'])
      const both = [
        profile({ targets: { ...targets(), fallback: [TARGET], resources } }),
        second({ targets: targets('https://api.example') }),
      ]
      const asking = world(both).exchange({ audience: [], resource: ['https://api.example'] })
      await expect(asking).rejects.toThrow(refusal('ERR_PROFILE_AMBIGUOUS'))
    })

    it('IJ-07: is none that the profile does not list, and is no target', async () => {
      const unknown = behind('https://api.example').exchange({ audience: [TARGET], resource: ['https://x.example'] })
      await expect(unknown).rejects.toThrow(refusal('ERR_PROFILE_TARGET'))
      const only = behind('https://api.example').exchange({ audience: [], resource: ['https://api.example'] })
      await expect(only).rejects.toThrow(refusal('ERR_PROFILE_TARGET'))
      const target = behind('https://api.example').exchange({ audience: [TARGET], resource: [TARGET] })
      await expect(target).rejects.toThrow(refusal('ERR_PROFILE_TARGET'))
    })
  })

  it('is anything where danger_any_target says so', async () => {
    const open = profile({ targets: { ...targets(), open: true } })
    const { access_token } = await world(open).exchange({ audience: ['anything'] })
    expect(said(access_token)['aud']).toEqual(['anything'])
  })

  it('counts once what two requested names mean', () => {
    const allowed = new Map([
      ['rates', 'https://rates.example'],
      ['https://rates.example', 'https://rates.example'],
    ])
    const one = profile({ targets: { ...targets(), allowed }, singleAudience: true })
    expect(audienceFor(one, ['rates', 'https://rates.example'])).toEqual(['https://rates.example'])
  })

  it('does not come from the subject token', async () => {
    const { access_token } = await world(profile({ steps: [setting({})] })).exchange({
      subject_token: subjectToken({ aud: ['https://gw.example', 'https://elsewhere.example'] }),
    })
    expect(said(access_token)['aud']).toEqual([TARGET])
  })
})

describe('a token that names what it may be used for', () => {
  const [a, b] = ['https://a.example', 'https://b.example']
  const both = { ...targets(a, b), fallback: [a, b] }
  const audienceOf = async (resource: unknown, asked: Partial<TokenRequest> = {}, differs: Partial<Targets> = {}) => {
    const limited = profile({ subject: { limitedBy: 'resource' }, targets: { ...both, ...differs } })
    const { access_token } = await world(limited).exchange({
      ...{ audience: [], subject_token: subjectToken({ resource }) },
      ...asked,
    })
    return said(access_token)['aud']
  }
  const target = refusal('ERR_PROFILE_TARGET')

  it('IJ-36: has the default cut to it', async () => {
    expect(await audienceOf(a)).toEqual([a])
    expect(await audienceOf([b, a, 'https://c.example'])).toEqual([a, b])
    await expect(audienceOf('https://c.example')).rejects.toThrow(target)
    await expect(audienceOf([])).rejects.toThrow(target)
  })

  it('IJ-36: refuses a target that was asked for and is not named', async () => {
    expect(await audienceOf([a, b], { resource: [a, b] })).toEqual([a, b])
    expect(await audienceOf([a, b], { audience: [a] })).toEqual([a])
    await expect(audienceOf(a, { resource: [a, b] })).rejects.toThrow(target)
    await expect(audienceOf(a, { audience: [b] })).rejects.toThrow(target)
  })

  it('is limited by nothing where it names nothing, and where nobody looks', async () => {
    expect(await audienceOf(undefined)).toEqual([a, b])
    const careless = world(profile({ targets: both }))
    const { access_token } = await careless.exchange({ audience: [], subject_token: subjectToken({ resource: a }) })
    expect(said(access_token)['aud']).toEqual([a, b])
  })

  it('names it in the words of requests', async () => {
    expect(await audienceOf('urn:a', {}, { allowed: new Map([['urn:a', a]]) })).toEqual([a])
  })

  it.each([[1], [[a, 1]], [null], [{ a: 1 }]])('is not guessed at: %j', async (resource) => {
    await expect(audienceOf(resource)).rejects.toThrow(refusal('ERR_TOKEN_CLAIM'))
  })

  it('stays limited whatever a stage does', async () => {
    const wide = stage((draft) => ({ ...draft, validity: { ...draft.validity, audience: [a, b] } }))
    const limited = profile({ subject: { limitedBy: 'resource' }, targets: both, steps: [wide] })
    const asking = world(limited).exchange({ audience: [], subject_token: subjectToken({ resource: a }) })
    await expect(asking).rejects.toThrow(refusal('ERR_PROFILE_WIDER'))
  })
})
