import type { Services } from '../core/exchange.ts'
import type { TokenAcceptance } from '../core/profile.ts'
import type { Proof } from '../core/proof.ts'
import type { ReplayStore } from '../core/stores.ts'
import type { Envelope, Token, Verified } from '../core/token.ts'
import { assertFirstUse, startUses } from './uses.ts'
import { asVerified } from './verified.ts'
import { type VerifyServices, verifyToken } from './verify.ts'

/** A token on its way into a resource, and what it is judged against. */
export interface Presentation<T> {
  readonly now: number
  /** The proofs that came with it, each checked by its own method; what may be used once is claimed from `replay`. */
  prove(replay: ReplayStore): readonly Proof[] | Promise<readonly Proof[]>
  /** What the resource makes of the token. Throws where it is not good for what was asked. */
  judge(token: Verified<Token>): T
}

/**
 * Verifies a token at the resource that it was presented to.
 *
 * The same checks as in an exchange ({@link verifyToken}), with nobody authenticated beside it: a bound token without its
 * proof is refused. Then `judge`; and last, so that a refused request spends nothing and a stranger fills no store, the
 * first use of the proofs, and of the token where it has only one.
 *
 * @throws {@link DragomanError} with an `ERR_TOKEN_`, `ERR_TRUST_` or `ERR_PROOF_` code, and whatever `judge` throws
 */
export async function verifyPresented<T>(
  envelope: Envelope,
  acceptance: TokenAcceptance,
  { now, prove, judge }: Presentation<T>,
  services: VerifyServices & Pick<Services, 'replay'>,
): Promise<T> {
  const uses = startUses(services)
  const proofs = (await prove(uses.later(now))).map((proof) => asVerified(proof))
  const token = await verifyToken(envelope, acceptance, { now, caller: undefined, proofs }, services)
  const judged = judge(token)
  try {
    await uses.settle('ERR_PROOF_REPLAYED')
    if (acceptance.singleUse) await assertFirstUse([token], now, uses)
  } catch (error) {
    await uses.giveBack()
    throw error
  }
  return judged
}
