import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { parseDocument } from 'yaml'
import type { Services } from '../../src/core/exchange.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { exchangeToken } from '../../src/exchange/exchange.ts'
import { rehearse } from '../../src/exchange/rehearse.ts'
import { parseForm } from '../../src/gateway/form.ts'
import { tokenRequest } from '../../src/gateway/request.ts'
import { memoryReplay } from '../../src/stores/memory.ts'
import { rewrite } from '../support/live.ts'
import { newWorld, TOKEN_EXCHANGE, type World } from '../support/world.ts'

const CWT = 'https://jwt-to-cwt.beta.example'
const basic = `Basic ${Buffer.from('demo:demo-secret').toString('base64')}`

/** Nothing but a profile that takes each token once. */
function takeOnce(folder: string): void {
  const profile = parseDocument(readFileSync(join(import.meta.dirname, '../../profiles/jwt-to-cwt.yaml'), 'utf8'))
  profile.setIn(['accept', 'subject', 'single_use'], true)
  writeFileSync(join(folder, 'once.yaml'), profile.toString())
  rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [once.yaml]')
}

async function begun(): Promise<{ world: World; services: Services; request: ReturnType<typeof tokenRequest> }> {
  const world = await newWorld({ edit: takeOnce })
  const [tenant] = world.gateway.tenants
  if (tenant === undefined) throw new Error('no tenant')
  const form = new URLSearchParams({
    grant_type: TOKEN_EXCHANGE,
    subject_token: await world.token('jwt'),
    subject_token_type: tokenTypes.jwt,
    audience: CWT,
  })
  const facts = { id: 'one', authorization: basic, dpop: [], chain: undefined }
  const { services } = tenant
  return { world, services, request: tokenRequest(parseForm(Buffer.from(form.toString())), facts, services.grants) }
}

describe('a rehearsal', () => {
  it('goes every step but the signature, and says what would be issued', async () => {
    const { world, services, request } = await begun()
    const { error, trace, draft, toBeSigned, profile } = await rehearse(request, services)
    expect(error).toBeUndefined()
    expect(profile?.name).toBe('jwt-to-cwt')
    expect(trace.at(-1)).toEqual({ step: 'first use', outcome: 'passed' })
    expect(trace.map(({ step }) => step)).not.toContain('sign')
    expect(draft?.validity.audience).toEqual([CWT])
    expect(toBeSigned).toBeGreaterThan(100)
    await world.close()
  })

  it('spends nothing: the same request can be exchanged afterwards, and rehearsed before again', async () => {
    const { world, services, request } = await begun()
    const sign = vi.fn(() => {
      throw new Error('a rehearsal signs nothing')
    })
    const replay = memoryReplay()
    const claim = vi.spyOn(replay, 'claim')
    const keep = vi.fn()
    const watching: Services = {
      ...services,
      replay,
      verified: { find: () => undefined, keep },
      keys: {
        ...services.keys,
        signer(name) {
          const signer = services.keys.signer(name)
          return signer && { ...signer, sign }
        },
      },
    }
    expect((await rehearse(request, watching)).error).toBeUndefined()
    expect((await rehearse(request, watching)).error).toBeUndefined()
    expect(sign).not.toHaveBeenCalled()
    expect(claim).not.toHaveBeenCalled()
    expect(keep).not.toHaveBeenCalled()
    expect(replay.size).toBe(0)
    expect(world.records).toHaveLength(0)
    await expect(exchangeToken(request, { ...services, replay })).resolves.toMatchObject({ token_type: 'N_A' })
    await world.close()
  })

  it('knows of a use that has been made', async () => {
    const { world, services, request } = await begun()
    await exchangeToken(request, services)
    const { error, trace } = await rehearse(request, services)
    expect(error?.code).toBe('ERR_TOKEN_REPLAYED')
    expect(trace.at(-1)).toMatchObject({ step: 'first use', outcome: 'refused' })
    await world.close()
  })

  it('says so when the store of uses cannot be asked', async () => {
    const { world, services, request } = await begun()
    const { claimed: _, ...replay } = services.replay
    expect((await rehearse(request, services)).usesKnown).toBe(true)
    expect((await rehearse(request, { ...services, replay })).usesKnown).toBe(false)
    await world.close()
  })

  it('judges each profile by the rules that choose among them', async () => {
    const { world, services, request } = await begun()
    const { candidates } = await rehearse({ ...request, audience: ['https://nowhere.example'] }, services)
    expect(candidates.map(({ misfits }) => misfits.map(({ code }) => code))).toEqual([['ERR_PROFILE_TARGET']])
    await world.close()
  })

  it('refuses where an exchange would be because it cannot be recorded', async () => {
    const { world, services, request } = await begun()
    const audit = { write() {}, healthy: () => false }
    expect((await rehearse(request, { ...services, audit })).error?.code).toBe('ERR_AUDIT_UNAVAILABLE')
    await world.close()
  })

  it('keeps what was signed and refused apart from what was verified', async () => {
    const { world, services, request } = await begun()
    world.now += 7200
    const { error, signed } = await rehearse(request, services)
    expect(error?.code).toBe('ERR_TOKEN_EXPIRED')
    expect(signed.get('subject')?.provenance.issuer).toBe('https://id.alpha.example')
    await world.close()
  })
})
