import { DragomanError } from './errors.ts'
import type { Value } from './value.ts'
import { isList } from './value.ts'

/**
 * The claim that tells through which trust domains a token came: the issuers whose tokens were taken on the way, the first
 * one first. Each gateway adds the issuer of what it took, and signs the whole.
 */
export const PATH_CLAIM = 'trust_path'

// More domains in a row than any federation we know; whoever goes round in a circle is stopped here at the latest.
export const MAX_PATH = 8
// Characters of an issuer identifier.
const MAX_ISSUER = 512

/** What a path claim says; none: it is the first hop. @throws `ERR_TOKEN_PATH` when it is malformed or too long */
export function pathIn(value: Value | undefined): readonly string[] {
  if (value === undefined) return []
  if (!isList(value) || !value.every(isIssuer)) throw refused('a list of issuer identifiers')
  if (value.length > MAX_PATH) throw refused(`at most ${MAX_PATH} issuers`)
  return value
}

const isIssuer = (value: Value): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_ISSUER

/** Whether `path` goes on from `earlier`, which stands unchanged at its beginning. */
export const goesOn = (path: readonly string[], earlier: readonly string[]): boolean =>
  earlier.every((issuer, index) => path[index] === issuer)

const refused = (expected: string): DragomanError => new DragomanError('ERR_TOKEN_PATH', { detail: { expected } })
