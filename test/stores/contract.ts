import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ReplayStore } from '../../src/core/stores.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 40)
const NOW = 1_800_000_000

export interface ReplayStoreSubject {
  /** An empty store with room for the contract: a few hundred keys. Whatever it opens it closes at the end of the test. */
  open(): Promise<ReplayStore>
  /** A second way to the same state, as another gateway has it; absent where there is none. */
  again?(store: ReplayStore): Promise<ReplayStore>
}

/** What every replay store holds to, wherever it remembers. Time is what it is told: it may not use a clock of its own. */
export function replayStoreContract(title: string, { open, again }: ReplayStoreSubject): void {
  describe(`replay store contract: ${title}`, () => {
    it('takes a key once', async () => {
      const store = await open()
      expect(await store.claim('a', NOW + 60, NOW)).toBe(true)
      expect(await store.claim('a', NOW + 60, NOW)).toBe(false)
      expect(await store.claim('a', NOW + 60, NOW + 30)).toBe(false)
    })

    it('keeps keys apart, character for character', async () => {
      const store = await open()
      const keys = [
        'a',
        'A',
        'a ',
        ' a',
        'a\0',
        'a\0b',
        'á',
        'a\u0301',
        '',
        '__proto__',
        'constructor',
        'x'.repeat(1000),
      ]
      for (const key of keys) expect(await store.claim(key, NOW + 60, NOW), JSON.stringify(key)).toBe(true)
      for (const key of keys) expect(await store.claim(key, NOW + 60, NOW), JSON.stringify(key)).toBe(false)
    })

    it('remembers a key until it expires, and from then on no longer', async () => {
      const store = await open()
      expect(await store.claim('a', NOW + 60, NOW)).toBe(true)
      expect(await store.claim('a', NOW + 120, NOW + 59)).toBe(false)
      expect(await store.claim('a', NOW + 120, NOW + 60)).toBe(true)
      expect(await store.claim('a', NOW + 180, NOW + 119)).toBe(false)
    })

    it('is not made to remember longer, or shorter, by a claim that it refused', async () => {
      const store = await open()
      await store.claim('a', NOW + 60, NOW)
      expect(await store.claim('a', NOW + 6000, NOW + 1)).toBe(false)
      expect(await store.claim('a', NOW + 2, NOW + 1)).toBe(false)
      expect(await store.claim('a', NOW + 60, NOW + 59)).toBe(false)
      expect(await store.claim('a', NOW + 120, NOW + 60)).toBe(true)
    })

    it('remembers one key for a day and another for a minute', async () => {
      const store = await open()
      await store.claim('day', NOW + 86_400, NOW)
      await store.claim('minute', NOW + 60, NOW)
      expect(await store.claim('minute', NOW + 86_399, NOW + 3600)).toBe(true)
      expect(await store.claim('day', NOW + 90_000, NOW + 86_399)).toBe(false)
    })

    it('gives a key to exactly one of a hundred who ask at once', async () => {
      const store = await open()
      const others = again ? [store, await again(store)] : [store]
      const asked = Array.from({ length: 100 }, (_, n) => others[n % others.length] ?? store)
      const answers = await Promise.all(asked.map(async (one) => one.claim('a', NOW + 60, NOW)))
      expect(answers.filter((first) => first)).toHaveLength(1)
    })

    it('takes nothing twice, whatever happens in whatever order, as time goes on', async () => {
      const step = fc.record({
        key: fc.constantFrom('a', 'b', 'c', 'd'),
        lifetime: fc.nat({ max: 400 }),
        passes: fc.nat({ max: 200 }),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const store = await open()
          const expiries = new Map<string, number>()
          let now = NOW
          for (const { key, lifetime, passes } of steps) {
            now += passes
            const first = (expiries.get(key) ?? 0) <= now
            expect(await store.claim(key, now + lifetime, now)).toBe(first)
            if (first) expiries.set(key, now + lifetime)
          }
        }),
        { numRuns: RUNS },
      )
    })
  })
}
