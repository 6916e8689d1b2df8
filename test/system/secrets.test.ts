import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Stage } from '../../src/core/stage.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map, withMember } from '../../src/core/value.ts'
import { newWorld, type Reply, said, type World } from '../support/world.ts'

const logged: unknown[] = []
let world: World
beforeAll(async () => {
  world = await newWorld({ log: (event, detail) => void logged.push([event, detail]) })
})
afterAll(() => world.close())

const CANARY = 'canary-9f3a71'
const target = 'https://orders.beta.example'

/** Requests that are refused at every step, each with a canary in everything that is secret or personal. */
async function requests(): Promise<readonly (() => Promise<Reply>)[]> {
  const claims = map([...Object.entries(said), ['email', `${CANARY}@alpha.example`], ['note', CANARY]])
  const jwt = await world.token('jwt', { claims })
  const cwt = await world.token('cwt', { claims })
  const foreign = await world.token('jwt', { claims, issuer: `https://${CANARY}.example` })
  const outside = await world.token('jwt', { claims: withMember(claims, 'sub', `spiffe://${CANARY}.example/x`) })
  const acted = await world.token('jwt', { claims: withMember(claims, 'act', map([['sub', CANARY]])) })
  const mayAct = await world.token('jwt', { claims: withMember(claims, 'may_act', map([['sub', CANARY]])) })
  const expired = await world.token('jwt', {
    claims,
    validity: { issuedAt: 1, notBefore: 1, expiresAt: 2, audience: [], scope: undefined },
  })
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  })
  const tokens = [
    jwt,
    foreign,
    outside,
    acted,
    mayAct,
    expired,
    `${jwt}x`,
    jwt.slice(0, -4),
    `${CANARY}.${CANARY}.${CANARY}`,
    CANARY,
    `{"payload":"${CANARY}"}`,
  ]
  return [
    ...tokens.map((token) => () => world.post({ subject_token: token, audience: target })),
    ...[cwt, jwt, CANARY, `${cwt}AA`].map(
      (token) => () =>
        world.post({
          subject_token: token,
          subject_token_type: tokenTypes.cwt,
          audience: 'https://cwt-to-jwt.beta.example',
        }),
    ),
    () =>
      world.post({
        subject_token: world.file('client.pem'),
        subject_token_type: tokenTypes.x509,
        audience: 'https://x509-to-jwt.beta.example',
      }),
    () => world.post({ subject_token: jwt, audience: target }, basic('demo', CANARY)),
    () => world.post({ subject_token: jwt, audience: target }, basic(CANARY, CANARY)),
    () => world.post({ subject_token: jwt, audience: target }, { authorization: `Basic ${CANARY}` }),
    () => world.post({ subject_token: jwt, audience: target }, { authorization: `Bearer ${CANARY}` }),
    () => world.post({ subject_token: jwt, audience: target, client_secret: CANARY, client_id: 'demo' }),
    () =>
      world.post({
        subject_token: jwt,
        audience: target,
        client_assertion: `${jwt}`,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
    () => world.post({ subject_token: jwt, audience: target }, { dpop: jwt }),
    () => world.post({ subject_token: jwt, audience: target }, { dpop: `${CANARY}.${CANARY}.${CANARY}` }),
    () => world.post({ subject_token: jwt, audience: `https://${CANARY}.example` }),
    () => world.post({ subject_token: jwt, audience: target, resource: `relative/${CANARY}` }),
    () => world.post({ subject_token: jwt, audience: target, scope: `a  ${CANARY}` }),
    () => world.post({ subject_token: jwt, audience: 'https://jwt-to-x509.beta.example' }),
    () => world.post({ subject_token: jwt, audience: 'https://jwt-to-x509.beta.example', csr: `-----BEGIN ${CANARY}` }),
    () => world.post({ subject_token: jwt, audience: target, actor_token: jwt, actor_token_type: tokenTypes.jwt }),
    () => world.post({ subject_token: jwt, subject_token_type: `urn:${CANARY}`, audience: target }),
    () => world.post({ subject_token: jwt, audience: target, requested_token_type: `urn:${CANARY}` }),
    () => world.post({ subject_token: [jwt, jwt], audience: target }),
    () => world.post({ subject_token: jwt, audience: target, grant_type: CANARY }),
  ]
}

describe('what is written', () => {
  it('holds no token, secret, key or canary: not the answers, not the records, not the log', async () => {
    const replies: Reply[] = []
    const all = await requests()
    for (const request of all) replies.push(await request())
    const refused = replies.filter(({ status }) => status >= 400)
    // Most are refused, each for a reason of its own.
    expect(new Set(world.records.map(({ code }) => code)).size).toBeGreaterThan(20)
    const written = [
      ...refused.map(({ body, headers }) => JSON.stringify([body, headers])),
      ...world.records.map((record) => JSON.stringify(record)),
      ...logged.map((entry) => inspect(entry, { depth: 10 })),
    ].join('\n')
    const secret = readFileSync(join(world.folder, 'pairwise.secret'), 'utf8')
    for (const forbidden of ['eyJ', 'canary', 'demo-secret', secret, 'PRIVATE KEY', 'BEGIN CERTIFICATE', 'Basic ZG']) {
      expect(written.includes(forbidden), `${forbidden} in ${around(written, forbidden)}`).toBe(false)
    }
  })

  it('leaves exactly one record for each request, refused or not', async () => {
    for (const request of await requests()) {
      const before = world.records.length
      await request()
      expect(world.records.length).toBe(before + 1)
    }
  })

  it('has a request id in every answer that leads to its record', async () => {
    for (const request of await requests()) {
      const { headers } = await request()
      expect(headers['x-request-id']).toBe(world.last().id)
    }
  })

  it('tells of what failed inside without its message', async () => {
    const explode: Stage = {
      name: 'explode',
      phase: 'meaning',
      summary: 'fails',
      schema: { type: 'object' },
      prepare: () => ({
        transform: () => {
          throw new TypeError(`${CANARY} from somewhere deep`)
        },
      }),
    }
    const broken = await newWorld({
      stages: [explode],
      log: (event, detail) => void logged.push([event, detail]),
      edit(folder) {
        const file = join(folder, 'dragoman.yaml')
        writeFileSync(file, readFileSync(file, 'utf8').replace(/^profiles: .*$/m, 'profiles: [explode.yaml]'))
        const profile = `name: explode
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [${target}] }
stages:
  - explode: {}
  - format: { to: jwt }
  - crypto: { key: signing }
`
        writeFileSync(join(folder, 'explode.yaml'), profile)
      },
    })
    const reply = await broken.post({ subject_token: await broken.token('jwt'), audience: target })
    expect(reply).toMatchObject({ status: 500, body: { error: 'server_error' } })
    expect(broken.last()).toMatchObject({ code: 'ERR_INTERNAL', result: 'refused' })
    expect(broken.last().trace.at(-1)).toMatchObject({ step: 'explode', path: 'stages[0].explode', outcome: 'refused' })
    expect(JSON.stringify([reply.body, broken.last(), logged])).not.toContain(CANARY)
    // The operator is told that there is a defect, and where.
    expect(inspect(logged.at(-1))).toContain('exchange')
    await broken.close()
  })
})

const around = (text: string, part: string): string => {
  const at = text.indexOf(part)
  return at < 0 ? '' : text.slice(Math.max(0, at - 300), at + 100)
}
