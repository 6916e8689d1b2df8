import { isIP } from 'node:net'
import type { CertificateExpectation, ClientMethod, RegisteredClient } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import { tokenTypes } from '../core/types.ts'
import { toBase64 } from '../wire/base64url.ts'
import { type Certificate, parseCertificate } from '../wire/certificate.ts'
import type { GeneralName } from '../wire/general-name.ts'
import { parseNameText, sameName } from '../wire/name.ts'

// Seconds for which the chain of a connection is taken for what it was: as long as a verified token is.
const MAX_AGE = 60

/**
 * The certificate of the TLS handshake, with `client_id` (RFC 8705 §2.1).
 *
 * Claims a request that has both and no other credentials. Checks that the chain leads to an authority of this client's
 * and that the one name that is registered for it is in the certificate. Does NOT ask for revocation.
 *
 * What was found of a connection's chain is remembered for a minute at most, with the connection, for this client and the
 * authorities it has: never beyond the end of any certificate in it.
 */
export function tlsClientAuth(): ClientMethod {
  const passed = new WeakMap<RegisteredClient, WeakMap<Uint8Array, Passed>>()

  function holds(leaf: Uint8Array, client: RegisteredClient, now: number): boolean {
    const known = passed.get(client)?.get(leaf)
    return known !== undefined && known.epoch === client.issuer?.anchor.epoch && now >= known.since && now < known.until
  }

  return {
    name: 'tls_client_auth',
    claim({ client_id, certificates, authorization, client_secret, client_assertion }) {
      if (certificates === undefined || client_id === undefined) return undefined
      // A connection with a certificate may well carry other credentials; then it is bound by it, not authenticated.
      if (authorization !== undefined || client_secret !== undefined || client_assertion !== undefined) return undefined
      return { method: 'tls_client_auth', clientId: client_id, chain: certificates }
    },
    async verify({ chain = [] }, client, { verify, now, clockSkew }) {
      const { issuer, certificate } = client
      const [leaf] = chain
      if (leaf === undefined || issuer === undefined || certificate === undefined) throw refuse('registration')
      if (holds(leaf, client, now)) return
      const { epoch } = issuer.anchor
      const raw = JSON.stringify(chain.map(toBase64))
      try {
        await verify({ raw, type: tokenTypes.mtls, role: 'client' }, issuer, { now, clockSkew, kind: 'client' })
      } catch (cause) {
        throw asRefusal(cause)
      }
      const certificates = chain.map(parseCertificate)
      const [own] = certificates
      if (own === undefined || !matches(own, certificate)) throw refuse('name', { expected: certificate.kind })
      const until = Math.min(now + MAX_AGE, ...certificates.map(({ notAfter }) => notAfter))
      const leaves = passed.get(client) ?? new WeakMap<Uint8Array, Passed>()
      passed.set(client, leaves.set(leaf, { epoch, since: now, until }))
    },
  }
}

/** A chain that passed: by which authorities, and from when until when. */
interface Passed {
  readonly epoch: number
  readonly since: number
  readonly until: number
}

const refuse = (check: string, detail: { readonly [name: string]: unknown } = {}) =>
  new DragomanError('ERR_CLIENT_CERTIFICATE', { detail: { check, ...detail } })

function asRefusal(cause: unknown): unknown {
  if (!(cause instanceof DragomanError) || cause.code === 'ERR_TRUST_UNAVAILABLE') return cause
  if (!/^ERR_(?:TOKEN|TRUST)_/.test(cause.code)) return cause
  return new DragomanError('ERR_CLIENT_CERTIFICATE', { cause, detail: { ...cause.detail, reason: cause.code } })
}

/** Whether one name of the certificate is the one that is registered (RFC 8705 §2.1.2). No wildcard stands for others. */
function matches(leaf: Certificate, { kind, value }: CertificateExpectation): boolean {
  const names = leaf.extensions.subjectAltNames
  switch (kind) {
    case 'subject_dn': {
      // distinguishedNameMatch (RFC 4517 §4.2.15), not a comparison of texts.
      const expected = parseNameText(value)
      return expected !== undefined && expected.length > 0 && sameName(leaf.subject.parts, expected)
    }
    case 'san_dns':
      return texts(names, 'dns').some((name) => name.toLowerCase() === value.toLowerCase())
    case 'san_uri':
      return texts(names, 'uri').includes(value)
    case 'san_email':
      return texts(names, 'email').some((name) => mailbox(name) === mailbox(value))
    case 'san_ip': {
      const expected = octetsOf(value)
      return expected !== undefined && names.some((name) => name.kind === 'ip' && name.octets.equals(expected))
    }
  }
}

const texts = (names: readonly GeneralName[], kind: 'uri' | 'dns' | 'email'): readonly string[] =>
  names.flatMap((name) => (name.kind === kind ? [name.text] : []))

/** RFC 5280 §7.5: the local part has case, the host has none. */
function mailbox(text: string): string {
  const at = text.lastIndexOf('@')
  return text.slice(0, at) + text.slice(at).toLowerCase()
}

/** RFC 8705 §2.1.2: addresses are compared as bytes, whichever way they are written. */
export function octetsOf(address: string): Buffer | undefined {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  if (isIP(address) !== 6 || address.includes('%')) return undefined
  // The URL parser writes every IPv6 address in hexadecimal groups, an embedded IPv4 address too.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string | undefined) => (text ? text.split(':') : [])
  const [left, right] = [groups(head), groups(tail)]
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  const octets = [...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join('')
  return Buffer.from(octets, 'hex')
}
