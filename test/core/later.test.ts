import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { andThen, isLater } from '../../src/core/later.ts'

const Foreign = runInNewContext('Promise') as PromiseConstructor
/** What some libraries give: it can be awaited, and is no promise. */
const thenable = <T>(value: T): PromiseLike<T> => {
  const promise = Promise.resolve(value)
  return Object.fromEntries([['then', promise.then.bind(promise)]]) as unknown as PromiseLike<T>
}

describe('what comes later', () => {
  it('is a promise, one of another realm, and whatever else can be awaited', () => {
    for (const value of [Promise.resolve(1), Foreign.resolve(1), thenable(1)]) expect(isLater(value)).toBe(true)
  })

  it('is nothing that is there', () => {
    for (const value of [undefined, null, 0, '', 'then', [], {}]) expect(isLater(value)).toBe(false)
  })

  it('is gone on with when it has come, and what is there at once', async () => {
    const twice = (value: number) => 2 * value
    expect(andThen(2, twice)).toBe(4)
    for (const value of [Promise.resolve(2), Foreign.resolve(2), thenable(2)]) {
      const result = andThen(value, twice)
      expect(result).toBeInstanceOf(Promise)
      expect(await result).toBe(4)
    }
  })

  it('is told of when it fails', async () => {
    const failed = (cause: unknown): never => {
      throw new Error(`told of ${cause}`)
    }
    await expect(andThen(Foreign.reject('a failure'), String, failed)).rejects.toThrow('told of a failure')
  })
})
