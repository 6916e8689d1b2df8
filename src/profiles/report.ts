import { DragomanError } from '../core/errors.ts'
import { type Path, type Problem, problemsOf, stepsBelow, wordsOf } from './problem.ts'
import type { Source } from './source.ts'

/** Gathers what is wrong in one file, so that all of it is told at once. */
export interface Report {
  add(problem: Problem): void
  /**
   * Runs a part that knows paths below `base` only. What it refuses is gathered with its place in the file, and the
   * result is `undefined`; anything but a {@link DragomanError} is a defect and is thrown on.
   */
  attempt<T>(base: Path, work: () => T, place?: Place): T | undefined
  /** The same for a part that takes its time. */
  attemptLater<T>(base: Path, work: () => Promise<T>, place?: Place): Promise<T | undefined>
  /** Goes on when nothing is wrong. @throws {@link DragomanError} for everything that is, in the order of the file */
  settle(): void
}

/** Where an error belongs, for a part that says so in its own way; `undefined`: by `detail.path`, below `base`. */
export type Place = (error: DragomanError) => Path | undefined

/**
 * A report on a file, or on the part of it at `root`. `source` absent: there is no file to point into, so that what is
 * wrong is thrown as it is.
 */
export function reportOn(source: Source | undefined, root: Path = []): Report {
  const problems: Problem[] = []
  const gather = (error: unknown, base: Path, place: Place | undefined): void => {
    if (source === undefined || !(error instanceof DragomanError) || problemsOf(error) !== undefined) throw error
    const { path, position } = error.detail
    const below = typeof path === 'string' ? stepsBelow(valueAt(source.value, [...root, ...base]), path) : []
    problems.push({
      path: [...root, ...(place?.(error) ?? [...base, ...below])],
      message: wordsOf(error),
      code: error.code,
      ...(typeof position === 'number' && { character: position }),
      cause: error,
    })
  }
  return {
    add: (problem) => void problems.push({ ...problem, path: [...root, ...problem.path] }),
    attempt(base, work, place) {
      try {
        return work()
      } catch (error) {
        gather(error, base, place)
        return undefined
      }
    },
    async attemptLater(base, work, place) {
      try {
        return await work()
      } catch (error) {
        gather(error, base, place)
        return undefined
      }
    },
    settle() {
      if (source !== undefined && problems.length > 0) throw source.refuse(problems)
    },
  }
}

function valueAt(value: unknown, [step, ...rest]: Path): unknown {
  if (step === undefined || typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) {
    return step === undefined ? value : undefined
  }
  return valueAt((value as { readonly [step: string]: unknown })[step], rest)
}
