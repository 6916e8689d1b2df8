import type { Ledger } from './ledger.ts'

/** One step of an exchange, as it went. No value of a claim, only names. */
export interface TraceEntry {
  /** `authenticate`, `select`, `prove`, `verify subject`, `verify actor`, a stage's name, `never wider`, `issue`. */
  readonly step: string
  readonly outcome: 'passed' | 'changed' | 'unchanged' | 'refused' | 'skipped'
  /** Where in the profile the stage stands, such as `stages[2].validity`. */
  readonly path?: string | undefined
  /** Names of what it changed. */
  readonly changed?: readonly string[] | undefined
  /** Of a refusal: the rule that refused, and what was expected. Never a token, a key or a secret. */
  readonly detail?: { readonly [name: string]: unknown } | undefined
}

/** The one record that each exchange leaves, refusals included. Serialised as one JSON line. */
export interface AuditRecord {
  readonly time: string
  readonly event: 'exchange'
  readonly id: string
  readonly tenant: string
  /** By which grant it was asked, as profiles call it. */
  readonly grant?: string | undefined
  readonly result: 'issued' | 'refused'
  /** The reason code of a refusal. */
  readonly code?: string | undefined
  /** What the client was told. */
  readonly error?: string | undefined
  /** The endpoint that was asked, where it is not the token endpoint. */
  readonly endpoint?: string | undefined
  /** The batch that it was one of: the request id of the whole. */
  readonly batch?: string | undefined
  readonly client?: string | undefined
  readonly client_method?: string | undefined
  readonly profile?: string | undefined
  readonly profile_digest?: string | undefined
  /** The kind of transaction, by its name in the profile, and the transaction's identifier. */
  readonly transaction?: string | undefined
  readonly txn?: string | undefined
  /** As configured: plain, SHA-256 or HMAC-SHA-256, or absent. */
  readonly subject?: string | undefined
  readonly subject_issuer?: string | undefined
  /** The format of the subject token, and the algorithm that it is signed with. */
  readonly subject_format?: string | undefined
  readonly subject_algorithm?: string | undefined
  readonly actor?: string | undefined
  readonly input_sha256?: string | undefined
  /** Of the bytes that were signed in the subject token: the same however it was encoded or wrapped. */
  readonly signed_sha256?: string | undefined
  readonly actor_sha256?: string | undefined
  readonly output_sha256?: string | undefined
  readonly output_id?: string | undefined
  readonly issued_token_type?: string | undefined
  readonly issued_format?: string | undefined
  readonly issued_algorithm?: string | undefined
  readonly audience?: readonly string[] | undefined
  readonly scope?: readonly string[] | undefined
  readonly expires_at?: number | undefined
  readonly proofs?: readonly string[] | undefined
  readonly trace: readonly TraceEntry[]
  readonly ledger?: Ledger | undefined
  readonly duration_us: number
}

/** A place for records that are lines already, such as those of another thread. */
export interface LineSink extends AuditSink {
  /** Takes whole lines, each with its line feed. Throws where {@link AuditSink.write} would. */
  append(lines: readonly string[]): void
}

/** Where audit records go. */
export interface AuditSink {
  write(record: AuditRecord): void
  /** `false`: records cannot be written, so nothing may be exchanged. */
  healthy?(): boolean
  /** Opens the file again, after it was moved away (SIGHUP). */
  reopen?(): void
  close?(): Promise<void>
}
