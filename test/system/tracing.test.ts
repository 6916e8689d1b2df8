import { writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createGateway } from '../../src/compose.ts'
import { type Live, type LiveOptions, newLive, rewrite } from '../support/live.ts'

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly arrayValue?: { values: { stringValue: string }[] } }
}
interface Span {
  readonly traceId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly attributes: readonly Attribute[]
  readonly events: readonly { readonly name: string; readonly attributes: readonly Attribute[] }[]
  readonly status: { readonly code: number; readonly message?: string }
}

/** What takes traces over HTTP, as a collector does. */
let collector: Server
let received: { readonly headers: IncomingHttpHeaders; readonly text: string }[]
let status: number
let endpoint: string
beforeEach(async () => {
  received = []
  status = 200
  collector = createServer((request, response) => {
    let text = ''
    request.on('data', (part: Buffer) => {
      text += part.toString()
    })
    request.on('end', () => {
      received.push({ headers: request.headers, text })
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  const address = collector.address()
  endpoint = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/v1/traces`
})
afterEach(() => {
  collector.closeAllConnections()
  collector.close()
})

const start = (more = '', options: LiveOptions = {}) =>
  newLive({
    ...options,
    edit(folder) {
      writeFileSync(join(folder, 'headers.json'), '{ "x-api-key": "canary-collector" }')
      rewrite(folder, 'dragoman.yaml', 'keys:\n', `tracing: { otlp_endpoint: "${endpoint}"${more} }\nkeys:\n`)
    },
  })

const spans = (): readonly Span[] =>
  received.flatMap(({ text }) => {
    const { resourceSpans } = JSON.parse(text) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }
    return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
  })
const said = (attributes: readonly Attribute[]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.arrayValue?.values.map(({ stringValue }) => stringValue),
    ]),
  )

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const audience = 'https://jwt-to-cwt.beta.example'
const ask = async (live: Live, headers: { readonly [name: string]: string } = {}, target = audience) =>
  live.post({ subject_token: await live.token('jwt'), audience: target, scope: 'orders.read' }, { headers })

describe('tracing', () => {
  it('sends a span for each exchange, with its steps, in the trace that the request belongs to', async () => {
    const live = await start(', service_name: beta, headers_file: headers.json')
    expect((await ask(live, { traceparent: PARENT })).status).toBe(200)
    const { id } = live.last()
    await live.close()
    const [span, another] = spans()
    expect(another).toBeUndefined()
    expect(span).toMatchObject({
      name: 'token_exchange',
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      parentSpanId: '00f067aa0ba902b7',
    })
    expect(said(span?.attributes ?? [])).toMatchObject({
      'dragoman.request_id': id,
      'dragoman.tenant': 'default',
      'dragoman.result': 'issued',
      'dragoman.profile': 'jwt-to-cwt',
      'dragoman.client': 'demo',
      'dragoman.audience': [audience],
    })
    const steps = span?.events.map(({ name }) => name)
    expect(steps).toEqual(expect.arrayContaining(['authenticate', 'verify subject', 'stages[0].context', 'sign']))
    expect(received[0]?.headers['x-api-key']).toBe('canary-collector')
    expect(received[0]?.text).toContain('"beta"')
  })

  it('says of a refusal where it was, and why', async () => {
    const live = await start()
    await ask(live, {}, 'https://nowhere.example')
    await live.close()
    const [span] = spans()
    expect(span?.status).toMatchObject({ code: 2, message: 'ERR_PROFILE_TARGET' })
    expect(said(span?.attributes ?? [])).toMatchObject({ 'error.type': 'invalid_target' })
    const last = span?.events.at(-1)
    expect(last?.name).toBe('select')
    expect(said(last?.attributes ?? [])).toMatchObject({
      'dragoman.outcome': 'refused',
      'dragoman.code': 'ERR_PROFILE_TARGET',
    })
  })

  it('holds no token, no secret and nobody', async () => {
    const live = await start()
    const subject_token = await live.token('jwt')
    const { body } = await live.post({ subject_token, audience })
    await live.close()
    const text = received.map((one) => one.text).join('')
    for (const secret of [
      subject_token,
      body['access_token'],
      'demo-secret',
      'spiffe://alpha.example',
      '@alpha.example',
    ])
      expect(text).not.toContain(secret)
  })

  it('is not there for a request whose trace is not recorded, nor for what the ratio leaves out', async () => {
    const live = await start(', sample_ratio: 0')
    await ask(live)
    await ask(live, { traceparent: PARENT.replace(/01$/, '00') })
    await ask(live, { traceparent: 'nonsense' })
    await ask(live, { traceparent: 'x'.repeat(300) })
    await live.close()
    expect(spans()).toEqual([])
  })

  it('costs no exchange when the collector is down, and tells the operator once', async () => {
    status = 400
    const events: unknown[] = []
    const live = await start('', { log: (event, detail) => events.push({ event, ...detail }) })
    expect((await ask(live)).status).toBe(200)
    await live.close()
    expect(events).toEqual([{ event: 'tracing', sent: false, name: expect.any(String) }])
  })

  it('refuses header fields that are none', async () => {
    const live = await start()
    const file = join(live.folder, 'dragoman.yaml')
    rewrite(live.folder, 'dragoman.yaml', `"${endpoint}" }`, `"${endpoint}", headers_file: headers.json }`)
    writeFileSync(join(live.folder, 'headers.json'), '{ "x-api-key": 7 }')
    await expect(createGateway(file)).rejects.toMatchObject({
      code: 'ERR_PROFILE_OPTION',
      detail: { path: 'tracing.headers_file', expected: 'a file with a JSON object of header fields, all text' },
    })
    await live.close()
  })
})
