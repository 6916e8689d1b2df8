import { hash } from 'node:crypto'
import { algorithmsFor } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { Proof, ProofMethod } from '../core/proof.ts'
import { parseCertificate } from '../wire/certificate.ts'

/**
 * The key of the TLS client certificate, proved in the handshake (RFC 8705 §3): {@link certificateProofs} of the leaf.
 *
 * @throws {@link DragomanError} `ERR_PROOF_CERTIFICATE`
 */
export function mtlsProof(): ProofMethod {
  const proofOf = certificateProofs()
  return {
    name: 'mtls',
    prove({ certificates, forwarded }) {
      // Behind a proxy the handshake was the proxy's own: what it authenticates with proves nothing of whom it asks for.
      const [leaf] = (forwarded ? forwarded.certificates : certificates) ?? []
      return leaf === undefined ? undefined : proofOf(leaf)
    },
  }
}

/**
 * Gives the proof that a certificate of a TLS handshake is.
 *
 * Reads the certificate once for each connection. Does NOT validate its chain: binding a token to it asks for possession
 * only (RFC 8705 §6.2), and what is claimed by its name is checked where the name is used.
 *
 * @throws {@link DragomanError} `ERR_PROOF_CERTIFICATE`
 */
export function certificateProofs(): (leaf: Uint8Array) => Proof {
  const known = new WeakMap<Uint8Array, Proof>()
  return (leaf) => {
    const found = known.get(leaf)
    if (found) return found
    const proof = proofBy(leaf)
    known.set(leaf, proof)
    return proof
  }
}

function proofBy(leaf: Uint8Array): Proof {
  try {
    const { publicKey } = parseCertificate(leaf)
    if (algorithmsFor(publicKey.key).length === 0) throw refuse('a key of accepted kind and size')
    return {
      method: 'mtls',
      publicKey,
      certificate: leaf,
      x5tS256: hash('sha256', leaf, 'base64url'),
    }
  } catch (cause) {
    if (cause instanceof DragomanError && cause.code !== 'ERR_PROOF_CERTIFICATE') {
      throw refuse('strict DER and an accepted key', cause)
    }
    throw cause
  }
}

const refuse = (expected: string, cause?: DragomanError) =>
  new DragomanError('ERR_PROOF_CERTIFICATE', {
    cause,
    detail: { ...cause?.detail, ...(cause && { reason: cause.code }), expected },
  })
