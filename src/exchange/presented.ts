import { DragomanError } from '../core/errors.ts'
import type { Exchange, TokenRequest } from '../core/exchange.ts'
import type { Draft } from '../core/token.ts'

/**
 * Refuses a draft in which a presented token stands, whole or with its signature: a client could have put it into what it
 * tells of its call (transaction tokens §13.4). Looked for where a client tells something, in every claim; in a transaction
 * token always, and in what is embedded too, which elsewhere is a stage's own doing.
 *
 * Does NOT find a token in another encoding.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_WIDER`
 */
export function assertCarriesNone({ claims, embedded }: Draft, { request, transaction, profile }: Exchange): void {
  const told = request.request_context !== undefined || request.request_details !== undefined
  if (transaction === undefined && !told) return
  const inside = transaction === undefined ? [] : embedded.map(({ value }) => value)
  const text = JSON.stringify([claims, inside])
  if (!presentedIn(request).some((one) => text.includes(one))) return
  throw new DragomanError('ERR_PROFILE_WIDER', {
    detail: {
      rule: 'presented',
      profile: profile.name,
      expected: 'no presented token, nor its signature, in any claim',
    },
  })
}

// A shorter text is no signature, and could stand anywhere by chance.
const MIN_SIGNATURE = 24

/** What would give a presented token away: its signature where it has one at its end, or else all of it. */
function presentedIn({ subject_token, actor_token, client_assertion }: TokenRequest): readonly string[] {
  return [subject_token, actor_token, client_assertion].flatMap((raw) => {
    if (raw === undefined) return []
    const signature = raw.slice(raw.lastIndexOf('.') + 1)
    if (signature.length >= MIN_SIGNATURE && /^[\w-]+$/.test(signature)) return [signature]
    return [JSON.stringify(raw.trim()).slice(1, -1)]
  })
}
