import { DragomanError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../wire/certificate.ts'
import type { Links } from './path.ts'

// Issuing authorities presented by workloads: some dozens in a large installation, a few KiB each.
const MAX_KEPT = 512

/** Authorities' certificates, read once. What is kept says nothing about time: that is checked for each token. */
export interface Memory extends Links {
  /** Certificates of a configured list. @throws {@link DragomanError} `ERR_TRUST_CONFIG` for one that cannot be read */
  configured(list: readonly Uint8Array[]): readonly Certificate[]
  /** A presented certificate: the one kept, when it is the same octet for octet, or read anew. */
  presented(der: Uint8Array): Certificate
  /** Keeps an authority of a path that passed. What did not pass is never kept, so strangers cannot fill this. */
  keep(certificate: Certificate): void
}

export function newMemory(): Memory {
  const lists = new WeakMap<readonly Uint8Array[], readonly Certificate[]>()
  const single = new WeakMap<Uint8Array, Certificate>()
  const kept = new Map<string, Certificate>()
  const links = new WeakMap<Certificate, WeakSet<Certificate>>()
  return {
    configured(list) {
      const known = lists.get(list)
      if (known) return known
      const certificates = list.map((der) => {
        const certificate = single.get(der) ?? readConfigured(der)
        single.set(der, certificate)
        return certificate
      })
      lists.set(list, certificates)
      return certificates
    },
    presented: (der) => kept.get(keyOf(der)) ?? parseCertificate(der),
    keep(certificate) {
      const key = keyOf(certificate.der)
      if (kept.has(key)) return
      // The oldest goes first: an authority in use comes back with its next token.
      if (kept.size >= MAX_KEPT) for (const oldest of kept.keys()) if (kept.delete(oldest)) break
      kept.set(key, certificate)
    },
    has: (subject, issuer) => links.get(subject)?.has(issuer) === true,
    add(subject, issuer) {
      const issuers = links.get(subject) ?? new WeakSet()
      links.set(subject, issuers.add(issuer))
    },
  }
}

// The octets themselves: a digest would cost more than a map over a few KiB of text.
const keyOf = (der: Uint8Array): string => Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('latin1')

function readConfigured(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    if (!(cause instanceof DragomanError)) throw cause
    throw new DragomanError('ERR_TRUST_CONFIG', { cause, detail: { ...cause.detail, check: cause.code } })
  }
}
