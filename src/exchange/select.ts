import type { Client } from '../core/client.ts'
import type { ErrorCode } from '../core/errors.ts'
import { DragomanError } from '../core/errors.ts'
import type { Exchange, TokenRequest } from '../core/exchange.ts'
import type { Profile, ProfileSet, Targets } from '../core/profile.ts'
import type { TokenType, Verified } from '../core/token.ts'
import { isList, type Value } from '../core/value.ts'

/**
 * The one profile that serves this request.
 *
 * No profile, no translation. Where the endpoint has a profile of its own, it is that one. Narrows the client's profiles
 * by what was sent, in this order: grant, token types, requested type, targets, presence of an actor token; the first
 * narrowing that leaves none is the reason of the refusal. Several left are refused too, since the order of files must not
 * decide who gets what.
 * Does NOT look into any token.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_*`, `ERR_REQUEST_TOKEN_TYPE`, `ERR_REQUEST_ACTOR`, `ERR_CLIENT_MISSING`
 */
export function select(request: TokenRequest, client: Verified<Client> | undefined, profiles: ProfileSet): Profile {
  const found = candidates(request, client, profiles)
  // Whatever serves the request is among these; the others are looked at only to say why none of them does.
  const [only, another] = found.filter((profile) => fits(profile, request))
  if (only !== undefined) return another === undefined ? only : narrowed(request, found, profiles)
  const named = profiles.for(client?.id).filter((profile) => isFor(profile, request))
  if (named.length === 0) throw new DragomanError(client ? 'ERR_PROFILE_NONE' : 'ERR_CLIENT_MISSING')
  return narrowed(request, named, profiles)
}

/** Of the grant that was sent; and where the endpoint that was asked has a profile of its own, it is that one or none. */
const isFor = ({ name, accepts }: Profile, { grant_type, profile }: TokenRequest): boolean =>
  accepts.grant === grant_type && (profile === undefined || name === profile)

function candidates(request: TokenRequest, client: Client | undefined, profiles: ProfileSet): readonly Profile[] {
  const [audience] = request.audience
  const [resource] = request.resource
  const named = profiles.serving(client?.id, audience ?? resource)
  // A resource alone is a target to one profile, and behind the default of another.
  const behind = audience === undefined && resource !== undefined ? profiles.serving(client?.id, undefined) : []
  const all = behind.length === 0 ? named : unique([...named, ...behind])
  return all.filter((profile) => isFor(profile, request))
}

/** Whether a profile passes every narrowing. */
const fits = ({ accepts, writer }: Profile, request: TokenRequest): boolean =>
  accepts.subject.types.includes(request.subject_token_type) &&
  (request.requested_token_type === undefined || writer.tokenType === request.requested_token_type) &&
  serves(accepts.targets, request) &&
  (request.actor_token === undefined) === (request.actor_token_type === undefined) &&
  (request.actor_token_type === undefined
    ? accepts.actor === undefined
    : accepts.actor?.types.includes(request.actor_token_type) === true)

function narrowed(request: TokenRequest, named: readonly Profile[], { all }: ProfileSet): Profile {
  const typed = narrow(
    named,
    takes(request.subject_token_type),
    all.some((other) => isFor(other, request) && takes(request.subject_token_type)(other))
      ? 'ERR_PROFILE_SUBJECT_TYPE'
      : 'ERR_REQUEST_TOKEN_TYPE',
    () => ({ parameter: 'subject_token_type', supported: unique(named.flatMap((p) => p.accepts.subject.types)) }),
  )
  const requested = narrow(
    typed,
    ({ writer }) => request.requested_token_type === undefined || writer.tokenType === request.requested_token_type,
    'ERR_PROFILE_REQUESTED_TYPE',
    () => ({ available: unique(typed.map((profile) => profile.writer.tokenType)) }),
  )
  const missing = untargeted(request, requested)
  const targeted = narrow(
    requested,
    ({ accepts }) => serves(accepts.targets, request),
    missing,
    () => (missing === 'ERR_REQUEST_MISSING' ? { parameter: 'audience' } : { profiles: namesOf(requested) }),
  )
  const [profile, another] = selectByActor(targeted, request)
  if (another) throw new DragomanError('ERR_PROFILE_AMBIGUOUS', { detail: { profiles: [profile.name, another.name] } })
  return profile
}

const takes =
  (type: TokenType) =>
  ({ accepts }: Profile): boolean =>
    accepts.subject.types.includes(type)

/** For a grant, who is to redeem it is a required parameter (draft-ietf-oauth-identity-chaining §2.3.1). */
function untargeted({ audience, resource }: TokenRequest, requested: readonly Profile[]): ErrorCode {
  if (audience.length + resource.length > 0) return 'ERR_PROFILE_TARGET'
  return requested.every(({ writer }) => writer.grant) ? 'ERR_REQUEST_MISSING' : 'ERR_PROFILE_TARGET_MISSING'
}

/**
 * What the request asks for as targets: audience and resource together (RFC 8693 §2.1), each once. Where a profile says
 * that `resource` is behind the target, it is none (draft-ietf-oauth-identity-assertion-authz-grant §4.3).
 */
export function targetsOf({ audience, resource }: TokenRequest, { resources }: Targets): readonly string[] {
  const also = resources === undefined ? resource : []
  return also.length === 0 && audience.length < 2 ? audience : unique([...audience, ...also])
}

/** The audience of the output for these targets. @throws `ERR_PROFILE_TARGET_COUNT` when the format takes only one */
export function audienceFor(profile: Profile, targets: readonly string[]): readonly string[] {
  const { allowed, fallback } = profile.accepts.targets
  // The default is what is asked for where nothing is, so it is translated like that.
  const asked = targets.length === 0 ? fallback : targets
  const audience = unique(asked.map((target) => allowed.get(target) ?? target))
  if (profile.writer.singleAudience && audience.length > 1) {
    throw new DragomanError('ERR_PROFILE_TARGET_COUNT', { detail: { expected: 'one target', actual: audience.length } })
  }
  return Object.freeze(audience)
}

/**
 * Of the audience, what the subject token may be used for, where its profile has a claim that says so
 * (draft-ietf-oauth-identity-assertion-authz-grant §4.4.1). Only a default is cut: what was asked for and is not named
 * refuses.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_TARGET`; `ERR_TOKEN_CLAIM` for a claim that names nothing
 */
export function audienceWithin(
  audience: readonly string[],
  { subject, request, profile }: Pick<Exchange, 'subject' | 'request' | 'profile'>,
): readonly string[] {
  const { limitedBy } = profile.accepts.subject
  const value = limitedBy === undefined ? undefined : subject.claims[limitedBy]
  if (limitedBy === undefined || value === undefined) return audience
  const { allowed } = profile.accepts.targets
  const named = new Set(textsIn(value, limitedBy).map((target) => allowed.get(target) ?? target))
  const within = audience.filter((target) => named.has(target))
  const asked = request.audience.length + request.resource.length > 0
  if (within.length === 0 || (asked && within.length < audience.length)) {
    throw new DragomanError('ERR_PROFILE_TARGET', {
      detail: { expected: `targets that ${limitedBy} of the token names` },
    })
  }
  return Object.freeze(within)
}

function textsIn(value: Value, claim: string): readonly string[] {
  const list = isList(value) ? value : [value]
  if (list.every((item) => typeof item === 'string')) return list
  throw new DragomanError('ERR_TOKEN_CLAIM', { detail: { claim, expected: 'text, or a list of text' } })
}

function selectByActor(profiles: readonly Profile[], request: TokenRequest): Candidates {
  const { actor_token: token, actor_token_type: type } = request
  if ((token === undefined) !== (type === undefined)) throw new DragomanError('ERR_REQUEST_ACTOR')
  if (type === undefined) {
    return narrow(
      profiles,
      ({ accepts }) => accepts.actor === undefined,
      'ERR_PROFILE_ACTOR_MISSING',
      () => ({
        expected: 'actor_token',
      }),
    )
  }
  const acting = narrow(
    profiles,
    ({ accepts }) => accepts.actor !== undefined,
    'ERR_PROFILE_ACTOR_REFUSED',
    () => ({
      profiles: namesOf(profiles),
    }),
  )
  return narrow(
    acting,
    ({ accepts }) => accepts.actor?.types.includes(type) === true,
    'ERR_REQUEST_TOKEN_TYPE',
    () => ({
      parameter: 'actor_token_type',
      supported: unique(acting.flatMap((profile) => profile.accepts.actor?.types ?? [])),
    }),
  )
}

function serves(accepted: Targets, request: TokenRequest): boolean {
  const { allowed, fallback, open, resources } = accepted
  if (resources !== undefined && !request.resource.every((resource) => resources.has(resource))) return false
  const targets = targetsOf(request, accepted)
  return targets.length === 0 ? fallback.length > 0 : targets.every((target) => open || allowed.has(target))
}

type Candidates = readonly [Profile, ...Profile[]]

function narrow(
  profiles: readonly Profile[],
  keep: (profile: Profile) => boolean,
  code: ErrorCode,
  detail: () => { readonly [name: string]: unknown },
): Candidates {
  const [first, ...rest] = profiles.filter(keep)
  if (first === undefined) throw new DragomanError(code, { detail: detail() })
  return [first, ...rest]
}

// A record is to be read; that of a client with very many profiles tells some of them.
const MAX_NAMES = 20

const namesOf = (profiles: readonly Profile[]): readonly string[] =>
  profiles.slice(0, MAX_NAMES).map(({ name }) => name)

const unique = <T>(values: readonly T[]): readonly T[] => [...new Set(values)]
