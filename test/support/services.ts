import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { fastify } from 'fastify'
import {
  type ConnectRequest,
  connectVerifier,
  fastifyVerifier,
  requestOf,
  sendAnswer,
  type VerifiedToken,
  type Verifier,
} from '../../src/verify/index.ts'

/** What each service answers who was admitted: what it knows of the caller. */
const known = ({ sub, scope, txn, actors }: VerifiedToken) => ({ sub, scope, txn, actors: actors.length })

/** The same small service, three times: each has to behave as the others do. */
export const services: { readonly [name: string]: (verifier: Verifier) => Promise<Service> } = {
  async fastify(verifier) {
    const app = fastify()
    await app.register(fastifyVerifier(verifier))
    app.all('/*', (request) => known(request.verified))
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return { origin, close: () => app.close() }
  },

  express(verifier) {
    const app = express()
    // Under a prefix, as routers of larger services are: the table has the whole path.
    const orders = express.Router()
    orders.use(express.json(), connectVerifier(verifier))
    orders.all('/{*any}', (request: ConnectRequest, response: express.Response) => {
      if (request.verified) response.json(known(request.verified))
    })
    app.use('/orders', orders)
    return listening(app)
  },

  http: (verifier) => listening(plain(verifier)),
}

export interface Service {
  readonly origin: string
  close(): Promise<void>
}

/** `node:http` and nothing else. */
export const plain =
  (verifier: Verifier): RequestListener =>
  async (request, response) => {
    const { token, answer } = await verifier.admit(requestOf(request, { body: await bytesOf(request) }))
    if (token === undefined) return sendAnswer(response, answer)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(known(token)))
  }

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Listens on loopback; over TLS, where every client is asked for a certificate, with a key and certificate. */
export async function listening(
  listener: RequestListener,
  tls?: { readonly cert: string; readonly key: string; readonly ca: string },
): Promise<Service> {
  const server = tls
    ? createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false }, listener)
    : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
