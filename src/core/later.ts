/**
 * Whether a value is still to come: a promise, of another realm as well, or what else can be awaited. `instanceof` knows those
 * of this realm alone, and what it does not know would be taken for the value itself.
 */
export const isLater = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'

/**
 * Goes on with a value: at once where it is there, so that what waits for nothing is not waited for.
 *
 * @param failed told of what is still to come and fails; what fails at once has been thrown already
 */
export function andThen<T, R>(
  value: T | PromiseLike<T>,
  next: (value: T) => R,
  failed?: (cause: unknown) => never,
): R | Promise<R> {
  return isLater(value) ? Promise.resolve(value).then(next, failed) : next(value)
}
