import { beforeEach, describe, expect, it } from 'vitest'
import type { Prepared } from '../../src/compose.ts'
import { type Preparing, preparing } from '../../src/workers/preparing.ts'

let next: Preparing
/** What became of each configuration. */
let told: string[]
beforeEach(() => {
  next = preparing()
  told = []
})

const made = (name: string): Prepared => ({
  settled: undefined,
  commit: () => void told.push(`${name} in force`),
  abandon: () => void told.push(`${name} given up`),
})

/** One that is made when the test says so. */
function slowly(name: string) {
  const { promise, resolve } = Promise.withResolvers<Prepared>()
  const done = next.prepare(() => promise)
  return { done, end: () => resolve(made(name)) }
}

describe('a configuration that is being prepared', () => {
  it('is put in force once, when it is ready', async () => {
    await next.prepare(async () => made('one'))
    next.commit()
    next.commit()
    expect(told).toEqual(['one in force'])
  })

  it('is not ready when it was given up meanwhile', async () => {
    const one = slowly('one')
    next.abandon()
    one.end()
    await expect(one.done).rejects.toThrow('given up')
    next.commit()
    expect(told).toEqual(['one given up'])
  })

  it('does not take the place of one that was asked for later, whichever is ready first', async () => {
    const one = slowly('one')
    next.abandon()
    const two = slowly('two')
    two.end()
    await two.done
    one.end()
    await expect(one.done).rejects.toThrow('given up')
    next.commit()
    expect(told).toEqual(['one given up', 'two in force'])
  })

  it('that cannot be made leaves nothing', async () => {
    await expect(next.prepare(() => Promise.reject(new Error('wrong')))).rejects.toThrow('wrong')
    next.commit()
    expect(told).toEqual([])
  })
})
