/** What became of one claim between input and output. */
export interface LedgerEntry {
  readonly claim: string
  readonly became:
    | 'kept'
    | 'renamed'
    | 'narrowed'
    | 'mapped'
    | 'hashed'
    | 'embedded'
    | 'converted'
    | 'replaced'
    | 'dropped'
    | 'lost'
    | 'added'
  readonly to?: string | undefined
  readonly reason?: string | undefined
}

/** Before the name of a member of `cnf` that an entry is about. */
export const PART_OF_CNF = 'cnf.'

/** The loss ledger: every claim of the input and of the output, once. */
export type Ledger = readonly LedgerEntry[]
