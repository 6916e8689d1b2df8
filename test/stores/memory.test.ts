import { describe, expect, it } from 'vitest'
import { memoryReplay } from '../../src/stores/memory.ts'
import { replayStoreContract } from './contract.ts'

const NOW = 1_800_000_000

replayStoreContract('memory', { open: async () => memoryReplay() })

const full = (capacity: number) =>
  expect.objectContaining({
    code: 'ERR_STORE_UNAVAILABLE',
    detail: { store: 'replay', capacity },
    retryAfter: 60,
  })

describe('a replay store in memory', () => {
  it('answers at once, without a promise', () => {
    expect(memoryReplay().claim('a', NOW + 60, NOW)).toBe(true)
  })

  it('shares nothing with another', () => {
    const [one, other] = [memoryReplay(), memoryReplay()]
    one.claim('a', NOW + 60, NOW)
    expect(other.claim('a', NOW + 60, NOW)).toBe(true)
  })

  it('refuses new keys when it is full: the ones that it has it never gives up', () => {
    const store = memoryReplay({ capacity: 3 })
    for (const key of ['a', 'b', 'c']) store.claim(key, NOW + 3600, NOW)
    for (let n = 0; n < 100; n += 1) expect(() => store.claim(`new ${n}`, NOW + 3600, NOW + n)).toThrow(full(3))
    for (const key of ['a', 'b', 'c']) expect(store.claim(key, NOW + 3600, NOW + 3599)).toBe(false)
    expect(store.size).toBe(3)
  })

  it('that is full still says of a key that it has been used', () => {
    const store = memoryReplay({ capacity: 1 })
    store.claim('a', NOW + 60, NOW)
    expect(store.claim('a', NOW + 60, NOW)).toBe(false)
  })

  it('that is full takes a key of its own again once that has expired', () => {
    const store = memoryReplay({ capacity: 1 })
    store.claim('a', NOW + 30, NOW)
    expect(store.claim('a', NOW + 90, NOW + 30)).toBe(true)
    expect(() => store.claim('b', NOW + 90, NOW + 30)).toThrow(full(1))
  })

  it('that is full has room again a minute after keys have expired, as Retry-After says', () => {
    const store = memoryReplay({ capacity: 2 })
    store.claim('a', NOW + 30, NOW)
    store.claim('b', NOW + 3600, NOW)
    expect(() => store.claim('c', NOW + 3600, NOW)).toThrow(full(2))
    expect(store.claim('c', NOW + 3600, NOW + 30 + 60)).toBe(true)
    expect(() => store.claim('d', NOW + 3600, NOW + 90)).toThrow(full(2))
  })

  it('forgets what has expired within a minute, and not what has been claimed again since', () => {
    const store = memoryReplay()
    for (let n = 0; n < 1000; n += 1) store.claim(`short ${n}`, NOW + 10, NOW)
    store.claim('again', NOW + 10, NOW)
    expect(store.claim('again', NOW + 3600, NOW + 11)).toBe(true)
    expect(store.size).toBe(1001)
    store.claim('other', NOW + 3600, NOW + 70)
    expect(store.size).toBe(2)
    expect(store.claim('again', NOW + 3600, NOW + 3599)).toBe(false)
  })

  it('stays as small as what has not expired, however long it runs', () => {
    const store = memoryReplay({ capacity: 500 })
    for (let minute = 0; minute < 2000; minute += 1) {
      for (let n = 0; n < 100; n += 1) store.claim(`${minute} ${n}`, NOW + minute * 60 + 120, NOW + minute * 60)
    }
    expect(store.size).toBeLessThanOrEqual(400)
  })

  it('is not confused by a clock that was set back', () => {
    const store = memoryReplay()
    store.claim('a', NOW + 60, NOW)
    store.claim('b', NOW + 4000, NOW + 3600)
    expect(store.claim('c', NOW + 60, NOW)).toBe(true)
    expect(store.claim('c', NOW + 60, NOW + 59)).toBe(false)
    expect(store.claim('b', NOW + 4000, NOW)).toBe(false)
  })

  it('takes no time that is not a number, with which nothing would be remembered', () => {
    expect(() => memoryReplay().claim('a', Number.NaN, NOW)).toThrow(TypeError)
    expect(() => memoryReplay().claim('a', NOW + 60, Number.NaN)).toThrow(TypeError)
  })
})
