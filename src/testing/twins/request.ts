import { NEIGHBOUR } from '../configuration.ts'
import { writerOf } from '../issue.ts'
import { formatOf, type Maker, type Part, partsOf, type Seed, withAudience } from './twin.ts'

/** Who asks, for what, on whose behalf. */
export const requestTwins: readonly Maker[] = [
  ({ ask, stand }) => {
    const twin = { name: 'no_client', of: '' } as const
    if (ask.client === undefined) return [{ ...twin, reason: 'the subject token stands for the client' }]
    if (stand.profile.accepts.subjectTokenAuthenticates) {
      return [{ ...twin, reason: 'the profile takes requests without client authentication' }]
    }
    return [{ ...twin, ask: { ...ask, client: undefined } }]
  },
  ({ ask }) => [{ name: 'other_client', of: '', ask: { ...ask, client: NEIGHBOUR.client } }],
  (seed) => {
    const twin = { name: 'wrong_target', of: '' } as const
    const [part] = partsOf(seed)
    if (part === undefined || seed.stand.profile.accepts.targets.open) {
      return [{ ...twin, reason: 'danger_any_target: any target may be asked for' }]
    }
    // The token itself is for that target too, so that the profile alone stands between.
    const ask = forOneOnly(part, seed) ? seed.ask : withAudience(seed.ask, part, NEIGHBOUR.target)
    return [{ ...twin, ask: { ...ask, audience: [NEIGHBOUR.target], resource: [] } }]
  },
  ({ ask, stand }) => {
    const twin = { name: 'no_actor', of: '' } as const
    if (stand.profile.accepts.actor === undefined) return [{ ...twin, reason: 'the profile takes no actor token' }]
    return [{ ...twin, ask: { ...ask, actor: undefined } }]
  },
  ({ ask, stand }) => {
    const twin = { name: 'unasked_actor', of: '' } as const
    if (stand.profile.accepts.actor !== undefined) return [{ ...twin, reason: 'the profile takes an actor token' }]
    return [{ ...twin, ask: { ...ask, actor: ask.subject } }]
  },
]

/** Whether a token of its kind has one audience, or none. */
function forOneOnly(part: Part, { stand }: Seed): boolean {
  const format = formatOf(part)
  const kind = part.token.kind ?? part.accepts.kind
  return (
    format === 'x509' ||
    writerOf(stand.workshop.catalog.codecs, { format, ...(kind && { kind }) }, undefined).singleAudience
  )
}
