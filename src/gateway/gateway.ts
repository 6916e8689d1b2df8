import type { IncomingMessage } from 'node:http'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { DragomanError, type ErrorCode, errors } from '../core/errors.ts'
import { attempter, type ExchangeOptions } from './attempt.ts'
import { batchHandler } from './batch.ts'
import { certificates, coseKeys, jwks, metadata } from './documents.ts'
import { type ForwardAuth, forwardAuthHandler } from './forward-auth.ts'
import { type GuessLimits, guessLimiter } from './guess.ts'
import { type Counters, type Metrics, metricsOf, newCounters } from './metrics.ts'
import { OPERATIONS, operations } from './operations.ts'
import { type Answer, type AnswerContext, failure, publicDocument, send } from './reply.ts'
import { shell } from './shell.ts'
import { causeOf, teller } from './tell.ts'
import { FORWARD_AUTH, type GatewayTenant, type Paths, type Site, siteOf } from './tenant.ts'
import { peerChains } from './tls.ts'
import { tokenHandler } from './token.ts'
import { CONCURRENT_EXCHANGES, type TurnLimits, turns } from './turn.ts'

export interface HttpOptions extends ExchangeOptions {
  readonly version: string
  readonly turns?: TurnLimits | undefined
  readonly guesses?: GuessLimits | undefined
  /** Whether a request came by a listener that is set aside for proxies. Default: none did. */
  readonly fromProxies?: ((request: IncomingMessage) => boolean) | undefined
  /** What has been counted so far, by a configuration before this one. Default: nothing. */
  readonly counters?: Counters | undefined
  /** What `/metrics` shows, where other threads serve beside this one. Default: what was measured here. */
  readonly everywhere?: (() => Promise<string>) | undefined
}

/** The HTTP side, and what was measured of it. */
export type Http = FastifyInstance & Pick<Metrics, 'measured'>

// Seconds for which keys and metadata may be kept: a key that is published before it signs is known everywhere by then.
const DOCUMENT_AGE = 300

/**
 * The HTTP side of the gateway, ready for `inject` and for `listen` of listen.ts; it listens to nothing itself.
 *
 * A tenant is found by the path of its issuer; where several share one, by `Host`. What fails anywhere is answered in
 * the form of RFC 6749 §5.2. Does NOT authenticate anyone: the recipe does.
 */
export async function createHttp(tenants: readonly GatewayTenant[], options: HttpOptions): Promise<Http> {
  const queue = turns(options.turns)
  const metrics = metricsOf(tenants, queue, options.counters ?? newCounters('nothing'), options.everywhere)
  const sites = tenants.map((tenant) =>
    siteOf(tenant, {
      count: metrics.exchanged,
      guesses: tenant.guesses ?? guessLimiter(options.guesses),
      lane: queue.lane(tenant.concurrent ?? CONCURRENT_EXCHANGES),
    }),
  )

  /** Answers a request that comes to no exchange. */
  function turnAway(reply: FastifyReply, code: ErrorCode, headers: Answer['headers'] = {}): void {
    metrics.turnedAway(code)
    const answer = failure(new DragomanError(code), NOBODY)
    send(reply, { ...answer, headers: { ...answer.headers, ...headers } })
  }

  const app = fastify({
    ...shell,
    frameworkErrors: (_error, _request, reply) => turnAway(reply, 'ERR_REQUEST_ENDPOINT'),
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setNotFoundHandler((_request, reply) => turnAway(reply, 'ERR_REQUEST_ENDPOINT'))
  app.setErrorHandler((error, _request, reply) => {
    const code = codeOf(error)
    if (code === 'ERR_INTERNAL') options.log?.('defect', causeOf(error))
    // What was not read of the body would be taken for the next request.
    turnAway(reply, code, CLOSED)
  })

  const chainOf = peerChains()
  const tell = teller(options.log)
  const attempt = attempter(options, tell)
  route(app, sites, 'POST', ({ token }) => token, tokenHandler(attempt, options, chainOf), turnAway)
  const batching = sites.filter(({ tenant }) => tenant.batch !== undefined)
  if (batching.length > 0) {
    if (options.admit === undefined) throw new TypeError('`admit`, for tenants that take batches')
    const handler = batchHandler(attempt, { ...options, admit: options.admit, tell }, chainOf)
    const counted: Handler = async (site, request) => {
      const answer = await handler(site, request)
      const status = typeof answer === 'string' ? errors[answer].status : answer.status
      metrics.batched(site.services.tenant, status)
      return answer
    }
    route(
      app,
      batching,
      'POST',
      ({ batch }) => batch,
      counted,
      turnAway,
      ({ tenant }) => tenant.batch?.bytes ?? 0,
    )
  }
  const forwardAuth = forwardAuthHandler(attempt, { ...options, turnedAway: metrics.turnedAway }, chainOf)
  forwardRoutes(app, sites, async (site, endpoint, rest, request, reply) => {
    if (options.fromProxies?.(request.raw) !== true) return turnAway(reply, NOWHERE)
    if (site.lane.full) return turnAway(reply, 'ERR_OVERLOADED')
    const answer = await forwardAuth(site, endpoint, rest, request)
    metrics.forwarded(site.services.tenant, endpoint.name, answer.status)
    send(reply, answer)
  })
  for (const { path, type, content } of documents) {
    const answer = (site: Site) => {
      const body = content(site)
      return body === undefined ? NOWHERE : publicDocument(body, type, DOCUMENT_AGE)
    }
    route(app, sites, 'GET', path, answer, turnAway)
  }
  const answers = operations(tenants, metrics, options.version)
  for (const path of OPERATIONS) {
    app.get(path, async (_request, reply) => send(reply, await answers[path]()))
    refuseOthers(app, path, 'GET', turnAway)
  }
  await app.ready()
  const made: FastifyInstance = app
  return Object.assign(made, { measured: metrics.measured })
}

const NOBODY: AnswerContext = { id: undefined, realm: '', challenged: false, authenticated: false }
const CLOSED = { connection: 'close' }
const NOWHERE = 'ERR_REQUEST_ENDPOINT'

const documents: readonly {
  readonly path: (paths: Paths) => string
  readonly type: string
  /** `undefined`: the tenant has no such document. */
  readonly content: (site: Site) => string | Buffer | undefined
}[] = [
  { path: ({ jwks }) => jwks, type: 'application/jwk-set+json', content: ({ services }) => jwks(services) },
  { path: (paths) => paths.coseKeys, type: 'application/cose-key-set', content: ({ services }) => coseKeys(services) },
  {
    path: (paths) => paths.certificates,
    type: 'application/pem-certificate-chain',
    content: ({ services }) => certificates(services),
  },
  { path: (paths) => paths.metadata, type: 'application/json', content: ({ tenant }) => metadata(tenant) },
  { path: ({ discovery }) => discovery, type: 'application/json', content: ({ tenant }) => metadata(tenant) },
]

type Handler = (site: Site, request: FastifyRequest) => Answer | ErrorCode | Promise<Answer | ErrorCode>
type TurnAway = (reply: FastifyReply, code: ErrorCode, headers?: Answer['headers']) => void

/** One route for each path that a tenant has, whichever of them share it. */
function route(
  app: FastifyInstance,
  sites: readonly Site[],
  method: 'GET' | 'POST',
  pathOf: (paths: Paths) => string,
  handler: Handler,
  turnAway: TurnAway,
  bytesOf = ({ limits }: Site): number => limits.bytes,
): void {
  for (const [path, group] of Map.groupBy(sites, ({ paths }) => pathOf(paths))) {
    const [only, another] = group
    const find = (request: FastifyRequest): Site | undefined =>
      another === undefined ? only : group.find(({ host }) => host === request.headers.host?.toLowerCase())
    app.route({
      method,
      url: literal(path),
      bodyLimit: Math.max(...group.map(bytesOf)),
      // Before the body, so that whatever is too much costs as little as can be. The connection stays.
      onRequest: (request, reply, done) => {
        if (method === 'POST' && find(request)?.lane.full) turnAway(reply, 'ERR_OVERLOADED')
        else done()
      },
      handler: async (request, reply) => {
        const site = find(request)
        const answer = site ? await handler(site, request) : NOWHERE
        if (typeof answer === 'string') turnAway(reply, answer)
        else send(reply, answer)
      },
    })
    refuseOthers(app, literal(path), method, turnAway)
  }
}

type ForwardHandler = (
  site: Site,
  endpoint: ForwardAuth,
  rest: string,
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<void>

/**
 * Endpoints for proxies take every method: some proxies ask with that of the request before them, and some with its path
 * behind ours. They ask without its body; one that comes all the same is refused.
 */
function forwardRoutes(app: FastifyInstance, sites: readonly Site[], handler: ForwardHandler): void {
  for (const site of sites) {
    for (const endpoint of site.tenant.forwardAuth ?? []) {
      const path = `${site.paths.base}${FORWARD_AUTH}/${endpoint.name}`
      const route = (url: string) =>
        app.route({
          method: app.supportedMethods,
          url,
          exposeHeadRoute: false,
          bodyLimit: 1,
          handler: (request, reply) =>
            handler(site, endpoint, (request.raw.url ?? '').slice(path.length), request, reply),
        })
      route(literal(path))
      if (endpoint.from === 'path') route(`${literal(path)}/*`)
    }
  }
}

const WRONG_METHOD = {
  GET: { code: 'ERR_REQUEST_READ_ONLY', allow: 'GET, HEAD' },
  POST: { code: 'ERR_REQUEST_METHOD', allow: 'POST' },
} as const

/** RFC 9110 §15.5.6: another method than the one there is hears which it is. */
function refuseOthers(app: FastifyInstance, url: string, method: 'GET' | 'POST', turnAway: TurnAway): void {
  const { code, allow } = WRONG_METHOD[method]
  const allowed: readonly string[] = allow.split(', ')
  app.route({
    method: app.supportedMethods.filter((other) => !allowed.includes(other)),
    url,
    exposeHeadRoute: false,
    // Before the body, which is not read.
    onRequest: (_request, reply) => turnAway(reply, code, { allow, ...CLOSED }),
    handler: () => undefined,
  })
}

/** A path for a router in which `:` and `*` have a meaning. */
function literal(path: string): string {
  if (path.includes('*')) throw new TypeError('an issuer without * in its path')
  return path.replaceAll(':', '::')
}

const HTTP_CODES: { readonly [code: string]: ErrorCode } = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'ERR_REQUEST_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'ERR_REQUEST_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'ERR_REQUEST_HTTP',
  // The client went away in the middle.
  ECONNRESET: 'ERR_REQUEST_HTTP',
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof DragomanError) return error.code
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return HTTP_CODES[code] ?? 'ERR_INTERNAL'
}
