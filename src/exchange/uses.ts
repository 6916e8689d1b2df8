import { MAX_CLOCK_SKEW } from '../core/acceptance.ts'
import type { ErrorCode } from '../core/errors.ts'
import { DragomanError } from '../core/errors.ts'
import type { Services } from '../core/exchange.ts'
import { andThen, isLater } from '../core/later.ts'
import type { ReplayStore } from '../core/stores.ts'
import type { Token, Verified } from '../core/token.ts'

/** What one exchange uses up, and gives back when nothing comes of it. */
export interface Uses {
  /** A store that claims nothing yet: {@link Uses.settle} does. */
  later(now: number): ReplayStore
  /**
   * Claims what was put off, in order.
   *
   * @throws {@link DragomanError} `code` where something was used before, `ERR_STORE_UNAVAILABLE` where nobody can tell
   */
  settle(code: ErrorCode): Promise<void>
  /** Gives back what {@link Uses.settle} has claimed. Never throws: what cannot be given back stays used. */
  giveBack(): Promise<void>
}

export function startUses({ replay }: Pick<Services, 'replay'>): Uses {
  let waiting: { readonly key: string; readonly until: number; readonly now: number }[] = []
  const claimed: string[] = []
  return {
    later: (now) => ({
      claim(key, until) {
        waiting.push({ key, until, now })
        return true
      },
    }),
    async settle(code) {
      const due = waiting
      waiting = []
      for (const { key, until, now } of due) {
        const claim = orUnavailable('ERR_STORE_UNAVAILABLE', () => replay.claim(key, until, now))
        const first = isLater(claim) ? await claim : claim
        if (first !== true) throw new DragomanError(code)
        claimed.push(key)
      }
    },
    async giveBack() {
      for (const key of claimed.splice(0)) {
        try {
          await replay.release?.(key)
        } catch {
          // The refusal that is under way says what is wrong.
        }
      }
    },
  }
}

/**
 * Claims the one use of each of these tokens. Atomic, and last: a refused request spends nothing.
 *
 * Remembered for as long as any profile could still take the token, which may allow for more skew than this one.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_REPLAYED`, `ERR_STORE_UNAVAILABLE`
 */
export async function assertFirstUse(tokens: readonly Verified<Token>[], now: number, uses: Uses): Promise<void> {
  const later = uses.later(now)
  for (const { validity, provenance } of tokens) {
    later.claim(`token ${provenance.replayKey}`, Math.ceil(validity.expiresAt ?? now) + MAX_CLOCK_SKEW, now)
  }
  await uses.settle('ERR_TOKEN_REPLAYED')
}

/** What is elsewhere may fail in ways of its own: to whoever asks, it is not there for now. */
export function orUnavailable<T>(code: ErrorCode, action: () => T | Promise<T>): T | Promise<T> {
  const failed = (cause: unknown): never => {
    throw cause instanceof DragomanError ? cause : new DragomanError(code, { cause })
  }
  try {
    return andThen(action(), (value) => value, failed)
  } catch (cause) {
    return failed(cause)
  }
}
