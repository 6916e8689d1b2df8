import type { TraceEntry } from '../core/audit.ts'
import { DragomanError, errorHeard, errors } from '../core/errors.ts'
import type { Services, TokenRequest } from '../core/exchange.ts'
import type { Place } from '../core/place.ts'
import type { Profile } from '../core/profile.ts'
import type { Candidate, Rehearsal } from '../core/rehearsal.ts'
import type { Envelope } from '../core/token.ts'
import type { ConfigurationPlaces, Found, Hint, Words } from './found.ts'
import { outputOf } from './output.ts'
import { wordsFor } from './rules/index.ts'
import type { Explanation, NotChosen, Refusal, Step, Told } from './types.ts'

/** What an explanation is made of beside the rehearsal. */
export interface Explained {
  /** `undefined`: it could not be read. */
  readonly request: TokenRequest | undefined
  /** Whom the request says that it is from, before that is believed. */
  readonly clientId?: string | undefined
  readonly services: Services
  /** Seconds: the moment that it was judged by. */
  readonly now: number
  /** Absent: the configuration was not read from a file. */
  readonly configuration?: ConfigurationPlaces | undefined
  readonly notes?: readonly string[] | undefined
  /** It is about a reason code, and about no exchange. */
  readonly byItself?: boolean
}

/**
 * A rehearsal told to a person: the rule that refused and where it stands, what was expected, what was found where that may
 * be said, what would make it pass; of a request that passes, what would be issued.
 *
 * Holds no token, key, secret and no value of a claim but issuer, audience, scope, times, types and thumbprints.
 */
export function explain(rehearsal: Rehearsal, explained: Explained): Explanation {
  const { error, profile, client, trace, draft, ledger, candidates } = rehearsal
  const { services, now, request, notes = [] } = explained
  const chosen = profile?.name
  return {
    version: 1,
    result: error === undefined ? 'would_pass' : 'refused',
    time: new Date(now * 1000).toISOString(),
    tenant: services.tenant,
    client: client && {
      // Where the subject token stands for the client, its id is a claim.
      id: client.method === 'subject_token' ? 'the subject' : client.id,
      method: client.method,
    },
    profile: profile && { name: profile.name, digest: profile.digest, place: profile.origin?.place('name') },
    refusal: error && refusalOf(error, rehearsal, explained),
    steps: trace.map((entry) => stepOf(entry, profile)),
    not_chosen: candidates
      .filter(({ profile: { name }, misfits }) => name !== chosen && misfits.length > 0)
      .toSorted((left, right) => nearness(right) - nearness(left))
      .flatMap((candidate) => notChosen(candidate, rehearsal, explained)),
    output: error === undefined && draft && profile ? outputOf(draft, profile, services, now) : undefined,
    ledger,
    notes: [
      ...notes,
      ...(rehearsal.usesKnown || request === undefined
        ? []
        : ['whether a token was used before cannot be asked of this store without claiming it']),
    ],
  }
}

/** How far a profile came: what fails late fails near. */
const ORDER = [
  'ERR_CLIENT_MISSING',
  'ERR_PROFILE_NONE',
  'ERR_REQUEST_TOKEN_TYPE',
  'ERR_PROFILE_REQUESTED_TYPE',
  'ERR_PROFILE_TARGET',
  'ERR_PROFILE_TARGET_MISSING',
  'ERR_PROFILE_ACTOR_MISSING',
  'ERR_PROFILE_ACTOR_REFUSED',
]
const nearness = ({ misfits }: Candidate): number => {
  const furthest = Math.max(-1, ...misfits.map(({ code }) => ORDER.indexOf(code)))
  // Two reasons are further away than one.
  return furthest - (misfits.length - 1) * ORDER.length
}

function refusalOf(error: DragomanError, rehearsal: Rehearsal, explained: Explained): Refusal {
  const entry = rehearsal.trace.find(({ outcome }) => outcome === 'refused')
  const near = nearestTo(error, rehearsal)
  const found = foundOf(error, rehearsal, explained, {
    near,
    profile: rehearsal.profile,
    step: entry?.step ?? (explained.byItself === true ? 'no step in particular' : 'read'),
    stage: entry?.path,
  })
  const { description, cause } = errors[error.code]
  const { request, services } = explained
  const grant = services.grants.find(({ type }) => type === request?.grant_type)
  return {
    code: error.code,
    error: errorHeard(error.code, grant),
    description,
    step: found.step,
    cause,
    ...toldBy(wordsFor(found, explained.byItself), found),
  }
}

/** The profiles that a refusal is about: the selected one, or those that came as far as the rule that refused. */
function nearestTo({ code }: DragomanError, { profile, candidates }: Rehearsal): readonly Profile[] {
  if (profile !== undefined) return [profile]
  if (code === 'ERR_PROFILE_AMBIGUOUS') return profilesOf(candidates.filter(({ misfits }) => misfits.length === 0))
  const only = candidates.filter(({ misfits: [first, another] }) => first?.code === code && another === undefined)
  return profilesOf(only.length > 0 ? only : candidates.filter(({ misfits }) => misfits[0]?.code === code))
}

const profilesOf = (candidates: readonly Candidate[]): readonly Profile[] => candidates.map(({ profile }) => profile)

function notChosen({ profile, misfits }: Candidate, rehearsal: Rehearsal, explained: Explained): readonly NotChosen[] {
  return misfits.map((misfit) => {
    const at = { near: [profile], profile, step: 'select', stage: undefined }
    const found = foundOf(misfit, rehearsal, explained, at)
    return { profile: profile.name, code: misfit.code, ...toldBy(wordsFor(found), found) }
  })
}

type Where = Pick<Found, 'near' | 'profile' | 'step' | 'stage'>

function foundOf({ code, detail }: DragomanError, rehearsal: Rehearsal, explained: Explained, where: Where): Found {
  const { request, clientId, services, now, configuration } = explained
  const role = where.step === 'verify actor' || detail['role'] === 'actor' ? 'actor' : 'subject'
  return {
    ...where,
    code,
    detail,
    role,
    services,
    request,
    clientId: rehearsal.client?.id ?? clientId,
    token: rehearsal.signed.get(role),
    hint: request && hintOf(request, role, services),
    proofs: rehearsal.proofs,
    now,
    configuration,
  }
}

/** What a token says of its signer, for the words about whom it is from; nothing is decided by it. */
function hintOf(request: TokenRequest, role: 'subject' | 'actor', { codecs }: Services): Hint | undefined {
  const raw = role === 'actor' ? request.actor_token : request.subject_token
  const type = role === 'actor' ? request.actor_token_type : request.subject_token_type
  if (raw === undefined || type === undefined) return undefined
  const envelope: Envelope = { raw, type, role }
  try {
    const codec = codecs.find(({ tokenTypes }) => tokenTypes.includes(type))
    const unverified = codec?.parse(envelope)
    return (
      unverified && {
        issuer: unverified.issuer,
        kid: unverified.hint.kid,
        algorithm: unverified.hint.algorithm?.name,
      }
    )
  } catch (error) {
    if (error instanceof DragomanError) return undefined
    throw error
  }
}

function toldBy({ path, place, expected, found, remedies }: Words, { profile, near }: Found): Told {
  const origin = (profile ?? near[0])?.origin
  return { place: place ?? (path === undefined ? undefined : origin?.place(path)), expected, found, remedies }
}

function stepOf({ step, outcome, path, changed }: TraceEntry, profile: Profile | undefined): Step {
  const place: Place | undefined = path === undefined ? undefined : profile?.origin?.place(path)
  return { step, outcome, place, changed: changed && changed.length > 0 ? changed : undefined }
}
