import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ValidityOptions, validity } from '../../src/stages/validity.ts'
import { code, NOW, prepared, runStage, type StageParts, verified } from '../support/exchange.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)

const run = async (options: ValidityOptions, parts: StageParts = {}) =>
  (await runStage(validity, options, parts)).validity

const load = (options: ValidityOptions) => expect(() => prepared(validity, options))

describe('validity: times', () => {
  it.each([
    ['the lifetime', { lifetime: 300 }, {}, NOW + 300],
    ['the subject token', { lifetime: 900 }, {}, NOW + 600],
    ['the actor token', { lifetime: 900 }, { actor: verified({ validity: { expiresAt: NOW + 90 } }) }, NOW + 90],
    ['the ceiling of the profile', { lifetime: 900 }, { maxLifetime: 60 }, NOW + 60],
    [
      'what an earlier stage made of it',
      { lifetime: 900 },
      {
        draft: {
          validity: { issuedAt: NOW, notBefore: undefined, expiresAt: NOW + 30, audience: [], scope: undefined },
        },
      },
      NOW + 30,
    ],
  ] as [string, ValidityOptions, StageParts, number][])(
    'expires no later than %s',
    async (_, options, parts, expected) => {
      expect((await run(options, parts)).expiresAt).toBe(expected)
    },
  )

  it('outlives its inputs with danger_outlive_subject, up to lifetime and ceiling', async () => {
    const options: ValidityOptions = { danger_outlive_subject: true }
    expect((await run({ ...options, lifetime: 900 })).expiresAt).toBe(NOW + 900)
    expect((await run(options)).expiresAt).toBe(NOW + 3600)
    expect((await run({ ...options, lifetime: 9999 }, { maxLifetime: 1200 })).expiresAt).toBe(NOW + 1200)
  })

  it('does not outlive what is no input, such as the certificate of the signer', async () => {
    const limited = { issuedAt: NOW, notBefore: undefined, expiresAt: NOW + 120, audience: [], scope: undefined }
    const draft = { validity: limited }
    expect((await run({ danger_outlive_subject: true, lifetime: 900 }, { draft })).expiresAt).toBe(NOW + 120)
  })

  it('BD-27: says whole seconds, counted from the one reading of the clock', async () => {
    const subject = verified({ validity: { expiresAt: NOW + 10.9, issuedAt: NOW - 3600 } })
    expect(await run({ lifetime: 60 }, { subject })).toMatchObject({ issuedAt: NOW, expiresAt: NOW + 10 })
  })

  it('is issued now, whatever an earlier stage said', async () => {
    const before = { issuedAt: NOW - 60, notBefore: undefined, expiresAt: NOW + 60, audience: [], scope: undefined }
    expect((await run({ lifetime: 60 }, { draft: { validity: before } })).issuedAt).toBe(NOW)
  })

  it('refuses to issue what has expired, within the tolerance for clocks', async () => {
    const subject = verified({ validity: { expiresAt: NOW } })
    await expect(run({ lifetime: 60 }, { subject })).rejects.toThrow(code('ERR_TOKEN_EXPIRED'))
  })

  it.each([
    ['keeps the start of its inputs', {}, NOW + 20, NOW + 20],
    ['has no start where they have none', {}, undefined, undefined],
    ['starts now when told', { not_before: 'now' }, undefined, NOW],
    ['does not start before its inputs', { not_before: 'now' }, NOW + 20, NOW + 20],
    ['starts now when it could have started before', { not_before: 'now' }, NOW - 20, NOW],
    [
      'starts before its inputs with danger_start_earlier',
      { not_before: 'now', danger_start_earlier: true },
      NOW + 20,
      NOW,
    ],
  ] as [string, ValidityOptions, number | undefined, number | undefined][])(
    '%s',
    async (_, options, notBefore, expected) => {
      const subject = verified({ validity: { notBefore } })
      expect((await run({ lifetime: 60, ...options }, { subject })).notBefore).toBe(expected)
    },
  )

  it('refuses to load danger_start_earlier without the option that it belongs to', () => {
    load({ danger_start_earlier: true }).toThrow(code('ERR_PROFILE_OPTION', { path: 'danger_start_earlier' }))
  })

  it('CE-07: no sequence of stages makes the lifetime longer than any of its limits', async () => {
    const seconds = fc.integer({ min: 1, max: 5000 })
    await fc.assert(
      fc.asyncProperty(seconds, seconds, seconds, seconds, seconds, async (first, second, subjects, actors, most) => {
        const parts: StageParts = {
          subject: verified({ validity: { expiresAt: NOW + subjects } }),
          actor: verified({ validity: { expiresAt: NOW + actors } }),
          maxLifetime: most,
        }
        const once = await runStage(validity, { lifetime: first }, parts)
        const twice = await run({ lifetime: second }, { ...parts, draft: once })
        expect(twice.expiresAt).toBe(NOW + Math.min(first, second, subjects, actors, most, 3600))
      }),
      { numRuns },
    )
  })
})

describe('validity: audience', () => {
  const subject = verified({ validity: { audience: ['https://a.example', 'https://gw.example'] } })

  it('leaves the audience as it was asked for', async () => {
    const audience = ['https://a.example', 'https://b.example']
    expect((await run({ lifetime: 60, audience: { from: 'request' } }, { subject, audience })).audience).toEqual(
      audience,
    )
  })

  it('down-scopes to those that the subject token is for', async () => {
    const options: ValidityOptions = { audience: { from: 'subject' } }
    expect((await run(options, { subject, audience: ['https://a.example'] })).audience).toEqual(['https://a.example'])
    await expect(run(options, { subject, audience: ['https://a.example', 'https://b.example'] })).rejects.toThrow(
      code('ERR_PROFILE_TARGET'),
    )
  })

  it('TE-14: refuses more targets than it may have, and never picks the first', async () => {
    const audience = ['https://a.example', 'https://b.example']
    await expect(run({ max_audiences: 1 }, { audience })).rejects.toThrow(code('ERR_PROFILE_TARGET_COUNT'))
    expect((await run({ max_audiences: 2 }, { audience })).audience).toEqual(audience)
  })

  it('TE-15: compares audiences as exact strings', async () => {
    await expect(run({ audience: { from: 'subject' } }, { subject, audience: ['https://a.example/'] })).rejects.toThrow(
      code('ERR_PROFILE_TARGET'),
    )
  })
})

describe('validity: scope', () => {
  const scope = async (
    options: ValidityOptions['scope'],
    requested: readonly string[] | undefined,
    held?: readonly string[] | null,
  ) => {
    const subject = verified({ validity: { scope: held === null ? undefined : (held ?? ['read', 'write']) } })
    return (await run({ scope: options ?? {} }, { subject, request: { scope: requested } })).scope
  }

  it('grants what was asked for and the subject token has and the profile allows', async () => {
    expect(await scope({}, ['read', 'admin'])).toEqual(['read'])
    expect(await scope({ allow: ['write'] }, ['read', 'write'])).toEqual(['write'])
    expect(await scope({}, ['read', 'read'])).toEqual(['read'])
  })

  it('leaves the scope alone when it has no option for it', async () => {
    const draft = await run({ lifetime: 60 }, { request: { scope: ['read'] } })
    expect(draft.scope).toEqual(['read'])
  })

  it('grants nothing when nothing was asked for, which is not everything', async () => {
    expect(await scope({}, undefined)).toBeUndefined()
    expect(await scope({ allow: ['read'] }, undefined)).toBeUndefined()
  })

  it('grants the default when nothing was asked for, cut like anything else', async () => {
    expect(await scope({ default: ['read', 'admin'] }, undefined)).toEqual(['read'])
    expect(await scope({ default: ['admin'] }, undefined)).toBeUndefined()
    expect(await scope({ default: ['read'] }, ['write'])).toEqual(['write'])
    expect(await scope({ default: 'subject' }, undefined)).toEqual(['read', 'write'])
    expect(await scope({ default: 'subject', allow: ['write'] }, undefined)).toEqual(['write'])
  })

  it('EX-13: narrows, and refuses when strict or when nothing is left', async () => {
    await expect(scope({ strict: true }, ['read', 'admin'])).rejects.toThrow(code('ERR_PROFILE_SCOPE'))
    expect(await scope({ strict: true }, ['read'])).toEqual(['read'])
    expect(await scope({ strict: true, default: ['admin'] }, undefined)).toBeUndefined()
    await expect(scope({}, ['admin'])).rejects.toThrow(code('ERR_PROFILE_SCOPE', { expected: ['read', 'write'] }))
  })

  it('grants what it allows, and only that, for a subject token without any scope', async () => {
    expect(await scope({ allow: ['read'] }, ['read', 'admin'], null)).toEqual(['read'])
    expect(await scope({ allow: ['read'], default: ['read'] }, undefined, null)).toEqual(['read'])
    await expect(scope({}, ['read'], null)).rejects.toThrow(code('ERR_PROFILE_SCOPE'))
    expect(await scope({ default: ['read'] }, undefined, null)).toBeUndefined()
  })

  it('an empty scope in the subject token is not the same as none', async () => {
    await expect(scope({ allow: ['read'] }, ['read'], [])).rejects.toThrow(code('ERR_PROFILE_SCOPE'))
  })

  it('maps scopes of the subject token to those of the output, and notes which stands for which', async () => {
    const map = { 'orders.read': 'read', 'orders.all': ['read', 'write'] }
    const subject = verified({ validity: { scope: ['orders.all', 'other'] } })
    const draft = await runStage(validity, { scope: { map } }, { subject, request: { scope: ['read', 'other'] } })
    expect(draft.validity.scope).toEqual(['read', 'other'])
    expect(draft.notes).toEqual([{ claim: 'scope', became: 'mapped', from: 'orders.all', to: 'read' }])
    await expect(scope({ map }, ['write'], ['orders.read'])).rejects.toThrow(code('ERR_PROFILE_SCOPE'))
    await expect(scope({ map }, ['orders.read'], ['orders.read'])).rejects.toThrow(code('ERR_PROFILE_SCOPE'))
  })

  it('widens with danger_widen_scope only, up to what it allows', async () => {
    expect(await scope({ allow: ['admin'], danger_widen_scope: true }, ['admin', 'root'])).toEqual(['admin'])
    expect(await scope({ allow: ['admin'] }, ['admin', 'read']).catch((error: { code: string }) => error.code)).toBe(
      'ERR_PROFILE_SCOPE',
    )
    load({ scope: { danger_widen_scope: true } }).toThrow(code('ERR_PROFILE_OPTION', { path: 'scope.allow' }))
  })

  it('does not give back what an earlier stage has taken away', async () => {
    const parts: StageParts = { request: { scope: ['read', 'write'] } }
    const narrowed = await runStage(validity, { scope: { allow: ['read'] } }, parts)
    expect((await run({ scope: {} }, { ...parts, draft: narrowed })).scope).toEqual(['read'])
    await expect(run({ scope: { allow: ['write'] } }, { ...parts, draft: narrowed })).rejects.toThrow(
      code('ERR_PROFILE_SCOPE'),
    )
  })

  it('BD-43: is a part of what was asked for, of what the subject token has, and of what is allowed', async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const list = fc.uniqueArray(name)
    await fc.assert(
      fc.asyncProperty(
        fc.option(list, { nil: undefined }),
        list,
        fc.option(list, { nil: undefined }),
        list,
        async (requested, held, allow, fallback) => {
          const granted = await scope({ ...(allow && { allow }), default: fallback }, requested, held).catch(
            (error: { code: string }) => {
              expect(error.code).toBe('ERR_PROFILE_SCOPE')
              return undefined
            },
          )
          for (const one of granted ?? []) {
            expect(requested ?? fallback).toContain(one)
            expect(held).toContain(one)
            if (allow) expect(allow).toContain(one)
          }
          const wanted = requested ?? fallback
          const most = wanted.filter((one) => held.includes(one) && (allow?.includes(one) ?? true))
          expect(granted ?? []).toEqual(most)
        },
      ),
      { numRuns },
    )
  })
})
