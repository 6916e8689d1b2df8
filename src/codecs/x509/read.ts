import { hash } from 'node:crypto'
import { DragomanError } from '../../core/errors.ts'
import { andThen } from '../../core/later.ts'
import type { Envelope, FormatRules, Token, Unverified } from '../../core/token.ts'
import type { Authorities, TrustedIssuer } from '../../core/trust.ts'
import { tokenTypes } from '../../core/types.ts'
import { type Claims, isList, map } from '../../core/value.ts'
import { fromBase64, fromBase64url } from '../../wire/base64url.ts'
import {
  type Certificate,
  MAX_CERTIFICATE_BYTES,
  NO_EXPIRY,
  parseCertificate,
  serialText,
} from '../../wire/certificate.ts'
import { purposes } from '../../wire/extensions.ts'
import { parseJson } from '../../wire/json.ts'
import { parsePem } from '../../wire/pem.ts'
import { type ExtensionClaims, readClaims } from './claims.ts'
import type { Memory } from './memory.ts'
import { subjectOf, x509Claim } from './names.ts'
import { findPath, type Path, type PathRequest } from './path.ts'
import { checkSigningAuthorities, svidSubject } from './svid.ts'

// A path of eight, leaf and anchor included, needs no more.
const MAX_CHAIN = 8
// base64 of that many of the largest certificates, quotes and line ends included.
const MAX_CHARACTERS = MAX_CHAIN * Math.ceil(MAX_CERTIFICATE_BYTES * 1.5)

/** How certificates are read, beside what a profile says. */
export interface Reading {
  readonly memory: Memory
  /** OID of the claims extension; `undefined`: none is read. */
  readonly claims: string | undefined
  readonly anchorRules: PathRequest['anchorRules']
  readonly conforming: boolean
}

/** Reads a presented chain. @throws {@link DragomanError} `ERR_TOKEN_*`; `undefined`: not a type of this codec */
export function parse({ raw, type, role }: Envelope, reading: Reading): Unverified | undefined {
  const read = FORMS[type]
  if (!read || !Object.hasOwn(FORMS, type)) return undefined
  if (raw.length > MAX_CHARACTERS) throw tooLarge(`at most ${MAX_CHARACTERS} characters`)
  const chain = read(raw)
  const [first, ...others] = chain
  if (!first) throw malformed('at least one certificate')
  if (chain.length > MAX_CHAIN) throw tooLarge(`at most ${MAX_CHAIN} certificates`)
  if (chain.some((der, at) => chain.findIndex((other) => other.equals(der)) !== at)) {
    throw new DragomanError('ERR_TOKEN_DUPLICATE', { detail: { expected: 'each certificate once' } })
  }
  const leaf = parseCertificate(first)
  const presented = others.map((der) => reading.memory.presented(der))
  const last = presented.at(-1) ?? leaf
  return {
    issuer: undefined,
    hint: { issuerName: last.issuer.der, authorityKeyId: last.extensions.authorityKeyId?.keyId },
    verify(issuer, rules) {
      const verified = (authorities: Authorities) =>
        verify({ leaf, presented, authorities, issuer, rules, type, reading, needsSubject: role !== 'client' })
      return andThen(issuer.anchor.authorities(rules.now), verified)
    },
  }
}

const malformed = (expected: string) => new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected } })
const tooLarge = (expected: string) => new DragomanError('ERR_TOKEN_TOO_LARGE', { detail: { expected } })

const FORMS: { readonly [type: string]: (raw: string) => readonly Buffer[] } = {
  [tokenTypes.mtls]: fromArray,
  [tokenTypes.x509]: fromPem,
  [tokenTypes.x509Der]: (raw) => [decoded(fromBase64url(raw), 'base64url without padding')],
}

function decoded(bytes: Buffer | undefined, expected: string): Buffer {
  if (!bytes || bytes.length === 0) throw malformed(`${expected} of a certificate`)
  return bytes
}

// The fixed string that stands for the certificate of the TLS connection is not JSON, so it ends here: who reads the
// connection puts the certificates in its place before.
function fromArray(raw: string): readonly Buffer[] {
  const array = parseJson(raw, { bytes: MAX_CHARACTERS, depth: 1, items: MAX_CHAIN + 1, text: MAX_CHARACTERS })
  if (!isList(array)) throw malformed('a JSON array of certificates')
  return array.map((item) => decoded(typeof item === 'string' ? fromBase64(item) : undefined, 'base64'))
}

function fromPem(raw: string): readonly Buffer[] {
  return parsePem(raw, { comments: false }).map(({ label, der }) => {
    if (label !== 'CERTIFICATE') throw malformed('blocks labelled CERTIFICATE')
    return der
  })
}

const SVID = 'x509-svid'

/** Purposes that a kind asks of a leaf that has any. A certificate for servers is not a client's. */
const PURPOSES: { readonly [kind: string]: readonly string[] } = {
  client: [purposes.clientAuth],
  server: [purposes.serverAuth],
  [SVID]: [],
}

export const kinds: readonly string[] = Object.keys(PURPOSES)

interface Presentation {
  readonly leaf: Certificate
  readonly presented: readonly Certificate[]
  readonly authorities: Authorities
  readonly issuer: TrustedIssuer
  readonly rules: FormatRules
  readonly type: string
  readonly reading: Reading
  /** A client certificate is compared with what is registered for the client: it needs no name of a selected kind. */
  readonly needsSubject: boolean
}

function verify(presentation: Presentation): Token {
  const { leaf, issuer, rules, reading } = presentation
  const { kind = 'client' } = rules
  const usual = Object.hasOwn(PURPOSES, kind) ? PURPOSES[kind] : undefined
  if (!usual) throw new DragomanError('ERR_TOKEN_KIND', { detail: { expected: kinds } })
  const path = findPath({
    leaf,
    presented: presentation.presented,
    anchors: reading.memory.configured(presentation.authorities.anchors),
    intermediates: reading.memory.configured(presentation.authorities.intermediates),
    now: rules.now,
    clockSkew: rules.clockSkew,
    algorithms: issuer.algorithms,
    extendedKeyUsage: rules.extendedKeyUsage ?? usual,
    unrestricted: rules.extendedKeyUsage === undefined,
    claims: reading.claims,
    anchorRules: reading.anchorRules,
    conforming: reading.conforming,
    links: reading.memory,
  })
  if (leaf.notAfter === NO_EXPIRY) throw new DragomanError('ERR_TOKEN_NO_EXPIRY', { detail: { claim: 'notAfter' } })
  const subject = kind === SVID ? svidSubject(leaf, issuer.trustDomain) : selectedSubject(presentation)
  const [, ...above] = path.certificates
  if (kind === SVID) checkSigningAuthorities(above)
  // The anchor is configured, so it is known already.
  for (const authority of above.slice(0, -1)) reading.memory.keep(authority)
  return tokenOf(presentation, path, subject)
}

function selectedSubject({ leaf, rules, needsSubject }: Presentation): string | undefined {
  const from = rules.subjectFrom ?? (needsSubject ? 'san_uri' : undefined)
  return from === undefined ? undefined : subjectOf(leaf, from)
}

function tokenOf({ leaf, issuer, rules, type, reading }: Presentation, path: Path, subject: string | undefined): Token {
  const [, signer] = path.certificates
  const id = `sn:${serialText(leaf)}`
  const own: Claims = map([
    ...(subject === undefined ? [] : [['sub', subject] as const]),
    ['x509', x509Claim(leaf, path.purposes)],
  ])
  const more = extensionOf(leaf, own, reading.claims, { iss: issuer.issuer, jti: id })
  return {
    claims: more ? map([...Object.entries(own), ...Object.entries(more.claims)]) : own,
    validity: {
      issuedAt: undefined,
      notBefore: leaf.notBefore,
      expiresAt: leaf.notAfter,
      audience: more?.audience ?? [],
      scope: more?.scope,
    },
    confirmation: { publicKey: leaf.publicKey, jkt: leaf.publicKey.jkt, x5tS256: leaf.thumbprint },
    provenance: {
      format: 'x509',
      type,
      issuer: issuer.issuer,
      trustDomain: issuer.trustDomain,
      algorithm: leaf.algorithm?.name ?? '',
      keyThumbprint: signer.publicKey.jkt,
      kind: rules.kind,
      id,
      replayKey: hash('sha256', `${issuer.issuer}\0x509\0${id}`, 'hex'),
      digest: hash('sha256', leaf.toBeSigned, 'hex'),
      certificate: leaf.der,
    },
  }
}

function extensionOf(
  leaf: Certificate,
  own: Claims,
  oid: string | undefined,
  provenance: { readonly iss: string; readonly jti: string },
): ExtensionClaims | undefined {
  const extension = oid === undefined ? undefined : leaf.extensions.all.get(oid)
  if (!extension) return undefined
  const native = map([
    ...Object.entries(own),
    ...Object.entries(provenance),
    ['exp', leaf.notAfter],
    ['nbf', leaf.notBefore],
  ])
  return readClaims(extension, native)
}
