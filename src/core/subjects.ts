import { DragomanError } from './errors.ts'

// `spiffe://*` would be every host there is, which is what `*` says in plain words.
const PREFIX = /^(?!.*\/\/\*$)[^*]*\/\*$/su

// What the URL Standard takes for a dot segment, reads as a slash, or leaves out.
const ELSEWHERE = /\\|\p{Cc}|(?:^|\/)(?:\.|%2e){1,2}(?:[/?# ]|$)/iu

/**
 * Whether a subject lies in the space that an issuer may speak of.
 *
 * A pattern is one exact subject; or a prefix that ends in a slash, followed by `*`, which stands for anything below it,
 * whole segments only: `spiffe://d/a/*` has `spiffe://d/a/1` and neither `spiffe://d/a1` nor `spiffe://d/a/`; or `*`
 * alone. Nothing is folded, decoded or normalised. A subject with a segment `.` or `..`, plain or percent-encoded, a
 * backslash or a control character matches no prefix: a reader that takes it for a URL finds it elsewhere.
 *
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG` for a `*` anywhere else, or in place of a host name
 */
export function subjectSpace(patterns: readonly string[]): (subject: string) => boolean {
  const exact = new Set<string>()
  const prefixes: string[] = []
  let everything = false
  for (const pattern of patterns) {
    if (pattern === '*') everything = true
    else if (PREFIX.test(pattern)) prefixes.push(pattern.slice(0, -1))
    else if (!pattern.includes('*')) exact.add(pattern)
    else {
      throw new DragomanError('ERR_TRUST_CONFIG', {
        detail: { option: 'subjects', actual: pattern, expected: 'an exact subject, a prefix ending in `/*`, or `*`' },
      })
    }
  }
  if (everything) return () => true
  return (subject) =>
    exact.has(subject) || (prefixes.some((prefix) => isBelow(subject, prefix)) && !ELSEWHERE.test(subject))
}

const isBelow = (subject: string, prefix: string): boolean =>
  subject.length > prefix.length && subject.startsWith(prefix) && subject[prefix.length] !== '/'
