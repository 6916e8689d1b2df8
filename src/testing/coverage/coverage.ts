import type { AuditRecord } from '../../core/audit.ts'
import type { Path } from '../../profiles/problem.ts'
import type { Ask } from '../ask.ts'
import { placeIn } from '../places.ts'
import type { Stand } from '../stand.ts'
import { acceptanceRules } from './acceptance.ts'
import { stageRules } from './stages.ts'
import { transactionRules } from './transactions.ts'

/** One exchange that was seen: what was asked, and what became of it. */
export interface Observation {
  readonly ask: Ask
  readonly record: AuditRecord
}

/** One thing that a profile says, and by which exchange it shows. */
export interface Rule {
  readonly path: Path
  /** What has to be seen, in words that follow "never". */
  readonly says: string
  readonly shows: (seen: Observation) => boolean
}

/** How much of a profile was exercised. */
export interface Coverage {
  readonly rules: number
  /** What was never seen, with its place in the profile, the line and a caret. */
  readonly missing: readonly { readonly says: string; readonly place: string }[]
}

/**
 * Which rules of a profile its cases and twins have exercised: each stage, both branches of each `when`, each check seen to
 * refuse, each name of a list seen to count.
 *
 * A rule that was exercised may still be tested badly: {@link runMutations} asks that.
 */
export function coverageOf(stand: Stand, seen: readonly Observation[]): Coverage {
  const rules = [...acceptanceRules(stand), ...transactionRules(stand), ...stageRules(stand)]
  const missing = rules.filter(({ shows }) => !seen.some(shows))
  return {
    rules: rules.length,
    missing: missing.map(({ path, says }) => ({ says, place: placeIn(stand.source, path, `never ${says}`) })),
  }
}
