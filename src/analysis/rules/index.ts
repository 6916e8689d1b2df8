import type { LintRule, Rule } from '../finding.ts'
import { constraintRules } from './constraint.ts'
import { dangerRules } from './dangers.ts'
import { deadRules } from './dead.ts'
import { fileRules } from './files.ts'
import { leavingRules } from './leaving.ts'
import { lifeRules } from './life.ts'
import { patternRules } from './patterns.ts'
import { trustRules } from './trust.ts'
import { wideningRules } from './widening.ts'

/** Every rule that looks at what was read, in the order of its number. */
export const lintRules: readonly LintRule[] = [
  ...trustRules,
  ...dangerRules,
  ...wideningRules,
  ...lifeRules,
  ...constraintRules,
  ...patternRules,
  ...deadRules,
  ...leavingRules,
  ...fileRules,
].sort((left, right) => left.id.localeCompare(right.id))

const SILENCING_CURE = 'Write `# dragoman-lint-ignore RULE: REASON` on the line of the finding, or alone above it.'

/** Rules about the files as such, and about silencings. They cannot be silenced. */
export const ownRules = {
  cannotLoad: {
    id: 'LINT-001',
    name: 'cannot-load',
    finds: 'Something is wrong that stops a start: an unknown client, issuer, option or file.',
    why: 'Nothing else can be said of it before it can be loaded.',
    cure: 'Do what the message says; `dragoman validate` says the same.',
  },
  unusedSilencing: {
    id: 'LINT-901',
    name: 'unused-silencing',
    finds: 'A finding is silenced that there is not.',
    why: 'It would hide the finding when it comes back, without anybody having looked at it.',
    cure: 'Take the comment out, or put it where the finding is.',
  },
  silencingWithoutReason: {
    id: 'LINT-902',
    name: 'silencing-without-reason',
    finds: 'A finding is silenced without a reason.',
    why: 'Whoever reads it later cannot tell whether the reason still holds.',
    cure: SILENCING_CURE,
  },
  silencingUnknown: {
    id: 'LINT-903',
    name: 'silencing-unknown',
    finds: 'A silencing names no rule that there is.',
    why: 'It silences nothing, and what it was for is found all the same, or no more.',
    cure: SILENCING_CURE,
  },
} as const satisfies { readonly [name: string]: Rule }

/** What is told of all rules, with those above. */
export const allRules: readonly Rule[] = [...Object.values(ownRules), ...lintRules].sort((left, right) =>
  left.id.localeCompare(right.id),
)
