import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  type Node,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml'

// The deepest that there is, the key set of a tenant's client, has fewer than ten levels.
export const MAX_DEPTH = 32
// Entries are compared each with each where a list must be free of repetitions, which takes a second at this length.
export const MAX_ENTRIES = 10_000

/** What is wrong with a document as such, and where. */
export type Fault = readonly [offset: number, message: string]

const TOO_DEEP = `expected at most ${MAX_DEPTH} levels`

/** What the parser refuses, and what it takes and we do not. */
export function faultsOf(document: Document.Parsed): readonly Fault[] {
  const faults: Fault[] = []
  const begins = new Map<number, number>()
  let deep = false
  visit(document, {
    Alias: (_, node) => void faults.push([startOf(node), 'aliases are not taken: write the value out']),
    Pair: (_, { key }) => {
      if (isScalar(key) && key.value === '<<') {
        faults.push([startOf(key), 'merge keys are not taken: write the members out'])
      } else if (!isScalar(key) || typeof key.value !== 'string') {
        faults.push([startOf(key), 'expected a name; put it in quotes'])
      }
    },
    Node: (_, node, above) => {
      if (isSeq(node) && node.items.length > MAX_ENTRIES) {
        faults.push([startOf(node), `expected at most ${MAX_ENTRIES} in the list`])
      }
      if (isMap(node)) for (const key of repeatedIn(node)) faults.push([startOf(key), 'Map keys must be unique'])
      if (node.anchor !== undefined && node.anchor !== '') {
        faults.push([startOf(node), 'anchors are not taken: write the value out'])
      }
      if (node.tag !== undefined) faults.push([startOf(node), 'tags are not taken: write text in quotes'])
      if (isScalar(node) && typeof node.value === 'string') {
        begins.set(node.range?.[1] ?? 0, startOf(node))
        if (!node.value.isWellFormed()) {
          faults.push([startOf(node), 'expected Unicode text, without half of a surrogate pair'])
        }
      }
      if (!isCollection(node) || above.filter(isCollection).length < MAX_DEPTH) return undefined
      if (!deep) faults.push([startOf(node), TOO_DEEP])
      deep = true
      return visit.SKIP
    },
  })
  const all = [...document.errors, ...document.warnings]
    // Told above: every tag, whether the parser knows it or not, and a depth that it does not reach.
    .filter(({ code }) => code !== 'TAG_RESOLVE_FAILED' && !(deep && code === 'RESOURCE_EXHAUSTION'))
    .sort((left, right) => left.pos[0] - right.pos[0])
  // Behind the first thing that breaks the structure, nothing stands where its author put it.
  const [broken] = all
  return [
    ...all.slice(0, 1).map(({ code, message, pos: [offset] }): Fault => {
      // A quote that is not closed is missed at the end of the file; what helps is where it was opened.
      if (/^Missing closing ['"]quote/.test(message)) return [begins.get(offset) ?? offset, 'this quote is not closed']
      return [offset, wordsFor(code, message)]
    }),
    ...faults.filter(([offset]) => broken === undefined || offset < broken.pos[0]),
  ]
}

function repeatedIn({ items }: YAMLMap): readonly unknown[] {
  const seen = new Set<unknown>()
  return items.flatMap(({ key }) => {
    if (!isScalar(key)) return []
    const known = seen.has(key.value)
    seen.add(key.value)
    return known ? [key] : []
  })
}

const startOf = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0

/** The parser's words without what it quotes of the file, which may be a secret: `|x` in front of it is a bad block. */
function wordsFor(code: YAMLError['code'], message: string): string {
  switch (code) {
    case 'RESOURCE_EXHAUSTION':
      return TOO_DEEP
    case 'MULTIPLE_DOCS':
      return 'expected one document'
    case 'BAD_DIRECTIVE':
      return 'expected no such directive'
    case 'BAD_DQ_ESCAPE':
      return 'Invalid escape sequence'
    case 'UNEXPECTED_TOKEN':
      return /^Unexpected [\w ,-]+/.exec(message)?.[0].trim() ?? 'nothing that can stand here; put text in quotes'
    default:
      return message
  }
}
