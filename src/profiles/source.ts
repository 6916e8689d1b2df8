import { LineCounter, parseDocument } from 'yaml'
import type { DragomanError } from '../core/errors.ts'
import type { Origin } from '../core/place.ts'
import { excerptAt, type Range } from './excerpt.ts'
import { faultsOf } from './faults.ts'
import { hiddenIn, unreadable, withoutRunOn } from './hidden.ts'
import { characterAt, nodeAt, valueAt } from './nodes.ts'
import { originOf } from './places.ts'
import { type PlacedProblem, type Problem, pathText, problemError } from './problem.ts'

// The largest profile one can imagine has a hundred claims; a file beyond this is not a profile.
export const MAX_FILE_BYTES = 256 * 1024
// Problems shown at once: what is wrong after twenty is better looked at when those are mended.
export const MAX_PROBLEMS = 20
// Names that are longer are no names.
const MAX_NAME = 256

/** A file as it was read, and how to call it in a message. */
export interface SourceFile {
  readonly file: string
  readonly text: string
}

/** A YAML document with the place of each node. */
export interface Source extends SourceFile {
  readonly value: unknown
  /** Where its members stand, for what is said of them later. */
  origin(): Origin
  /** The error for these problems, all in one, in the order of the file. */
  refuse(problems: readonly Problem[]): DragomanError
  /** Where a problem is, with its line and a caret: for what is no refusal. */
  place(problem: Problem): PlacedProblem
}

export interface SourceOptions {
  /** Names of members whose values no message shows, nor those of members that are called almost like them. */
  readonly secrets?: readonly string[]
}

/**
 * Reads one YAML document (YAML 1.2, core schema).
 *
 * Refuses what makes a configuration say something else than it seems to: anchors, aliases and merge keys, tags, names
 * that are not text, repeated names, several documents, text that is not Unicode; and files beyond 256 KiB, 32 levels,
 * or 10 000 entries in a list.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SYNTAX`, with file, line and column
 */
export function readSource({ file, text }: SourceFile, { secrets = [] }: SourceOptions = {}): Source {
  const lines = new LineCounter()
  const placed = (offset: number, hidden: readonly Range[], rest: Pick<PlacedProblem, 'path' | 'message' | 'code'>) => {
    const { line, col } = lines.linePos(offset)
    return {
      file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      excerpt: excerptAt(text, offset, hidden),
      ...rest,
    }
  }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    const message = `expected at most ${MAX_FILE_BYTES} bytes`
    throw problemError([{ file, line: 1, column: 1, path: '', excerpt: '', message, code: 'ERR_PROFILE_SYNTAX' }])
  }
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    // Compared each with each there, and once for each in `faultsOf`.
    uniqueKeys: false,
    strict: true,
    // Its excerpts cost as much as the whole file each, and may show a secret.
    prettyErrors: false,
  })
  const faults = faultsOf(document)
  const hidden = hiddenIn(document, text, secrets)
  if (faults.length > 0) {
    const unread = [...hidden, ...unreadable(text, secrets)]
    throw refusal(
      faults.map(([offset, message]) => ({ offset, message })),
      ({ offset, message }) => placed(offset, unread, { path: '', message, code: 'ERR_PROFILE_SYNTAX' }),
    )
  }
  const root = document.contents
  const placeAll = (problems: readonly Problem[]): readonly PlacedProblem[] => {
    // A name that nothing is known of may be a secret's, written wrong.
    const unknown = secrets.length === 0 ? [] : problems.filter(({ atName }) => atName === true)
    const masks = [...hidden, ...unknown.flatMap(({ path }) => valueAt(root, path))]
    const found = problems.map((problem) => {
      const { path, atName, character } = problem
      const { name, value, nearest } = nodeAt(root, path)
      const [start] = (atName === true ? name : value) ?? value ?? name ?? nearest
      return {
        problem,
        offset: character === undefined ? start : (characterAt(root, path, text, character) ?? start),
      }
    })
    return inOrder(found).map(({ problem: { path, message, code = 'ERR_PROFILE_SCHEMA', cause }, offset }) => {
      const told = path.map((step) =>
        typeof step === 'string' ? withoutRunOn(step, secrets).slice(0, MAX_NAME) : step,
      )
      const whole = secrets.length === 0 || told.every((step, index) => step === path[index])
      const words = whole ? message : 'expected a colon and a space behind this name'
      return { ...placed(offset, masks, { path: pathText(told), message: words, code }), cause }
    })
  }
  return {
    file,
    text,
    value: document.toJS({ maxAliasCount: 0 }),
    origin: () => originOf(file, root, lines),
    refuse(problems) {
      const [first, ...rest] = placeAll(problems)
      if (first === undefined) throw new TypeError('a refusal has a problem')
      return problemError([first, ...rest])
    },
    place(problem) {
      const [found] = placeAll([problem])
      if (found === undefined) throw new TypeError('a problem has a place')
      return found
    },
  }
}

/** The first of what was found, in the order of the file. */
const inOrder = <T extends { readonly offset: number }>(found: readonly T[]): readonly T[] =>
  found.toSorted((left, right) => left.offset - right.offset).slice(0, MAX_PROBLEMS)

function refusal<T extends { readonly offset: number }>(
  found: readonly T[],
  place: (one: T) => PlacedProblem,
): DragomanError {
  const [first, ...rest] = inOrder(found).map(place)
  if (first === undefined) throw new TypeError('a refusal has a problem')
  return problemError([first, ...rest])
}
