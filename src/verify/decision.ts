import { type Detail, DragomanError, type ErrorCode } from '../core/errors.ts'
import type { VerifiedToken } from './result.ts'

/** What came of one request, for the operator. Names, numbers and rules: no token, no key, no claim of a person. */
export interface Decision {
  readonly result: 'accepted' | 'refused'
  readonly method: string
  /** Of a refusal: the reason code, what was expected, and the status of the answer. */
  readonly code?: ErrorCode
  readonly detail?: Detail
  readonly status?: number
  /** Of a token that was taken: its issuer, its SHA-256 (of what was signed), transaction and requesting workload. */
  readonly issuer?: string
  readonly sha256?: string
  readonly txn?: string
  readonly req_wl?: string
}

export const accepted = (method: string, { iss, token, txn, req_wl }: VerifiedToken): Decision => ({
  result: 'accepted',
  method,
  issuer: iss,
  sha256: token.provenance.digest,
  ...(txn !== undefined && { txn }),
  ...(req_wl !== undefined && { req_wl }),
})

/** What has no code is a defect: its class is told, not its message, which may quote what was being read. */
export function refused(method: string, error: unknown, status: number): Decision {
  const known = error instanceof DragomanError ? error : undefined
  const name = error instanceof Error ? error.name : typeof error
  return { result: 'refused', method, code: known?.code ?? 'ERR_INTERNAL', detail: known?.detail ?? { name }, status }
}
