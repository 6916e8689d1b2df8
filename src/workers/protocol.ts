import type { Guess, Settled } from '../compose.ts'
import type { ListenerSetting } from '../gateway/listen.ts'
import type { Measured } from '../gateway/metrics.ts'
import type { Health, Lines } from './records.ts'

/** What a worker serves. */
export interface Plan {
  readonly settled: Settled
  readonly health: Health
}

/** What the main thread asks of a worker. */
export type FromMain = {
  /** Puts the gateway together. It takes no request before `listen`. */
  start(plan: Plan): Promise<void>
  listen(settings: readonly ListenerSetting[]): Promise<void>
  /** Puts another one together, and leaves the one in force. */
  prepare(plan: Plan): Promise<void>
  /** Puts in force what was prepared. Cannot fail. */
  commit(): void
  abandon(): void
  /** Counts failed authentications of other workers. */
  guessed(guesses: readonly Guess[]): void
  measure(): Promise<Measured>
  /** Answers what is under way, sends its records, and takes nothing more. */
  close(): Promise<void>
}

/** What a worker asks of the main thread. */
export type ToMain = {
  records(lines: Lines): void
  guessed(guesses: readonly Guess[]): void
  /** The metrics of all workers as one text. */
  metrics(): Promise<string>
  log(defect: { readonly event: string; readonly detail: { readonly [name: string]: unknown } }): void
}
