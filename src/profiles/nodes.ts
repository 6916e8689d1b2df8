import { isMap, isPair, isScalar, isSeq, type Node, type Pair } from 'yaml'
import type { Range } from './excerpt.ts'
import type { Path } from './problem.ts'

/** Where the member or entry at a path stands in a document. */
export interface Found {
  readonly name: Range | undefined
  readonly value: Range | undefined
  /** Of what is missing: the nearest node above it. */
  readonly nearest: Range
}

/** Where a path leads; of what is not there, as far as it leads. */
export function nodeAt(root: Node | null, path: Path): Found {
  let node: unknown = root
  let nearest = rangeOf(root) ?? [0, 0]
  let name: Range | undefined
  for (const step of path) {
    const inside = memberOf(node, step)
    if (inside === undefined) return { name: undefined, value: undefined, nearest }
    name = rangeOf(inside.key)
    node = inside.value
    nearest = rangeOf(node) ?? name ?? nearest
  }
  return { name, value: rangeOf(node), nearest }
}

/** The range of the value at a path, where there is one. */
export function valueAt(root: Node | null, path: Path): readonly Range[] {
  const { value } = nodeAt(root, path)
  return value === undefined ? [] : [value]
}

/**
 * Where this character of the text at a path is in the file; `undefined`: it does not stand there as it is, because of
 * escapes or indentation. An expression may have a map of its own, beside its description.
 */
export function characterAt(root: Node | null, path: Path, text: string, character: number): number | undefined {
  let node: unknown = root
  for (const step of path) node = memberOf(node, step)?.value
  if (isMap(node)) node = node.get('cel', true) ?? node.get('expression', true)
  const [start] = rangeOf(node) ?? []
  if (start === undefined || !isScalar(node) || typeof node.value !== 'string') return undefined
  const { value } = node
  const begin = [start, start + 1].find((offset) => text.startsWith(value, offset))
  return begin === undefined ? undefined : begin + Math.min(character, value.length)
}

function memberOf(node: unknown, step: string | number): Pick<Pair, 'key' | 'value'> | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(step)]
    return value === undefined || isPair(value) ? undefined : { key: undefined, value }
  }
  return isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === String(step)) : undefined
}

/** The range of a node; `undefined`: it is not there, or is empty, so that it has no place of its own. */
export function rangeOf(node: unknown): Range | undefined {
  const { range } = (node ?? {}) as Partial<Node>
  return range && range[1] > range[0] ? [range[0], range[1]] : undefined
}
