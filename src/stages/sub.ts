import { isWorkloadId } from '../core/spiffe.ts'

// SPIFFE-ID §2.3 has the same; no identity provider of the field comes near it.
const MAX_SUB_BYTES = 2048

// Controls, and characters that are not seen: they make two subjects look like one in every log and list.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u

/** What is wrong with `sub` as a subject, as the rule that it breaks; `undefined` when nothing is. */
export function faultOf(sub: string): string | undefined {
  if (sub.trim() === '') return 'a subject that is not empty'
  if (Buffer.byteLength(sub) > MAX_SUB_BYTES) return `a subject of at most ${MAX_SUB_BYTES} bytes`
  if (UNSEEN.test(sub)) return 'a subject of visible characters'
  if (sub.startsWith('spiffe:') && !isWorkloadId(sub)) return 'a SPIFFE ID of a workload (SPIFFE-ID section 2)'
  return undefined
}
