import { connect } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { type ErrorCode, errors } from '../../src/core/errors.ts'
import { explainCode } from '../../src/explain/code.ts'
import { explainRecord } from '../../src/explain/record.ts'
import { explanationText } from '../../src/explain/text.ts'
import type { Explanation } from '../../src/explain/types.ts'
import { newEdgeWorld } from '../support/edge.ts'
import { basicOf, send } from '../support/live.ts'
import { ALONE, RECORDED } from './cases/served.ts'

const edge = await newEdgeWorld({ max_token_bytes: 256 })
afterAll(() => edge.close())

const [tenant] = edge.gateway.tenants
if (tenant === undefined) throw new Error('no tenant')
const { services, places: configuration } = tenant
const bearer = { authorization: `Bearer ${await edge.token('jwt')}` }
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const post = (path: string, headers: { readonly [name: string]: string }, body: string) =>
  send(edge.plain, { method: 'POST', path, headers, body })

/** What makes the gateway refuse so. */
const provoke: { readonly [code: string]: (() => Promise<unknown>) | undefined } = {
  ERR_REQUEST_MEDIA_TYPE: () => post('/token', { 'content-type': 'application/json' }, '{}'),
  ERR_REQUEST_BATCH: () => post('/token/batch', { 'content-type': 'application/json' }, '{"items":[]}'),
  ERR_REQUEST_FORWARDED: () => edge.ask({ ...bearer, 'x-forwarded-proto': undefined }),
  ERR_PROFILE_HEADER: () => edge.ask(bearer),
  ERR_CLIENT_SLOWED: async () => {
    const authorization = basicOf('demo', 'guess')
    const body = 'grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x&subject_token_type=x'
    for (let count = 0; count < 12; count += 1) await post('/token', { ...form, authorization }, body)
  },
}

/** What a client hears that is turned away. */
const heard: {
  readonly [code: string]: (() => Promise<{ readonly status: number; readonly text: string }>) | undefined
} = {
  ERR_REQUEST_METHOD: () => send(edge.plain, { path: '/token' }),
  ERR_REQUEST_READ_ONLY: () => send(edge.plain, { method: 'POST', path: '/jwks' }),
  ERR_REQUEST_ENDPOINT: () => send(edge.plain, { path: '/nowhere' }),
  ERR_REQUEST_HEADERS: () => send(edge.plain, { path: '/token', headers: { cookie: 'a'.repeat(100_000) } }),
  ERR_REQUEST_HTTP: () => spoken('nonsense\r\n\r\n'),
}

function spoken(bytes: string): Promise<{ readonly status: number; readonly text: string }> {
  const { hostname, port } = new URL(edge.plain)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.setEncoding('utf8').on('data', (more) => {
      text += more
    })
    socket.on('error', reject)
    socket.on('end', () => resolve({ status: Number(text.split(' ')[1]), text }))
  })
}

function assertHelps(explanation: Explanation, code: ErrorCode, words: readonly RegExp[]): void {
  const { refusal } = explanation
  expect(refusal?.code).toBe(code)
  expect(refusal?.expected).toBeTypeOf('string')
  expect(refusal?.found).toBeTypeOf('string')
  expect(refusal?.remedies.length).toBeGreaterThan(0)
  const text = explanationText(explanation)
  for (const word of words) expect(text).toMatch(word)
  expect(text).not.toMatch(/undefined|\[object|NaN|Invalid|``|: *$|= *$/m)
  expect(text).not.toContain(bearer.authorization.slice(-20))
}

describe('what is refused at the edge of the gateway', () => {
  it.each(Object.entries(RECORDED))('%s is explained from its record', async (name, words) => {
    const code = name as keyof typeof RECORDED
    await provoke[code]?.()
    const record = edge.last()
    expect(record.code).toBe(code)
    assertHelps(explainRecord(record, services, { configuration }), code, words)
  })

  it.each(Object.entries(ALONE))('%s, which leaves no record, is explained by itself', async (name, words) => {
    const code = name as keyof typeof ALONE
    const answer = await heard[code]?.()
    if (answer !== undefined) {
      expect(answer.status).toBe(errors[code].status)
      expect(answer.text).toContain(errors[code].description)
    }
    const explanation = explainCode(code, services, { configuration })
    assertHelps(explanation, code, words)
    expect(explanation.notes.join()).toContain('no audit record')
  })

  it('a code of an exchange, asked for by itself, has the words of the catalogue and says how to learn more', () => {
    const explanation = explainCode('ERR_TOKEN_EXPIRED', services, { configuration })
    expect(explanation.refusal?.remedies).toEqual([errors.ERR_TOKEN_EXPIRED.cure])
    expect(explanation.notes.join()).toContain('--request-id')
    expect(explanationText(explanation)).toMatch(/^ERR_TOKEN_EXPIRED\n/)
  })
})
