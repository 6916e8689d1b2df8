import { MAX_LIFETIME_DEFAULT } from '../../profiles/schema.ts'
import type { Hit, LintRule } from '../finding.ts'
import type { ReadProfile } from '../reading.ts'
import { entriesNamed, profilesIn, takenBy } from '../roles.ts'
import { cyclesIn } from './cycles.ts'

/** Seconds: what is issued cannot be called back, so that an hour is how long a stolen token works. */
export const LONG_LIFE = MAX_LIFETIME_DEFAULT

/** Rules about how long things last, and how often they can be used. */
export const lifeRules: readonly LintRule[] = [
  {
    id: 'LINT-303',
    name: 'long-life',
    finds: `Tokens may live longer than ${LONG_LIFE} seconds.`,
    why: 'Nothing that is issued can be called back: a token that is stolen works until it expires.',
    cure: 'Set `validity.lifetime` to minutes, and leave `max_lifetime` out.',
    look: (reading) =>
      profilesIn(reading).flatMap((one): readonly Hit[] => {
        const most = longestLife(one)
        if (most <= LONG_LIFE) return []
        return [{ source: one.source, path: ['max_lifetime'], says: `what is issued may live ${most} seconds` }]
      }),
  },
  {
    id: 'LINT-304',
    name: 'replay',
    finds: 'A bearer token can be exchanged again and again, under a profile with a `danger_` option.',
    why: 'What the option gives up can be had as often as a stolen token is presented, for as long as it is valid.',
    cure: 'Add `single_use: true`, or a short `max_age`, to the token that is taken; or take tokens bound to a key only.',
    look: (reading) =>
      profilesIn(reading).flatMap((one): readonly Hit[] => {
        if (one.profile.dangers.size === 0 || requiresKey(one)) return []
        return takenBy(one)
          .filter(({ role }) => role === 'subject')
          .filter(({ accepts }) => accepts.format !== 'x509' && !accepts.singleUse)
          .filter(({ accepts: { maxAge } }) => maxAge === undefined || maxAge > SHORT_AGE)
          .map(({ path }) => ({
            source: one.source,
            path,
            atName: true,
            says: `a bearer token is taken any number of times, with ${[...one.profile.dangers.keys()].join(', ')}`,
          }))
      }),
  },
  {
    id: 'LINT-305',
    name: 'refresh-cycle',
    finds: 'What is issued is taken again, by profiles that together lengthen its life.',
    why: 'Whoever has one token can renew it for ever: it never expires, whatever became of the user.',
    cure: 'Take `danger_outlive_subject` out of one of the profiles; or leave `self` out, or ask for another audience; or add an actor with each round, of which there are eight at most.',
    look: cyclesIn,
  },
]

/** Seconds since it was issued: a token that must be this new is hardly stolen yet. */
const SHORT_AGE = 300

/** Seconds that an output of this profile can live at most, as far as the profile decides. */
export function longestLife(one: ReadProfile): number {
  const said = entriesNamed(one, 'validity').flatMap(({ options: { lifetime }, always }) =>
    always && typeof lifetime === 'number' ? [lifetime] : [],
  )
  return Math.min(one.profile.maxLifetime, ...said)
}

/** A subject token that is bound to nothing is refused: only what came in bound, or was proved, goes out. */
const requiresKey = (one: ReadProfile): boolean =>
  entriesNamed(one, 'sender_constraint').some(({ options, always }) => always && options['require'] === true)
