import { DragomanError } from '../core/errors.ts'
import type { Signer } from '../core/keys.ts'
import type { TokenAcceptance } from '../core/profile.ts'
import type { Confirmation, TokenType, Validity } from '../core/token.ts'
import { tokenTypes } from '../core/types.ts'
import { type Claims, map, type Value } from '../core/value.ts'
import { fromBase64 } from '../wire/base64url.ts'
import { NO_EXPIRY, parseCertificate } from '../wire/certificate.ts'
import { parseJson } from '../wire/json.ts'
import { parsePem } from '../wire/pem.ts'
import { issueCertificate } from './certificate.ts'
import type { TokenDocument } from './document.ts'
import { issue } from './issue.ts'
import type { Party } from './parties.ts'
import type { Stand } from './stand.ts'

/** A token that was made. */
export interface Made {
  readonly raw: string
  readonly type: TokenType
  readonly format: string
  /** Name of the holder of the key that it is bound to. */
  readonly holder: string | undefined
  readonly boundBy: 'key' | 'certificate'
  /** X.509: DER of the certificates, leaf first. */
  readonly chain: readonly Buffer[]
}

/** Seconds that a token lives, where the test does not say: longer than what a profile usually makes of it. */
export const LIFETIME = 3600

/** The same for a token in this role: no longer than its profile takes. */
export const usualLifetime = ({ maxLifetime = LIFETIME }: TokenAcceptance): number => Math.min(LIFETIME, maxLifetime)

/** Who holds the key of a certificate, where the test does not say. */
const HOLDER = 'holder'

/** A description with that of the tokens that it is `like` put in. */
export function whole(
  token: string | TokenDocument,
  tokens: { readonly [name: string]: TokenDocument },
): TokenDocument {
  const { like, ...own } = typeof token === 'string' ? (tokens[token] ?? {}) : token
  if (like === undefined) return own
  const base = whole(like, tokens)
  const without = new Set([...(base.without ?? []), ...(own.without ?? [])])
  const claims = Object.entries({ ...base.claims, ...own.claims }).filter(([name]) => !without.has(name))
  return { ...base, ...own, claims: Object.fromEntries(claims), without: [...without] }
}

/**
 * Makes a token as it is described, for a role in which it is to be taken: what the description leaves out is such that it
 * would be.
 *
 * @throws {@link DragomanError} of the codec for a description of which no token can be made
 */
export async function makeToken(token: TokenDocument, acceptance: TokenAcceptance, stand: Stand): Promise<Made> {
  const { format = acceptance.format } = token
  const own = format === acceptance.format
  const type = token.type ?? usualType(format, own ? acceptance.types : [])
  const issuer = token.issuer === 'self' ? stand.services.issuer : (token.issuer ?? acceptance.issuers[0] ?? '')
  const kind = token.kind ?? (own ? acceptance.kind : undefined)
  const wanted = { ...token, format, type, issuer }
  const raw = isUnsigned(wanted)
    ? unsigned(wanted, stand)
    : isPlain(wanted, acceptance)
      ? await plainCertificate(wanted, acceptance, stand)
      : await written({ wanted, kind, own }, acceptance, stand)
  const holder = token.cnf === false ? undefined : (token.cnf ?? (format === 'x509' ? HOLDER : undefined))
  return { raw, type, format, holder, boundBy: token.cnf_by ?? 'key', chain: chainIn(raw, format, type) }
}

const isUnsigned = ({ type }: WholeToken): boolean => type === tokenTypes.unsignedJson

/** A client's word: the claims that a JWT would have, those that the test says. */
function unsigned(wanted: WholeToken, { test: { clock }, services }: Stand): string {
  const { issuer, claims = {}, issued, lifetime, not_before } = wanted
  const { aud } = claims
  const issuedAt = clock + (issued ?? 0)
  return JSON.stringify({
    iss: issuer,
    ...claims,
    ...(aud !== undefined && { aud: textsOf(aud).map((value) => (value === 'self' ? services.issuer : value)) }),
    ...(issued !== undefined && { iat: issuedAt }),
    ...(typeof lifetime === 'number' && { exp: issuedAt + lifetime }),
    ...(not_before !== undefined && { nbf: clock + not_before }),
  })
}

interface Writing {
  readonly wanted: WholeToken
  readonly kind: string | undefined
  /** It is of the format that the profile takes. */
  readonly own: boolean
}

async function written({ wanted, kind, own }: Writing, acceptance: TokenAcceptance, stand: Stand): Promise<string> {
  const { format, issuer } = wanted
  return issue(stand.workshop.catalog.codecs, {
    format,
    ...(kind !== undefined && { kind }),
    issuer,
    signer: await signerFor(wanted, own ? acceptance : undefined, stand),
    claims: await claimsOf(wanted, stand),
    validity: validityOf(wanted, own ? acceptance : undefined, stand),
    ...confirmationOf(wanted, await certificateOf(wanted, stand), stand),
    options: optionsOf(wanted, kind === acceptance.kind && own ? acceptance : undefined),
    now: stand.test.clock,
  })
}

/** Extended key usages of a kind that is named, and else such as the profile takes. */
function usagesOf({ kind }: WholeToken, acceptance: TokenAcceptance): readonly string[] {
  if (kind === 'client' || kind === 'server') return [`${kind}_auth`]
  return acceptance.extendedKeyUsage ?? ['client_auth', 'server_auth']
}

const BY_CODEC = new Set(['san_uri', 'san_dns', 'san_email'])

/** A certificate that no codec would write: with another name, or without purpose. */
const isPlain = ({ format, usages }: WholeToken, { subjectFrom = 'san_uri' }: TokenAcceptance): boolean =>
  format === 'x509' && (usages !== undefined || !BY_CODEC.has(subjectFrom))

async function plainCertificate(wanted: WholeToken, acceptance: TokenAcceptance, stand: Stand): Promise<string> {
  const { notBefore, expiresAt } = validityOf(wanted, acceptance, stand)
  return issueCertificate({
    signer: await signerFor(wanted, acceptance, stand),
    publicKey: stand.parties.holder(typeof wanted.cnf === 'string' ? wanted.cnf : HOLDER).publicKey,
    subject: String(wanted.claims?.['sub'] ?? ''),
    from: acceptance.subjectFrom ?? 'san_uri',
    usages: wanted.usages ?? usagesOf(wanted, acceptance),
    notBefore: notBefore ?? stand.test.clock,
    notAfter: expiresAt ?? NO_EXPIRY,
    type: wanted.type,
  })
}

type WholeToken = TokenDocument & { readonly format: string; readonly type: string; readonly issuer: string }

/** The type under which a token of a format is usually presented, of those that are taken. */
function usualType(format: string, taken: readonly TokenType[]): TokenType {
  const usual = { jwt: tokenTypes.jwt, cwt: tokenTypes.cwt, x509: tokenTypes.mtls }[format]
  if (usual !== undefined && (taken.length === 0 || taken.includes(usual))) return usual
  return taken[0] ?? usual ?? ''
}

async function signerFor(
  { format, issuer, algorithm, signed_by: other }: WholeToken,
  acceptance: TokenAcceptance | undefined,
  stand: Stand,
): Promise<Signer> {
  if (issuer === stand.services.issuer) {
    const own = ownSigner(format, algorithm, stand)
    const stranger = other && stand.parties.issuer(other).signer(own.algorithm.name)
    return stranger ? { ...own, sign: stranger.sign } : own
  }
  const party = stand.parties.issuer(issuer)
  const name = algorithm ?? usualAlgorithm(party, acceptance)
  const signerOf = (from: Party) => (format === 'x509' ? from.authority(name) : from.signer(name))
  const signer = await signerOf(party)
  if (other === undefined) return signer
  const { sign } = await signerOf(stand.parties.issuer(other))
  // Under the name of the issuer's own key, by another one.
  return { ...signer, sign }
}

/** A key of the gateway, for a token of its own that comes back. */
function ownSigner(format: string, algorithm: string | undefined, { services }: Stand): Signer {
  const fitting = services.keys
    .all()
    .filter((signer) => (format === 'x509') === signer.chain.length > 0)
    .filter((signer) => algorithm === undefined || signer.algorithm.name === algorithm)
  const [signer] = fitting
  if (signer === undefined) {
    const kind = algorithm === undefined ? format : `${format} and ${algorithm}`
    const expected = `a key of the gateway for ${kind}: setup.keys names one, and --config has those of a configuration`
    throw new DragomanError('ERR_KEY_CONFIG', { detail: { expected }, message: `expected ${expected}` })
  }
  return signer
}

const usualAlgorithm = ({ algorithms }: Party, acceptance: TokenAcceptance | undefined): string =>
  algorithms.find((name) => acceptance?.algorithms?.includes(name) ?? true) ?? algorithms[0] ?? 'ES256'

async function claimsOf({ claims = {}, embeds = {} }: TokenDocument, stand: Stand): Promise<Claims> {
  const { aud: _, scope: __, ...rest } = claims
  const said: [string, Value][] = Object.entries(rest).map(([name, value]) => [name, neutral(value)])
  for (const [claim, name] of Object.entries(embeds)) {
    const inner = whole(name, stand.test.document.tokens ?? {})
    said.push([claim, (await makeToken(inner, stand.profile.accepts.subject, stand)).raw])
  }
  return map(said)
}

/** A value out of YAML as a neutral value. */
export const neutral = (value: unknown): Value => parseJson(JSON.stringify(value))

function validityOf(
  { format, claims = {}, issued = 0, lifetime: asked, not_before }: WholeToken,
  acceptance: TokenAcceptance | undefined,
  { test: { clock }, services }: Stand,
): Validity {
  const lifetime = asked ?? (acceptance === undefined ? LIFETIME : usualLifetime(acceptance))
  const { aud = acceptance?.audience.slice(0, 1) ?? [], scope } = claims
  const issuedAt = clock + issued
  return {
    issuedAt,
    notBefore: not_before !== undefined ? clock + not_before : format === 'x509' ? issuedAt : undefined,
    expiresAt: lifetime === 'never' ? undefined : issuedAt + lifetime,
    audience: textsOf(aud).map((value) => (value === 'self' ? services.issuer : value)),
    scope: scope === undefined ? undefined : scopesOf(scope),
  }
}

/** One text, or a list of them. */
export const textsOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value : [value]).map(String)

/** Scopes as a list, or as one text with spaces between. */
export const scopesOf = (value: unknown): readonly string[] =>
  textsOf(value)
    .flatMap((text) => text.split(' '))
    .filter((scope) => scope !== '')

async function certificateOf({ cnf, cnf_by }: TokenDocument, { parties }: Stand): Promise<Buffer | undefined> {
  return typeof cnf === 'string' && cnf_by === 'certificate' ? parties.holder(cnf).certificate() : undefined
}

function confirmationOf(
  { format, cnf }: WholeToken,
  certificate: Buffer | undefined,
  { parties }: Stand,
): { readonly confirmation?: Confirmation } {
  if (certificate !== undefined) return { confirmation: { x5tS256: parseCertificate(certificate).thumbprint } }
  if (format !== 'x509' && typeof cnf !== 'string') return {}
  const { publicKey } = parties.holder(typeof cnf === 'string' ? cnf : HOLDER)
  return { confirmation: format === 'jwt' ? { publicKey, jkt: publicKey.jkt } : { publicKey } }
}

/** How it is written, so that it can be presented under its type. */
function optionsOf({ format, type, claims = {} }: WholeToken, acceptance: TokenAcceptance | undefined): Claims {
  if (format === 'cwt') return map(type === tokenTypes.cwtSign1 ? [['tag', 'none']] : [])
  if (format !== 'x509') return map()
  const more = Object.keys(claims).some((name) => name !== 'sub')
  const from = acceptance?.subjectFrom ?? 'san_uri'
  const usages = acceptance?.extendedKeyUsage
  const form = type === tokenTypes.x509 ? 'pem' : type === tokenTypes.x509Der ? 'der' : 'json'
  return map([
    ['form', form],
    ['subject_as', from],
    ...(more ? [] : [['claims_extension', false] as const]),
    ...(usages === undefined ? [] : [['extended_key_usage', [...usages]] as const]),
  ])
}

function chainIn(raw: string, format: string, type: TokenType): readonly Buffer[] {
  if (format !== 'x509') return []
  if (type === tokenTypes.x509) return parsePem(raw).map(({ der }) => Buffer.from(der))
  if (type === tokenTypes.x509Der) return [Buffer.from(raw, 'base64url')]
  return (JSON.parse(raw) as readonly string[]).flatMap((text) => fromBase64(text) ?? [])
}
