import type { ProofMethod } from '../core/proof.ts'
import { type DpopOptions, dpopProof } from './dpop.ts'
import { mtlsProof } from './mtls.ts'
import { pkcs10Proof } from './pkcs10.ts'

export { proveDpop } from './dpop.ts'
export { certificateProofs } from './mtls.ts'
export { type Nonces, rollingNonces } from './nonce.ts'

/** The built-in ways to show possession of a key; for each gateway its own, since one remembers certificates. */
export const proofMethodsWith = (options: DpopOptions = {}): readonly ProofMethod[] => [
  dpopProof(options),
  mtlsProof(),
  pkcs10Proof,
]
