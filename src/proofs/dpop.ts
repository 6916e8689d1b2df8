import { hash } from 'node:crypto'
import { type Algorithm, cryptoKey, fits, verifySignature } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { TokenRequest } from '../core/exchange.ts'
import type { PublicKey } from '../core/keys.ts'
import type { Proof, ProofMethod, ProofTools } from '../core/proof.ts'
import { recent } from '../core/recent.ts'
import type { ValueMap } from '../core/value.ts'
import { JSON_LIMITS, parseJsonObject } from '../wire/json.ts'
import { publicKeyFromJwk } from '../wire/jwk.ts'
import { type HeaderReader, JWS_LIMITS, type Jws, type JwsHeader, ownText, parseCompact } from '../wire/jws.ts'
import { normalised } from './htu.ts'
import type { Nonces } from './nonce.ts'

// A proof is made for one request, on its way for a moment. Seconds; clocks may differ by a little, ahead by less.
const MAX_AGE = 60
const MAX_AHEAD = 5
// RFC 9449 §11.1: a limit, since each is remembered; what is remembered is a digest.
const MAX_JTI = 256
// With an ML-DSA-87 key and signature, a nonce and `ath`, a proof has about 11,100 characters.
const LIMITS = {
  characters: 16_384,
  header: { ...JWS_LIMITS.header, bytes: 8192, depth: 3, items: 32, text: 4096 },
}
const CLAIM_LIMITS = { ...JSON_LIMITS, bytes: 4096, depth: 4, items: 64, text: 2048 }

export interface DpopOptions {
  /** Given: every proof must carry one of these. */
  readonly nonces?: Nonces | undefined
}

/** The request that a proof must be made for. */
export interface DpopUse {
  readonly method: string
  /** The URL as clients see it: from the configuration, never from Host or a forwarding header. */
  readonly url: string
  /** The token beside it, and whether the proof has to name it: at a token endpoint it may, at a resource it must. */
  readonly token: string
  readonly ath: 'optional' | 'required'
  /** What a refusal calls method and URL, where they are not ours to repeat. */
  readonly called?: string | undefined
}

/**
 * DPoP proofs at the token endpoint (RFC 9449 §4.3, §5), and those that a proxy passes on (§7.1): {@link proveDpop} for
 * them. Does NOT compare the key with that of any token: who verifies the token does.
 *
 * @throws {@link DragomanError} `ERR_PROOF_DPOP` with `detail.check`, `ERR_PROOF_NONCE`, `ERR_PROOF_REPLAYED`
 */
export function dpopProof(options: DpopOptions = {}): ProofMethod {
  const known = { ...options, headers: provedHeaders() }
  return { name: 'dpop', prove: (request, tools) => proveDpop(request.dpop, useOf(request, tools), tools, known) }
}

/** Headers of proofs that were signed by the key in them, and that key: a client has one header for all of its proofs. */
export interface ProvedHeaders {
  find(encoded: string): ProvedHeader | undefined
  keep(encoded: string, header: ProvedHeader): void
}

interface ProvedHeader {
  readonly header: JwsHeader
  readonly key: PublicKey
}

// Of clients that send proofs at a time. Longer headers hold ML-DSA keys, whose signatures cost more than reading them.
const KNOWN_HEADERS = 1024
const KNOWN_CHARACTERS = 1024

/** Saves reading a header and its key again, which costs a third of a signature; nothing is believed for being in it. */
function provedHeaders(): ProvedHeaders {
  const known = recent<ProvedHeader>(KNOWN_HEADERS)
  return {
    find: known.find,
    keep(encoded, header) {
      if (encoded.length <= KNOWN_CHARACTERS) known.keep(ownText(encoded), header)
    },
  }
}

/**
 * The DPoP proof in these header fields (RFC 9449 §4.3); `undefined`: there is none.
 *
 * Checks: one header field with one compact JWS; `typ`; an accepted asymmetric `alg` that the key fits; `jwk` public and
 * sound; the signature; `htm` and `htu` against method and URL of this request; `iat` within a minute; `nonce` where one
 * is asked for; `ath`, where it is sent or has to be, against the token; and last, so that nobody fills the store with
 * proofs that are none, that `jti` was not used for this key and URL. Does NOT compare the key with that of any token: who
 * verifies the token does.
 *
 * @throws {@link DragomanError} `ERR_PROOF_DPOP` with `detail.check`, `ERR_PROOF_NONCE`, `ERR_PROOF_REPLAYED`
 */
export async function proveDpop(
  fields: readonly string[],
  use: DpopUse,
  tools: Pick<ProofTools, 'now' | 'replay' | 'algorithms'>,
  { nonces, headers }: DpopOptions & { readonly headers?: ProvedHeaders } = {},
): Promise<Proof | undefined> {
  const [text, another] = fields
  if (text === undefined) return undefined
  if (another !== undefined) throw refuse('one', 'one DPoP header field')
  const encoded = text.slice(0, Math.max(0, text.indexOf('.')))
  const known = headers?.find(encoded)
  const jws = parsed(text, known && (() => known.header))
  const key = keyOf(jws, tools, known?.key)
  if (known === undefined) headers?.keep(encoded, { header: jws.header, key })
  const claims = claimsOf(jws)
  assertUse(claims, use, tools.now)
  if (nonces && !(claims.nonce !== undefined && nonces.accepts(claims.nonce, tools.now))) {
    throw new DragomanError('ERR_PROOF_NONCE')
  }
  await assertFirstUse(claims, key, use, tools)
  return { method: 'dpop', publicKey: key } satisfies Proof
}

const refuse = (check: string, expected: string, cause?: unknown) =>
  new DragomanError('ERR_PROOF_DPOP', { cause, detail: { check, expected } })

function parsed(text: string, headers: HeaderReader | undefined): Jws {
  try {
    return parseCompact(text, { limits: LIMITS, headers })
  } catch (cause) {
    throw refuse('form', 'one compact JWS with a JSON header', cause)
  }
}

/** The key in the header, once it has been shown to have signed the proof. */
function keyOf(
  { header, signingInput, signature }: Jws,
  { algorithms }: Pick<ProofTools, 'algorithms'>,
  known: PublicKey | undefined,
): PublicKey {
  if (header.typ !== 'dpop+jwt') throw refuse('typ', 'dpop+jwt')
  const { algorithm } = header
  if (algorithm === undefined || !algorithms.includes(algorithm.name)) {
    throw refuse('alg', `one of ${algorithms.join(', ')}`)
  }
  const key = known ?? publicKeyIn(header.members, algorithm)
  if (!verifySignature(algorithm, cryptoKey(algorithm, key.key), signingInput, signature)) {
    throw refuse('signature', 'a signature by the key in the header')
  }
  return key
}

function publicKeyIn({ jwk }: ValueMap, algorithm: Algorithm): PublicKey {
  let key: PublicKey
  try {
    key = publicKeyFromJwk(jwk)
  } catch (cause) {
    throw refuse('jwk', 'a public key, without private members', cause)
  }
  if (!fits(algorithm, key.key)) throw refuse('jwk', `a key for ${algorithm.name}`)
  return key
}

interface DpopClaims {
  readonly jti: string
  readonly htm: string
  readonly htu: string
  readonly iat: number
  readonly nonce: string | undefined
  readonly ath: string | undefined
}

function claimsOf({ payload }: Jws): DpopClaims {
  const claims = objectIn(payload)
  const { jti, htm, htu, iat, nonce, ath } = claims
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI) {
    throw refuse('jti', `text of at most ${MAX_JTI} characters`)
  }
  if (typeof htm !== 'string') throw refuse('htm', 'text')
  if (typeof htu !== 'string') throw refuse('htu', 'text')
  if (typeof iat !== 'number') throw refuse('iat', 'a number')
  if (nonce !== undefined && typeof nonce !== 'string') throw refuse('nonce', 'text')
  if (ath !== undefined && typeof ath !== 'string') throw refuse('ath', 'text')
  return { jti, htm, htu, iat, nonce, ath }
}

function objectIn(payload: Buffer): ValueMap {
  try {
    return parseJsonObject(payload, CLAIM_LIMITS)
  } catch (cause) {
    throw refuse('claims', 'a JSON object', cause)
  }
}

/**
 * The token endpoint, which takes POST alone and whose URL is configured. Or the request that a proxy asks about, as it
 * says: the proxy has authenticated by the time this counts, and a proof for a resource names the token.
 */
function useOf({ forwarded, subject_token: token }: TokenRequest, { tokenEndpoint }: ProofTools): DpopUse {
  if (forwarded === undefined) return { method: 'POST', url: tokenEndpoint, token, ath: 'optional' }
  const { method, scheme, host, path } = forwarded
  const url = `${scheme}://${host}${path}`
  const called = 'that of the request that the proxy asks about'
  return { method, url: normalised(url) ?? url, token, ath: 'required', called }
}

function assertUse({ htm, htu, iat, ath }: DpopClaims, use: DpopUse, now: number): void {
  if (htm !== use.method) throw refuse('htm', use.called ?? use.method)
  if (htu !== use.url && normalised(htu) !== (normalised(use.url) ?? use.url))
    throw refuse('htu', use.called ?? use.url)
  if (iat < now - MAX_AGE || iat > now + MAX_AHEAD) {
    throw refuse('iat', `within ${MAX_AGE} seconds before and ${MAX_AHEAD} after ${now}`)
  }
  // Not asked for at a token endpoint; a client that sends it means the token that it presents.
  if (ath === undefined && use.ath === 'optional') return
  if (ath !== hash('sha256', use.token, 'base64url')) {
    throw refuse('ath', 'the SHA-256 of the token')
  }
}

async function assertFirstUse(
  { jti, iat }: DpopClaims,
  key: PublicKey,
  { method, url }: DpopUse,
  { now, replay }: Pick<ProofTools, 'now' | 'replay'>,
): Promise<void> {
  // Keyed by our own spelling of method and URL: under another of theirs the proof would pass once more.
  const digest = hash('sha256', `${key.jkt}\0${method}\0${url}\0${jti}`)
  // The first second at which it would be too old.
  const until = Math.floor(iat) + MAX_AGE + 1
  if (!(await replay.claim(`dpop ${digest}`, until, now))) throw new DragomanError('ERR_PROOF_REPLAYED')
}
