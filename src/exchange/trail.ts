import { createHmac, hash } from 'node:crypto'
import type { AuditRecord, TraceEntry } from '../core/audit.ts'
import type { Client } from '../core/client.ts'
import { DragomanError, errorHeard } from '../core/errors.ts'
import type { Services, TokenRequest } from '../core/exchange.ts'
import type { Signer } from '../core/keys.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Observation } from '../core/observer.ts'
import type { Profile } from '../core/profile.ts'
import type { Proof } from '../core/proof.ts'
import type { Draft, Envelope, Issued, Token } from '../core/token.ts'
import type { Transaction } from '../core/transaction.ts'

/** What one exchange leaves behind it, gathered as it goes and turned into one record at the end. */
export interface Trail {
  client?: Client
  profile?: Profile
  subject?: Token
  actor?: Token
  transaction?: Transaction
  proofs: readonly Proof[]
  signer?: Signer
  draft?: Draft
  issued?: Issued
  ledger?: Ledger
  /** Tokens whose signature is good, by role: for whoever explains a refusal, and nobody else. */
  readonly signed: Map<Envelope['role'], Token>
  readonly trace: readonly TraceEntry[]
  /** SHA-256 of the subject token as it was sent, in hex. */
  inputDigest(): string | undefined
  /** Adds a step to the trace. */
  note(entry: TraceEntry): void
  /** Notes that a step went through. */
  passed(step: string): void
  /** Notes a refusal, under the step that was under way, and gives back the error to throw. */
  refuse(error: unknown): DragomanError
  /** The step under way, for the trace of a refusal. */
  step: string
  path: string | undefined
  record(): AuditRecord
  /** Who watches it, if anybody does. */
  readonly observation: Observation | undefined
}

export function startTrail(request: Pick<TokenRequest, 'id'> & Partial<TokenRequest>, services: Services): Trail {
  const started = performance.now()
  const trace: TraceEntry[] = []
  const observation = services.observer?.begin(request.id, services.tenant, request.trace)
  const grant = services.grants.find(({ type }) => type === request.grant_type)
  let refusal: DragomanError | undefined
  let inputDigest: string | undefined
  const trail: Trail = {
    proofs: [],
    observation,
    signed: new Map(),
    trace,
    step: 'read',
    path: undefined,
    inputDigest() {
      inputDigest ??= digestOf(request.subject_token)
      return inputDigest
    },
    note(entry) {
      trace.push(entry)
      observation?.step(entry)
    },
    passed(step) {
      trail.note({ step, outcome: 'passed' })
    },
    refuse(error) {
      refusal = error instanceof DragomanError ? error : new DragomanError('ERR_INTERNAL', { cause: error })
      const { step, path } = trail
      trail.note({ step, outcome: 'refused', ...(path && { path }), detail: { code: refusal.code, ...refusal.detail } })
      return refusal
    },
    // One literal with every member, so that all records have one shape: written as JSON in half the time.
    record: () => {
      const { client, profile, subject, actor, issued, proofs } = trail
      return {
        time: new Date(services.clock() * 1000).toISOString(),
        event: 'exchange',
        id: request.id,
        tenant: services.tenant,
        grant: grant?.name,
        result: refusal ? 'refused' : 'issued',
        code: refusal?.code,
        error: refusal && errorHeard(refusal.code, grant),
        endpoint: request.endpoint,
        batch: request.batch,
        // Where the subject token stands for the client, the client's id is the subject.
        client: client?.method === 'subject_token' ? identityOf(subject, profile, services) : client?.id,
        client_method: client?.method,
        profile: profile?.name,
        profile_digest: profile?.digest,
        transaction: trail.transaction?.kind.name,
        txn: trail.transaction?.txn,
        subject: identityOf(subject, profile, services),
        subject_issuer: subject?.provenance.issuer,
        subject_format: subject?.provenance.format,
        subject_algorithm: subject?.provenance.algorithm,
        actor: identityOf(actor, profile, services),
        input_sha256: trail.inputDigest(),
        signed_sha256: subject?.provenance.digest,
        actor_sha256: digestOf(request.actor_token),
        output_sha256: digestOf(issued?.raw),
        output_id: issued?.id,
        issued_token_type: issued?.tokenType,
        issued_format: issued && profile?.rendering.format,
        issued_algorithm: issued && trail.signer?.algorithm.name,
        audience: issued && trail.draft?.validity.audience,
        scope: issued && trail.draft?.validity.scope,
        expires_at: issued && trail.draft?.validity.expiresAt,
        proofs: proofs.length > 0 ? proofs.map((proof) => proof.method) : undefined,
        trace,
        ledger: trail.ledger,
        duration_us: Math.round((performance.now() - started) * 1000),
      }
    },
  }
  return trail
}

/**
 * A subject as the profile wants it recorded; hashed over issuer and subject, since a name alone means nothing. Without a
 * key whoever can list the subjects can tell them apart by their hashes.
 */
function identityOf(
  token: Token | undefined,
  profile: Profile | undefined,
  { auditKey }: Pick<Services, 'auditKey'>,
): string | undefined {
  const subject = token?.claims['sub']
  if (token === undefined || typeof subject !== 'string' || profile?.auditSubject === 'absent') return undefined
  if (profile?.auditSubject === 'plain') return subject
  const text = `${token.provenance.issuer}\0${subject}`
  return auditKey === undefined
    ? `sha256:${digestOf(text)}`
    : `hmac-sha256:${createHmac('sha256', auditKey).update(text).digest('hex')}`
}

/**
 * Leaves the record of an exchange. A token without a record must not be given out, so that one which cannot be written
 * takes the place of whatever the exchange came to.
 *
 * @throws {@link DragomanError} `ERR_AUDIT_UNAVAILABLE`
 */
export function leave(trail: Trail, { audit }: Services): void {
  const record = trail.record()
  trail.observation?.end(record)
  try {
    audit.write(record)
  } catch (cause) {
    throw new DragomanError('ERR_AUDIT_UNAVAILABLE', { cause })
  }
}

const digestOf = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : hash('sha256', text)
