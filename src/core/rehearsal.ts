import type { TraceEntry } from './audit.ts'
import type { Client } from './client.ts'
import type { DragomanError } from './errors.ts'
import type { Ledger } from './ledger.ts'
import type { Profile } from './profile.ts'
import type { Proof } from './proof.ts'
import type { Draft, Envelope, Token } from './token.ts'

/** An exchange up to its signature: what it came to, and what was seen on the way. Nothing was issued, nothing spent. */
export interface Rehearsal {
  /** `undefined`: it would pass. */
  readonly error: DragomanError | undefined
  readonly trace: readonly TraceEntry[]
  readonly client: Client | undefined
  readonly profile: Profile | undefined
  /** Each profile of the tenant, and why it does not serve this request; empty: nothing was selected yet. */
  readonly candidates: readonly Candidate[]
  /** Tokens whose signature is good, by role; one that was refused for another reason is among them. */
  readonly signed: ReadonlyMap<Envelope['role'], Token>
  readonly proofs: readonly Proof[]
  readonly draft: Draft | undefined
  readonly ledger: Ledger | undefined
  /** Bytes of what would be signed. */
  readonly toBeSigned: number | undefined
  /** Whether the store of uses could be asked without claiming anything. */
  readonly usesKnown: boolean
}

/** One profile, and what keeps it from serving a request; nothing: it would. */
export interface Candidate {
  readonly profile: Profile
  readonly misfits: readonly DragomanError[]
}
