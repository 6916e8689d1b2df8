import type { Hit, LintRule } from '../finding.ts'
import { entriesNamed, profilesIn, takenBy } from '../roles.ts'

/** Rules about keys that tokens are bound to, and actors. */
export const constraintRules: readonly LintRule[] = [
  {
    id: 'LINT-404',
    name: 'presented-by-audience',
    finds: 'A token that is bound to a key is taken from somebody who does not have the key.',
    why: 'Every service that receives such a token can exchange it, and what it gets is bound to no key of its own.',
    cure: 'Add `sender_constraint: { rebind: client }`, so that the output is bound to whoever brings it; or take it from its holder only.',
    look: (reading) =>
      profilesIn(reading).flatMap((one) => {
        const rebinds = entriesNamed(one, 'sender_constraint').some(
          ({ options, always }) => always && options['rebind'] === 'client',
        )
        if (rebinds) return []
        return takenBy(one)
          .filter(({ accepts }) => accepts.presentedBy === 'audience')
          .map(({ path, role }) => ({
            source: one.source,
            path: [...path, 'presented_by'],
            says: `a bound ${role} token is taken without its key`,
          }))
      }),
  },
  {
    id: 'LINT-405',
    name: 'conditional-constraint',
    finds: 'The output must be bound to a key, but only when an expression is true.',
    why: 'Whoever can make the expression false, with a claim or a parameter, gets a bearer token.',
    cure: 'Take `when` out; or make two profiles, with targets of their own.',
    look: (reading) =>
      profilesIn(reading).flatMap((one): readonly Hit[] =>
        entriesNamed(one, 'sender_constraint')
          .filter(({ options, always }) => !always && (options['require'] === true || options['rebind'] !== undefined))
          .map(({ path }) => ({
            source: one.source,
            path: [...path.slice(0, 2), 'when'],
            says: 'without this the output is bound to no key',
          })),
      ),
  },
]
