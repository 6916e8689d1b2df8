import { describe, expect, it } from 'vitest'
import { whenAgain } from '../../src/stores/again.ts'
import { verifiedStore } from '../../src/stores/verified.ts'

const NOW = 1_800_000_000

describe('what is kept when it comes again', () => {
  it('is not found after the first time, and is after the second', () => {
    const store = whenAgain(verifiedStore<string>())
    store.keep('a', 'token', NOW)
    expect(store.find('a', NOW)).toBeUndefined()
    store.keep('a', 'token', NOW)
    expect(store.find('a', NOW)).toBe('token')
  })

  it('is found under its own key alone, whatever shares its place', () => {
    const store = whenAgain(verifiedStore<number>({ capacity: 1_000_000 }))
    // Many more than there are places.
    for (let n = 0; n < 200_000; n += 1) store.keep(`k${n}`, n, NOW)
    for (let n = 0; n < 200_000; n += 1) {
      const found = store.find(`k${n}`, NOW)
      if (found !== undefined) expect(found).toBe(n)
    }
  })

  it('is forgotten like anything else', () => {
    const store = whenAgain(verifiedStore<string>())
    store.keep('a', 'token', NOW)
    store.keep('a', 'token', NOW)
    expect(store.find('a', NOW + 60)).toBeUndefined()
  })
})
