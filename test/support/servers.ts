import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { generalName } from '../../src/wire/general-name.ts'
import { pem } from '../../src/wire/pem.ts'
import { authority, leaf, type TestAuthority, usages } from './x509.ts'

/** A server on the loopback interface that lives as long as the test. */
export interface TestServer {
  /** `http://127.0.0.1:port` */
  readonly origin: string
  readonly port: number
  /** Every request that arrived, in order. */
  readonly requests: IncomingMessage[]
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Plain HTTP on 127.0.0.1. */
export async function httpServer(handler: Handler): Promise<TestServer> {
  return started((listener) => createServer(listener), 'http', handler)
}

/** HTTPS on 127.0.0.1, with a certificate for these names from `issuer`, valid today. */
export async function httpsServer(
  handler: Handler,
  { issuer, names = [ip(127, 0, 0, 1)] }: { issuer: TestAuthority; names?: readonly Uint8Array[] },
): Promise<TestServer> {
  const { certificate, key } = leaf(issuer, {
    ...today(),
    names,
    replace: { extendedKeyUsage: usages('1.3.6.1.5.5.7.3.1') },
  })
  const tls = {
    cert: pem('CERTIFICATE', certificate),
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
  return started((listener) => createTlsServer(tls, listener), 'https', handler)
}

/** An authority that is valid today, and its certificate in PEM. */
export function webAuthority(name = 'Web CA'): TestAuthority & { readonly pem: string } {
  const made = authority(name, today())
  return { ...made, pem: pem('CERTIFICATE', made.certificate) }
}

// TLS asks the system's clock, which no test can set.
function today() {
  const now = Math.floor(Date.now() / 1000)
  return { notBefore: now - 3600, notAfter: now + 86_400 }
}

export const ip = (...octets: readonly number[]): Buffer => generalName('ip', Uint8Array.from(octets))
export const dns = (name: string): Buffer => generalName('dns', name)

async function started(
  create: (listener: RequestListener) => Server,
  scheme: string,
  handler: Handler,
): Promise<TestServer> {
  const requests: IncomingMessage[] = []
  const server = create((request, response) => {
    requests.push(request)
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { origin: `${scheme}://127.0.0.1:${port}`, port, requests }
}

/** An answer that is JSON. */
export const json =
  (value: unknown, headers: { readonly [name: string]: string } = {}): Handler =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(value))
  }

/** An answer of this status, with whatever body. */
export const status =
  (code: number, body = '', headers: { readonly [name: string]: string } = {}): Handler =>
  (_, response) => {
    response.writeHead(code, headers)
    response.end(body)
  }

/** A server whose answer a test can change, and hold back. */
export async function changingServer(handler: Handler): Promise<
  TestServer & {
    answer(next: Handler): void
    /** Holds back answers until the function that it returns is called. */
    hold(): () => void
    /** Resolves when that many requests have arrived. */
    arrived(count: number): Promise<void>
  }
> {
  let current = handler
  let held: (() => void)[] | undefined
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  const server = await httpServer((request, response) => {
    for (const { count, resolve } of waiting) if (server.requests.length >= count) resolve()
    const answer = current
    if (held) held.push(() => answer(request, response))
    else answer(request, response)
  })
  return {
    ...server,
    answer(next) {
      current = next
    },
    hold() {
      held = []
      return () => {
        const all = held ?? []
        held = undefined
        for (const answer of all) answer()
      }
    },
    arrived: (count) =>
      new Promise((resolve) => {
        waiting.push({ count, resolve })
        if (server.requests.length >= count) resolve()
      }),
  }
}
