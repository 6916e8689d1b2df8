import { errors } from '../../core/errors.ts'
import type { Found, Rules, Words } from '../found.ts'
import { shown, texts } from '../words.ts'
import { clientRules } from './client.ts'
import { connectionRules } from './connection.ts'
import { profileRules } from './profile.ts'
import { proofRules } from './proof.ts'
import { requestRules } from './request.ts'
import { tokenRules } from './token.ts'
import { transactionRules } from './transaction.ts'
import { trustRules } from './trust.ts'

/** Codes of what is refused before there is an exchange. */
export const codesOfConnections: ReadonlySet<string> = new Set(Object.keys(connectionRules))

/** What is said of each refusal that a request can come to. */
export const rules: Rules = {
  ...connectionRules,
  ...requestRules,
  ...clientRules,
  ...profileRules,
  ...tokenRules,
  ...transactionRules,
  ...proofRules,
  ...trustRules,
}

/**
 * The words for one refusal; of a code that has no rule of its own, those of the catalogue, and so of a code `byItself`
 * whose rule tells of one exchange.
 */
export function wordsFor(found: Found, byItself = false): Words {
  const rule = byItself && !codesOfConnections.has(found.code) ? undefined : rules[found.code]
  if (rule !== undefined) return rule(found)
  const expected = texts(found.detail['expected'])
  return {
    path: found.stage,
    ...(expected.length > 0 && { expected: expected.map(shown).join(', ') }),
    remedies: [errors[found.code].cure],
  }
}
