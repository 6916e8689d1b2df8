import type { Atom, Literal } from '../expressions/facts.ts'

/** What is asked of one value by several expressions that must all be true. */
export interface Asked extends Atom {
  /** Who asks it, in words, to name both sides of a contradiction. */
  readonly by: string
}

/**
 * The first of the atoms that no value can satisfy together with those before it, and one of those; `undefined`: they may
 * all be true. Knows equality, lists, beginnings, ends and numbers of one value each; what it does not know it takes to be
 * possible.
 */
export function contradiction(atoms: readonly Asked[]): { readonly atom: Asked; readonly other: Asked } | undefined {
  for (const [index, atom] of atoms.entries()) {
    for (const other of atoms.slice(0, index)) {
      if (other.path === atom.path && !together(other, atom)) return { atom, other }
    }
  }
  // Pair by pair they may agree, and leave nothing all the same.
  for (const [index, atom] of atoms.entries()) {
    const before = atoms.slice(0, index + 1).filter(({ path }) => path === atom.path)
    const [first] = before
    const listed = before.find(({ asks }) => asks.is === 'one of')
    if (first === undefined || listed?.asks.is !== 'one of') continue
    if (!listed.asks.values.some((value) => before.every((one) => satisfies(value, one)))) {
      return { atom, other: first === atom ? listed : first }
    }
  }
  return undefined
}

function together(one: Atom, other: Atom): boolean {
  const [left, right] = [one.asks, other.asks]
  if (left.is === 'one of') return left.values.some((value) => satisfies(value, other))
  if (right.is === 'one of') return right.values.some((value) => satisfies(value, one))
  if (left.is === 'begins' && right.is === 'begins') return oneStarts(left.text, right.text)
  if (left.is === 'ends' && right.is === 'ends') return left.text.endsWith(right.text) || right.text.endsWith(left.text)
  const [low, high] = [bounds(left), bounds(right)]
  if (low === undefined || high === undefined) return true
  const from = Math.max(low.from, high.from)
  const to = Math.min(low.to, high.to)
  const open = [low, high].some((bound) => (bound.from === from && bound.above) || (bound.to === to && bound.below))
  return open ? from < to : from <= to
}

const oneStarts = (left: string, right: string): boolean => left.startsWith(right) || right.startsWith(left)

function satisfies(value: Literal, { asks }: Atom): boolean {
  switch (asks.is) {
    case 'one of':
      return asks.values.includes(value)
    case 'none of':
      return !asks.values.includes(value)
    case 'begins':
      return typeof value === 'string' && value.startsWith(asks.text)
    case 'ends':
      return typeof value === 'string' && value.endsWith(asks.text)
    case 'holds':
      return true
    case 'at least':
      return typeof value === 'number' && value >= asks.number
    case 'at most':
      return typeof value === 'number' && value <= asks.number
    case 'above':
      return typeof value === 'number' && value > asks.number
    case 'below':
      return typeof value === 'number' && value < asks.number
  }
}

function bounds(asks: Atom['asks']) {
  switch (asks.is) {
    case 'at least':
      return { from: asks.number, to: Infinity, above: false, below: false }
    case 'above':
      return { from: asks.number, to: Infinity, above: true, below: false }
    case 'at most':
      return { from: -Infinity, to: asks.number, above: false, below: false }
    case 'below':
      return { from: -Infinity, to: asks.number, above: false, below: true }
    default:
      return undefined
  }
}
