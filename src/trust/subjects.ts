import { DragomanError } from '../core/errors.ts'

/**
 * Whether a subject lies in the space that an issuer may speak of.
 *
 * A pattern is one exact subject; or a prefix that ends in a slash, followed by `*`, which stands for anything below it,
 * whole segments only: `spiffe://d/a/*` has `spiffe://d/a/1` and neither `spiffe://d/a1` nor `spiffe://d/a/`; or `*`
 * alone. Nothing is folded, decoded or normalised. A subject with `.` or `..` among its segments matches no prefix: what
 * it names is not what it looks like.
 *
 * @throws {@link DragomanError} `ERR_TRUST_CONFIG` for a `*` anywhere else
 */
export function subjectSpace(patterns: readonly string[]): (subject: string) => boolean {
  const exact = new Set<string>()
  const prefixes: string[] = []
  let everything = false
  for (const pattern of patterns) {
    if (pattern === '*') everything = true
    else if (pattern.endsWith('/*') && !pattern.slice(0, -1).includes('*')) prefixes.push(pattern.slice(0, -1))
    else if (!pattern.includes('*')) exact.add(pattern)
    else {
      throw new DragomanError('ERR_TRUST_CONFIG', {
        detail: { option: 'subjects', actual: pattern, expected: 'an exact subject, a prefix ending in `/*`, or `*`' },
      })
    }
  }
  if (everything) return () => true
  return (subject) => exact.has(subject) || (prefixes.some((prefix) => isBelow(subject, prefix)) && !hasDots(subject))
}

const isBelow = (subject: string, prefix: string): boolean =>
  subject.length > prefix.length && subject.startsWith(prefix) && subject[prefix.length] !== '/'

const hasDots = (subject: string): boolean => subject.split('/').some((segment) => segment === '.' || segment === '..')
