import { DragomanError } from '../core/errors.ts'
import type { ForwardedRequest } from '../core/exchange.ts'
import { map, type Value } from '../core/value.ts'
import { type CertificateHeader, forwardedCertificates } from './forwarded-certificate.ts'

/**
 * Where a proxy says which request it asks about. `x-original`: `X-Original-Method` and `X-Original-URI`, with
 * `X-Forwarded-Proto` and `X-Forwarded-Host` (nginx). `x-forwarded`: `X-Forwarded-Method`, `-Uri`, `-Proto`, `-Host`
 * (Traefik, Caddy). `path`: the method as it is, the path behind our own, `Host`, and `X-Forwarded-Proto` (Envoy).
 */
export const FORWARDED_FROM = ['x-original', 'x-forwarded', 'path'] as const
export type ForwardedFrom = (typeof FORWARDED_FROM)[number]

/** What an endpoint for proxies reads of the request that it is asked about. */
export interface ForwardedRules {
  readonly from: ForwardedFrom
  /** Lower case. */
  readonly headers: readonly string[]
  readonly certificate: CertificateHeader | undefined
  readonly maxCharacters: number
}

/** A request of a proxy. */
export interface ProxyRequest {
  readonly method: string
  /** Path and query behind that of the endpoint. */
  readonly rest: string
  readonly fields: Fields
}

/** Header fields by name in lower case, each as often as it was sent. */
export type Fields = ReadonlyMap<string, readonly string[]>

// Longer than what browsers send; it goes into a token, whose size is limited anyway.
const MAX_URI = 4096
// DNS names have 253 characters, and then there is a port.
const MAX_HOST = 260
// What a token is to say of a header field; request ids and client addresses have some dozens.
const MAX_FIELD = 1024

const METHOD = /^[A-Z][A-Z-]{0,31}$/
const HOST = /^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/
/** RFC 3986 §3.3 and §3.4: what may stand in path and query. */
const URI = /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/
/** RFC 3986 §5.2.4: whoever is behind the proxy may resolve them, and then it is another path. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i

/**
 * The request that a proxy asks about, as it says.
 *
 * Checks that each thing is said once and in its form: a method in capitals, `http` or `https`, a host, a path without dot
 * segments, header fields in visible ASCII within the limit. Does NOT check that the proxy may be believed: it
 * authenticates like any client, before anything that it says is used.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_FORWARDED` with `detail.field`
 */
export function forwardedRequest(request: ProxyRequest, rules: ForwardedRules): ForwardedRequest {
  const { fields } = request
  const said = (field: string) => required(field, fields)
  const [method, uri, host] =
    rules.from === 'path'
      ? [request.method, request.rest, said('host')]
      : rules.from === 'x-original'
        ? [said('x-original-method'), said('x-original-uri'), said('x-forwarded-host')]
        : [said('x-forwarded-method'), said('x-forwarded-uri'), said('x-forwarded-host')]
  const scheme = said('x-forwarded-proto')
  if (!METHOD.test(method)) throw wrong('method', 'a method in capitals')
  if (scheme !== 'http' && scheme !== 'https') throw wrong('x-forwarded-proto', 'http or https')
  const lower = host.toLowerCase()
  if (lower.length > MAX_HOST || !HOST.test(lower)) throw wrong('host', 'a host, with its port if it has one')
  if (uri.length > MAX_URI) throw wrong('uri', `at most ${MAX_URI} characters`)
  if (!URI.test(uri)) throw wrong('uri', 'path and query (RFC 3986 sections 3.3 and 3.4)')
  const mark = uri.indexOf('?')
  const path = mark < 0 ? uri : uri.slice(0, mark)
  if (DOT_SEGMENT.test(path)) throw wrong('uri', 'a path without dot segments')
  return {
    method,
    scheme,
    host: lower,
    path,
    query: mark < 0 ? undefined : uri.slice(mark + 1),
    headers: map(rules.headers.flatMap((name) => selected(name, fields))),
    certificates:
      rules.certificate && forwardedCertificates(optional(rules.certificate.header, fields), rules.certificate),
    maxCharacters: rules.maxCharacters,
  }
}

function selected(name: string, fields: Fields): readonly (readonly [string, Value])[] {
  const value = optional(name, fields)
  if (value === undefined) return []
  if (value.length > MAX_FIELD || !/^[\x20-\x7e]*$/.test(value)) {
    throw wrong(name, `at most ${MAX_FIELD} characters of visible ASCII`)
  }
  return [[name, value]]
}

function required(field: string, fields: Fields): string {
  const value = optional(field, fields)
  if (value === undefined) throw wrong(field, 'to be set by the proxy')
  return value
}

/** A field that is sent twice says two things; a proxy that appends to what a client sent is not set up to be believed. */
function optional(field: string, fields: Fields): string | undefined {
  const [value, another] = fields.get(field) ?? []
  if (another !== undefined) throw wrong(field, 'it once')
  return value === '' ? undefined : value
}

const wrong = (field: string, expected: string) =>
  new DragomanError('ERR_REQUEST_FORWARDED', { detail: { field, expected } })

/** Header fields as they were sent: Node joins some of them and drops others. */
export function fieldsOf(raw: readonly string[]): Fields {
  const fields = new Map<string, string[]>()
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const value = raw[at + 1] ?? ''
    const known = fields.get(name)
    if (known === undefined) fields.set(name, [value])
    else known.push(value)
  }
  return fields
}
