import type { Services } from '../core/exchange.ts'
import type { Profile } from '../core/profile.ts'
import type { Confirmation, Draft } from '../core/token.ts'
import { isBytes, isList, isMap, type Value } from '../core/value.ts'
import type { Output } from './types.ts'

/** What would be issued of a draft: numbers and names as they are, of every other claim the kind of its value. */
export function outputOf(draft: Draft, profile: Profile, { issuer }: Services, now: number): Output {
  const { rendering, writer, key } = profile
  const { validity, claims, confirmation, embedded } = draft
  return {
    issued_token_type: writer.tokenType,
    format: rendering.format,
    kind: rendering.kind,
    algorithm: rendering.algorithm,
    key,
    audience: validity.audience,
    scope: validity.scope,
    expires_at: validity.expiresAt,
    expires_in: validity.expiresAt === undefined ? undefined : validity.expiresAt - now,
    claims: Object.fromEntries([
      ['iss', issuer],
      ...Object.entries(claims).map(([name, value]): [string, string] => [name, kindOf(value)]),
      ...embedded.map(({ name, value, place }): [string, string] => [name, `${kindOf(value)}, in the ${place}`]),
    ]),
    bound_by: boundBy(confirmation),
  }
}

function boundBy(confirmation: Confirmation | undefined): readonly string[] | undefined {
  if (confirmation === undefined) return undefined
  const { jkt, publicKey, x5tS256, ckt } = confirmation
  return [
    ...(jkt !== undefined || publicKey !== undefined ? ['jkt'] : []),
    ...(x5tS256 === undefined ? [] : ['x5t#S256']),
    ...(ckt === undefined ? [] : ['ckt']),
  ]
}

function kindOf(value: Value): string {
  if (value === null) return 'null'
  if (isBytes(value)) return 'bytes'
  if (isList(value)) return `a list of ${value.length}`
  if (isMap(value)) return `an object with ${Object.keys(value).length} members`
  return typeof value === 'string' ? 'text' : typeof value === 'number' ? 'a number' : 'true or false'
}
