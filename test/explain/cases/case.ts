import type { ErrorCode } from '../../../src/core/errors.ts'
import type { Asking } from '../../support/explaining.ts'
import type { Parameters } from '../../support/world.ts'

/** What is asked, and how. */
export interface Attempt {
  readonly parameters: Parameters
  readonly asking?: Asking
}

export interface Case {
  readonly title: string
  readonly code: ErrorCode
  /** Makes files differ from those that ship. */
  readonly edit?: () => void
  readonly ask: () => Promise<Attempt> | Attempt
  /** The file with the rule, and what stands at its place. */
  readonly place?: readonly [file: string, what: string]
  readonly expected: string | RegExp
  readonly found?: string | RegExp
  readonly remedy: string | RegExp
  /** Does what the remedy says: changes files, or asks in another way. */
  readonly mend?: (attempt: Attempt) => Promise<Attempt> | Attempt | undefined
}

export const with_ = (attempt: Attempt, parameters: Parameters): Attempt => ({
  ...attempt,
  parameters: { ...attempt.parameters, ...parameters },
})
