import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { isIPv6, type Socket } from 'node:net'
import { getBuiltinModule } from 'node:process'
import { DragomanError, type ErrorCode } from '../core/errors.ts'
import { OPERATIONS } from './operations.ts'
import { failure } from './reply.ts'
import { type TlsSetting, tlsOptions } from './tls.ts'

// To import it by name reads every export of it, one of which loads the client behind `fetch`: 15 MiB and 15 milliseconds.
const http = getBuiltinModule('node:http')

/** What is served: it may change behind the listeners, which stay. */
export interface Served {
  routing(request: IncomingMessage, response: ServerResponse, listener: ListenerSetting): void
  /** What is served to operators, by the number of the listener. */
  operators?(listener: number, request: IncomingMessage, response: ServerResponse): void
  close(): PromiseLike<unknown>
}

/** Where the gateway is reached. */
export interface ListenerSetting {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Absent: plain HTTP, for loopback and for what stands behind a proxy that ends TLS. */
  readonly tls?: TlsSetting | undefined
  /** Whether the paths of the process, `/metrics` among them, are served here. Default: yes. */
  readonly operations?: boolean | undefined
  /** By this number, serves what operators are served, and the paths of the process, in place of what clients are. */
  readonly operators?: number | undefined
  /** Whether the endpoints for proxies are served here. Default: no. */
  readonly forwardAuth?: boolean | undefined
  /** Several processes or threads listen to one port. */
  readonly reusePort?: boolean | undefined
}

export interface Listening {
  /** Base URLs, in the order of the settings. */
  readonly addresses: readonly string[]
  /** New certificate and key for the listener at this index; connections there are go on with the old ones. */
  renew(index: number, tls: TlsSetting): void
  /**
   * Takes no new connection, answers what is under way, and ends.
   *
   * @param grace seconds after which connections that are still busy are cut
   */
  close(grace?: number): Promise<void>
}

// Two header fields that each hold a key and a signature of ML-DSA-87 (RFC 9964: 11 KiB) fit, with what else there is.
const MAX_HEADER_BYTES = 32 * 1024
const MAX_CONNECTIONS = 10_000
const SERVER: ServerOptions = {
  maxHeaderSize: MAX_HEADER_BYTES,
  // Milliseconds. Header and body are sent at once; whoever takes longer holds a connection for nothing.
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 5000,
  // A TLS handshake costs as much as several exchanges, so that connections should last; longer than proxies keep theirs.
  keepAliveTimeout: 75_000,
  noDelay: true,
}

const GRACE = 10
// How often connections that have become idle are looked for while closing.
const CLOSING_INTERVAL = 25

/**
 * Serves `app` on each of the listeners, the same routes on all.
 *
 * @throws the error of the operating system when one of them cannot be opened; the others are closed again
 */
export async function listen(app: Served, settings: readonly ListenerSetting[]): Promise<Listening> {
  let closing = false
  const sockets = new Set<Socket>()
  const servers = settings.map((setting) => {
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      if (closing) response.setHeader('connection', 'close')
      if (setting.operations === false && isOperation(request.url)) return refuseRaw(response, 'ERR_REQUEST_ENDPOINT')
      if (setting.operators !== undefined && !isOperation(request.url)) {
        if (app.operators) app.operators(setting.operators, request, response)
        else refuseRaw(response, 'ERR_REQUEST_ENDPOINT')
        return
      }
      app.routing(request, response, setting)
    }
    const server = setting.tls
      ? createTlsServer({ ...SERVER, ...tlsOptions(setting.tls) }, answer)
      : http.createServer(SERVER, answer)
    server.maxConnections = MAX_CONNECTIONS
    server.on(setting.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    server.on('clientError', refuseConnection)
    return server
  })
  const opened = await Promise.allSettled(servers.map((server, at) => open(server, settings[at])))
  const failed = opened.find((result) => result.status === 'rejected')
  if (failed) {
    await Promise.all(servers.filter(({ listening }) => listening).map((server) => closed(server, 0)))
    throw failed.reason
  }
  return {
    addresses: opened.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])),
    renew(index, tls) {
      const server = servers[index]
      if (!server || !isTls(server)) throw new TypeError('the index of a listener with TLS')
      server.setSecureContext(tlsOptions(tls))
    },
    async close(grace = GRACE) {
      closing = true
      // What is under way is the last that is answered there: a client that knows sends nothing more.
      for (const socket of sockets) {
        const response: unknown = Reflect.get(socket, '_httpMessage')
        if (response instanceof http.ServerResponse && !response.headersSent) response.setHeader('connection', 'close')
      }
      await Promise.all(servers.map((server) => closed(server, grace)))
      await app.close()
    },
  }
}

/**
 * Makes sure that nobody else listens where these threads are about to, all of them at one port, and chooses the port where
 * it is 0. The system itself would let another gateway of the same user in beside them, and give it half of the requests.
 *
 * @throws the error of the operating system: `EADDRINUSE`, or one that says that it knows no shared ports
 */
export async function reserve(settings: readonly ListenerSetting[]): Promise<readonly ListenerSetting[]> {
  const reserved: ListenerSetting[] = []
  for (const setting of settings) {
    const probe = http.createServer()
    const url = new URL(await open(probe, { ...setting, tls: undefined, reusePort: false }))
    await new Promise((resolve) => probe.close(resolve))
    reserved.push({ ...setting, port: Number(url.port || 80), reusePort: true })
  }
  return reserved
}

const isTls = (server: Server | TlsServer): server is TlsServer => 'setSecureContext' in server

function open(server: Server, setting: ListenerSetting | undefined): Promise<string> {
  const { host = '127.0.0.1', port = 0, tls, reusePort = false } = setting ?? {}
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, reusePort }, () => {
      server.off('error', reject)
      const address = server.address()
      const actual = typeof address === 'object' && address !== null ? address.port : port
      resolve(`${tls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${actual}`)
    })
  })
}

function closed(server: Server, grace: number): Promise<void> {
  return new Promise((resolve) => {
    // A connection that was busy when closing began becomes idle later.
    const idle = setInterval(() => server.closeIdleConnections(), CLOSING_INTERVAL)
    const cut = setTimeout(() => server.closeAllConnections(), grace * 1000)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(cut)
      resolve()
    })
  })
}

/** Whether the router would find one of these paths, which it decodes first. */
function isOperation(url = ''): boolean {
  const [path = ''] = url.split(/[?#;]/, 1)
  try {
    const decoded = decodeURIComponent(path)
    return OPERATIONS.some((operation) => operation === decoded)
  } catch {
    // The router cannot decode it either.
    return false
  }
}

const nobody = { id: undefined, realm: '', challenged: false, authenticated: false }

function refuseRaw(response: ServerResponse, code: ErrorCode): void {
  const { status, headers, body } = failure(new DragomanError(code), nobody)
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
}

const CONNECTION_CODES: { readonly [code: string]: ErrorCode } = {
  HPE_HEADER_OVERFLOW: 'ERR_REQUEST_HEADERS',
  ERR_HTTP_REQUEST_TIMEOUT: 'ERR_REQUEST_TIMEOUT',
}

/** What is no request is answered like one that was refused, unless an answer is being written already. */
function refuseConnection(error: Error, socket: Socket): void {
  const code = 'code' in error ? String(error.code) : ''
  if (!socket.writable || code === 'ECONNRESET' || Reflect.get(socket, '_httpMessage')) {
    socket.destroy()
    return
  }
  const { status, headers, body } = failure(new DragomanError(CONNECTION_CODES[code] ?? 'ERR_REQUEST_HTTP'), nobody)
  const fields = Object.entries({ ...headers, connection: 'close', 'content-length': String(Buffer.byteLength(body)) })
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${head}\r\n${body}`)
}
