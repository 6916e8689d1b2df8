import { DragomanError } from '../core/errors.ts'
import type { ProofMethod } from '../core/proof.ts'
import { fromBase64url } from '../wire/base64url.ts'
import { parseCsr } from '../wire/csr.ts'
import { parsePem } from '../wire/pem.ts'

// RFC 7468 §7; the second is what old tools write.
const LABELS: ReadonlySet<string> = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])

/**
 * The key of a PKCS#10 request in the parameter `csr`, proved by the signature in it (RFC 2986): PEM, or base64url DER.
 *
 * Takes the key and nothing else: what the request would like to be called is not looked at. One that asks for a
 * certificate of an authority is refused, since its sender expects what it will not get. Does NOT show that the request
 * is fresh: PKCS#10 has no time and no nonce.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_CSR` with `detail.check` or `detail.expected`
 */
export const pkcs10Proof: ProofMethod = {
  name: 'pkcs10',
  prove({ csr }, { algorithms }) {
    if (csr === undefined) return undefined
    const { publicKey, algorithm, requestsCa } = parseCsr(bytesOf(csr))
    if (!algorithms.includes(algorithm.name)) throw refuse('algorithm', `one of ${algorithms.join(', ')}`)
    if (requestsCa) throw refuse('ca', 'no request for a certificate of an authority')
    return { method: 'pkcs10', publicKey }
  },
}

const refuse = (check: string, expected: string, cause?: unknown) =>
  new DragomanError('ERR_REQUEST_CSR', { cause, detail: { check, expected } })

function bytesOf(csr: string): Buffer {
  if (!csr.startsWith('-----BEGIN')) {
    const bytes = fromBase64url(csr)
    if (!bytes || bytes.length === 0) throw refuse('form', 'PEM, or base64url of DER without padding')
    return bytes
  }
  const [block, another] = blocksOf(csr)
  if (!block || another || !LABELS.has(block.label)) throw refuse('form', 'one PEM block labelled CERTIFICATE REQUEST')
  return block.der
}

function blocksOf(csr: string) {
  try {
    return parsePem(csr, { comments: false })
  } catch (cause) {
    throw refuse('form', 'PEM', cause)
  }
}
