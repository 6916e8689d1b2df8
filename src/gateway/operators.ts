import { createHash, timingSafeEqual } from 'node:crypto'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { DragomanError, type ErrorCode } from '../core/errors.ts'
import type { TokenRequest } from '../core/exchange.ts'
import type { Grant } from '../core/grant.ts'
import { FORM_LIMITS, parseForm } from './form.ts'
import { rehearsedRequest } from './rehearsed.ts'
import { type Answer, failure, send } from './reply.ts'
import { shell } from './shell.ts'

export interface OperatorsOptions {
  /** SHA-256 of the secret that operators show. */
  readonly secretDigest: Uint8Array
  readonly tenants: readonly string[]
  /** The grants that there are: how a form becomes a request. */
  readonly grants: readonly Grant[]
  /** What an exchange of a request would come to; of what is no request, why not. Issues nothing. */
  readonly explain: (request: TokenRequest | DragomanError, options: ExplainAsked) => Promise<object>
}

export interface ExplainAsked {
  /** One of the tenants. */
  readonly tenant: string
  /** Seconds: the time to judge by. */
  readonly at: number | undefined
}

const FORM_TYPE = 'application/x-www-form-urlencoded'

/**
 * What operators are served, on a listener of their own: `POST /explain`. Never on one where tokens are exchanged: an
 * explanation says more than a client may hear, and takes a client at its word.
 *
 * Whoever asks shows the secret (`Authorization: Bearer`, RFC 6750), compared in constant time, before anything of the
 * body is read.
 */
export async function createOperators(options: OperatorsOptions): Promise<FastifyInstance> {
  const app = fastify({ ...shell, bodyLimit: FORM_LIMITS.bytes })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setNotFoundHandler((_request, reply) => send(reply, refused('ERR_REQUEST_ENDPOINT')))
  app.setErrorHandler((error, _request, reply) => send(reply, refused(codeOf(error))))
  app.route({
    method: 'POST',
    url: '/explain',
    // Before the body, which is not read for whoever has not the secret.
    onRequest: (request, reply, done) => (admitted(request, reply, options.secretDigest) ? done() : undefined),
    handler: async (request, reply) => send(reply, await answer(request, options)),
  })
  app.route({
    method: app.supportedMethods.filter((method) => method !== 'POST'),
    url: '/explain',
    exposeHeadRoute: false,
    handler: (_request, reply) => send(reply, refused('ERR_REQUEST_METHOD', { allow: 'POST' })),
  })
  await app.ready()
  return app
}

function admitted({ headers: { authorization } }: FastifyRequest, reply: FastifyReply, digest: Uint8Array): boolean {
  const [, shown] = /^Bearer (.+)$/i.exec(authorization ?? '') ?? []
  const sent = createHash('sha256')
    .update(shown ?? '')
    .digest()
  if (shown !== undefined && timingSafeEqual(sent, digest)) return true
  const code = shown === undefined ? 'ERR_CLIENT_MISSING' : 'ERR_CLIENT_SECRET'
  send(reply, refused(code, { 'www-authenticate': 'Bearer realm="operators"', connection: 'close' }))
  return false
}

async function answer({ body, headers, raw }: FastifyRequest, options: OperatorsOptions): Promise<Answer> {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== FORM_TYPE || !(body instanceof Uint8Array)) return refused('ERR_REQUEST_MEDIA_TYPE')
  if (raw.url?.includes('?')) return refused('ERR_REQUEST_FORM')
  try {
    const form = parseForm(body)
    const tenant = tenantIn(form.values.get('tenant'), options.tenants)
    const explanation = await options.explain(rehearsed(form, options), {
      tenant,
      at: secondsIn(form.values.get('at')),
    })
    return { status: 200, headers: JSON_HEADERS, body: JSON.stringify(explanation) }
  } catch (error) {
    return refused(codeOf(error))
  }
}

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** A form that is no token request is explained as well. */
function rehearsed(form: ReturnType<typeof parseForm>, { grants }: OperatorsOptions): TokenRequest | DragomanError {
  try {
    return rehearsedRequest(form, 'explain', grants)
  } catch (error) {
    if (error instanceof DragomanError) return error
    throw error
  }
}

function tenantIn(name: string | undefined, tenants: readonly string[]): string {
  const [only, another] = tenants
  const found = name === undefined && another === undefined ? only : tenants.find((tenant) => tenant === name)
  if (found === undefined) throw new DragomanError('ERR_REQUEST_MISSING', { detail: { parameter: 'tenant' } })
  return found
}

function secondsIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[0-9]{1,12}$/.test(text)) throw new DragomanError('ERR_REQUEST_FORM', { detail: { parameter: 'at' } })
  return Number(text)
}

const NOBODY = { id: undefined, realm: '', challenged: false, authenticated: false }

function refused(code: ErrorCode, headers: Answer['headers'] = {}): Answer {
  const plain = failure(new DragomanError(code), NOBODY)
  return { ...plain, headers: { ...plain.headers, ...headers } }
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof DragomanError) return error.code
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? 'ERR_REQUEST_TOO_LARGE' : 'ERR_INTERNAL'
}
