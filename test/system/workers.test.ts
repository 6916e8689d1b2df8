import { generateKeyPairSync } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { type Alpha, issue } from '../../src/cli/dev/alpha.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { codecs } from '../../src/codecs/index.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { startWorkers, type Workers } from '../../src/workers/pool.ts'
import { type Answer, basicOf, dpopBy, freePorts, rewrite, send } from '../support/live.ts'
import { serve } from '../support/served.ts'
import { changingServer, json } from '../support/servers.ts'
import { said, TOKEN_EXCHANGE } from '../support/world.ts'

const TARGET = 'https://one.beta.example'
const profile = (lifetime: number | string, accept = '') => `name: one
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example]${accept} }
  targets: { allow: [${TARGET}] }
stages:
  - validity: { lifetime: ${lifetime} }
  - format: { to: jwt }
  - crypto: { key: signing }
`

/** A folder with a configuration of one profile, and where its gateway will listen. */
async function newFolder(text: string, edit?: (folder: string) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-workers-'))
  const [port = 0, tlsPort = 0] = await freePorts(2)
  const { configuration, alpha } = await writeFolder(folder, { host: '127.0.0.1', port, tlsPort })
  rewrite(folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [one.yaml]')
  writeFileSync(join(folder, 'one.yaml'), text)
  edit?.(folder)
  const issuer = `http://127.0.0.1:${port}`
  return {
    folder,
    configuration,
    issuer,
    tlsPort,
    write: (next: string) => writeFileSync(join(folder, 'one.yaml'), next),
    records: (): readonly AuditRecord[] =>
      readFileSync(join(folder, 'audit.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as AuditRecord),
    token: () => tokenOf(alpha, issuer),
    /** Each request over a connection of its own, so that the system gives them to different threads. */
    async exchange(token?: string, headers: { readonly [name: string]: string } = {}, agent?: Agent): Promise<Answer> {
      const form = new URLSearchParams({
        grant_type: TOKEN_EXCHANGE,
        subject_token: token ?? (await tokenOf(alpha, issuer)),
        subject_token_type: tokenTypes.jwt,
        audience: TARGET,
      })
      return send(`${issuer}/token`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: basicOf('demo', 'demo-secret'),
          ...headers,
        },
        body: form.toString(),
        ...(agent && { agent }),
      })
    },
    get: async (path: string) => (await send(`${issuer}${path}`)).text,
    async metric(name: string): Promise<number> {
      const text = (await send(`${issuer}/metrics`)).text
      const line = text.split('\n').find((one) => one.startsWith(name))
      return Number(line?.split(' ').at(-1))
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}

let serial = 0
function tokenOf(alpha: Alpha, issuer: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  serial += 1
  return issue(codecs(), {
    format: 'jwt',
    issuer: 'https://id.alpha.example',
    signer: alpha.signers.jwt,
    claims: { ...said, serial },
    now,
    validity: {
      issuedAt: now,
      notBefore: now - 10,
      expiresAt: now + 3600,
      audience: [issuer],
      scope: ['orders.read'],
    },
  })
}

type Folder = Awaited<ReturnType<typeof newFolder>>
let place: Folder
let workers: Workers | undefined
let threads: Worker[]
let told: { readonly event: string; readonly [name: string]: unknown }[]
afterEach(async () => {
  await workers?.close()
  workers = undefined
  place.remove()
})

async function start(text: string, { count = 2, edit }: { count?: number; edit?: (folder: string) => void } = {}) {
  place = await newFolder(text, edit)
  threads = []
  told = []
  workers = await startWorkers(place.configuration, {
    count,
    log: (event, detail) => told.push({ event, ...detail }),
    spawned: (thread) => threads.push(thread),
  })
  return workers
}

const times = <T>(count: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, work))
const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status).sort()
// A thread that is started reads all of the sources.
const PATIENT = { timeout: 30_000 }
const drain = (path = '/jwks') => times(24, () => place.get(path))

describe('several workers', () => {
  it('take a single-use token once between them, a hundred times, whoever asks at the same moment', async () => {
    const edit = (folder: string) => rewrite(folder, 'dragoman.yaml', 'audit:', 'replay: { capacity: 10000 }\naudit:')
    await start(profile(300, ', single_use: true'), { count: 3, edit })
    for (let round = 0; round < 100; round += 1) {
      const token = await place.token()
      const answers = await times(8, () => place.exchange(token))
      expect(statuses(answers)).toEqual([200, 400, 400, 400, 400, 400, 400, 400])
    }
    expect(await place.metric('dragoman_replay_entries')).toBe(100)
    await expect.poll(() => place.records().length).toBe(800)
    expect(place.records().filter(({ code }) => code === 'ERR_TOKEN_REPLAYED')).toHaveLength(700)
  })

  it('each explain for operators, by the uses that all have made, and mark none', async () => {
    const [port = 0] = await freePorts(1)
    const secret = 'an-operators-secret-of-32-characters'
    await start(profile(300, ', single_use: true'), {
      edit(folder) {
        writeFileSync(join(folder, 'operators.secret'), secret)
        const entry = `  - { host: 127.0.0.1, port: ${port}, operators: { secret_file: operators.secret } }\n`
        rewrite(folder, 'dragoman.yaml', 'listeners:\n', `listeners:\n${entry}`)
      },
    })
    const token = await place.token()
    const form = {
      grant_type: TOKEN_EXCHANGE,
      subject_token: token,
      subject_token_type: tokenTypes.jwt,
      audience: TARGET,
    }
    const explained = async () => {
      const { body } = await send(`http://127.0.0.1:${port}/explain`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${secret}` },
        body: new URLSearchParams({ ...form, client_id: 'demo' }).toString(),
      })
      const { code } = (body['refusal'] ?? {}) as { code?: string }
      return code ?? body['result']
    }
    expect(new Set(await times(12, explained))).toEqual(new Set(['would_pass']))
    expect((await place.exchange(token)).status).toBe(200)
    expect(new Set(await times(12, explained))).toEqual(new Set(['ERR_TOKEN_REPLAYED']))
  })

  it('have the same keys and the same authority, made once', async () => {
    await start(profile(300))
    expect(new Set(await drain()).size).toBe(1)
    expect(new Set(await drain('/ca.pem')).size).toBe(1)
    expect(new Set(await drain('/cose-keys')).size).toBe(1)
  })

  it('are one gateway in the metrics: one scrape has what all did', async () => {
    await start(profile(300))
    expect(statuses(await times(40, () => place.exchange()))).toEqual(Array.from({ length: 40 }, () => 200))
    const counted = 'dragoman_exchanges_total{tenant="default",profile="one",result="issued",code=""}'
    expect(await place.metric(counted)).toBe(40)
    expect(await place.metric('dragoman_workers{state="serving"}')).toBe(2)
    const text = await place.get('/metrics')
    expect(text.match(/^process_resident_memory_bytes /gm)).toHaveLength(1)
  })

  it('write one audit stream, each record a line of its own', async () => {
    await start(profile(300), { count: 4 })
    const answers = await times(400, () => place.exchange())
    await expect.poll(() => place.records().length).toBe(400)
    const ids = new Set(place.records().map(({ id }) => id))
    expect(ids).toEqual(new Set(answers.map(({ headers }) => headers['x-request-id'])))
  })

  it('accept the DPoP nonces of each other', async () => {
    await start(profile(300), {
      edit: (folder) => rewrite(folder, 'dragoman.yaml', 'audit:', 'dpop_nonce: true\naudit:'),
    })
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const first = await place.exchange(undefined, { dpop: dpopBy(privateKey, place) })
    expect(first.body).toMatchObject({ error: 'use_dpop_nonce' })
    const nonce = String(first.headers['dpop-nonce'])
    const answers = await times(20, () => place.exchange(undefined, { dpop: dpopBy(privateKey, place, { nonce }) }))
    expect(statuses(answers)).toEqual(Array.from({ length: 20 }, () => 200))
  })

  it('slow down together whoever guesses a secret, wherever the failures were', async () => {
    await start(profile(300))
    const wrong = { authorization: basicOf('demo', 'wrong-secret') }
    for (let n = 0; n < 10; n += 1) await place.exchange('x', wrong)
    await expect
      .poll(async () => new Set(statuses(await times(16, () => place.exchange('x', wrong)))))
      .toEqual(new Set([429]))
  })

  it('leave a port to whoever has it', async () => {
    place = await newFolder(profile(300))
    const port = Number(new URL(place.issuer).port)
    const other = createServer()
    await new Promise<void>((resolve) => other.listen({ host: '127.0.0.1', port }, resolve))
    const log = () => {}
    await expect(startWorkers(place.configuration, { count: 2, log })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await new Promise((resolve) => other.close(resolve))
    workers = await startWorkers(place.configuration, { count: 2, log })
    // Another one that shares its ports would be given half of the requests.
    await expect(startWorkers(place.configuration, { count: 2, log })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it('do not start where one of them could not', async () => {
    place = await newFolder(profile('"soon"'))
    const starting = startWorkers(place.configuration, { count: 2, log: () => {} })
    await expect(starting).rejects.toMatchObject({ code: 'ERR_PROFILE_SCHEMA' })
  })
})

describe('a reload of several workers', () => {
  const lifetimes = async () => new Set((await times(24, () => place.exchange())).map(({ body }) => body['expires_in']))

  it('is in force in all of them when it is said to be, and a bad one in none', async () => {
    const gateway = await start(profile(300))
    expect(await lifetimes()).toEqual(new Set([300]))
    place.write(profile(60))
    await gateway.reload()
    expect(gateway.generation).toBe(2)
    expect(await lifetimes()).toEqual(new Set([60]))
    expect(await place.metric('dragoman_config_generation')).toBe(2)
    place.write(profile('"soon"'))
    await expect(gateway.reload()).rejects.toMatchObject({ code: 'ERR_PROFILE_SCHEMA' })
    expect(gateway.generation).toBe(2)
    expect(await lifetimes()).toEqual(new Set([60]))
    expect(await place.metric('dragoman_config_reloads_total{result="failed"}')).toBe(1)
    expect(await place.metric('dragoman_config_reloads_total{result="succeeded"}')).toBe(1)
  })

  it('keeps keys and uses, and reaches connections that are kept', async () => {
    const gateway = await start(profile(300, ', single_use: true'))
    const keys = await place.get('/jwks')
    const agents = Array.from({ length: 12 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
    const token = await place.token()
    expect((await place.exchange(token)).status).toBe(200)
    for (const agent of agents) expect((await place.exchange(undefined, {}, agent)).status).toBe(200)
    place.write(profile(60, ', single_use: true'))
    await gateway.reload()
    for (const agent of agents) expect((await place.exchange(undefined, {}, agent)).body['expires_in']).toBe(60)
    expect(statuses(await times(12, () => place.exchange(token)))).toEqual(Array.from({ length: 12 }, () => 400))
    expect(new Set(await drain())).toEqual(new Set([keys]))
    for (const agent of agents) agent.destroy()
  })

  it('can be done twenty times while exchanges run: none fails, and each is of one configuration', async () => {
    const gateway = await start(profile(1000))
    let running = true
    const client = async () => {
      while (running) expect((await place.exchange()).status).toBe(200)
    }
    const clients = [client(), client(), client(), client()]
    for (let round = 1; round <= 20; round += 1) {
      place.write(round % 5 === 0 ? 'name: [broken' : profile(1000 + round))
      await gateway.reload().catch(() => {})
    }
    running = false
    await Promise.all(clients)
    await gateway.close()
    expect(gateway.generation).toBe(17)
    const ends = new Map<string, Set<number>>()
    for (const { profile_digest: digest = '', expires_at: end = 0, time } of place.records()) {
      const lifetime = end - Math.floor(Date.parse(time) / 1000)
      ends.set(digest, (ends.get(digest) ?? new Set()).add(lifetime))
    }
    expect(ends.size).toBeGreaterThan(1)
    // Records carry the moment of their end, which may be a second after that of their beginning.
    for (const set of ends.values()) expect(Math.max(...set) - Math.min(...set)).toBeLessThanOrEqual(1)
  })
})

describe('a worker that ends', () => {
  it('is started again and said so; nothing that was used, made, counted or recorded is lost', async () => {
    await start(profile(300, ', single_use: true'))
    const keys = await place.get('/jwks')
    const token = await place.token()
    expect(statuses(await times(10, () => place.exchange(token))).filter((status) => status === 200)).toHaveLength(1)
    const counted = 'dragoman_exchanges_total{tenant="default",profile="one",result="issued",code=""}'
    expect(await place.metric(counted)).toBe(1)
    for (const thread of [...threads]) await thread.terminate()
    await expect.poll(() => told.filter(({ serves }) => serves === true).length, PATIENT).toBe(2)
    expect(told.filter(({ ended }) => ended === true).map(({ again_after_ms: wait }) => wait)).toEqual([100, 100])
    expect(threads).toHaveLength(4)
    expect(statuses(await times(10, () => place.exchange(token)))).toEqual(Array.from({ length: 10 }, () => 400))
    expect(new Set(await drain())).toEqual(new Set([keys]))
    expect(await place.metric(counted)).toBe(1)
    expect(await place.metric('dragoman_worker_restarts_total')).toBe(2)
    await expect.poll(() => place.records().length).toBe(20)
  })

  it('comes back with the configuration that is in force by then', async () => {
    const gateway = await start(profile(300))
    place.write(profile(60))
    await gateway.reload()
    // What is in the file by now is not in force.
    place.write(profile(20))
    await threads[0]?.terminate()
    await expect.poll(() => told.some(({ serves }) => serves === true), PATIENT).toBe(true)
    const ends = (await times(24, () => place.exchange())).map(({ body }) => body['expires_in'])
    expect(new Set(ends)).toEqual(new Set([60]))
  })
})

describe('a certificate of a listener', () => {
  /** SHA-256 of what is shown on so many connections. */
  const shown = () =>
    times(
      16,
      () =>
        new Promise<string>((resolve, reject) => {
          const socket = connect({ host: '127.0.0.1', port: place.tlsPort, rejectUnauthorized: false }, () => {
            resolve(socket.getPeerCertificate().fingerprint256)
            socket.destroy()
          })
          socket.once('error', reject)
        }),
    )

  it('is renewed by a reload in all workers, and in one that is started again', async () => {
    const gateway = await start(profile(300))
    const before = new Set(await shown())
    expect(before.size).toBe(1)
    const other = await newFolder(profile(300))
    for (const name of ['tls.pem', 'tls.key']) copyFileSync(join(other.folder, name), join(place.folder, name))
    other.remove()
    await gateway.reload()
    const after = new Set(await shown())
    expect(after.size).toBe(1)
    expect(after).not.toEqual(before)
    for (const thread of [...threads]) await thread.terminate()
    await expect.poll(() => told.filter(({ serves }) => serves === true).length, PATIENT).toBe(2)
    expect(new Set(await shown())).toEqual(after)
  })
})

describe('dragoman serve --workers', () => {
  it('reloads on SIGHUP, and on SIGTERM answers what is under way and ends with 0', async () => {
    const keys = await changingServer(json({}))
    place = await newFolder(profile(300), (folder) => {
      const fetch = '    fetch: { allow_private_addresses: true, timeout: 20 }\n'
      rewrite(
        folder,
        'dragoman.yaml',
        '    jwks_file: alpha-jwks.json\n',
        `    jwks_uri: ${keys.origin}/keys\n${fetch}`,
      )
    })
    keys.answer(json(JSON.parse(readFileSync(join(place.folder, 'alpha-jwks.json'), 'utf8'))))
    const server = serve(place.configuration, {}, ['--workers', '2'])
    await server.says(new RegExp(`listening on https://127.0.0.1:${place.tlsPort}`))
    expect(server.addresses[0]).toBe(place.issuer)
    expect(server.stderr).toContain('2 workers')
    const reloaded = server.says(/configuration 2 is in force/)
    server.child.kill('SIGHUP')
    await reloaded
    // Each worker waits for the keys of the issuer.
    const release = keys.hold()
    const under = times(16, () => place.exchange())
    await expect.poll(() => place.metric('dragoman_exchanges_in_flight')).toBe(16)
    const stopping = server.says(/stopping/)
    server.child.kill('SIGTERM')
    await stopping
    release()
    expect(statuses(await under)).toEqual(Array.from({ length: 16 }, () => 200))
    expect(await server.ended).toBe(0)
    expect(place.records()).toHaveLength(16)
  })

  it.each(['0', '257', 'many', '-1', '1.5'])('refuses %s as a number of workers', async (count) => {
    place = await newFolder(profile(300))
    const server = serve(place.configuration, {}, [`--workers=${count}`])
    expect(await server.ended).toBe(2)
    expect(server.stderr).toContain('--workers takes a number from 1 to 256, or auto')
  })
})
