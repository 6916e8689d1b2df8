import { constants, type X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket, type TlsOptions } from 'node:tls'
import { toBase64 } from '../wire/base64url.ts'

/** The certificates that a client showed in the handshake. Nothing but possession of the leaf's key is proved. */
export interface PeerChain {
  /** DER, leaf first. */
  readonly certificates: readonly Uint8Array[]
  readonly leaf: Buffer
  /** The chain as a token of type `mtls`: a JSON array of base64 DER. */
  readonly token: string
}

/** What a TLS listener shows, and whom it asks for a certificate. */
export interface TlsSetting {
  /** PEM, leaf first. */
  readonly certificate: string | Buffer
  readonly key: string | Buffer
  /** PEM of authorities that are named to clients; a client picks its certificate by them. No chain is judged by them. */
  readonly clientCa?: string | Buffer | undefined
}

// What verifies a chain takes no more than eight certificates.
const MAX_CHAIN = 8

// Resumption would stand for a proof made hours ago, and loses the intermediates. Renegotiation would change the
// certificate under a request that is being answered.
const OPTIONS = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION

/**
 * Options of a listener that asks each client for a certificate and takes clients that have none.
 *
 * Does NOT check a chain: what it must lead to differs between clients and tokens, so it is checked where it is used.
 */
export const tlsOptions = ({ certificate, key, clientCa }: TlsSetting): TlsOptions => ({
  cert: certificate,
  key,
  ...(clientCa !== undefined && { ca: clientCa }),
  minVersion: 'TLSv1.2',
  secureOptions: OPTIONS,
  requestCert: true,
  rejectUnauthorized: false,
  ALPNProtocols: ['http/1.1'],
  handshakeTimeout: 10_000,
})

/** Gives the chain of a connection; taken from it once, since that costs more than an exchange does. */
export function peerChains(): (socket: Socket) => PeerChain | undefined {
  const known = new WeakMap<Socket, PeerChain | 'none'>()
  return (socket) => {
    if (!(socket instanceof TLSSocket)) return undefined
    const found = known.get(socket)
    if (found !== undefined) return found === 'none' ? undefined : found
    const chain = chainOf(socket.getPeerX509Certificate())
    known.set(socket, chain ?? 'none')
    return chain
  }
}

function chainOf(leaf: X509Certificate | undefined): PeerChain | undefined {
  if (leaf === undefined) return undefined
  const certificates: Buffer[] = []
  const seen = new Set<string>()
  let next: X509Certificate | undefined = leaf
  while (next !== undefined && !seen.has(next.fingerprint256) && certificates.length < MAX_CHAIN) {
    certificates.push(next.raw)
    seen.add(next.fingerprint256)
    next = next.issuerCertificate
  }
  return { certificates, leaf: leaf.raw, token: JSON.stringify(certificates.map(toBase64)) }
}
