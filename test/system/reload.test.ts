import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeProtectedHeader } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { gate } from '../support/gate.ts'
import { rewrite } from '../support/live.ts'
import { newWorld, type World } from '../support/world.ts'

const target = 'https://one.beta.example'
const profile = (lifetime: number | string, more = '') => `name: one
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example]${more} }
  targets: { allow: [${target}] }
stages:
  - gate: {}
  - validity: { lifetime: ${lifetime} }
  - format: { to: jwt }
  - crypto: { key: signing }
`

let world: World
const held = gate()
const write = (text: string) => writeFileSync(join(world.folder, 'one.yaml'), text)
const start = async (text = profile(300)) => {
  world = await newWorld({
    stages: [held.stage],
    edit(folder) {
      const file = join(folder, 'dragoman.yaml')
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^profiles: .*$/m, 'profiles: [one.yaml]'))
      writeFileSync(join(folder, 'one.yaml'), text)
    },
  })
}
afterEach(() => world.close())

const exchange = async () => world.post({ subject_token: await world.token('jwt'), audience: target })
const keys = async () => (await world.gateway.http.inject({ url: '/jwks' })).body
const metric = async (name: string) => {
  const { body } = await world.gateway.http.inject({ url: '/metrics' })
  return body.split('\n').find((line) => line.startsWith(name))
}

const ALGORITHMS = ['ES256', 'ES384', 'Ed25519'] as const
const algorithmOf = (round: number) => ALGORITHMS[round % ALGORITHMS.length] ?? 'ES256'
const jose = (algorithm: string) => (algorithm === 'Ed25519' ? 'EdDSA' : algorithm)
/** The key of the profile is another from now on, once it is read. */
const signBy = (algorithm: string) =>
  rewrite(
    world.folder,
    'dragoman.yaml',
    /\{ name: signing, .* \}/,
    `{ name: signing, algorithm: ${algorithm}, generate: true }`,
  )

describe('a reload', () => {
  it('puts the new profiles in force', async () => {
    await start()
    expect((await exchange()).body).toMatchObject({ expires_in: 300 })
    write(profile(60))
    await world.gateway.reload()
    expect((await exchange()).body).toMatchObject({ expires_in: 60 })
    expect(world.gateway.generation).toBe(2)
    expect(await metric('dragoman_config_generation')).toBe('dragoman_config_generation 2')
  })

  it('leaves the old one in force when the new one is bad, and says so', async () => {
    await start()
    write(profile('"soon"'))
    await expect(world.gateway.reload()).rejects.toMatchObject({ code: 'ERR_PROFILE_SCHEMA' })
    expect((await exchange()).body).toMatchObject({ expires_in: 300 })
    expect(world.gateway.generation).toBe(1)
    expect(await metric('dragoman_config_reloads_total{result="failed"}')).toMatch(/ 1$/)
  })

  /** So many profiles that reading them takes several turns of the event loop. */
  const writeMany = () => {
    const many = Array.from({ length: 600 }, (_, n) => `many-${n}`)
    for (const name of many) {
      const text = profile(60).replace('name: one', `name: ${name}`).replaceAll(target, `https://${name}.beta.example`)
      writeFileSync(join(world.folder, `${name}.yaml`), text)
    }
    const file = join(world.folder, 'dragoman.yaml')
    const list = ['one', ...many].map((name) => `${name}.yaml`).join(', ')
    writeFileSync(file, readFileSync(file, 'utf8').replace('[one.yaml]', `[${list}]`))
  }

  it('of many profiles lets exchanges go on under the old ones, until all are read', async () => {
    await start()
    write(profile(60))
    writeMany()
    let read = false
    const reload = world.gateway.reload().then(() => {
      read = true
    })
    expect((await exchange()).body).toMatchObject({ expires_in: 300 })
    expect(read).toBe(false)
    await reload
    expect((await exchange()).body).toMatchObject({ expires_in: 60 })
  })

  it('refuses what changed while it was read: half of one edition and half of the next are neither', async () => {
    await start()
    writeMany()
    const reload = world.gateway.reload()
    // By now the configuration has been read, and few of its profiles.
    await new Promise((resolve) => setImmediate(resolve))
    const file = join(world.folder, 'dragoman.yaml')
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n# the next edition\n`)
    write(profile(60))
    await expect(reload).rejects.toMatchObject({
      code: 'ERR_PROFILE_SYNTAX',
      detail: { file, expected: expect.stringContaining('reload once more') },
    })
    expect((await exchange()).body).toMatchObject({ expires_in: 300 })
    await world.gateway.reload()
    expect((await exchange()).body).toMatchObject({ expires_in: 60 })
  })

  it('keeps keys made at start, so that what they signed still verifies', async () => {
    await start()
    const before = await keys()
    await world.gateway.reload()
    expect(await keys()).toBe(before)
  })

  it('remembers what was used', async () => {
    await start(profile(300, ', single_use: true'))
    const subject_token = await world.token('jwt')
    expect((await world.post({ subject_token, audience: target })).status).toBe(200)
    await world.gateway.reload()
    await world.post({ subject_token, audience: target })
    expect(world.last().code).toBe('ERR_TOKEN_REPLAYED')
  })

  it('goes on counting', async () => {
    await start()
    await exchange()
    await world.gateway.reload()
    await exchange()
    expect(await metric('dragoman_exchanges_total{tenant="default",profile="one",result="issued"')).toMatch(/ 2$/)
  })

  it('lets an exchange that is under way end as it began', async () => {
    await start()
    const { inside, open } = held.close()
    const under = exchange()
    await inside
    write(profile(60))
    await world.gateway.reload()
    open()
    expect((await under).body).toMatchObject({ expires_in: 300 })
    expect((await exchange()).body).toMatchObject({ expires_in: 60 })
  })

  it('refuses to move a listener', async () => {
    await start()
    const file = join(world.folder, 'dragoman.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('port: 8080', 'port: 8081'))
    await expect(world.gateway.reload()).rejects.toMatchObject({ code: 'ERR_PROFILE_OPTION' })
  })

  it('can be done a hundred times, every tenth broken, while exchanges run: none fails, none is a mixture', async () => {
    await start(profile(1000))
    let running = true
    const lifetimes: number[] = []
    const digests = new Map<string, Set<number>>()
    const client = async () => {
      while (running) {
        const { status, body } = await exchange()
        expect(status).toBe(200)
        const { profile_digest: digest = '', expires_at: end = 0 } = world.last()
        const lifetime = Number(body['expires_in'])
        lifetimes.push(lifetime)
        // The lifetime is the profile's, the key the configuration's: of one generation, or of none.
        expect(decodeProtectedHeader(String(body['access_token'])).alg).toBe(jose(algorithmOf(lifetime - 1000)))
        // One configuration has one lifetime: the record's digest of the profile says which it was.
        digests.set(digest, (digests.get(digest) ?? new Set()).add(end - world.now))
      }
    }
    const clients = [client(), client(), client()]
    let failed = 0
    for (let round = 1; round <= 100; round += 1) {
      // A broken one is half new: what can be read of it must not count either.
      signBy(algorithmOf(round))
      write(round % 10 === 0 ? 'name: [broken' : profile(1000 + round))
      await world.gateway.reload().catch(() => {
        failed += 1
      })
      expect((await exchange()).status).toBe(200)
    }
    running = false
    await Promise.all(clients)
    expect(failed).toBe(10)
    expect(world.gateway.generation).toBe(91)
    expect(lifetimes.length).toBeGreaterThan(20)
    expect(new Set(lifetimes).size).toBeGreaterThan(5)
    expect([...digests.values()].every((ends) => ends.size === 1)).toBe(true)
  })
})
