import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml'
import { DragomanError, type ErrorCode } from '../core/errors.ts'

// The largest profile one can imagine has a hundred claims; a file beyond this is not a profile.
export const MAX_FILE_BYTES = 256 * 1024
// Problems shown at once: what is wrong after twenty is better looked at when those are mended.
const MAX_PROBLEMS = 20

/** A file as it was read, and how to call it in a message. */
export interface SourceFile {
  readonly file: string
  readonly text: string
}

/** Where something stands in a document: member names and list positions from the top. */
export type Path = readonly (string | number)[]

/** One thing that is wrong in a file. */
export interface Problem {
  readonly path: Path
  /** What is wrong and what would be right, in words. */
  readonly message: string
  /** The name of the member at `path` is what is wrong, not its value. */
  readonly atName?: boolean
  readonly code?: ErrorCode
}

/** A YAML document with the place of each node. */
export interface Source extends SourceFile {
  readonly value: unknown
  /** The error for these problems, all in one. */
  refuse(problems: readonly Problem[]): DragomanError
}

/**
 * Reads one YAML document (YAML 1.2, core schema).
 *
 * Refuses what makes a configuration say something else than it seems to: anchors, aliases and merge keys, tags of its
 * own, repeated keys, several documents; and files beyond 256 KiB.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SYNTAX`, with file, line and column
 */
export function readSource({ file, text }: SourceFile): Source {
  const lines = new LineCounter()
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    throw problemError('ERR_PROFILE_SYNTAX', file, [{ text: `${file}: larger than ${MAX_FILE_BYTES} bytes` }])
  }
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    uniqueKeys: true,
    strict: true,
  })
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const failures = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    at: pos[0],
    message: message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? 'not YAML',
  }))
  visit(document, {
    Pair: (_, { key }) => {
      if (!isScalar(key))
        failures.push({ at: offsetAt(key), message: 'a list or a map is no name: expected text before the colon' })
    },
    Alias: (_, node) =>
      void failures.push({ at: node.range?.[0] ?? 0, message: 'aliases are not taken: write the value out' }),
    Node: (_, node) => {
      if (node.anchor)
        failures.push({ at: node.range?.[0] ?? 0, message: 'anchors are not taken: write the value out' })
    },
  })
  if (failures.length > 0) {
    const shown = failures.slice(0, MAX_PROBLEMS).map(({ at, message }) => ({
      ...place(at),
      text: describe(file, text, place(at), message),
    }))
    throw problemError('ERR_PROFILE_SYNTAX', file, shown)
  }
  const root = document.contents as Node | null
  return {
    file,
    text,
    value: document.toJS({ maxAliasCount: 0 }),
    refuse(problems) {
      const shown = problems.slice(0, MAX_PROBLEMS).map(({ path, message, atName }) => {
        const position = place(offsetOf(root, path, atName === true))
        const where = pathText(path)
        return {
          ...position,
          path: where,
          text: describe(file, text, position, where ? `${where}: ${message}` : message),
        }
      })
      return problemError(problems[0]?.code ?? 'ERR_PROFILE_SCHEMA', file, shown)
    },
  }
}

const offsetAt = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0

/** `stages[2].validity.lifetime`. */
export const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  )

/** The steps of such a text. */
export const pathSteps = (text: string): Path =>
  [...text.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, name, index]) =>
    index === undefined ? (name ?? '') : Number(index),
  )

interface Shown {
  readonly text: string
  readonly line?: number
  readonly column?: number
  readonly path?: string
}

function problemError(code: ErrorCode, file: string, problems: readonly Shown[]): DragomanError {
  const [first] = problems
  return new DragomanError(code, {
    detail: {
      file,
      line: first?.line,
      column: first?.column,
      at: first?.path,
      problems: problems.map(({ text }) => text),
    },
  })
}

/** The message as an editor jumps to it, with the line and a caret under the column. */
function describe(file: string, text: string, at: { line: number; column: number }, message: string): string {
  const line = text.split('\n')[at.line - 1] ?? ''
  // A tab is as wide as the terminal likes, so the caret's line repeats it.
  const indent = line.slice(0, at.column - 1).replace(/[^\t]/g, ' ')
  return `${file}:${at.line}:${at.column}: ${message}\n  ${line}\n  ${indent}^`
}

/** Where the node at `path` begins; of one that is missing, the nearest above it. */
function offsetOf(root: Node | null, path: Path, atName: boolean): number {
  let node: unknown = root
  let offset = root?.range?.[0] ?? 0
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (!pair) return offset
      const name = isScalar(pair.key) ? pair.key.range?.[0] : undefined
      node = pair.value
      offset = last && atName ? (name ?? offset) : ((node as Node | null)?.range?.[0] ?? name ?? offset)
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      offset = (node as Node | undefined)?.range?.[0] ?? offset
    } else {
      return offset
    }
  }
  return offset
}
