import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { PROTOBUF_TOKEN, protobuf } from '../../docs/examples/protobuf.ts'
import { residency } from '../../docs/examples/residency.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { dpopBy, rewrite } from '../support/live.ts'
import { ISSUER, NOW, newWorld, said, type World } from '../support/world.ts'

const target = 'https://outside.beta.example'
const profile = (options: string) => `name: outside
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [${target}] }
stages:
  - residency: ${options}
  - format: { to: protobuf }
  - crypto: { key: signing }
`

let world: World | undefined
afterEach(async () => {
  await world?.close()
  world = undefined
})

const start = async (options: string) => {
  world = await newWorld({
    codecs: [protobuf],
    stages: [residency],
    edit(folder) {
      const file = join(folder, 'dragoman.yaml')
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^profiles: .*$/m, 'profiles: [outside.yaml]'))
      writeFileSync(join(folder, 'outside.yaml'), profile(options))
    },
  })
  return world
}

const from = (country: string) => ({ claims: map([...Object.entries(said), ['country', country]]) })

describe('a codec and a stage that are not in src/', () => {
  it('take part in a profile, the trace and the ledger', async () => {
    const { post, token, last } = await start('{ regions: { DE: eu, US: us }, here: eu }')
    const { status, body } = await post({ subject_token: await token('jwt', from('DE')), audience: target })
    expect(status).toBe(200)
    expect(body['issued_token_type']).toBe('urn:example:token-type:protobuf')
    expect(last().trace).toContainEqual({
      step: 'residency',
      path: 'stages[0].residency',
      outcome: 'changed',
      changed: ['region'],
    })
    expect(last().ledger).toContainEqual({ claim: 'region', became: 'added' })
  })

  it('refuse with their reason, which the record names by stage and place', async () => {
    const { post, token, last } = await start('{ regions: { DE: eu, US: us }, here: eu }')
    await post({ subject_token: await token('jwt', from('US')), audience: target })
    expect(last()).toMatchObject({ code: 'ERR_PROFILE_CONDITION' })
    expect(last().trace.at(-1)).toMatchObject({
      path: 'stages[0].residency',
      detail: { rule: 'residency', expected: 'eu' },
    })
  })

  it.each([
    [
      '{ regions: { DE: eu }, her: eu }',
      /outside\.yaml:7:\d+: stages\[0\]\.residency\.her: unknown option; did you mean `here`\?/,
    ],
    [
      '{ regions: { DE: 5 }, here: eu }',
      /outside\.yaml:7:\d+: stages\[0\]\.residency\.regions\.DE: expected text, found a number/,
    ],
    [
      '{ regions: { DE: eu }, here: us }',
      /outside\.yaml:7:\d+: stages\[0\]\.residency\.here: expected one of the regions/,
    ],
  ])('have their options checked like any others: %s', async (options, message) => {
    const failure = await start(options).catch((error: { detail: { problems: string[] } }) => error)
    world = undefined
    expect('detail' in failure ? failure.detail.problems.join('\n') : '').toMatch(message)
  })
})

describe('a format from outside', () => {
  const own = `name: back
accept:
  clients: [demo]
  subject: { format: protobuf, issuers: [self], audience: [${target}] }
  targets: { allow: [https://back.beta.example] }
stages:
  - context: { keep: [region] }
  - format: { to: jwt, kind: at+jwt }
  - crypto: { key: signing }
`
  const back = 'https://back.beta.example'
  const type = { subject_token_type: PROTOBUF_TOKEN, audience: back }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const proof = (key = privateKey) => ({ dpop: dpopBy(key, { issuer: ISSUER }, { iat: NOW }) })

  const both = async () => {
    world = await newWorld({
      codecs: [protobuf],
      stages: [residency],
      edit(folder) {
        rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [outside.yaml, back.yaml]')
        rewrite(folder, 'dragoman.yaml', /subjects: .*\n/, 'subjects: ["*"]\n    history: true\n')
        writeFileSync(join(folder, 'outside.yaml'), profile('{ regions: { DE: eu }, here: eu }'))
        writeFileSync(join(folder, 'back.yaml'), own)
      },
    })
    return world
  }

  it('goes there and back: subject, history, life and what the stage said are as they were', async () => {
    const { post, token } = await both()
    const act = map([['sub', 'svc-a']])
    const claims = map([...Object.entries(from('DE').claims), ['act', act]])
    const there = await post({ subject_token: await token('jwt', { claims }), audience: target })
    const { status, body } = await post({ subject_token: String(there.body['access_token']), ...type })
    expect(status).toBe(200)
    const said1 = decodeJwt(String(body['access_token']))
    expect(said1).toMatchObject({ sub: said['sub'], act: { sub: 'svc-a' }, region: 'eu', aud: back })
    expect(said1.exp).toBe(NOW + Number(there.body['expires_in']))
  })

  it('is bound like any other: its holder proves the key, each time', async () => {
    const { post, token, last } = await both()
    const there = await post({ subject_token: await token('jwt', from('DE')), audience: target }, proof())
    expect(there.body['cnf']).toHaveProperty('jkt')
    const bound = { subject_token: String(there.body['access_token']), ...type }
    expect((await post(bound)).status).toBe(400)
    expect(last().code).toBe('ERR_TOKEN_UNPROVED')
    await post(bound, proof(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey))
    expect(last().code).toBe('ERR_PROOF_MISMATCH')
    const { status, body } = await post(bound, proof())
    expect({ status, type: body['token_type'], cnf: body['cnf'] }).toEqual({
      status: 200,
      type: 'DPoP',
      cnf: there.body['cnf'],
    })
  })

  it('is verified like any other: altered, for somebody else, too old, or of another type, it is refused', async () => {
    const gateway = await both()
    const { post, token, last } = gateway
    const there = await post({ subject_token: await token('jwt', from('DE')), audience: target })
    const raw = String(there.body['access_token'])
    const code = async (parameters: { [name: string]: string }) => {
      await post({ ...type, ...parameters })
      return last().code
    }
    const [payload = '', detached = ''] = raw.split('~')
    const altered = Buffer.from(payload, 'base64url')
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1
    expect(await code({ subject_token: `${altered.toString('base64url')}~${detached}` })).toMatch(
      /^ERR_TOKEN_(SIGNATURE|MALFORMED)$/,
    )
    expect(await code({ subject_token: await token('jwt') })).toBe('ERR_TOKEN_MALFORMED')
    expect(await code({ subject_token: raw, subject_token_type: tokenTypes.jwt })).toBe('ERR_PROFILE_TARGET')
    gateway.now = NOW + 3600 + 31
    expect(await code({ subject_token: raw })).toBe('ERR_TOKEN_EXPIRED')
  })
})

describe('what nobody has registered', () => {
  it.each([
    ['a stage', { codecs: [protobuf] }, /outside\.yaml:7:\d+: stages\[0\].*residency/],
    ['a format', { stages: [residency] }, /outside\.yaml:8:\d+: stages\[1\]\.format\.to: .*cwt/],
  ])('%s: stops the start, with its place', async (_what, options, message) => {
    const failure = await newWorld({
      ...options,
      edit(folder) {
        rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [outside.yaml]')
        writeFileSync(join(folder, 'outside.yaml'), profile('{ regions: { DE: eu }, here: eu }'))
      },
    }).catch((error: { detail: { problems: string[] } }) => error)
    world = undefined
    expect('detail' in failure ? failure.detail.problems.join('\n') : '').toMatch(message)
  })
})
