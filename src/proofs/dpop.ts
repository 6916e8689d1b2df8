import { hash } from 'node:crypto'
import { type Algorithm, cryptoKey, fits, verifySignature } from '../core/algorithms.ts'
import { DragomanError } from '../core/errors.ts'
import type { TokenRequest } from '../core/exchange.ts'
import type { PublicKey } from '../core/keys.ts'
import type { Proof, ProofMethod, ProofTools } from '../core/proof.ts'
import type { ValueMap } from '../core/value.ts'
import { JSON_LIMITS, parseJsonObject } from '../wire/json.ts'
import { publicKeyFromJwk } from '../wire/jwk.ts'
import { JWS_LIMITS, type Jws, parseCompact } from '../wire/jws.ts'
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
export const dpopProof = (options: DpopOptions = {}): ProofMethod => ({
  name: 'dpop',
  prove: (request, tools) => proveDpop(request.dpop, useOf(request, tools), tools, options),
})

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
  { nonces }: DpopOptions = {},
): Promise<Proof | undefined> {
  const [text, another] = fields
  if (text === undefined) return undefined
  if (another !== undefined) throw refuse('one', 'one DPoP header field')
  const jws = parsed(text)
  const key = keyOf(jws, tools)
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

function parsed(text: string): Jws {
  try {
    return parseCompact(text, { limits: LIMITS })
  } catch (cause) {
    throw refuse('form', 'one compact JWS with a JSON header', cause)
  }
}

/** The key in the header, once it has been shown to have signed the proof. */
function keyOf({ header, signingInput, signature }: Jws, { algorithms }: Pick<ProofTools, 'algorithms'>): PublicKey {
  if (header.typ !== 'dpop+jwt') throw refuse('typ', 'dpop+jwt')
  const { algorithm } = header
  if (algorithm === undefined || !algorithms.includes(algorithm.name)) {
    throw refuse('alg', `one of ${algorithms.join(', ')}`)
  }
  const key = publicKeyIn(header.members, algorithm)
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
