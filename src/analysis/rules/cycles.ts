import type { Path } from '../../profiles/problem.ts'
import type { Hit } from '../finding.ts'
import type { Reading, ReadProfile, ReadTenant } from '../reading.ts'
import { entriesNamed, profilesIn } from '../roles.ts'

type Node = ReadProfile & { readonly tenant: ReadTenant }

/**
 * Where a token can be renewed for ever: a way from a profile back to itself, over what is issued and taken again by
 * issuer, format, kind and audience, on which some profile issues more life than it was given.
 *
 * Told at the profile that lengthens, where it takes the token back. A way that adds an actor each time ends after eight
 * rounds and is not told. Clients make no difference: two of them can work together.
 */
export function cyclesIn(reading: Reading): readonly Hit[] {
  const nodes = profilesIn(reading)
  return nodes
    .filter((node) => node.profile.dangers.has('danger_outlive_subject'))
    .flatMap((node): readonly Hit[] => {
      const way = wayBack(node, nodes)
      const last = way?.at(-1)
      const path = last && takenAt(node, last)
      if (way === undefined || path === undefined) return []
      if (way.some(growsChain)) return []
      const names = [...way, node].map(({ profile }) => profile.name).join(' → ')
      return [{ source: node.source, path, says: `can be renewed for ever: ${names}` }]
    })
}

/** The shortest way from a node to itself, the node first; of a profile that takes its own output, the node alone. */
function wayBack(start: Node, nodes: readonly Node[]): readonly Node[] | undefined {
  const seen = new Set<Node>()
  let ways: readonly (readonly [Node, ...Node[]])[] = [[start]]
  while (ways.length > 0) {
    const next: (readonly [Node, ...Node[]])[] = []
    for (const way of ways) {
      const last = way.at(-1) ?? start
      if (takenAt(start, last) !== undefined) return way
      for (const node of nodes) {
        if (seen.has(node) || takenAt(node, last) === undefined) continue
        seen.add(node)
        next.push([...way, node])
      }
    }
    ways = next
  }
  return undefined
}

/** Where a profile takes as its subject token what another issues; `undefined`: it does not. */
function takenAt(taker: Node, giver: Node): Path | undefined {
  const { subject } = taker.profile.accepts
  const { rendering, accepts } = giver.profile
  const at = subject.issuers.indexOf(giver.tenant.issuer)
  if (at === -1 || subject.format !== rendering.format) return undefined
  if (plainKind(subject.kind) !== plainKind(rendering.kind)) return undefined
  const { allowed, fallback, open } = accepts.targets
  const audiences = [...allowed.values(), ...fallback.map((target) => allowed.get(target) ?? target)]
  const meant = subject.audience.length === 0 || open || audiences.some((value) => subject.audience.includes(value))
  return meant ? ['accept', 'subject', 'issuers', at] : undefined
}

// `jwt`, `cwt` and `client` are what a token is that says nothing of its kind.
const PLAIN: ReadonlySet<string | undefined> = new Set(['jwt', 'cwt', 'client', undefined])
const plainKind = (kind: string | undefined): string => (PLAIN.has(kind) ? '' : String(kind))

function growsChain(node: Node): boolean {
  const adds =
    entriesNamed(node, 'subject').some(({ options, always }) => always && options['actor'] !== undefined) ||
    entriesNamed(node, 'embedding').some(({ options: { act }, always }) => {
      const from = typeof act === 'object' && act !== null && 'from' in act ? act.from : 'keep'
      return always && from !== 'keep'
    })
  return adds && !node.profile.dangers.has('danger_drop_act')
}
