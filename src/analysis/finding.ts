import type { Extension } from '../core/catalog.ts'
import type { Path } from '../profiles/problem.ts'
import type { Source } from '../profiles/source.ts'
import type { Reading } from './reading.ts'

/** One thing that is looked for. The name is the contract: it is what a silencing names. */
export interface Rule {
  /** `LINT-201`: the first digit is the topic. */
  readonly id: string
  /** `any-target` */
  readonly name: string
  /** What is found, in a sentence. */
  readonly finds: string
  /** What can go wrong with it. */
  readonly why: string
  /** How to put it right. */
  readonly cure: string
}

/** A place where a rule found something. */
export interface Hit {
  readonly source: Source
  readonly path: Path
  /** The name of the member at `path` is meant, not its value. */
  readonly atName?: boolean
  /** Of an expression at `path`: which of its characters is meant, from 0. */
  readonly character?: number
  /** What is there, in words. */
  readonly says: string
}

/** A rule with its eyes. */
export interface LintRule extends Rule {
  look(reading: Reading, surroundings: Surroundings): readonly Hit[]
}

/** What a rule may ask beside the files. */
export interface Surroundings {
  /** Permission bits of a file; `undefined`: it cannot be looked at. */
  mode(file: string): number | undefined
  /** Names of trust domains whose identifiers are not to leave, beside those that say so by their name. */
  readonly internal: readonly string[]
  /** What profiles may name beside what is built in. */
  readonly more?: Extension
}

/** What was found, and where. */
export interface Finding {
  readonly rule: Pick<Rule, 'id' | 'name' | 'why' | 'cure'>
  readonly file: string
  readonly line: number
  readonly column: number
  /** `stages[2].validity.lifetime` */
  readonly path: string
  readonly says: string
  /** The line, and below it a caret. */
  readonly excerpt: string
}
