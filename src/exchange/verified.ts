import type { Token, Verified } from '../core/token.ts'
import { freeze } from '../core/value.ts'

/**
 * The only maker of {@link Verified}. Called from this folder alone, after the check: a test holds the sources to it.
 */
export const asVerified = <T>(value: T): Verified<T> => value as Verified<T>

/**
 * From here on nobody can change the token any more. What leaves is compared with it, after the stages, which have had it in
 * their hands: a stage that sorts a list in place must not move the mark that it is measured by.
 */
export function freezeToken(token: Token): void {
  const { claims, validity, confirmation, provenance } = token
  freeze(claims)
  Object.freeze(validity.audience)
  Object.freeze(validity.scope)
  Object.freeze(validity)
  Object.freeze(confirmation?.ignored)
  Object.freeze(confirmation)
  Object.freeze(provenance)
  Object.freeze(token)
}
