import { describe, expect, it } from 'vitest'
import type { TokenRequest } from '../../src/core/exchange.ts'
import type { Danger } from '../../src/core/profile.ts'
import { type SenderConstraintOptions, senderConstraint } from '../../src/stages/sender_constraint.ts'
import { settingOf } from '../support/exchange.ts'
import { certificate, profile, said, stage, subjectToken, world } from '../support/fakes.ts'

/** What comes out bound to what, through the recipe and the stage together. */
async function issued(
  options: SenderConstraintOptions,
  request: Partial<TokenRequest>,
  dangers: readonly Danger[] = [],
) {
  const { transform } = senderConstraint.prepare(options, settingOf())
  const steps = transform ? [stage(transform)] : []
  const { access_token, token_type } = await world(profile({ steps, dangers })).exchange(request)
  const { cnf, former_cnf } = said(access_token)
  return { cnf, former_cnf, token_type }
}

describe('a bearer token that comes with a DPoP proof', () => {
  const dpop = ['k1']

  it('goes out bound to it, unless a stage says otherwise (RFC 9449 §5)', async () => {
    const byProof = { publicKey: 'k1', jkt: 'k1' }
    expect(await issued({ require: true }, { dpop })).toMatchObject({ cnf: byProof, token_type: 'DPoP' })
    expect(await issued({ mode: 'bind' }, { dpop })).toMatchObject({ cnf: byProof, token_type: 'DPoP' })
  })

  it('goes out bound to the proof that the stage asks for, where there is one', async () => {
    const request = { dpop, csr: 'k2', certificates: certificate('k3', 'c3') }
    expect(await issued({ mode: 'bind', method: ['pkcs10'] }, request)).toMatchObject({ cnf: { publicKey: 'k2' } })
    expect(await issued({ mode: 'bind', method: ['mtls'] }, request)).toMatchObject({
      cnf: { publicKey: 'k3', x5tS256: 'c3' },
    })
    expect(await issued({ mode: 'bind', method: ['pkcs10'] }, { dpop })).toMatchObject({ cnf: { publicKey: 'k1' } })
  })

  it('becomes a bearer token again only where that is said, and was never bound before', async () => {
    const drop = { danger_drop_confirmation: true } as const
    expect(await issued(drop, { dpop }, ['danger_drop_confirmation'])).toEqual({ token_type: 'Bearer' })
    await expect(issued(drop, { dpop })).rejects.toMatchObject({ code: 'ERR_PROFILE_WIDER' })
  })
})

describe('a bound token', () => {
  const bound = { subject_token: subjectToken({ cnf: { jkt: 'k1' } }), dpop: ['k1'] }

  it('stays bound to its key, and refuses another', async () => {
    expect(await issued({ mode: 'bind' }, bound)).toMatchObject({ cnf: { jkt: 'k1' } })
    const other = issued({ mode: 'bind' }, { ...bound, csr: 'k2' })
    await expect(other).rejects.toMatchObject({ code: 'ERR_PROOF_MISMATCH' })
  })

  it('moves to another key that was proved as well, where that is said', async () => {
    expect(await issued({ rebind: 'client' }, { ...bound, csr: 'k2' })).toMatchObject({ cnf: { publicKey: 'k2' } })
  })

  it('tells what it was bound to, where that is dropped', async () => {
    const dropped = issued({ danger_drop_confirmation: true }, bound, ['danger_drop_confirmation'])
    expect(await dropped).toMatchObject({ former_cnf: { jkt: 'k1' }, token_type: 'Bearer' })
  })
})
