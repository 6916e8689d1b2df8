import { isMap, isPair, isScalar, isSeq, type LineCounter, type Node } from 'yaml'
import type { Origin, Place } from '../core/place.ts'
import { rangeOf } from './nodes.ts'
import { type Path, pathSteps, pathText } from './problem.ts'

/**
 * Where each member of a document stands, kept as numbers: the document itself is let go.
 *
 * A member whose value begins on a line below it stands where its name does.
 */
export function originOf(file: string, root: Node | null, lines: LineCounter): Origin {
  const places = new Map<string, Place>()
  const put = (path: Path, offset: number): void => {
    const { line, col } = lines.linePos(offset)
    const text = pathText(path)
    places.set(text, Object.freeze({ file, line: Math.max(1, line), column: Math.max(1, col), path: text }))
  }
  const visit = (node: unknown, path: Path): void => {
    if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        const [start] = rangeOf(item) ?? []
        if (start !== undefined) put([...path, index], start)
        visit(item, [...path, index])
      }
    }
    if (!isMap(node)) return
    for (const item of node.items) {
      if (!isPair(item) || !isScalar(item.key)) continue
      const here = [...path, String(item.key.value)]
      const [name = 0] = rangeOf(item.key) ?? []
      const [value = name] = rangeOf(item.value) ?? []
      put(here, lines.linePos(value).line > lines.linePos(name).line ? name : value)
      visit(item.value, here)
    }
  }
  put([], rangeOf(root)?.[0] ?? 0)
  visit(root, [])
  return Object.freeze({
    file,
    place(path: string) {
      const steps = pathSteps(path)
      for (let length = steps.length; length > 0; length -= 1) {
        const found = places.get(pathText(steps.slice(0, length)))
        if (found !== undefined) return found
      }
      return places.get('') ?? { file, line: 1, column: 1, path: '' }
    },
  })
}
