/** Where a request goes, taken apart. */
export interface Target {
  /** As sent, without the query. */
  readonly path: string
  /** Its segments, decoded; none for `/`. */
  readonly segments: readonly string[]
  /** Names and values of the query, decoded, in their order; `undefined`: it cannot be read in one way only. */
  readonly query: readonly (readonly [name: string, value: string])[] | undefined
}

// RFC 9112 §3.2.1, and what it leaves out of a path: space, controls, `#`, `\`.
const ORIGIN_FORM = /^(\/[\x21\x22\x24-\x3e\x40-\x5b\x5d-\x7e]*)(?:\?([\x21\x22\x24-\x7e]*))?$/

/**
 * A path and query as on the request line; `undefined` where two readers could disagree about where it goes: another
 * form than an absolute path, empty or dot segments, a slash or backslash or control character inside a segment once it
 * is decoded, malformed percent-encoding. Frameworks and proxies mend these, each in its own way.
 */
export function targetOf(url: string): Target | undefined {
  const [, path, query] = ORIGIN_FORM.exec(url) ?? []
  if (path === undefined) return undefined
  const segments = path === '/' ? [] : path.slice(1).split('/').map(segment)
  const whole = segments.filter((text) => text !== undefined)
  return whole.length === segments.length ? { path, segments: whole, query: pairs(query) } : undefined
}

function segment(encoded: string): string | undefined {
  const text = decoded(encoded)
  return text === undefined || /^\.{0,2}$|[/\\\p{Cc}]/u.test(text) ? undefined : text
}

function pairs(query = ''): Target['query'] {
  const found: (readonly [string, string])[] = []
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/.exec(pair.replaceAll('+', ' ')) ?? []
    const [decodedName, decodedValue] = [decoded(name), decoded(value)]
    if (decodedName === undefined || decodedValue === undefined) return undefined
    found.push([decodedName, decodedValue])
  }
  return found
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
