import { algorithmsFor } from '../../core/algorithms.ts'
import type { Issuance, Layout, Loss, Writer } from '../../core/codec.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Signer } from '../../core/keys.ts'
import type { Draft, Issued, Rendering } from '../../core/token.ts'
import { tokenTypes } from '../../core/types.ts'
import { toBase64, toBase64url } from '../../wire/base64url.ts'
import { buildCertificate, MAX_CERTIFICATE_BYTES } from '../../wire/certificate.ts'
import { positive } from '../../wire/certificate-build.ts'
import { namedBits, nullValue, oid, sequence } from '../../wire/der-write.ts'
import { extension, extensionOids, keyUsages } from '../../wire/extensions.ts'
import { type GeneralName, generalName } from '../../wire/general-name.ts'
import { pem } from '../../wire/pem.ts'
import { keyIdentifier, spkiOf, subjectKeyIdentifier } from '../../wire/spki.ts'
import type { Authority } from './authority.ts'
import { newBudget } from './budget.ts'
import { extensionClaims, writeClaims } from './claims.ts'
import { type Encoding, encodingOf } from './encodings.ts'
import { isWithin } from './name-constraints.ts'
import { checkTemplate, subjectName } from './subject.ts'

// Seconds before now at which a certificate begins, where the draft does not say: for verifiers whose clock is behind.
const BACKDATE = 60
// More than the signature of any algorithm and what stands around it, for the check before one is spent.
const SIGNATURE_ROOM = 1024

// No name: the subject is among the alternative names, which are critical then (RFC 5280 §4.1.2.6).
const NOBODY = sequence()
const END_ENTITY = extension(extensionOids.basicConstraints, true, sequence())
const SIGNS = extension(extensionOids.keyUsage, true, namedBits(keyUsages.digitalSignature))
// Nobody publishes revocation for what is issued here, and this says so (RFC 9608).
const NO_REVOCATION = extension(extensionOids.noRevocationAvailable, false, nullValue())

/**
 * Settles how the certificates of one profile are written (RFC 5280 §4).
 *
 * Checks that kind and options go together. Does NOT know the authority yet: that is checked when a signer of it first
 * lays out a certificate, or is asked for its ceiling.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_RENDERING`
 */
export function prepare(rendering: Rendering, authorityOf: (signer: Signer) => Authority): Writer {
  const { kind = 'client', options, header } = rendering
  if (Object.keys(header).length > 0) {
    throw new DragomanError('ERR_PROFILE_RENDERING', {
      detail: { option: 'header', expected: 'none: a certificate has no header' },
    })
  }
  const encoding = encodingOf(kind, options)
  checkTemplate(encoding)
  const fixed = [
    SIGNS,
    extension(extensionOids.extendedKeyUsage, false, sequence(...encoding.extendedKeyUsage.map(oid))),
    END_ENTITY,
  ]
  const tokenType = rendering.tokenType ?? TYPES[encoding.form]
  const fitting = new WeakSet<Authority>()
  const authorityFor = (signer: Signer): Authority => {
    const authority = authorityOf(signer)
    if (!fitting.has(authority)) fitting.add(checkPurposes(authority, encoding))
    return authority
  }
  return {
    tokenType,
    usage: 'N_A',
    singleAudience: true,
    needsKey: true,
    lay: (draft, issuance) =>
      lay(draft, issuance, { encoding, fixed, tokenType, authority: authorityFor(issuance.signer) }),
    ceiling: (signer) => authorityFor(signer).notAfter,
  }
}

const TYPES = { pem: tokenTypes.x509, der: tokenTypes.x509Der, json: tokenTypes.mtls } as const

function checkPurposes(authority: Authority, { extendedKeyUsage }: Encoding): Authority {
  const denied = extendedKeyUsage.find((usage) => !authority.allows(usage))
  if (denied === undefined) return authority
  throw new DragomanError('ERR_KEY_CONFIG', {
    detail: { expected: `an authority that may issue for the usage ${denied}` },
  })
}

interface Shape {
  readonly encoding: Encoding
  readonly fixed: readonly Buffer[]
  readonly tokenType: string
  readonly authority: Authority
}

function lay(draft: Draft, issuance: Issuance, { encoding, fixed, tokenType, authority }: Shape): Layout {
  const spki = holderKey(draft, authority)
  const name = subjectName(draft.claims['sub'], encoding)
  if (authority.constraints.some((constraints) => !isWithin([name], constraints, newBudget()))) {
    throw new DragomanError('ERR_PROFILE_SUBJECT', {
      detail: { claim: 'sub', expected: 'a name within the constraints of the authority' },
    })
  }
  const { claims, losses } = claimsExtension(draft, encoding)
  const serial = positive(issuance.id)
  const { toBeSigned, finish } = buildCertificate({
    serial,
    issuer: authority.name,
    subject: NOBODY,
    ...times(draft, issuance.now, authority),
    publicKey: spki,
    algorithm: issuance.signer.algorithm,
    extensions: [
      ...fixed,
      extension(extensionOids.subjectKeyIdentifier, false, subjectKeyIdentifier(keyIdentifier(spki))),
      authority.keyIdentifier,
      altName(name),
      NO_REVOCATION,
      ...claims,
    ],
  })
  const size = toBeSigned.length + (issuance.signer.algorithm.signatureBytes ?? 0) + SIGNATURE_ROOM
  if (size > MAX_CERTIFICATE_BYTES) {
    throw new DragomanError('ERR_TOKEN_TOO_LARGE', {
      detail: { expected: `a certificate of at most ${MAX_CERTIFICATE_BYTES} bytes`, actual: size },
    })
  }
  return {
    losses,
    toBeSigned,
    finish: (signature): Issued => ({
      raw: WRITE[encoding.form](finish(signature), authority.intermediates),
      tokenType,
      usage: 'N_A',
      id: `sn:${Buffer.from(serial).toString('hex')}`,
    }),
  }
}

const WRITE = {
  pem: (leaf: Uint8Array, above: readonly Uint8Array[]) =>
    [leaf, ...above].map((der) => pem('CERTIFICATE', der)).join(''),
  der: (leaf: Uint8Array) => toBase64url(leaf),
  json: (leaf: Uint8Array, above: readonly Uint8Array[]) => JSON.stringify([leaf, ...above].map(toBase64)),
}

/** The key that is certified, encoded anew. */
function holderKey({ confirmation }: Draft, { keys }: Authority): Buffer {
  const publicKey = confirmation?.publicKey
  const missing = (expected: string) => new DragomanError('ERR_PROOF_REQUIRED', { detail: { expected } })
  if (!publicKey) throw missing('a key proved by DPoP, by a client certificate or by `csr`')
  if (algorithmsFor(publicKey.key).length === 0) {
    throw missing('a P-256, P-384, P-521, Ed25519, RSA (2048 to 8192 bits) or ML-DSA key')
  }
  const spki = spkiOf(publicKey)
  if (keys.some((authority) => authority.equals(spki))) throw missing('a key that is not that of an authority')
  return spki
}

const altName = (name: GeneralName & { readonly text: string }): Buffer =>
  extension(
    extensionOids.subjectAltName,
    true,
    sequence(generalName(name.kind === 'dns' || name.kind === 'email' ? name.kind : 'uri', name.text)),
  )

/** Whole seconds, never wider than the draft, never outside the authority. */
function times({ validity }: Draft, now: number, authority: Authority): { notBefore: number; notAfter: number } {
  if (validity.expiresAt === undefined) throw new DragomanError('ERR_TOKEN_NO_EXPIRY')
  const start = validity.notBefore === undefined ? Math.floor(now) - BACKDATE : Math.ceil(validity.notBefore)
  const notBefore = Math.max(start, authority.notBefore)
  const notAfter = Math.min(Math.floor(validity.expiresAt), authority.notAfter)
  if (notAfter < notBefore) {
    throw new DragomanError('ERR_TOKEN_EXPIRED', { detail: { expected: `after ${notBefore}`, actual: notAfter } })
  }
  return { notBefore, notAfter }
}

function claimsExtension(
  draft: Draft,
  { claims: form }: Encoding,
): { claims: readonly Buffer[]; losses: readonly Loss[] } {
  const { claims, losses } = extensionClaims(draft)
  const names = Object.keys(claims)
  if (!form) {
    const lost = names.map(
      (claim): Loss => ({
        claim,
        became: 'lost',
        reason: 'a certificate without claims extension has no place for it',
      }),
    )
    return { claims: [], losses: [...losses, ...lost] }
  }
  if (names.length === 0) return { claims: [], losses }
  const written = writeClaims(claims, form.format)
  return { claims: [extension(form.oid, form.critical, written.value)], losses: [...losses, ...written.losses] }
}
