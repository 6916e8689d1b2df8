import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NOW, newWorld, type World } from '../support/world.ts'

/** An issuer whose key endpoint can be up, down, broken or slow. */
let answer: 'keys' | 'down' | 'garbage' | 'empty' | 'hang' = 'keys'
let requests = 0
let issuer: Server
let world: World

beforeEach(async () => {
  answer = 'keys'
  requests = 0
  issuer = createServer((_, response) => {
    requests += 1
    if (answer === 'hang') return
    if (answer === 'down') return void response.destroy()
    const body = { keys: world.file('alpha-jwks.json'), garbage: '<html>', empty: '{"keys":[]}' }[answer]
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=60' }).end(body)
  })
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  const address = issuer.address()
  const port = typeof address === 'object' && address ? address.port : 0
  world = await newWorld({
    edit(folder) {
      const file = join(folder, 'dragoman.yaml')
      const fetch = '{ allow_private_addresses: true, timeout: 0.3, stale_limit: 600 }'
      const text = readFileSync(file, 'utf8').replace(
        '    jwks_file: alpha-jwks.json\n',
        `    jwks_uri: http://127.0.0.1:${port}/keys\n    fetch: ${fetch}\n`,
      )
      // Each token is verified by the keys of now.
      writeFileSync(file, `${text}verification_cache: { capacity: 0 }\n`)
    },
  })
})
afterEach(async () => {
  await world.close()
  issuer.closeAllConnections()
  await new Promise((resolve) => issuer.close(resolve))
})

const exchange = async () =>
  world.post({ subject_token: await world.token('jwt'), audience: 'https://orders.beta.example' })

describe('an issuer that cannot be reached', () => {
  it.each(['down', 'garbage', 'empty', 'hang'] as const)(
    '%s: is a temporary error that says so, never an invalid token',
    async (how) => {
      answer = how
      const reply = await exchange()
      expect(reply).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0)
      expect(world.last()).toMatchObject({ code: 'ERR_TRUST_UNAVAILABLE' })
      // What it answered is in nothing that is written.
      expect(JSON.stringify([reply.body, world.last()])).not.toContain('<html>')
    },
  )

  it('is asked again after a while, and then all is well', async () => {
    answer = 'down'
    expect((await exchange()).status).toBe(503)
    answer = 'keys'
    world.now = NOW + 5
    expect((await exchange()).status).toBe(200)
  })

  it('leaves the known keys working, until the limit', async () => {
    expect((await exchange()).status).toBe(200)
    answer = 'down'
    world.now = NOW + 61
    expect((await exchange()).status).toBe(200)
    world.now = NOW + 600
    expect((await exchange()).status).toBe(200)
    world.now = NOW + 661
    expect((await exchange()).status).toBe(503)
  })

  it('is asked once by many who wait', async () => {
    const replies = await Promise.all(Array.from({ length: 30 }, exchange))
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
    expect(requests).toBe(1)
  })
})
