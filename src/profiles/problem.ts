import { DragomanError, type ErrorCode } from '../core/errors.ts'

/** Where something stands in a document: member names and list positions from the top. */
export type Path = readonly (string | number)[]

/** One thing that is wrong in a file. */
export interface Problem {
  readonly path: Path
  /** What is wrong and what would be right, in words. Never a value that could be a secret. */
  readonly message: string
  /** The name of the member at `path` is what is wrong, not its value. */
  readonly atName?: boolean
  /** Of a text at `path`, such as an expression: which of its characters is wrong, from 0. */
  readonly character?: number
  /** Default: `ERR_PROFILE_SCHEMA`. */
  readonly code?: ErrorCode
  readonly cause?: unknown
}

/** A problem with its place. */
export interface PlacedProblem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number
  /** `stages[2].validity.lifetime`; empty: the document as a whole. */
  readonly path: string
  readonly message: string
  readonly code: ErrorCode
  /** The line, and below it a caret; empty: of a file that is not shown. */
  readonly excerpt: string
  readonly cause?: unknown
}

/** A problem as a terminal shows it and an editor jumps to it: place, path, what is wrong; the line; a caret. */
export const describeProblem = ({ file, line, column, path, message, excerpt }: PlacedProblem): string =>
  `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}${excerpt === '' ? '' : `\n${excerpt}`}`

/** One error for several problems: it goes by the code and place of the first, and tells all of them. */
export function problemError(problems: readonly [PlacedProblem, ...PlacedProblem[]]): DragomanError {
  const [{ code, file, line, column, path, cause }] = problems
  const told = problems.map(describeProblem)
  return new DragomanError(code, {
    message: told.join('\n'),
    detail: { file, line, column, at: path, problems: told },
    cause,
  })
}

/** The problems that an error tells of; `undefined`: it has no place in a file. */
export function problemsOf({ detail: { problems } }: DragomanError): readonly string[] | undefined {
  return Array.isArray(problems) ? problems.map(String) : undefined
}

/** Several such errors as one. */
export function mergedError(errors: readonly [DragomanError, ...DragomanError[]]): DragomanError {
  const [first, second] = errors
  if (second === undefined) return first
  const problems = errors.flatMap((error) => problemsOf(error) ?? error.message)
  return new DragomanError(first.code, {
    message: problems.join('\n'),
    detail: { ...first.detail, problems },
    cause: first.cause,
  })
}

const PLAIN = /^[A-Za-z_][A-Za-z0-9_-]*$/

/** `stages[2].validity.lifetime`, `context.set["kubernetes.io"]`. */
export const pathText = (path: Path): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    if (!PLAIN.test(step)) return `${text}[${JSON.stringify(step)}]`
    return text === '' ? step : `${text}.${step}`
  }, '')

/** The steps of such a text. */
export const pathSteps = (text: string): Path =>
  [...text.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(([, quoted, index, name]) =>
    index === undefined ? (name ?? quoted?.replace(/\\(.)/g, '$1') ?? '') : Number(index),
  )

/** Members of `detail` that say where or who, which the place in the file says already. */
const SAID: ReadonlySet<string> = new Set([
  ...['path', 'option', 'expected', 'expression', 'code', 'reason', 'file'],
  ...['key', 'issuer', 'client', 'secret'],
])

/**
 * The steps of a text below a value. A part that knows names only writes `set.https://a.example/b`; where the value has
 * a member of such a name, that is meant.
 */
export function stepsBelow(value: unknown, text: string): Path {
  if (text === '') return []
  const names = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
  const rest = text.startsWith('.') ? text.slice(1) : text
  const [name] = names
    .filter((one) => rest.startsWith(one) && /^(?:[.[]|$)/.test(rest.slice(one.length)))
    .sort((left, right) => right.length - left.length)
  if (name !== undefined && !rest.startsWith('[')) {
    return [name, ...stepsBelow((value as { readonly [name: string]: unknown })[name], rest.slice(name.length))]
  }
  const index = /^\[(\d+)\]/.exec(rest)
  if (index && Array.isArray(value)) {
    return [Number(index[1]), ...stepsBelow(value[Number(index[1])], rest.slice(index[0].length))]
  }
  return pathSteps(rest)
}

/** What an error that a part threw has to say, for a message that names the place itself. */
export function wordsOf({ message, detail }: DragomanError): string {
  const { expected, file } = detail
  const words =
    typeof expected !== 'string' ? message : /^(?:no|there is no) /.test(expected) ? expected : `expected ${expected}`
  const more = Object.entries(detail)
    .filter(([name, value]) => !SAID.has(name) && (typeof value === 'string' || typeof value === 'number'))
    .map(([name, value]) => `${name}: ${value}`)
  return [typeof file === 'string' ? `${file}: ${words}` : words, ...more].join('; ')
}
