import type { AcceptanceOptions } from '../core/acceptance.ts'
import type { Catalog } from '../core/catalog.ts'
import type { KeyStore } from '../core/keys.ts'
import type { Stage } from '../core/stage.ts'
import type { TrustStore } from '../core/trust.ts'
import type { Kind, Value } from '../core/value.ts'
import type { Check } from './check.ts'
import type { Path } from './problem.ts'
import type { Report } from './report.ts'

/** What a profile is loaded against: one tenant's issuers, clients, keys. */
export interface ProfileEnvironment {
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly clockSkew: number
  readonly catalog: Catalog
  readonly keys: KeyStore
  readonly keyNames: readonly string[]
  readonly issuers: readonly string[]
  /** What the issuers have: keys, certificates. Absent: it is not looked at. */
  readonly trust?: TrustStore | undefined
  readonly clients: readonly string[]
  /** The check against the schema of this catalog: compiling it takes longer than all else, so that it is kept. */
  readonly check: Check
  /** Reads a file named in the profile at `profileFile`. */
  readFile(profileFile: string, name: string): string
  /** @throws {@link DragomanError} for a name that is not configured */
  secret(name: string): Uint8Array
}

/** The document of a profile once its schema has passed it. */
export interface ProfileDocument {
  readonly name: string
  readonly description?: string
  readonly accept: AcceptDocument
  readonly transactions?: readonly TransactionDocument[]
  readonly stages: readonly { readonly [stage: string]: unknown }[]
  readonly must_keep?: readonly string[]
  readonly max_lifetime?: number
  readonly audit?: { readonly subject?: 'plain' | 'hashed' | 'absent' }
}

export interface AcceptDocument {
  readonly grant?: string
  readonly clients?: readonly string[]
  readonly subject_token_authenticates?: boolean
  readonly subject: AcceptanceOptions
  readonly actor?: AcceptanceOptions
  readonly targets: {
    readonly allow?: readonly (string | { readonly request: string; readonly audience: string })[]
    readonly default?: readonly string[]
    readonly resources?: readonly string[]
    readonly danger_any_target?: true
  }
}

/** One row of the table of transactions. */
export interface TransactionDocument {
  readonly name: string
  readonly clients: readonly string[]
  readonly subject_token_types?: readonly string[]
  readonly subjects: readonly string[]
  readonly scope: readonly string[]
  readonly lifetime: number
  readonly replacements?: number
  readonly details?: { readonly [member: string]: MemberDocument }
  readonly context?: { readonly [member: string]: MemberDocument }
}

/** One member of `tctx` or `rctx`: its type, or more. */
export type MemberDocument =
  | Kind
  | {
      readonly type: Kind
      readonly required?: boolean
      readonly among?: readonly Value[]
      readonly value?: Value
      readonly cel?: string
    }

/** One entry of `stages`, with the stage that it names. */
export interface Entry {
  readonly stage: Stage
  readonly options: unknown
  readonly when: string | undefined
  /** `['stages', 2, 'validity']` */
  readonly path: Path
}

/** The entries of a document that its schema has passed. Reports one that does not name exactly one stage. */
export function entriesOf({ stages }: ProfileDocument, known: readonly Stage[], report: Report): readonly Entry[] {
  return stages.flatMap((item, index): readonly Entry[] => {
    const [stage, another] = known.filter(({ name }) => Object.hasOwn(item, name))
    if (stage === undefined || another !== undefined) {
      report.add({ path: ['stages', index], message: 'expected one stage for each entry of the list' })
      return []
    }
    const when = item['when']
    return [
      {
        stage,
        options: item[stage.name],
        when: typeof when === 'string' ? when : undefined,
        path: ['stages', index, stage.name],
      },
    ]
  })
}
