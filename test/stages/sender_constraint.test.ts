import { describe, expect, it } from 'vitest'
import type { Proof } from '../../src/core/proof.ts'
import type { Confirmation } from '../../src/core/token.ts'
import { map } from '../../src/core/value.ts'
import { type SenderConstraintOptions, senderConstraint } from '../../src/stages/sender_constraint.ts'
import { code, newKey, prepared, runStage, type StageParts, verified } from '../support/exchange.ts'

const held = newKey()
const other = newKey()
const dpop = (publicKey = held): Proof => ({ method: 'dpop', publicKey })
const csr = (publicKey = held): Proof => ({ method: 'pkcs10', publicKey })
const mtls = (publicKey = held, x5tS256 = 'cert'): Proof => ({ method: 'mtls', publicKey, x5tS256 })

const bound = (confirmation: Confirmation = { jkt: held.jkt }) => verified({ confirmation })

const run = (options: SenderConstraintOptions, parts: StageParts = {}) => runStage(senderConstraint, options, parts)
const cnf = async (options: SenderConstraintOptions, parts: StageParts = {}) => (await run(options, parts)).confirmation

describe('the methods', () => {
  it('are those that there are, of your own too', async () => {
    const own = { method: 'wpt', publicKey: held } as const
    const setting = { proofMethods: ['dpop', 'mtls', 'pkcs10', 'wpt'] }
    expect(await cnf({ mode: 'bind', method: ['wpt'] }, { proofs: [own], ...setting })).toMatchObject({ jkt: held.jkt })
    expect(await cnf({ mode: 'bind' }, { proofs: [own], ...setting })).toMatchObject({ jkt: held.jkt })
  })

  it('are no others', () => {
    expect(() => prepared(senderConstraint, { method: ['dpop', 'tls'] })).toThrow(
      expect.objectContaining({
        code: 'ERR_PROFILE_OPTION',
        detail: { path: 'method[1]', expected: 'the name of a proof that there is: dpop, mtls, pkcs10' },
      }),
    )
  })
})

describe('sender_constraint', () => {
  it.each([
    ['keep', [], undefined],
    ['keep', [dpop()], undefined],
    ['bind', [], undefined],
    ['bind', [dpop()], { publicKey: held, jkt: held.jkt }],
    ['bind', [csr()], { publicKey: held, jkt: held.jkt }],
    ['bind', [mtls()], { publicKey: held, x5tS256: 'cert' }],
  ] as const)('%s, of a bearer token with proofs %#', async (mode, proofs, expected) => {
    expect(await cnf({ mode }, { proofs })).toEqual(expected)
  })

  it.each(['keep', 'bind'] as const)(
    '%s: a bound token stays bound to its key, which the proof makes known',
    async (mode) => {
      const subject = bound()
      expect(await cnf({ mode }, { subject, proofs: [dpop()] })).toEqual({ jkt: held.jkt, publicKey: held })
      const certificate = bound({ x5tS256: 'cert' })
      expect(await cnf({ mode }, { subject: certificate, proofs: [mtls()] })).toEqual({
        x5tS256: 'cert',
        publicKey: held,
      })
      const whole = bound({ publicKey: held, x5tS256: 'cert' })
      expect(await cnf({ mode }, { subject: whole, proofs: [mtls()] })).toBe(whole.confirmation)
    },
  )

  it.each(['keep', 'bind'] as const)(
    'EX-09: %s refuses a proof by another key than that of the token',
    async (mode) => {
      for (const proof of [dpop(other), csr(other), mtls(other, 'else')]) {
        await expect(run({ mode }, { subject: bound(), proofs: [proof] })).rejects.toThrow(code('ERR_PROOF_MISMATCH'))
      }
    },
  )

  it('takes the key of the token from a proof of another method', async () => {
    const proofs = [mtls(held, 'unrelated')]
    expect(await cnf({ mode: 'keep' }, { subject: bound(), proofs })).toEqual({ jkt: held.jkt, publicKey: held })
  })

  it('a TLS certificate that is only there for the connection does not come before a proof', async () => {
    const proofs = [mtls(other, 'connection'), dpop()]
    expect(await cnf({ mode: 'bind' }, { subject: bound(), proofs })).toEqual({ jkt: held.jkt, publicKey: held })
    expect(await cnf({ mode: 'bind' }, { proofs })).toEqual({ jkt: held.jkt, publicKey: held })
  })

  it('a certification request for a new key is no wish to be passed over', async () => {
    await expect(run({ mode: 'bind' }, { subject: bound(), proofs: [dpop(), csr(other)] })).rejects.toThrow(
      code('ERR_PROOF_MISMATCH', { actual: 'pkcs10' }),
    )
  })

  it('takes only the methods that it names, the first of them first', async () => {
    const proofs = [dpop(other), mtls()]
    expect(await cnf({ mode: 'bind', method: ['mtls', 'dpop'] }, { proofs })).toEqual({
      publicKey: held,
      x5tS256: 'cert',
    })
    expect(await cnf({ mode: 'bind', method: ['dpop', 'mtls'] }, { proofs })).toMatchObject({ jkt: other.jkt })
    expect(await cnf({ mode: 'bind', method: ['pkcs10'] }, { proofs })).toBeUndefined()
  })

  it.each([{ mode: 'keep' }, { mode: 'bind' }, { mode: 'bind', method: ['dpop'] }] as const)(
    'refuses an output that is bound to no key when it is required: %j',
    async (options) => {
      await expect(run({ ...options, require: true }, { proofs: [] })).rejects.toThrow(code('ERR_PROOF_REQUIRED'))
      await expect(run({ ...options, require: true }, { subject: bound() })).resolves.toBeDefined()
    },
  )

  it('S-08: keep does not bind to a key that nobody proved and the token does not name', async () => {
    await expect(run({ require: true }, { proofs: [dpop()] })).rejects.toThrow(code('ERR_PROOF_REQUIRED'))
  })

  describe('rebind', () => {
    it('binds to the key that the client proved, and notes that the token changed hands', async () => {
      const draft = await run({ rebind: 'client' }, { subject: bound(), proofs: [dpop(other)] })
      expect(draft.confirmation).toEqual({ publicKey: other, jkt: other.jkt })
      expect(draft.notes).toEqual([{ claim: 'cnf', became: 'mapped' }])
    })

    it('refuses when the client proved none', async () => {
      await expect(run({ rebind: 'client' }, { subject: bound() })).rejects.toThrow(code('ERR_PROOF_REQUIRED'))
      const proofs = [mtls(other)]
      await expect(run({ rebind: 'client', method: ['dpop'] }, { subject: bound(), proofs })).rejects.toThrow(
        code('ERR_PROOF_REQUIRED'),
      )
    })

    it('binds to the key of the actor token', async () => {
      const actor = verified({ claims: { sub: 'billing' }, confirmation: { jkt: other.jkt } })
      const draft = await run({ rebind: 'actor' }, { subject: bound(), actor, proofs: [dpop(), csr(other)] })
      expect(draft.confirmation).toEqual({ jkt: other.jkt, publicKey: other })
      const certificate = verified({ claims: { sub: 'billing' }, confirmation: { publicKey: other, x5tS256: 'a' } })
      expect(await cnf({ rebind: 'actor' }, { actor: certificate, proofs: [mtls(other, 'a')] })).toBe(
        certificate.confirmation,
      )
    })

    it('S-08: refuses a key that the actor token names and nobody proved', async () => {
      const actor = verified({ claims: { sub: 'billing' }, confirmation: { jkt: other.jkt } })
      await expect(run({ rebind: 'actor' }, { subject: bound(), actor, proofs: [dpop()] })).rejects.toThrow(
        code('ERR_PROOF_REQUIRED'),
      )
    })

    it('refuses an actor token that is absent, or bound to no key', async () => {
      await expect(run({ rebind: 'actor' }, { proofs: [dpop()] })).rejects.toThrow(code('ERR_PROFILE_ACTOR_MISSING'))
      const actor = verified({ claims: { sub: 'billing' } })
      await expect(run({ rebind: 'actor' }, { actor, proofs: [dpop()] })).rejects.toThrow(code('ERR_PROOF_REQUIRED'))
    })
  })

  it.each<[Confirmation, string, string]>([
    [{ jkt: held.jkt }, 'jkt', held.jkt],
    [{ publicKey: held }, 'jkt', held.jkt],
    [{ publicKey: held, x5tS256: 'cert' }, 'x5t#S256', 'cert'],
    [{ ckt: 'thumbprint' }, 'ckt', 'thumbprint'],
  ])('BD-02: a constraint that is dropped is told to who reads the output: %#', async (confirmation, method, value) => {
    const draft = await run({ danger_drop_confirmation: true }, { subject: bound(confirmation), proofs: [dpop()] })
    expect(draft.confirmation).toBeUndefined()
    expect(draft.claims['former_cnf']).toEqual(map([[method, value]]))
  })

  it('a bearer token goes to the proof that comes first, whichever a draft starts with', async () => {
    const draft = { confirmation: { publicKey: held, jkt: held.jkt } }
    const proofs = [dpop(), csr(other)]
    expect(await cnf({ mode: 'bind' }, { draft, proofs })).toEqual({ publicKey: other, jkt: other.jkt })
    expect(await cnf({ mode: 'keep' }, { draft, proofs })).toBe(draft.confirmation)
    expect(await cnf({ mode: 'bind', method: ['mtls'] }, { draft, proofs })).toBe(draft.confirmation)
  })

  it('tells nothing of a proof that came with a bearer token', async () => {
    const draft = { confirmation: { publicKey: held, jkt: held.jkt } }
    const dropped = await run({ danger_drop_confirmation: true }, { draft, proofs: [dpop()] })
    expect(dropped.confirmation).toBeUndefined()
    expect(dropped.claims).not.toHaveProperty('former_cnf')
  })

  it('tells nothing of a constraint that was not there', async () => {
    expect((await run({ danger_drop_confirmation: true })).claims).not.toHaveProperty('former_cnf')
  })

  it.each<[string, SenderConstraintOptions]>([
    ['danger_drop_confirmation', { danger_drop_confirmation: true, require: true }],
    ['danger_drop_confirmation', { danger_drop_confirmation: true, mode: 'bind' }],
    ['danger_drop_confirmation', { danger_drop_confirmation: true, rebind: 'client' }],
    ['mode', { mode: 'bind', rebind: 'actor' }],
  ])('refuses to load %s of %j', (path, options) => {
    expect(() => prepared(senderConstraint, options)).toThrow(code('ERR_PROFILE_OPTION', { path }))
  })
})

describe('sender_constraint: client', () => {
  const named = async (options: SenderConstraintOptions['client'], parts: StageParts = {}) =>
    (await run({ ...(options && { client: options }) }, parts)).claims['client_id']

  it('IJ-11: names the client as the other authorization server knows it', async () => {
    expect(await named({ map: { orders: 'shop-7', other: 'x' } })).toBe('shop-7')
    expect(await named({ default: 'same' })).toBe('orders')
    expect(await named({ map: { other: 'x' }, default: 'same' })).toBe('orders')
  })

  it('refuses a client that it has no name for', async () => {
    await expect(named({ map: { other: 'x' } })).rejects.toThrow(code('ERR_PROFILE_CLIENT'))
    await expect(named({ map: { other: 'x' } }, { client: { id: 'constructor', method: 'none' } })).rejects.toThrow(
      code('ERR_PROFILE_CLIENT'),
    )
  })

  it('names nobody who has not authenticated', async () => {
    const client = { id: 'u-1', method: 'subject_token' }
    await expect(named({ default: 'same' }, { client })).rejects.toThrow(code('ERR_CLIENT_MISSING'))
  })

  it('binds to a key as well', async () => {
    const draft = await run({ mode: 'bind', client: { default: 'same' } }, { proofs: [dpop()] })
    expect(draft).toMatchObject({ confirmation: { jkt: held.jkt }, claims: { client_id: 'orders' } })
  })

  it('tells which names it may give, so that none can be given but these', () => {
    expect(prepared(senderConstraint, { client: { map: { orders: 'shop-7' } } }).clients).toEqual(
      new Map([['orders', 'shop-7']]),
    )
    expect(prepared(senderConstraint, { mode: 'bind' }).clients).toBeUndefined()
  })

  it.each(['', ' ', 'a\nb'])('refuses to load %j as a name', (name) => {
    const options = { client: { map: { orders: name } } }
    expect(() => prepared(senderConstraint, options)).toThrow(code('ERR_PROFILE_OPTION', { path: 'client.map.orders' }))
  })
})
