import { DragomanError } from '../../core/errors.ts'

// A path of eight needs seven signatures; a hundred leave room for same-named decoys and bound what they cost: 10 ms
// of P-256, 75 ms of P-384.
const MAX_SIGNATURES = 100
// Authorities that are tried below anchors. With more of one name, whoever presents them chooses what we work on.
const MAX_CANDIDATES = 32
// Names times constraints, over the whole validation: about 10 ms.
const MAX_NAME_COMPARISONS = 50_000

/** What one validation may still spend. Running out refuses: nothing is believed because it was too much to check. */
export interface Budget {
  spend(what: 'signatures' | 'candidates' | 'comparisons', amount?: number): void
}

/** @throws {@link DragomanError} `ERR_TRUST_PATH`, from `spend`, with `detail.check` `budget` */
export function newBudget(): Budget {
  const left = { signatures: MAX_SIGNATURES, candidates: MAX_CANDIDATES, comparisons: MAX_NAME_COMPARISONS }
  return {
    spend(what, amount = 1) {
      left[what] -= amount
      if (left[what] < 0) {
        throw new DragomanError('ERR_TRUST_PATH', { detail: { check: 'budget', expected: `fewer ${what} to check` } })
      }
    },
  }
}
