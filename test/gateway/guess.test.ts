import { describe, expect, it } from 'vitest'
import { guessLimiter, network } from '../../src/gateway/guess.ts'

const NOW = 1_800_000_000
const slowed = expect.objectContaining({ code: 'ERR_CLIENT_SLOWED' })
const limiter = () => guessLimiter({ perAddress: 3, perClient: 5 })
const fail = (times: number, action: () => void) => {
  for (let at = 0; at < times; at += 1) action()
}

describe('guessLimiter', () => {
  it('TR-07: slows a client from one address after so many failures, and says how long', () => {
    const guesses = limiter()
    fail(2, () => guesses.failed('orders', '192.0.2.1', NOW))
    expect(() => guesses.check('orders', '192.0.2.1', NOW)).not.toThrow()
    guesses.failed('orders', '192.0.2.1', NOW)
    expect(() => guesses.check('orders', '192.0.2.1', NOW)).toThrow(
      expect.objectContaining({ code: 'ERR_CLIENT_SLOWED', retryAfter: 60 }),
    )
  })

  it('does not keep out the client at another address, nor another client at this one', () => {
    const guesses = limiter()
    fail(3, () => guesses.failed('orders', '192.0.2.1', NOW))
    expect(() => guesses.check('orders', '192.0.2.2', NOW)).not.toThrow()
    expect(() => guesses.check('billing', '192.0.2.1', NOW)).not.toThrow()
  })

  it('slows a client everywhere when failures come from everywhere', () => {
    const guesses = limiter()
    for (let at = 0; at < 5; at += 1) guesses.failed('orders', `192.0.2.${at}`, NOW)
    expect(() => guesses.check('orders', '198.51.100.1', NOW)).toThrow(slowed)
  })

  it('S-11: counts clients that do not exist by address, whatever they are called', () => {
    const guesses = limiter()
    fail(3, () => guesses.failed(undefined, '192.0.2.1', NOW))
    expect(() => guesses.check(undefined, '192.0.2.1', NOW)).toThrow(slowed)
    expect(() => guesses.check(undefined, '192.0.2.2', NOW)).not.toThrow()
    expect(() => guesses.check('orders', '192.0.2.1', NOW)).not.toThrow()
  })

  it('lets go within two minutes, by and by', () => {
    const guesses = limiter()
    fail(3, () => guesses.failed('orders', '192.0.2.1', NOW))
    expect(() => guesses.check('orders', '192.0.2.1', NOW + 59)).toThrow(slowed)
    // A second into the next minute nearly all of the last one still counts; half of it does not reach three.
    expect(() => guesses.check('orders', '192.0.2.1', NOW + 60)).toThrow(slowed)
    expect(() => guesses.check('orders', '192.0.2.1', NOW + 90)).not.toThrow()
    guesses.failed('orders', '192.0.2.1', NOW + 90)
    guesses.failed('orders', '192.0.2.1', NOW + 90)
    expect(() => guesses.check('orders', '192.0.2.1', NOW + 90)).toThrow(slowed)
    expect(() => guesses.check('orders', '192.0.2.1', NOW + 300)).not.toThrow()
  })

  it('is idle until something fails, and again two minutes later', () => {
    const guesses = limiter()
    expect(guesses.idle(NOW)).toBe(true)
    guesses.failed(undefined, '192.0.2.1', NOW)
    expect(guesses.idle(NOW)).toBe(false)
    expect(guesses.idle(NOW + 120)).toBe(false)
    expect(guesses.idle(NOW + 121)).toBe(true)
  })

  it('holds no more addresses than it may: the oldest goes', () => {
    const guesses = guessLimiter({ perAddress: 1, perClient: 5 })
    for (let at = 0; at <= 20_000; at += 1) guesses.failed(undefined, `a${at}`, NOW)
    expect(() => guesses.check(undefined, 'a0', NOW)).not.toThrow()
    expect(() => guesses.check(undefined, 'a20000', NOW)).toThrow(slowed)
  })
})

describe('network', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::9', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ])('takes %s for %s', (address, expected) => {
    expect(network(address)).toBe(expected)
  })
})
