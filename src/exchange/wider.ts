import { actDepth, keepsHistory } from '../core/act.ts'
import type { Loss } from '../core/codec.ts'
import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import { goesOn, PATH_CLAIM, pathIn } from '../core/path.ts'
import type { Danger } from '../core/profile.ts'
import type { ScopeTable } from '../core/stage.ts'
import type { Confirmation, Draft } from '../core/token.ts'
import { isList, sameValue, type Value } from '../core/value.ts'
import type { Bounds } from './draft.ts'
import { assertFrozen } from './frozen.ts'
import { assertCarriesNone } from './presented.ts'
import { assertTransaction } from './within.ts'

type Rule = Danger | 'max_lifetime' | 'signing_key' | 'issued_at' | 'targets' | 'reserved' | 'proof'

/** Names that the neutral token holds apart: as a claim they would speak against what is checked here. */
const HELD_APART: ReadonlySet<string> = new Set(['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope', 'cnf'])

/**
 * Refuses a draft that reaches further than what it was made from. Once, after the stages, whatever they were.
 *
 * Lifetime: not beyond the earliest of every token that was verified, signing key and the profile's ceiling; not before
 * their start. Audience: only what the request asked for, as the profile translates it, and never none; likewise what was
 * asked for behind it. Scope: only what the subject token has, where it has any, and what was asked for, where something
 * was. `act`: the history that came in stands in what goes out, unchanged, as does `trust_path`, and an actor token leaves
 * its mark. `cnf`: what came in bound, or with a DPoP proof (RFC 9449 §5), goes out bound, and to nothing but keys that
 * were proved.
 * A replacement says what the token it replaces says, and a transaction token no more than its row lets it: no option lifts
 * these. Each other rule gives way to one `danger_` option and to nothing else.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_WIDER`, `detail.rule` naming the option; `ERR_TOKEN_ACT` for an `act` that is
 * malformed, too deep or too big; `ERR_PROOF_REQUIRED` where the format needs a proved key and has none
 */
export function assertNotWider(draft: Draft, exchange: Exchange, bounds: Bounds): void {
  assertTimes(draft, exchange, bounds)
  assertReach(draft, exchange, bounds)
  assertHistory(draft, exchange)
  assertBound(draft, exchange)
  assertFrozen(draft, exchange)
  assertTransaction(draft, exchange)
  assertCarriesNone(draft, exchange)
}

/** What a format could not carry may be a restriction: then the loss is a widening too. */
export function assertLossesNotWider(losses: readonly Loss[], exchange: Exchange): void {
  for (const { claim, became } of losses) {
    if (became !== 'lost') continue
    if (claim === 'act' || claim === PATH_CLAIM) {
      refuseUnless(exchange, 'danger_drop_act', `a format that can carry ${claim}`)
    }
    if (claim === 'cnf') refuseUnless(exchange, 'danger_drop_confirmation', 'a format that can carry the confirmation')
  }
}

function refuse(rule: Rule, expected: string): never {
  throw new DragomanError('ERR_PROFILE_WIDER', { detail: { rule, expected } })
}

function refuseUnless({ profile }: Exchange, danger: Danger, expected: string): void {
  if (!profile.dangers.has(danger)) refuse(danger, expected)
}

function assertTimes({ validity }: Draft, exchange: Exchange, { ceiling, inputs }: Bounds): void {
  const { profile, now } = exchange
  const { expiresAt, notBefore, issuedAt } = validity
  // Whole numbers first: whatever is compared with NaN, the answer is no.
  if (!isTime(expiresAt) || expiresAt <= now || expiresAt > now + profile.maxLifetime) {
    refuse('max_lifetime', `exp after now, within ${profile.maxLifetime} seconds`)
  }
  if (expiresAt > (ceiling ?? Infinity)) refuse('signing_key', `exp at most ${ceiling}, when the signing key ends`)
  if (issuedAt !== undefined && !(isTime(issuedAt) && issuedAt <= now)) refuse('issued_at', `iat at most ${now}`)
  const end = Math.min(...inputs.map((token) => token.validity.expiresAt ?? -Infinity))
  if (expiresAt > end) refuseUnless(exchange, 'danger_outlive_subject', `exp at most ${end}`)
  const start = Math.max(...inputs.map((token) => token.validity.notBefore ?? -Infinity))
  if (notBefore !== undefined && !isTime(notBefore)) refuse('danger_start_earlier', 'nbf in whole seconds')
  if (start > now && (notBefore ?? -Infinity) < start) {
    refuseUnless(exchange, 'danger_start_earlier', `nbf at least ${start}`)
  }
}

const isTime = (value: number | undefined): value is number => Number.isSafeInteger(value)

function assertReach(draft: Draft, exchange: Exchange, { audience }: Bounds): void {
  const { claims, embedded, validity } = draft
  if (validity.audience.length === 0 || validity.audience.some((value) => !audience.includes(value))) {
    refuse('targets', 'an audience that was asked for')
  }
  if (!resourcesHeld(draft, exchange)) refuse('targets', 'in the claim resource what was asked for behind the target')
  if (!scopeHeld(draft, exchange)) {
    refuseUnless(exchange, 'danger_widen_scope', 'only scope that the subject token has and that was asked for')
  }
  const reserved =
    Object.keys(claims).find((name) => HELD_APART.has(name)) ??
    embedded.find(({ name, place }) => place === 'claim' && HELD_APART.has(name))?.name
  if (reserved !== undefined) refuse('reserved', `no claim ${reserved} from a stage`)
  if (claims['client_id'] !== undefined && !namesClient(claims['client_id'], exchange)) {
    refuse('reserved', 'client_id: the client that asks (RFC 8693 section 4.3)')
  }
}

/** Where `resource` is behind the target, it restricts what the output is for: no stage takes it away, or adds to it. */
function resourcesHeld({ claims }: Draft, { request, profile }: Exchange): boolean {
  if (profile.accepts.targets.resources === undefined) return true
  const { resource } = claims
  if (resource === undefined) return request.resource.length === 0
  const named = isList(resource) ? resource : [resource]
  return named.length > 0 && named.every((name) => typeof name === 'string' && request.resource.includes(name))
}

/** In an access token, by its id here; in what is for another authorization server, by the name that the profile has. */
function namesClient(name: Value, { client, profile: { writer, steps } }: Exchange): boolean {
  if (name === client.id) return true
  return writer.usage !== 'access_token' && steps.some(({ clients }) => clients?.get(client.id) === name)
}

/**
 * A scope may come from another by the profile's tables, as they were loaded: then it is the source that the subject token
 * must have. What a stage notes in an exchange is for the ledger, and no leave to anything.
 */
function scopeHeld({ validity }: Draft, { subject, request, profile }: Exchange): boolean {
  const { scope: granted } = validity
  if (granted === undefined) return true
  const held = subject.validity.scope
  const asked = request.scope
  const among = (scope: string, list: readonly string[] | undefined): boolean =>
    list === undefined || list.includes(scope)
  const stands = (scope: string, table: ScopeTable): boolean =>
    [...table].some(
      ([from, to]) => to.includes(scope) && among(from, held) && (among(scope, asked) || among(from, asked)),
    )
  return granted.every(
    (scope) =>
      (among(scope, held) && among(scope, asked)) ||
      profile.steps.some(({ scopes }) => scopes !== undefined && stands(scope, scopes)),
  )
}

function assertHistory({ claims }: Draft, exchange: Exchange): void {
  const { act } = claims
  const earlier = exchange.subject.claims['act']
  actDepth(act)
  if (!keepsHistory(act, earlier)) {
    refuseUnless(exchange, 'danger_drop_act', 'the act claim of the subject token, unchanged inside the output')
  }
  if (exchange.actor !== undefined && sameValue(act, earlier)) {
    // An actor token that is taken and leaves no mark makes delegation look like impersonation (RFC 8693 §1.1).
    refuseUnless(exchange, 'danger_drop_act', 'an act claim, since there is an actor token')
  }
  if (!goesOn(pathIn(claims[PATH_CLAIM]), pathIn(exchange.subject.claims[PATH_CLAIM]))) {
    refuseUnless(
      exchange,
      'danger_drop_act',
      'the trust_path of the subject token, at the beginning of that of the output',
    )
  }
}

function assertBound({ confirmation }: Draft, exchange: Exchange): void {
  const { subject, proofs, profile } = exchange
  if (confirmation === undefined) {
    if (subject.confirmation !== undefined) {
      refuseUnless(exchange, 'danger_drop_confirmation', 'a confirmation, since the subject token has one')
    }
    if (proofs.some(({ method }) => method === 'dpop')) {
      refuseUnless(exchange, 'danger_drop_confirmation', 'a confirmation, since a DPoP proof came')
    }
  } else if (!vouched(confirmation, exchange)) {
    refuse('proof', 'a confirmation key that was proved')
  }
  if (profile.writer.needsKey && !proofs.some(({ publicKey }) => publicKey.jkt === confirmation?.publicKey?.jkt)) {
    throw new DragomanError('ERR_PROOF_REQUIRED', {
      detail: { expected: 'a proof by the key that the output is to be bound to', rule: profile.rendering.format },
    })
  }
}

/**
 * Never a key that nobody proved: every name it goes by is one of a proof in this request, or of a token whose holder
 * proved it. A token that its audience presents was proved to somebody else.
 */
function vouched(confirmation: Confirmation, { subject, actor, proofs, profile }: Exchange): boolean {
  const { accepts } = profile
  const known = new Set<string>(proofs.flatMap(namesOf))
  if (accepts.subject.presentedBy === 'holder') for (const name of namesOf(subject.confirmation)) known.add(name)
  if (accepts.actor?.presentedBy === 'holder') for (const name of namesOf(actor?.confirmation)) known.add(name)
  // Worked out only where it is asked for: it is an encoding and a hash.
  if (confirmation.ckt !== undefined) for (const { publicKey } of proofs) known.add(`ckt ${publicKey.ckt}`)
  const names = namesOf(confirmation)
  return names.length > 0 && names.every((name) => known.has(name))
}

function namesOf(confirmation: Confirmation | undefined): readonly string[] {
  if (confirmation === undefined) return []
  const { publicKey, jkt, x5tS256, ckt } = confirmation
  return [publicKey?.jkt, jkt, x5tS256 && `x5t ${x5tS256}`, ckt && `ckt ${ckt}`].filter((name) => name !== undefined)
}
