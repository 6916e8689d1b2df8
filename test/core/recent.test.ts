import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recent } from '../../src/core/recent.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)

describe('a bounded memory', () => {
  it('holds at least the half of its capacity that was asked for last, and never more than all of it', () => {
    const key = fc.integer({ min: 0, max: 30 }).map(String)
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.array(key, { maxLength: 80 }), (capacity, keys) => {
        const memory = recent<string>(capacity)
        const order: string[] = []
        for (const one of keys) {
          if (memory.find(one) === undefined) memory.keep(one, `value of ${one}`)
          const at = order.indexOf(one)
          if (at >= 0) order.splice(at, 1)
          order.unshift(one)
          for (const last of order.slice(0, Math.floor(capacity / 2)))
            expect(memory.find(last)).toBe(`value of ${last}`)
          // Asking counts as use: what was looked at just now is in the order of the looks.
          order.splice(0, Math.floor(capacity / 2), ...order.slice(0, Math.floor(capacity / 2)).reverse())
        }
      }),
      { numRuns },
    )
  })

  it('forgets what nobody asks for', () => {
    const memory = recent<number>(4)
    for (let n = 0; n < 10; n += 1) memory.keep(`k${n}`, n)
    const known = Array.from({ length: 10 }, (_, n) => memory.find(`k${n}`)).filter((value) => value !== undefined)
    expect(known.length).toBeLessThanOrEqual(4)
    expect(memory.find('k9')).toBe(9)
  })

  it.each([0, 1])('keeps nothing with a capacity of %i', (capacity) => {
    const memory = recent<number>(capacity)
    memory.keep('a', 1)
    expect(memory.find('a')).toBeUndefined()
  })
})
