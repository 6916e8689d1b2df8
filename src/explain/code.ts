import { DragomanError, type ErrorCode } from '../core/errors.ts'
import type { Services } from '../core/exchange.ts'
import type { Rehearsal } from '../core/rehearsal.ts'
import { type Explained, explain } from './explain.ts'
import { codesOfConnections } from './rules/index.ts'
import type { Explanation } from './types.ts'

/**
 * A reason code by itself, such as a metric has it: what is behind it, what would make it pass. Of what is refused before
 * there is an exchange, that is all that can be known, since it leaves no record; of anything else, a note says how to learn
 * more.
 */
export function explainCode(
  code: ErrorCode,
  services: Services,
  { configuration }: Pick<Explained, 'configuration'> = {},
): Explanation {
  const rehearsal: Rehearsal = {
    error: new DragomanError(code),
    ...{ trace: [], proofs: [], signed: new Map(), candidates: [], usesKnown: true },
    ...{ client: undefined, profile: undefined, draft: undefined, ledger: undefined, toBeSigned: undefined },
  }
  const notes = codesOfConnections.has(code)
    ? ['refused before there is an exchange: most of these leave no audit record']
    : ['of one exchange there is more to tell: with --request-id and --audit, or with the request']
  const now = Math.floor(services.clock())
  return explain(rehearsal, { request: undefined, services, now, configuration, notes, byItself: true })
}
