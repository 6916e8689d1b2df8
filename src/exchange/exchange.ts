import { assertMayAct } from '../core/act.ts'
import type { Client } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import type { Exchange, ExchangeResult, Services, TokenRequest } from '../core/exchange.ts'
import type { Profile } from '../core/profile.ts'
import type { Proof } from '../core/proof.ts'
import type { Draft, Issued, Token, Verified } from '../core/token.ts'
import { map } from '../core/value.ts'
import { authenticate, clientOf } from './authenticate.ts'
import { startDraft } from './draft.ts'
import { assertKept, ledgerOf } from './ledger.ts'
import { run } from './run.ts'
import { audienceFor, select, targetsOf } from './select.ts'
import { startTrail, type Trail } from './trail.ts'
import { asVerified } from './verified.ts'
import { type Circumstances, verifyToken } from './verify.ts'
import { assertNotWider } from './wider.ts'

/**
 * One token exchange (RFC 8693): request in, token out, one audit record on every way.
 *
 * @throws {@link DragomanError}, always: anything else that goes wrong inside becomes `ERR_INTERNAL`
 */
export async function exchangeToken(request: TokenRequest, services: Services): Promise<ExchangeResult> {
  const trail = startTrail(request, services)
  try {
    return await translate(request, services, trail)
  } catch (error) {
    throw trail.refuse(error)
  } finally {
    services.audit.write(trail.record())
  }
}

/** Leaves the record of a request that was refused before it could be read whole. */
export function recordRefusal(id: string, error: unknown, services: Services): void {
  const trail = startTrail({ id }, services)
  trail.refuse(error)
  services.audit.write(trail.record())
}

async function translate(request: TokenRequest, services: Services, trail: Trail): Promise<ExchangeResult> {
  if (services.audit.healthy?.() === false) throw new DragomanError('ERR_AUDIT_UNAVAILABLE')
  const now = Math.floor(services.clock())
  const caller = await step(trail, 'authenticate', () => authenticate(request, now, services))
  if (caller) trail.client = caller
  const profile = await step(trail, 'select', () => select(request, caller, services.profiles))
  trail.profile = profile
  const audience = await step(trail, 'target', () => audienceFor(profile, targetsOf(request)))
  const proofs = await step(trail, 'prove', () => prove(request, caller, now, services))
  trail.proofs = proofs
  const circumstances: Circumstances = { now, proofs }
  const subject = await step(trail, 'verify subject', () => verifySubject(request, profile, circumstances, services))
  trail.subject = subject
  const actor = await step(trail, 'verify actor', () => verifyActor(request, profile, circumstances, services))
  if (actor) trail.actor = actor
  const client = caller ?? clientOf(subject)
  trail.client = client
  await step(trail, 'may act', () => assertMayAct(subject, partyOf(actor, client)))

  const exchange: Exchange = {
    id: request.id,
    now,
    request,
    client,
    profile,
    subject,
    actor,
    proofs,
    verify: (envelope, acceptance) => verifyToken(envelope, acceptance, circumstances, services),
  }
  const signer = services.keys.signer(profile.key)
  if (signer === undefined) throw new DragomanError('ERR_KEY_UNAVAILABLE', { detail: { key: profile.key } })
  const start = await step(trail, 'draft', () => startDraft(exchange, audience, signer))
  const draft = await run(start, exchange, trail)
  trail.draft = draft
  await step(trail, 'never wider', () => assertNotWider(draft, exchange, audience))

  const issuance = { issuer: services.issuer, now, id: services.random(16), signer }
  const layout = await step(trail, 'lay out', () => profile.writer.lay(draft, issuance))
  const ledger = ledgerOf(subject, draft, layout.losses)
  trail.ledger = ledger
  await step(trail, 'must keep', () => assertKept(ledger, profile.mustKeep))
  await step(trail, 'first use', () => assertFirstUse(subject, profile, services, now))
  const issued = await step(trail, 'sign', async () => layout.finish(await signer.sign(layout.toBeSigned)))
  trail.issued = issued
  return answer(issued, draft, profile, now, ledger)
}

/** One step of the recipe: named in the trace, whether it passes or refuses. */
async function step<T>(trail: Trail, name: string, action: () => T | Promise<T>): Promise<T> {
  trail.step = name
  const result = await action()
  trail.passed(name)
  return result
}

async function prove(
  request: TokenRequest,
  client: Verified<Client> | undefined,
  now: number,
  services: Services,
): Promise<readonly Verified<Proof>[]> {
  const { clockSkew, tokenEndpoint, replay, proofMethods } = services
  const tools = { now, clockSkew, tokenEndpoint, replay, algorithms: services.proofAlgorithms }
  const proofs: Verified<Proof>[] = []
  for (const method of proofMethods) {
    const proof = await method.prove(request, tools)
    if (proof) proofs.push(asVerified(proof))
  }
  // RFC 9449 §5.2: registered as DPoP-bound means no token without a proof.
  if (client && services.clients.find(client.id)?.dpopBound && !proofs.some(({ method }) => method === 'dpop')) {
    throw new DragomanError('ERR_PROOF_REQUIRED', {
      detail: { expected: 'a DPoP proof', rule: 'dpop_bound_access_tokens' },
    })
  }
  return proofs
}

const verifySubject = (request: TokenRequest, profile: Profile, circumstances: Circumstances, services: Services) =>
  verifyToken(
    { raw: request.subject_token, type: request.subject_token_type, role: 'subject' },
    profile.accepts.subject,
    circumstances,
    services,
  )

async function verifyActor(
  request: TokenRequest,
  profile: Profile,
  circumstances: Circumstances,
  services: Services,
): Promise<Verified<Token> | undefined> {
  const { actor_token: raw, actor_token_type: type } = request
  if (raw === undefined || type === undefined || profile.accepts.actor === undefined) return undefined
  return verifyToken({ raw, type, role: 'actor' }, profile.accepts.actor, circumstances, services)
}

/** The party that acts: the actor token's, or without one the client that asks (RFC 8693 §4.4). */
const partyOf = (actor: Verified<Token> | undefined, client: Verified<Client>) =>
  actor
    ? map([...Object.entries(actor.claims), ['iss', actor.provenance.issuer]])
    : map([
        ['sub', client.id],
        ['client_id', client.id],
      ])

/** Atomic, and last before the signature: a refused exchange spends nothing. */
async function assertFirstUse(
  subject: Verified<Token>,
  profile: Profile,
  services: Services,
  now: number,
): Promise<void> {
  const { singleUse, clockSkew } = profile.accepts.subject
  if (!singleUse) return
  const until = (subject.validity.expiresAt ?? now) + clockSkew
  if (!(await services.replay.claim(`token ${subject.provenance.replayKey}`, until, now))) {
    throw new DragomanError('ERR_TOKEN_REPLAYED')
  }
}

function answer(
  issued: Issued,
  draft: Draft,
  profile: Profile,
  now: number,
  ledger: ExchangeResult['ledger'],
): ExchangeResult {
  const { confirmation, validity } = draft
  const jkt = confirmation?.publicKey?.jkt ?? confirmation?.jkt
  const byCertificate = confirmation?.x5tS256 !== undefined
  return {
    access_token: issued.raw,
    issued_token_type: issued.tokenType,
    // RFC 8705 leaves a certificate-bound token `Bearer`; RFC 9449 §5 wants `DPoP` for one bound to a proof's key.
    token_type: issued.usage === 'N_A' ? 'N_A' : jkt !== undefined && !byCertificate ? 'DPoP' : 'Bearer',
    // From the same instant as exp, never from a second reading of the clock.
    expires_in: (validity.expiresAt ?? now) - now,
    scope: validity.scope,
    cnf:
      confirmation === undefined || profile.rendering.format === 'x509'
        ? undefined
        : byCertificate
          ? { 'x5t#S256': confirmation.x5tS256 }
          : jkt === undefined
            ? undefined
            : { jkt },
    ledger,
  }
}
