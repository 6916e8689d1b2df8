import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryReplay } from '../../src/stores/memory.ts'
import { replayStoreContract } from './contract.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)
const START = 1_800_000_000

const full = expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE', detail: { store: 'replay', capacity: 3 } })

replayStoreContract('memory', {
  open: () => memoryReplay(),
  unavailable() {
    const store = memoryReplay({ capacity: 1 })
    store.claim('one', START + 3600, START)
    return store
  },
})

function filled(lifetime = 600) {
  const store = memoryReplay({ capacity: 3 })
  for (const key of ['a', 'b', 'c']) store.claim(key, START + lifetime, START)
  return store
}

describe('a full store', () => {
  it('refuses what is new, and goes on knowing what it has', () => {
    const store = filled()
    expect(() => store.claim('d', START + 600, START)).toThrow(full)
    for (const key of ['a', 'b', 'c']) expect(store.claim(key, START + 600, START)).toBe(false)
    expect(store.size).toBe(3)
  })

  it('gives up nothing that has not expired, however often it is asked', () => {
    const store = filled()
    for (let n = 0; n < 1000; n += 1) expect(() => store.claim(`x${n}`, START + 600, START + 599)).toThrow(full)
    for (const key of ['a', 'b', 'c']) expect(store.claim(key, START + 600, START + 599)).toBe(false)
  })

  it('has room again a minute after the keys in it have expired', () => {
    const store = filled()
    expect(store.claim('d', START + 1200, START + 660)).toBe(true)
    expect(store.size).toBe(1)
  })

  it('takes anew a key that it still has and that has expired: that needs no room', () => {
    const store = filled(30)
    expect(store.claim('a', START + 600, START + 31)).toBe(true)
    expect(store.claim('a', START + 600, START + 31)).toBe(false)
  })

  it('of capacity 0 takes nothing', () => {
    expect(() => memoryReplay({ capacity: 0 }).claim('a', START + 1, START)).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE' }),
    )
  })

  it('never holds more than its capacity, refuses exactly what is new then, and is changed by no refusal', () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 12 }).map(String),
      lifetime: fc.integer({ min: 1, max: 300 }),
      later: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 })),
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
        const store = memoryReplay({ capacity })
        const model = new Map<string, number>()
        let now = START
        for (const { key, lifetime, later } of steps) {
          now += later
          const until = model.get(key) ?? Number.NEGATIVE_INFINITY
          const alive = [...model.values()].filter((end) => end > now).length
          // What has expired may be there for another minute.
          const lingering = [...model.values()].filter((end) => end > now - 60).length
          let outcome: boolean | 'full'
          try {
            outcome = store.claim(key, now + lifetime, now) === true
          } catch {
            outcome = 'full'
          }
          if (until > now) expect(outcome).toBe(false)
          else if (alive >= capacity) expect(outcome).toBe('full')
          else if (lingering < capacity) expect(outcome).toBe(true)
          else expect(outcome).not.toBe(false)
          if (outcome === true) model.set(key, now + lifetime)
          expect(store.size).toBeLessThanOrEqual(capacity)
        }
      }),
      { numRuns },
    )
  })
})

describe('clocks that go back and forth', () => {
  it('never make a second first use of a key that no clock has seen expire', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      lifetime: fc.integer({ min: 1, max: 400 }),
      at: fc.integer({ min: 0, max: 600 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = memoryReplay()
        const until = new Map<string, number>()
        let latest = START
        for (const { key, lifetime, at } of steps) {
          const now = START + at
          latest = Math.max(latest, now)
          const first = store.claim(key, now + lifetime, now)
          if ((until.get(key) ?? 0) > latest) expect(first).toBe(false)
          if (first === true) until.set(key, now + lifetime)
        }
      }),
      { numRuns },
    )
  })
})

describe('memory', () => {
  it('is given back as keys expire', () => {
    const store = memoryReplay()
    for (let second = 0; second < 10_000; second += 1) store.claim(`k${second}`, START + second + 30, START + second)
    expect(store.size).toBeLessThanOrEqual(30 + 61)
  })

  it('keeps a key that was taken anew when the old one’s time is swept', () => {
    const store = memoryReplay()
    store.claim('a', START + 10, START)
    expect(store.claim('a', START + 500, START + 20)).toBe(true)
    store.claim('sweep', START + 500, START + 120)
    expect(store.claim('a', START + 500, START + 130)).toBe(false)
  })
})
