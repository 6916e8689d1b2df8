import { describe, expect, it } from 'vitest'
import type { Loss } from '../../src/core/codec.ts'
import type { Ledger } from '../../src/core/ledger.ts'
import type { Draft, Embedded, Note, Token } from '../../src/core/token.ts'
import { map, type Value } from '../../src/core/value.ts'
import { assertKept, ledgerOf } from '../../src/exchange/ledger.ts'
import { GATEWAY, ISSUER, key, NOW, profile, setting, stage, subjectToken, TARGET, world } from '../support/fakes.ts'

const validity = {
  ...{ issuedAt: NOW - 10, notBefore: NOW - 10, expiresAt: NOW + 600 },
  ...{ audience: [GATEWAY], scope: ['read', 'write'] },
}

const token = (claims: { readonly [name: string]: Value }, differs: Partial<Token> = {}): Token => ({
  claims: map(Object.entries({ sub: 'user-7', ...claims })),
  validity,
  confirmation: undefined,
  provenance: {
    ...{ format: 'plain', type: 'x', issuer: ISSUER, trustDomain: undefined, algorithm: 'ES256', keyThumbprint: 'k' },
    ...{ kind: undefined, id: 'id-1', replayKey: 'r', digest: 'd' },
  },
  ...differs,
})

const draft = (claims: { readonly [name: string]: Value }, differs: Partial<Draft> = {}): Draft => ({
  claims: map(Object.entries({ sub: 'user-7', ...claims })),
  validity,
  confirmation: undefined,
  embedded: [],
  notes: [],
  ...differs,
})

const entry = (ledger: Ledger, claim: string) => ledger.find((candidate) => candidate.claim === claim)
const notes = (...list: readonly Note[]) => ({ notes: list })
const embedded = (name: string): Embedded => ({ name, place: 'claim', value: 'a token' })

/** What became of `claim`. */
const fate = (claim: string, input: Token, output: Draft, losses: readonly Loss[] = []) =>
  entry(ledgerOf(input, output, losses), claim)

describe('what became of a claim', () => {
  it('kept: the same value', () => {
    expect(fate('email', token({ email: 'x' }), draft({ email: 'x' }))).toEqual({ claim: 'email', became: 'kept' })
    const deep = { list: [1, { b: 2 }], bytes: Uint8Array.of(1) }
    const again = { bytes: Uint8Array.of(1), list: [1, { b: 2 }] }
    expect(fate('deep', token({ deep }), draft({ deep: again }))).toMatchObject({ became: 'kept' })
  })

  it('dropped: no stage kept it', () => {
    expect(fate('email', token({ email: 'x' }), draft({}))).toEqual({ claim: 'email', became: 'dropped' })
  })

  it('replaced: another value', () => {
    expect(fate('email', token({ email: 'x' }), draft({ email: 'y' }))).toMatchObject({ became: 'replaced' })
  })

  it('added: only in the output', () => {
    expect(fate('tenant', token({}), draft({ tenant: 'eu' }))).toEqual({ claim: 'tenant', became: 'added' })
    const withToken = fate('original', token({}), draft({}, { embedded: [embedded('original')] }))
    expect(withToken).toEqual({ claim: 'original', became: 'added', reason: 'embedded token' })
  })

  it('renamed: under another name', () => {
    const output = draft({ mail: 'x' }, notes({ claim: 'email', became: 'renamed', to: 'mail' }))
    expect(fate('email', token({ email: 'x' }), output)).toEqual({ claim: 'email', became: 'renamed', to: 'mail' })
    expect(fate('mail', token({ email: 'x' }), output)).toBeUndefined()
  })

  it('renamed twice: under the last name', () => {
    const twice = notes({ claim: 'a', became: 'renamed', to: 'b' }, { claim: 'b', became: 'renamed', to: 'c' })
    expect(fate('a', token({ a: 'x' }), draft({ c: 'x' }, twice))).toEqual({ claim: 'a', became: 'renamed', to: 'c' })
  })

  it('renamed both: two claims that change places', () => {
    const swap = notes({ claim: 'a', became: 'renamed', to: 'b' }, { claim: 'b', became: 'renamed', to: 'a' })
    const ledger = ledgerOf(token({ a: 'x', b: 'y' }), draft({ a: 'y', b: 'x' }, swap), [])
    expect(entry(ledger, 'a')).toEqual({ claim: 'a', became: 'renamed', to: 'b' })
    expect(entry(ledger, 'b')).toEqual({ claim: 'b', became: 'renamed', to: 'a' })
  })

  it('renamed and then dropped: dropped', () => {
    const output = draft({}, notes({ claim: 'email', became: 'renamed', to: 'mail' }))
    expect(fate('email', token({ email: 'x' }), output)).toEqual({ claim: 'email', became: 'dropped' })
  })

  it('renamed and then overwritten: replaced', () => {
    const output = draft({ mail: 'other' }, notes({ claim: 'email', became: 'renamed', to: 'mail' }))
    expect(fate('email', token({ email: 'x' }), output)).toEqual({ claim: 'email', became: 'replaced', to: 'mail' })
  })

  it('renamed over a claim of the input: that one is replaced', () => {
    const output = draft({ mail: 'x' }, notes({ claim: 'email', became: 'renamed', to: 'mail' }))
    const ledger = ledgerOf(token({ email: 'x', mail: 'old' }), output, [])
    expect(entry(ledger, 'mail')).toEqual({ claim: 'mail', became: 'replaced' })
    expect(entry(ledger, 'email')).toMatchObject({ became: 'renamed', to: 'mail' })
  })

  it('hashed: also where it was moved before or after', () => {
    const hashed = notes({ claim: 'sub', became: 'hashed' })
    expect(fate('sub', token({}), draft({ sub: 'h' }, hashed))).toEqual({ claim: 'sub', became: 'hashed' })
    const moved: Note = { claim: 'email', became: 'renamed', to: 'mail' }
    const before = notes({ claim: 'email', became: 'hashed' }, moved)
    const after = notes(moved, { claim: 'mail', became: 'hashed' })
    for (const order of [before, after]) {
      expect(fate('email', token({ email: 'x' }), draft({ mail: 'h' }, order))).toMatchObject({
        became: 'hashed',
        to: 'mail',
      })
    }
  })

  it('hashed beside itself: kept, and the hash is added', () => {
    const output = draft({ email: 'x', email_hash: 'h' }, notes({ claim: 'email', became: 'hashed', to: 'email_hash' }))
    const ledger = ledgerOf(token({ email: 'x' }), output, [])
    expect(entry(ledger, 'email')).toMatchObject({ became: 'kept' })
    expect(entry(ledger, 'email_hash')).toMatchObject({ became: 'added' })
  })

  it('embedded: inside a token that is embedded, and only where one is', () => {
    const note = notes({ claim: 'email', became: 'embedded', to: 'original' })
    const output = draft({}, { ...note, embedded: [embedded('original')] })
    const ledger = ledgerOf(token({ email: 'x' }), output, [])
    expect(entry(ledger, 'email')).toEqual({ claim: 'email', became: 'embedded', to: 'original' })
    expect(entry(ledger, 'original')).toBeUndefined()
    expect(fate('email', token({ email: 'x' }), draft({}, note))).toMatchObject({ became: 'dropped' })
    const unnamed = notes({ claim: 'email', became: 'embedded' })
    expect(fate('email', token({ email: 'x' }), { ...output, ...unnamed })).toMatchObject({ became: 'embedded' })
    expect(fate('email', token({ email: 'x' }), draft({}, unnamed))).toMatchObject({ became: 'dropped' })
  })

  it('replaced: an embedded token took the name', () => {
    expect(fate('email', token({ email: 'x' }), draft({}, { embedded: [embedded('email')] }))).toMatchObject({
      became: 'replaced',
    })
  })

  it('converted: by a stage, or by the codec', () => {
    const stageSays = notes({ claim: 'level', became: 'converted' })
    expect(fate('level', token({ level: '7' }), draft({ level: 7 }, stageSays))).toMatchObject({ became: 'converted' })
    const loss: Loss = { claim: 'photo', became: 'converted', reason: 'JSON has no bytes' }
    const photo = Uint8Array.of(1, 2)
    expect(fate('photo', token({ photo }), draft({ photo }), [loss])).toEqual(loss)
  })

  it('converted: also where it was moved before', () => {
    const moved: Note = { claim: 'level', became: 'renamed', to: 'loa' }
    const output = draft({ loa: 7 }, notes(moved, { claim: 'loa', became: 'converted' }))
    expect(fate('level', token({ level: '7' }), output)).toEqual({ claim: 'level', became: 'converted', to: 'loa' })
  })

  it('converted does not hide what else became of it', () => {
    const loss: Loss = { claim: 'sub', became: 'converted', reason: 'JSON has no bytes' }
    const hashed = draft({ sub: Uint8Array.of(1) }, notes({ claim: 'sub', became: 'hashed' }))
    expect(fate('sub', token({}), hashed, [loss])).toMatchObject({ became: 'hashed', reason: 'JSON has no bytes' })
    const other = draft({ sub: Uint8Array.of(1) })
    expect(fate('sub', token({}), other, [loss])).toMatchObject({ became: 'replaced' })
  })

  it('lost: the format cannot carry it, under whatever name it had by then', () => {
    const loss: Loss = { claim: 'mail', became: 'lost', reason: 'no place' }
    expect(fate('mail', token({ mail: 'x' }), draft({ mail: 'x' }), [loss])).toEqual(loss)
    const renamed = draft({ mail: 'x' }, notes({ claim: 'email', became: 'renamed', to: 'mail' }))
    const ledger = ledgerOf(token({ email: 'x' }), renamed, [loss])
    expect(entry(ledger, 'email')).toEqual({ ...loss, claim: 'email', to: 'mail' })
    expect(entry(ledger, 'mail')).toBeUndefined()
  })

  it('lost: what was never in the draft stands once as well', () => {
    const loss: Loss = { claim: 'x509', became: 'lost', reason: 'no place' }
    expect(ledgerOf(token({}), draft({}), [loss])).toContainEqual(loss)
    const dropped = ledgerOf(token({ x509: 'y' }), draft({}), [loss])
    expect(dropped.filter(({ claim }) => claim === 'x509')).toEqual([{ claim: 'x509', became: 'dropped' }])
  })

  it('lost: two claims of one new name are both lost', () => {
    const both = notes({ claim: 'a', became: 'renamed', to: 'c' }, { claim: 'b', became: 'renamed', to: 'c' })
    const ledger = ledgerOf(token({ a: 'x', b: 'x' }), draft({ c: 'x' }, both), [
      { claim: 'c', became: 'lost', reason: 'r' },
    ])
    expect([entry(ledger, 'a')?.became, entry(ledger, 'b')?.became]).toEqual(['lost', 'lost'])
  })

  it('narrowed: less of it', () => {
    const given = token({ groups: ['a', 'b'], shapes: [{ a: 1 }, { b: 2 }] })
    const output = draft(
      { groups: ['a'], shapes: [{ b: 2 }] },
      { validity: { ...validity, expiresAt: NOW + 60, notBefore: NOW, scope: ['read'] } },
    )
    const ledger = ledgerOf(given, output, [])
    for (const claim of ['groups', 'shapes', 'exp', 'nbf', 'scope'])
      expect(entry(ledger, claim)).toEqual({ claim, became: 'narrowed' })
  })

  it('replaced, not narrowed: more of it, or other', () => {
    const output = draft(
      { groups: ['a', 'c'] },
      { validity: { ...validity, expiresAt: NOW + 900, notBefore: NOW - 90, issuedAt: NOW, audience: [TARGET] } },
    )
    const ledger = ledgerOf(token({ groups: ['a', 'b'] }), output, [])
    for (const claim of ['groups', 'exp', 'nbf', 'iat', 'aud'])
      expect(entry(ledger, claim)).toEqual({ claim, became: 'replaced' })
  })

  it('mapped: by a table, and the new value is not told', () => {
    const table = notes({ claim: 'scope', became: 'mapped', from: 'read', to: 'orders:read' })
    const output = draft({}, { ...table, validity: { ...validity, scope: ['orders:read'] } })
    expect(fate('scope', token({}), output)).toEqual({ claim: 'scope', became: 'mapped' })
    const lost = fate('scope', token({}), output, [{ claim: 'scope', became: 'lost', reason: 'no place' }])
    expect(lost).toMatchObject({ became: 'lost' })
    const none = draft({}, { ...table, validity: { ...validity, scope: undefined } })
    expect(fate('scope', token({}), none)).toMatchObject({ became: 'dropped' })
  })

  it('act under a newer actor is kept', () => {
    const act = { sub: 'front' }
    expect(fate('act', token({ act }), draft({ act: { sub: 'billing', act } }))).toEqual({
      claim: 'act',
      became: 'kept',
      reason: 'under a newer actor',
    })
    expect(fate('act', token({ act }), draft({ act: { sub: 'billing' } }))).toMatchObject({ became: 'replaced' })
  })

  it('issuer and identifier are always ours', () => {
    const ledger = ledgerOf(token({}), draft({}), [])
    expect(entry(ledger, 'iss')).toMatchObject({ became: 'replaced' })
    expect(entry(ledger, 'jti')).toMatchObject({
      became: 'replaced',
      reason: 'each token has an identifier of its own',
    })
    const anonymous = token({}, { provenance: { ...token({}).provenance, id: undefined } })
    expect(fate('jti', anonymous, draft({}))).toEqual({ claim: 'jti', became: 'added' })
  })

  it('an audience that is not there has no entry', () => {
    const forNobody = token({}, { validity: { ...validity, audience: [] } })
    expect(fate('aud', forNobody, draft({}, { validity: { ...validity, audience: [] } }))).toBeUndefined()
    expect(fate('aud', forNobody, draft({}))).toEqual({ claim: 'aud', became: 'added' })
  })

  it('a confirmation goes by its key', () => {
    const bound = token({}, { confirmation: { jkt: 'k1' } })
    expect(fate('cnf', bound, draft({}, { confirmation: { publicKey: key('k1') } }))).toMatchObject({ became: 'kept' })
    const certified = token({}, { confirmation: { x5tS256: 'c1' } })
    const both = draft({}, { confirmation: { publicKey: key('k1'), x5tS256: 'c1' } })
    expect(fate('cnf', certified, both)).toMatchObject({ became: 'kept' })
    expect(fate('cnf', bound, draft({}, { confirmation: { jkt: 'k2' } }))).toMatchObject({ became: 'replaced' })
    expect(fate('cnf', bound, draft({}))).toMatchObject({ became: 'dropped' })
    expect(fate('cnf', token({}), draft({}, { confirmation: { x5tS256: 'c1' } }))).toMatchObject({ became: 'added' })
  })

  it('what stood beside a confirmation and was ignored is dropped', () => {
    const bound = token({}, { confirmation: { jkt: 'k1', ignored: ['kc-jkt-type'] } })
    const same = draft({}, { confirmation: { jkt: 'k1', ignored: ['kc-jkt-type'] } })
    expect(fate('cnf', bound, same)).toMatchObject({ became: 'kept' })
    expect(fate('cnf.kc-jkt-type', bound, same)).toMatchObject({ became: 'dropped' })
    // Where `cnf` must be kept, all of it must.
    const ledger = ledgerOf(bound, same, [])
    expect(() => assertKept(ledger, ['sub'])).not.toThrow()
    for (const kept of ['cnf', 'cnf.kc-jkt-type']) {
      expect(() => assertKept(ledger, [kept])).toThrow(
        expect.objectContaining({
          code: 'ERR_PROFILE_LOSS',
          detail: { lost: [expect.objectContaining({ claim: 'cnf.kc-jkt-type', became: 'dropped' })] },
        }),
      )
    }
  })

  it('every name stands once', () => {
    const input = token({ a: 1, b: 2, c: 3, d: [1, 2] })
    const output = draft(
      { b: 1, e: 3, d: [1], f: 1 },
      {
        ...notes({ claim: 'a', became: 'renamed', to: 'b' }, { claim: 'c', became: 'hashed', to: 'e' }),
        embedded: [embedded('g'), embedded('f')],
      },
    )
    const names = ledgerOf(input, output, [{ claim: 'f', became: 'lost', reason: 'r' }]).map(({ claim }) => claim)
    expect(new Set(names).size).toBe(names.length)
    expect(names.sort()).toEqual([
      'a',
      'aud',
      'b',
      'c',
      'd',
      'exp',
      'f',
      'g',
      'iat',
      'iss',
      'jti',
      'nbf',
      'scope',
      'sub',
    ])
  })
})

describe('must_keep', () => {
  it.each(['dropped', 'lost', 'replaced', 'hashed'] as const)('refuses a claim that was %s, and says so', (became) => {
    const refusal = { code: 'ERR_PROFILE_LOSS', detail: { lost: [{ claim: 'email', became, reason: 'r' }] } }
    expect(() => assertKept([{ claim: 'email', became, reason: 'r' }], ['email'])).toThrow(
      expect.objectContaining(refusal),
    )
    expect(() => assertKept([{ claim: 'email', became }], ['phone'])).not.toThrow()
  })

  it.each(['kept', 'renamed', 'narrowed', 'mapped', 'embedded', 'converted', 'added'] as const)(
    'lets pass what was %s',
    (became) => {
      expect(() => assertKept([{ claim: 'email', became }], ['email'])).not.toThrow()
    },
  )

  it('has nothing to say of a claim that never came', () => {
    expect(() => assertKept([], ['email'])).not.toThrow()
  })

  it('refuses the exchange', async () => {
    const email = { subject_token: subjectToken({ email: 'x@example.com' }) }
    const keep = stage((draft, { subject }) => ({
      ...draft,
      claims: { ...draft.claims, email: subject.claims['email'] ?? '' },
    }))
    const must = { mustKeep: ['email'] }
    await expect(world(profile(must)).exchange(email)).rejects.toMatchObject({ code: 'ERR_PROFILE_LOSS' })
    await expect(world(profile({ ...must, steps: [keep] })).exchange(email)).resolves.toBeDefined()
    const losses: readonly Loss[] = [{ claim: 'email', became: 'lost', reason: 'no place' }]
    const lossy = world(profile({ ...must, steps: [keep], losses }))
    await expect(lossy.exchange(email)).rejects.toMatchObject({ code: 'ERR_PROFILE_LOSS' })
    expect(lossy.records[0]?.ledger).toContainEqual({ claim: 'email', became: 'lost', reason: 'no place' })
  })

  it('is not deceived by a note about a claim that is gone', async () => {
    const lie = setting(notes({ claim: 'email', became: 'renamed', to: 'mail' }))
    const asking = world(profile({ mustKeep: ['email'], steps: [lie] })).exchange({
      subject_token: subjectToken({ email: 'x' }),
    })
    await expect(asking).rejects.toMatchObject({ code: 'ERR_PROFILE_LOSS' })
  })

  it('takes act under a newer actor for kept', () => {
    const act = { sub: 'front' }
    const ledger = ledgerOf(token({ act }), draft({ act: { sub: 'billing', act } }), [])
    expect(() => assertKept(ledger, ['act'])).not.toThrow()
  })
})
