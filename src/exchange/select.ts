import type { Client } from '../core/client.ts'
import type { ErrorCode } from '../core/errors.ts'
import { DragomanError } from '../core/errors.ts'
import type { TokenRequest } from '../core/exchange.ts'
import type { Profile, ProfileSet, Targets } from '../core/profile.ts'
import type { Verified } from '../core/token.ts'

/**
 * The one profile that serves this request.
 *
 * No profile, no translation. Where the endpoint has a profile of its own, it is that one. Narrows the client's profiles
 * by what was sent, in this order: token types, requested type, targets, presence of an actor token; the first narrowing
 * that leaves none is the reason of the refusal. Several left are refused too, since the order of files must not decide who
 * gets what.
 * Does NOT look into any token.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_*`, `ERR_REQUEST_TOKEN_TYPE`, `ERR_REQUEST_ACTOR`, `ERR_CLIENT_MISSING`
 */
export function select(request: TokenRequest, client: Verified<Client> | undefined, profiles: ProfileSet): Profile {
  const named = ofEndpoint(profiles.for(client?.id), request)
  if (named.length === 0) throw new DragomanError(client ? 'ERR_PROFILE_NONE' : 'ERR_CLIENT_MISSING')
  const targets = targetsOf(request)
  const found = ofEndpoint(profiles.serving(client?.id, targets[0]), request)
  // Whatever serves the request is among these; the others are looked at only to say why none of them does.
  return narrowed(request, targets, found.some((profile) => fits(profile, request, targets)) ? found : named)
}

/** Where the endpoint that was asked has a profile of its own, it is that one or none. */
const ofEndpoint = (profiles: readonly Profile[], { profile }: TokenRequest): readonly Profile[] =>
  profile === undefined ? profiles : profiles.filter(({ name }) => name === profile)

/** Whether a profile passes every narrowing. */
const fits = ({ accepts, writer }: Profile, request: TokenRequest, targets: readonly string[]): boolean =>
  accepts.subject.types.includes(request.subject_token_type) &&
  (request.requested_token_type === undefined || writer.tokenType === request.requested_token_type) &&
  serves(accepts.targets, targets) &&
  (request.actor_token_type === undefined
    ? accepts.actor === undefined
    : accepts.actor?.types.includes(request.actor_token_type) === true)

function narrowed(request: TokenRequest, targets: readonly string[], named: readonly Profile[]): Profile {
  const typed = narrow(
    named,
    (profile) => profile.accepts.subject.types.includes(request.subject_token_type),
    'ERR_REQUEST_TOKEN_TYPE',
    () => ({ parameter: 'subject_token_type', supported: unique(named.flatMap((p) => p.accepts.subject.types)) }),
  )
  const requested = narrow(
    typed,
    ({ writer }) => request.requested_token_type === undefined || writer.tokenType === request.requested_token_type,
    'ERR_PROFILE_REQUESTED_TYPE',
    () => ({ available: unique(typed.map((profile) => profile.writer.tokenType)) }),
  )
  const targeted = narrow(
    requested,
    ({ accepts }) => serves(accepts.targets, targets),
    targets.length === 0 ? 'ERR_PROFILE_TARGET_MISSING' : 'ERR_PROFILE_TARGET',
    () => ({ profiles: namesOf(requested) }),
  )
  const [profile, another] = selectByActor(targeted, request)
  if (another) throw new DragomanError('ERR_PROFILE_AMBIGUOUS', { detail: { profiles: [profile.name, another.name] } })
  return profile
}

/** What the request asks for as targets: audience and resource together (RFC 8693 §2.1), each once. */
export const targetsOf = (request: TokenRequest): readonly string[] =>
  request.resource.length === 0 && request.audience.length < 2
    ? request.audience
    : unique([...request.audience, ...request.resource])

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

const serves = ({ allowed, fallback, open }: Targets, targets: readonly string[]): boolean =>
  targets.length === 0 ? fallback.length > 0 : targets.every((target) => open || allowed.has(target))

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
