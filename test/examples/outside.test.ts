import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { protobuf } from '../../docs/examples/protobuf.ts'
import { residency } from '../../docs/examples/residency.ts'
import { map } from '../../src/core/value.ts'
import { newWorld, said, type World } from '../support/world.ts'

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
afterEach(() => world?.close())

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
