import { createPublicKey, type KeyObject, randomUUID, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditToMemory } from '../../src/audit/index.ts'
import { type Alpha, issue, type Wanted } from '../../src/cli/dev/alpha.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { codecs } from '../../src/codecs/index.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/compose.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { seen } from './watch.ts'
import { type Parameters, said, TOKEN_EXCHANGE, watched } from './world.ts'

/** The two trust domains of `dragoman dev` behind real sockets, on the clock of the machine. */
export interface Live {
  readonly gateway: Gateway
  readonly alpha: Alpha
  readonly folder: string
  readonly records: readonly AuditRecord[]
  /** The issuer: `plain`, unless it was asked to be `secure`. */
  readonly issuer: string
  /** `http://127.0.0.1:port` */
  readonly plain: string
  /** `https://localhost:port`, which asks for client certificates. */
  readonly secure: string
  /** PEM: what the certificate of {@link secure} comes from. */
  readonly authority: string
  file(name: string): string
  /** A token of alpha, by default a good one; `over` replaces what it says. */
  token(format: 'jwt' | 'cwt' | 'x509', over?: Partial<Wanted>): Promise<string>
  /** Posts a form over a connection of its own, as client `demo` unless `authorization` says otherwise. */
  post(parameters: Parameters, more?: PostOptions): Promise<Answer>
  last(): AuditRecord
  close(): Promise<void>
}

/** What a client shows in the TLS handshake, PEM. */
export interface Shown {
  readonly cert: string
  readonly key: string
}

export interface PostOptions {
  readonly authorization?: string | undefined
  readonly headers?: { readonly [name: string]: string }
  /** Given, also as `'nothing'`: over TLS. */
  readonly shown?: Shown | 'nothing'
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: { readonly [name: string]: unknown }
}

export const basicOf = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`

export interface LiveOptions extends GatewayOptions {
  /** Changes the folder first, and hears where the gateway will be reached. */
  readonly edit?: (folder: string, issuer: string) => void
  readonly secureIssuer?: boolean
}

// Ports that are free are chosen before they are taken: its issuer names one.
const ATTEMPTS = 5

/** Starts a gateway that listens. */
export async function newLive(options: LiveOptions = {}): Promise<Live> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(options)
    } catch (error) {
      const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
      if (!taken || attempt === ATTEMPTS) throw error
    }
  }
}

async function start({ edit, secureIssuer = false, ...options }: LiveOptions): Promise<Live> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-live-'))
  const [port = 0, tlsPort = 0] = await freePorts(2)
  const { configuration, alpha } = await writeFolder(folder, { host: '127.0.0.1', port, tlsPort })
  const plain = `http://127.0.0.1:${port}`
  const secure = `https://localhost:${tlsPort}`
  const issuer = secureIssuer ? secure : plain
  if (secureIssuer) rewrite(folder, 'dragoman.yaml', `issuer: ${plain}\n`, `issuer: ${secure}\n`)
  edit?.(folder, issuer)
  const sink = watched(auditToMemory())
  const gateway = await createGateway(configuration, { audit: () => sink, ...options })
  await gateway.listen()
  const file = (name: string) => readFileSync(join(folder, name), 'utf8')
  return {
    gateway,
    alpha,
    folder,
    records: sink.records,
    issuer,
    plain,
    secure,
    authority: file('tls-ca.pem'),
    file,
    token: (format, over = {}) => issue(codecs(), { ...good(format, alpha, issuer), ...over }),
    post(parameters, { authorization = basicOf('demo', 'demo-secret'), headers = {}, shown } = {}) {
      const form = new URLSearchParams()
      const all: Parameters = { grant_type: TOKEN_EXCHANGE, subject_token_type: tokenTypes.jwt, ...parameters }
      for (const [name, value] of Object.entries(all)) for (const one of [value ?? []].flat()) form.append(name, one)
      const fields = {
        'content-type': 'application/x-www-form-urlencoded',
        ...(authorization !== '' && { authorization }),
        ...headers,
      }
      return send(`${shown ? secure : plain}/token`, {
        method: 'POST',
        headers: fields,
        body: form.toString(),
        ...(shown && { tls: { ca: file('tls-ca.pem'), ...(shown !== 'nothing' && shown) } }),
      })
    },
    last() {
      const record = sink.records.at(-1)
      if (!record) throw new Error('no record')
      return record
    },
    async close() {
      await gateway.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** Replaces text in a file of a folder, and fails where there is nothing to replace. */
export function rewrite(folder: string, name: string, pattern: string | RegExp, by: string): void {
  const file = join(folder, name)
  const before = readFileSync(file, 'utf8')
  const after = before.replace(pattern, () => by)
  if (after === before) throw new Error(`${name} has no ${pattern}`)
  writeFileSync(file, after)
}

/** Sends a form to a token endpoint, by a client whose secret is its name and `-secret`. */
export const postForm = (url: string, client: string, parameters: { readonly [name: string]: string }) =>
  send(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: basicOf(client, `${client}-secret`),
    },
    body: new URLSearchParams(parameters).toString(),
  })

/** One request, over a connection of its own unless an agent keeps one. */
export function send(
  url: string,
  {
    tls,
    body,
    ...options
  }: {
    method?: string
    /** In place of that of the URL, which is brought into a normal form first. */
    path?: string
    headers?: { readonly [name: string]: string | string[] }
    body?: string | Uint8Array
    tls?: { ca: string; cert?: string; key?: string }
    agent?: Agent
  } = {},
): Promise<Answer> {
  const secure = url.startsWith('https:')
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(
      url,
      { agent: false, ...options, ...(secure && { ...tls, family: 4 }) },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          const { statusCode: status = 0, headers } = response
          if (status >= 400) seen(text)
          resolve({
            status,
            headers,
            text,
            body: headers['content-type'] === 'application/json' && text !== '' ? JSON.parse(text) : {},
          })
        })
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

/** `fetch` for client libraries: trusts the authority of `live` alone, and shows a client certificate where it has one. */
export const fetchBy =
  ({ authority }: Pick<Live, 'authority'>, shown?: Shown) =>
  async (url: string, init: { method: string; headers: Record<string, string>; body?: unknown }): Promise<Response> => {
    const { status, headers, text } = await send(url, {
      method: init.method,
      headers: init.headers,
      ...(init.body !== undefined && init.body !== null && { body: String(init.body) }),
      tls: { ca: authority, ...shown },
    })
    const fields = Object.entries(headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one): [string, string] => [name, one]),
    )
    return new Response(text, { status, headers: fields })
  }

/** A DPoP proof by an ES256 key, for now. */
export function dpopBy(
  privateKey: KeyObject,
  { issuer }: Pick<Live, 'issuer'>,
  more: { readonly [claim: string]: unknown } = {},
): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const jwk = publicKey(createPublicKey(privateKey)).jwk
  const now = Math.floor(Date.now() / 1000)
  const claims = { jti: randomUUID(), htm: 'POST', htu: `${issuer}/token`, iat: now, ...more }
  const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** Ports that nobody has now; taken together, so that they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer()
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

const ISSUERS = {
  jwt: 'https://id.alpha.example',
  cwt: 'https://edge.alpha.example',
  x509: 'https://ca.alpha.example',
} as const

function good(format: 'jwt' | 'cwt' | 'x509', alpha: Alpha, audience: string): Wanted {
  const now = Math.floor(Date.now() / 1000)
  return {
    format,
    issuer: ISSUERS[format],
    signer: alpha.signers[format],
    claims: said,
    now,
    validity: {
      issuedAt: now,
      notBefore: now - 10,
      expiresAt: now + 3600,
      audience: [audience, 'https://orders.beta.example', 'https://stock.beta.example'],
      scope: ['orders.read', 'orders.write', 'stock.read'],
    },
  }
}
