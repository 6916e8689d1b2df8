import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifiedStore } from '../../src/stores/verified.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)
const NOW = 1_800_000_000

describe('verified tokens', () => {
  it('are known for a minute, and not a second longer, however often they are asked for', () => {
    const store = verifiedStore<string>()
    store.keep('a', 'token', NOW)
    for (let second = 0; second < 60; second += 1) expect(store.find('a', NOW + second)).toBe('token')
    expect(store.find('a', NOW + 60)).toBeUndefined()
  })

  it('are known by their exact key', () => {
    const store = verifiedStore<string>()
    store.keep('a', 'token', NOW)
    for (const key of ['A', 'a ', '', '__proto__']) expect(store.find(key, NOW)).toBeUndefined()
  })

  it('are what was kept last', () => {
    const store = verifiedStore<string>()
    store.keep('a', 'first', NOW)
    store.keep('a', 'second', NOW + 30)
    expect(store.find('a', NOW + 75)).toBe('second')
  })

  it('go first when they have not been asked for', () => {
    const store = verifiedStore<number>({ capacity: 4 })
    store.keep('wanted', 0, NOW)
    for (let n = 0; n < 100; n += 1) {
      store.keep(`k${n}`, n, NOW)
      expect(store.find('wanted', NOW)).toBe(0)
    }
    expect(store.find('k0', NOW)).toBeUndefined()
    expect(store.find('k99', NOW)).toBe(99)
  })

  it.each([0, 1])('are not kept at all with a capacity of %i', (capacity) => {
    const store = verifiedStore<string>({ capacity })
    store.keep('a', 'token', NOW)
    expect(store.find('a', NOW)).toBeUndefined()
  })

  it('are never more than the capacity, nor others than were kept, nor older than a minute', () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 20 }).map(String),
      keep: fc.boolean(),
      later: fc.integer({ min: 0, max: 30 }),
    })
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
        const store = verifiedStore<number>({ capacity })
        const model = new Map<string, { readonly value: number; readonly at: number }>()
        let now = NOW
        for (const [value, { key, keep, later }] of steps.entries()) {
          now += later
          if (keep) {
            store.keep(key, value, now)
            model.set(key, { value, at: now })
            expect(store.find(key, now)).toBe(value)
          } else {
            const found = store.find(key, now)
            const known = model.get(key)
            if (found !== undefined) expect(found).toBe(known?.value)
            if (known === undefined || now >= known.at + 60) expect(found).toBeUndefined()
          }
        }
        const left = [...model.keys()].filter((key) => store.find(key, now) !== undefined)
        expect(left.length).toBeLessThanOrEqual(capacity)
      }),
      { numRuns },
    )
  })
})
