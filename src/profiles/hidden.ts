import { type Document, isScalar, visit } from 'yaml'
import type { Range } from './excerpt.ts'
import { closest } from './nearest.ts'
import { rangeOf } from './nodes.ts'

// RFC 3986 §3.2.1: a password in a URL.
const USERINFO = /(?<=:\/\/)[^\s/"']+(?=@)/g

// A secret that was put out of use is often still in use elsewhere.
const COMMENT = /(?<=^|\s)#.*$/gm

/**
 * The values of members that are secret by their name, or called almost like one; comments, and names that run on into
 * something else, in a file that has secrets; and who logs in where, in a URL.
 */
export function hiddenIn(document: Document.Parsed, text: string, secrets: readonly string[]): readonly Range[] {
  const all = (pattern: RegExp) =>
    [...text.matchAll(pattern)].map(({ index, 0: { length } }): Range => [index, index + length])
  const hidden = all(USERINFO)
  if (secrets.length === 0) return hidden
  hidden.push(...all(COMMENT))
  // A short name resembles too many others.
  const long = secrets.filter((name) => name.length > 4)
  visit(document, {
    Pair: (_, { key, value }) => {
      const name = isScalar(key) ? String(key.value) : ''
      const whole = rangeOf(value)
      if (whole && (secrets.includes(name) || isMisspelt(name, long))) hidden.push(whole)
      const [start, end] = rangeOf(key) ?? [0, 0]
      const kept = withoutRunOn(name, secrets)
      if (kept !== name) hidden.push([start + kept.length, end], ...(whole ? [whole] : []))
    },
  })
  return hidden
}

/**
 * `client_secret hunter2`, without the colon, or `client_secret:hunter2`, without the space: a name with the secret in it.
 * What may be shown of it: in a file that has secrets a name is letters, digits, `_`, `-` and `.`.
 */
export function withoutRunOn(name: string, secrets: readonly string[]): string {
  if (secrets.length === 0) return name
  return secrets.find((one) => name.startsWith(`${one} `)) ?? /^[\w.-]*/.exec(name)?.[0] ?? ''
}

/** `client_secrte`, but not `client_secret_file`. */
function isMisspelt(name: string, secrets: readonly string[]): boolean {
  const near = closest(name, secrets)
  return near !== undefined && !name.startsWith(`${near}_`)
}

/**
 * In a file that cannot be read whole, and has secrets: what stands behind such a name, to the end of its line; and
 * everything else but names with their colons, since a line may be from the middle of a secret.
 */
export function unreadable(text: string, secrets: readonly string[]): readonly Range[] {
  // A name of one or two letters is one only before a colon.
  const names = secrets.map((name) => (name.length > 2 ? name : `${name}(?=["']?\\s*:)`))
  if (names.length === 0) return []
  const behind = [...text.matchAll(new RegExp(`(?<![\\w-])(?:${names.join('|')})(?![\\w-])`, 'g'))].map(
    (match): Range => {
      const end = text.indexOf('\n', match.index)
      return [match.index + match[0].length, end === -1 ? text.length : end]
    },
  )
  const words = [...text.matchAll(PIECE)].flatMap(({ index, 0: { length }, groups }): readonly Range[] =>
    groups?.['word'] === undefined ? [] : [[index, index + length]],
  )
  return [...behind, ...words]
}

/** A name with its colon, what structures a line, or a word. */
const PIECE = /[A-Za-z_][\w-]*["']?[ \t]*:(?=\s|$)|[\s{}[\],"']+|-(?=\s)|(?<word>[^\s{}[\],"']+)/gm
