import type { ErrorCode } from '../core/errors.ts'
import type { LedgerEntry } from '../core/ledger.ts'
import type { TwinName } from './twins/names.ts'

/** A `*.test.yaml` once its schema has passed it: {@link testSchema} says what each member means. */
export interface TestDocument {
  readonly profile?: string
  readonly clock?: number | string
  readonly setup?: SetupDocument
  readonly tokens?: { readonly [name: string]: TokenDocument }
  readonly cases: readonly CaseDocument[]
  readonly equivalent?: { readonly [mutation: string]: string }
}

export interface SetupDocument {
  readonly issuer?: string
  readonly clock_skew?: number
  readonly clients?: readonly {
    readonly client_id: string
    readonly token_endpoint_auth_method?: string
    readonly dpop_bound_access_tokens?: boolean
  }[]
  readonly issuers?: readonly {
    readonly issuer: string
    readonly trust_domain?: string
    readonly algorithms?: readonly string[]
    readonly subjects?: readonly string[]
    readonly history?: boolean
  }[]
  readonly keys?: readonly { readonly name: string; readonly algorithm: string; readonly authority?: boolean }[]
  readonly secrets?: readonly string[]
}

export interface TokenDocument {
  readonly like?: string
  readonly format?: string
  readonly kind?: string
  readonly type?: string
  readonly issuer?: string
  readonly algorithm?: string
  readonly claims?: { readonly [name: string]: unknown }
  readonly without?: readonly string[]
  readonly issued?: number
  readonly lifetime?: number | 'never'
  readonly not_before?: number
  readonly cnf?: string | false
  readonly cnf_by?: 'key' | 'certificate'
  readonly signed_by?: string
  readonly usages?: readonly string[]
  readonly embeds?: { readonly [claim: string]: string }
}

export type ProofName = 'dpop' | 'mtls' | 'pkcs10'

export interface RequestDocument {
  readonly client?: string | false
  readonly subject?: string | TokenDocument
  readonly actor?: string | TokenDocument
  readonly audience?: string | readonly string[]
  readonly resource?: string | readonly string[]
  readonly scope?: string | readonly string[]
  readonly requested_token_type?: string
  readonly request_details?: { readonly [member: string]: unknown }
  readonly request_context?: { readonly [member: string]: unknown }
  readonly again?: true
  readonly proofs?: readonly (ProofName | { readonly method: ProofName; readonly key?: string })[]
}

export interface IssuedDocument {
  readonly format?: string
  readonly kind?: string
  readonly algorithm?: string
  readonly type?: string
  readonly begins?: string
  readonly max_length?: number
  readonly token_type?: string
  readonly claims?: { readonly [name: string]: unknown }
  readonly only?: true
  readonly present?: readonly string[]
  readonly absent?: readonly string[]
  readonly audience?: string | readonly string[]
  readonly scope?: string | readonly string[]
  readonly lifetime?: number
  readonly not_before?: number
  readonly act?: { readonly [name: string]: unknown }
  readonly cnf?: string | false
}

export interface ExpectDocument {
  readonly token?: IssuedDocument
  readonly refused?: ErrorCode
  readonly at?: string
  readonly detail?: { readonly [name: string]: unknown }
  readonly ledger?: {
    readonly [claim: string]: LedgerEntry['became'] | { readonly became: LedgerEntry['became']; readonly to?: string }
  }
  readonly subject_in_audit?: 'plain' | 'hashed' | 'absent'
}

export interface CaseDocument {
  readonly name: string
  readonly request: RequestDocument
  readonly expect: ExpectDocument
  readonly twins?: { readonly [Twin in TwinName]?: ErrorCode | { readonly skip: string } }
}
