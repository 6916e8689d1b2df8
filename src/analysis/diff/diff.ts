import type { Source } from '../../profiles/source.ts'
import { analysisTools, type Reading, type ReadProfile, type ReadTenant, readForAnalysis } from '../reading.ts'
import { accessChanges, assertComparable, audienceChanges, type Pair } from './access.ts'
import { tenantFacts } from './configuration-facts.ts'
import { type Change, changeAt, compareFacts, type Fact, list } from './fact.ts'
import { profileFacts } from './profile-facts.ts'

/**
 * What can be had under the second reading that could not under the first, and the reverse, in sentences.
 *
 * Compares what is loaded, not the text: an order, a name of a file or of a profile, a comment, a default that is written
 * out are no difference. What has no sentence of its own is told as being otherwise, and counts as a gain.
 *
 * @throws {@link DragomanError} for a side that cannot be loaded, or where a configuration is compared with profiles
 */
export async function diff(before: string, now: string, tools = analysisTools()): Promise<readonly Change[]> {
  const [old, later] = [await readForAnalysis(before, tools), await readForAnalysis(now, tools)]
  assertComparable(old.tenants, later.tenants)
  const several = old.tenants.length > 1 || later.tenants.length > 1
  const changes = tenantPairs(old, later).flatMap(([was, is]) => {
    const told = tenantChanges(was, is, old.source, later.source)
    return several ? told.map((change) => ofTenant(change, (is ?? was)?.name ?? '')) : told
  })
  return [...changes, ...processChanges(old, later)]
}

type Side = ReadTenant | undefined

/** By name; where each side has one, those. */
function tenantPairs(old: Reading, later: Reading): readonly (readonly [Side, Side])[] {
  const [only, another] = old.tenants
  const [one, second] = later.tenants
  if (another === undefined && second === undefined) return [[only, one]]
  const names = new Set([...old.tenants, ...later.tenants].map(({ name }) => name))
  return [...names].map((name) => [
    old.tenants.find((tenant) => tenant.name === name),
    later.tenants.find((tenant) => tenant.name === name),
  ])
}

/** The sentence with whose it is: the same can come at one tenant and go at another. Its place stays its end. */
function ofTenant(change: Change, tenant: string): Change {
  const place = ` (${change.file}:${change.line})`
  const says = change.says.endsWith(place) ? change.says.slice(0, -place.length) : change.says
  return { ...change, says: `${says}, at tenant ${tenant}${says === change.says ? '' : place}` }
}

function tenantChanges(was: Side, is: Side, before: Source | undefined, now: Source | undefined): readonly Change[] {
  const { changes, pairs, fresh } = accessChanges(was, is)
  const entries =
    was?.entry && is?.entry && before && now
      ? compareFacts(
          { source: before, facts: tenantFacts(was.entry, was.base) },
          { source: now, facts: tenantFacts(is.entry, is.base) },
          '',
        )
      : []
  return [
    ...changes,
    ...fresh.flatMap(freshDangers),
    ...pairs.flatMap((pair) => pairChanges(pair, was, is)),
    ...entries,
  ]
}

function pairChanges(pair: Pair, was: Side, is: Side): readonly Change[] {
  const { before, now } = pair
  const [name, other] = [before.profile.name, now.profile.name]
  const where = ` under profile ${other}${name === other ? '' : ` (was ${name})`}`
  const [old, later] = [profileFacts(before, was?.issuer ?? ''), profileFacts(now, is?.issuer ?? '')]
  // Where both list scopes, what is in the lists says it all.
  const listed = [old, later].every((facts) =>
    facts.some((fact) => fact.key === 'scope' && fact.kind === 'choice' && fact.values),
  )
  const some = (facts: readonly Fact[]) => (listed ? facts.filter(({ key }) => !key.includes('unscoped ')) : facts)
  return [
    ...issuerChanges(pair, was, is, where),
    ...audienceChanges(pair, where),
    ...compareFacts({ source: before.source, facts: some(old) }, { source: now.source, facts: some(later) }, where),
  ]
}

function issuerChanges({ before, now }: Pair, was: Side, is: Side, where: string): readonly Change[] {
  return (['subject', 'actor'] as const).flatMap((role) => {
    const [old, later] = [before.profile.accepts[role]?.issuers ?? [], now.profile.accepts[role]?.issuers ?? []]
    const tell = (one: ReadProfile, tenant: Side, issuer: string, gained: boolean): Change => {
      const at = one.profile.accepts[role]?.issuers.indexOf(issuer) ?? 0
      const subjects = tenant?.entry?.issuers?.find((trusted) => trusted.issuer === issuer)?.subjects
      const whom = subjects === undefined ? '' : ` for subjects ${list(subjects)}`
      const called = issuer === tenant?.issuer ? 'this gateway itself' : `issuer ${issuer}`
      const says = `${called} is ${gained ? 'now' : 'no longer'} trusted${whom} as issuer of the ${role} token${where}`
      return changeAt(one.source, ['accept', role, 'issuers', at], gained ? 'gained' : 'lost', says)
    }
    // The gateway's own issuer may have another name by now, and is the same.
    const own = (issuers: readonly string[], tenant: Side) =>
      issuers.map((one) => (one === tenant?.issuer ? 'self' : one))
    const [oldNames, laterNames] = [own(old, was), own(later, is)]
    return [
      ...later.filter((_, at) => !oldNames.includes(laterNames[at] ?? '')).map((issuer) => tell(now, is, issuer, true)),
      ...old
        .filter((_, at) => !laterNames.includes(oldNames[at] ?? ''))
        .map((issuer) => tell(before, was, issuer, false)),
    ]
  })
}

/** Of a profile that is new, who can get what is told; and what it gives up. */
const freshDangers = (one: ReadProfile): readonly Change[] => {
  const facts = profileFacts(one, '').filter(({ key }) => key.startsWith('danger_'))
  const nothing = { source: one.source, facts: [] }
  return compareFacts(nothing, { source: one.source, facts }, ` under profile ${one.profile.name}`)
}

function processChanges(old: Reading, later: Reading): readonly Change[] {
  const { source } = later
  const differ = (member: 'listeners' | 'tracing') =>
    JSON.stringify(old.configuration?.[member]) !== JSON.stringify(later.configuration?.[member])
  return [
    ...(source && differ('listeners')
      ? [changeAt(source, ['listeners'], 'both', 'the gateway listens elsewhere, or otherwise')]
      : []),
    ...(source && differ('tracing') ? [changeAt(source, ['tracing'], 'other', 'spans are sent elsewhere')] : []),
  ]
}
