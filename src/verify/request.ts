import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'

/** A request to a service, as far as a token is compared with it. */
export interface ServiceRequest {
  readonly method: string
  /** Path and query as on the request line, the whole path: a table of rules and a DPoP proof are about what was sent. */
  readonly url: string
  /** A list stands for a field that was sent more than once. Names in any case. */
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined }
  /** As a body parser made it; bytes are read as JSON, strictly. */
  readonly body?: unknown
  /** As a query parser made it: it must say the same as the URL. Absent: the URL alone counts. */
  readonly query?: unknown
  /** DER of the certificate that the client showed in the TLS handshake. */
  readonly certificate?: Uint8Array | undefined
}

/** What a framework has made of a request. */
export interface Made {
  /** The path and query that routing went by, where it is not `request.url`. */
  readonly url?: string | undefined
  readonly body?: unknown
  readonly query?: unknown
  /** Instead of the certificate of the connection: where a proxy ends TLS, what it says in a header of its own. */
  readonly certificate?: Uint8Array | undefined
}

/**
 * A request of `node:http`, `node:https` or a framework on top of them.
 *
 * Takes every header field as often as it was sent, and the client certificate from the connection. Does NOT read the
 * body: give it, parsed or as bytes, where rules compare it.
 */
export function requestOf(incoming: IncomingMessage, made: Made = {}): ServiceRequest {
  const { socket } = incoming
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined
  return {
    method: incoming.method ?? '',
    url: made.url ?? incoming.url ?? '',
    headers: everyField(incoming.rawHeaders),
    body: made.body,
    query: made.query,
    certificate: made.certificate ?? shown,
  }
}

/** From the raw ones: of some fields Node keeps the first of several in silence, and joins others. */
function everyField(raw: readonly string[]): ServiceRequest['headers'] {
  const fields = new Map<string, string[]>()
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]?.toLowerCase() ?? ''
    const values = fields.get(name)
    if (values) values.push(raw[at + 1] ?? '')
    else fields.set(name, [raw[at + 1] ?? ''])
  }
  return Object.fromEntries(fields)
}

/** Every header field of this lower-case name, in the order in which they came. */
export const fieldsOf = ({ headers }: ServiceRequest, name: string): readonly string[] =>
  Object.entries(headers).flatMap(([field, value]) => (field.toLowerCase() === name ? (value ?? []) : []))
