import type { TraceEntry } from '../core/audit.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Place } from '../core/place.ts'

/**
 * What an exchange would come to, or came to, and why. Names, numbers, rules and places; never a token, a key, a secret
 * or the value of a personal claim. The shape is that of `docs/schema/explanation.json`: members are added, never changed.
 */
export interface Explanation {
  readonly version: 1
  readonly result: 'would_pass' | 'issued' | 'refused'
  /** The moment it was judged by, in UTC. */
  readonly time: string
  readonly tenant: string
  /** Of an exchange that has taken place: the id that the client was given. */
  readonly request_id?: string | undefined
  readonly client?: { readonly id: string; readonly method: string } | undefined
  readonly profile?: ProfileName | undefined
  readonly refusal?: Refusal | undefined
  readonly steps: readonly Step[]
  /** Each profile that could have been meant and was not chosen, the nearest first. */
  readonly not_chosen: readonly NotChosen[]
  readonly output?: Output | undefined
  readonly ledger?: Ledger | undefined
  /** What to bear in mind, a sentence each. */
  readonly notes: readonly string[]
}

export interface ProfileName {
  readonly name: string
  readonly digest: string
  readonly place?: Place | undefined
}

/** The rule that refused. */
export interface Refusal extends Told {
  readonly code: ErrorCode
  /** What the client is told: an OAuth error code and its description. */
  readonly error: string
  readonly description: string
  /** Where in the recipe: `authenticate`, `verify subject`, a stage's name. */
  readonly step: string
  readonly cause: string
}

export interface NotChosen extends Told {
  readonly profile: string
  readonly code: ErrorCode
}

/** What is said of one refusal. */
export interface Told {
  /** The rule, in the profile or in the configuration. */
  readonly place?: Place | undefined
  readonly expected?: string | undefined
  /** What was there instead, where that may be said. */
  readonly found?: string | undefined
  /** What would make it pass, each by itself, the most usual first. */
  readonly remedies: readonly string[]
}

export interface Step {
  readonly step: string
  readonly outcome: TraceEntry['outcome']
  readonly place?: Place | undefined
  readonly changed?: readonly string[] | undefined
}

/** What would be issued. */
export interface Output {
  readonly issued_token_type: string
  readonly format: string
  readonly kind?: string | undefined
  readonly algorithm?: string | undefined
  readonly key: string
  readonly audience: readonly string[]
  readonly scope?: readonly string[] | undefined
  readonly expires_at?: number | undefined
  /** Seconds. */
  readonly expires_in?: number | undefined
  /** Names of its claims, and of each what kind of value it has. */
  readonly claims: { readonly [name: string]: string }
  /** By what it is bound to a key; absent: a bearer token. */
  readonly bound_by?: readonly string[] | undefined
}
