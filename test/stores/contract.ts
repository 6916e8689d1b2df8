import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ReplayStore } from '../../src/core/stores.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 100)
// Any moment; what matters is that it is not near zero.
const START = 1_800_000_000

export interface ReplayStoreSubject {
  /** An empty store. Whatever it opens it closes at the end of the test. */
  open(): Promise<ReplayStore> | ReplayStore
  /** Another view of the same store, as another gateway has one. Absent: the store is one process's own. */
  another?(store: ReplayStore): Promise<ReplayStore> | ReplayStore
  /** Moves the store's own time, where it has one besides the `now` that it is given. */
  pass?(store: ReplayStore, seconds: number): Promise<void> | void
  /** A store that cannot remember anything more: full, or out of reach. */
  unavailable(): Promise<ReplayStore> | ReplayStore
}

/** What every replay store holds to: atomic, expiring, failing closed. */
export function replayStoreContract(title: string, { open, another, pass, unavailable }: ReplayStoreSubject): void {
  describe(`replay store contract: ${title}`, () => {
    it('takes a key once', async () => {
      const store = await open()
      expect(await store.claim('a', START + 60, START)).toBe(true)
      expect(await store.claim('a', START + 60, START)).toBe(false)
      expect(await store.claim('b', START + 60, START)).toBe(true)
    })

    it('says whether a key is claimed, and claims nothing by that', async () => {
      const store = await open()
      if (store.claimed === undefined) return
      expect(await store.claimed('a', START)).toBe(false)
      expect(await store.claim('a', START + 60, START)).toBe(true)
      expect(await store.claimed('a', START)).toBe(true)
      expect(await store.claimed('a', START + 59)).toBe(true)
      expect(await store.claimed('a', START + 60)).toBe(false)
      expect(await store.claim('b', START + 60, START)).toBe(true)
    })

    it('tells keys apart whatever they are made of', async () => {
      const store = await open()
      const keys = [
        '',
        ' ',
        'a',
        'A',
        'a ',
        'a\0',
        'a\0b',
        'ä',
        'a\u0308',
        '__proto__',
        'constructor',
        'x'.repeat(4096),
      ]
      for (const key of keys) expect(await store.claim(key, START + 60, START)).toBe(true)
      for (const key of keys) expect(await store.claim(key, START + 60, START)).toBe(false)
    })

    it('takes a key again that was given back, once', async () => {
      const store = await open()
      await store.claim('a', START + 60, START)
      await store.release?.('a')
      await store.release?.('never claimed')
      expect(await store.claim('a', START + 600, START)).toBe(store.release !== undefined)
      expect(await store.claim('a', START + 600, START + 599)).toBe(false)
      expect(await store.claim('never claimed', START + 60, START)).toBe(true)
    })

    it('takes a key again once it has expired, and not a second before', async () => {
      const store = await open()
      await store.claim('a', START + 60, START)
      await pass?.(store, 59)
      expect(await store.claim('a', START + 600, START + 59)).toBe(false)
      await pass?.(store, 1)
      expect(await store.claim('a', START + 600, START + 60)).toBe(true)
      await pass?.(store, 100)
      expect(await store.claim('a', START + 900, START + 160)).toBe(false)
    })

    it('is not talked into an earlier end by a second claim', async () => {
      const store = await open()
      await store.claim('a', START + 600, START)
      expect(await store.claim('a', START + 1, START)).toBe(false)
      await pass?.(store, 300)
      expect(await store.claim('a', START + 600, START + 300)).toBe(false)
    })

    it('remembers for years where a token lasts for years', async () => {
      const store = await open()
      await store.claim('a', START + 315_360_000, START)
      await pass?.(store, 86_400)
      expect(await store.claim('a', START + 315_360_000, START + 86_400)).toBe(false)
    })

    it('is atomic: of a hundred claims at once exactly one is the first', async () => {
      const store = await open()
      for (const key of ['a', 'b', 'c']) {
        const claims = Array.from({ length: 100 }, async () => store.claim(key, START + 60, START))
        expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1)
      }
    })

    if (another) {
      it('is atomic between gateways', async () => {
        const store = await open()
        const other = await another(store)
        const claims = Array.from({ length: 100 }, async (_, n) =>
          (n % 2 ? store : other).claim('a', START + 60, START),
        )
        expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1)
      })
    }

    it('fails closed: what it cannot remember is ERR_STORE_UNAVAILABLE, never a first use', async () => {
      const store = await unavailable()
      for (const key of ['new', 'other']) {
        await expect((async () => store.claim(key, START + 60, START))()).rejects.toThrow(
          expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE', retryAfter: expect.any(Number) }),
        )
      }
    })

    it('fails closed: a time that is none is never a first use', async () => {
      const store = await open()
      await expect((async () => store.claim('a', Number.NaN, START))()).rejects.toThrow()
      await expect((async () => store.claim('a', START, Number.NaN))()).rejects.toThrow()
    })

    it('answers as a plain list of keys and ends would', async () => {
      const step = fc.record({
        key: fc.constantFrom('a', 'b', 'c', 'd'),
        lifetime: fc.integer({ min: 0, max: 300 }),
        later: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 })),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const store = await open()
          const model = new Map<string, number>()
          let now = START
          for (const { key, lifetime, later } of steps) {
            now += later
            await pass?.(store, later)
            const first = (model.get(key) ?? now) <= now
            expect(await store.claim(key, now + lifetime, now)).toBe(first)
            if (first) model.set(key, now + lifetime)
          }
        }),
        { numRuns },
      )
    })
  })
}
