import type { Path } from '../../profiles/problem.ts'
import type { Source } from '../../profiles/source.ts'

/**
 * One thing that is so, under a key that is the same in both readings.
 *
 * `gives`: with it somebody can have more. `takes`: with it less. `is`: who has more by another value cannot be told.
 * `writes`: nobody has more by it. `demand`: with it less, and with fewer ways to meet it less again. `most`: a number of
 * which more is more; absent, there is no limit. `choice`: a list of which more is more; absent, everything.
 */
export type Fact = {
  readonly key: string
  readonly path: Path
  /** What it is a fact of, where that can come and go: `client orders`. Then it is compared only where both have it. */
  readonly owner?: string
} & (
  | { readonly kind: 'gives' | 'takes'; readonly has: string; readonly gone: string }
  | {
      readonly kind: 'demand'
      /** Only demands of one group can take each other's place. */
      readonly group: string
      /** One is enough. */
      readonly ways: readonly string[]
      readonly text: string
      readonly when: string
    }
  | {
      readonly kind: 'is' | 'writes'
      readonly what: string
      readonly value: string
      readonly shown?: string
      /** Told only where both have it. */
      readonly paired?: boolean
    }
  | {
      readonly kind: 'most'
      readonly says: (now: string, before: string) => string
      readonly value: number | undefined
      readonly unit: string
    }
  | {
      readonly kind: 'choice'
      readonly values: readonly string[] | undefined
      /** What is so for each value that came, and for each that went. */
      readonly has: (values: string) => string
      readonly gone: (values: string) => string
      readonly all: string
    }
)

/**
 * Who gains. `gained`: something can be had that could not before. `lost`: the reverse. `both`: it is decided otherwise, so
 * that somebody may gain. `other`: nobody does.
 */
export type Direction = 'gained' | 'lost' | 'both' | 'other'

/** One difference, in words. */
export interface Change {
  readonly direction: Direction
  readonly says: string
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Facts of one thing, and the file they are in. */
export interface Facts {
  readonly source: Source
  readonly facts: readonly Fact[]
}

/** What differs between the facts of one thing then and now; `where` ends each sentence. */
export function compareFacts(before: Facts, now: Facts, where: string): readonly Change[] {
  const old = new Map(before.facts.map((fact) => [fact.key, fact]))
  const later = new Map(now.facts.map((fact) => [fact.key, fact]))
  const [owners, ownersNow] = [before, now].map(({ facts }) => new Set(facts.map(({ owner }) => owner)))
  const inBoth = ({ owner }: Fact) => owner === undefined || (owners?.has(owner) && ownersNow?.has(owner))
  const replaced = replacedDemands(before, now)
  const settled = new Set<Fact>(replaced.flat())
  const changes: Change[] = replaced.map(([was, is]) => demandChange(was, is, now.source, where))
  for (const fact of now.facts.filter(inBoth)) {
    if (!settled.has(fact)) changes.push(...changed(old.get(fact.key), fact, before, now, where))
  }
  for (const fact of before.facts.filter(inBoth)) {
    if (!later.has(fact.key) && !settled.has(fact)) changes.push(...changed(fact, undefined, before, now, where))
  }
  return changes
}

type Demand = Extract<Fact, { kind: 'demand' }>

/** Demands that came in the place of one that went, and have all of its ways to be met and more, or only some of them. */
function replacedDemands(before: Facts, now: Facts): readonly (readonly [was: Demand, is: Demand])[] {
  const without = ({ facts }: Facts, other: Facts) =>
    facts.filter((fact) => fact.kind === 'demand').filter(({ key }) => !other.facts.some((one) => one.key === key))
  const went = without(before, now)
  const within = (few: readonly string[], many: readonly string[]) => few.every((way) => many.includes(way))
  return without(now, before).flatMap((is) => {
    const at = went.findIndex(
      (was) => was.group === is.group && (within(was.ways, is.ways) || within(is.ways, was.ways)),
    )
    return at === -1 ? [] : went.splice(at, 1).map((was) => [was, is] as const)
  })
}

const demandChange = (was: Demand, is: Demand, source: Source, where: string): Change =>
  was.ways.length < is.ways.length
    ? changeAt(source, is.path, 'gained', `it is now enough that \`${is.text}\`${is.when}, was \`${was.text}\`${where}`)
    : changeAt(
        source,
        is.path,
        'lost',
        `the condition \`${is.text}\` must now hold${is.when}, was \`${was.text}\`${where}`,
      )

/** A sentence with its place. */
export function changeAt(source: Source, path: Path, direction: Direction, says: string): Change {
  const { file, line, column } = source.place({ path, message: '' })
  return { direction, says, file, line, column }
}

function changed(
  old: Fact | undefined,
  now: Fact | undefined,
  before: Facts,
  later: Facts,
  where: string,
): readonly Change[] {
  const fact = now ?? old
  if (fact === undefined) return []
  const source = now === undefined ? before.source : later.source
  const tell = (direction: Direction, says: string): Change => changeAt(source, fact.path, direction, `${says}${where}`)
  switch (fact.kind) {
    case 'gives':
    case 'takes': {
      if (old !== undefined && now !== undefined) return []
      const more = (now !== undefined) === (fact.kind === 'gives')
      return [tell(more ? 'gained' : 'lost', now === undefined ? fact.gone : fact.has)]
    }
    case 'demand':
      if (old !== undefined && now !== undefined) return []
      return [
        now === undefined
          ? tell('gained', `the condition \`${fact.text}\` need no longer hold${fact.when}`)
          : tell('lost', `the condition \`${fact.text}\` must now hold${fact.when}`),
      ]
    case 'is':
    case 'writes': {
      const [was, is] = [sameKind(old, fact), sameKind(now, fact)]
      if (was?.value === is?.value) return []
      if (fact.paired === true && (was === undefined || is === undefined)) return []
      const shown = (one: typeof was) => (one === undefined ? 'left as it is' : (one.shown ?? one.value))
      const says = `${fact.what} is now ${shown(is)}, was ${shown(was)}`
      return [tell(fact.kind === 'is' ? 'both' : 'other', says)]
    }
    case 'most': {
      const [was, is] = [sameKind(old, fact)?.value ?? Infinity, sameKind(now, fact)?.value ?? Infinity]
      if (was === is) return []
      const words = (value: number) => (value === Infinity ? 'without limit' : `${value}${fact.unit}`)
      return [tell(is > was ? 'gained' : 'lost', fact.says(words(is), words(was).replace(fact.unit, '')))]
    }
    case 'choice':
      return chosen(sameKind(old, fact), sameKind(now, fact), fact, tell)
  }
}

const sameKind = <K extends Fact['kind']>(fact: Fact | undefined, { kind }: { readonly kind: K }) =>
  fact?.kind === kind ? (fact as Extract<Fact, { kind: K }>) : undefined

type Choice = Extract<Fact, { kind: 'choice' }>

function chosen(
  old: Choice | undefined,
  now: Choice | undefined,
  { has, gone, all }: Choice,
  tell: (direction: Direction, says: string) => Change,
): readonly Change[] {
  const was = old === undefined ? [] : old.values
  const is = now === undefined ? [] : now.values
  if (was === undefined && is === undefined) return []
  if (is === undefined) return [tell('gained', `${has(all)}, not only ${list(was ?? [])}`)]
  if (was === undefined) return [tell('lost', gone(is.length === 0 ? all : `${all} but ${list(is)}`))]
  const [came, went] = [is.filter((value) => !was.includes(value)), was.filter((value) => !is.includes(value))]
  return [
    ...(came.length > 0 ? [tell('gained', has(list(came)))] : []),
    ...(went.length > 0 ? [tell('lost', gone(list(went)))] : []),
  ]
}

/** `a, b and c`. */
export function list(values: readonly string[]): string {
  const last = values.at(-1)
  if (last === undefined) return 'nothing'
  return values.length === 1 ? last : `${values.slice(0, -1).join(', ')} and ${last}`
}
