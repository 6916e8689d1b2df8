import type { Hit, LintRule } from '../finding.ts'
import { membersOf, type ReadProfile } from '../reading.ts'
import { entriesNamed, profilesIn } from '../roles.ts'

/** Rules about scope that grows without a `danger_` option. */
export const wideningRules: readonly LintRule[] = [
  {
    id: 'LINT-203',
    name: 'widening-map',
    finds: 'A scope stands for another one of the same domain, by `scope.map`.',
    why: 'A map is for names that differ between two domains. Where both are names of the domain that the token comes from, whoever has the one gets the other too, which its issuer never granted.',
    cure: 'Let each name stand for its equals in the other domain; or grant more by `danger_widen_scope`, where it is seen.',
    look: (reading) =>
      profilesIn(reading).flatMap((one) =>
        entriesNamed(one, 'validity').flatMap(({ options, path }) =>
          widening(options['scope'], one, [...path, 'scope']),
        ),
      ),
  },
]

/** Names that are mapped from are names of the domain that the token comes from. */
function widening(scope: unknown, one: ReadProfile, path: Hit['path']): readonly Hit[] {
  const table = membersOf(membersOf(scope)['map'])
  return Object.entries(table).flatMap(([from, to]) => {
    const more = [to].flat().filter((name) => name !== from && Object.hasOwn(table, String(name)))
    const itself = Array.isArray(to) && to.length > 1 && to.includes(from)
    if (more.length === 0 && !itself) return []
    const says = itself
      ? `whoever has ${from} gets ${to.filter((name) => name !== from).join(' and ')} beside it`
      : `whoever has ${from} gets ${more.join(' and ')}, which is a scope that tokens have`
    return [{ source: one.source, path: [...path, 'map', from], atName: true, says }]
  })
}
