import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { gate } from '../support/gate.ts'
import { type Live, newLive, rewrite, send } from '../support/live.ts'

const TARGET = 'https://one.beta.example'
const PROFILE = `name: one
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example], single_use: true }
  targets: { allow: [${TARGET}] }
stages:
  - gate: {}
  - format: { to: jwt }
  - crypto: { key: signing }
`
const ROOM = 4

let live: Live
afterEach(() => live.close())

/** A gateway with room for four, held inside the recipe by the test. */
async function start(edit: (folder: string) => void = () => {}) {
  const held = gate()
  live = await newLive({
    stages: [held.stage],
    edit(folder) {
      writeFileSync(join(folder, 'one.yaml'), PROFILE)
      rewrite(
        folder,
        'dragoman.yaml',
        /^profiles: .*$/m,
        `profiles: [one.yaml]\nlimits: { concurrent_exchanges: ${ROOM} }`,
      )
      edit(folder)
    },
  })
  return held.close()
}

const ask = async (token?: string) => live.post({ subject_token: token ?? (await live.token('jwt')), audience: TARGET })
const metric = async (name: string) => {
  const { text } = await send(`${live.plain}/metrics`)
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.split(' ')
      .at(-1),
  )
}
const fill = async () => {
  const taken = Array.from({ length: ROOM }, () => ask())
  await expect.poll(() => metric('dragoman_exchanges_in_flight'), { interval: 10 }).toBe(ROOM)
  return taken
}

describe('more exchanges than there is room for', () => {
  it('are refused at once, each counted, none recorded; what was taken in is answered and recorded', async () => {
    const { open } = await start()
    const taken = await fill()
    const refused = await Promise.all(Array.from({ length: 10 * ROOM }, () => ask()))
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
      expect(answer.headers['retry-after']).toBe('1')
    }
    expect(await metric('dragoman_requests_turned_away_total{code="ERR_OVERLOADED"}')).toBe(10 * ROOM)
    expect(live.records).toHaveLength(0)
    open()
    for (const answer of await Promise.all(taken)) expect(answer.status).toBe(200)
    expect(live.records).toHaveLength(ROOM)
    expect((await ask()).status).toBe(200)
  })

  it('leave the paths of the process and the published keys as they are', async () => {
    const { open } = await start()
    const taken = await fill()
    for (const path of ['/livez', '/readyz', '/metrics', '/version', '/jwks']) {
      expect((await send(`${live.plain}${path}`)).status).toBe(200)
    }
    open()
    await Promise.all(taken)
  })

  it('spend nothing: a single-use token that was refused is taken later', async () => {
    const { open } = await start()
    const taken = await fill()
    const token = await live.token('jwt')
    expect((await ask(token)).status).toBe(503)
    open()
    await Promise.all(taken)
    expect((await ask(token)).status).toBe(200)
    expect((await ask(token)).status).toBe(400)
  })

  it('are refused before their body, and on a connection that stays', async () => {
    const { open } = await start()
    const taken = await fill()
    const { port } = new URL(live.plain)
    const socket = connect({ host: '127.0.0.1', port: Number(port) })
    const head = 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n'
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    // Nothing of the body is sent before the answer is there.
    socket.write(`${head}Content-Length: 3\r\n\r\n`)
    await expect.poll(() => text).toContain('HTTP/1.1 503')
    socket.write(`a=bGET /livez HTTP/1.1\r\nHost: x\r\n\r\n`)
    await expect.poll(() => text).toContain('{"live":true}')
    socket.destroy()
    open()
    await Promise.all(taken)
  })

  it('of one tenant leave room for those of another', async () => {
    const { open } = await start((folder) => {
      const file = join(folder, 'dragoman.yaml')
      const [before = '', tenant = ''] = readFileSync(file, 'utf8').split(/^(?=keys:)/m)
      const [, listeners = ''] = before.split(/^(?=listeners:)/m)
      const issuer = /^issuer: (.*)$/m.exec(before)?.[1] ?? ''
      const of = (name: string, path: string) =>
        `  - name: ${name}\n    issuer: ${issuer}${path}\n${tenant.replace(/^(?=.)/gm, '    ')}`
      writeFileSync(file, `${listeners}tenants:\n${of('first', '')}${of('second', '/second')}`)
    })
    const taken = await fill()
    expect((await ask()).status).toBe(503)
    const body = new URLSearchParams({ grant_type: 'x', subject_token: 'x', subject_token_type: 'x' }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    // Refused for what it says, not for want of room.
    expect((await send(`${live.plain}/second/token`, { method: 'POST', headers, body })).status).toBe(400)
    open()
    await Promise.all(taken)
  })
})
