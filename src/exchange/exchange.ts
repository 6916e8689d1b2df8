import { assertMayAct } from '../core/act.ts'
import type { Client } from '../core/client.ts'
import type { Layout } from '../core/codec.ts'
import { DragomanError } from '../core/errors.ts'
import type { Admission, Exchange, ExchangeResult, Services, TokenRequest } from '../core/exchange.ts'
import type { Signer } from '../core/keys.ts'
import { andThen, isLater } from '../core/later.ts'
import type { Profile, TokenAcceptance } from '../core/profile.ts'
import type { Proof } from '../core/proof.ts'
import type { Confirmation, Draft, Envelope, Issued, Token, Verified } from '../core/token.ts'
import { map } from '../core/value.ts'
import { authenticate, clientOf } from './authenticate.ts'
import { type Bounds, startDraft } from './draft.ts'
import { assertKept, ledgerOf } from './ledger.ts'
import { run } from './run.ts'
import { audienceFor, audienceWithin, select, targetsOf } from './select.ts'
import { leave, startTrail, type Trail } from './trail.ts'
import { transactionOf } from './transaction.ts'
import { assertFirstUse, orUnavailable, startUses, type Uses } from './uses.ts'
import { asVerified } from './verified.ts'
import { verifyToken } from './verify.ts'
import { assertLossesNotWider, assertNotWider } from './wider.ts'

/**
 * One token exchange (RFC 8693), or a grant that is redeemed like one: request in, token out, one audit record on every way.
 *
 * @param admitted by {@link admit}: who asks, where several exchanges came in one request
 * @throws {@link DragomanError}, always: anything else that goes wrong inside becomes `ERR_INTERNAL`
 */
export async function exchangeToken(
  request: TokenRequest,
  services: Services,
  admitted?: Admission,
): Promise<ExchangeResult> {
  const trail = startTrail(request, services)
  const uses = startUses(services)
  let result: ExchangeResult
  try {
    result = await issue(await translate(request, services, trail, admitted), trail, uses)
  } catch (error) {
    const refusal = trail.refuse(error)
    await uses.giveBack()
    leave(trail, services)
    throw refusal
  }
  try {
    leave(trail, services)
  } catch (error) {
    await uses.giveBack()
    throw error
  }
  return result
}

/** Leaves the record of a request that was refused before it could be read whole. */
export function recordRefusal(
  request: Pick<TokenRequest, 'id'> & Partial<TokenRequest>,
  error: unknown,
  services: Services,
  admitted?: Admission,
): void {
  const trail = startTrail(request, services)
  if (admitted) trail.client = admitted.client
  trail.refuse(error)
  leave(trail, services)
}

/** An exchange that has passed every check but that of first use. */
export interface Translated {
  readonly exchange: Exchange
  readonly draft: Draft
  readonly layout: Layout
  readonly ledger: ExchangeResult['ledger']
  readonly signer: Signer
  /** Tokens that may be used once. */
  readonly once: readonly Verified<Token>[]
}

/**
 * Authenticates the client of several exchanges once, and verifies a proof that it sent for all of them. `url`: where they
 * were sent, which a DPoP proof names; it names none of the tokens. Leaves a record when it refuses, since no exchange then
 * does.
 *
 * @throws {@link DragomanError} `ERR_CLIENT_*`, `ERR_PROOF_*`, `ERR_AUDIT_UNAVAILABLE`
 */
export async function admit(request: TokenRequest, services: Services, url: string): Promise<Admission> {
  // Each of the exchanges is watched; what comes before them is no exchange.
  const trail = startTrail(request, { ...services, observer: undefined })
  try {
    if (services.audit.healthy?.() === false) throw new DragomanError('ERR_AUDIT_UNAVAILABLE')
    const now = Math.floor(services.clock())
    const client = await step(trail, 'authenticate', () => authenticate(request, now, services))
    if (client === undefined) throw new DragomanError('ERR_CLIENT_MISSING')
    trail.client = client
    // Who shows a certificate shows it with each of them: it is looked at there.
    const shown = { ...request, certificates: undefined, csr: undefined }
    const proofs = await step(trail, 'prove', () => prove(shown, client, now, { ...services, tokenEndpoint: url }))
    return { client, proofs }
  } catch (error) {
    const refusal = trail.refuse(error)
    leave(trail, services)
    throw refusal
  }
}

/** All of it but what cannot be taken back: the mark of first use, and the signature. */
export async function translate(
  request: TokenRequest,
  services: Services,
  trail: Trail,
  admitted?: Admission,
): Promise<Translated> {
  if (services.audit.healthy?.() === false) throw new DragomanError('ERR_AUDIT_UNAVAILABLE')
  const now = Math.floor(services.clock())
  const caller = await step(trail, 'authenticate', () => admitted?.client ?? authenticate(request, now, services))
  if (caller) trail.client = caller
  const profile = step(trail, 'select', () => select(request, caller, services.profiles))
  trail.profile = profile
  const audience = step(trail, 'target', () => audienceFor(profile, targetsOf(request, profile.accepts.targets)))
  // Of somebody who has not authenticated nothing is remembered before a token has been verified: it would fill the store.
  const shown = caller === undefined ? startUses(services) : undefined
  const replay = shown?.later(now) ?? services.replay
  const proofs = await step(trail, 'prove', () =>
    prove(request, caller, now, { ...services, replay }, admitted?.proofs),
  )
  trail.proofs = proofs
  const inputs: Verified<Token>[] = []
  const once: Verified<Token>[] = []
  const take = async (envelope: Envelope, acceptance: TokenAcceptance, sha256?: string): Promise<Verified<Token>> => {
    const signed = (token: Token) => void trail.signed.set(envelope.role, token)
    const token = await verifyToken(envelope, acceptance, { now, caller, proofs, signed, sha256 }, services)
    inputs.push(token)
    if (acceptance.singleUse) once.push(token)
    return token
  }
  // A stage names a token, never the digest that one is known by.
  const verify: Exchange['verify'] = (envelope, acceptance) => take(envelope, acceptance)
  const subject = await step(trail, 'verify subject', async () =>
    presented(await take(subjectOf(request, services), profile.accepts.subject, trail.inputDigest()), request),
  )
  trail.subject = subject
  if (shown !== undefined && proofs.length > 0) await step(trail, 'prove', () => shown.settle('ERR_PROOF_REPLAYED'))
  const actor = await verifyActor(request, profile, verify, trail)
  if (actor) trail.actor = actor
  const client = caller ?? clientOf(subject)
  trail.client = client
  step(trail, 'may act', () => assertMayAct(subject, partyOf(actor, client)))

  const table = profile.transactions
  const transaction =
    table &&
    step(trail, 'transaction', () => transactionOf(table, { request, client, subject, profile }, services.random))
  if (transaction) trail.transaction = transaction

  const parties = { client, subject, actor, proofs }
  const exchange: Exchange = { id: request.id, now, request, profile, ...parties, transaction, verify }
  const signer = step(trail, 'key', () => signerOf(profile, services))
  trail.signer = signer
  const [bounds, start] = step(trail, 'draft', () => {
    const reach: Bounds = {
      audience: audienceWithin(audience, exchange),
      ceiling: profile.writer.ceiling(signer),
      inputs,
    }
    return [reach, startDraft(exchange, reach)] as const
  })
  const draft = await run(start, exchange, trail)
  trail.draft = draft
  step(trail, 'never wider', () => assertNotWider(draft, exchange, bounds))

  const layout = step(trail, 'lay out', () =>
    profile.writer.lay(draft, { issuer: services.issuer, now, id: services.random(16), signer }),
  )
  const ledger = ledgerOf(subject, draft, layout.losses)
  trail.ledger = ledger
  step(trail, 'no loss', () => {
    assertLossesNotWider(layout.losses, exchange)
    assertKept(ledger, profile.mustKeep)
  })
  return { exchange, draft, layout, ledger, signer, once }
}

async function issue(translated: Translated, trail: Trail, uses: Uses): Promise<ExchangeResult> {
  const { exchange, draft, layout, ledger, signer } = translated
  await firstUse(translated, trail, uses)
  const issued = await step(trail, 'sign', async () =>
    fitting(layout.finish(await sign(layout.toBeSigned, signer)), exchange.request),
  )
  trail.issued = issued
  return answer(issued, draft, exchange, ledger)
}

/** The last check, and the one that leaves a mark. */
export async function firstUse({ once, exchange }: Translated, trail: Trail, uses: Uses): Promise<void> {
  if (once.length > 0) await step(trail, 'first use', () => assertFirstUse(once, exchange.now, uses))
}

/**
 * One step of the recipe: named in the trace, whether it passes or refuses. What waits for nothing is not waited for; what
 * does is where the exchanges of one turn of the event loop alternate.
 */
function step<T>(trail: Trail, name: string, action: () => Promise<T>): Promise<T>
function step<T>(trail: Trail, name: string, action: () => T): T
function step<T>(trail: Trail, name: string, action: () => T | Promise<T>): T | Promise<T> {
  trail.step = name
  return andThen(action(), (value) => {
    trail.passed(name)
    return value
  })
}

async function prove(
  request: TokenRequest,
  client: Verified<Client> | undefined,
  now: number,
  services: Services,
  before: readonly Verified<Proof>[] = [],
): Promise<readonly Verified<Proof>[]> {
  const { clockSkew, tokenEndpoint, replay, proofMethods } = services
  const tools = { now, clockSkew, tokenEndpoint, replay, algorithms: services.proofAlgorithms }
  const proofs = [...before]
  for (const method of proofMethods) {
    const shown = method.prove(request, tools)
    const proof = isLater(shown) ? await shown : shown
    if (proof) proofs.push(asVerified(proof))
  }
  // RFC 9449 §5.2: registered as DPoP-bound means no token without a proof.
  if (client && services.clients.find(client.id)?.dpopBound && !proofs.some(({ method }) => method === 'dpop')) {
    throw new DragomanError('ERR_PROOF_REQUIRED', {
      detail: { expected: 'a DPoP proof', rule: 'dpop_bound_access_tokens' },
    })
  }
  return Object.freeze(proofs)
}

const subjectOf = (
  { grant_type, subject_token: raw, subject_token_type: type }: TokenRequest,
  { grants }: Services,
): Envelope => ({
  raw,
  type,
  role: grants.find((grant) => grant.type === grant_type)?.role ?? 'subject',
})

/** RFC 9449 §7.1: at a resource, a proof goes with a token that is bound to its key; here it asks for no binding. */
function presented(subject: Verified<Token>, { forwarded, dpop }: TokenRequest): Verified<Token> {
  if (forwarded === undefined || dpop.length === 0 || subject.confirmation !== undefined) return subject
  throw new DragomanError('ERR_PROOF_MISMATCH', {
    detail: { expected: 'a token that is bound to the key of the proof' },
  })
}

async function verifyActor(
  { actor_token: raw, actor_token_type: type }: TokenRequest,
  { accepts }: Profile,
  verify: Exchange['verify'],
  trail: Trail,
): Promise<Verified<Token> | undefined> {
  const acceptance = accepts.actor
  if (raw === undefined || type === undefined || acceptance === undefined) return undefined
  return step(trail, 'verify actor', () => verify({ raw, type, role: 'actor' }, acceptance))
}

/** The party that acts: the actor token's, or without one the client that asks (RFC 8693 §4.4). */
const partyOf = (actor: Verified<Token> | undefined, client: Verified<Client>) =>
  actor
    ? map([...Object.entries(actor.claims), ['iss', actor.provenance.issuer]])
    : map([
        ['sub', client.id],
        ['client_id', client.id],
      ])

function signerOf({ key }: Profile, { keys }: Services): Signer {
  const signer = keys.signer(key)
  if (signer === undefined) throw new DragomanError('ERR_KEY_UNAVAILABLE', { detail: { key } })
  return signer
}

const sign = (data: Uint8Array, signer: Signer): Uint8Array | Promise<Uint8Array> =>
  orUnavailable('ERR_KEY_UNAVAILABLE', () => signer.sign(data))

/** A token that is to go into a header field must be one that can. */
function fitting(issued: Issued, { forwarded }: TokenRequest): Issued {
  if (forwarded === undefined) return issued
  const { length } = issued.raw
  if (length <= forwarded.maxCharacters && /^[\x21-\x7e]+$/.test(issued.raw)) return issued
  throw new DragomanError('ERR_PROFILE_HEADER', {
    detail: { expected: `at most ${forwarded.maxCharacters} characters of visible ASCII`, actual: length },
  })
}

function answer(issued: Issued, draft: Draft, exchange: Exchange, ledger: ExchangeResult['ledger']): ExchangeResult {
  const { now, profile, request } = exchange
  const { confirmation, validity } = draft
  const cnf = confirmation && membersOf(confirmation)
  return {
    access_token: issued.raw,
    issued_token_type: issued.tokenType,
    // RFC 8705 leaves a certificate-bound token `Bearer`; RFC 9449 §5 wants `DPoP` for one bound to a proof's key.
    token_type: issued.usage === 'N_A' ? 'N_A' : cnf?.jkt !== undefined ? 'DPoP' : 'Bearer',
    // From the same instant as exp, never from a second reading of the clock.
    expires_in: (validity.expiresAt ?? now) - now,
    // RFC 6749 §5.1: silence would mean that all that was asked for was granted.
    scope: validity.scope ?? (request.scope === undefined ? undefined : []),
    cnf: profile.rendering.format === 'x509' ? undefined : cnf,
    ledger,
  }
}

/** A key known by its certificate is named by its own thumbprint as well only where both proofs are asked for. */
function membersOf({ publicKey, jkt, x5tS256 }: Confirmation) {
  const thumbprint = jkt ?? (x5tS256 === undefined ? publicKey?.jkt : undefined)
  if (thumbprint === undefined && x5tS256 === undefined) return undefined
  return {
    ...(thumbprint !== undefined && { jkt: thumbprint }),
    ...(x5tS256 !== undefined && { 'x5t#S256': x5tS256 }),
  }
}
