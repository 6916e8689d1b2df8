import { type Document, isScalar, visit } from 'yaml'
import type { Range } from './excerpt.ts'
import { closest } from './nearest.ts'
import { rangeOf } from './nodes.ts'

// RFC 3986 §3.2.1: a password in a URL.
const USERINFO = /(?<=:\/\/)[^\s/"']+(?=@)/g

/** The values of members that are secret by their name, or called almost like one; and who logs in where, in a URL. */
export function hiddenIn(document: Document.Parsed, text: string, secrets: readonly string[]): readonly Range[] {
  const hidden = [...text.matchAll(USERINFO)].map(({ index, 0: { length } }): Range => [index, index + length])
  if (secrets.length === 0) return hidden
  // A short name resembles too many others.
  const long = secrets.filter((name) => name.length > 4)
  visit(document, {
    Pair: (_, { key, value }) => {
      const name = isScalar(key) ? String(key.value) : ''
      const whole = rangeOf(value)
      if (whole && (secrets.includes(name) || isMisspelt(name, long))) hidden.push(whole)
      const [start, end] = rangeOf(key) ?? [0, 0]
      const kept = withoutRunOn(name, secrets)
      if (kept !== name) hidden.push([start + kept.length, end])
    },
  })
  return hidden
}

/** `client_secret hunter2`, without the colon: a name with the secret in it. What may be shown of it. */
export function withoutRunOn(name: string, secrets: readonly string[]): string {
  const secret = secrets.find((one) => one.length > 2 && name.startsWith(one) && /^[\s=]/.test(name.slice(one.length)))
  return secret ?? name
}

/** `client_secrte`, but not `client_secret_file`. */
function isMisspelt(name: string, secrets: readonly string[]): boolean {
  const near = closest(name, secrets)
  return near !== undefined && !name.startsWith(`${near}_`)
}

/** In a file that cannot be read whole: what stands behind such a name, to the end of its line. */
export function mentions(text: string, secrets: readonly string[]): readonly Range[] {
  // A name of one or two letters is one only before a colon.
  const names = secrets.map((name) => (name.length > 2 ? name : `${name}(?=["']?\\s*:)`))
  if (names.length === 0) return []
  return [...text.matchAll(new RegExp(`(?<![\\w-])(?:${names.join('|')})(?![\\w-])`, 'g'))].map((match) => {
    const end = text.indexOf('\n', match.index)
    return [match.index + match[0].length, end === -1 ? text.length : end]
  })
}
