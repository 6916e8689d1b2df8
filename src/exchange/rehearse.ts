import type { Client } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import type { Services, TokenRequest } from '../core/exchange.ts'
import type { Profile, ProfileSet } from '../core/profile.ts'
import type { Candidate, Rehearsal } from '../core/rehearsal.ts'
import type { ReplayStore } from '../core/stores.ts'
import type { Verified } from '../core/token.ts'
import { firstUse, type Translated, translate } from './exchange.ts'
import { select } from './select.ts'
import { startTrail, type Trail } from './trail.ts'
import { startUses } from './uses.ts'
import { asVerified } from './verified.ts'

/**
 * The same recipe as {@link exchangeToken}, up to the signature: what an exchange of this request would come to now.
 *
 * Issues nothing and spends nothing: no use is claimed, no token remembered, no record left, no key asked to sign. The one
 * thing that happens outside is that keys of issuers are fetched, where they would be. What it says holds for this moment:
 * a token that was not used yet may be by the time it is exchanged.
 */
export async function rehearse(request: TokenRequest, services: Services): Promise<Rehearsal> {
  const looking = withheld(services)
  const trail = startTrail(request, looking)
  let translated: Translated | undefined
  let error: DragomanError | undefined
  try {
    translated = await translate(request, looking, trail)
    await firstUse(translated, trail, startUses(looking))
  } catch (cause) {
    error = trail.refuse(cause)
  }
  return {
    ...seenOn(trail),
    error,
    candidates: candidatesFor(request, trail, services.profiles),
    toBeSigned: translated?.layout.toBeSigned.length,
    usesKnown: services.replay.claimed !== undefined,
  }
}

/** A request that could not be read, as a rehearsal. */
export function rehearseUnread(id: string, error: unknown, services: Services): Rehearsal {
  const trail = startTrail({ id }, withheld(services))
  const refusal = trail.refuse(error)
  return { ...seenOn(trail), error: refusal, candidates: [], toBeSigned: undefined, usesKnown: true }
}

const seenOn = ({ trace, client, profile, signed, proofs, draft, ledger }: Trail) => ({
  trace,
  client,
  profile,
  signed,
  proofs,
  draft,
  ledger,
})

function withheld(services: Services): Services {
  return {
    ...services,
    // Each token is verified anew: what was found a moment ago is no explanation.
    verified: undefined,
    observer: undefined,
    replay: looksOnly(services.replay),
    audit: { write() {}, healthy: () => services.audit.healthy?.() !== false },
  }
}

/** Knows what is claimed, and forgets what is claimed here. */
function looksOnly(replay: ReplayStore): ReplayStore {
  const here = new Set<string>()
  return {
    async claim(key, _, now) {
      if (here.has(key) || (await replay.claimed?.(key, now)) === true) return false
      here.add(key)
      return true
    },
  }
}

/** Each profile by itself, judged by the same rules that choose among them. */
function candidatesFor(request: TokenRequest, { client, step }: Trail, { all }: ProfileSet): readonly Candidate[] {
  if (step === 'read' || step === 'authenticate') return []
  // Who only comes to be known by the subject token is nobody when profiles are selected.
  const caller = client === undefined || client.method === 'subject_token' ? undefined : asVerified(client)
  return all.map((profile) => {
    const named =
      caller === undefined ? profile.accepts.subjectTokenAuthenticates : profile.accepts.clients.includes(caller.id)
    const misfits = named ? [] : [new DragomanError(caller ? 'ERR_PROFILE_NONE' : 'ERR_CLIENT_MISSING')]
    return { profile, misfits: [...misfits, ...misfitOf(request, caller, onlyOf(profile))] }
  })
}

const onlyOf = (profile: Profile): ProfileSet => ({ all: [profile], for: () => [profile], serving: () => [profile] })

function misfitOf(request: TokenRequest, caller: Verified<Client> | undefined, only: ProfileSet) {
  try {
    select(request, caller, only)
    return []
  } catch (error) {
    if (error instanceof DragomanError) return [error]
    throw error
  }
}
