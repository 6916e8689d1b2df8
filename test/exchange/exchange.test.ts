import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { MAX_CLOCK_SKEW } from '../../src/core/acceptance.ts'
import type { AuditSink } from '../../src/core/audit.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { VerifiedBefore } from '../../src/core/exchange.ts'
import type { Signer } from '../../src/core/keys.ts'
import type { ReplayStore } from '../../src/core/stores.ts'
import { exchangeToken, recordRefusal } from '../../src/exchange/exchange.ts'
import { verifiedStore } from '../../src/stores/verified.ts'
import {
  actorToken,
  anonymous,
  certificate,
  fakeReplay,
  GATEWAY,
  ISSUER,
  NOW,
  PLAIN,
  plainCodec,
  plainSigner,
  profile,
  registered,
  request,
  said,
  setting,
  stage,
  subjectToken,
  TARGET,
  trusted,
  trustOf,
  world,
} from '../support/fakes.ts'

const refusal = (code: string) => expect.objectContaining({ code })
const acting = (differs = {}) => ({ actor_token: actorToken(differs), actor_token_type: PLAIN })
const withAct = stage((draft) => ({ ...draft, claims: { ...draft.claims, act: { sub: 'billing' } } }))
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const keysOf = (signer: ReturnType<typeof plainSigner> | undefined) => ({
  name: 'fake',
  signer: () => signer,
  all: () => [],
})

describe('an exchange', () => {
  it('gives a token that says what the profile makes of the subject token', async () => {
    const { access_token, ...answer } = await world().exchange()
    expect(answer).toMatchObject({
      issued_token_type: PLAIN,
      token_type: 'Bearer',
      expires_in: 600,
      scope: undefined,
      cnf: undefined,
    })
    expect(said(access_token)).toEqual({
      iss: GATEWAY,
      sub: 'user-7',
      client_id: 'orders',
      aud: [TARGET],
      iat: NOW,
      exp: NOW + 600,
      jti: '0'.repeat(32),
    })
  })

  it('gives a token that is taken again where the profile takes our own', async () => {
    const ours = profile({ subject: { issuers: [GATEWAY], audience: [TARGET] } })
    const { access_token } = await world().exchange()
    await expect(
      world(ours, { trust: trustOf(trusted(GATEWAY)) }).exchange({ subject_token: access_token }),
    ).resolves.toBeDefined()
  })

  it('gives the same for the same request, clock and key, but for the identifier', async () => {
    let count = 0
    const { exchange } = world(profile(), { random: (bytes) => new Uint8Array(bytes).fill(count++) })
    const [first, second] = [said((await exchange()).access_token), said((await exchange()).access_token)]
    expect(first['jti']).not.toBe(second['jti'])
    expect({ ...first, jti: '' }).toEqual({ ...second, jti: '' })
  })

  it('counts expires_in from the same reading of the clock as exp (TE-25)', async () => {
    let now = NOW
    const { exchange } = world(profile({ steps: [stage(async (draft) => draft)] }), { clock: () => now++ + 0.7 })
    const { access_token, expires_in } = await exchange()
    const { iat, exp } = said(access_token)
    expect([iat, Number(exp) - Number(iat)]).toEqual([NOW, expires_in])
  })

  it('answers whatever was granted of the scope that was asked for (TE-23)', async () => {
    const { exchange } = world()
    const token = (scope?: readonly string[]) => subjectToken({ scope })
    expect(await exchange({ scope: ['read', 'admin'], subject_token: token(['read']) })).toMatchObject({
      scope: ['read'],
    })
    expect(await exchange({ scope: ['admin'], subject_token: token(['read']) })).toMatchObject({ scope: [] })
    // Nothing said would mean all of it (RFC 6749 §5.1).
    expect(await exchange({ scope: ['admin'], subject_token: token() })).toMatchObject({ scope: [] })
    expect(await exchange({ subject_token: token(['read']) })).toMatchObject({ scope: undefined })
  })

  it('neither consumes nor extends its inputs, unless they are for single use (TE-12)', async () => {
    const { exchange } = world()
    await exchange()
    await expect(exchange()).resolves.toMatchObject({ expires_in: 600 })
  })
})

describe('token_type', () => {
  const token = (cnf?: object) => subjectToken({ cnf })
  const mtls = { certificates: certificate('k1', 'c1') }

  it.each([
    ['Bearer: an access token that is not bound', 'Bearer', {}, {}],
    ['DPoP: one bound to a key', 'DPoP', { subject_token: token({ jkt: 'k1' }), dpop: ['k1'] }, { jkt: 'k1' }],
    ['DPoP: one bound to the key of a proof', 'DPoP', { dpop: ['k1'] }, { jkt: 'k1' }],
    [
      'Bearer: one bound to a certificate (RFC 8705)',
      'Bearer',
      { subject_token: token({ x5t: 'c1' }), ...mtls },
      { 'x5t#S256': 'c1' },
    ],
    [
      'DPoP: one bound to both',
      'DPoP',
      { subject_token: token({ jkt: 'k1', x5t: 'c1' }), ...mtls },
      { jkt: 'k1', 'x5t#S256': 'c1' },
    ],
  ])('%s', async (_, token_type, differs, cnf) => {
    const answer = await world().exchange(differs)
    expect(answer).toMatchObject({ token_type, ...(Object.keys(cnf).length > 0 && { cnf }) })
    await expect(world(profile({ usage: 'N_A' })).exchange(differs)).resolves.toMatchObject({ token_type: 'N_A' })
  })

  it('a certificate says nothing of its key in the answer: it is in it', async () => {
    const answer = await world(profile({ format: 'x509', usage: 'N_A' })).exchange({ dpop: ['k1'] })
    expect(answer).toMatchObject({ cnf: undefined, token_type: 'N_A' })
  })

  it('a key known by its COSE thumbprint only has no member that would name it', async () => {
    const bound = { subject_token: token({ jwk: 'k1', ckt: 'ckt-k1' }), dpop: ['k1'] }
    const onlyThumbprint = stage((draft) => ({ ...draft, confirmation: { ckt: 'ckt-k1' } }))
    expect(await world(profile({ steps: [onlyThumbprint] })).exchange(bound)).toMatchObject({ cnf: undefined })
  })
})

describe('who may act (RFC 8693 §4.4)', () => {
  const { exchange } = world(profile({ actor: {}, steps: [withAct] }))
  const client = world()

  it('is anybody whom the profile takes, where the subject token does not say', async () => {
    await expect(exchange(acting())).resolves.toBeDefined()
  })

  it('is the actor whom may_act names', async () => {
    const named = (may_act: object) => ({ ...acting(), subject_token: subjectToken({ may_act }) })
    await expect(exchange(named({ sub: 'billing' }))).resolves.toBeDefined()
    await expect(exchange(named({ sub: 'billing', iss: ISSUER }))).resolves.toBeDefined()
    await expect(exchange(named({ sub: 'shipping' }))).rejects.toThrow(refusal('ERR_TOKEN_MAY_ACT'))
  })

  it('is not an actor of the same name from another issuer', async () => {
    const named = {
      ...acting(),
      subject_token: subjectToken({ may_act: { sub: 'billing', iss: 'https://other.example' } }),
    }
    await expect(exchange(named)).rejects.toThrow(refusal('ERR_TOKEN_MAY_ACT'))
  })

  it('is the client, without an actor token', async () => {
    const named = (may_act: object) => ({ subject_token: subjectToken({ may_act }) })
    await expect(client.exchange(named({ sub: 'orders' }))).resolves.toBeDefined()
    await expect(client.exchange(named({ client_id: 'orders' }))).resolves.toBeDefined()
    await expect(client.exchange(named({ sub: 'other' }))).rejects.toThrow(refusal('ERR_TOKEN_MAY_ACT'))
    await expect(client.exchange(named({ sub: 'orders', iss: ISSUER }))).rejects.toThrow(refusal('ERR_TOKEN_MAY_ACT'))
  })

  it('is not the client, where there is an actor token', async () => {
    const named = { ...acting(), subject_token: subjectToken({ may_act: { sub: 'orders' } }) }
    await expect(exchange(named)).rejects.toThrow(refusal('ERR_TOKEN_MAY_ACT'))
  })

  it('is checked of an actor token all that is checked of a subject token', async () => {
    await expect(exchange(acting({ exp: NOW }))).rejects.toThrow(refusal('ERR_TOKEN_EXPIRED'))
    await expect(exchange(acting({ aud: ['x'] }))).rejects.toThrow(refusal('ERR_TOKEN_AUDIENCE'))
    await expect(exchange(acting({ iss: 'https://other.example' }))).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
    await expect(exchange(acting({ act: { sub: 'x' } }))).rejects.toThrow(refusal('ERR_TOKEN_ACT'))
  })
})

describe('a client whose tokens are all DPoP-bound (RFC 9449 §5.2)', () => {
  const clients = { find: (id: string) => registered(id, { dpopBound: true }) }

  it('is refused without a DPoP proof, also with another proof', async () => {
    const { exchange } = world(profile(), { clients })
    await expect(exchange()).rejects.toThrow(refusal('ERR_PROOF_REQUIRED'))
    await expect(exchange({ certificates: certificate('k1', 'c1') })).rejects.toThrow(refusal('ERR_PROOF_REQUIRED'))
  })

  it('gets a bound token with one', async () => {
    await expect(world(profile(), { clients }).exchange({ dpop: ['k1'] })).resolves.toMatchObject({
      cnf: { jkt: 'k1' },
    })
  })
})

describe('single use', () => {
  const once = profile({ subject: { singleUse: true } })

  it('takes a token once', async () => {
    const { exchange } = world(once)
    await exchange()
    await expect(exchange()).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
    await expect(exchange({ subject_token: subjectToken({ jti: 'another' }) })).resolves.toBeDefined()
  })

  it('of two requests at the same time lets one through', async () => {
    const { exchange } = world(once)
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => exchange()))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it.each([
    ['a stage', { steps: [stage(() => Promise.reject(new DragomanError('ERR_PROFILE_CONDITION')))] }],
    ['the check after the stages', { steps: [setting({ confirmation: { jkt: 'evil' } })] }],
    ['must_keep', { mustKeep: ['email'] }],
    ['a missing key', {}],
  ])('is not spent when %s refuses', async (name, options) => {
    const keys = name === 'a missing key' ? { keys: keysOf(undefined) } : {}
    const { exchange, spent } = world(profile({ ...options, subject: { singleUse: true } }), keys)
    await expect(exchange({ subject_token: subjectToken({ email: 'x' }) })).rejects.toThrow()
    expect(spent.size).toBe(0)
  })

  it('is remembered as long as any profile may take the token, with whatever skew', async () => {
    const lenient = profile({
      name: 'lenient',
      clients: ['other'],
      subject: { singleUse: true, clockSkew: MAX_CLOCK_SKEW },
    })
    let now = NOW
    const replay = fakeReplay()
    const { exchange } = world([once, lenient], { clock: () => now, replay })
    const subject_token = subjectToken({ exp: NOW + 10 })
    await exchange({ subject_token })
    expect([...replay.spent.values()]).toEqual([NOW + 10 + MAX_CLOCK_SKEW])
    now = NOW + 9
    const other = { client_id: 'other', client_secret: 'rehto', subject_token }
    await expect(exchange(other)).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
  })

  it('holds for an actor token as well', async () => {
    const { exchange } = world(profile({ actor: { singleUse: true }, steps: [withAct] }))
    await exchange(acting())
    await expect(exchange(acting())).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
    await expect(exchange(acting({ jti: 'another' }))).resolves.toBeDefined()
  })

  it('holds for a token that is presented as subject and actor at once', async () => {
    const twice = profile({ subject: { singleUse: true }, actor: { singleUse: true }, steps: [withAct] })
    const verified = verifiedStore<VerifiedBefore>()
    for (const services of [{}, { codecs: [{ ...plainCodec(), timeless: true }], verified }]) {
      const asking = world(twice, services).exchange({ actor_token: subjectToken(), actor_token_type: PLAIN })
      await expect(asking).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
    }
  })

  it('holds for an embedded token as well', async () => {
    const { accepts } = once
    const embedded = { raw: subjectToken({ jti: 'embedded' }), type: PLAIN, role: 'embedded' } as const
    const unwrap = stage(async (draft, { verify }) => {
      await verify(embedded, accepts.subject)
      return draft
    })
    const { exchange } = world(profile({ steps: [unwrap] }))
    await exchange()
    await expect(exchange()).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
  })

  it('is over when the token is, and no entry outlives that for long', async () => {
    const { exchange, spent } = world(once)
    await exchange({ subject_token: subjectToken({ exp: NOW + 60.5 }) })
    expect([...spent.values()]).toEqual([NOW + 61 + MAX_CLOCK_SKEW])
  })

  it.each<[string, ReplayStore['claim']]>([
    ['says so', () => Promise.reject(new DragomanError('ERR_STORE_UNAVAILABLE'))],
    ['fails in a way of its own', () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.7:6379'))],
    [
      'throws at once',
      () => {
        throw new Error('full')
      },
    ],
  ])('refuses when the store %s (EX-16)', async (_, claim) => {
    const { exchange, records } = world(once, { replay: { claim } })
    const asking = exchange()
    await expect(asking).rejects.toThrow(refusal('ERR_STORE_UNAVAILABLE'))
    await expect(asking).rejects.not.toThrow(/ECONNREFUSED/)
    expect(JSON.stringify(records)).not.toContain('ECONNREFUSED')
  })

  it('is given back when the key cannot sign, so that the token can be used when it can', async () => {
    let broken = true
    const sign: Signer['sign'] = (data) => {
      if (broken) throw new Error('the module is gone')
      return plainSigner().sign(data)
    }
    const { exchange, spent } = world(once, { keys: keysOf(plainSigner({ sign })) })
    await expect(exchange()).rejects.toThrow(refusal('ERR_KEY_UNAVAILABLE'))
    expect(spent.size).toBe(0)
    broken = false
    await expect(exchange()).resolves.toBeDefined()
    await expect(exchange()).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
  })

  it('is given back when the record cannot be written, since then the token is not given out', async () => {
    const audit: AuditSink = {
      write() {
        throw new Error('disk full')
      },
    }
    const { exchange, spent } = world(once, { audit })
    await expect(exchange()).rejects.toThrow(refusal('ERR_AUDIT_UNAVAILABLE'))
    expect(spent.size).toBe(0)
  })

  it('is given back to the one token when the other was used before', async () => {
    const twice = profile({ subject: { singleUse: true }, actor: { singleUse: true }, steps: [withAct] })
    const { exchange } = world(twice)
    const used = acting()
    await exchange(used)
    const subject_token = subjectToken({ jti: 'fresh' })
    await expect(exchange({ ...used, subject_token })).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
    await expect(exchange({ ...acting({ jti: 'fresh as well' }), subject_token })).resolves.toBeDefined()
  })

  it('is not given back to whoever finds it used', async () => {
    const { exchange, spent } = world(once)
    await exchange()
    await expect(exchange()).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
    expect(spent.size).toBe(1)
  })

  it('refuses all the same when it cannot be given back', async () => {
    const replay = { ...fakeReplay(), release: () => Promise.reject(new Error('gone')) }
    const sign = () => Promise.reject(new Error('gone'))
    const asking = world(once, { replay, keys: keysOf(plainSigner({ sign })) }).exchange()
    await expect(asking).rejects.toThrow(refusal('ERR_KEY_UNAVAILABLE'))
  })

  it('is not asked of a store where the profile does not say so', async () => {
    const claim = vi.fn<ReplayStore['claim']>()
    await world(profile(), { replay: { claim } }).exchange()
    expect(claim).not.toHaveBeenCalled()
  })

  it('refuses when the store answers neither yes nor no', async () => {
    const claim = (() => undefined) as unknown as ReplayStore['claim']
    await expect(world(once, { replay: { claim } }).exchange()).rejects.toThrow(refusal('ERR_TOKEN_REPLAYED'))
  })
})

describe('the key that signs', () => {
  it('may take its time', async () => {
    const sign = async (data: Uint8Array) => {
      await Promise.resolve()
      return plainSigner().sign(data)
    }
    const { access_token } = await world(profile(), { keys: keysOf(plainSigner({ sign })) }).exchange()
    expect(access_token).toBe((await world().exchange()).access_token)
  })

  it('has to be there', async () => {
    const { exchange, records } = world(profile(), { keys: keysOf(undefined) })
    await expect(exchange()).rejects.toMatchObject({ code: 'ERR_KEY_UNAVAILABLE', detail: { key: 'edge' } })
    expect(records[0]?.trace.at(-1)).toMatchObject({ step: 'key', outcome: 'refused' })
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('KMS: throttled'))],
    [
      'throws',
      () => {
        throw new Error('KMS: throttled')
      },
    ],
  ])('is unavailable when it %s, for whatever reason (EX-16)', async (_, sign) => {
    const asking = world(profile(), { keys: keysOf(plainSigner({ sign })) }).exchange()
    await expect(asking).rejects.toThrow(refusal('ERR_KEY_UNAVAILABLE'))
    await expect(asking).rejects.not.toThrow(/throttled/)
  })

  it('gets nothing to sign when the exchange is refused', async () => {
    const sign = vi.fn(plainSigner().sign)
    const { exchange } = world(profile({ mustKeep: ['email'] }), { keys: keysOf(plainSigner({ sign })) })
    await expect(exchange({ subject_token: subjectToken({ email: 'x' }) })).rejects.toThrow(refusal('ERR_PROFILE_LOSS'))
    expect(sign).not.toHaveBeenCalled()
  })
})

describe('an exchange that goes wrong inside', () => {
  const secret = 'password is hunter2'
  const broken = stage(() => {
    throw new TypeError(secret)
  })

  it('is an internal error, of whose cause the client hears nothing', async () => {
    const asking = world(profile({ steps: [broken] })).exchange()
    await expect(asking).rejects.toThrow(refusal('ERR_INTERNAL'))
    const error = await asking.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(DragomanError)
    const { message, detail, cause } = error as DragomanError
    expect(message + JSON.stringify(detail)).not.toContain('hunter2')
    expect(cause).toBeInstanceOf(TypeError)
  })

  it('leaves a record that says so, and which stage it was', async () => {
    const { exchange, records } = world(profile({ steps: [{ ...broken, path: 'stages[4].broken', stage: 'broken' }] }))
    await expect(exchange()).rejects.toThrow()
    expect(records).toHaveLength(1)
    expect(records[0]).toMatchObject({ result: 'refused', code: 'ERR_INTERNAL', error: 'server_error' })
    expect(records[0]?.trace.at(-1)).toEqual({
      step: 'broken',
      path: 'stages[4].broken',
      outcome: 'refused',
      detail: { code: 'ERR_INTERNAL' },
    })
    expect(JSON.stringify(records)).not.toContain('hunter2')
  })

  it.each([undefined, null, 'text', 7])('is also what throwing %j comes to', async (thrown) => {
    const odd = stage(() => {
      throw thrown
    })
    await expect(world(profile({ steps: [odd] })).exchange()).rejects.toThrow(refusal('ERR_INTERNAL'))
  })

  it.each([undefined, null, 'draft', {}])('is also what a stage comes to that returns %j', async (draft) => {
    const { exchange, records } = world(profile({ steps: [stage(() => draft as never)] }))
    await expect(exchange()).rejects.toThrow(refusal('ERR_INTERNAL'))
    expect(records).toHaveLength(1)
  })

  it('has not given out the token when only the last step failed', async () => {
    const finish = () => {
      throw new RangeError('offset is out of bounds')
    }
    const { exchange, records } = world(profile({ finish }))
    await expect(exchange()).rejects.toThrow(refusal('ERR_INTERNAL'))
    expect(records[0]).toMatchObject({ result: 'refused' })
    expect(records[0]?.output_sha256).toBeUndefined()
  })
})

describe('the audit stream', () => {
  it('gets exactly one record of each exchange, however it ends', async () => {
    const { services, records, exchange } = world(profile({ unauthenticated: true, actor: {}, steps: [withAct] }))
    const endings = [
      acting(),
      { ...acting(), client_secret: 'wrong' },
      { ...acting(), client_id: 'other', client_secret: 'rehto' },
      { ...acting(), audience: ['x'] },
      { ...acting(), subject_token: 'x' },
      acting({ exp: NOW }),
      {},
    ]
    for (const ending of endings) await exchange(ending).catch(() => undefined)
    expect(records).toHaveLength(endings.length)
    const codes = records.map(({ code }) => code)
    expect(codes).toEqual([
      undefined,
      'ERR_CLIENT_SECRET',
      'ERR_PROFILE_NONE',
      'ERR_PROFILE_TARGET',
      'ERR_TOKEN_MALFORMED',
      'ERR_TOKEN_EXPIRED',
      'ERR_PROFILE_ACTOR_MISSING',
    ])
    recordRefusal({ id: 'request-9' }, new DragomanError('ERR_REQUEST_FORM'), services)
    expect(records.at(-1)).toMatchObject({ id: 'request-9', result: 'refused', code: 'ERR_REQUEST_FORM' })
  })

  it('that cannot be written stops every exchange before it begins', async () => {
    const write = vi.fn()
    const claim = vi.fn()
    const { exchange } = world(profile(), {
      audit: { write, healthy: () => false },
      clientMethods: [{ name: 'x', claim, verify: claim }],
    })
    await expect(exchange()).rejects.toThrow(refusal('ERR_AUDIT_UNAVAILABLE'))
    expect(claim).not.toHaveBeenCalled()
    expect(write).toHaveBeenCalledOnce()
  })

  it('that fails when the record is written keeps the token back', async () => {
    const audit = {
      write() {
        throw new Error('ENOSPC: no space left on device, write')
      },
    }
    const { exchange, services } = world(profile(), { audit })
    const asking = exchange()
    await expect(asking).rejects.toThrow(refusal('ERR_AUDIT_UNAVAILABLE'))
    await expect(asking).rejects.not.toThrow(/ENOSPC/)
    await expect(exchange({ client_secret: 'wrong' })).rejects.toThrow(refusal('ERR_AUDIT_UNAVAILABLE'))
    const refuse = () => recordRefusal({ id: 'request-9' }, new Error('x'), services)
    expect(refuse).toThrow(refusal('ERR_AUDIT_UNAVAILABLE'))
  })

  it('that is healthy is written', async () => {
    const write = vi.fn()
    await world(profile(), { audit: { write, healthy: () => true } }).exchange()
    expect(write).toHaveBeenCalledOnce()
  })
})

describe('the audit record', () => {
  it('tells who, what, by which profile, from which token to which', async () => {
    const { exchange, records } = world(profile({ actor: {}, steps: [withAct], auditSubject: 'plain' }))
    const given = request({
      ...acting(),
      scope: ['read'],
      dpop: ['k1'],
      subject_token: subjectToken({ scope: ['read'] }),
    })
    const { access_token } = await exchange(given)
    expect(records[0]).toMatchObject({
      event: 'exchange',
      id: 'request-1',
      tenant: 't1',
      time: new Date(NOW * 1000).toISOString(),
      result: 'issued',
      client: 'orders',
      client_method: 'fake_secret',
      profile: 'plain-to-plain',
      profile_digest: 'd1',
      subject: 'user-7',
      subject_issuer: ISSUER,
      subject_format: 'plain',
      subject_algorithm: 'ES256',
      actor: 'billing',
      input_sha256: sha256(given.subject_token),
      actor_sha256: sha256(given.actor_token ?? ''),
      output_sha256: sha256(access_token),
      output_id: '0'.repeat(32),
      issued_token_type: PLAIN,
      issued_format: 'plain',
      issued_algorithm: 'Ed25519',
      audience: [TARGET],
      scope: ['read'],
      expires_at: NOW + 600,
      proofs: ['dpop'],
    })
    expect(records[0]?.code).toBeUndefined()
    await exchange(acting())
    expect(records[1]?.proofs).toBeUndefined()
    expect(records[0]?.ledger?.map(({ claim }) => claim)).toContain('sub')
    expect(records[0]?.duration_us).toBeGreaterThanOrEqual(0)
  })

  it('tells each step of the recipe, in order', async () => {
    const { exchange, records } = world(profile({ steps: [stage((draft) => draft)] }))
    await exchange()
    const steps = records[0]?.trace.map(({ step }) => step)
    const before = ['authenticate', 'select', 'target', 'prove', 'verify subject', 'may act', 'key', 'draft']
    expect(steps).toEqual([...before, 'fake', 'never wider', 'lay out', 'no loss', 'sign'])
  })

  it('tells of an actor and of a first use where there is one', async () => {
    const { exchange, records } = world(profile({ subject: { singleUse: true }, actor: {}, steps: [withAct] }))
    await exchange(acting())
    const steps = records[0]?.trace.map(({ step }) => step)
    expect(steps).toEqual(expect.arrayContaining(['verify actor', 'first use']))
  })

  it.each([
    ['authenticate', { client_secret: 'wrong' }],
    ['select', { audience: ['x'] }],
    ['prove', { dpop: ['bad'] }],
    ['verify subject', { subject_token: 'x' }],
    ['verify actor', { actor_token: 'x' }],
    ['may act', { subject_token: subjectToken({ may_act: { sub: 'x' } }) }],
    ['never wider', { scope: ['unheld'] }],
  ])('ends with the step that refused: %s', async (step, differs) => {
    const wide = stage((draft, { request: { scope } }) =>
      scope
        ? { ...draft, confirmation: { jkt: 'evil' } }
        : { ...draft, claims: { ...draft.claims, act: { sub: 'billing' } } },
    )
    const proofMethods = [
      {
        name: 'dpop',
        prove: ({ dpop: [proof] }: { dpop: readonly string[] }) => {
          if (proof) throw new DragomanError('ERR_PROOF_DPOP', { detail: { check: 'htu' } })
          return undefined
        },
      },
    ]
    const { exchange, records } = world(profile({ actor: {}, steps: [wide] }), { proofMethods })
    await expect(exchange({ ...acting(), ...differs })).rejects.toThrow()
    expect(records[0]?.trace.at(-1)).toMatchObject({ step, outcome: 'refused' })
    expect(records[0]?.trace.slice(0, -1).every(({ outcome }) => outcome !== 'refused')).toBe(true)
  })

  it.each([
    ['hashed', `sha256:${sha256(`${ISSUER}\0user-7`)}`, `sha256:${sha256(`${ISSUER}\0billing`)}`],
    ['absent', undefined, undefined],
    ['plain', 'user-7', 'billing'],
  ] as const)('shows the subject %s', async (auditSubject, subject, actor) => {
    const { exchange, records } = world(profile({ auditSubject, actor: {}, steps: [withAct] }))
    await exchange(acting())
    expect([records[0]?.subject, records[0]?.actor]).toEqual([subject, actor])
  })

  it('shows a hashed subject keyed where there is a key, the same each time', async () => {
    const auditKey = Buffer.alloc(32, 7)
    const { exchange, records } = world(profile({ auditSubject: 'hashed', actor: {}, steps: [withAct] }), { auditKey })
    await exchange(acting())
    await exchange(acting())
    const hmac = createHmac('sha256', auditKey).update(`${ISSUER}\0user-7`).digest('hex')
    expect(records.map(({ subject }) => subject)).toEqual([`hmac-sha256:${hmac}`, `hmac-sha256:${hmac}`])
    expect(records[0]?.actor).toMatch(/^hmac-sha256:/)
  })

  it.each([
    ['hashed', `sha256:${sha256(`${ISSUER}\0user-7`)}`],
    ['absent', undefined],
    ['plain', 'user-7'],
  ] as const)('shows a client that is the subject itself %s as well (S-15)', async (auditSubject, client) => {
    const { exchange, records } = world(profile({ auditSubject, unauthenticated: true }))
    await exchange(anonymous)
    expect(records[0]).toMatchObject({ client_method: 'subject_token' })
    expect(records[0]?.client).toBe(client)
  })

  it.each(['hashed', 'absent'] as const)(
    'with the subject %s holds no token, no secret and no claim value, whatever happens',
    async (auditSubject) => {
      const personal = {
        email: 'ada@example.com',
        name: 'Ada Lovelace',
        groups: ['crew-17'],
        nested: { phone: '555-0199' },
      }
      const keep = stage((draft, { subject }) => ({ ...draft, claims: subject.claims }))
      const options = { auditSubject, unauthenticated: true, actor: {}, steps: [keep, withAct] } as const
      const tokens = {
        subject_token: subjectToken({ sub: 'ada-sub', ...personal }),
        actor_token: actorToken({ sub: 'billing-sub', ...personal }),
        actor_token_type: PLAIN,
      }
      const secrets = ['ada', 'Ada', 'crew-17', '555-0199', 'billing-sub', 'sredro']
      const requests = [
        tokens,
        { ...tokens, ...anonymous },
        { ...tokens, client_secret: 'sredro?' },
        { ...tokens, subject_token: tokens.subject_token.slice(0, -1) },
        { ...tokens, subject_token: subjectToken({ sub: 'ada-sub', ...personal, exp: NOW }) },
        { ...tokens, subject_token: subjectToken({ sub: 'ada-sub', ...personal, may_act: { sub: 'ada-act' } }) },
        { ...tokens, subject_token: subjectToken({ sub: 'ada-sub', ...personal, iss: 'https://ada.example' }) },
        { ...tokens, subject_token: subjectToken({ sub: 'ada-sub', ...personal, cnf: { jkt: 'ada-key' } }) },
        { ...tokens, subject_token: subjectToken({ sub: 'ada-sub', ...personal, act: { sub: 'ada-act' } }) },
        { ...tokens, subject_token: subjectToken({ sub: 'ada-sub', ...personal, typ: 'ada+jwt' }) },
      ]
      const asserts = (subject: string) => !subject.startsWith('ada-x')
      const { exchange, records } = world(profile(options), { trust: trustOf(trusted(ISSUER, { asserts })) })
      const answers = await Promise.allSettled(
        [...requests, { ...tokens, subject_token: subjectToken({ sub: 'ada-x' }) }].map(exchange),
      )
      expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
      expect(records).toHaveLength(requests.length + 1)
      const text = JSON.stringify(records)
      for (const value of [...secrets, ...Object.values(tokens).filter((token) => token !== PLAIN)])
        expect(text).not.toContain(value)
      for (const answer of answers)
        if (answer.status === 'fulfilled') expect(text).not.toContain(answer.value.access_token)
    },
  )

  it('of a request that could not be read says nothing but that', () => {
    const { services, records } = world()
    recordRefusal({ id: 'request-9' }, new RangeError('hunter2'), services)
    expect(records[0]).toMatchObject({
      id: 'request-9',
      code: 'ERR_INTERNAL',
      trace: [{ step: 'read', outcome: 'refused' }],
    })
    expect(JSON.stringify(records)).not.toContain('hunter2')
  })
})

describe('a token that an attacker has put together', () => {
  it('cannot reach a prototype by a claim name', async () => {
    const body =
      '{"iss":"https://id.example","sub":"user-7","aud":["https://gw.example"],"exp":1800000600,"__proto__":{"act":{"sub":"x"}}}'
    const text = Buffer.from(body).toString('base64url')
    const signature = createHash('sha256').update(`${ISSUER}|${body}`).digest('base64url')
    const { access_token } = await world().exchange({ subject_token: `${text}.${signature}` })
    expect(said(access_token)).not.toHaveProperty('act')
  })

  it('is told from a token of another tenant by its issuer alone', async () => {
    const other = { ...world().services, issuer: 'https://gw.example/b', tenant: 'b' }
    const asking = exchangeToken(request({ subject_token: subjectToken({ iss: GATEWAY }) }), other)
    await expect(asking).rejects.toThrow(refusal('ERR_TRUST_ISSUER'))
  })
})
